"""What the checker reads: everything that is stored, and what Stripe itself has on its lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chalicelib.domain.documents.events import Event
    from chalicelib.domain.documents.timers import Timer
    from chalicelib.domain.money.amounts import Money
    from chalicelib.services.ports.paying import Intent
    from chalicelib.services.ports.storing import Record


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stored row that this code cannot turn into what it should be; `reason` has no word of its content."""

    row_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class LedgerCharge:
    """A charge on Stripe's list, failed ones included. `balance_id` is None until Stripe has captured it."""

    id: str
    intent_id: str | None
    amount: Money
    succeeded: bool
    balance_id: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerRefund:
    """A refund on Stripe's list. `status` is Stripe's word: pending, requires_action, succeeded, failed, canceled."""

    id: str
    charge_id: str | None
    intent_id: str | None
    amount: Money
    status: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A balance transaction on Stripe's list. `kind` is Stripe's `type`, `source_id` the charge or refund behind it."""

    id: str
    kind: str
    source_id: str | None
    gross: Money
    fee: Money
    net: Money


class Inspection(Protocol):
    """Everything that is stored, read strongly from the tables themselves and never by an index.

    The order is the table's. Reading takes as long as there is much, so what others write meanwhile may be seen or
    not. Every method raises StoreUnavailable.
    """

    def records(self) -> Iterator[Record | Unreadable]:
        """Every record of every kind and merchant."""
        ...

    def events(self) -> Iterator[Event | Unreadable]:
        """Every event of every merchant."""
        ...

    def timers(self) -> Iterator[Timer | Unreadable]:
        """Every timer that stands, due or not."""
        ...


class Ledger(Protocol):
    """Stripe's own lists of one account, newest first, page by page; None is the deployment's own account.

    Every method raises ProviderUnavailable, ProviderBusy and ProviderRefused.
    """

    def intents(self, account: str | None) -> Iterator[Intent]:
        """Every PaymentIntent, without its method and its charge, which a list does not carry."""
        ...

    def charges(self, account: str | None) -> Iterator[LedgerCharge]:
        """Every charge, those that failed too."""
        ...

    def refunds(self, account: str | None) -> Iterator[LedgerRefund]:
        """Every refund."""
        ...

    def balance_transactions(self, account: str | None) -> Iterator[LedgerEntry]:
        """Every movement on the account's balance."""
        ...
