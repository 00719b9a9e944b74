"""A run of the scheduler reads once and goes on from what it wrote; hints may be wrong, and what it holds old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer
from chalicelib.services.billing.issuing import billing_timer, issue_due
from chalicelib.services.ports import DropTimer, SetTimer, Update
from chalicelib.services.saving import commit
from chalicelib.services.subscriptions import cancel
from tests.fakes.troubled import TroubledStore
from tests.services.shop import Shop, usd

DUE = datetime(2027, 2, 28, 20, 30, tzinfo=UTC)


@pytest.fixture
def shop() -> Shop:
    return Shop()


class Watched(TroubledStore):
    """Counts reads as well, each of them one call to the database."""

    reads = 0

    def find_many(self, wanted: Sequence[tuple[type[Any], str]]) -> list[Any]:
        """See Records."""
        self.reads += 1
        return self._store.find_many(wanted)


def due(subscription: Subscription) -> Timer:
    timer = billing_timer(subscription)
    assert timer is not None
    return timer


def weekly(shop: Shop) -> Subscription:
    link = shop.link("Box", LineItem("Box", 1, usd(2_000), recurring=Recurrence(Frequency.WEEKLY)))
    shop.press(shop.buyer(link))
    shop.settle()
    return shop.store.all(Subscription)[0]


def test_the_timer_of_a_subscription_says_who_its_customer_is_wherever_it_travels(shop: Shop) -> None:
    subscription = shop.subscribe()
    shop.settle()
    assert [timer.customer_id for timer in shop.store.timers] == [subscription.customer_id]
    shop.clock.set(DUE)
    shop.run()
    hints = {str(timer.kind): (timer.subscription_id, timer.customer_id) for timer in shop.store.timers}
    assert hints == {
        "bill_period": (None, subscription.customer_id),
        "charge_invoice": (subscription.id, subscription.customer_id),
    }


def test_one_read_and_one_transaction_issue_and_drop_the_timer_that_was_done(shop: Shop) -> None:
    subscription = shop.subscribe()
    shop.settle()
    shop.clock.set(DUE)
    store = Watched(shop.store)
    assert issue_due(replace(shop.ports, records=store), shop.merchant.id, [due(subscription)]).invoices == 1
    assert (store.reads, len(store.commits)) == (1, 1)
    assert DropTimer(due(subscription)) in store.commits[0]
    assert due(subscription) not in shop.store.timers


def test_periods_missed_are_issued_from_one_read_in_a_transaction_each(shop: Shop) -> None:
    subscription = weekly(shop)
    shop.clock.set(datetime(2027, 2, 21, 20, 30, tzinfo=UTC))
    store = Watched(shop.store)
    assert issue_due(replace(shop.ports, records=store), shop.merchant.id, [due(subscription)]).invoices == 3
    assert (store.reads, len(store.commits)) == (1, 3)
    assert [invoice.number for invoice in shop.invoices()] == ["INV-0001", "INV-0002", "INV-0003", "INV-0004"]
    assert [timer.due for timer in shop.store.timers if timer.kind == "bill_period"] == [DUE]


def test_who_is_beaten_between_two_periods_reads_again_and_bills_what_is_there_then(shop: Shop) -> None:
    subscription = weekly(shop)
    shop.clock.set(datetime(2027, 2, 21, 20, 30, tzinfo=UTC))
    store = Watched(shop.store)
    store.before(2, lambda: cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="test") and None)
    assert issue_due(replace(shop.ports, records=store), shop.merchant.id, [due(subscription)]).invoices == 1
    assert store.reads == 2
    assert [invoice.number for invoice in shop.invoices()] == ["INV-0001", "INV-0002"]
    assert [timer for timer in shop.store.timers if timer.kind == "bill_period"] == []


def test_two_workers_over_the_same_weeks_issue_each_of_them_once(shop: Shop) -> None:
    subscription = weekly(shop)
    shop.clock.set(datetime(2027, 2, 21, 20, 30, tzinfo=UTC))
    store = Watched(shop.store)
    other = []
    store.before(2, lambda: other.append(issue_due(shop.ports, shop.merchant.id, [due(subscription)]).invoices) or None)
    assert issue_due(replace(shop.ports, records=store), shop.merchant.id, [due(subscription)]).invoices == 1
    assert other == [2]
    assert [invoice.period and invoice.period.index for invoice in shop.invoices()] == [0, 1, 2, 3]
    assert [timer.due for timer in shop.store.timers if timer.kind == "bill_period"] == [DUE]


@pytest.mark.parametrize("hint", [None, "cus_01J8ZQ0G3N7T5V9X1B2C3D4E5F", "another's"])
def test_a_hint_that_is_missing_or_wrong_bills_the_subscriptions_own_customer(shop: Shop, hint: str | None) -> None:
    subscription = shop.subscribe()
    assert shop.press(shop.buyer(shop.one_time, email="ben@example.com")).ending == "paid"
    [other] = [each for each in shop.store.all(Customer) if each.email == "ben@example.com"]
    commit(shop.ports, [Update(replace(subscription, buyer=None))])
    subscription = shop.subscription(subscription.id)
    shop.clock.set(DUE)
    store = Watched(shop.store)
    timer = replace(due(subscription), customer_id=other.id if hint == "another's" else hint)
    assert issue_due(replace(shop.ports, records=store), shop.merchant.id, [timer]).invoices == 1
    assert store.reads == 2
    snapshot = shop.invoices()[2].snapshot
    assert snapshot is not None
    assert snapshot.buyer.email == "anna@example.com"


def test_sixteen_drop_their_timers_in_their_transaction_and_seventeen_in_one_after_it(shop: Shop) -> None:
    subscriptions = [shop.subscribe() for _ in range(17)]
    shop.settle()
    shop.clock.set(DUE)
    store = Watched(shop.store)
    ports = replace(shop.ports, records=store)
    assert issue_due(ports, shop.merchant.id, [due(each) for each in subscriptions[:16]]).invoices == 16
    assert [len(writes) for writes in store.commits] == [16 * 6 + 1]
    assert issue_due(ports, shop.merchant.id, [due(subscriptions[16])]).invoices == 1
    shop.clock.set(datetime(2027, 3, 31, 19, 30, tzinfo=UTC))
    store.commits.clear()
    timers = [due(shop.subscription(each.id)) for each in subscriptions]
    assert issue_due(ports, shop.merchant.id, timers).invoices == 17
    assert [len(writes) for writes in store.commits] == [17 * 5 + 1, 17]
    assert [timer for timer in shop.store.timers if timer.kind == "bill_period" and timer.due <= shop.clock.now()] == []


def test_a_timer_set_anew_at_its_old_time_stands(shop: Shop) -> None:
    """As after a last payment: the timer stood at another time than the period that was due."""
    subscription = weekly(shop)
    second = subscription.schedule.period(2).start
    commit(shop.ports, [Update(replace(subscription, timer_at=second)), DropTimer(due(subscription))])
    subscription = shop.subscription(subscription.id)
    commit(shop.ports, [SetTimer(due(subscription))])
    shop.clock.set(second - timedelta(days=1))
    assert issue_due(shop.ports, shop.merchant.id, [due(subscription)]).invoices == 1
    assert [timer.due for timer in shop.store.timers if timer.kind == "bill_period"] == [second]
    shop.clock.set(second)
    shop.settle()
    assert [invoice.period and invoice.period.index for invoice in shop.invoices()] == [0, 1, 2]
