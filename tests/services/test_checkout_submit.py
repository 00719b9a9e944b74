"""A link paid by a buyer: one charge, one invoice, one number, whatever is pressed, lost or repeated."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.links import LinkUses
from chalicelib.domain.documents.mails import Mail
from chalicelib.domain.documents.payments import IntentOwner, Payment
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import NotFound
from chalicelib.services.checkouts.outcomes import resolve
from chalicelib.services.checkouts.submit import MOST_TRIES, Ending
from chalicelib.services.links import switch_link
from chalicelib.services.ports import ProviderBusy, ProviderUnavailable
from tests.services.shop import ACCOUNT, Shop, usd


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_paid_link_is_an_invoice_a_payment_and_a_receipt_in_one_transaction(shop: Shop) -> None:
    form = shop.buyer(shop.one_time)
    assert shop.press(form).ending is Ending.PAID

    [invoice] = shop.invoices()
    assert (invoice.number, invoice.status, invoice.totals.total, invoice.paid) == (
        "INV-0001",
        "paid",
        usd(14_800),
        usd(14_800),
    )
    assert invoice.amount_due == usd(0)
    assert invoice.snapshot is not None
    assert (invoice.snapshot.seller.name, invoice.snapshot.buyer.email) == ("Pinewood Studio", "anna@example.com")
    [payment] = shop.payments()
    assert (payment.status, payment.amount, payment.invoice_id, payment.settlement) == (
        "succeeded",
        usd(14_800),
        invoice.id,
        None,
    )
    checkout = shop.store.get(Checkout, form.checkout_id)
    assert (checkout.status, checkout.invoice_id, checkout.customer_id) == (
        "completed",
        invoice.id,
        invoice.customer_id,
    )
    assert [part.state for part in invoice.parts] == ["paid"]
    assert [customer.email for customer in shop.store.all(Customer)] == ["anna@example.com"]
    assert [uses.completed for uses in shop.store.all(LinkUses)] == [1]
    assert [mail.to for mail in shop.store.all(Mail)] == ["anna@example.com"]
    assert shop.event_types()[-6:] == [
        "checkout.started",
        "customer.created",
        "invoice.issued",
        "invoice.paid",
        "payment.succeeded",
        "checkout.completed",
    ]
    shop.settle()
    assert [mail.to for mail in shop.mailer.sent] == ["anna@example.com"]
    assert shop.store.timers == []


def test_every_call_to_stripe_carries_a_key_that_names_the_fact_and_the_merchants_account(shop: Shop) -> None:
    form = shop.buyer(shop.one_time)
    shop.press(form)
    [invoice] = shop.invoices()
    intent = invoice.parts[0].intent_id
    assert [(call.operation, call.key, call.account) for call in shop.stripe.calls] == [
        ("create_customer", f"cus-{form.checkout_id}", ACCOUNT),
        ("create_intent", f"pi-{invoice.id}-1-1", ACCOUNT),
        ("confirm_with_token", f"confirm-{intent}-1", ACCOUNT),
    ]


def test_a_second_press_after_paying_charges_nothing_and_leads_to_the_receipt(shop: Shop) -> None:
    form = shop.buyer(shop.one_time)
    shop.press(form)
    calls = len(shop.stripe.calls)
    assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.PAID
    assert len(shop.stripe.calls) == calls
    assert len(shop.succeeded()) == len(shop.invoices()) == 1


def test_a_declined_card_is_told_and_a_second_card_pays_the_same_checkout_once(shop: Shop) -> None:
    form = shop.buyer(shop.one_time, confirmation_token=shop.token("pm_card_chargeDeclinedInsufficientFunds"))
    declined = shop.press(form)
    assert declined.ending is Ending.DECLINED
    assert declined.decline is not None
    assert (declined.decline.code, declined.decline.decline_code) == ("card_declined", "insufficient_funds")
    assert shop.invoices() == shop.payments() == []

    assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.PAID
    [invoice] = shop.invoices()
    assert invoice.number == "INV-0001"
    assert [(attempt.number, attempt.outcome) for attempt in invoice.parts[0].attempts] == [
        (1, "declined"),
        (2, "succeeded"),
    ]
    assert len(shop.stripe.intents()) == len(shop.succeeded()) == 1


def test_money_never_comes_from_the_browser(shop: Shop) -> None:
    assert shop.press(shop.buyer(shop.one_time, expected_total=1)).ending is Ending.CHANGED
    assert shop.stripe.calls == []
    assert shop.store.all(Checkout) == shop.invoices() == []


def test_a_link_that_is_off_takes_nothing(shop: Shop) -> None:
    switch_link(shop.ports, shop.merchant.id, shop.one_time.id, on=False, actor="test")
    done = shop.press(shop.buyer(shop.one_time))
    assert (done.ending, done.closed) == (Ending.CLOSED, "off")
    assert shop.stripe.calls == []
    assert shop.store.all(Checkout) == []


def test_a_wrong_secret_or_another_merchants_slug_finds_nothing(shop: Shop) -> None:
    for changes in ({"link_secret": "x" * 22}, {"merchant_slug": "other"}):
        with pytest.raises(NotFound):
            shop.press(shop.buyer(shop.one_time, **changes))
    assert shop.stripe.calls == []


def test_somebody_elses_checkout_cannot_be_paid_or_seen_with_a_guessed_secret(shop: Shop) -> None:
    form = shop.buyer(shop.one_time)
    shop.press(form)
    thief = replace(form, checkout_secret="y" * 22, confirmation_token=shop.token())
    assert shop.press(thief).ending is Ending.TIMED_OUT
    assert len(shop.succeeded()) == 1


def test_a_link_whose_lines_changed_is_sold_by_another_checkout_after_the_first_is_closed(shop: Shop) -> None:
    form = shop.buyer(shop.one_time, confirmation_token=shop.token("pm_card_chargeDeclined"))
    shop.press(form)
    line = replace(shop.one_time.lines[0], unit_amount=usd(15_000))
    from chalicelib.services.links import update_link

    update_link(shop.ports, shop.merchant.id, shop.one_time.id, {"lines": (line,)}, actor="test")
    again = replace(form, confirmation_token=shop.token(), expected_total=15_000)
    assert shop.press(again).ending is Ending.CHANGED
    assert shop.store.get(Checkout, form.checkout_id).status == "expired"
    assert [intent.status for intent in shop.stripe.intents()] == ["canceled"]
    fresh = shop.buyer(shop.one_time, expected_total=15_000)
    assert shop.press(fresh).ending is Ending.PAID
    assert [invoice.totals.total for invoice in shop.invoices()] == [usd(15_000)]


@pytest.mark.parametrize("effect", [True, False])
def test_a_lost_answer_of_the_confirm_is_never_a_decline_and_never_a_second_charge(shop: Shop, effect: bool) -> None:
    shop.stripe.fail("confirm_with_token", effect=effect)
    form = shop.buyer(shop.one_time)
    assert shop.press(form).ending is Ending.CHECKING
    assert shop.invoices() == []
    # A second press while the first may still be running waits for it.
    calls = len(shop.stripe.calls_of("confirm_with_token"))
    if not effect:
        assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.CHECKING
        assert len(shop.stripe.calls_of("confirm_with_token")) == calls

    shop.after(minutes=2)
    checkout = resolve(shop.ports, shop.merchant, shop.store.get(Checkout, form.checkout_id), actor="buyer")
    if effect:
        assert checkout.status == "completed"
        assert [invoice.number for invoice in shop.invoices()] == ["INV-0001"]
    else:
        assert (checkout.status, checkout.part.in_doubt) == ("open", False)
        assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.PAID
    assert len(shop.succeeded()) == len(shop.invoices()) == len(shop.payments()) == 1


@pytest.mark.parametrize("operation", ["create_customer", "create_intent"])
@pytest.mark.parametrize("effect", [True, False])
def test_a_lost_answer_before_the_confirm_leaves_one_customer_and_one_intent(
    shop: Shop, operation: str, effect: bool
) -> None:
    shop.stripe.fail(operation, effect=effect)
    form = shop.buyer(shop.one_time)
    assert shop.press(form).ending is Ending.CHECKING
    shop.after(minutes=2)
    assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.PAID
    assert len(shop.stripe.intents()) == len(shop.stripe.customers()) == len(shop.invoices()) == 1


def test_a_busy_stripe_uses_up_nothing_and_the_next_press_pays(shop: Shop) -> None:
    shop.stripe.fail("confirm_with_token", ProviderBusy("429"))
    form = shop.buyer(shop.one_time)
    done = shop.press(form)
    assert (done.ending, done.decline and done.decline.code) == (Ending.DECLINED, "not_started")
    assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.PAID
    assert len(shop.succeeded()) == 1


@pytest.mark.parametrize("used", [True, False], ids=["used before", "unknown"])
def test_a_card_token_that_is_good_for_nothing_asks_for_the_card_again(shop: Shop, used: bool) -> None:
    form = shop.buyer(shop.one_time, confirmation_token=shop.token("pm_card_chargeDeclined"))
    if used:
        assert shop.press(form).ending is Ending.DECLINED
    else:
        form = replace(form, confirmation_token="ctoken_none")
    done = shop.press(form)
    assert (done.ending, done.decline and done.decline.code) == (Ending.DECLINED, "card_again")
    [checkout] = shop.store.all(Checkout)
    assert (checkout.status, checkout.part.latest and checkout.part.latest.outcome) == ("open", "abandoned")
    assert (shop.invoices(), shop.succeeded(), shop.store.all(Payment)) == ([], [], [])
    # The try is over, so nobody has to wait, and it was no guess at a card.
    assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.PAID
    assert len(shop.succeeded()) == 1


def test_a_challenge_passed_is_booked_by_the_return_page(shop: Shop) -> None:
    form = shop.buyer(shop.one_time, confirmation_token=shop.token("pm_card_authenticationRequired"))
    done = shop.press(form)
    assert done.ending is Ending.REQUIRES_ACTION
    assert done.client_secret
    [intent] = shop.stripe.intents()
    shop.stripe.pass_challenge(intent.id)
    checkout = resolve(shop.ports, shop.merchant, shop.store.get(Checkout, form.checkout_id), actor="buyer")
    assert checkout.status == "completed"
    assert [invoice.status for invoice in shop.invoices()] == ["paid"]


def test_a_challenge_failed_leaves_the_form_open_and_charges_nothing(shop: Shop) -> None:
    form = shop.buyer(shop.one_time, confirmation_token=shop.token("pm_card_authenticationRequired"))
    shop.press(form)
    shop.stripe.fail_challenge(shop.stripe.intents()[0].id)
    checkout = resolve(shop.ports, shop.merchant, shop.store.get(Checkout, form.checkout_id), actor="buyer")
    assert (checkout.status, checkout.part.latest and checkout.part.latest.code) == (
        "open",
        "payment_intent_authentication_failure",
    )
    assert shop.invoices() == []
    assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.PAID


def test_after_too_many_tries_paying_pauses_for_an_hour(shop: Shop) -> None:
    form = shop.buyer(shop.one_time)
    for _ in range(MOST_TRIES):
        shop.press(replace(form, confirmation_token=shop.token("pm_card_chargeDeclined")))
    calls = len(shop.stripe.calls)
    paused = shop.press(replace(form, confirmation_token=shop.token()))
    assert (paused.ending, paused.until) == (Ending.TOO_MANY_TRIES, shop.clock.now() + timedelta(hours=1))
    assert len(shop.stripe.calls) == calls
    shop.after(hours=1)
    assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.PAID


def test_an_abandoned_checkout_expires_after_its_intent_is_cancelled_and_uses_no_number(shop: Shop) -> None:
    form = shop.buyer(shop.one_time, confirmation_token=shop.token("pm_card_chargeDeclined"))
    shop.press(form)
    shop.after(hours=24)
    shop.settle()
    assert shop.store.get(Checkout, form.checkout_id).status == "expired"
    assert [intent.status for intent in shop.stripe.intents()] == ["canceled"]
    assert shop.event_types()[-1] == "checkout.expired"
    assert shop.store.timers == []
    shop.press(shop.buyer(shop.one_time))
    assert [invoice.number for invoice in shop.invoices()] == ["INV-0001"]


def test_money_that_arrived_before_the_expiry_is_booked_not_dropped(shop: Shop) -> None:
    form = shop.buyer(shop.one_time, confirmation_token=shop.token("pm_card_authenticationRequired"))
    shop.press(form)
    shop.stripe.pass_challenge(shop.stripe.intents()[0].id)
    shop.after(hours=24)
    shop.settle()
    assert shop.store.get(Checkout, form.checkout_id).status == "completed"
    assert [invoice.status for invoice in shop.invoices()] == ["paid"]


def test_a_monthly_link_starts_a_subscription_with_the_stored_method_and_the_consent(shop: Shop) -> None:
    subscription = shop.subscribe()
    [invoice] = shop.invoices()
    assert (invoice.subscription_id, invoice.period and invoice.period.index) == (subscription.id, 0)
    assert (subscription.status, subscription.next_index, subscription.payments_made) == ("active", 1, 1)
    assert subscription.method is not None
    assert subscription.method.method.last4 == "4242"
    assert subscription.consent is not None
    assert subscription.consent.text == "agreed"
    [intent] = shop.stripe.intents()
    assert intent.customer_id == subscription.method.stripe_customer_id
    assert intent.payment_method_id == subscription.method.payment_method_id
    assert [str(timer.due) for timer in shop.store.timers if timer.record_id == subscription.id] == [
        "2027-02-28 20:30:00+00:00"
    ]


def test_a_cart_with_two_rhythms_and_a_one_time_line_is_one_invoice_and_two_subscriptions(shop: Shop) -> None:
    from chalicelib.domain.billing.recurrence import Frequency, Recurrence
    from chalicelib.domain.documents.lines import LineItem
    from tests.services.shop import monthly_line

    yearly = LineItem("Domain", 1, usd(2_000), recurring=Recurrence(Frequency.ANNUALLY))
    link = shop.link("Bundle", LineItem("Setup", 1, usd(10_000)), monthly_line(), yearly)
    assert shop.press(shop.buyer(link, expected_total=16_900)).ending is Ending.PAID
    [invoice] = shop.invoices()
    assert invoice.totals.total == usd(16_900)
    assert (invoice.subscription_id, invoice.period) == (None, None)
    subscriptions = shop.store.all(Subscription)
    assert {(each.position, each.subscription_id) for each in invoice.line_periods} == {
        (1, next(each.id for each in subscriptions if each.lines[0].name == "Membership")),
        (2, next(each.id for each in subscriptions if each.lines[0].name == "Domain")),
    }


def test_the_same_address_is_one_customer_and_nothing_stored_is_changed(shop: Shop) -> None:
    shop.press(shop.buyer(shop.one_time))
    shop.press(shop.buyer(shop.one_time, email="ANNA@example.com ", name="Somebody Else"))
    [customer] = shop.store.all(Customer)
    assert customer.name == "Anna Kowalska"
    assert [invoice.number for invoice in shop.invoices()] == ["INV-0001", "INV-0002"]
    assert {invoice.customer_id for invoice in shop.invoices()} == {customer.id}


def test_whose_an_intent_is_stands_in_our_own_records(shop: Shop) -> None:
    form = shop.buyer(shop.one_time)
    shop.press(form)
    [whose] = shop.store.all(IntentOwner)
    assert (whose.owner_id, whose.merchant_id, whose.payment_id) == (
        form.checkout_id,
        shop.merchant.id,
        shop.payments()[0].id,
    )


def test_an_unknown_outcome_blocks_another_try_until_stripe_has_been_asked(shop: Shop) -> None:
    shop.stripe.fail("confirm_with_token", effect=True)
    form = shop.buyer(shop.one_time)
    shop.press(form)
    shop.after(minutes=2)
    shop.stripe.fail("retrieve_intent", ProviderUnavailable("down"))
    assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.CHECKING
    assert len(shop.stripe.calls_of("confirm_with_token")) == 1
    assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.PAID
    assert len(shop.succeeded()) == len(shop.invoices()) == 1


def test_a_share_of_a_period_that_has_shrunk_since_the_last_try_is_another_order(shop: Shop) -> None:
    from tests.services.shop import monthly_line

    link = shop.link("Membership from the 15th", monthly_line(anchor_day=15))
    shop.clock.set(shop.clock.now().replace(hour=20, minute=0) + timedelta(days=1))

    def price() -> int:
        from chalicelib.services.checkouts.opening import open_link

        page = open_link(shop.ports, "pinewood", link.id, link.secret, None)
        return page.plan_at(shop.clock.now()).due_today.total.minor

    first = price()
    form = shop.buyer(link, expected_total=first, confirmation_token=shop.token("pm_card_chargeDeclined"))
    assert shop.press(form).ending is Ending.DECLINED
    shop.after(hours=20)
    second = price()
    assert second < first
    again = replace(form, expected_total=second, confirmation_token=shop.token())
    assert shop.press(again).ending is Ending.CHANGED
    fresh = shop.buyer(link, expected_total=second)
    assert shop.press(fresh).ending is Ending.PAID
    [invoice] = shop.invoices()
    assert invoice.totals.total == invoice.paid == usd(second)
    assert [intent.amount for intent in shop.succeeded()] == [usd(second)]


def test_the_same_success_reported_twice_is_booked_once(shop: Shop) -> None:
    from chalicelib.services.checkouts.outcomes import apply_intent

    form = shop.buyer(shop.one_time)
    shop.press(form)
    checkout, events = shop.store.get(Checkout, form.checkout_id), len(shop.event_types())
    [intent] = shop.stripe.intents()
    assert apply_intent(shop.ports, checkout, intent, actor="test") == checkout
    assert len(shop.event_types()) == events
    assert len(shop.invoices()) == len(shop.payments()) == 1
