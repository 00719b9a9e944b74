"""What Stripe says of a payment's refunds, written down once each, whoever brings it: a caller, a worker or a webhook.

A refund of Stripe's is booked by its own id, so it moves the payment and the invoice once. Refund, payment, invoice and
the events that tell of them are one transaction: paid is payments less refunds whenever it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import FIRST_LOOK, Movement, Refund, RefundOwner, refund_owner_id
from chalicelib.domain.documents.timers import Timer
from chalicelib.domain.ids import derived_id
from chalicelib.domain.machines import REFUND, RefundAction, RefundStatus
from chalicelib.services.facts import happened
from chalicelib.services.mails import mail_timer, new_mail, posted, queue_mail
from chalicelib.services.payments.matching import PaymentMismatch
from chalicelib.services.ports import (
    BalanceTransaction,
    DropTimer,
    Insert,
    MadeRefund,
    MadeStatus,
    Ports,
    SetTimer,
    Update,
    Write,
)
from chalicelib.services.saving import commit, until_won

_ACTIONS = {
    MadeStatus.SUCCEEDED: RefundAction.SUCCEED,
    MadeStatus.FAILED: RefundAction.FAIL,
    MadeStatus.CANCELED: RefundAction.CANCEL,
}
_GIVEN_UP = (MadeStatus.FAILED, MadeStatus.CANCELED)


@dataclass(frozen=True, slots=True)
class _Known:
    """The records that a refund of Stripe's touches; `refund` is None for one that we did not know of."""

    payment: Payment
    owner: RefundOwner | None
    refund: Refund | None


def metadata_of(refund: Refund) -> dict[str, str]:
    """What a refund carries at Stripe so that it can be found again if its id was never saved."""
    return {"till_merchant": refund.merchant_id, "till_refund": refund.id}


def book_refunds(
    ports: Ports, payment_id: str, made: Sequence[MadeRefund], *, actor: str, also: Sequence[Write] = ()
) -> None:
    """Take over every refund of a booked payment as Stripe has it now; what is known already changes nothing.

    What came back goes first, since only that makes room for a refund after it. Each is a transaction of its own, and
    `also` is in the last one. Raises PaymentMismatch where Stripe's refund cannot be this payment's.
    """
    ordered = sorted(made, key=lambda each: (each.status not in _GIVEN_UP, each.created_at))
    for each in ordered[:-1]:
        _book_one(ports, payment_id, each, actor, ())
    if ordered:
        _book_one(ports, payment_id, ordered[-1], actor, also)
    elif also:
        commit(ports, [], also)


def _book_one(ports: Ports, payment_id: str, made: MadeRefund, actor: str, also: Sequence[Write]) -> None:
    def attempt() -> Timer | None:
        known = _known(ports, payment_id, made)
        writes, mail = _changes(ports, known, made, actor)
        if writes or also:
            commit(ports, writes, also)
        return mail

    mail = until_won(ports, attempt)
    if mail is not None:
        queue_mail(ports, mail)


def _known(ports: Ports, payment_id: str, made: MadeRefund) -> _Known:
    hint = made.metadata.get("till_refund") or "ref_"
    payment, owner, hinted = ports.records.find_many(
        [(Payment, payment_id), (RefundOwner, refund_owner_id(made.id)), (Refund, hint)]
    )
    if owner is None:
        # Metadata are a hint: only a refund of ours that waits for just this answer is taken for it.
        ours = hinted is not None and hinted.is_unanswered and hinted.payment_id == payment_id
        return _Known(payment, None, hinted if ours and hinted.amount == made.amount else None)
    if hinted is None or hinted.id != owner.refund_id:
        hinted = ports.records.get(Refund, owner.refund_id)
    return _Known(payment, owner, hinted)


def _changes(ports: Ports, known: _Known, made: MadeRefund, actor: str) -> tuple[list[Write], Timer | None]:
    now = ports.clock.now()
    payment = known.payment
    before = known.refund
    _require_match(payment, before, made)
    refund = _taken_over(before or _from_stripe(payment, made), made, now)
    if refund == before:
        return [], None
    status = None if before is None else before.status
    if refund.status is not status:
        payment = payment.with_refund(refund.amount, status, refund.status)
    payment = _moved(payment, before, refund)
    if payment.gone_back > payment.amount:
        raise PaymentMismatch(f"{made.id} makes more than {payment.id} came to")
    writes: list[Write] = [Insert(refund) if before is None else Update(refund)]
    if known.owner is None:
        whose = RefundOwner(refund_owner_id(made.id), refund.merchant_id, refund.id, payment.id, now)
        writes.append(Insert(whose))
    if payment != known.payment:
        writes.append(Update(payment))
    writes += _timers(before, refund)
    invoice = ports.records.get(Invoice, payment.invoice_id)
    taken = payment.gone_back - known.payment.gone_back
    if taken:
        invoice = replace(invoice, amount_paid=invoice.paid - taken)
        writes.append(Update(invoice))
    for type_ in _told(before, refund):
        writes.append(
            happened(
                ports.ids,
                type_,
                refund,
                now=now,
                actor=actor,
                previous=None if before is None else {"status": str(before.status)},
                beside=[payment, invoice],
            )
        )
    mail = _mail(ports, before, refund, now)
    if mail is None:
        return writes, None
    return [*writes, *posted(mail)], mail_timer(mail)


def _require_match(payment: Payment, refund: Refund | None, made: MadeRefund) -> None:
    """Raises PaymentMismatch unless Stripe's refund can be one of this payment, and is the one we took it for."""
    if made.intent_id != payment.intent_id:
        raise PaymentMismatch(f"{made.id} is of another intent than {payment.id}")
    if made.amount.currency != payment.amount.currency or made.amount.minor < 1:
        raise PaymentMismatch(f"{made.id} is no amount of {payment.id}")
    if refund is not None and refund.amount != made.amount:
        raise PaymentMismatch(f"{made.id} is for another amount than {refund.id}")
    settled = payment.settlement or payment.returned
    for movement in (made.balance, made.failure_balance):
        if movement is not None and settled is not None and movement.net.currency != settled.net.currency:
            raise PaymentMismatch(f"{movement.id} is in another currency than the payment was settled in")


def _from_stripe(payment: Payment, made: MadeRefund) -> Refund:
    """One that somebody made in Stripe's dashboard. Its id is derived, so two reports of it mean the same refund."""
    return Refund(
        id=derived_id("ref", made.created_at, refund_owner_id(made.id)),
        merchant_id=payment.merchant_id,
        payment_id=payment.id,
        invoice_id=payment.invoice_id,
        intent_id=payment.intent_id,
        amount=made.amount,
        created_at=made.created_at,
        reason=made.reason,
        customer_id=payment.customer_id,
        stripe_account=payment.stripe_account,
        from_stripe=True,
    )


def _taken_over(refund: Refund, made: MadeRefund, now: datetime) -> Refund:
    """The refund as Stripe has it; a report that is older than what is known changes nothing."""
    action = _ACTIONS.get(made.status)
    if action is not None and REFUND.can(refund.status, action):
        refund = replace(refund.moved(action, now), failure_reason=made.failure_reason)
    if refund.status is RefundStatus.PENDING and refund.look_at is None:
        refund = replace(refund, look_at=now + FIRST_LOOK)
    return replace(
        refund,
        stripe_refund_id=made.id,
        taken=refund.taken or _movement(made.balance),
        given_back=refund.given_back or _movement(made.failure_balance),
    )


def _movement(balance: BalanceTransaction | None) -> Movement | None:
    return None if balance is None else Movement(balance.id, balance.gross, balance.fee, balance.net)


def _moved(payment: Payment, before: Refund | None, after: Refund) -> Payment:
    """The payment with the movements on the balance that this report brought."""
    for old, new in (
        (None if before is None else before.taken, after.taken),
        (None if before is None else before.given_back, after.given_back),
    ):
        if old is None and new is not None:
            payment = payment.with_movement(new.gross, new.fee, new.net)
    return payment


def _timers(before: Refund | None, after: Refund) -> list[Write]:
    stood, stands = None if before is None else before.timer, after.timer
    if stood == stands:
        return []
    writes: list[Write] = [] if stood is None else [DropTimer(stood)]
    return writes if stands is None else [*writes, SetTimer(stands)]


def _told(before: Refund | None, after: Refund) -> list[str]:
    """What happened with this report, in the order of its happening."""
    told = ["refund.created"] if before is None else []
    if before is not None and before.status is after.status:
        return told
    if after.status is RefundStatus.SUCCEEDED:
        told.append("refund.succeeded")
    elif after.status is not RefundStatus.PENDING:
        told.append("refund.failed")
    return told


def _mail(ports: Ports, before: Refund | None, refund: Refund, now: datetime) -> Mail | None:
    """The buyer's mail, with the success that it tells of, so never before that is known."""
    if refund.status is not RefundStatus.SUCCEEDED or (before is not None and before.status is refund.status):
        return None
    customer = None if refund.customer_id is None else ports.records.find(Customer, refund.customer_id)
    if customer is None:
        return None
    what = f"refund#{refund.id}"
    return new_mail(MailKind.REFUND, refund.merchant_id, customer.email, refund.id, what=what, now=now)
