"""What the clock does: one invoice a period, in order, charged once, and told as it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.domain.errors import StateConflict
from chalicelib.services.billing.charging import charge_invoice, charge_timer
from chalicelib.services.billing.issuing import billing_timer, issue_due
from chalicelib.services.ports import ProviderBusy, ProviderRefused, QueueUnavailable, Update
from chalicelib.services.saving import commit
from chalicelib.services.subscriptions import cancel
from tests.services.shop import Shop, monthly_line, usd


@pytest.fixture
def shop() -> Shop:
    return Shop()


def at(month: int, day: int, hour: int = 20, minute: int = 30) -> datetime:
    """A time in 2027, UTC."""
    return datetime(2027, month, day, hour, minute, tzinfo=UTC)


def test_a_month_later_the_next_invoice_is_issued_and_charged_not_a_second_earlier(shop: Shop) -> None:
    subscription = shop.subscribe()
    shop.settle()
    shop.clock.set(at(2, 28) - timedelta(seconds=1))
    shop.settle()
    assert len(shop.invoices()) == 1
    shop.clock.set(at(2, 28))
    shop.settle()
    first, second = shop.invoices()
    assert (second.number, second.status, second.period and second.period.index) == ("INV-0002", "paid", 1)
    assert second.due_date is not None
    assert second.due_date.isoformat() == "2027-02-28"
    assert second.totals.total == usd(4_900)
    assert [payment.invoice_id for payment in shop.payments()] == [first.id, second.id]
    assert len(shop.succeeded()) == 2
    assert shop.subscription(subscription.id).payments_made == 2
    assert len(shop.mailer.sent) == 2
    assert [(timer.kind, timer.due) for timer in shop.store.timers] == [(TimerKind.BILL_PERIOD, at(3, 31, 19))]


def test_a_monthly_subscription_from_the_31st_keeps_its_local_hour_over_month_ends_and_summer_time(shop: Shop) -> None:
    shop.subscribe()
    shop.until(at(5, 1))
    assert [invoice.period and invoice.period.start for invoice in shop.invoices()] == [
        at(1, 31),
        at(2, 28),
        at(3, 31, 19),
        at(4, 30, 19),
    ]
    assert [invoice.status for invoice in shop.invoices()] == ["paid"] * 4


def test_after_an_outage_of_five_months_all_invoices_come_in_order_and_only_the_newest_is_charged(shop: Shop) -> None:
    shop.subscribe()
    shop.settle()
    shop.clock.set(at(6, 30, 19))
    shop.settle()
    invoices = shop.invoices()
    assert [invoice.number for invoice in invoices] == [f"INV-000{n}" for n in range(1, 7)]
    assert [invoice.period and invoice.period.index for invoice in invoices] == [0, 1, 2, 3, 4, 5]
    assert [(invoice.status, invoice.collection_blocked) for invoice in invoices] == [
        ("paid", None),
        ("open", "held"),
        ("open", "held"),
        ("open", "held"),
        ("open", "held"),
        ("paid", None),
    ]
    assert len(shop.succeeded()) == 2


def test_running_the_scheduler_twice_or_the_same_message_again_changes_nothing(shop: Shop) -> None:
    subscription = shop.subscribe()
    timer = billing_timer(subscription)
    assert timer is not None
    shop.clock.set(at(2, 28))
    assert issue_due(shop.ports, shop.merchant.id, [timer]).invoices == 1
    assert issue_due(shop.ports, shop.merchant.id, [timer]).invoices == 0
    shop.settle()
    shop.settle()
    assert [invoice.number for invoice in shop.invoices()] == ["INV-0001", "INV-0002"]
    assert len(shop.succeeded()) == 2


def test_nineteen_subscriptions_are_issued_in_one_transaction_with_numbers_in_a_row(shop: Shop) -> None:
    subscriptions = [shop.subscribe() for _ in range(19)]
    timers = [timer for each in subscriptions if (timer := billing_timer(each)) is not None]
    shop.clock.set(at(2, 28))
    before = shop.ids._count
    assert issue_due(shop.ports, shop.merchant.id, timers).invoices == 19
    assert shop.ids._count - before < 100
    assert [invoice.number for invoice in shop.invoices()][19:] == [f"INV-{n:04d}" for n in range(20, 39)]


def test_a_subscription_that_was_cancelled_meanwhile_is_left_out_of_the_batch(shop: Shop) -> None:
    first, second = shop.subscribe(), shop.subscribe()
    timers = [timer for each in (first, second) if (timer := billing_timer(each)) is not None]
    cancel(shop.ports, shop.merchant.id, first.id, at="now", actor="test")
    shop.clock.set(at(2, 28))
    assert issue_due(shop.ports, shop.merchant.id, timers).invoices == 1
    assert [invoice.subscription_id for invoice in shop.invoices()][2:] == [second.id]


def test_a_declined_renewal_makes_the_subscription_past_due_and_says_so(shop: Shop) -> None:
    subscription = shop.subscribe("pm_card_visa")
    assert subscription.method is not None
    shop.stripe.behave(subscription.method.payment_method_id, "pm_card_chargeCustomerFail")
    shop.clock.set(at(2, 28))
    shop.settle()
    invoice = shop.invoices()[1]
    assert (invoice.status, invoice.charge_at, invoice.amount_due) == ("open", at(3, 1), usd(4_900))
    [attempt] = invoice.part.attempts
    assert (attempt.outcome, attempt.decline_code) == ("declined", "generic_decline")
    behind = shop.subscription(subscription.id)
    assert (behind.status, behind.past_due_invoices) == ("past_due", (invoice.id,))
    assert "subscription.past_due" in shop.event_types()
    assert "invoice.payment_failed" in shop.event_types()
    # Periods go on, and a retry after an outage that fails is the end of the ladder.
    shop.clock.set(at(3, 31, 19))
    shop.settle()
    assert len(shop.invoices()) == 3
    assert shop.subscription(subscription.id).past_due_invoices == (invoice.id, shop.invoices()[2].id)


@pytest.mark.parametrize("operation", ["create_intent", "confirm_off_session"])
@pytest.mark.parametrize("effect", [True, False])
@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=25), timedelta(days=4)])
def test_a_lost_answer_is_asked_for_before_anything_is_charged_again(
    shop: Shop, operation: str, effect: bool, later: timedelta
) -> None:
    shop.subscribe()
    shop.settle()
    shop.clock.set(at(2, 28))
    shop.stripe.fail(operation, effect=effect)
    shop.run()
    assert "not done: the answer was told to be lost" in shop.run()
    assert shop.invoices()[1].status == "open"
    shop.clock.set(at(2, 28) + later)
    shop.settle()
    assert [invoice.status for invoice in shop.invoices()] == ["paid", "paid"]
    assert len(shop.succeeded()) == len(shop.payments()) == 2
    assert len(shop.mailer.sent) == 2


def test_a_busy_stripe_and_a_revoked_key_use_up_no_try(shop: Shop) -> None:
    shop.subscribe()
    shop.settle()
    shop.clock.set(at(2, 28))
    shop.stripe.fail("confirm_off_session", ProviderBusy("429"), times=2)
    shop.run()
    shop.run()
    shop.run()
    shop.stripe.fail("confirm_off_session", ProviderRefused("api_key", "revoked"))
    timer = charge_timer(shop.invoices()[1])
    assert timer is not None
    with pytest.raises(ProviderRefused):
        charge_invoice(shop.ports, timer)
    shop.settle()
    invoice = shop.invoices()[1]
    assert (invoice.status, [attempt.number for attempt in invoice.part.attempts]) == ("paid", [1])


def test_an_invoice_paid_by_a_webhook_is_not_charged_by_its_timer(shop: Shop) -> None:
    shop.subscribe()
    shop.settle()
    shop.clock.set(at(2, 28))
    shop.stripe.fail("confirm_off_session", effect=True)
    shop.run()
    shop.run()
    intent = shop.stripe.intents()[1]
    assert shop.tell(shop.notice("payment_intent.succeeded", intent)) == "applied"
    assert shop.invoices()[1].status == "paid"
    confirms = len(shop.stripe.calls_of("confirm_off_session"))
    shop.settle()
    assert len(shop.stripe.calls_of("confirm_off_session")) == confirms
    assert len(shop.payments()) == 2


def test_a_stale_timer_is_dropped_and_does_nothing(shop: Shop) -> None:
    subscription = shop.subscribe()
    shop.clock.set(at(2, 28))
    stale = billing_timer(subscription)
    assert stale is not None
    shop.settle()
    from chalicelib.services.ports import SetTimer

    commit(shop.ports, [SetTimer(stale)])
    shop.settle()
    assert len(shop.invoices()) == 2
    assert stale not in shop.store.timers


def test_a_fixed_term_ends_after_its_last_period(shop: Shop) -> None:
    link = shop.link("Course", monthly_line(number_of_payments=2))
    form = shop.buyer(link)
    shop.press(form)
    shop.until(at(6, 30))
    assert [invoice.period and invoice.period.index for invoice in shop.invoices()] == [0, 1]
    [subscription] = shop.store.all(Subscription)
    assert (subscription.status, subscription.ended_at) == ("expired", at(3, 31, 19))
    assert shop.store.timers == []


def test_cancel_at_period_end_lets_the_paid_month_run_and_bills_no_more(shop: Shop) -> None:
    subscription = shop.subscribe()
    done = cancel(shop.ports, shop.merchant.id, subscription.id, at="period_end", actor="buyer", reason="moving")
    assert (done.status, done.cancel_at_period_end, done.next_invoice_at) == ("active", True, None)
    assert cancel(shop.ports, shop.merchant.id, subscription.id, at="period_end", actor="buyer") == done
    shop.until(at(4, 30))
    ended = shop.subscription(subscription.id)
    assert (ended.status, ended.ended_at, ended.cancel_reason) == ("canceled", at(2, 28), "moving")
    assert len(shop.invoices()) == 1
    with pytest.raises(StateConflict):
        cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="test")


def test_a_cancelled_subscription_is_not_charged_for_an_invoice_issued_before(shop: Shop) -> None:
    subscription = shop.subscribe()
    shop.settle()
    shop.clock.set(at(2, 28))
    shop.run()
    cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="test")
    shop.settle()
    invoice = shop.invoices()[1]
    assert (invoice.status, invoice.charge_at) == ("open", None)
    assert len(shop.succeeded()) == 1


def test_a_merchant_that_cannot_transact_is_invoiced_for_but_not_charged(shop: Shop) -> None:
    shop.subscribe()
    shop.settle()
    merchant = shop.store.get(type(shop.merchant), shop.merchant.id)
    commit(shop.ports, [Update(replace(merchant, can_transact=False))])
    shop.clock.set(at(2, 28))
    shop.run()
    invoice = shop.invoices()[1]
    assert (invoice.status, invoice.collection_blocked, invoice.charge_at) == ("open", "disconnected", None)
    shop.settle()
    assert len(shop.stripe.calls_of("confirm_off_session")) == 0


def test_what_a_queue_refused_is_sent_by_the_next_sweep(shop: Shop) -> None:
    shop.subscribe()
    shop.settle()
    shop.clock.set(at(2, 28))
    shop.queues.fail_next()
    with pytest.raises(QueueUnavailable):
        shop.run()
    shop.settle()
    assert [invoice.status for invoice in shop.invoices()] == ["paid", "paid"]


def test_charges_of_one_subscription_stay_a_day_apart_after_an_outage(shop: Shop) -> None:
    from chalicelib.domain.billing.recurrence import Frequency, Recurrence
    from chalicelib.domain.documents.lines import LineItem

    link = shop.link("Weekly box", LineItem("Weekly box", 1, usd(2_000), recurring=Recurrence(Frequency.WEEKLY)))
    shop.press(shop.buyer(link))
    shop.settle()
    shop.clock.set(at(2, 14))
    shop.settle()
    assert [invoice.status for invoice in shop.invoices()] == ["paid", "paid", "open"]
    assert shop.invoices()[2].charge_at == at(2, 15)
    shop.clock.set(at(2, 15))
    shop.settle()
    assert [invoice.status for invoice in shop.invoices()] == ["paid", "paid", "paid"]


def test_an_issued_invoice_has_an_id_that_follows_from_its_subscription_and_period(shop: Shop) -> None:
    from chalicelib.domain.ids import derived_id

    subscription = shop.subscribe()
    shop.clock.set(at(3, 3))
    shop.settle()
    assert shop.invoices()[1].id == derived_id("inv", at(2, 28), f"{subscription.id}#1")
    assert shop.store.find(Invoice, shop.invoices()[1].id) is not None


def test_what_is_listed_was_created_when_its_id_says_also_after_an_outage(shop: Shop) -> None:
    from chalicelib.domain.documents.checkouts import Checkout
    from chalicelib.domain.documents.payments import Payment
    from chalicelib.domain.ids import time_of

    form = shop.buyer(shop.monthly)
    shop.after(hours=2)
    shop.press(form)
    shop.clock.set(at(5, 3))
    shop.settle()
    for kind in (Invoice, Payment, Subscription, Checkout):
        for record in shop.store.all(kind):
            assert time_of(record.id) == record.created_at, record


def test_a_charge_message_that_comes_again_after_a_decline_charges_nothing(shop: Shop) -> None:
    subscription = shop.subscribe()
    shop.settle()
    assert subscription.method is not None
    shop.stripe.behave(subscription.method.payment_method_id, "pm_card_chargeCustomerFail")
    shop.clock.set(at(2, 28))
    shop.run()
    timer = charge_timer(shop.invoices()[1])
    assert timer is not None
    shop.settle()
    confirms = len(shop.stripe.calls_of("confirm_off_session"))
    assert charge_invoice(shop.ports, timer) == "stale"
    assert len(shop.stripe.calls_of("confirm_off_session")) == confirms
    assert len(shop.invoices()[1].part.attempts) == 1


def test_an_intent_that_stripe_cancelled_before_it_was_confirmed_is_replaced(shop: Shop) -> None:
    shop.subscribe()
    shop.settle()
    shop.clock.set(at(2, 28))
    shop.stripe.fail("confirm_off_session", effect=False)
    shop.run()
    shop.run()
    shop.stripe.give_up(shop.invoices()[1].part.intent_id or "")
    shop.settle()
    invoice = shop.invoices()[1]
    assert (invoice.status, invoice.part.generation) == ("paid", 2)
    assert len(shop.succeeded()) == 2


def test_the_same_success_reported_twice_is_booked_once(shop: Shop) -> None:
    from chalicelib.services.billing.outcomes import apply_intent

    shop.subscribe()
    shop.settle()
    shop.clock.set(at(2, 28))
    shop.settle()
    paid, events = shop.invoices()[1], len(shop.event_types())
    intent = next(each for each in shop.stripe.intents() if each.id == paid.part.intent_id)
    assert apply_intent(shop.ports, paid.id, intent, actor="test") == paid
    assert len(shop.event_types()) == events
    assert len(shop.payments()) == 2


def delayed(shop: Shop, count: int) -> list[Subscription]:
    """Subscriptions bought with something due today, whose own first period begins three days later."""
    from chalicelib.domain.billing.recurrence import Start, StartType
    from chalicelib.domain.documents.lines import LineItem

    later = monthly_line(start=Start(StartType.AFTER_DAYS, count=3))
    link = shop.link("Trial", LineItem("Welcome pack", 1, usd(1_000)), later)
    for _ in range(count):
        assert shop.press(shop.buyer(link, expected_total=1_000)).ending == "paid"
    return shop.store.all(Subscription)


def test_a_delayed_start_becomes_active_with_its_first_period_and_says_so(shop: Shop) -> None:
    [subscription] = delayed(shop, 1)
    assert (subscription.status, subscription.next_index, subscription.payments_made) == ("scheduled", 0, 0)
    shop.until(at(2, 3))
    begun = shop.subscription(subscription.id)
    assert (begun.status, begun.next_index, begun.payments_made) == ("active", 1, 1)
    assert [(invoice.period and invoice.period.index, invoice.status) for invoice in shop.invoices()][1:] == [
        (0, "paid")
    ]
    assert "subscription.activated" in shop.event_types()


def test_nineteen_first_periods_do_not_fit_one_transaction_and_are_issued_all_the_same(shop: Shop) -> None:
    timers = [timer for each in delayed(shop, 19) if (timer := billing_timer(each)) is not None]
    shop.clock.set(at(2, 3))
    assert issue_due(shop.ports, shop.merchant.id, timers).invoices == 19
    assert [invoice.number for invoice in shop.invoices()] == [f"INV-{n:04d}" for n in range(1, 39)]
