"""Ports: what the use cases need from the world, as Protocols. Each has one fake and one contract suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.methods import Method
from chalicelib.domain.documents.timers import Timer
from chalicelib.domain.money.amounts import Money

# --- records, events, timers -----------------------------------------------------------------------------------------


class Record(Protocol):
    """What every stored aggregate has. `version` is 0 until the first write and moves by one with each."""

    @property
    def id(self) -> str: ...
    @property
    def merchant_id(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def version(self) -> int: ...


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Insert:
    """Write a record that must not exist yet (`version` 0 in hand, 1 once stored)."""

    record: Record


@dataclass(frozen=True, slots=True)
class Update:
    """Write a record over the version it was read at; stored with `version` + 1."""

    record: Record


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Write nothing, but require that the record still has the version in hand."""

    record: Record


@dataclass(frozen=True, slots=True)
class Append:
    """Write an event; an event of that id must not exist."""

    event: Event


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Put a timer; its key is deterministic, so doing it twice leaves one."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class DropTimer:
    """Remove a timer, if it is there."""

    timer: Timer


Write = Insert | Update | Unchanged | Append | SetTimer | DropTimer

MAX_WRITES = 100
"""Items in one transaction (AWS: TransactWriteItems)."""


class WriteConflict(Exception):
    """A condition failed and nothing was written. `failed` are the positions in `writes` whose condition failed."""

    def __init__(self, failed: tuple[int, ...]) -> None:
        super().__init__(f"conditions failed at {failed}")
        self.failed = failed


class StoreUnavailable(Exception):
    """The store gave no answer that could be believed: it is not known whether the write happened."""


class Index(StrEnum):
    """Sparse indexes, newest first. They find candidates; what is returned is read strongly from the table."""

    BY_MERCHANT = "by_merchant"
    BY_CUSTOMER = "by_customer"
    BY_SUBSCRIPTION = "by_subscription"
    BY_INVOICE = "by_invoice"
    BY_PAYMENT_LINK = "by_payment_link"


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """One page of a list; `last_id` continues it when `has_more`."""

    records: tuple[R, ...]
    has_more: bool
    last_id: str | None


class Records(Protocol):
    """Aggregates by id, read strongly; written only in transactions."""

    def find(self, kind: type[R], record_id: str) -> R | None:
        """The record, or None."""
        ...

    def get(self, kind: type[R], record_id: str) -> R:
        """The record. Raises NotFound."""
        ...

    def find_many(self, wanted: Sequence[tuple[type[Any], str]]) -> list[Any]:
        """The records in the order asked for, None for each that is missing: one round trip for up to 100."""
        ...

    def commit(self, operation_id: str, writes: Sequence[Write]) -> None:
        """All writes or none, at most MAX_WRITES, one per record.

        `operation_id` is this one intention's: a repeat of the same call with the same id, also after a lost
        reply and without any token of the database's, happens once. Raises WriteConflict, StoreUnavailable.
        """
        ...

    def newest(
        self,
        kind: type[R],
        index: Index,
        owner_id: str,
        *,
        limit: int,
        before_id: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Page[R]:
        """A page of one owner's records of one kind, newest first, below `before_id` where given."""
        ...

    def events(self, merchant_id: str, *, limit: int, before_id: str | None = None) -> tuple[tuple[Event, ...], bool]:
        """A page of a merchant's events, newest first, and whether there are more."""
        ...


class Timers(Protocol):
    """The timers table, read by the scheduler."""

    def due_before(self, shard: int, now: datetime, *, limit: int, after: str | None = None) -> list[Timer]:
        """The timers of one shard due at or before `now`, oldest first, strongly consistent, after key `after`."""
        ...

    def drop(self, timer: Timer) -> None:
        """Remove a stale timer; nothing happens where it is gone."""
        ...


# --- time, ids, queues, mail ------------------------------------------------------------------------------------------


class Clock(Protocol):
    """The one source of the time."""

    def now(self) -> datetime:
        """Aware UTC."""
        ...


class Ids(Protocol):
    """The one source of randomness."""

    def new(self, prefix: str, at: datetime) -> str:
        """A prefixed id that sorts by `at`, monotonic within a millisecond."""
        ...

    def secret(self) -> str:
        """128 random bits as 22 characters of base64url, for a page's address."""
        ...


class QueueName(StrEnum):
    """BILLING is FIFO by merchant; the others are standard queues."""

    BILLING = "billing"
    CHARGES = "charges"
    WORK = "work"


@dataclass(frozen=True, slots=True)
class Message:
    """A message; `group` and `dedupe` are used by the FIFO queue alone."""

    body: Mapping[str, Any]
    group: str | None = None
    dedupe: str | None = None


class QueueUnavailable(Exception):
    """The queue did not take the messages; the timers that asked for them stand, and the next sweep sends them."""


class Queues(Protocol):
    """Where work is handed over."""

    def send(self, queue: QueueName, messages: Sequence[Message]) -> None:
        """Send any number of messages. Raises QueueUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A mail ready to send: plain addresses, both bodies; `key` names the outbox row, for logs and headers."""

    key: str
    from_name: str
    to: str
    subject: str
    text: str
    html: str
    reply_to: str | None = None


class MailRefused(Exception):
    """SES will never take this mail (address or content)."""


class MailUnavailable(Exception):
    """SES did not answer, or not now."""


class Mailer(Protocol):
    """Sends one mail."""

    def send(self, mail: OutgoingMail) -> str:
        """The provider's message id. Raises MailRefused, MailUnavailable."""
        ...


# --- Stripe -----------------------------------------------------------------------------------------------------------


class IntentStatus(StrEnum):
    """Stripe's states of a PaymentIntent, and of a SetupIntent (docs.stripe.com/payments/paymentintents/lifecycle)."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    REQUIRES_CAPTURE = "requires_capture"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Decline:
    """Why the last try of an intent failed, in Stripe's codes."""

    code: str
    decline_code: str | None = None
    advice_code: str | None = None


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """What a charge did to the account's balance, in the account's currency."""

    id: str
    gross: Money
    fee: Money
    net: Money
    exchange_rate: str | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge. `balance` is None until Stripe has captured it (asynchronously) and `charge.updated` was sent."""

    id: str
    amount: Money
    intent_id: str | None
    method: Method
    balance: BalanceTransaction | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """A PaymentIntent or SetupIntent as Stripe knows it now. `amount` is None for a SetupIntent."""

    id: str
    status: IntentStatus
    amount: Money | None
    livemode: bool
    created_at: datetime
    client_secret: str | None = None
    customer_id: str | None = None
    payment_method_id: str | None = None
    method: Method | None = None
    charge: Charge | None = None
    decline: Decline | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewIntent:
    """What an intent is made with. `keep_method` stores the method for charges without the buyer present."""

    amount: Money
    customer_id: str
    metadata: Mapping[str, str]
    keep_method: bool = False
    payment_method_id: str | None = None
    description: str | None = None
    statement_suffix: str | None = None


class ProviderUnavailable(Exception):
    """No answer that says what happened (time-out, lost reply, 5xx): the outcome is unknown until Stripe is asked."""


class ProviderBusy(Exception):
    """Stripe did nothing and said so (429, a lock, a key in flight): the same call may be made again later."""


class ProviderRefused(Exception):
    """Stripe refused the request itself; nothing happened, and asking again the same way will not help."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class PaymentProvider(Protocol):
    """Stripe. `account` is the connected account, None in direct mode; every writing call needs its own `key`.

    Every method raises ProviderUnavailable, ProviderBusy or ProviderRefused. A declined card is no exception: the
    intent comes back with its `decline`.
    """

    def create_customer(
        self, account: str | None, *, email: str, name: str, metadata: Mapping[str, str], key: str
    ) -> str:
        """Make a Stripe customer; its id."""
        ...

    def create_intent(self, account: str | None, request: NewIntent, *, key: str) -> Intent:
        """Make a PaymentIntent, unconfirmed."""
        ...

    def confirm_with_token(
        self, account: str | None, intent_id: str, *, confirmation_token: str, return_url: str, key: str
    ) -> Intent:
        """Confirm with what the buyer's browser collected; the buyer is there to pass a challenge."""
        ...

    def confirm_off_session(self, account: str | None, intent_id: str, *, payment_method_id: str, key: str) -> Intent:
        """Confirm with a stored method while the buyer is away."""
        ...

    def retrieve_intent(self, account: str | None, intent_id: str) -> Intent:
        """What Stripe knows of the intent now, its latest charge included."""
        ...

    def find_intents(self, account: str | None, *, customer_id: str) -> list[Intent]:
        """Every intent of a customer, newest first: how an intent whose id was never saved is found again."""
        ...

    def update_intent_amount(self, account: str | None, intent_id: str, *, amount: Money, key: str) -> Intent:
        """Change what an unconfirmed intent is for."""
        ...

    def cancel_intent(self, account: str | None, intent_id: str, *, key: str) -> Intent:
        """Cancel; an intent that has succeeded meanwhile comes back as it is."""
        ...

    def retrieve_charge(self, account: str | None, charge_id: str) -> Charge:
        """A charge with its balance transaction, where there is one."""
        ...

    def create_setup_intent(
        self, account: str | None, *, customer_id: str, metadata: Mapping[str, str], key: str
    ) -> Intent:
        """Make a SetupIntent for charges without the buyer present, unconfirmed."""
        ...

    def confirm_setup_with_token(
        self, account: str | None, intent_id: str, *, confirmation_token: str, return_url: str, key: str
    ) -> Intent:
        """Confirm a SetupIntent with what the buyer's browser collected."""
        ...

    def retrieve_setup_intent(self, account: str | None, intent_id: str) -> Intent:
        """What Stripe knows of the SetupIntent now."""
        ...


# --- the ports together -----------------------------------------------------------------------------------------------


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
    def queues(self) -> Queues: ...
    @property
    def stripe(self) -> PaymentProvider: ...
    @property
    def mailer(self) -> Mailer: ...
