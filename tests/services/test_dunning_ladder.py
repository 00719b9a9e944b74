"""The ladder at work: what each kind of decline leads to, to the second, and how each setting ends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.billing.dunning import Dunning, LadderEnd
from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.services.account import update_account
from chalicelib.services.billing.charging import charge_invoice, charge_timer
from chalicelib.services.ports import ProviderRefused, SetTimer
from chalicelib.services.subscriptions import cancel
from tests.services.shop import Shop, usd
from tests.services.test_invoice_paying import pay

DUE = datetime(2027, 2, 28, 20, 30, tzinfo=UTC)
NO_MONEY = "pm_card_chargeDeclinedInsufficientFunds"
LOST = "pm_card_chargeDeclinedLostCard"
ASKS_BANK = "pm_card_authenticationRequired"
LADDER = [DUE + timedelta(days=day) for day in (1, 3, 5, 7)]


@pytest.fixture
def shop() -> Shop:
    return Shop()


def fails(shop: Shop, behaves: str = NO_MONEY, subscription: Subscription | None = None) -> Subscription:
    """A subscription whose stored card no longer pays; its first renewal is still to come."""
    subscription = subscription or shop.subscribe()
    shop.settle()
    behave(shop, subscription, behaves)
    return subscription


def behave(shop: Shop, subscription: Subscription, behaves: str) -> None:
    method = shop.subscription(subscription.id).method
    assert method is not None
    shop.stripe.behave(method.payment_method_id, behaves)


def setting(shop: Shop, *days: int, then: LadderEnd) -> None:
    """The merchant changes when failed charges are tried again, and what comes after."""
    dunning = Dunning(days, then) if days else Dunning(then=then)
    update_account(shop.ports, shop.merchant.id, {"dunning": dunning}, actor="test")


def owed(shop: Shop) -> Invoice:
    """The invoice that was declined first."""
    return shop.invoices()[1]


def tries(invoice: Invoice) -> list[tuple[datetime, str, datetime | None]]:
    return [(attempt.at, str(attempt.outcome), attempt.next_at) for attempt in invoice.part.attempts]


def mails_about(shop: Shop, invoice: Invoice) -> list[str]:
    """The kinds of mails about an invoice, oldest first."""
    mails = [mail for mail in shop.store.all(Mail) if mail.about_id == invoice.id]
    return [str(mail.kind) for mail in sorted(mails, key=lambda mail: (mail.created_at, mail.kind))]


def told(shop: Shop, prefix: str = "subscription.") -> list[str]:
    return [type_ for type_ in shop.event_types() if type_.startswith(prefix)]


# --- tries


def test_a_decline_that_time_may_mend_is_tried_again_on_days_1_3_5_and_7_to_the_second(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(LADDER[-1] - timedelta(seconds=1))
    invoice = owed(shop)
    assert tries(invoice) == [
        (DUE, "declined", LADDER[0]),
        (LADDER[0], "declined", LADDER[1]),
        (LADDER[1], "declined", LADDER[2]),
        (LADDER[2], "declined", LADDER[3]),
    ]
    assert (invoice.failed_first_at, invoice.gives_up_at, invoice.charge_at) == (DUE, LADDER[3], LADDER[3])
    assert shop.subscription(subscription.id).status == "past_due"
    keys = [call.key for call in shop.stripe.calls_of("confirm_off_session")]
    assert keys == [f"confirm-{invoice.part.intent_id}-{number}" for number in (1, 2, 3, 4)]
    assert mails_about(shop, invoice) == ["retrying"] * 4
    assert len(shop.stripe.intents()) == 2


def test_not_a_second_before_its_step_is_an_invoice_tried(shop: Shop) -> None:
    fails(shop)
    shop.until(LADDER[0] - timedelta(seconds=1))
    assert len(shop.stripe.calls_of("confirm_off_session")) == 1
    shop.until(LADDER[0])
    assert len(shop.stripe.calls_of("confirm_off_session")) == 2


def test_the_steps_keep_their_local_time_over_the_change_to_daylight_saving(shop: Shop) -> None:
    form = shop.buyer(shop.link("Weekly", LineItem("Weekly", 1, usd(4_900), recurring=Recurrence(Frequency.WEEKLY))))
    shop.clock.set(datetime(2027, 3, 5, 20, 30, tzinfo=UTC))
    shop.press(form)
    [subscription] = shop.store.all(Subscription)
    fails(shop, subscription=subscription)
    shop.until(datetime(2027, 3, 15, 20, tzinfo=UTC))
    assert [at for at, _, _ in tries(owed(shop))] == [
        datetime(2027, 3, 12, 20, 30, tzinfo=UTC),
        datetime(2027, 3, 13, 20, 30, tzinfo=UTC),
        datetime(2027, 3, 15, 19, 30, tzinfo=UTC),
    ]


def test_a_try_that_pays_ends_the_ladder_and_the_subscription_recovers(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(LADDER[0] + timedelta(hours=1))
    behave(shop, subscription, "pm_card_visa")
    shop.until(LADDER[1])
    invoice = owed(shop)
    assert (invoice.status, invoice.charge_at, len(invoice.part.attempts)) == ("paid", None, 3)
    after = shop.subscription(subscription.id)
    assert (after.status, after.past_due_invoices, after.payments_made) == ("active", (), 2)
    assert told(shop)[-2:] == ["subscription.past_due", "subscription.recovered"]
    assert mails_about(shop, invoice) == ["retrying", "retrying", "receipt", "recovered"]
    assert len(shop.succeeded()) == len(shop.payments()) == 2
    shop.until(LADDER[-1] + timedelta(days=1))
    assert len(shop.stripe.calls_of("confirm_off_session")) == 3


def test_each_invoice_has_a_ladder_of_its_own(shop: Shop) -> None:
    setting(shop, 10, 20, then=LadderEnd.UNPAID)
    form = shop.buyer(shop.link("Weekly", LineItem("Weekly", 1, usd(4_900), recurring=Recurrence(Frequency.WEEKLY))))
    shop.press(form)
    [subscription] = shop.store.all(Subscription)
    fails(shop, subscription=subscription)
    first, second = datetime(2027, 2, 7, 20, 30, tzinfo=UTC), datetime(2027, 2, 14, 20, 30, tzinfo=UTC)
    shop.until(second)
    one, two = shop.invoices()[1:3]
    assert (one.charge_at, two.charge_at) == (first + timedelta(days=10), second + timedelta(days=10))
    assert shop.subscription(subscription.id).past_due_invoices == (one.id, two.id)
    assert told(shop).count("subscription.past_due") == 1


def test_a_change_of_the_setting_reaches_only_invoices_that_fail_after_it(shop: Shop) -> None:
    fails(shop)
    shop.until(DUE)
    setting(shop, 2, then=LadderEnd.UNPAID)
    shop.until(datetime(2027, 3, 31, 19, 30, tzinfo=UTC))
    one = owed(shop)
    assert [at for at, _, _ in tries(one)] == [DUE, *LADDER]
    assert one.ladder == (1, 3, 5, 7)


@pytest.mark.parametrize(
    "behaves",
    [LOST, "pm_card_chargeDeclinedExpiredCard", "pm_card_chargeDeclinedIncorrectCvc"],
    ids=["do_not_try_again", "expired", "confirm_card_data"],
)
def test_a_hard_decline_skips_the_tries_and_not_the_deadline(shop: Shop, behaves: str) -> None:
    subscription = fails(shop, behaves)
    shop.until(LADDER[-1] - timedelta(seconds=1))
    invoice = owed(shop)
    assert tries(invoice) == [(DUE, "declined", None)]
    assert (invoice.charge_at, invoice.gives_up_at) == (LADDER[-1], LADDER[-1])
    assert shop.subscription(subscription.id).status == "past_due"
    assert mails_about(shop, invoice) == ["needs_you"]
    shop.until(LADDER[-1])
    given_up = owed(shop)
    assert (given_up.status, given_up.charge_at, tries(given_up)) == ("open", None, tries(invoice))
    assert shop.subscription(subscription.id).status == "unpaid"
    assert len(shop.stripe.calls_of("confirm_off_session")) == 1
    assert mails_about(shop, invoice) == ["needs_you"]


def test_a_card_that_is_lost_on_the_second_try_is_not_tried_a_third_time(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(DUE)
    behave(shop, subscription, LOST)
    shop.until(LADDER[-1])
    assert tries(owed(shop)) == [(DUE, "declined", LADDER[0]), (LADDER[0], "declined", None)]
    assert shop.subscription(subscription.id).status == "unpaid"
    assert mails_about(shop, owed(shop)) == ["retrying", "needs_you"]


def test_a_bank_that_wants_its_buyer_is_not_asked_again_and_the_same_intent_is_confirmed_on_the_page(
    shop: Shop,
) -> None:
    subscription = fails(shop, ASKS_BANK)
    shop.until(LADDER[1])
    invoice = owed(shop)
    assert tries(invoice) == [(DUE, "declined", None)]
    assert (invoice.charge_at, mails_about(shop, invoice)) == (LADDER[-1], ["confirm"])
    done = pay(shop, invoice, confirmation_token=shop.token(ASKS_BANK))
    assert done.ending == "requires_action"
    shop.stripe.pass_challenge(invoice.part.intent_id or "")
    assert pay(shop, invoice).ending == "paid"
    paid = owed(shop)
    assert (paid.status, paid.part.intent_id, paid.charge_at) == ("paid", invoice.part.intent_id, None)
    assert shop.subscription(subscription.id).status == "active"
    assert len(shop.succeeded()) == len(shop.payments()) == 2
    assert [timer.kind for timer in shop.store.timers if timer.record_id == invoice.id] == []


def test_a_bank_that_never_gets_its_answer_is_not_asked_at_the_deadline_either(shop: Shop) -> None:
    subscription = fails(shop, ASKS_BANK)
    shop.until(LADDER[-1])
    assert (tries(owed(shop)), owed(shop).charge_at) == ([(DUE, "declined", None)], None)
    assert shop.subscription(subscription.id).status == "unpaid"
    assert len(shop.stripe.calls_of("confirm_off_session")) == 1


def test_a_method_that_is_gone_at_stripe_waits_for_another_one(shop: Shop) -> None:
    shop.subscribe()
    shop.settle()
    shop.clock.set(DUE)
    shop.run()
    shop.stripe.fail("create_intent", ProviderRefused("resource_missing", "No such customer"))
    shop.settle()
    assert tries(owed(shop)) == [(DUE, "declined", None)]
    assert (owed(shop).charge_at, mails_about(shop, owed(shop))) == (LADDER[-1], ["needs_you"])


def test_a_decline_by_a_buyer_on_the_page_leaves_the_ladder_where_it_was(shop: Shop) -> None:
    fails(shop)
    shop.until(DUE + timedelta(hours=2))
    before = owed(shop)
    assert pay(shop, before, confirmation_token=shop.token("pm_card_chargeDeclinedLostCard")).ending == "declined"
    after = owed(shop)
    assert (after.charge_at, after.failed_first_at) == (LADDER[0], DUE)
    shop.until(LADDER[0])
    assert [str(attempt.outcome) for attempt in owed(shop).part.attempts] == ["declined", "declined", "declined"]
    assert owed(shop).charge_at == LADDER[1]


def test_after_an_outage_the_steps_that_passed_are_not_made_up_for(shop: Shop) -> None:
    fails(shop)
    shop.until(DUE)
    shop.clock.set(LADDER[2] + timedelta(hours=1))
    shop.settle()
    assert tries(owed(shop)) == [(DUE, "declined", LADDER[0]), (LADDER[2] + timedelta(hours=1), "declined", LADDER[3])]
    shop.clock.set(LADDER[3] + timedelta(days=3))
    shop.settle()
    assert len(owed(shop).part.attempts) == 3
    assert owed(shop).charge_at is None


@pytest.mark.parametrize("effect", [True, False])
def test_a_lost_answer_at_a_step_is_asked_for_before_anything_is_tried_again(shop: Shop, effect: bool) -> None:
    subscription = fails(shop)
    shop.until(LADDER[0] - timedelta(seconds=1))
    behave(shop, subscription, "pm_card_visa")
    shop.clock.set(LADDER[0])
    shop.stripe.fail("confirm_off_session", effect=effect)
    shop.run()
    assert owed(shop).part.in_doubt
    shop.settle()
    assert (owed(shop).status, len(owed(shop).part.attempts)) == ("paid", 2)
    assert len(shop.succeeded()) == len(shop.payments()) == 2


def test_a_message_that_comes_again_after_a_step_tries_nothing(shop: Shop) -> None:
    fails(shop)
    shop.until(LADDER[0] - timedelta(seconds=1))
    timer = charge_timer(owed(shop))
    assert timer is not None
    shop.until(LADDER[0])
    confirms = len(shop.stripe.calls_of("confirm_off_session"))
    assert charge_invoice(shop.ports, timer) == "stale"
    assert len(shop.stripe.calls_of("confirm_off_session")) == confirms


def test_a_cancelled_subscription_is_not_tried_again_and_its_invoice_stays_payable(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(DUE)
    cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="test")
    shop.until(LADDER[-1] + timedelta(days=1))
    invoice = owed(shop)
    assert (invoice.status, invoice.charge_at, len(invoice.part.attempts)) == ("open", None, 1)
    assert shop.subscription(subscription.id).status == "canceled"
    assert pay(shop, invoice, consent_words=lambda view, now: None).ending == "paid"
    assert shop.subscription(subscription.id).status == "canceled"


# --- the end of the ladder


def test_the_ladder_over_the_subscription_is_unpaid(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(LADDER[-1])
    invoice = owed(shop)
    assert (invoice.status, invoice.charge_at, len(invoice.part.attempts)) == ("open", None, 5)
    after = shop.subscription(subscription.id)
    assert (after.status, after.past_due_invoices) == ("unpaid", (invoice.id,))
    assert told(shop)[-2:] == ["subscription.past_due", "subscription.unpaid"]
    assert mails_about(shop, invoice) == ["retrying"] * 4 + ["needs_you"]
    assert after.timer_at == datetime(2027, 3, 31, 19, 30, tzinfo=UTC)


def test_the_ladder_over_the_subscription_is_paused_where_the_merchant_says_so(shop: Shop) -> None:
    setting(shop, then=LadderEnd.PAUSE)
    subscription = fails(shop)
    shop.until(datetime(2027, 9, 1, tzinfo=UTC))
    after = shop.subscription(subscription.id)
    assert (after.status, after.paused_at, after.timer_at) == ("paused", LADDER[-1], None)
    assert told(shop)[-2:] == ["subscription.past_due", "subscription.paused"]
    assert len(shop.invoices()) == 2
    assert shop.store.timers == []


def test_the_ladder_over_the_subscription_is_cancelled_where_the_merchant_says_so(shop: Shop) -> None:
    setting(shop, 1, then=LadderEnd.CANCEL)
    subscription = fails(shop)
    shop.until(datetime(2027, 9, 1, tzinfo=UTC))
    after = shop.subscription(subscription.id)
    ended = DUE + timedelta(days=1)
    assert (after.status, after.canceled_at, after.ended_at, after.cancel_reason) == (
        "canceled",
        ended,
        ended,
        "unpaid",
    )
    assert told(shop)[-2:] == ["subscription.past_due", "subscription.canceled"]
    assert (len(shop.invoices()), shop.store.timers) == (2, [])
    assert [str(mail.kind) for mail in shop.store.all(Mail) if mail.about_id == subscription.id] == [
        "subscription_canceled"
    ]


def test_an_unpaid_subscription_has_three_more_invoices_that_are_not_tried_and_is_paused_then(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(datetime(2028, 1, 1, tzinfo=UTC))
    invoices = shop.invoices()
    assert [(str(each.status), each.collection_blocked) for each in invoices[1:]] == [
        ("open", None),
        ("open", "unpaid"),
        ("open", "unpaid"),
        ("open", "unpaid"),
    ]
    assert [len(each.part.attempts) for each in invoices[1:]] == [5, 0, 0, 0]
    after = shop.subscription(subscription.id)
    assert (after.status, after.untried, after.timer_at) == ("paused", 3, None)
    assert after.past_due_invoices == tuple(each.id for each in invoices[1:])
    assert after.paused_at == invoices[-1].issued_at
    assert told(shop)[-2:] == ["subscription.unpaid", "subscription.paused"]
    assert shop.store.timers == []


def test_an_unpaid_subscription_that_is_paid_again_is_active_and_counts_from_nothing(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(datetime(2027, 4, 1, tzinfo=UTC))
    first, second = shop.invoices()[1:]
    assert shop.subscription(subscription.id).untried == 1
    assert pay(shop, first, consent_words=lambda view, now: None).ending == "paid"
    assert shop.subscription(subscription.id).status == "unpaid"
    assert pay(shop, second, consent_words=lambda view, now: None).ending == "paid"
    after = shop.subscription(subscription.id)
    assert (after.status, after.past_due_invoices, after.untried, after.payments_made) == ("active", (), 0, 3)
    assert [mail.about_id for mail in shop.store.all(Mail) if mail.kind is MailKind.RECOVERED] == [second.id]


def test_a_fixed_term_whose_last_payment_is_given_up_ends_once_it_is_paid(shop: Shop) -> None:
    link = shop.link(
        "Course", LineItem("Course", 1, usd(4_900), recurring=Recurrence(Frequency.MONTHLY, number_of_payments=2))
    )
    shop.press(shop.buyer(link))
    [subscription] = shop.store.all(Subscription)
    fails(shop, LOST, subscription)
    shop.until(datetime(2027, 6, 1, tzinfo=UTC))
    waiting = shop.subscription(subscription.id)
    assert (waiting.status, waiting.timer_at) == ("unpaid", None)
    assert pay(shop, owed(shop), consent_words=lambda view, now: None).ending == "paid"
    shop.settle()
    assert shop.subscription(subscription.id).status == "expired"


def test_what_will_end_by_itself_is_not_paused(shop: Shop) -> None:
    setting(shop, then=LadderEnd.PAUSE)
    subscription = fails(shop, LOST)
    shop.until(DUE)
    cancel(shop.ports, shop.merchant.id, subscription.id, at="period_end", actor="buyer")
    shop.until(LADDER[-1])
    assert shop.subscription(subscription.id).status == "unpaid"
    shop.until(datetime(2027, 4, 1, tzinfo=UTC))
    assert (shop.subscription(subscription.id).status, len(shop.invoices())) == ("canceled", 2)


def test_a_fixed_term_that_has_had_its_last_invoice_is_not_paused_and_ends_once_it_is_paid(shop: Shop) -> None:
    setting(shop, then=LadderEnd.PAUSE)
    term = Recurrence(Frequency.MONTHLY, number_of_payments=2)
    shop.press(shop.buyer(shop.link("Course", LineItem("Course", 1, usd(4_900), recurring=term))))
    [subscription] = shop.store.all(Subscription)
    fails(shop, LOST, subscription)
    shop.until(datetime(2027, 6, 1, tzinfo=UTC))
    assert shop.subscription(subscription.id).status == "unpaid"
    assert pay(shop, owed(shop), consent_words=lambda view, now: None).ending == "paid"
    shop.settle()
    assert shop.subscription(subscription.id).status == "expired"


def test_the_end_of_the_ladder_waits_for_a_buyer_who_is_paying(shop: Shop) -> None:
    subscription = fails(shop, LOST)
    shop.until(LADDER[-1] - timedelta(minutes=1))
    invoice = owed(shop)
    assert pay(shop, invoice, confirmation_token=shop.token(ASKS_BANK)).ending == "requires_action"
    shop.clock.set(LADDER[-1])
    assert "with its buyer" in shop.run()
    assert shop.subscription(subscription.id).status == "past_due"
    shop.stripe.pass_challenge(invoice.part.intent_id or "")
    shop.settle()
    assert (owed(shop).status, shop.subscription(subscription.id).status) == ("paid", "active")


def test_who_is_beaten_at_the_end_of_the_ladder_changes_nothing(shop: Shop) -> None:
    subscription = fails(shop, LOST)
    shop.until(LADDER[-1] - timedelta(seconds=1))
    timer = charge_timer(owed(shop))
    assert timer is not None
    shop.clock.set(LADDER[-1])
    assert charge_invoice(shop.ports, timer) == "given up"
    events = shop.event_types()
    assert charge_invoice(shop.ports, timer) == "stale"
    assert shop.event_types() == events
    assert shop.subscription(subscription.id).status == "unpaid"


def test_an_invoice_of_before_the_ladder_is_left_as_it_is(shop: Shop) -> None:
    """What an older version wrote: a decline without a ladder. It has no timer, and asking for it begins one."""
    from chalicelib.services.billing.retrying import retry_past_due

    subscription = fails(shop)
    shop.until(DUE)
    changes: dict[str, Any] = {"failed_first_at": None, "ladder": (), "gives_up_at": None, "charge_at": None}
    old = owed(shop)
    timer = charge_timer(old)
    assert timer is not None
    shop.store.lose(timer)
    latest = replace(old.part.attempts[0], next_at=None, payment_method_id=None)
    shop.store.overwrite(replace(old.with_part(replace(old.part, attempts=(latest,))), **changes))
    shop.settle()
    assert owed(shop).charge_at is None
    behave(shop, subscription, "pm_card_visa")
    retry_past_due(shop.ports, shop.merchant.id, subscription.id)
    shop.settle()
    assert (owed(shop).status, shop.subscription(subscription.id).status) == ("paid", "active")


def test_a_try_whose_key_stripe_forgot_is_made_anew_and_not_told_by_the_decline_before_it(shop: Shop) -> None:
    subscription = fails(shop)
    shop.until(LADDER[0] - timedelta(seconds=1))
    behave(shop, subscription, "pm_card_visa")
    shop.clock.set(LADDER[0])
    shop.stripe.fail("confirm_off_session", effect=False)
    shop.run()
    assert owed(shop).part.in_doubt
    # A day later the intent still shows the decline of the first try, and the second's key is forgotten.
    shop.clock.set(LADDER[0] + timedelta(hours=25))
    shop.settle()
    invoice = owed(shop)
    assert [str(attempt.outcome) for attempt in invoice.part.attempts] == ["declined", "abandoned", "succeeded"]
    assert shop.event_types().count("invoice.payment_failed") == 1
    assert len(shop.succeeded()) == len(shop.payments()) == 2


def test_a_method_declined_for_good_is_not_tried_even_where_a_try_is_due(shop: Shop) -> None:
    fails(shop, LOST)
    shop.until(DUE)
    waiting = owed(shop)
    asked = replace(waiting, charge_at=DUE, asked_at=DUE)
    old, new = charge_timer(waiting), charge_timer(asked)
    assert old is not None
    assert new is not None
    shop.store.lose(old)
    shop.store.overwrite(asked)
    shop.store.commit("by hand", [SetTimer(new)])
    assert charge_invoice(shop.ports, new) == "waits for another method"
    after = owed(shop)
    assert (after.charge_at, after.asked_at, len(after.part.attempts)) == (LADDER[-1], None, 1)
    assert len(shop.stripe.calls_of("confirm_off_session")) == 1


def test_a_decline_that_is_heard_of_after_a_cancellation_begins_no_ladder(shop: Shop) -> None:
    subscription = fails(shop)
    shop.clock.set(DUE)
    shop.run()
    shop.stripe.fail("confirm_off_session", effect=True)
    shop.run()
    assert owed(shop).part.in_doubt
    ended = cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="test")
    shop.settle()
    assert tries(owed(shop)) == [(DUE, "declined", None)]
    assert owed(shop).charge_at is None
    assert shop.subscription(subscription.id) == ended
    assert [timer for timer in shop.store.timers if timer.record_id == owed(shop).id] == []
