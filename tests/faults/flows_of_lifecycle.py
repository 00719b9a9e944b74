"""Pauses and changes of subscriptions: asked for by a caller, who comes again, and carried out by the clock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.documents.edits import SubscriptionEdit
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.domain.errors import TillError
from chalicelib.domain.machines import InvoiceStatus
from chalicelib.domain.money.amounts import Money
from chalicelib.services.editing import EditOrder, edit_subscription
from chalicelib.services.pausing import pause, reactivate, resume
from chalicelib.services.ports import QueueName
from chalicelib.services.subscriptions import cancel
from tests.faults import steps
from tests.faults.matrix import Flow, Step
from tests.faults.shop import Case, Shop

_DEARER = (LineItem("Membership", 1, Money(9_900, "usd")),)


def _subscribed(shop: Shop) -> Case:
    """A subscription whose first payment is booked and told."""
    return shop.subscribe()


def _settled(shop: Shop) -> None:
    shop.ignore_bookings()
    shop.settle()


def _asked_again(run: Step) -> Step:
    """The caller had no answer and asks once more; that it is done already, or being charged, is an answer."""

    def once(shop: Shop, case: Case) -> None:
        with suppress(TillError):
            run(shop, case)

    def again(shop: Shop, case: Case) -> None:
        shop.come_again(lambda: once(shop, case))

    return again


def _pause(shop: Shop, case: Case) -> None:
    until = shop.world.clock.now() + timedelta(days=75)
    pause(shop.world.ports, shop.merchant.id, case.subscription_id, until=until, actor="api:test")


def _resume(shop: Shop, case: Case) -> None:
    on = shop.world.clock.now() + timedelta(days=45)
    resume(shop.world.ports, shop.merchant.id, case.subscription_id, next_invoice_on=on, actor="api:test")


def _reactivate(shop: Shop, case: Case) -> None:
    reactivate(shop.world.ports, shop.merchant.id, case.subscription_id, actor="api:test")


def _to_end(shop: Shop, case: Case) -> None:
    cancel(shop.world.ports, shop.merchant.id, case.subscription_id, at="period_end", actor="api:test")


def _change(order: EditOrder) -> Step:
    def run(shop: Shop, case: Case) -> None:
        edit_subscription(shop.world.ports, shop.merchant.id, case.subscription_id, order, actor="api:test")

    return run


_BILLED_NOW = _change(EditOrder(_DEARER, now=True, bill_now=True))
_YEARLY_NOW = _change(EditOrder(_DEARER, frequency=Frequency.ANNUALLY, now=True))


def _paused_a_while(shop: Shop) -> Case:
    case = shop.subscribe()
    until = shop.world.clock.now() + timedelta(days=45)
    pause(shop.world.ports, shop.merchant.id, case.subscription_id, until=until, actor="api:test")
    return case


def _paused(shop: Shop) -> Case:
    case = shop.subscribe()
    pause(shop.world.ports, shop.merchant.id, case.subscription_id, until=None, actor="api:test")
    return case


def _to_change(shop: Shop) -> Case:
    case = shop.subscribe()
    _change(EditOrder(_DEARER))(shop, case)
    return case


def _pause_over(shop: Shop) -> None:
    _settled(shop)
    shop.until(shop.world.clock.now() + timedelta(days=46))


def _ten_days(shop: Shop) -> None:
    _settled(shop)
    shop.until(shop.world.clock.now() + timedelta(days=10))


def _next_period(shop: Shop) -> None:
    _settled(shop)
    shop.until(shop.last_next_period())


def _to_bill(shop: Shop, case: Case) -> None:
    case.queue = QueueName.BILLING
    case.message = shop.message_about(TimerKind.BILL_PERIOD, case.subscription_id)


def _is(status: str) -> Step:
    def look(shop: Shop, case: Case) -> None:
        found = shop.subscription(case)
        assert (found.status, found.timer_at) == (status, found.acts_at), f"case {case.number}"
        assert len(shop.invoices(case)) == 1

    return look


def _stays(shop: Shop, case: Case) -> None:
    found = shop.subscription(case)
    assert (found.cancel_at_period_end, found.status) == (False, "active"), f"case {case.number}"


def _billed_once(shop: Shop, case: Case) -> None:
    """The change is billed by one invoice, which is paid, however often it was asked for."""
    found = shop.subscription(case)
    own = [each for each in shop.seen_invoices(case) if each.edit_number is not None]
    assert [each.status for each in own] == [InvoiceStatus.PAID], f"case {case.number}: {len(own)} invoices"
    assert found.adjustment_invoices == (own[0].id,)
    edits = shop.world.seen().all(SubscriptionEdit)
    assert sum(bool(each.net) for each in edits if each.subscription_id == case.subscription_id) == 1


def _totals(*expected: int) -> Callable[[Shop, Case], None]:
    def look(shop: Shop, case: Case) -> None:
        found = [(each.totals.total.minor, str(each.status)) for each in shop.invoices(case)]
        assert found == [(total, "paid") for total in expected], f"case {case.number}: {found}"

    return look


def _yearly_once(shop: Shop, case: Case) -> None:
    """One period was ended, and one begun, however often that was asked for."""
    found = shop.subscription(case)
    assert [str(epoch.frequency) for epoch in found.schedule.epochs] == ["monthly", "annually"]
    assert [each.status for each in shop.invoices(case)] == [InvoiceStatus.PAID] * 2


FLOWS = (
    Flow(
        "pause", _subscribed, _pause, later=_settled, again=_asked_again(_pause), soon=_is("paused"), ends=_is("paused")
    ),
    Flow(
        "resume", _paused, _resume, later=_settled, again=_asked_again(_resume), soon=_is("active"), ends=_is("active")
    ),
    Flow(
        "cancellation taken back",
        _subscribed,
        _reactivate,
        later=_settled,
        ready=(_to_end,),
        again=_asked_again(_reactivate),
        soon=_stays,
        ends=_stays,
    ),
    Flow(
        "end of a pause",
        _paused_a_while,
        steps.work,
        later=_pause_over,
        ready=(_to_bill,),
        again=steps.message_again,
        soon=_is("active"),
        ends=_is("active"),
        whole=True,
    ),
    Flow(
        "change billed at once",
        _subscribed,
        _BILLED_NOW,
        later=_ten_days,
        again=_asked_again(_BILLED_NOW),
        soon=_billed_once,
        ends=_billed_once,
        whole=True,
    ),
    Flow(
        "change that ends the period",
        _subscribed,
        _YEARLY_NOW,
        later=_ten_days,
        again=_asked_again(_YEARLY_NOW),
        ends=_yearly_once,
    ),
    Flow(
        "change with the next period",
        _to_change,
        steps.work,
        later=_next_period,
        ready=(_to_bill,),
        again=steps.message_again,
        soon=_totals(4_900, 9_900),
        ends=_totals(4_900, 9_900),
    ),
)
