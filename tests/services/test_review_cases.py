"""Interleavings that once went wrong: each ends with what was charged, what is shown, and nothing that spins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.services.billing.outcomes import refuse_try
from chalicelib.services.checkouts.outcomes import resolve
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.ports import MailUnavailable, ProviderBusy, ProviderRefused, ProviderUnavailable, Update
from chalicelib.services.saving import commit
from chalicelib.services.subscriptions import cancel
from tests.services.shop import Shop, monthly_line, usd
from tests.services.test_invoice_paying import behind, form, pay

DUE = datetime(2027, 2, 28, 20, 30, tzinfo=UTC)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def issued(shop: Shop) -> tuple[Subscription, Invoice]:
    """A renewal that was issued and is to be charged now."""
    subscription = shop.subscribe()
    shop.settle()
    shop.clock.set(DUE)
    shop.run()
    return subscription, shop.invoices()[1]


def test_a_merchant_that_moves_to_another_zone_while_a_buyer_pays_changes_nothing_for_that_buyer() -> None:
    shop = Shop(datetime(2027, 1, 31, 4, 30, tzinfo=UTC))
    later = LineItem(
        "Coaching",
        1,
        usd(10_000),
        recurring=Recurrence(Frequency.MONTHLY, start=Start(StartType.ON_DATE, on=date(2027, 1, 31))),
    )
    link = shop.link("Start", LineItem("Setup", 1, usd(4_900)), later)
    token = shop.token("pm_card_authenticationRequired")
    pressed = shop.buyer(link, expected_total=4_900, confirmation_token=token)
    assert shop.press(pressed).ending is Ending.REQUIRES_ACTION
    merchant = shop.store.get(Merchant, shop.merchant.id)
    commit(shop.ports, [Update(replace(merchant, timezone="Europe/Berlin"))])
    shop.stripe.pass_challenge(shop.stripe.intents()[0].id)
    checkout = resolve(shop.ports, shop.merchant, shop.store.get(Checkout, pressed.checkout_id), actor="buyer")
    assert checkout.status == "completed"
    [invoice] = shop.invoices()
    assert invoice.totals.total == invoice.paid == usd(4_900)
    [subscription] = shop.store.all(Subscription)
    assert (subscription.status, subscription.next_index) == ("scheduled", 0)
    assert subscription.schedule.period(0).start == datetime(2027, 1, 31, 5, tzinfo=UTC)


@pytest.mark.parametrize("operation", ["confirm_off_session", "create_intent"])
def test_a_stored_method_that_stripe_refuses_is_told_like_a_decline_and_not_tried_for_ever(
    shop: Shop, operation: str
) -> None:
    subscription, invoice = issued(shop)
    shop.stripe.fail(operation, ProviderRefused("resource_missing", "No such PaymentMethod"))
    shop.settle()
    calls = len(shop.stripe.calls)
    shop.until(DUE + timedelta(days=2))
    assert len(shop.stripe.calls) == calls
    assert shop.subscription(subscription.id).status == "past_due"
    assert [mail.kind for mail in shop.store.all(Mail)].count(MailKind.NEEDS_YOU) == 1
    assert pay(shop, shop.store.get(Invoice, invoice.id)).ending is Ending.PAID
    assert shop.subscription(subscription.id).status == "active"


def test_a_refusal_that_arrives_late_ends_no_try_but_its_own(shop: Shop) -> None:
    subscription, invoice = issued(shop)
    first = invoice.part.claimed(shop.clock.now()).ended(AttemptOutcome.ABANDONED)
    commit(shop.ports, [Update(invoice.with_part(first.claimed(shop.clock.now())))])
    second_try = shop.store.get(Invoice, invoice.id)
    events, mails = shop.event_types(), len(shop.store.all(Mail))
    after = refuse_try(shop.ports, invoice.id, "resource_missing", actor="test", own_try=1)
    assert after == second_try == shop.store.get(Invoice, invoice.id)
    assert (after.part.in_doubt, after.part.latest and after.part.latest.number) == (True, 2)
    assert (shop.event_types(), len(shop.store.all(Mail))) == (events, mails)
    assert shop.subscription(subscription.id).status == "active"


def test_a_key_that_was_revoked_is_no_fault_of_the_buyers(shop: Shop) -> None:
    _, invoice = issued(shop)
    shop.stripe.fail("confirm_off_session", ProviderRefused("api_key", "revoked"))
    with pytest.raises(ProviderRefused):
        shop.run()
    shop.settle()
    assert shop.store.get(Invoice, invoice.id).status == "paid"


@pytest.mark.parametrize("behaves", ["pm_card_visa", "pm_card_chargeCustomerFail"])
def test_a_try_in_doubt_is_found_out_before_its_timer_goes(shop: Shop, behaves: str) -> None:
    subscription, invoice = issued(shop)
    assert subscription.method is not None
    shop.stripe.behave(subscription.method.payment_method_id, behaves)
    shop.stripe.fail("confirm_off_session", effect=True)
    shop.run()
    merchant = shop.store.get(Merchant, shop.merchant.id)
    commit(shop.ports, [Update(replace(merchant, can_transact=False))])
    shop.settle()
    after = shop.store.get(Invoice, invoice.id)
    assert not after.part.in_doubt
    if behaves == "pm_card_visa":
        assert after.status == "paid"
    else:
        assert shop.subscription(subscription.id).status == "past_due"
    assert len(shop.stripe.calls_of("confirm_off_session")) == 1


@pytest.mark.parametrize("operation", ["confirm_off_session", "create_intent"])
def test_nothing_is_confirmed_for_a_subscription_that_was_cancelled_meanwhile(shop: Shop, operation: str) -> None:
    subscription, invoice = issued(shop)
    shop.stripe.fail(operation, effect=False)
    shop.run()
    cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="buyer")
    confirms = len(shop.stripe.calls_of("confirm_off_session"))
    shop.settle()
    assert len(shop.stripe.calls_of("confirm_off_session")) == confirms
    after = shop.store.get(Invoice, invoice.id)
    assert (after.status, after.charge_at, after.part.in_doubt) == ("open", None, False)
    assert len(shop.succeeded()) == 1


def test_money_that_was_taken_before_the_cancellation_is_booked(shop: Shop) -> None:
    subscription, invoice = issued(shop)
    shop.stripe.fail("confirm_off_session", effect=True)
    shop.run()
    cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="buyer")
    shop.settle()
    assert shop.store.get(Invoice, invoice.id).status == "paid"
    assert len(shop.payments()) == len(shop.succeeded()) == 2


def test_a_confirm_that_came_too_late_and_a_busy_stripe_are_not_told_as_not_charged(shop: Shop) -> None:
    token = shop.token("pm_card_authenticationRequired")
    pressed = shop.buyer(shop.one_time, confirmation_token=token)
    assert shop.press(pressed).ending is Ending.REQUIRES_ACTION
    [intent] = shop.stripe.intents()
    confirm = shop.stripe.confirm_with_token

    def late(*args: object, **kwargs: object) -> object:
        shop.stripe.pass_challenge(intent.id)
        shop.stripe.fail("retrieve_intent", ProviderBusy("429"))
        return confirm(*args, **kwargs)  # type: ignore[arg-type]

    shop.stripe.confirm_with_token = late  # type: ignore[method-assign, assignment]
    assert shop.press(replace(pressed, confirmation_token=shop.token())).ending is Ending.CHECKING
    shop.after(minutes=2)
    assert shop.press(pressed).ending is Ending.PAID
    assert len(shop.succeeded()) == len(shop.invoices()) == 1


def test_who_types_somebodys_address_learns_nothing_of_them(shop: Shop) -> None:
    subscription = shop.subscribe()
    [customer] = shop.store.all(Customer)
    commit(shop.ports, [Update(replace(customer, name="Dr Real Name", tax_id="DE123"))])
    shop.clock.set(DUE)
    shop.settle()
    snapshot = shop.invoices()[1].snapshot
    assert snapshot is not None
    assert (snapshot.buyer.name, snapshot.buyer.tax_id) == ("Anna Kowalska", None)
    assert shop.subscription(subscription.id).buyer == snapshot.buyer


def test_a_fixed_term_does_not_end_before_its_last_payment_is_made(shop: Shop) -> None:
    link = shop.link("Course", monthly_line(number_of_payments=3))
    shop.press(shop.buyer(link))
    shop.settle()
    shop.clock.set(datetime(2027, 6, 30, 20, tzinfo=UTC))
    shop.settle()
    [subscription] = shop.store.all(Subscription)
    held = [invoice for invoice in shop.invoices() if invoice.status == "open"]
    assert (subscription.status, subscription.payments_made, len(held)) == ("active", 1, 2)
    for invoice in held:
        assert pay(shop, invoice).ending is Ending.PAID
    shop.settle()
    [subscription] = shop.store.all(Subscription)
    assert (subscription.status, subscription.payments_made) == ("expired", 3)
    assert shop.store.timers == []


def test_the_mail_that_says_nothing_was_charged_waits_while_somebody_is_paying(shop: Shop) -> None:
    from chalicelib.handlers.mail_composer import compose

    _, invoice = behind(shop)
    [mail] = [mail for mail in shop.store.all(Mail) if mail.kind is MailKind.RETRYING]
    shop.stripe.fail("confirm_with_token", effect=True)
    assert pay(shop, invoice).ending is Ending.CHECKING
    with pytest.raises(MailUnavailable):
        compose(shop.ports, mail)
    assert pay(shop, invoice).ending is Ending.PAID
    assert compose(shop.ports, mail) is None


def test_an_invoice_can_be_paid_after_its_subscription_was_cancelled_and_keeps_no_card(shop: Shop) -> None:
    subscription, invoice = behind(shop)
    declined = pay(shop, invoice, confirmation_token=shop.token("pm_card_chargeDeclined"))
    assert declined.ending is Ending.DECLINED
    cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="buyer")
    last = form(shop, shop.store.get(Invoice, invoice.id), consent_words=lambda view, now: None)
    assert pay(shop, invoice, consent_words=last.consent_words).ending is Ending.PAID
    assert [call.arguments["keep_method"] for call in shop.stripe.calls_of("confirm_with_token")] == [None, True, False]


def test_a_merchant_that_disconnected_does_not_make_its_open_checkouts_spin(shop: Shop) -> None:
    pressed = shop.buyer(shop.one_time, confirmation_token=shop.token("pm_card_chargeDeclined"))
    shop.press(pressed)
    shop.after(hours=24)
    shop.stripe.fail("cancel_intent", ProviderRefused("account_invalid", "gone"))
    shop.settle()
    assert len(shop.stripe.calls_of("cancel_intent")) == 1
    shop.after(days=1)
    shop.settle()
    assert shop.store.get(Checkout, pressed.checkout_id).status == "expired"


def test_an_unknown_outcome_stays_unknown_while_stripe_is_down(shop: Shop) -> None:
    subscription, invoice = issued(shop)
    shop.stripe.fail("confirm_off_session", effect=True)
    shop.run()
    cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="buyer")
    shop.stripe.fail("retrieve_intent", ProviderUnavailable("down"))
    shop.run()
    assert shop.store.get(Invoice, invoice.id).part.in_doubt
    shop.settle()
    assert shop.store.get(Invoice, invoice.id).status == "paid"
