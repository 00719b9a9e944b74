"""Stripe's events: taken in durably, then applied by the fact they tell of, in any order and any number of times.

An event's object is a hint only. Whose it is, is read from Till's own records; what happened, from Stripe.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.intake import IntakeState, StripeEvent, stripe_event_id
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.payments import IntentOwner, Payment, intent_owner_id
from chalicelib.domain.documents.portal import MethodChange
from chalicelib.domain.documents.refunds import Refund, RefundOwner, refund_owner_id
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.machines import CheckoutStatus, InvoiceStatus, RefundStatus
from chalicelib.services.billing import outcomes as invoice_outcomes
from chalicelib.services.checkouts import outcomes as checkout_outcomes
from chalicelib.services.notices import (
    ALLOWED,
    CHARGE_EVENTS,
    CHARGE_REFUNDED,
    INTENT_EVENTS,
    REFUND_EVENTS,
    SETUP_EVENTS,
    Notice,
    intent_id_of,
    read_for,
)
from chalicelib.services.payments.matching import PaymentMismatch
from chalicelib.services.payments.settling import settle_payment
from chalicelib.services.portal.storing_method import apply_setup
from chalicelib.services.ports import (
    DropTimer,
    Insert,
    Intent,
    IntentStatus,
    Ports,
    Records,
    SetTimer,
    Update,
    Write,
    WriteConflict,
)
from chalicelib.services.reading_ahead import ReadAhead
from chalicelib.services.refunds.booking import book_refunds
from chalicelib.services.saving import AlsoBeaten, commit, written
from chalicelib.services.standing_in import PortsWith

ACTOR: Final = "stripe"
KNOWN: Final = "known before"
"""What becomes of an event that tells nothing new."""
TRY_AGAIN_AFTER: Final = timedelta(minutes=10)
"""When an event that was taken in but not applied is first looked at by the scheduler; each further wait is twice as
long as the one before."""
LONGEST_WAIT: Final = timedelta(hours=6)
"""Between two looks, however long Stripe stays down: what Stripe itself gave up delivering is still finished here."""


def receive(ports: Ports, notice: Notice) -> str:
    """Take one event in and apply it; says what became of it. When this returns, the event may be acknowledged.

    What is not ours, not of our kind or of the other mode is answered and leaves nothing behind. Raises what
    PaymentProvider raises and StoreUnavailable: the row is `received` by then, so Stripe's next delivery or the
    scheduler finishes it.
    """
    if notice.type not in ALLOWED:
        return "not of a kind that matters"
    read = read_for(ports, notice)
    merchant, whose, row = read.merchant, read.whose, read.row
    if merchant is None or whose is None:
        return "nobody's here"
    if merchant.livemode != notice.livemode:
        return "of the other mode"
    if row is None:
        now = ports.clock.now()
        row = StripeEvent(
            id=stripe_event_id(notice.event_id),
            merchant_id=merchant.id,
            type=notice.type,
            account=notice.account,
            object_id=str(notice.object.get("id", "")),
            created_at=now,
            data_object=_hint(notice),
        )
        known = _is_known(read.ahead, whose, row)
        if known:
            # Nothing is left to do, so one write says both that it came and that it is done.
            row = replace(row, state=IntakeState.DONE, result=KNOWN)
        try:
            commit(ports, [Insert(row)] if known else [Insert(row), SetTimer(_timer(row))])
        except WriteConflict:
            return "being taken in by another"
        if known:
            return KNOWN
        row = written(row)
    return _apply(ports, read.ahead, merchant, whose, row)


def apply_received(ports: Ports, event_row_id: str) -> str:
    """Apply an event that was taken in and left unfinished. Doing it again changes nothing.

    The next look is written down before this one begins, so that whatever ends it (Stripe down, a crash, an event that
    nothing can be made of) costs one try and not one every few minutes. Raises what `receive` raises.
    """
    row = ports.records.find(StripeEvent, event_row_id)
    if row is None:
        return "gone"
    if row.state is IntakeState.DONE:
        ports.timers.drop(_timer(row))
        return "done before"
    if ports.clock.now() < _timer(row).due:
        return "not due"
    merchant, whose = ports.records.find_many(
        [
            (Merchant, row.merchant_id),
            (IntentOwner, intent_owner_id(intent_id_of(row.type, row.data_object) or "")),
        ]
    )
    try:
        if merchant is None or whose is None:
            commit(ports, [], _done(row, "nobody's here"))
            return "nobody's here"
        return _apply(ports, ReadAhead(ports.records, {}), merchant, whose, _looked_at(ports, row))
    except (AlsoBeaten, WriteConflict):
        return "being applied by another"


def _looked_at(ports: Ports, row: StripeEvent) -> StripeEvent:
    wait = min(TRY_AGAIN_AFTER * 2 ** min(row.looks + 1, 16), LONGEST_WAIT)
    later = replace(row, looks=row.looks + 1, look_at=ports.clock.now() + wait)
    commit(ports, [Update(later), DropTimer(_timer(row)), SetTimer(_timer(later))])
    return written(later)


def _timer(row: StripeEvent) -> Timer:
    return Timer(TimerKind.APPLY_WEBHOOK, row.id, row.merchant_id, row.look_at or row.created_at + TRY_AGAIN_AFTER)


def _hint(notice: Notice) -> dict[str, Any]:
    """What is kept of an event's object: its ids, and of a refund what tells that it is no news.

    Everything else is asked of Stripe.
    """
    kept = {key: notice.object[key] for key in ("id", "payment_intent") if isinstance(notice.object.get(key), str)}
    if notice.type not in REFUND_EVENTS:
        return kept
    told = {"status": str, "amount_refunded": int}
    return kept | {key: notice.object[key] for key, kind in told.items() if type(notice.object.get(key)) is kind}


def _is_known(ahead: ReadAhead, whose: IntentOwner, row: StripeEvent) -> bool:
    """Whether what was read already says what the event tells, of a kind that no later event takes back."""
    if row.type in INTENT_EVENTS:
        kind = _kind_of(whose)
        return ahead.has(kind, whose.owner_id) and _is_settled(ahead.get(kind, whose.owner_id))
    if row.type in CHARGE_EVENTS and ahead.has(Payment, whose.payment_id):
        payment = ahead.find(Payment, whose.payment_id)
        return payment is not None and payment.settlement is not None
    return False


def _apply(ports: Ports, ahead: ReadAhead, merchant: Merchant, whose: IntentOwner, row: StripeEvent) -> str:
    if row.state is IntakeState.DONE:
        return "done before"
    try:
        if row.type in CHARGE_EVENTS:
            return _apply_charge(ports, ahead, merchant, whose, row)
        if row.type in REFUND_EVENTS:
            return _apply_refund(ports, ahead, merchant, whose, row)
        if row.type in SETUP_EVENTS:
            return _apply_setup(ports, merchant, whose, row)
        return _apply_intent(ports, ahead, merchant, whose, row)
    except PaymentMismatch as mismatch:
        # Never mended by itself and never retried for days: kept, said loudly by the caller, and shown as undone.
        with suppress(AlsoBeaten):
            commit(ports, [], _done(row, f"mismatch: {mismatch}"))
        raise
    except AlsoBeaten:
        # Only the row stood in the way: a second delivery of the same event finished it meanwhile.
        return "done by another"


def _done(row: StripeEvent, result: str) -> list[Write]:
    return [Update(replace(row, state=IntakeState.DONE, result=result)), DropTimer(_timer(row))]


def _apply_intent(ports: Ports, ahead: ReadAhead, merchant: Merchant, whose: IntentOwner, row: StripeEvent) -> str:
    intent_id = intent_id_of(row.type, row.data_object) or ""
    owner = _owner(ahead, whose)
    if _is_settled(owner):
        commit(ports, [], _done(row, KNOWN))
        return KNOWN
    intent = ports.stripe.retrieve_intent(merchant.stripe_account, intent_id)
    done = _done(row, str(intent.status))
    if intent.status is IntentStatus.SUCCEEDED:
        # Each write of a booking is conditional on what it was decided from, so that may be older than the answer; a
        # mismatch writes nothing of the kind, and is one only by what is there now.
        with suppress(PaymentMismatch):
            _take_over(PortsWith(ports, lambda records: ahead), owner, intent, done)
            return "applied"
    _take_over(ports, owner, intent, done)
    return "applied"


def _apply_charge(ports: Ports, ahead: ReadAhead, merchant: Merchant, whose: IntentOwner, row: StripeEvent) -> str:
    payment = ahead.find(Payment, whose.payment_id)
    if payment is None:
        if not _booked_now(ports, merchant, whose, row):
            commit(ports, [], _done(row, "nothing to settle"))
            return "nothing to settle"
        ahead = ReadAhead(ports.records, {})
    elif payment.settlement is not None:
        commit(ports, [], _done(row, KNOWN))
        return KNOWN
    else:
        ahead.know(Payment, payment.id, payment)
    charge = ports.stripe.retrieve_charge(merchant.stripe_account, str(row.data_object.get("id", "")))
    reading = PortsWith(ports, lambda records: ahead)
    settled = settle_payment(reading, whose.payment_id, charge, actor=ACTOR, also=_done(row, "settled"))
    return "applied" if settled else "no balance transaction yet"


def _apply_refund(ports: Ports, ahead: ReadAhead, merchant: Merchant, whose: IntentOwner, row: StripeEvent) -> str:
    payment = ahead.find(Payment, whose.payment_id)
    if payment is None and not _booked_now(ports, merchant, whose, row):
        commit(ports, [], _done(row, "nothing was paid"))
        return "nothing was paid"
    if payment is not None and _is_no_news(ports, payment, row):
        commit(ports, [], _done(row, KNOWN))
        return KNOWN
    intent_id = intent_id_of(row.type, row.data_object) or ""
    made = ports.stripe.find_refunds(merchant.stripe_account, intent_id=intent_id)
    book_refunds(ports, whose.payment_id, made, actor=ACTOR, also=_done(row, f"{len(made)} refunds taken over"))
    return "applied"


def _apply_setup(ports: Ports, merchant: Merchant, whose: IntentOwner, row: StripeEvent) -> str:
    # The event's own id was saved before anything could be stored by it, so whose it is, is known.
    if ports.records.get(MethodChange, whose.owner_id).stored_at is not None:
        commit(ports, [], _done(row, KNOWN))
        return KNOWN
    intent = ports.stripe.retrieve_setup_intent(merchant.stripe_account, intent_id_of(row.type, row.data_object) or "")
    apply_setup(ports, whose.owner_id, intent, actor=ACTOR, also=_done(row, str(intent.status)))
    return "applied"


def _is_no_news(ports: Ports, payment: Payment, row: StripeEvent) -> bool:
    """Whether a refund's event tells what is booked already, so that Stripe need not be asked.

    What became of a refund after the event has an event of its own.
    """
    if row.type == CHARGE_REFUNDED:
        return not payment.set_aside and row.data_object.get("amount_refunded") == payment.gone_back.minor
    whose = ports.records.find(RefundOwner, refund_owner_id(str(row.data_object.get("id", ""))))
    refund = None if whose is None else ports.records.find(Refund, whose.refund_id)
    if refund is None or refund.taken is None:
        return False
    if refund.status in (RefundStatus.FAILED, RefundStatus.CANCELED):
        return refund.given_back is not None
    return refund.status is RefundStatus.SUCCEEDED and row.data_object.get("status") == RefundStatus.SUCCEEDED


def _booked_now(ports: Ports, merchant: Merchant, whose: IntentOwner, row: StripeEvent) -> bool:
    """Whether the payment is there after asking Stripe: this news came before the payment's own, which books it."""
    intent = ports.stripe.retrieve_intent(merchant.stripe_account, intent_id_of(row.type, row.data_object) or "")
    if intent.status is not IntentStatus.SUCCEEDED:
        return False
    _take_over(ports, _owner(ports.records, whose), intent, [])
    return True


def _kind_of(whose: IntentOwner) -> type[Checkout | Invoice]:
    return Checkout if whose.owner_id.startswith("chk_") else Invoice


def _owner(records: Records, whose: IntentOwner) -> Checkout | Invoice:
    return records.get(_kind_of(whose), whose.owner_id)


def _is_settled(owner: Checkout | Invoice) -> bool:
    if isinstance(owner, Checkout):
        return owner.status is CheckoutStatus.COMPLETED
    return owner.status is InvoiceStatus.PAID


def _take_over(ports: Ports, owner: Checkout | Invoice, intent: Intent, also: list[Write]) -> None:
    if isinstance(owner, Checkout):
        checkout_outcomes.apply_intent(ports, owner, intent, actor=ACTOR, also=also)
    else:
        invoice_outcomes.apply_intent(ports, owner.id, intent, actor=ACTOR, also=also)
