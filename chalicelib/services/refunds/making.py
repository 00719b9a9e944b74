"""A refund that is set aside, made at Stripe: once, also where the program dies or the answer is lost on the way.

Nothing is asked for a second time before Stripe's own list of the payment's refunds has been read, and what is set
aside is released only when Stripe has refused and its list does not have it. Until then the outcome is unknown.
"""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import TURNED_AWAY, Refund
from chalicelib.domain.documents.timers import Timer
from chalicelib.domain.machines import RefundAction
from chalicelib.services.facts import happened
from chalicelib.services.payments.intents import KEY_USED_OTHERWISE
from chalicelib.services.ports import (
    DropTimer,
    KeySpent,
    NewRefund,
    Ports,
    ProviderRefused,
    ProviderUnavailable,
    SetTimer,
    Update,
    Write,
    WriteConflict,
)
from chalicelib.services.refunds.booking import book_refunds, metadata_of
from chalicelib.services.saving import commit, until_won, written

ACTOR = "scheduler"


def refund_key(refund: Refund) -> str:
    """The idempotency key under which a refund is made; another one only after Stripe failed under the last."""
    return f"refund-{refund.id}-{refund.keys_used}"


def finish_refund(ports: Ports, timer: Timer) -> str:
    """Do what a refund's timer asks for, if the refund still does; says what became of it.

    The next look is written down before this one begins, so that whatever ends it costs one look. Raises what
    PaymentProvider raises, and PaymentMismatch.
    """
    refund = ports.records.find(Refund, timer.record_id)
    if refund is None or refund.look_at != timer.due:
        ports.timers.drop(timer)
        return "stale"
    now = ports.clock.now()
    if timer.due > now:
        return "not due"
    later = refund.looked_at(now)
    writes: list[Write] = [Update(later), DropTimer(timer)]
    if later.timer is not None:
        writes.append(SetTimer(later.timer))
    try:
        commit(ports, writes)
    except WriteConflict:
        return "moved on by another"
    return str(look_and_make(ports, written(later), actor=ACTOR).status)


def look_and_make(ports: Ports, refund: Refund, *, actor: str) -> Refund:
    """The refund after reading Stripe's list, and after asking for it once more where that does not have it.

    Raises what PaymentProvider raises, and PaymentMismatch.
    """
    refund = _looked_up(ports, refund, actor)
    return make(ports, refund, actor=actor) if refund.is_unanswered else refund


def make(ports: Ports, refund: Refund, *, actor: str, asked_before: bool = True) -> Refund:
    """The refund after asking Stripe for it. `asked_before`: an earlier request for it may have got through.

    Raises ProviderUnavailable (the outcome is unknown), ProviderBusy (nothing happened, and it stays set aside) and
    ProviderRefused where it was turned away at the door. Then it is released where the account is not ours any more,
    unless it was `asked_before`; for our own key an operator can mend, and it stays set aside until then.
    """
    request = NewRefund(refund.intent_id, refund.amount, metadata_of(refund), refund.reason)
    try:
        made = ports.stripe.create_refund(refund.stripe_account, request, key=refund_key(refund))
    except KeySpent:
        _take_another_key(ports, refund)
        raise
    except ProviderRefused as refused:
        if refused.code == KEY_USED_OTHERWISE:
            _take_another_key(ports, refund)
            raise ProviderUnavailable(str(refused)) from refused
        if not refused.reached:
            if not asked_before and refused.code in TURNED_AWAY:
                _release(ports, refund, refused.code, actor)
            raise
        # Most likely the dashboard was quicker: what it sent back is booked before anything is released.
        refund = _looked_up(ports, refund, actor)
        return _release(ports, refund, refused.code, actor) if refund.is_unanswered else refund
    book_refunds(ports, refund.payment_id, [made], actor=actor)
    return ports.records.get(Refund, refund.id)


def _looked_up(ports: Ports, refund: Refund, actor: str) -> Refund:
    found = ports.stripe.find_refunds(refund.stripe_account, intent_id=refund.intent_id)
    book_refunds(ports, refund.payment_id, found, actor=actor)
    return ports.records.get(Refund, refund.id)


def _take_another_key(ports: Ports, refund: Refund) -> None:
    """Stripe repeats for a day what it answered under this key: the next request needs another.

    The look before it tells whether this one was carried out all the same.
    """

    def attempt() -> None:
        fresh = ports.records.get(Refund, refund.id)
        if fresh.is_unanswered and fresh.keys_used == refund.keys_used:
            commit(ports, [Update(replace(fresh, keys_used=fresh.keys_used + 1))])

    until_won(ports, attempt)


def _release(ports: Ports, refund: Refund, code: str, actor: str) -> Refund:
    """Write down that Stripe will not make it: what was set aside is free again."""

    def attempt() -> Refund:
        now = ports.clock.now()
        fresh = ports.records.get(Refund, refund.id)
        if not fresh.is_unanswered:
            return fresh
        payment, invoice = ports.records.find_many([(Payment, fresh.payment_id), (Invoice, fresh.invoice_id)])
        failed = replace(fresh.moved(RefundAction.FAIL, now), failure_reason=code)
        freed = payment.with_refund(fresh.amount, fresh.status, failed.status)
        told = happened(
            ports.ids,
            "refund.failed",
            failed,
            now=now,
            actor=actor,
            previous={"status": str(fresh.status)},
            beside=[freed, invoice],
        )
        writes: list[Write] = [Update(failed), Update(freed), told]
        if fresh.timer is not None:
            writes.append(DropTimer(fresh.timer))
        commit(ports, writes)
        return written(failed)

    return until_won(ports, attempt)
