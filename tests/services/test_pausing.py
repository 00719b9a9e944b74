"""Pause, resume, the end of a pause and a cancellation taken back: dates, timers, events, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.errors import InvalidValue, StateConflict, TillError
from chalicelib.domain.machines import SubscriptionStatus
from chalicelib.services.billing.issuing import billing_timer, issue_due
from chalicelib.services.pausing import pause, reactivate, resume
from chalicelib.services.ports import SetTimer, Update
from chalicelib.services.subscriptions import cancel
from chalicelib.services.upcoming import upcoming
from tests.services.shop import Shop


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def subscription(shop: Shop) -> Subscription:
    """From 31 January 2027, 15:30 in New York, its first month paid."""
    made = shop.subscribe()
    shop.settle()
    return made


def at(month: int, day: int, hour: int = 20, minute: int = 30) -> datetime:
    """A time in 2027, UTC."""
    return datetime(2027, month, day, hour, minute, tzinfo=UTC)


def billing_timers(shop: Shop) -> list[Timer]:
    return [timer for timer in shop.store.timers if timer.kind is TimerKind.BILL_PERIOD]


def everything(shop: Shop) -> tuple[dict[Any, Any], dict[Any, Any]]:
    return dict(shop.store._rows), dict(shop.store._timers)


def test_a_pause_until_a_date_skips_the_dates_inside_and_keeps_the_anchor(
    shop: Shop, subscription: Subscription
) -> None:
    shop.clock.set(at(2, 10))
    paused = pause(shop.ports, shop.merchant.id, subscription.id, until=date(2027, 4, 15), actor="api:key")
    assert (paused.status, paused.paused_at, paused.resumes_at) == ("paused", at(2, 10), at(4, 15, 4, 0))
    assert [timer.due for timer in billing_timers(shop)] == [at(4, 15, 4, 0)]
    assert paused.next_invoice_at == at(4, 30, 19)
    assert [each.period.start for each in upcoming(paused, 2)] == [at(4, 30, 19), at(5, 31, 19)]
    shop.until(at(4, 15, 3, 59))
    assert (len(shop.invoices()), shop.subscription(subscription.id).status) == (1, "paused")
    shop.until(at(4, 15, 4, 0))
    again = shop.subscription(subscription.id)
    assert (again.status, again.paused_at, again.resumes_at) == ("active", None, None)
    assert [timer.due for timer in billing_timers(shop)] == [at(4, 30, 19)]
    shop.until(at(6, 1))
    periods = [invoice.period for invoice in shop.invoices()]
    assert [period and (period.index, period.start, period.end) for period in periods] == [
        (0, at(1, 31), at(2, 28)),
        (1, at(4, 30, 19), at(5, 31, 19)),
        (2, at(5, 31, 19), at(6, 30, 19)),
    ]
    assert again.schedule.period(0).end == at(2, 28)
    assert again.schedule.epochs[-1].previous_end == at(2, 28)
    assert [each for each in shop.event_types() if each.startswith("subscription.")] == [
        "subscription.created",
        "subscription.paused",
        "subscription.resumed",
    ]


def test_a_pause_that_ends_before_the_next_date_skips_nothing(shop: Shop, subscription: Subscription) -> None:
    pause(shop.ports, shop.merchant.id, subscription.id, until=date(2027, 2, 20), actor="api:key")
    shop.until(at(3, 1))
    assert [invoice.period and invoice.period.start for invoice in shop.invoices()] == [at(1, 31), at(2, 28)]
    assert len(shop.subscription(subscription.id).schedule.epochs) == 1


def test_a_pause_until_the_very_date_bills_on_it(shop: Shop, subscription: Subscription) -> None:
    pause(shop.ports, shop.merchant.id, subscription.id, until=at(3, 31, 19), actor="api:key")
    shop.until(at(3, 31, 19))
    assert [invoice.period and invoice.period.start for invoice in shop.invoices()] == [at(1, 31), at(3, 31, 19)]


def test_a_pause_without_an_end_waits_for_a_date_and_begins_a_rhythm_there(
    shop: Shop, subscription: Subscription
) -> None:
    shop.clock.set(at(2, 10))
    paused = pause(shop.ports, shop.merchant.id, subscription.id, until=None, actor="api:key")
    assert (paused.timer_at, billing_timers(shop), upcoming(paused, 3)) == (None, [], [])
    shop.until(at(8, 1))
    assert len(shop.invoices()) == 1
    resumed = resume(shop.ports, shop.merchant.id, subscription.id, next_invoice_on=date(2027, 8, 10), actor="api:key")
    assert (resumed.status, resumed.next_invoice_at) == ("active", at(8, 10, 4, 0))
    assert [timer.due for timer in billing_timers(shop)] == [at(8, 10, 4, 0)]
    shop.until(at(9, 11))
    assert [invoice.period and invoice.period.start for invoice in shop.invoices()][1:] == [
        at(8, 10, 4, 0),
        at(9, 10, 4, 0),
    ]
    assert [invoice.status for invoice in shop.invoices()] == ["paid"] * 3


def test_to_resume_today_bills_now(shop: Shop, subscription: Subscription) -> None:
    pause(shop.ports, shop.merchant.id, subscription.id, until=None, actor="api:key")
    shop.clock.set(at(5, 5))
    resume(shop.ports, shop.merchant.id, subscription.id, next_invoice_on=date(2027, 5, 5), actor="api:key")
    shop.settle()
    assert [invoice.period and invoice.period.start for invoice in shop.invoices()][1:] == [at(5, 5)]


def test_what_was_due_before_the_pause_is_still_billed(shop: Shop, subscription: Subscription) -> None:
    shop.clock.set(at(3, 1))
    paused = pause(shop.ports, shop.merchant.id, subscription.id, until=date(2027, 5, 1), actor="api:key")
    assert paused.timer_at == at(2, 28)
    shop.settle()
    assert [invoice.period and invoice.period.start for invoice in shop.invoices()] == [at(1, 31), at(2, 28)]
    assert [timer.due for timer in billing_timers(shop)] == [at(5, 1, 4, 0)]
    shop.until(at(6, 1))
    assert [invoice.period and invoice.period.start for invoice in shop.invoices()][2:] == [at(5, 31, 19)]


def test_a_pause_while_something_is_owed_ends_past_due(shop: Shop, subscription: Subscription) -> None:
    assert subscription.method is not None
    shop.stripe.behave(subscription.method.payment_method_id, "pm_card_chargeCustomerFail")
    shop.clock.set(at(2, 28))
    shop.settle()
    pause(shop.ports, shop.merchant.id, subscription.id, until=date(2027, 3, 1), actor="api:key")
    shop.clock.set(at(3, 1, 5, 0))
    shop.settle()
    again = shop.subscription(subscription.id)
    assert (again.status, len(again.past_due_invoices)) == ("past_due", 1)


def test_a_cancellation_at_period_end_is_carried_out_in_a_pause_too(shop: Shop, subscription: Subscription) -> None:
    shop.clock.set(at(2, 10))
    pause(shop.ports, shop.merchant.id, subscription.id, until=None, actor="api:key")
    cancel(shop.ports, shop.merchant.id, subscription.id, at="period_end", actor="api:key")
    assert [timer.due for timer in billing_timers(shop)] == [at(2, 28)]
    shop.until(at(2, 28))
    ended = shop.subscription(subscription.id)
    assert (ended.status, ended.canceled_at, billing_timers(shop)) == ("canceled", at(2, 28), [])
    assert len(shop.invoices()) == 1


def test_a_cancellation_is_taken_back_until_the_end_of_the_period(shop: Shop, subscription: Subscription) -> None:
    cancel(shop.ports, shop.merchant.id, subscription.id, at="period_end", actor="api:key", reason="too dear")
    shop.clock.set(at(2, 28) - timedelta(seconds=1))
    kept = reactivate(shop.ports, shop.merchant.id, subscription.id, actor="api:key")
    assert (kept.cancel_at_period_end, kept.cancel_reason, kept.status) == (False, None, "active")
    shop.clock.set(at(2, 28))
    shop.settle()
    assert len(shop.invoices()) == 2
    cancel(shop.ports, shop.merchant.id, subscription.id, at="period_end", actor="api:key")
    shop.clock.set(at(3, 31, 19))
    before = everything(shop)
    with pytest.raises(StateConflict):
        reactivate(shop.ports, shop.merchant.id, subscription.id, actor="api:key")
    assert everything(shop) == before


def test_the_end_of_a_pause_runs_once_however_often_it_is_sent(shop: Shop, subscription: Subscription) -> None:
    pause(shop.ports, shop.merchant.id, subscription.id, until=date(2027, 4, 15), actor="api:key")
    timer = billing_timer(shop.subscription(subscription.id))
    assert timer is not None
    shop.clock.set(at(4, 15, 4, 0))
    for _ in range(2):
        issued = issue_due(shop.ports, shop.merchant.id, [timer])
        assert (issued.invoices, issued.ended) == (0, 0)
    assert shop.event_types().count("subscription.resumed") == 1


JUNE = date(2027, 6, 1)
ACTIONS: dict[str, Callable[[Shop, str], object]] = {
    "pause": lambda shop, id: pause(shop.ports, shop.merchant.id, id, until=date(2027, 6, 1), actor="api:key"),
    "resume": lambda shop, id: resume(
        shop.ports, shop.merchant.id, id, next_invoice_on=date(2027, 6, 1), actor="api:key"
    ),
    "reactivate": lambda shop, id: reactivate(shop.ports, shop.merchant.id, id, actor="api:key"),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("state", ["canceled", "expired", "scheduled"])
def test_what_a_state_does_not_allow_changes_nothing(
    shop: Shop, subscription: Subscription, state: str, action: str
) -> None:
    put_into(shop, subscription, SubscriptionStatus(state))
    before = everything(shop)
    with pytest.raises(StateConflict):
        ACTIONS[action](shop, subscription.id)
    assert everything(shop) == before


def put_into(shop: Shop, subscription: Subscription, state: SubscriptionStatus) -> None:
    """A subscription in a state, as the store could have it."""
    now = shop.clock.now()
    fresh = shop.subscription(subscription.id)
    old = billing_timer(fresh)
    ended = now if state in ("canceled", "expired") else None
    changed = replace(
        fresh, status=state, paused_at=now if state == "paused" else None, ended_at=ended, canceled_at=ended
    )
    changed = replace(changed, timer_at=changed.acts_at)
    new = billing_timer(changed)
    shop.store.commit(f"into-{state}", [Update(changed), *([] if new is None else [SetTimer(new)])])
    if old is not None and old != new:
        shop.store.drop(old)
    shop.left_broken = "put into its state by hand"


def test_pausing_a_paused_one_or_resuming_an_active_one_is_refused(shop: Shop, subscription: Subscription) -> None:
    before = everything(shop)
    for action in ("resume", "reactivate"):
        with pytest.raises(StateConflict):
            ACTIONS[action](shop, subscription.id)
    assert everything(shop) == before
    ACTIONS["pause"](shop, subscription.id)
    before = everything(shop)
    with pytest.raises(StateConflict):
        ACTIONS["pause"](shop, subscription.id)
    assert everything(shop) == before


@pytest.mark.parametrize("until", [date(2027, 1, 30), date(2027, 1, 31), at(1, 31), at(1, 31, 20, 29)])
def test_a_pause_that_would_have_ended_already_is_refused(
    shop: Shop, subscription: Subscription, until: date | datetime
) -> None:
    before = everything(shop)
    with pytest.raises(InvalidValue) as refused:
        pause(shop.ports, shop.merchant.id, subscription.id, until=until, actor="api:key")
    assert (refused.value.code, refused.value.param) == ("invalid_date", "until")
    assert everything(shop) == before


def test_another_merchants_subscription_is_not_there(shop: Shop, subscription: Subscription) -> None:
    before = everything(shop)
    with pytest.raises(TillError) as refused:
        pause(shop.ports, "mer_other", subscription.id, until=None, actor="api:key")
    assert refused.value.code == "not_found"
    assert everything(shop) == before
