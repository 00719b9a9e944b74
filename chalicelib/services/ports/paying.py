"""Stripe as the use cases see it: intents, charges and declines, and what not knowing is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from chalicelib.domain.documents.methods import Method
from chalicelib.domain.money.amounts import Money


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
    """What an intent is made with. `keep_method` stores the method for charges without the buyer present.

    `metadata` is what it is known by; `hints` go beside it, and another try may have others.
    """

    amount: Money
    customer_id: str
    metadata: Mapping[str, str]
    keep_method: bool = False
    payment_method_id: str | None = None
    description: str | None = None
    statement_suffix: str | None = None
    hints: Mapping[str, str] = field(default_factory=dict)


class MadeStatus(StrEnum):
    """Stripe's states of a Refund (docs.stripe.com/api/refunds/object)."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class MadeRefund:
    """A refund as Stripe knows it now, whoever had it made.

    `balance` is what it took off the account's balance, `failure_balance` what came back; None until Stripe has them.
    """

    id: str
    status: MadeStatus
    amount: Money
    intent_id: str | None
    charge_id: str | None
    created_at: datetime
    reason: str | None = None
    failure_reason: str | None = None
    balance: BalanceTransaction | None = None
    failure_balance: BalanceTransaction | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewRefund:
    """What a refund is made with. `reason` is one of Stripe's."""

    intent_id: str
    amount: Money
    metadata: Mapping[str, str]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """An event on Stripe's own list of an account. `object` is what the event was about, as it was then."""

    id: str
    type: str
    account: str | None
    livemode: bool
    created_at: datetime
    object: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page of that list, newest first; `cursor` asks for the next, None on the last."""

    events: tuple[ListedEvent, ...]
    cursor: str | None


class ProviderUnavailable(Exception):
    """No answer that says what happened (time-out, lost reply, 5xx): the outcome is unknown until Stripe is asked."""


class KeySpent(ProviderUnavailable):
    """Stripe failed under this idempotency key and keeps that answer for it: what it did, only the object can tell,
    and a new try needs a new key."""


class ProviderBusy(Exception):
    """Stripe did nothing and said so (429, a lock, a key in flight): the same call may be made again later."""


class ProviderRefused(Exception):
    """Stripe refused the request itself; nothing happened, and asking again the same way will not help.

    `reached` is False where it was turned away at the door (a key, the connection): then this says nothing of an
    earlier request under the same key.
    """

    def __init__(self, code: str, message: str, *, reached: bool = True) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.reached = reached


class CardTokenRefused(ProviderRefused):
    """Stripe knows nothing of the confirmation token, or it was used or has run out: the card must be entered again."""


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
        self,
        account: str | None,
        intent_id: str,
        *,
        confirmation_token: str,
        return_url: str,
        key: str,
        keep_method: bool | None = None,
    ) -> Intent:
        """Confirm with what the buyer's browser collected; the buyer is there to pass a challenge.

        `keep_method` says whether to store the method for later charges, whatever the intent said before; None leaves
        it as the intent was made.
        """
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

    def cancel_intent(self, account: str | None, intent_id: str, *, key: str) -> Intent:
        """Cancel; an intent that has succeeded meanwhile comes back as it is."""
        ...

    def retrieve_charge(self, account: str | None, charge_id: str) -> Charge:
        """A charge with its balance transaction, where there is one."""
        ...

    def create_refund(self, account: str | None, request: NewRefund, *, key: str) -> MadeRefund:
        """Send money of an intent back. Raises KeySpent too: only `find_refunds` then tells whether it was made."""
        ...

    def find_refunds(self, account: str | None, *, intent_id: str) -> list[MadeRefund]:
        """Every refund of an intent, whoever made it, newest first."""
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

    def list_events(
        self, account: str | None, *, created_after: datetime, types: Sequence[str], cursor: str | None = None
    ) -> EventPage:
        """A page of the events of these types since a time (at most 30 days ago), newest first, behind `cursor`."""
        ...
