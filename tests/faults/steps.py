"""Steps that flows are put together from: what happens to a case before, while and after the program dies."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.machines import CheckoutStatus
from chalicelib.services.intake import receive
from tests.faults.matrix import Step
from tests.faults.shop import Case, Shop

SQS_KEEPS = timedelta(days=4)
CREATE = "POST /v1/payment_intents"
CONFIRM = "POST /v1/payment_intents/{id}/confirm"


# --- preparing


def new_buyer(shop: Shop) -> Case:
    """A buyer of the one-time link."""
    return shop.buyer(shop.one_time)


def charged_and_dead(shop: Shop) -> Case:
    """Stripe has the money, and the submit died before it heard of that."""
    return shop.died_paying(shop.one_time, CONFIRM, after=True)


def saved_and_dead(shop: Shop) -> Case:
    """The intent's id is saved, and the submit died before it could confirm."""
    return shop.died_paying(shop.one_time, CONFIRM, after=False)


def unsaved_and_dead(shop: Shop) -> Case:
    """The intent is made, and the submit died before it could save the id."""
    return shop.died_paying(shop.one_time, CREATE, after=True)


def declined(shop: Shop) -> Case:
    """A buyer whose first card was declined."""
    case = shop.buyer(shop.one_time, "pm_card_chargeDeclined")
    assert shop.press(case).ending == "declined"
    return case


def done_before(shop: Shop, case: Case) -> None:
    """The message is a late copy of one that was worked on."""
    work(shop, case)


def news(type_: str) -> Step:
    """Stripe has an event about the case's payment and has not told it yet."""

    def ready(shop: Shop, case: Case) -> None:
        shop.world.sandbox.deliver_due()
        case.notice = shop.event_of(type_, shop.intent_of(case.checkout_id))

    return ready


# --- running


def press(shop: Shop, case: Case) -> None:
    """The button."""
    shop.press(case)


def take_in(shop: Shop, case: Case) -> None:
    """Stripe's event arrives."""
    assert case.notice is not None
    receive(shop.world.ports, case.notice)


def work(shop: Shop, case: Case) -> None:
    """A worker gets the case's message."""
    assert case.message is not None
    shop.work_on(case.queue, case.message)


# --- what comes again by itself


def press_again(shop: Shop, case: Case) -> None:
    """The buyer comes back and enters a card anew."""
    shop.another_card(case)
    shop.come_again(lambda: shop.press(case))


def tell_again(shop: Shop, case: Case) -> None:
    """Stripe's event arrives again, since nobody took it."""
    assert case.notice is not None
    shop.told(case.notice)


def message_again(shop: Shop, case: Case) -> None:
    """SQS hands the message out again, if it still has it; after four days only the schedule knows of the work."""
    if shop.world.clock.now() - shop.died_at < SQS_KEEPS:
        shop.come_again(lambda: work(shop, case))


# --- how it must end


def is_booked(shop: Shop, case: Case) -> None:
    """The money that Stripe has is booked."""
    assert shop.checkout(case).status is CheckoutStatus.COMPLETED, f"case {case.number} is not booked"


def knows_the_truth(shop: Shop, case: Case) -> None:
    """The buyer is told what Stripe and the books say, and hearing it costs nothing."""
    checkout = shop.world.ports.records.find(Checkout, case.checkout_id)
    charged = [i for i in shop.world.succeeded() if i["metadata"].get("till_checkout") == case.checkout_id]
    if checkout is None:
        assert charged == [], f"case {case.number} was charged and has no checkout"
        return
    ends = {CheckoutStatus.COMPLETED: (1, "paid"), CheckoutStatus.EXPIRED: (0, "timed_out")}
    assert checkout.status in ends, f"case {case.number} is {checkout.status}"
    shop.another_card(case)
    said = str(shop.press(case).ending)
    assert (len(charged), said) == ends[checkout.status], f"case {case.number} is {checkout.status}"


def is_paid(shop: Shop, case: Case) -> None:
    """The money that Stripe has is booked, and the buyer knows."""
    is_booked(shop, case)
    knows_the_truth(shop, case)
