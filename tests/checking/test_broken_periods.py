"""I4 and I5: each broken by hand, each found, and nothing else with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.billing.schedule import Epoch, Schedule
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.services.billing.issuing import billing_timer
from chalicelib.services.ports import SetTimer
from chalicelib.services.subscriptions import cancel
from tests.checking.broken import at, issued, messages, paid, renewed, wrong
from tests.services.shop import Shop, monthly_line


def only(shop: Shop) -> Subscription:
    [subscription] = shop.store.all(Subscription)
    return subscription


def test_i4_a_period_that_begins_elsewhere_than_its_epoch_puts_it(shop: Shop) -> None:
    invoice = renewed(shop)
    assert invoice.period is not None
    late = replace(invoice.period, start=invoice.period.start + timedelta(hours=1))
    shop.store.overwrite(replace(invoice, period=late))
    assert wrong(shop) == {("I4", invoice.id)}
    assert messages(shop) == [
        "period 1 is 2027-02-28T21:30:00Z to 2027-03-31T19:30:00Z, "
        "its epoch makes it 2027-02-28T20:30:00Z to 2027-03-31T19:30:00Z"
    ]


def test_i4_a_period_that_is_billed_twice(shop: Shop) -> None:
    second = renewed(shop)
    first = shop.invoices()[0]
    shop.store.overwrite(replace(second, period=first.period))
    subscription = only(shop)
    # The period that it should have billed is lost with it, its id is of that one, one paid period is missing, and a
    # first period that the scheduler bills would have activated the subscription.
    assert wrong(shop) == {
        ("I4", subscription.id),
        ("I4", second.id),
        ("I5", subscription.id),
        ("I2", subscription.id),
        ("I19", subscription.id),
    }


def test_i4_an_invoice_of_a_period_that_is_said_to_come(shop: Shop) -> None:
    invoice = issued(shop)
    subscription = only(shop)
    before = replace(subscription, next_index=1, timer_at=at(2, 28))
    shop.store.overwrite(before)
    timer = billing_timer(before)
    assert timer is not None
    shop.store.commit("by hand", [SetTimer(timer)])
    assert wrong(shop) == {("I4", subscription.id)}
    assert messages(shop) == ["period 1 is billed, 1 is said to be next"]
    assert invoice.period is not None


def test_i4_an_invoice_of_no_subscription(shop: Shop) -> None:
    shop.subscribe()
    [invoice] = shop.invoices()
    lines = tuple(replace(line, subscription_id="sub_gone") for line in invoice.line_periods)
    shop.store.overwrite(replace(invoice, line_periods=(*invoice.line_periods, *lines)))
    assert wrong(shop) == {("I4", invoice.id)}


def test_i4_more_periods_than_the_term_has(shop: Shop) -> None:
    shop.press(shop.buyer(shop.link("Course", monthly_line(number_of_payments=3))))
    shop.until(at(3, 3))
    subscription = only(shop)
    shop.store.overwrite(replace(subscription, recurrence=Recurrence(Frequency.MONTHLY, number_of_payments=1)))
    assert wrong(shop) == {("I4", subscription.id)}


def test_i4_past_due_invoices_that_are_none(shop: Shop) -> None:
    invoice = renewed(shop)
    subscription = only(shop)
    shop.store.overwrite(replace(subscription, past_due_invoices=(invoice.id,)))
    assert ("I4", subscription.id) in wrong(shop)
    # Nothing ever told that it fell behind either.
    assert wrong(shop) == {("I4", subscription.id), ("I19", subscription.id)}


def test_i5_a_period_that_was_left_out(shop: Shop) -> None:
    renewed(shop)
    subscription = only(shop)
    following = replace(subscription, next_index=3, timer_at=at(4, 30, 19))
    timer = billing_timer(following)
    assert timer is not None
    shop.store.overwrite(following)
    shop.store.commit("by hand", [SetTimer(timer)])
    assert wrong(shop) == {("I5", subscription.id)}
    assert messages(shop) == ["periods without an invoice: [2]"]


def test_i5_a_subscription_whose_timer_is_gone(shop: Shop) -> None:
    renewed(shop)
    subscription = only(shop)
    timer = billing_timer(subscription)
    shop.store.lose(timer)
    assert wrong(shop) == {("I5", subscription.id)}
    assert messages(shop) == ["its timer at 2027-03-31T19:30:00Z does not stand"]


def test_i5_a_subscription_that_says_it_has_no_timer(shop: Shop) -> None:
    renewed(shop)
    subscription = only(shop)
    shop.store.overwrite(replace(subscription, timer_at=None))
    assert wrong(shop) == {("I5", subscription.id)}
    shop.store.overwrite(replace(subscription, timer_at=at(4, 30, 19)))
    assert messages(shop) == ["its timer is at 2027-04-30T19:30:00Z, period 2 at 2027-03-31T19:30:00Z"]


def test_i5_a_cancelled_subscription_needs_no_timer_and_a_term_that_is_owed_none_either(shop: Shop) -> None:
    subscription = shop.subscribe()
    cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="test")
    form = shop.buyer(shop.link("Course", monthly_line(number_of_payments=2)))
    shop.press(form)
    [term] = [each for each in shop.store.all(Subscription) if each.id != subscription.id]
    assert term.method is not None
    shop.stripe.behave(term.method.payment_method_id, "pm_card_chargeCustomerFail")
    shop.until(at(6, 30))
    owed = shop.subscription(term.id)
    assert (owed.status, owed.timer_at, owed.next_index) == ("unpaid", None, 2)
    assert wrong(shop) == set()


def test_i5_a_term_that_is_paid_and_would_never_end(shop: Shop) -> None:
    form = shop.buyer(shop.link("Course", monthly_line(number_of_payments=2)))
    shop.press(form)
    shop.until(at(3, 3))
    subscription = only(shop)
    assert (subscription.next_index, subscription.payments_made, subscription.status) == (2, 2, "active")
    assert wrong(shop) == set()
    shop.store.lose(billing_timer(subscription))
    shop.store.overwrite(replace(subscription, timer_at=None))
    assert wrong(shop) == {("I5", subscription.id)}
    assert messages(shop) == ["period 2 is due and has no timer"]


def test_periods_across_a_pause_and_a_new_rhythm_are_where_their_epochs_put_them(shop: Shop) -> None:
    renewed(shop)
    subscription = only(shop)
    # Paused from its second period's end for a month, and weekly from then on.
    weekly = Epoch.at_instant(2, at(4, 30, 19), Frequency.WEEKLY, "America/New_York")
    unrecorded = Schedule((*subscription.schedule.epochs, weekly))
    shop.store.overwrite(replace(subscription, schedule=unrecorded, timer_at=at(4, 30, 19)))
    assert ("I4", subscription.id) in wrong(shop)
    paused = replace(subscription, schedule=subscription.schedule.restarted([weekly]), timer_at=at(4, 30, 19))
    timer = billing_timer(paused)
    assert timer is not None
    shop.store.overwrite(paused)
    shop.store.commit("by hand", [SetTimer(timer)])
    assert wrong(shop) == set()
    shop.until(at(5, 15))
    assert [invoice.period and invoice.period.start for invoice in shop.invoices()][2:] == [
        at(4, 30, 19),
        at(5, 7, 19),
        at(5, 14, 19),
    ]
    assert wrong(shop) == set()
    assert paid(shop).number == "INV-0006"
