"""Stripe's own list of events, read every day: dropped webhooks are booked, whatever was done stays done."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.documents.intake import EventSweep, StripeEvent
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.services import event_sweep
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.event_sweep import begin_sweeps, sweep_events
from chalicelib.services.merchants import create_merchant
from chalicelib.services.ports import (
    ListedEvent,
    ProviderRefused,
    ProviderUnavailable,
    QueueName,
    Update,
)
from chalicelib.services.saving import commit
from tests.services.shop import ACCOUNT, Shop

DAY = timedelta(days=1)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def listed(
    shop: Shop, event_id: str, type_: str, data: dict[str, object], at: datetime | None = None, account: str = ACCOUNT
) -> None:
    """Stripe has this event on its list, and no webhook of it came."""
    event = ListedEvent(event_id, type_, account, livemode=False, created_at=at or shop.clock.now(), object=data)
    shop.stripe.events.append(event)


def unheard_payment(shop: Shop, number: int = 1) -> None:
    """A payment that happened, whose answer was lost and whose events nobody delivered."""
    shop.stripe.fail("confirm_with_token", effect=True)
    assert shop.press(shop.buyer(shop.one_time)).ending is Ending.CHECKING
    intent = shop.stripe.intents()[-1]
    listed(shop, f"evt_{number}", "payment_intent.succeeded", {"id": intent.id, "metadata": dict(intent.metadata)})


def swept(shop: Shop) -> event_sweep.Caught:
    return sweep_events(shop.ports, shop.merchant.id, direct_merchant_id=None)


def the_sweep(shop: Shop) -> EventSweep:
    [sweep] = shop.store.all(EventSweep)
    return sweep


def test_a_dropped_webhook_is_booked_by_the_next_nights_sweep(shop: Shop) -> None:
    unheard_payment(shop)
    assert shop.payments() == []
    shop.after(days=1)
    assert begin_sweeps(shop.ports) == 1
    shop.settle()
    assert [payment.status for payment in shop.payments()] == ["succeeded"]
    assert [row.state for row in shop.store.all(StripeEvent)] == ["done"]
    assert the_sweep(shop).swept_to == shop.clock.now()


def test_what_is_done_is_not_asked_about_again(shop: Shop) -> None:
    unheard_payment(shop)
    assert swept(shop) == event_sweep.Caught("finished", seen=1, taken_in=1)
    before, calls = shop.store.all(StripeEvent), len(shop.stripe.calls)
    shop.after(days=1)
    assert swept(shop) == event_sweep.Caught("finished", seen=1, taken_in=0)
    assert shop.store.all(StripeEvent) == before
    assert [call.operation for call in shop.stripe.calls[calls:]] == ["list_events"]


def test_every_run_looks_back_over_three_days_and_further_where_nights_were_missed(shop: Shop) -> None:
    swept(shop)
    first = shop.clock.now()
    shop.after(days=1)
    swept(shop)
    shop.after(days=9)
    swept(shop)
    asked = [call.arguments["created_after"] for call in shop.stripe.calls_of("list_events")]
    back = timedelta(days=3, hours=6)
    assert asked == [first - back, first + DAY - back, first + DAY - timedelta(hours=1)]


def test_it_never_asks_for_more_than_stripe_keeps(shop: Shop) -> None:
    swept(shop)
    shop.after(days=90)
    swept(shop)
    [_, asked] = [call.arguments["created_after"] for call in shop.stripe.calls_of("list_events")]
    assert asked == shop.clock.now() - timedelta(days=30) + timedelta(hours=1)


def test_a_long_list_is_read_page_by_page(shop: Shop) -> None:
    shop.stripe.events_page = 2
    for number in range(1, 6):
        unheard_payment(shop, number)
    assert swept(shop) == event_sweep.Caught("finished", seen=5, taken_in=5)
    cursors = [call.arguments["cursor"] for call in shop.stripe.calls_of("list_events")]
    assert cursors == [None, "evt_4", "evt_2"]
    assert len(shop.payments()) == 5


def test_a_run_that_dies_goes_on_where_it_stood(shop: Shop) -> None:
    shop.stripe.events_page = 2
    for number in range(1, 6):
        unheard_payment(shop, number)
    shop.stripe.fail("list_events", nth=2)
    with pytest.raises(ProviderUnavailable):
        swept(shop)
    began, stood = shop.clock.now(), the_sweep(shop)
    assert (stood.cursor, stood.began, stood.swept_to) == ("evt_4", began, None)
    shop.after(hours=3)
    assert swept(shop) == event_sweep.Caught("finished", seen=3, taken_in=3)
    assert len(shop.payments()) == 5
    # What came while it stood still is the next run's: this one has read up to when it began.
    assert the_sweep(shop).swept_to == began


def test_a_cursor_that_stripe_has_forgotten_is_not_used(shop: Shop) -> None:
    shop.stripe.events_page = 1
    for number in (1, 2):
        unheard_payment(shop, number)
    shop.stripe.fail("list_events", nth=2)
    with pytest.raises(ProviderUnavailable):
        swept(shop)
    shop.after(days=31)
    assert swept(shop).outcome == "finished"
    assert shop.stripe.calls_of("list_events")[-1].arguments["cursor"] is None


def test_more_than_one_message_can_carry_goes_on_under_another(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_sweep, "MOST_TAKEN_IN", 2)
    shop.stripe.events_page = 2
    for number in range(1, 6):
        unheard_payment(shop, number)
    shop.queues.take(QueueName.WORK)
    assert swept(shop) == event_sweep.Caught("goes on", seen=2, taken_in=2)
    shop.settle()
    assert len(shop.payments()) == 5
    assert the_sweep(shop).cursor is None


def test_two_runs_at_once_book_once_and_one_steps_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    unheard_payment(shop)
    lists = shop.stripe.list_events
    others: list[event_sweep.Caught] = []

    def meanwhile(account: str | None, **asked: object) -> object:
        monkeypatch.setattr(shop.stripe, "list_events", lists)
        others.append(swept(shop))
        return lists(account, **asked)  # type: ignore[arg-type]

    monkeypatch.setattr(shop.stripe, "list_events", meanwhile)
    assert swept(shop).outcome == "being swept by another"
    assert others == [event_sweep.Caught("finished", seen=1, taken_in=1)]
    assert len(shop.payments()) == 1


def test_one_event_that_cannot_be_done_holds_up_no_other_and_is_said(shop: Shop) -> None:
    for number in (1, 2, 3):
        unheard_payment(shop, number)
    shop.stripe.fail("retrieve_intent", nth=2)
    caught = swept(shop)
    assert (caught.outcome, caught.taken_in, len(caught.undone)) == ("finished", 3, 1)
    assert caught.undone[0].startswith("evt_2: ProviderUnavailable")
    assert sorted(row.state for row in shop.store.all(StripeEvent)) == ["done", "done", "received"]
    shop.after(minutes=10)
    shop.settle()
    assert len(shop.payments()) == 3


@pytest.mark.parametrize("error", [ProviderRefused("api_key", "revoked"), ProviderUnavailable("down")])
def test_a_list_that_cannot_be_read_is_read_by_a_later_run(shop: Shop, error: Exception) -> None:
    unheard_payment(shop)
    shop.stripe.fail("list_events", error)
    with pytest.raises(type(error)):
        swept(shop)
    assert shop.store.all(StripeEvent) == []
    shop.after(days=6)
    assert swept(shop).outcome == "finished"
    assert len(shop.payments()) == 1


def test_other_peoples_payments_on_the_same_account_leave_nothing_behind(shop: Shop) -> None:
    listed(shop, "evt_1", "payment_intent.succeeded", {"id": "pi_theirs", "metadata": {"order": "7"}})
    assert swept(shop) == event_sweep.Caught("finished", seen=1, taken_in=1)
    assert shop.store.all(StripeEvent) == []
    assert shop.payments() == []


def test_every_merchant_is_asked_about_over_as_many_pages_as_it_takes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_sweep, "_LISTED", 2)
    for number in range(4):
        shop.clock.advance(timedelta(seconds=1))
        create_merchant(shop.ports, name=f"Shop {number}", timezone="UTC", currency="usd")
    assert begin_sweeps(shop.ports) == 5
    asked = [body["merchant_id"] for body in shop.queues.bodies(QueueName.WORK)]
    assert sorted(asked) == ["mer_pinewood", "mer_shop-0", "mer_shop-1", "mer_shop-2", "mer_shop-3"]


def test_a_merchant_without_an_account_asks_stripe_nothing(shop: Shop) -> None:
    merchant, _ = create_merchant(shop.ports, name="New Shop", timezone="UTC", currency="usd")
    assert sweep_events(shop.ports, merchant.id, direct_merchant_id=None).outcome == "no account"
    assert sweep_events(shop.ports, "mer_nobody", direct_merchant_id=None).outcome == "no account"
    assert shop.stripe.calls_of("list_events") == []


def test_the_direct_merchants_events_are_those_of_the_deployments_own_account(shop: Shop) -> None:
    merchant = shop.store.get(Merchant, shop.merchant.id)
    commit(shop.ports, [Update(replace(merchant, stripe_account=None))])
    assert sweep_events(shop.ports, merchant.id, direct_merchant_id=merchant.id).outcome == "finished"
    assert [call.account for call in shop.stripe.calls_of("list_events")] == [None]


def test_a_merchant_that_disconnected_is_no_failure_every_night(shop: Shop) -> None:
    shop.stripe.fail("list_events", ProviderRefused("account_invalid", "no access"))
    assert swept(shop).outcome == "no access"
    assert the_sweep(shop).swept_to is None
