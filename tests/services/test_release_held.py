"""What an outage held back is released by one call: oldest first, one a day and subscription, nothing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.documents.invoices import CollectionBlock, Invoice
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.domain.errors import NotFound
from chalicelib.services.billing.releasing import Released, release_held
from chalicelib.services.ports import StoreUnavailable
from chalicelib.services.subscriptions import cancel
from tests.fakes.troubled import TroubledStore
from tests.services.shop import Shop, usd

DAY = timedelta(days=1)
BACK = datetime(2027, 3, 8, 12, 0, tzinfo=UTC)
"""Everybody was away for five weeks."""


@pytest.fixture
def shop() -> Shop:
    return Shop()


def weekly(shop: Shop) -> Subscription:
    link = shop.link("Box", LineItem("Box", 1, usd(2_000), recurring=Recurrence(Frequency.WEEKLY)))
    before = {each.id for each in shop.store.all(Subscription)}
    assert shop.press(shop.buyer(link)).ending == "paid"
    shop.settle()
    [made] = [each for each in shop.store.all(Subscription) if each.id not in before]
    return made


def back_again(shop: Shop) -> None:
    """The outage is over: all invoices are issued, and the newest is charged."""
    shop.clock.set(BACK)
    shop.settle()


def held(shop: Shop, subscription: Subscription | None = None) -> list[Invoice]:
    mine = [each for each in shop.invoices() if subscription is None or each.subscription_id == subscription.id]
    return [each for each in mine if each.collection_blocked is CollectionBlock.HELD]


def release(shop: Shop, subscription: Subscription | None = None) -> Released:
    wanted = None if subscription is None else subscription.id
    return release_held(shop.ports, shop.merchant.id, wanted, actor="api:test")


def charged(shop: Shop, subscription: Subscription) -> list[tuple[int, datetime]]:
    """Which periods were paid by the schedule, and when, in the order of payment."""
    mine = [each for each in shop.invoices() if each.subscription_id == subscription.id and each.checkout_id is None]
    return sorted(
        ((each.period.index, each.paid_at) for each in mine if each.period and each.paid_at), key=lambda pair: pair[1]
    )


def test_held_invoices_are_charged_one_a_day_the_oldest_first_after_what_was_charged_at_once(shop: Shop) -> None:
    subscription = weekly(shop)
    back_again(shop)
    assert [each.period.index for each in held(shop) if each.period] == [1, 2, 3, 4]
    assert charged(shop, subscription) == [(5, BACK)]
    assert release(shop) == Released(4, more=False)
    assert [each.charge_at for each in shop.invoices()[1:5]] == [BACK + n * DAY for n in range(1, 5)]
    assert held(shop) == []
    shop.until(BACK + 4 * DAY)
    assert charged(shop, subscription) == [(5, BACK), *((n, BACK + n * DAY) for n in range(1, 5))]
    told = [
        event for event in shop.store.events(shop.merchant.id, limit=100)[0] if event.type == "subscription.updated"
    ]
    assert [len(event.data["previous"]["held_invoices"]) for event in told] == [4]


def test_what_is_due_meanwhile_is_charged_on_a_day_of_its_own(shop: Shop) -> None:
    subscription = weekly(shop)
    back = datetime(2027, 4, 19, 12, 0, tzinfo=UTC)
    shop.clock.set(back)
    shop.settle()
    assert release(shop).count == 10
    # The week that begins on the 25th finds that day, and the four after it, taken.
    shop.until(back + 12 * DAY)
    assert [index for index, _ in charged(shop, subscription)] == [11, *range(1, 11), 12]
    assert [paid_at for _, paid_at in charged(shop, subscription)] == [back + n * DAY for n in range(12)]


def test_releasing_again_releases_nothing_and_writes_nothing(shop: Shop) -> None:
    weekly(shop)
    back_again(shop)
    assert release(shop).count == 4
    store = TroubledStore(shop.store)
    again = release_held(replace(shop.ports, records=store), shop.merchant.id, None, actor="api:test")
    assert (again, store.commits) == (Released(0, more=False), [])


def test_of_one_subscription_alone_the_others_stay_held(shop: Shop) -> None:
    mine, other = weekly(shop), weekly(shop)
    back_again(shop)
    assert release(shop, mine) == Released(4, more=False)
    assert (len(held(shop, mine)), len(held(shop, other))) == (0, 4)
    assert release(shop) == Released(4, more=False)


def test_what_a_cancelled_subscription_owes_stays_held_and_is_never_charged(shop: Shop) -> None:
    subscription = weekly(shop)
    back_again(shop)
    cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="buyer")
    assert release(shop) == Released(0, more=False)
    assert len(held(shop)) == 4
    shop.until(BACK + 5 * DAY)
    assert charged(shop, subscription) == [(5, BACK)]


def test_another_merchants_subscription_is_not_found_and_nothing_is_released(shop: Shop) -> None:
    subscription = weekly(shop)
    back_again(shop)
    with pytest.raises(NotFound):
        release_held(shop.ports, "mer_other", subscription.id, actor="api:test")
    assert release_held(shop.ports, "mer_other", None, actor="api:test") == Released(0, more=False)
    assert len(held(shop)) == 4
    assert [each for each in shop.store.timers if each.kind is TimerKind.CHARGE_INVOICE] == []


def test_who_comes_second_finds_nothing_left_and_no_invoice_gets_two_timers(shop: Shop) -> None:
    weekly(shop)
    back_again(shop)
    store = TroubledStore(shop.store)
    other = []
    store.before(1, lambda: other.append(release(shop).count) or None)
    said = release_held(replace(shop.ports, records=store), shop.merchant.id, None, actor="api:test")
    assert (said.count, other) == (0, [4])
    assert len([each for each in shop.store.timers if each.kind is TimerKind.CHARGE_INVOICE]) == 4


def test_a_release_that_is_cut_short_is_finished_by_the_next_one(shop: Shop) -> None:
    for _ in range(2):
        weekly(shop)
    back_again(shop)
    store = TroubledStore(shop.store)
    store.lose_reply(2, effect=False)
    with pytest.raises(StoreUnavailable):
        release_held(replace(shop.ports, records=store), shop.merchant.id, None, actor="api:test")
    assert len(held(shop)) == 4
    assert release(shop).count == 4
    assert held(shop) == []


def test_more_than_one_call_releases_is_said_and_no_subscriptions_invoices_are_divided(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.services.billing.releasing.MOST_RELEASED", 3)
    first, second = weekly(shop), weekly(shop)
    back_again(shop)
    assert release(shop) == Released(4, more=True)
    assert (len(held(shop, first)), len(held(shop, second))) == (0, 4)
    assert release(shop) == Released(4, more=False)
