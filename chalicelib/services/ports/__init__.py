"""Ports: what the use cases need from the world, as Protocols. One contract suite holds each of their adapters."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from chalicelib.services.ports.inspecting import (
        Inspection,
        Ledger,
        LedgerCharge,
        LedgerEntry,
        LedgerRefund,
        Unreadable,
    )
    from chalicelib.services.ports.pacing import UNPACED, Allowance, Pacer, TokenLeases
    from chalicelib.services.ports.paying import (
        BalanceTransaction,
        CardTokenRefused,
        Charge,
        Decline,
        EventPage,
        Intent,
        IntentStatus,
        KeySpent,
        ListedEvent,
        MadeRefund,
        MadeStatus,
        NewIntent,
        NewRefund,
        PaymentProvider,
        ProviderBusy,
        ProviderRefused,
        ProviderUnavailable,
    )
    from chalicelib.services.ports.seam import OPEN, NoAnswer, Seam, Service
    from chalicelib.services.ports.storing import (
        DEPLOYMENT,
        MAX_WRITES,
        Append,
        DropTimer,
        Index,
        Insert,
        Page,
        Record,
        Records,
        SetTimer,
        StoreUnavailable,
        Timers,
        Unchanged,
        Update,
        Write,
        WriteConflict,
    )
    from chalicelib.services.ports.world import (
        Clock,
        Ids,
        Mailer,
        MailRefused,
        MailUnavailable,
        Message,
        OutgoingMail,
        Pauses,
        QueueName,
        Queues,
        QueueUnavailable,
    )

__all__ = [
    "DEPLOYMENT",
    "MAX_WRITES",
    "OPEN",
    "UNPACED",
    "Allowance",
    "Append",
    "BalanceTransaction",
    "CardTokenRefused",
    "Charge",
    "Clock",
    "Decline",
    "DropTimer",
    "EventPage",
    "Ids",
    "Index",
    "Insert",
    "Inspection",
    "Intent",
    "IntentStatus",
    "KeySpent",
    "Ledger",
    "LedgerCharge",
    "LedgerEntry",
    "LedgerRefund",
    "ListedEvent",
    "MadeRefund",
    "MadeStatus",
    "MailRefused",
    "MailUnavailable",
    "Mailer",
    "Message",
    "NewIntent",
    "NewRefund",
    "NoAnswer",
    "OutgoingMail",
    "Pacer",
    "Page",
    "Pauses",
    "PaymentProvider",
    "Ports",
    "ProviderBusy",
    "ProviderRefused",
    "ProviderUnavailable",
    "QueueName",
    "QueueUnavailable",
    "Queues",
    "Record",
    "Records",
    "Seam",
    "Service",
    "SetTimer",
    "StoreUnavailable",
    "Timers",
    "TokenLeases",
    "Unchanged",
    "Unreadable",
    "Update",
    "Write",
    "WriteConflict",
]

_HOMES: Final = {
    "inspecting": "Inspection Ledger LedgerCharge LedgerEntry LedgerRefund Unreadable",
    "pacing": "Allowance Pacer TokenLeases UNPACED",
    "paying": (
        "BalanceTransaction CardTokenRefused Charge Decline EventPage Intent IntentStatus KeySpent "
        "ListedEvent MadeRefund MadeStatus NewIntent NewRefund PaymentProvider ProviderBusy ProviderRefused "
        "ProviderUnavailable"
    ),
    "seam": "NoAnswer OPEN Seam Service",
    "storing": (
        "Append DEPLOYMENT DropTimer Index Insert MAX_WRITES Page Record Records SetTimer StoreUnavailable "
        "Timers Unchanged Update Write WriteConflict"
    ),
    "world": (
        "Clock Ids MailRefused MailUnavailable Mailer Message OutgoingMail Pauses QueueName QueueUnavailable Queues"
    ),
}
"""The room that each port lives in: it is opened by the first who asks, since most of a page needs two of six."""
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """A port by its name, from its room (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


class Ports(Protocol):
    """Everything a use case may reach for. Each is made when it is first asked for, so a page never pays for Stripe."""

    @property
    def records(self) -> Records: ...
    @property
    def timers(self) -> Timers: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> Ids: ...
    @property
    def pauses(self) -> Pauses: ...
    @property
    def queues(self) -> Queues: ...
    @property
    def stripe(self) -> PaymentProvider: ...
    @property
    def mailer(self) -> Mailer: ...
