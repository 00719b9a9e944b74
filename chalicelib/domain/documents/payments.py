"""Payments: one movement of money in, one row per Stripe intent, booked once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.documents.invoices import Source
from chalicelib.domain.documents.methods import Method
from chalicelib.domain.errors import InvalidValue, StateConflict
from chalicelib.domain.machines import PAYMENT, PaymentAction, PaymentStatus, RefundStatus
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
    """One intent's money. `booked_at` is None until it is booked; `settlement` until `charge.updated` came.

    `refunded` is what has gone back, `reserved` what refunds under way may still take; their sum never passes `amount`
    by a refund of ours. `returned` sums up what all refunds did to the balance, those that came back included.
    """

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
    reserved: Money | None = None
    returned: Settlement | None = None
    version: int = 0

    @property
    def gone_back(self) -> Money:
        """What has been refunded, zero included."""
        return self.refunded or Money.zero(self.amount.currency)

    @property
    def set_aside(self) -> Money:
        """What refunds under way may still take, zero included."""
        return self.reserved or Money.zero(self.amount.currency)

    @property
    def left(self) -> Money:
        """What may still be refunded; below zero where Stripe's dashboard refunded what was set aside here."""
        return self.amount - self.gone_back - self.set_aside

    @property
    def fee(self) -> Money | None:
        """Stripe's fees in the account's currency, None until known. They are not returned with a refund."""
        if self.settlement is None or self.returned is None:
            return None if self.settlement is None else self.settlement.fee
        return self.settlement.fee + self.returned.fee

    @property
    def net(self) -> Money | None:
        """What all movements on the balance come to, refunds included, so perhaps below zero; None until known."""
        if self.settlement is None or self.returned is None:
            return None if self.settlement is None else self.settlement.net
        return self.settlement.net + self.returned.net

    def reserving(self, amount: Money) -> Payment:
        """With this much set aside for a refund.

        Raises StateConflict where the state allows none or nothing is left, InvalidValue `above_maximum` where less is.
        """
        PAYMENT.next(self.status, PaymentAction.START_REFUND)
        if self.left.minor <= 0:
            raise StateConflict("Nothing of this payment is left to refund.")
        if amount > self.left:
            raise InvalidValue(f"Only {self.left.minor} of this payment is left to refund.", "amount", "above_maximum")
        return self.with_refund(amount, None, RefundStatus.PENDING)

    def with_refund(self, amount: Money, before: RefundStatus | None, after: RefundStatus) -> Payment:
        """After one of its refunds went from one status to another; `before` is None for one that is new.

        An open or lost dispute stays what the payment shows; only the sums move then.
        """
        reserved, refunded = self.set_aside, self.gone_back
        if before is RefundStatus.PENDING:
            reserved = reserved - amount
        if before is RefundStatus.SUCCEEDED:
            refunded = refunded - amount
        if after is RefundStatus.PENDING:
            reserved = reserved + amount
        if after is RefundStatus.SUCCEEDED:
            refunded = refunded + amount
        if reserved:
            action = PaymentAction.START_REFUND
        elif refunded >= self.amount:
            action = PaymentAction.REFUND_IN_FULL
        else:
            action = PaymentAction.REFUND_IN_PART if refunded else PaymentAction.UNDO_REFUND
        changed = replace(self, reserved=reserved, refunded=refunded)
        return changed.moved(action) if PAYMENT.can(self.status, action) else changed

    def with_movement(self, gross: Money, fee: Money, net: Money) -> Payment:
        """After a refund moved the balance. Raises CurrencyMismatch where it did so in another currency than before."""
        if self.returned is not None:
            gross, fee, net = self.returned.gross + gross, self.returned.fee + fee, self.returned.net + net
        return replace(self, returned=Settlement(gross, fee, net))

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
