"""Stripe's events: taken in durably, then applied by the fact they tell of, in any order and any number of times.

An event's object is a hint only. Whose it is, is read from Till's own records; what happened, from Stripe.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.intake import IntakeState, StripeEvent, stripe_event_id
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import AccountOwner, Merchant, account_owner_id
from chalicelib.domain.documents.payments import IntentOwner, Payment, intent_owner_id
from chalicelib.domain.documents.refunds import Refund, RefundOwner, refund_owner_id
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.machines import CheckoutStatus, InvoiceStatus, RefundStatus
from chalicelib.services.billing import outcomes as invoice_outcomes
from chalicelib.services.checkouts import outcomes as checkout_outcomes
from chalicelib.services.payments.intents import save_intent
from chalicelib.services.payments.matching import PaymentMismatch
from chalicelib.services.payments.settling import settle_payment
from chalicelib.services.ports import (
    DropTimer,
    Insert,
    Intent,
    IntentStatus,
    Ports,
    SetTimer,
    Update,
    Write,
    WriteConflict,
)
from chalicelib.services.refunds.booking import book_refunds
from chalicelib.services.saving import AlsoBeaten, commit, until_won, written

ACTOR: Final = "stripe"
TRY_AGAIN_AFTER: Final = timedelta(minutes=10)
"""When an event that was taken in but not applied is first looked at by the scheduler; each further wait is twice as
long as the one before."""
LONGEST_WAIT: Final = timedelta(hours=6)
"""Between two looks, however long Stripe stays down: what Stripe itself gave up delivering is still finished here."""

INTENT_EVENTS: Final = frozenset({
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.canceled",
})  # fmt: skip
CHARGE_EVENTS: Final = frozenset({"charge.updated"})
CHARGE_REFUNDED: Final = "charge.refunded"
REFUND_EVENTS: Final = frozenset({
    "refund.created",
    "refund.updated",
    "refund.failed",
    CHARGE_REFUNDED,
    "charge.refund.updated",
})  # fmt: skip
"""Several tell of one refund, and of some the charge alone does (docs.stripe.com/api/events/types)."""
ALLOWED: Final = INTENT_EVENTS | CHARGE_EVENTS | REFUND_EVENTS


@dataclass(frozen=True, slots=True)
class Notice:
    """A verified event as it came in. `direct_merchant_id` is set when it came by a direct merchant's own path."""

    event_id: str
    type: str
    account: str | None
    livemode: bool
    object: Mapping[str, Any]
    direct_merchant_id: str | None = None


def receive(ports: Ports, notice: Notice) -> str:
    """Take one event in and apply it; says what became of it. When this returns, the event may be acknowledged.

    What is not ours, not of our kind or of the other mode is answered and leaves nothing behind. Raises what
    PaymentProvider raises and StoreUnavailable: the row is `received` by then, so Stripe's next delivery or the
    scheduler finishes it.
    """
    if notice.type not in ALLOWED:
        return "not of a kind that matters"
    merchant, whose, row = _whose(ports, notice)
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
        try:
            commit(ports, [Insert(row), SetTimer(_timer(row))])
        except WriteConflict:
            return "being taken in by another"
        row = written(row)
    return _apply(ports, merchant, whose, row)


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
            (IntentOwner, intent_owner_id(_intent_id(row.type, row.data_object) or "")),
        ]
    )
    try:
        if merchant is None or whose is None:
            commit(ports, [], _done(row, "nobody's here"))
            return "nobody's here"
        return _apply(ports, merchant, whose, _looked_at(ports, row))
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


def _intent_id(type_: str, data: Mapping[str, Any]) -> str | None:
    found = data.get("id") if type_ in INTENT_EVENTS else data.get("payment_intent")
    return found if isinstance(found, str) else None


def _metadata(notice: Notice) -> Mapping[str, Any]:
    found = notice.object.get("metadata")
    return found if isinstance(found, dict) else {}


def _whose(ports: Ports, notice: Notice) -> tuple[Merchant | None, IntentOwner | None, StripeEvent | None]:
    intent_id = _intent_id(notice.type, notice.object)
    if intent_id is None:
        return None, None, None
    metadata = _metadata(notice)
    hinted = metadata.get("till_merchant")
    account, whose, row, merchant = ports.records.find_many(
        [
            (AccountOwner, account_owner_id(notice.account or "")),
            (IntentOwner, intent_owner_id(intent_id)),
            (StripeEvent, stripe_event_id(notice.event_id)),
            (Merchant, hinted if isinstance(hinted, str) else "mer_"),
        ]
    )
    merchant_id = notice.direct_merchant_id or (None if account is None else account.merchant_id)
    if merchant_id is None:
        return None, None, row
    if merchant is None or merchant.id != merchant_id:
        merchant = ports.records.find(Merchant, merchant_id)
    if merchant is None or merchant.stripe_account != notice.account:
        return None, None, row
    if whose is None:
        whose = _never_saved(ports, merchant, intent_id, metadata)
    if whose is not None and whose.merchant_id != merchant.id:
        whose = None
    return merchant, whose, row


def _never_saved(ports: Ports, merchant: Merchant, intent_id: str, metadata: Mapping[str, Any]) -> IntentOwner | None:
    """Save the id of an intent that was made by a run which died before it could; metadata serves for this alone."""
    checkout_id, invoice_id = metadata.get("till_checkout"), metadata.get("till_invoice")

    def attempt() -> IntentOwner | None:
        owner: Checkout | Invoice | None = None
        if isinstance(checkout_id, str):
            owner = ports.records.find(Checkout, checkout_id)
        elif isinstance(invoice_id, str):
            owner = ports.records.find(Invoice, invoice_id)
        if owner is None or owner.merchant_id != merchant.id or not owner.parts:
            return None
        if owner.part.intent_id is None:
            if metadata.get("till_part") != f"{owner.part.number}.{owner.part.generation}":
                return None
            if isinstance(owner, Checkout):
                save_intent(ports, merchant, owner, intent_id, ports.clock.now())
            else:
                save_intent(ports, merchant, owner, intent_id, ports.clock.now())
        elif owner.part.intent_id != intent_id:
            return None
        # Another delivery of the same news may have been the one that saved it.
        return ports.records.get(IntentOwner, intent_owner_id(intent_id))

    return until_won(ports, attempt)


def _apply(ports: Ports, merchant: Merchant, whose: IntentOwner, row: StripeEvent) -> str:
    if row.state is IntakeState.DONE:
        return "done before"
    try:
        if row.type in CHARGE_EVENTS:
            return _apply_charge(ports, merchant, whose, row)
        if row.type in REFUND_EVENTS:
            return _apply_refund(ports, merchant, whose, row)
        return _apply_intent(ports, merchant, whose, row)
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


def _apply_intent(ports: Ports, merchant: Merchant, whose: IntentOwner, row: StripeEvent) -> str:
    intent_id = _intent_id(row.type, row.data_object) or ""
    owner = _owner(ports, whose)
    if _is_settled(owner):
        commit(ports, [], _done(row, "known before"))
        return "known before"
    intent = ports.stripe.retrieve_intent(merchant.stripe_account, intent_id)
    _take_over(ports, owner, intent, _done(row, str(intent.status)))
    return "applied"


def _apply_charge(ports: Ports, merchant: Merchant, whose: IntentOwner, row: StripeEvent) -> str:
    payment = ports.records.find(Payment, whose.payment_id)
    if payment is None:
        if not _booked_now(ports, merchant, whose, row):
            commit(ports, [], _done(row, "nothing to settle"))
            return "nothing to settle"
    elif payment.settlement is not None:
        commit(ports, [], _done(row, "known before"))
        return "known before"
    charge = ports.stripe.retrieve_charge(merchant.stripe_account, str(row.data_object.get("id", "")))
    settled = settle_payment(ports, whose.payment_id, charge, actor=ACTOR, also=_done(row, "settled"))
    return "applied" if settled else "no balance transaction yet"


def _apply_refund(ports: Ports, merchant: Merchant, whose: IntentOwner, row: StripeEvent) -> str:
    payment = ports.records.find(Payment, whose.payment_id)
    if payment is None and not _booked_now(ports, merchant, whose, row):
        commit(ports, [], _done(row, "nothing was paid"))
        return "nothing was paid"
    if payment is not None and _is_no_news(ports, payment, row):
        commit(ports, [], _done(row, "known before"))
        return "known before"
    intent_id = _intent_id(row.type, row.data_object) or ""
    made = ports.stripe.find_refunds(merchant.stripe_account, intent_id=intent_id)
    book_refunds(ports, whose.payment_id, made, actor=ACTOR, also=_done(row, f"{len(made)} refunds taken over"))
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
    intent = ports.stripe.retrieve_intent(merchant.stripe_account, _intent_id(row.type, row.data_object) or "")
    if intent.status is not IntentStatus.SUCCEEDED:
        return False
    _take_over(ports, _owner(ports, whose), intent, [])
    return True


def _owner(ports: Ports, whose: IntentOwner) -> Checkout | Invoice:
    if not whose.owner_id.startswith("chk_"):
        return ports.records.get(Invoice, whose.owner_id)
    return ports.records.get(Checkout, whose.owner_id)


def _is_settled(owner: Checkout | Invoice) -> bool:
    if isinstance(owner, Checkout):
        return owner.status is CheckoutStatus.COMPLETED
    return owner.status is InvoiceStatus.PAID


def _take_over(ports: Ports, owner: Checkout | Invoice, intent: Intent, also: list[Write]) -> None:
    if isinstance(owner, Checkout):
        checkout_outcomes.apply_intent(ports, owner.id, intent, actor=ACTOR, also=also)
    else:
        invoice_outcomes.apply_intent(ports, owner.id, intent, actor=ACTOR, also=also)
