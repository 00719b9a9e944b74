"""Payments: one movement of money in, one row per Stripe intent, booked once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.documents.invoices import Source
from chalicelib.domain.documents.methods import Method
from chalicelib.domain.machines import PAYMENT, PaymentAction, PaymentStatus
from chalicelib.domain.money.amounts import Money


@dataclass(frozen=True, slots=True)
class Settlement:
    """What Stripe's balance transactions say, in the currency of the account: `net` may be negative."""

    gross: Money
    fee: Money
    net: Money
    exchange_rate: Decimal | None = None
    balance_transaction: str | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """One intent's money. `booked_at` is None until it is booked; `settlement` until `charge.updated` came."""

    id: str
    merchant_id: str
    invoice_id: str
    amount: Money
    status: PaymentStatus
    source: Source
    intent_id: str
    created_at: datetime
    stripe_account: str | None = None
    charge_id: str | None = None
    customer_id: str | None = None
    subscription_id: str | None = None
    payment_link_id: str | None = None
    method: Method | None = None
    booked_at: datetime | None = None
    settlement: Settlement | None = None
    refunded: Money | None = None
    decline_code: str | None = None
    version: int = 0

    def moved(self, action: PaymentAction) -> Payment:
        """In the state that an action leads to."""
        return replace(self, status=PAYMENT.next(self.status, action))


@dataclass(frozen=True, slots=True)
class IntentOwner:
    """Whose a Stripe intent is: the id is `intent#{intent}`, put in the transaction that saves the intent's id.

    `owner_id` is the checkout or the invoice whose part it pays; `payment_id` is the id its payment will have.
    """

    id: str
    merchant_id: str
    owner_id: str
    part_number: int
    payment_id: str
    created_at: datetime
    stripe_account: str | None = None
    version: int = 0


def intent_owner_id(intent_id: str) -> str:
    """Where the owner of an intent is looked up."""
    return f"intent#{intent_id}"
