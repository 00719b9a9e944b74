"""What is past due is put right by a new method or a retry that is asked for; sent invoices become overdue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Collection, Invoice
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.terms import Due
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.domain.errors import NotFound, TillError
from chalicelib.services.billing.charging import charge_invoice, charge_timer
from chalicelib.services.billing.retrying import retry_past_due
from chalicelib.services.customers import NewCustomer, create_customer
from chalicelib.services.ports import Update
from chalicelib.services.saving import commit
from chalicelib.services.subscribing import NewSubscription, create_subscription
from chalicelib.services.subscriptions import cancel
from tests.services.shop import Shop, usd
from tests.services.test_dunning_ladder import (
    ASKS_BANK,
    DUE,
    LADDER,
    LOST,
    NO_MONEY,
    behave,
    fails,
    owed,
    told,
)
from tests.services.test_invoice_paying import pay

APRIL = datetime(2027, 4, 1, tzinfo=UTC)
"""By then a monthly subscription of 31 January that stopped paying owes two invoices, one of them never tried."""
NOTHING_SAID = {"consent_words": lambda view, now: None}


@pytest.fixture
def shop() -> Shop:
    return Shop()


def retry(shop: Shop, subscription: Subscription) -> Subscription:
    return retry_past_due(shop.ports, shop.merchant.id, subscription.id)


def refused(shop: Shop, subscription: Subscription) -> str:
    """The code that a retry is refused with, after which nothing is charged or written."""
    rows, timers, calls = dict(shop.store._rows), list(shop.store.timers), len(shop.stripe.calls)
    with pytest.raises(TillError) as refusal:
        retry(shop, subscription)
    assert (dict(shop.store._rows), list(shop.store.timers), len(shop.stripe.calls)) == (rows, timers, calls)
    return refusal.value.code


def charged(shop: Shop) -> list[str]:
    """The invoices that were tried with a stored method, in that order, by number."""
    numbers = {each.part.intent_id: each.number or "" for each in shop.invoices() if each.parts}
    return [numbers[call.arguments["intent_id"]] for call in shop.stripe.calls_of("confirm_off_session")]


# --- a new method


def test_a_new_method_charges_exactly_the_listed_invoices_oldest_first(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(APRIL)
    first, second = shop.invoices()[1:]
    assert (shop.subscription(subscription.id).status, second.collection_blocked) == ("unpaid", "unpaid")
    before = len(charged(shop))
    assert pay(shop, first).ending == "paid"
    assert shop.store.get(Invoice, first.id).also_charges == (second.id,)
    waiting = shop.store.get(Invoice, second.id)
    assert (waiting.charge_at, waiting.asked_at, waiting.collection_blocked) == (APRIL, APRIL, None)
    shop.settle()
    assert [str(each.status) for each in shop.invoices()] == ["paid", "paid", "paid"]
    assert charged(shop)[before:] == ["INV-0003"]
    after = shop.subscription(subscription.id)
    assert (after.status, after.past_due_invoices, after.untried) == ("active", (), 0)
    assert len(shop.succeeded()) == len(shop.payments()) == 3


def test_three_that_are_owed_are_charged_in_the_order_in_which_they_were_issued(shop: Shop) -> None:
    fails(shop)
    shop.until(datetime(2027, 6, 1, tzinfo=UTC))
    before = len(charged(shop))
    # The newest is paid on its page; the three older ones follow.
    assert pay(shop, shop.invoices()[-1]).ending == "paid"
    shop.settle()
    assert charged(shop)[before:] == ["INV-0002", "INV-0003", "INV-0004"]
    assert {str(each.status) for each in shop.invoices()} == {"paid"}


def test_an_invoice_that_fell_due_after_the_page_was_shown_is_not_charged_with_it(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(APRIL)
    first, second = shop.invoices()[1:]
    known = shop.subscription(subscription.id)
    shop.store.overwrite(replace(known, past_due_invoices=(first.id,)))

    def falls_due(*_: object) -> str:
        shop.store.overwrite(known)
        return "agreed again"

    assert pay(shop, first, consent_words=falls_due).ending == "paid"
    assert shop.store.get(Invoice, second.id) == second
    assert shop.subscription(subscription.id).past_due_invoices == (second.id,)


def test_without_consent_nothing_else_is_charged(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(APRIL)
    first, second = shop.invoices()[1:]
    assert pay(shop, first, **NOTHING_SAID).ending == "paid"
    shop.settle()
    assert shop.store.get(Invoice, second.id) == second
    assert shop.subscription(subscription.id).status == "unpaid"


def test_a_new_method_that_fails_on_the_next_invoice_leaves_that_one_on_a_ladder(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(APRIL)
    first, second = shop.invoices()[1:]
    assert pay(shop, first).ending == "paid"
    behave(shop, subscription, NO_MONEY)
    shop.settle()
    after = shop.store.get(Invoice, second.id)
    assert (after.status, after.failed_first_at, after.charge_at) == ("open", APRIL, APRIL + timedelta(days=1))
    assert shop.subscription(subscription.id).status == "unpaid"


def test_a_decline_on_the_page_charges_nothing_else(shop: Shop) -> None:
    fails(shop)
    shop.until(APRIL)
    first, second = shop.invoices()[1:]
    assert pay(shop, first, confirmation_token=shop.token("pm_card_chargeDeclined")).ending == "declined"
    shop.settle()
    assert shop.store.get(Invoice, second.id) == second


# --- a retry by hand


def test_a_retry_by_hand_charges_all_that_is_past_due_oldest_first(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(APRIL)
    behave(shop, subscription, "pm_card_visa")
    before = len(charged(shop))
    assert retry(shop, subscription).status == "unpaid"
    assert len(charged(shop)) == before
    shop.settle()
    assert charged(shop)[before:] == ["INV-0002", "INV-0003"]
    assert shop.subscription(subscription.id).status == "active"
    assert [attempt.asked for attempt in owed(shop).part.attempts] == [False] * 5 + [True]


def test_a_retry_in_the_middle_of_the_ladder_is_no_step_of_it(shop: Shop) -> None:
    subscription = fails(shop)
    asked = DUE + timedelta(hours=5)
    shop.until(asked)
    retry(shop, subscription)
    shop.settle()
    invoice = owed(shop)
    assert [(each.at, each.asked, each.next_at) for each in invoice.part.attempts] == [
        (DUE, False, LADDER[0]),
        (asked, True, LADDER[0]),
    ]
    assert (invoice.charge_at, invoice.gives_up_at) == (LADDER[0], LADDER[3])


def test_a_younger_invoice_waits_while_nobody_knows_how_the_older_one_ended(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(APRIL)
    behave(shop, subscription, "pm_card_visa")
    retry(shop, subscription)
    shop.stripe.fail("confirm_off_session", effect=True)
    second = shop.invoices()[2]
    timer = charge_timer(second)
    assert timer is not None
    assert charge_invoice(shop.ports, timer) == "waits for an older one"
    assert charge_timer(shop.invoices()[2]) == timer
    shop.settle()
    assert [str(each.status) for each in shop.invoices()] == ["paid", "paid", "paid"]
    assert len(shop.succeeded()) == len(shop.payments()) == 3


def test_asking_twice_charges_once(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(APRIL)
    behave(shop, subscription, "pm_card_visa")
    retry(shop, subscription)
    retry(shop, subscription)
    shop.settle()
    assert len(shop.succeeded()) == len(shop.payments()) == 3
    assert refused(shop, subscription) == "state_conflict"


def test_what_only_the_bank_stands_in_the_way_of_may_be_retried(shop: Shop) -> None:
    subscription = fails(shop, ASKS_BANK)
    shop.until(LADDER[0])
    behave(shop, subscription, "pm_card_visa")
    retry(shop, subscription)
    shop.settle()
    assert shop.subscription(subscription.id).status == "active"


@pytest.mark.parametrize("when", [LADDER[0], LADDER[3] + timedelta(days=1)], ids=["on the ladder", "after it"])
def test_a_method_that_was_declined_for_good_is_not_retried(shop: Shop, when: datetime) -> None:
    subscription = fails(shop, LOST)
    shop.until(when)
    assert refused(shop, subscription) == "state_conflict"
    shop.settle()
    assert len(charged(shop)) == 1


def test_only_the_invoices_that_the_method_was_not_declined_for_good_on_are_retried(shop: Shop) -> None:
    subscription = fails(shop, LOST)
    shop.until(APRIL)
    behave(shop, subscription, "pm_card_visa")
    retry(shop, subscription)
    shop.settle()
    assert [str(each.status) for each in shop.invoices()] == ["paid", "open", "paid"]
    assert shop.subscription(subscription.id).past_due_invoices == (owed(shop).id,)


def _paid_up(shop: Shop, subscription: Subscription) -> None:
    assert subscription.status == "active"


def _ended(shop: Shop, subscription: Subscription) -> None:
    shop.until(DUE)
    cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="test")


def _without_method(shop: Shop, subscription: Subscription) -> None:
    shop.until(DUE)
    shop.store.overwrite(replace(shop.subscription(subscription.id), method=None))


@pytest.mark.parametrize("prepare", [_paid_up, _ended, _without_method])
def test_a_retry_that_makes_no_sense_is_refused(shop: Shop, prepare: Callable[[Shop, Subscription], None]) -> None:
    subscription = fails(shop)
    prepare(shop, subscription)
    assert refused(shop, subscription) == "state_conflict"


def test_a_retry_for_a_merchant_that_cannot_transact_is_refused(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(DUE)
    merchant = shop.store.get(Merchant, shop.merchant.id)
    commit(shop.ports, [Update(replace(merchant, can_transact=False))])
    assert refused(shop, subscription) == "not_ready_to_transact"


def test_a_retry_while_the_invoice_is_being_paid_is_refused(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(DUE)
    shop.stripe.fail("confirm_with_token", effect=False)
    assert pay(shop, owed(shop)).ending == "checking"
    assert refused(shop, subscription) == "payment_in_progress"


def test_another_merchants_subscription_is_not_found(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(DUE)
    with pytest.raises(NotFound):
        retry_past_due(shop.ports, "mer_other", subscription.id)


def test_the_networks_limit_ends_retries_by_hand(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(DUE)
    for _ in range(14):
        shop.after(minutes=10)
        retry(shop, subscription)
        shop.settle()
    assert len(owed(shop).part.attempts) == 15
    # The ladder leaves the tries out too, and keeps its deadline.
    assert owed(shop).charge_at == LADDER[3]
    assert refused(shop, subscription) == "limit_reached"
    assert len(charged(shop)) == 15


# --- sent invoices


def sent(shop: Shop, days: int = 7, total: int = 4_900) -> Subscription:
    """A subscription that begins now and whose invoices are sent."""
    customer = create_customer(shop.ports, shop.merchant.id, NewCustomer("ada@example.com"), actor="test")
    assert isinstance(customer, Customer)
    new = NewSubscription(
        "usd",
        (LineItem("Membership", 1, usd(total)),),
        Recurrence(Frequency.MONTHLY),
        collection=Collection.SEND,
        due=Due(net_days=days),
    )
    made = create_subscription(shop.ports, shop.merchant.id, customer.id, new, actor="test")
    shop.settle()
    return shop.subscription(made.id)


OVERDUE = datetime(2027, 2, 8, 5, tzinfo=UTC)
"""The end of 7 February in New York."""


def test_a_sent_invoice_is_overdue_when_its_day_is_over_where_the_merchant_is(shop: Shop) -> None:
    subscription = sent(shop)
    [invoice] = shop.invoices()
    assert (str(invoice.due_date), invoice.charge_at) == ("2027-02-07", OVERDUE)
    shop.until(OVERDUE - timedelta(seconds=1))
    assert "invoice.overdue" not in shop.event_types()
    shop.until(OVERDUE)
    [late] = shop.invoices()
    assert (late.status, late.charge_at, late.part.attempts) == ("open", None, ())
    behind = shop.subscription(subscription.id)
    assert (behind.status, behind.past_due_invoices) == ("past_due", (invoice.id,))
    assert shop.event_types()[-2:] == ["invoice.overdue", "subscription.past_due"]
    assert [call.operation for call in shop.stripe.calls] == []
    assert [timer.kind for timer in shop.store.timers] == [TimerKind.BILL_PERIOD]


def test_a_day_that_loses_an_hour_ends_at_midnight_all_the_same(shop: Shop) -> None:
    shop.clock.set(datetime(2027, 3, 14, 4, 30, tzinfo=UTC))
    sent(shop, days=1)
    [invoice] = shop.invoices()
    assert (str(invoice.due_date), invoice.charge_at) == ("2027-03-14", datetime(2027, 3, 15, 4, tzinfo=UTC))


def test_an_overdue_invoice_that_is_paid_recovers_its_subscription(shop: Shop) -> None:
    subscription = sent(shop)
    shop.until(OVERDUE)
    assert pay(shop, shop.invoices()[0], **NOTHING_SAID).ending == "paid"
    assert (shop.subscription(subscription.id).status, told(shop)[-1]) == ("active", "subscription.recovered")


def test_one_that_is_paid_in_time_is_never_overdue(shop: Shop) -> None:
    subscription = sent(shop)
    assert pay(shop, shop.invoices()[0], **NOTHING_SAID).ending == "paid"
    shop.until(OVERDUE + timedelta(days=1))
    assert "invoice.overdue" not in shop.event_types()
    assert shop.subscription(subscription.id).status == "active"
    assert [timer.kind for timer in shop.store.timers] == [TimerKind.BILL_PERIOD]


def test_periods_go_on_while_one_is_overdue_and_each_is_overdue_by_itself(shop: Shop) -> None:
    subscription = sent(shop)
    shop.until(datetime(2027, 3, 9, tzinfo=UTC))
    first, second = shop.invoices()
    assert shop.subscription(subscription.id).past_due_invoices == (first.id, second.id)
    assert shop.event_types().count("invoice.overdue") == 2
    assert told(shop).count("subscription.past_due") == 1
    pay(shop, first, **NOTHING_SAID)
    assert shop.subscription(subscription.id).status == "past_due"
    pay(shop, second, **NOTHING_SAID)
    assert shop.subscription(subscription.id).status == "active"


def test_an_invoice_of_a_cancelled_subscription_is_overdue_and_changes_nothing_more(shop: Shop) -> None:
    subscription = sent(shop)
    ended = cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="test")
    shop.until(OVERDUE)
    assert shop.event_types()[-1] == "invoice.overdue"
    assert shop.subscription(subscription.id) == ended


def test_who_is_paying_at_midnight_is_waited_for(shop: Shop) -> None:
    subscription = sent(shop)
    shop.until(OVERDUE - timedelta(minutes=1))
    [invoice] = shop.invoices()
    done = pay(shop, invoice, **NOTHING_SAID, confirmation_token=shop.token(ASKS_BANK))
    assert done.ending == "requires_action"
    shop.clock.set(OVERDUE)
    assert "with its buyer" in shop.run()
    [intent] = shop.stripe.intents()
    shop.stripe.pass_challenge(intent.id)
    shop.settle()
    assert (shop.invoices()[0].status, shop.subscription(subscription.id).status) == ("paid", "active")
    assert "invoice.overdue" not in shop.event_types()


def test_who_walked_away_at_midnight_is_overdue_an_hour_later(shop: Shop) -> None:
    sent(shop)
    shop.until(OVERDUE - timedelta(minutes=1))
    pay(shop, shop.invoices()[0], **NOTHING_SAID, confirmation_token=shop.token(ASKS_BANK))
    shop.clock.set(OVERDUE + timedelta(hours=1))
    shop.settle()
    assert "invoice.overdue" in shop.event_types()


def test_a_sent_invoice_is_never_retried_by_hand(shop: Shop) -> None:
    subscription = sent(shop)
    shop.until(OVERDUE)
    assert refused(shop, subscription) == "state_conflict"


def test_a_sent_invoice_of_nothing_has_no_day_to_be_overdue_on(shop: Shop) -> None:
    sent(shop, total=0)
    [invoice] = shop.invoices()
    assert (invoice.status, invoice.charge_at) == ("paid", None)
    assert [timer.kind for timer in shop.store.timers] == [TimerKind.BILL_PERIOD]
