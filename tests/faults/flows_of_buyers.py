"""What buyers and Stripe's webhooks set going."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Literal

from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.domain.errors import StateConflict
from chalicelib.services.checkouts.outcomes import resolve
from chalicelib.services.subscriptions import cancel
from infra.local.faults import Fault, FaultKind
from infra.local.stripe_sandbox import Misbehaviour
from tests.faults import steps
from tests.faults.matrix import Flow, Step
from tests.faults.shop import Case, Shop
from tests.faults.world import ACCOUNT


def _a_while(shop: Shop) -> None:
    """Longer than any request takes."""
    shop.let_pass(timedelta(minutes=2))


def _a_day(shop: Shop) -> None:
    shop.let_pass(timedelta(hours=24))


def _another_card(shop: Shop, case: Case) -> None:
    shop.another_card(case)


def _press_while_busy(shop: Shop, case: Case) -> None:
    """Stripe says "too many requests" to every confirm of this submit."""
    shop.world.sandbox.behave()
    shop.world.sandbox.misbehave(Misbehaviour(steps.CONFIRM, 429, effect=False, times=4))
    shop.press(case)


def _press_again_at_peace(shop: Shop, case: Case) -> None:
    shop.world.sandbox.behave()
    steps.press_again(shop, case)


def _return_page(shop: Shop, case: Case) -> None:
    """The page that a buyer waits on asks what became of the payment."""
    merchant = shop.world.ports.records.get(Merchant, shop.merchant.id)
    resolve(shop.world.ports, merchant, shop.checkout(case), actor="buyer")


def _return_page_again(shop: Shop, case: Case) -> None:
    shop.come_again(lambda: _return_page(shop, case))


def _canceled_and_never_saved(shop: Shop) -> Case:
    """An operator cancels, in Stripe's dashboard, an intent that we died over."""
    case = steps.unsaved_and_dead(shop)
    intent_id = shop.intent_of(case.checkout_id)
    shop.world.stripe.cancel_intent(ACCOUNT, intent_id, key=f"dashboard-{case.number}")
    return case


def _received_only(shop: Shop, case: Case) -> None:
    """The event's row is written, and nothing came of it yet."""
    steps.news("payment_intent.succeeded")(shop, case)
    death = Fault("dynamodb", "TransactWriteItems", FaultKind.KILL, effect=True)
    assert not shop.live(lambda: steps.take_in(shop, case), death)


def _left_behind(shop: Shop, case: Case) -> None:
    """Ten minutes later the schedule comes to it."""
    assert case.notice is not None
    if TimerKind.APPLY_WEBHOOK not in shop.kept:
        shop.let_pass(timedelta(minutes=11))
    case.message = shop.message_about(TimerKind.APPLY_WEBHOOK, f"stripe_event#{case.notice.event_id}")


def _due_to_expire(shop: Shop, case: Case) -> None:
    case.message = shop.message_about(TimerKind.EXPIRE_CHECKOUT, case.checkout_id)


def _cancel(at: Literal["now", "period_end"]) -> Step:
    def run(shop: Shop, case: Case) -> None:
        cancel(shop.world.ports, shop.merchant.id, case.subscription_id, at=at, actor="buyer")

    return run


def _cancel_again(at: Literal["now", "period_end"]) -> Step:
    def once(shop: Shop, case: Case) -> None:
        with suppress(StateConflict):
            # It has ended already, and the buyer is told so.
            _cancel(at)(shop, case)

    def again(shop: Shop, case: Case) -> None:
        shop.come_again(lambda: once(shop, case))

    return again


def _ended(shop: Shop, case: Case) -> None:
    ended = shop.subscription(case)
    assert (ended.has_ended, ended.timer_at) == (True, None)


def _ends(shop: Shop, case: Case) -> None:
    ending: Subscription = shop.subscription(case)
    assert (ending.has_ended, ending.cancel_at_period_end, ending.next_invoice_at) == (False, True, None)


def _paid(shop: Shop) -> Case:
    case = shop.buyer(shop.one_time)
    assert shop.press(case).ending == "paid"
    return case


FLOWS = (
    Flow(
        "checkout",
        steps.new_buyer,
        steps.press,
        again=steps.press_again,
        soon=steps.is_booked,
        ends=steps.knows_the_truth,
    ),
    Flow(
        "checkout of a subscription",
        lambda shop: shop.buyer(shop.monthly),
        steps.press,
        again=steps.press_again,
        soon=steps.is_booked,
        ends=steps.knows_the_truth,
        whole=True,
    ),
    Flow(
        "checkout declined",
        lambda shop: shop.buyer(shop.one_time, "pm_card_chargeDeclined"),
        steps.press,
        again=steps.press_again,
        soon=steps.is_booked,
        ends=steps.knows_the_truth,
    ),
    Flow(
        "checkout, second card",
        steps.declined,
        steps.press,
        ready=(_another_card,),
        again=steps.press_again,
        soon=steps.is_booked,
        ends=steps.knows_the_truth,
    ),
    Flow(
        "checkout, Stripe busy",
        steps.new_buyer,
        _press_while_busy,
        again=_press_again_at_peace,
        soon=steps.is_booked,
        ends=steps.knows_the_truth,
    ),
    Flow(
        "return page, paid",
        steps.charged_and_dead,
        _return_page,
        later=_a_while,
        again=_return_page_again,
        soon=steps.is_booked,
        ends=steps.is_paid,
    ),
    Flow(
        "return page, not confirmed",
        steps.saved_and_dead,
        _return_page,
        later=_a_while,
        again=steps.press_again,
        soon=steps.is_booked,
        ends=steps.knows_the_truth,
    ),
    Flow(
        "return page, no intent",
        steps.unsaved_and_dead,
        _return_page,
        later=_a_while,
        again=steps.press_again,
        soon=steps.is_booked,
        ends=steps.knows_the_truth,
    ),
    Flow(
        "webhook of a payment",
        steps.charged_and_dead,
        steps.take_in,
        ready=(steps.news("payment_intent.succeeded"),),
        again=steps.tell_again,
        soon=steps.is_booked,
        ends=steps.is_paid,
        always_told=True,
        whole=True,
    ),
    Flow(
        "webhook of a payment known before",
        _paid,
        steps.take_in,
        ready=(steps.news("payment_intent.succeeded"),),
        again=steps.tell_again,
        soon=steps.is_booked,
        ends=steps.is_paid,
    ),
    Flow(
        "webhook of a fee",
        _paid,
        steps.take_in,
        ready=(steps.news("charge.updated"),),
        again=steps.tell_again,
        soon=steps.is_booked,
        ends=steps.is_paid,
        always_told=True,
        whole=True,
    ),
    Flow(
        "webhook of a fee before its payment",
        steps.charged_and_dead,
        steps.take_in,
        ready=(steps.news("charge.updated"),),
        again=steps.tell_again,
        soon=steps.is_booked,
        ends=steps.is_paid,
        always_told=True,
    ),
    Flow(
        "webhook of an intent never saved",
        _canceled_and_never_saved,
        steps.take_in,
        later=_a_while,
        ready=(steps.news("payment_intent.canceled"),),
        again=steps.press_again,
        ends=steps.knows_the_truth,
    ),
    Flow(
        "webhook left behind",
        steps.charged_and_dead,
        steps.work,
        ready=(_received_only, _left_behind),
        again=steps.message_again,
        soon=steps.is_booked,
        ends=steps.is_paid,
        always_told=True,
    ),
    Flow(
        "webhook left behind, done before",
        steps.charged_and_dead,
        steps.work,
        ready=(_received_only, _left_behind, steps.done_before),
        again=steps.message_again,
        ends=steps.is_paid,
    ),
    Flow(
        "expiry, done before",
        steps.declined,
        steps.work,
        later=_a_day,
        ready=(_due_to_expire, steps.done_before),
        again=steps.message_again,
        ends=steps.knows_the_truth,
    ),
    Flow(
        "expiry",
        steps.declined,
        steps.work,
        later=_a_day,
        ready=(_due_to_expire,),
        again=steps.message_again,
        ends=steps.knows_the_truth,
        whole=True,
    ),
    Flow(
        "expiry that finds money",
        steps.charged_and_dead,
        steps.work,
        later=_a_day,
        ready=(_due_to_expire,),
        again=steps.message_again,
        ends=steps.is_paid,
    ),
    Flow("cancel now", Shop.subscribe, _cancel("now"), again=_cancel_again("now"), ends=_ended),
    Flow(
        "cancel at period end",
        Shop.subscribe,
        _cancel("period_end"),
        again=_cancel_again("period_end"),
        ends=_ends,
        whole=True,
    ),
)
