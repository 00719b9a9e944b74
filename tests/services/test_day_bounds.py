"""The bounds of a day: exact, told to a person, and nothing goes on past them until that person says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain.documents.invoices import Collection, CollectionBlock, Invoice
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.merchants import INVOICE_SERIES, Merchant, NumberSeries, series_id
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.services.billing.bounds import USUAL, Bounds
from chalicelib.services.billing.charging import charge_invoice
from chalicelib.services.billing.issuing import Issued, billing_timer, issue_due
from chalicelib.services.billing.parking import unpark
from chalicelib.services.billing.sweeping import TOLD_AFTER, sweep
from chalicelib.services.ports import ProviderUnavailable, QueueName, StoreUnavailable, Update
from chalicelib.services.saving import commit
from chalicelib.services.subscriptions import cancel
from tests.fakes.troubled import TroubledStore
from tests.services.shop import Shop

DUE = datetime(2027, 2, 28, 20, 30, tzinfo=UTC)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def due(shop: Shop, count: int) -> list[Timer]:
    """That many subscriptions, due now."""
    made = [shop.subscribe() for _ in range(count)]
    shop.settle()
    shop.clock.set(DUE)
    return timers_of(shop, [each.id for each in made])


def timers_of(shop: Shop, ids: list[str]) -> list[Timer]:
    found = [billing_timer(shop.subscription(each)) for each in ids]
    return [each for each in found if each is not None]


def issue(shop: Shop, timers: list[Timer], bounds: Bounds) -> Issued:
    return issue_due(shop.ports, shop.merchant.id, timers, bounds=bounds)


def merchant(shop: Shop) -> Merchant:
    return shop.store.get(Merchant, shop.merchant.id)


def series(shop: Shop) -> NumberSeries:
    return shop.store.get(NumberSeries, series_id(shop.merchant.id, INVOICE_SERIES))


def renewals(shop: Shop) -> list[Invoice]:
    return [each for each in shop.invoices() if each.checkout_id is None]


def test_exactly_as_many_as_the_bound_are_issued_then_the_merchant_is_parked_and_its_operator_told(shop: Shop) -> None:
    timers = due(shop, 5)
    commit(shop.ports, [Update(replace(merchant(shop), support_email="hello@pinewood.example"))])
    said = issue(shop, timers, Bounds(3, 3))
    assert (said.invoices, said.parked) == (3, "more than 3 invoices were due on 2027-02-28")
    assert len(renewals(shop)) == 3
    assert (merchant(shop).parked_at, merchant(shop).parked_reason) == (DUE, said.parked)
    assert shop.event_types()[-1] == "account.parked"
    [mail] = [each for each in shop.store.all(Mail) if each.kind is MailKind.PARKED]
    assert (mail.to, mail.about_id, mail.due) == ("hello@pinewood.example", shop.merchant.id, DUE)
    assert len([each for each in shop.store.timers if each.kind is TimerKind.BILL_PERIOD and each.due <= DUE]) == 2
    assert (series(shop).counted_on, series(shop).invoices_that_day, series(shop).charges_that_day) == (
        DUE.date(),
        3,
        3,
    )


def test_the_bound_itself_may_be_reached_without_anything_happening(shop: Shop) -> None:
    assert issue(shop, due(shop, 3), Bounds(3, 3)).invoices == 3
    assert merchant(shop).parked_at is None
    assert Bounds(20_000, 20_000) == USUAL


def test_charges_have_a_bound_of_their_own(shop: Shop) -> None:
    said = issue(shop, due(shop, 3), Bounds(10, 2))
    assert (said.invoices, said.parked) == (2, "more than 2 charges were due on 2027-02-28")


def test_an_invoice_that_is_sent_counts_as_no_charge_though_it_has_a_timer_for_being_overdue(shop: Shop) -> None:
    timers = due(shop, 2)
    for each in shop.store.all(Subscription):
        commit(shop.ports, [Update(replace(each, collection=Collection.SEND))])
    assert issue(shop, timers, Bounds(10, 1)).parked is None
    assert (series(shop).invoices_that_day, series(shop).charges_that_day) == (2, 0)
    assert None not in [each.charge_at for each in renewals(shop)]


def test_nothing_is_issued_for_a_parked_merchant_and_nothing_is_written(shop: Shop) -> None:
    timers = due(shop, 3)
    issue(shop, timers, Bounds(1, 1))
    store = TroubledStore(shop.store)
    said = issue_due(replace(shop.ports, records=store), shop.merchant.id, timers, bounds=USUAL)
    assert (said.invoices, said.ended, said.parked) == (0, 0, None)
    assert [each for each in store.commits if any(isinstance(write, Update) for write in each)] == []


def test_a_charge_of_a_parked_merchant_waits_says_so_and_asks_stripe_nothing(shop: Shop) -> None:
    timers = due(shop, 3)
    issue(shop, timers, Bounds(2, 2))
    asked = len(shop.stripe.intents())
    charges = [each for each in shop.store.timers if each.kind is TimerKind.CHARGE_INVOICE]
    assert [charge_invoice(shop.ports, each) for each in charges] == ["parked", "parked"]
    assert len(shop.stripe.intents()) == asked
    assert [each.collection_blocked for each in renewals(shop)] == [CollectionBlock.PARKED] * 2
    assert [each.charge_at for each in renewals(shop)] == [DUE] * 2
    assert set(charges) <= set(shop.store.timers)
    version = renewals(shop)[0].version
    charge_invoice(shop.ports, charges[0])
    assert renewals(shop)[0].version == version


def test_unparked_what_is_due_goes_on_exactly_once(shop: Shop) -> None:
    timers = due(shop, 5)
    issue(shop, timers, Bounds(2, 2))
    shop.run()
    shop.run()
    unparked = unpark(shop.ports, shop.merchant.id, actor="api:test")
    assert (unparked.parked_at, unparked.parked_reason) == (None, None)
    assert shop.event_types()[-1] == "account.unparked"
    assert (series(shop).counted_on, series(shop).invoices_that_day) == (None, 0)
    shop.settle()
    assert [(each.status, each.collection_blocked) for each in renewals(shop)] == [("paid", None)] * 5
    assert sorted({each.subscription_id for each in renewals(shop)}) == sorted(
        each.id for each in shop.store.all(Subscription)
    )
    assert len(shop.succeeded()) == 10
    assert [each.number for each in shop.invoices()] == [f"INV-{number:04d}" for number in range(1, 11)]


def test_an_invoice_of_a_subscription_that_ended_meanwhile_no_longer_says_that_it_is_parked(shop: Shop) -> None:
    issue(shop, due(shop, 2), Bounds(1, 1))
    shop.run()
    [invoice] = renewals(shop)
    assert invoice.collection_blocked is CollectionBlock.PARKED
    cancel(shop.ports, shop.merchant.id, invoice.subscription_id or "", at="now", actor="buyer")
    unpark(shop.ports, shop.merchant.id, actor="api:test")
    shop.settle()
    after = shop.store.get(Invoice, invoice.id)
    assert (after.status, after.charge_at, after.collection_blocked) == ("open", None, None)


def test_unparking_who_is_not_parked_changes_nothing(shop: Shop) -> None:
    before = merchant(shop)
    assert unpark(shop.ports, shop.merchant.id, actor="api:test") == before
    assert merchant(shop) == before
    assert "account.unparked" not in shop.event_types()


def test_the_next_day_counts_from_nothing_and_buyers_count_for_nothing(shop: Shop) -> None:
    timers = due(shop, 2)
    shop.press(shop.buyer(shop.one_time))
    assert issue(shop, timers[:1], Bounds(1, 1)).parked is None
    shop.clock.set(datetime(2027, 3, 1, 0, 0, tzinfo=UTC))
    shop.press(shop.buyer(shop.one_time))
    assert issue(shop, timers[1:], Bounds(1, 1)).parked is None
    assert (series(shop).counted_on, series(shop).invoices_that_day) == (shop.clock.now().date(), 1)


def test_a_buyer_pays_while_the_schedule_is_parked(shop: Shop) -> None:
    issue(shop, due(shop, 2), Bounds(1, 1))
    assert shop.press(shop.buyer(shop.one_time)).ending == "paid"


def test_the_sweep_leaves_a_parked_merchants_work_where_it_is_and_hands_over_all_else(shop: Shop) -> None:
    timers = due(shop, 3)
    issue(shop, timers, Bounds(2, 2))
    swept = sweep(shop.ports)
    assert shop.queues.take(QueueName.BILLING) == []
    # The charges are handed over for a while, so that their invoices come to say why they wait.
    assert len(shop.queues.take(QueueName.CHARGES)) == 2
    assert (swept.due, swept.messages) == (2, 2)
    shop.after(minutes=TOLD_AFTER.total_seconds() / 60, seconds=1)
    swept = sweep(shop.ports)
    assert (swept.due, swept.messages, swept.lag_seconds) == (0, 0, 0)
    unpark(shop.ports, shop.merchant.id, actor="api:test")
    assert sweep(shop.ports).messages == 3


def test_who_parks_meanwhile_is_not_undone_by_a_worker_that_read_before(shop: Shop) -> None:
    timers = due(shop, 2)
    store = TroubledStore(shop.store)
    store.before(2, lambda: issue(shop, timers[1:], Bounds(1, 1)) and None)
    said = issue_due(replace(shop.ports, records=store), shop.merchant.id, timers[:1] + timers[1:], bounds=Bounds(1, 1))
    assert said.invoices == 1
    assert shop.event_types().count("account.parked") == 1
    assert len(renewals(shop)) == 1


def test_a_try_in_doubt_is_found_out_while_parked_and_what_was_paid_is_booked(shop: Shop) -> None:
    [timer] = due(shop, 1)
    issue(shop, [timer], USUAL)
    [charge] = [each for each in shop.store.timers if each.kind is TimerKind.CHARGE_INVOICE]
    shop.stripe.fail("confirm_off_session", effect=True)
    with pytest.raises(ProviderUnavailable):
        charge_invoice(shop.ports, charge)
    commit(shop.ports, [Update(replace(merchant(shop), parked_at=shop.clock.now(), parked_reason="a test"))])
    charge_invoice(shop.ports, charge)
    assert [each.status for each in renewals(shop)] == ["paid"]
    assert len(shop.succeeded()) == 2


@pytest.mark.parametrize("effect", [True, False])
def test_a_worker_that_dies_over_the_parking_is_followed_by_one_that_parks_once(shop: Shop, effect: bool) -> None:
    timers = due(shop, 2)
    store = TroubledStore(shop.store)
    store.lose_reply(2, effect=effect)
    with pytest.raises(StoreUnavailable):
        issue_due(replace(shop.ports, records=store), shop.merchant.id, timers, bounds=Bounds(1, 1))
    issue(shop, timers, Bounds(1, 1))
    assert merchant(shop).parked_at == DUE
    assert shop.event_types().count("account.parked") == 1
    assert len(renewals(shop)) == 1


@pytest.mark.parametrize("effect", [True, False])
def test_an_unparking_without_an_answer_is_asked_for_again_and_happens_once(shop: Shop, effect: bool) -> None:
    issue(shop, due(shop, 2), Bounds(1, 1))
    store = TroubledStore(shop.store)
    store.lose_reply(1, effect=effect)
    with pytest.raises(StoreUnavailable):
        unpark(replace(shop.ports, records=store), shop.merchant.id, actor="api:test")
    assert unpark(shop.ports, shop.merchant.id, actor="api:test").parked_at is None
    assert shop.event_types().count("account.unparked") == 1
    shop.settle()
    assert [each.status for each in renewals(shop)] == ["paid", "paid"]


def test_a_worker_without_time_left_leaves_the_rest_to_the_next_sweep(shop: Shop) -> None:
    timers = due(shop, 2)
    shop.clock.set(DUE + timedelta(days=62))
    left = iter([True, False])
    said = issue_due(shop.ports, shop.merchant.id, timers, enough_time=lambda: next(left))
    assert (said.invoices, said.more) == (4, True)
    shop.settle()
    assert len(renewals(shop)) == 6
    periods = sorted((each.subscription_id or "", each.period.index) for each in renewals(shop) if each.period)
    assert [index for _, index in periods] == [1, 2, 3, 1, 2, 3]


def test_a_sweep_without_time_left_sends_what_it_read_and_the_next_one_begins_elsewhere(shop: Shop) -> None:
    due(shop, 6)
    left = iter([True, False] + [False] * 20)
    first = sweep(shop.ports, enough_time=lambda: next(left))
    sent = shop.queues.take(QueueName.BILLING)
    assert first.due == sum(len(each.body["timers"]) for each in sent) < 6
    assert sweep(shop.ports).due == 6
