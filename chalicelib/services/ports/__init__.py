"""Ports: what the use cases need from the world, as Protocols. One contract suite holds each of their adapters."""

from __future__ import annotations

from typing import Protocol

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
