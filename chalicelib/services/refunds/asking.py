"""A refund asked for by the merchant: the money is set aside before Stripe hears of it, so two can never take it twice.

The transaction that sets it aside leaves a timer, so that a death anywhere after it is found again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import ConnectionState, Merchant
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import FIRST_LOOK, Refund
from chalicelib.domain.errors import InvalidValue, TillError
from chalicelib.domain.ids import time_of
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.currency import step
from chalicelib.services.facts import happened
from chalicelib.services.ports import (
    Insert,
    Ports,
    ProviderBusy,
    ProviderRefused,
    ProviderUnavailable,
    SetTimer,
    Update,
    Write,
)
from chalicelib.services.refunds.making import look_and_make, make
from chalicelib.services.saving import commit, until_won, written


@dataclass(frozen=True, slots=True)
class AskedRefund:
    """What a caller asks for. `minor` is in minor units of the payment's currency, None for all that is left."""

    payment_id: str
    minor: int | None = None
    reason: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def create_refund(
    ports: Ports, merchant_id: str, asked: AskedRefund, *, actor: str, refund_id: str | None = None
) -> Refund:
    """Set the money aside and have Stripe send it back; the refund as far as it has come.

    It is `pending` where Stripe has not said yet what became of it, and `failed` where Stripe refused it. `refund_id`
    names this one intention: asked again under it, the refund that was made then goes on. Raises InvalidValue (there is
    no such payment of the merchant's, or less is left), StateConflict (not paid, in dispute, or nothing left) and
    TillError `not_ready_to_transact` (the account is not ours to use any more); no money goes back then.
    """
    begun = None if refund_id is None else ports.records.find(Refund, refund_id)
    refund = begun or until_won(ports, lambda: _set_aside(ports, merchant_id, asked, actor, refund_id))
    if refund.is_unanswered:
        refund = _as_far_as_it_comes(ports, refund, actor, asked_before=begun is not None)
    if refund.was_turned_away:
        raise _not_connected()
    return refund


def _as_far_as_it_comes(ports: Ports, refund: Refund, actor: str, *, asked_before: bool) -> Refund:
    try:
        if asked_before:
            return look_and_make(ports, refund, actor=actor)
        return make(ports, refund, actor=actor, asked_before=False)
    except (ProviderUnavailable, ProviderBusy, ProviderRefused):
        # Nobody knows, or it was not its turn, or an operator must mend a key first: unless it was released, its timer
        # stands, and whoever comes next asks Stripe before doing anything.
        return ports.records.get(Refund, refund.id)


def _set_aside(ports: Ports, merchant_id: str, asked: AskedRefund, actor: str, refund_id: str | None) -> Refund:
    now = ports.clock.now()
    payment, merchant = ports.records.find_many([(Payment, asked.payment_id), (Merchant, merchant_id)])
    if payment is None or merchant is None or payment.merchant_id != merchant_id:
        raise InvalidValue("There is no such payment.", "payment")
    if merchant.connection is ConnectionState.DISCONNECTED or merchant.stripe_account != payment.stripe_account:
        raise _not_connected()
    amount = payment.left if asked.minor is None else Money(asked.minor, payment.amount.currency)
    reserved = payment.reserving(amount)
    if amount.minor % step(amount.currency):
        raise InvalidValue(
            f"An amount of {amount.currency} is a multiple of {step(amount.currency)}.", "amount", "invalid_value"
        )
    invoice = ports.records.find(Invoice, payment.invoice_id)
    refund = _new(ports, payment, amount, asked, now, refund_id)
    writes: list[Write] = [Insert(refund), Update(reserved)]
    if refund.timer is not None:
        writes.append(SetTimer(refund.timer))
    beside = [reserved] if invoice is None else [reserved, invoice]
    told = happened(ports.ids, "refund.created", refund, now=now, actor=actor, beside=beside)
    commit(ports, [*writes, told])
    return written(refund)


def _new(
    ports: Ports, payment: Payment, amount: Money, asked: AskedRefund, now: datetime, refund_id: str | None
) -> Refund:
    made_id = refund_id or ports.ids.new("ref", now)
    return Refund(
        id=made_id,
        merchant_id=payment.merchant_id,
        payment_id=payment.id,
        invoice_id=payment.invoice_id,
        intent_id=payment.intent_id,
        amount=amount,
        created_at=time_of(made_id),
        reason=asked.reason,
        customer_id=payment.customer_id,
        stripe_account=payment.stripe_account,
        look_at=now + FIRST_LOOK,
        metadata=dict(asked.metadata),
    )


def _not_connected() -> TillError:
    return TillError(
        "not_ready_to_transact",
        "The Stripe account that took this payment is not connected any more. Refund it in Stripe's dashboard.",
    )
