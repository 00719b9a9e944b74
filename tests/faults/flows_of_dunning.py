"""What comes after a charge that failed: the steps of the ladder, its end, a retry by hand, and what is overdue."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from chalicelib.domain.billing.dunning import Dunning, LadderEnd
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.domain.errors import StateConflict
from chalicelib.domain.machines import InvoiceStatus
from chalicelib.services.account import update_account
from chalicelib.services.billing.retrying import retry_past_due
from chalicelib.services.ports import QueueName, Update
from chalicelib.services.saving import commit
from tests.faults import steps
from tests.faults.flows_of_api import begun
from tests.faults.flows_of_clock import declines, paid_twice, pay_the_invoice
from tests.faults.matrix import Flow
from tests.faults.shop import Case, Shop


def _behaves(shop: Shop, case: Case, name: str) -> None:
    method = shop.subscription(case).method
    assert method is not None
    shop.world.sandbox.set_behaviour(method.payment_method_id, name)


def _lost_card(shop: Shop) -> Case:
    """A subscription whose card is reported lost."""
    case = shop.subscribe()
    _behaves(shop, case, "pm_card_chargeDeclinedLostCard")
    return case


def _after_first_failure(days: int) -> Callable[[Shop], None]:
    def later(shop: Shop) -> None:
        shop.ignore_bookings()
        shop.settle()
        shop.until(shop.last_next_period())
        shop.settle()
        failed_at = shop.world.clock.now()
        shop.until(failed_at + timedelta(days=days))

    return later


_at_the_first_step = _after_first_failure(1)
_at_the_deadline = _after_first_failure(7)


def _at_the_deadline_of_a_pause(shop: Shop) -> None:
    update_account(shop.world.ports, shop.merchant.id, {"dunning": Dunning(then=LadderEnd.PAUSE)}, actor="test")
    _at_the_deadline(shop)


def _two_owed(shop: Shop) -> None:
    """Given up, and one more period issued since."""
    _at_the_deadline(shop)
    shop.settle()
    shop.until(shop.last_next_period())
    shop.settle()


def _before_the_third(shop: Shop) -> None:
    """Given up, and the next period is due."""
    _at_the_deadline(shop)
    shop.settle()
    shop.until(shop.last_next_period())


def _open_invoices(shop: Shop, case: Case) -> list[Invoice]:
    return [each for each in shop.invoices(case) if each.status is InvoiceStatus.OPEN]


def _to_try(position: int) -> Callable[[Shop, Case], None]:
    def ready(shop: Shop, case: Case) -> None:
        case.invoice_id = _open_invoices(shop, case)[position].id
        case.queue = QueueName.CHARGES
        case.message = shop.message_about(TimerKind.CHARGE_INVOICE, case.invoice_id)

    return ready


def _mended(shop: Shop, case: Case) -> None:
    """There is money on the card again."""
    _behaves(shop, case, "pm_card_visa")


def _two_untried(shop: Shop, case: Case) -> None:
    """Two invoices were issued without a try before this one."""
    commit(shop.world.ports, [Update(replace(shop.subscription(case), untried=2))])
    case.queue = QueueName.BILLING
    case.message = shop.message_about(TimerKind.BILL_PERIOD, case.subscription_id)


def _oldest_with_a_new_card(shop: Shop, case: Case) -> None:
    oldest = _open_invoices(shop, case)[0]
    case.invoice_id, case.secret = oldest.id, oldest.secret
    shop.another_card(case)


def _retry(shop: Shop, case: Case) -> None:
    # Asked once more after it was paid, it is told that nothing is past due.
    with suppress(StateConflict):
        retry_past_due(shop.world.ports, shop.merchant.id, case.subscription_id)


def _retry_again(shop: Shop, case: Case) -> None:
    shop.come_again(lambda: _retry(shop, case))


def _pay_again(shop: Shop, case: Case) -> None:
    shop.another_card(case)
    shop.come_again(lambda: pay_the_invoice(shop, case))


def _sent(shop: Shop) -> None:
    """The first invoices were sent, and their day is over."""
    shop.settle()
    charges = [each.charge_at for each in shop.world.seen().all(Invoice) if each.charge_at is not None]
    shop.until(max(charges))


def _is(status: str, tries: list[int]) -> Callable[[Shop, Case], None]:
    """The subscription's status, and how often each invoice that it owes was tried with the stored card."""

    def ends(shop: Shop, case: Case) -> None:
        subscription = shop.world.seen().get(Subscription, case.subscription_id)
        open_ones = [each for each in shop.seen_invoices(case) if each.status is InvoiceStatus.OPEN]
        made = [len(each.part.attempts) for each in sorted(open_ones, key=lambda each: each.id)]
        assert (str(subscription.status), made) == (status, tries), f"case {case.number}: {subscription.status} {made}"
        assert subscription.past_due_invoices == tuple(each.id for each in sorted(open_ones, key=lambda each: each.id))

    return ends


def _overdue_once(shop: Shop, case: Case) -> None:
    """The first invoice is told to be overdue, once, and its subscription is behind with it; a second may be there."""
    subscription = shop.world.seen().get(Subscription, case.subscription_id)
    assert (str(subscription.status), subscription.past_due_invoices) == ("past_due", (case.invoice_id,))
    told = [each for each in shop.world.seen().events() if each.object_id == case.invoice_id]
    assert [each.type for each in told].count("invoice.overdue") == 1


def _all_paid(shop: Shop, case: Case) -> None:
    found = {each.status for each in shop.seen_invoices(case)}
    assert found == {InvoiceStatus.PAID}, f"case {case.number}: {found}"
    assert shop.world.seen().get(Subscription, case.subscription_id).status == "active"


FLOWS = (
    Flow(
        "retry at a step",
        declines,
        steps.work,
        later=_at_the_first_step,
        ready=(_mended, _to_try(0)),
        again=steps.message_again,
        soon=paid_twice,
        ends=_all_paid,
        whole=True,
    ),
    Flow(
        "retry at a step, declined again",
        declines,
        steps.work,
        later=_at_the_first_step,
        ready=(_to_try(0),),
        again=steps.message_again,
        soon=_is("past_due", [2]),
        ends=_is("past_due", [2]),
    ),
    Flow(
        "given up",
        _lost_card,
        steps.work,
        later=_at_the_deadline,
        ready=(_to_try(0),),
        again=steps.message_again,
        soon=_is("unpaid", [1]),
        ends=_is("unpaid", [1]),
    ),
    Flow(
        "given up and paused",
        _lost_card,
        steps.work,
        later=_at_the_deadline_of_a_pause,
        ready=(_to_try(0),),
        again=steps.message_again,
        soon=_is("paused", [1]),
        ends=_is("paused", [1]),
    ),
    Flow(
        "issue of the third that is not tried",
        _lost_card,
        steps.work,
        later=_before_the_third,
        ready=(_two_untried,),
        again=steps.message_again,
        soon=_is("paused", [1, 0]),
        ends=_is("paused", [1, 0]),
    ),
    Flow(
        "retry by hand",
        declines,
        _retry,
        later=_at_the_first_step,
        ready=(_mended,),
        again=_retry_again,
        soon=paid_twice,
        ends=_all_paid,
    ),
    Flow(
        "retry by hand, the younger of two",
        declines,
        steps.work,
        later=_two_owed,
        ready=(_mended, _retry, _to_try(1)),
        again=steps.message_again,
        ends=_all_paid,
    ),
    Flow(
        "invoice paid on its page, another one past due",
        declines,
        pay_the_invoice,
        later=_two_owed,
        ready=(_oldest_with_a_new_card,),
        again=_pay_again,
        ends=_all_paid,
    ),
    Flow(
        "overdue",
        begun,
        steps.work,
        later=_sent,
        ready=(_to_try(0),),
        again=steps.message_again,
        soon=_overdue_once,
        ends=_overdue_once,
    ),
)
