"""Money sent back: asked for by a caller, made in Stripe's dashboard, told by webhooks, and failing later."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.domain.errors import TillError
from chalicelib.domain.machines import RefundStatus
from chalicelib.services.idempotency import Answer, Answering, CallInProgress, begin
from chalicelib.services.ports import Index
from chalicelib.services.refunds.asking import AskedRefund, create_refund
from infra.local.faults import Fault, FaultKind
from infra.local.stripe_sandbox import Misbehaviour
from tests.faults import steps
from tests.faults.matrix import Flow, Step
from tests.faults.shop import NOT_DONE, Case, Shop

CREATE = "POST /v1/refunds"
PART = 800
WHOLE = 14_800


# --- preparing


def _paid(shop: Shop) -> Case:
    return _paid_with(shop, "pm_card_visa")


def _paid_pending(shop: Shop) -> Case:
    """Paid with the card to which refunds go slowly."""
    return _paid_with(shop, "pm_card_pendingRefund")


def _paid_with(shop: Shop, card: str) -> Case:
    case = shop.buyer(shop.one_time, card)
    assert shop.press(case).ending == "paid"
    [payment] = shop.world.ports.records.newest(
        Payment, Index.BY_INVOICE, shop.checkout(case).invoice_id, limit=2
    ).records
    case.payment_id = payment.id
    return case


def _quiet(shop: Shop) -> None:
    """Receipts are sent, fees are known, and nobody has anything more to tell."""
    shop.ignore_bookings()
    shop.settle()


# --- asking


def _asked(case: Case, minor: int | None) -> AskedRefund:
    return AskedRefund(case.payment_id, minor, "requested_by_customer")


def _refund(minor: int | None) -> Step:
    """A caller without an idempotency key asks, and never hears what became of it."""

    def run(shop: Shop, case: Case) -> None:
        create_refund(shop.world.ports, shop.merchant.id, _asked(case, minor), actor="api")

    return run


def _under_a_key(shop: Shop, case: Case) -> Answer:
    """One request, as the boundary handles it."""
    held = begin(shop.world.ports, shop.merchant.id, f"refund {case.number}", "one body")
    if isinstance(held, Answer):
        return held
    refund_id = held.effect_id("ref")

    def shown(refund: Refund) -> Answer:
        return Answer(201, json.dumps({"id": refund.id, "status": str(refund.status)}))

    held.answer_with(Answering(Refund, shown, lambda made: made.id == refund_id and not made.is_unanswered))
    try:
        made = create_refund(held.ports, shop.merchant.id, _asked(case, PART), actor="api", refund_id=refund_id)
        return held.finish(shown(made))
    except (TillError, *NOT_DONE):
        held.let_go()
        raise


def _key_again(shop: Shop, case: Case) -> None:
    """The caller sends the request again; after a day, when keys are new, only where it finds no refund."""

    def again() -> None:
        with suppress(CallInProgress):
            _under_a_key(shop, case)

    if shop.world.clock.now() - shop.died_at < timedelta(hours=24) or not _refunds(shop, case):
        shop.come_again(again)


def _died_asking(*, after: bool, minor: int = PART) -> Step:
    """A caller's request died over the call that moves the money."""

    def ready(shop: Shop, case: Case) -> None:
        death = Fault("stripe", CREATE, FaultKind.KILL, effect=after)
        assert not shop.live(lambda: _refund(minor)(shop, case), death)

    return ready


def _done_asking(shop: Shop, case: Case) -> None:
    _refund(PART)(shop, case)


def _to_finish(shop: Shop, case: Case) -> None:
    """A minute later the schedule comes to it; the first case waits for all."""
    if TimerKind.FINISH_REFUND not in shop.kept:
        shop.let_pass(timedelta(minutes=2))
    [refund] = _refunds(shop, case)
    case.message = shop.message_about(TimerKind.FINISH_REFUND, refund.id)


def _a_day_later(shop: Shop, case: Case) -> None:
    """By now the idempotency key of the first request is forgotten."""
    [refund] = _refunds(shop, case)
    shop.until(refund.created_at + timedelta(hours=25))


def _while_stripe_fails(effect: bool) -> Step:
    """Stripe answers with an error of its own, which it keeps for the key."""

    def run(shop: Shop, case: Case) -> None:
        shop.world.sandbox.behave()
        shop.world.sandbox.misbehave(Misbehaviour(CREATE, 500, effect=effect))
        _refund(PART)(shop, case)

    return run


def _at_peace(shop: Shop, case: Case) -> None:
    shop.world.sandbox.behave()


# --- Stripe's side


def _in_dashboard(minor: int) -> Step:
    """Somebody refunds in Stripe's dashboard, which asks nobody here."""

    def ready(shop: Shop, case: Case) -> None:
        shop.world.sandbox.create_refund(_charge_of(shop, case), minor)

    return ready


def _charge_of(shop: Shop, case: Case) -> str:
    intent_id = shop.intent_of(case.checkout_id)
    [charge] = [each["id"] for each in shop.world.at_stripe("charge") if each["payment_intent"] == intent_id]
    return str(charge)


def _sent_back_by_the_bank(shop: Shop, case: Case) -> None:
    [refund] = _refunds(shop, case)
    shop.world.sandbox.move_refund(refund.stripe_refund_id or "", "failed", "expired_or_canceled_card")


def _heard_of_it(shop: Shop, case: Case) -> None:
    """Its making was told."""
    steps.news("refund.created")(shop, case)
    steps.take_in(shop, case)


def _heard_of(shop: Shop, case: Case) -> None:
    """Another event has told of its failure before."""
    steps.news("charge.refund.updated")(shop, case)
    steps.take_in(shop, case)


# --- how it must end


def _refunds(shop: Shop, case: Case) -> list[Refund]:
    """Every refund of a case's payment, oldest first."""
    records = shop.world.ports.records
    page = records.newest(Refund, Index.BY_INVOICE, shop.checkout(case).invoice_id, limit=10)
    return list(reversed(page.records))


def _at_stripe(shop: Shop, case: Case) -> list[tuple[int, str]]:
    intent_id = shop.intent_of(case.checkout_id)
    return [
        (each["amount"], each["status"])
        for each in shop.world.at_stripe("refund")
        if each["payment_intent"] == intent_id
    ]


def _ends_with(*wanted: tuple[int, str], or_never_began: bool = False) -> Step:
    """Stripe has these refunds and no other, and so have we."""

    def look(shop: Shop, case: Case) -> None:
        seen, theirs = shop.world.seen(), _at_stripe(shop, case)
        invoice_id = seen.get(Checkout, case.checkout_id).invoice_id
        ours = [each for each in seen.all(Refund) if each.invoice_id == invoice_id]
        if or_never_began and not ours:
            assert theirs == [], f"case {case.number}: {theirs} went back and nobody here knows"
            return
        assert sorted(theirs) == sorted(wanted), f"case {case.number}: {theirs}"
        here = [(each.amount.minor, str(each.status)) for each in ours if each.stripe_refund_id is not None]
        assert sorted(here) == sorted(wanted), f"case {case.number}: {here}"
        gone = sum(minor for minor, status in wanted if status == "succeeded")
        payment = seen.get(Payment, ours[0].payment_id)
        assert (payment.gone_back.minor, payment.set_aside.minor) == (gone, 0), f"case {case.number}"

    return look


def _released(shop: Shop, case: Case) -> None:
    """The dashboard was quicker, so ours came to nothing, or it never began."""
    assert _at_stripe(shop, case) == [(WHOLE - PART, "succeeded")]
    assert {each.status for each in _refunds(shop, case) if not each.from_stripe} <= {RefundStatus.FAILED}


def _done_at_last(shop: Shop, case: Case) -> None:
    """However often the caller's requests died, the next one does it, or is told that it is done."""
    if not _refunds(shop, case):
        _under_a_key(shop, case)
        shop.settle()
    _ONE(shop, case)


def _knows(shop: Shop, case: Case) -> None:
    """The caller who asks under the key is told of the one refund there is."""
    [refund] = _refunds(shop, case)
    answer = _under_a_key(shop, case)
    assert answer.replayed
    # Where nobody knew when it was answered, the answer says so for its day.
    assert json.loads(answer.body)["id"] == refund.id
    assert json.loads(answer.body)["status"] in ("pending", str(refund.status))


_ONE = _ends_with((PART, "succeeded"))
_ALL = _ends_with((WHOLE, "succeeded"), or_never_began=True)
_ONE_OR_NONE = _ends_with((PART, "succeeded"), or_never_began=True)

FLOWS = (
    Flow("refund", _paid, _refund(PART), later=_quiet, soon=_ONE_OR_NONE, ends=_ONE_OR_NONE, whole=True),
    Flow(
        "refund of all", _paid, _refund(None), later=_quiet, ends=_ends_with((WHOLE, "succeeded"), or_never_began=True)
    ),
    Flow(
        "refund under a key",
        _paid,
        _under_a_key,
        later=_quiet,
        again=_key_again,
        soon=_knows,
        ends=_done_at_last,
    ),
    Flow(
        "refund that pends",
        _paid_pending,
        _refund(PART),
        later=_quiet,
        ends=_ONE_OR_NONE,
    ),
    Flow(
        "refund, the dashboard quicker",
        _paid,
        _refund(WHOLE),
        later=_quiet,
        ready=(_in_dashboard(WHOLE - PART),),
        ends=_released,
    ),
    Flow(
        "refund, Stripe failing after it was made",
        _paid,
        _while_stripe_fails(effect=True),
        later=_quiet,
        again=_at_peace,
        ends=_ONE_OR_NONE,
    ),
    Flow(
        "refund, Stripe failing before",
        _paid,
        _while_stripe_fails(effect=False),
        later=_quiet,
        again=_at_peace,
        ends=_ONE_OR_NONE,
    ),
    Flow(
        "refund, died after the create",
        _paid,
        steps.work,
        later=_quiet,
        ready=(_died_asking(after=True), _to_finish),
        again=steps.message_again,
        soon=_ONE,
        ends=_ONE,
    ),
    Flow(
        "refund, died before the create",
        _paid,
        steps.work,
        later=_quiet,
        ready=(_died_asking(after=False), _to_finish),
        again=steps.message_again,
        soon=_ONE,
        ends=_ONE,
    ),
    Flow(
        "refund, died a day ago over the create",
        _paid,
        steps.work,
        later=_quiet,
        ready=(_died_asking(after=True), _a_day_later, _to_finish),
        again=steps.message_again,
        soon=_ONE,
        ends=_ONE,
    ),
    Flow(
        "refund, done before",
        _paid,
        steps.work,
        later=_quiet,
        ready=(_died_asking(after=True), _to_finish, steps.done_before),
        again=steps.message_again,
        soon=_ONE,
        ends=_ONE,
    ),
    Flow(
        "webhook of our refund",
        _paid,
        steps.take_in,
        later=_quiet,
        ready=(_died_asking(after=True), steps.news("refund.created")),
        again=steps.tell_again,
        soon=_ONE,
        ends=_ONE,
        always_told=True,
    ),
    Flow(
        "refund made at Stripe",
        _paid,
        steps.take_in,
        later=_quiet,
        ready=(_in_dashboard(PART), steps.news("charge.refunded")),
        again=steps.tell_again,
        soon=_ONE,
        ends=_ONE,
        always_told=True,
        whole=True,
    ),
    Flow(
        "refund told before its payment",
        steps.charged_and_dead,
        steps.take_in,
        ready=(_in_dashboard(PART), steps.news("refund.created")),
        again=steps.tell_again,
        soon=_ONE,
        ends=_ONE,
        always_told=True,
    ),
    Flow(
        "refund that fails later",
        _paid,
        steps.take_in,
        later=_quiet,
        ready=(_done_asking, _sent_back_by_the_bank, steps.news("refund.failed")),
        again=steps.tell_again,
        soon=_ends_with((PART, "failed")),
        ends=_ends_with((PART, "failed")),
        always_told=True,
        whole=True,
    ),
    Flow(
        "refund made at Stripe, failing later",
        _paid,
        steps.take_in,
        later=_quiet,
        ready=(_in_dashboard(PART), _heard_of_it, _sent_back_by_the_bank, steps.news("refund.failed")),
        again=steps.tell_again,
        soon=_ends_with((PART, "failed")),
        ends=_ends_with((PART, "failed")),
        always_told=True,
    ),
    Flow(
        "refund that failed, told twice",
        _paid,
        steps.take_in,
        later=_quiet,
        ready=(
            _done_asking,
            _sent_back_by_the_bank,
            steps.news("refund.updated"),
            steps.take_in,
            steps.news("refund.failed"),
        ),
        again=steps.tell_again,
        ends=_ends_with((PART, "failed")),
        always_told=True,
    ),
)
