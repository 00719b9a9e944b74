"""An open invoice paid by its buyer: the same intent, one charge, and the new card kept where they agreed to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import NotFound
from chalicelib.services.checkouts.submit import MOST_TRIES, Ending, Submitted
from chalicelib.services.invoices.paying import InvoiceView, PayInvoice, pay_invoice
from chalicelib.services.ports import ProviderBusy
from tests.services.shop import Shop, usd

DUE = datetime(2027, 2, 28, 20, 30, tzinfo=UTC)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def behind(shop: Shop, behaves: str = "pm_card_chargeCustomerFail") -> tuple[Subscription, Invoice]:
    """A subscription whose renewal has just failed, and that renewal's invoice."""
    subscription = shop.subscribe()
    shop.settle()
    assert subscription.method is not None
    shop.stripe.behave(subscription.method.payment_method_id, behaves)
    shop.clock.set(DUE)
    shop.settle()
    return shop.subscription(subscription.id), shop.invoices()[1]


def form(shop: Shop, invoice: Invoice, **changes: Any) -> PayInvoice:
    fields: dict[str, Any] = {
        "merchant_slug": "pinewood",
        "invoice_id": invoice.id,
        "invoice_secret": invoice.secret,
        "expected_total": 4_900,
        "confirmation_token": shop.token(),
        "return_url": "https://till.example/return",
        "consent_words": lambda view, now: "agreed again" if view.subscription else None,
        "as_shown": lambda view, now: True,
        "address": "203.0.113.9",
    }
    return PayInvoice(**(fields | changes))


def pay(shop: Shop, invoice: Invoice, **changes: Any) -> Submitted:
    return pay_invoice(shop.ports, form(shop, invoice, **changes))


def test_a_declined_renewal_asks_its_buyer_by_mail_and_only_after_the_decline(shop: Shop) -> None:
    subscription, invoice = behind(shop)
    assert subscription.status == "past_due"
    asked = [mail for mail in shop.store.all(Mail) if mail.kind is MailKind.RETRYING]
    assert [(mail.to, mail.about_id, mail.state) for mail in asked] == [("anna@example.com", invoice.id, "sent")]


def test_a_bank_that_wants_the_buyer_there_is_another_mail(shop: Shop) -> None:
    _, invoice = behind(shop, "pm_card_authenticationRequired")
    assert [attempt.decline_code for attempt in invoice.part.attempts] == ["authentication_required"]
    assert [mail.kind for mail in shop.store.all(Mail)].count(MailKind.CONFIRM) == 1


def test_the_same_intent_is_paid_with_a_new_card_which_is_kept_and_the_subscription_recovers(shop: Shop) -> None:
    before, invoice = behind(shop)
    assert pay(shop, invoice).ending is Ending.PAID
    paid = shop.store.get(Invoice, invoice.id)
    assert (paid.status, paid.paid, paid.part.intent_id) == ("paid", usd(4_900), invoice.part.intent_id)
    assert [(each.number, each.outcome, each.on_session) for each in paid.part.attempts] == [
        (1, "declined", False),
        (2, "succeeded", True),
    ]
    after = shop.subscription(before.id)
    assert (after.status, after.past_due_invoices, after.payments_made) == ("active", (), 2)
    assert after.method is not None
    assert before.method is not None
    assert after.method.payment_method_id != before.method.payment_method_id
    assert after.method.stripe_customer_id == before.method.stripe_customer_id
    assert after.consent is not None
    assert after.consent.text == "agreed again"
    assert shop.event_types()[-3:] == ["invoice.paid", "payment.succeeded", "subscription.recovered"]
    assert len(shop.stripe.intents()) == len(shop.succeeded()) == 2

    # The next renewal goes to the new card.
    shop.until(datetime(2027, 3, 31, 20, tzinfo=UTC))
    assert [each.status for each in shop.invoices()] == ["paid", "paid", "paid"]


def test_a_challenge_is_passed_on_the_page_and_booked_once(shop: Shop) -> None:
    _, invoice = behind(shop, "pm_card_authenticationRequired")
    done = pay(shop, invoice, confirmation_token=shop.token("pm_card_authenticationRequired"))
    assert done.ending is Ending.REQUIRES_ACTION
    intent = next(each for each in shop.stripe.intents() if each.id == invoice.part.intent_id)
    shop.stripe.pass_challenge(intent.id)
    assert pay(shop, invoice).ending is Ending.PAID
    assert shop.store.get(Invoice, invoice.id).status == "paid"
    assert len(shop.succeeded()) == len(shop.payments()) == 2


def test_a_decline_on_the_page_changes_nothing_but_the_list_of_tries(shop: Shop) -> None:
    before, invoice = behind(shop)
    events = len(shop.event_types())
    mails = len(shop.store.all(Mail))
    done = pay(shop, invoice, confirmation_token=shop.token("pm_card_chargeDeclined"))
    assert (done.ending, done.decline and done.decline.decline_code) == (Ending.DECLINED, "generic_decline")
    assert len(shop.event_types()) == events
    assert len(shop.store.all(Mail)) == mails
    assert shop.subscription(before.id) == before


def test_a_held_invoice_can_be_paid_by_its_buyer(shop: Shop) -> None:
    shop.subscribe()
    shop.settle()
    shop.clock.set(datetime(2027, 6, 30, 20, tzinfo=UTC))
    shop.settle()
    held = shop.invoices()[1]
    assert held.collection_blocked == "held"
    assert pay(shop, held).ending is Ending.PAID
    assert shop.store.get(Invoice, held.id).collection_blocked is None


@pytest.mark.parametrize(
    ("changes", "ending"),
    [({"expected_total": 1}, Ending.CHANGED), ({"expected_total": 4_901}, Ending.CHANGED)],
)
def test_money_never_comes_from_the_browser(shop: Shop, changes: dict[str, Any], ending: Ending) -> None:
    _, invoice = behind(shop)
    calls = len(shop.stripe.calls)
    assert pay(shop, invoice, **changes).ending is ending
    assert len(shop.stripe.calls) == calls
    assert shop.store.get(Invoice, invoice.id) == invoice


def test_a_wrong_secret_or_merchant_finds_nothing(shop: Shop) -> None:
    _, invoice = behind(shop)
    for changes in ({"invoice_secret": "x" * 22}, {"merchant_slug": "other"}, {"invoice_id": "inv_nothing"}):
        with pytest.raises(NotFound):
            pay(shop, invoice, **changes)


def test_paying_twice_charges_once(shop: Shop) -> None:
    _, invoice = behind(shop)
    assert [pay(shop, invoice).ending for _ in range(3)] == [Ending.PAID] * 3
    assert len(shop.succeeded()) == len(shop.payments()) == 2


@pytest.mark.parametrize("effect", [True, False])
def test_a_lost_answer_is_asked_for_and_never_charged_again(shop: Shop, effect: bool) -> None:
    _, invoice = behind(shop)
    shop.stripe.fail("confirm_with_token", effect=effect)
    assert pay(shop, invoice).ending is Ending.CHECKING
    if not effect:
        assert pay(shop, invoice).ending is Ending.CHECKING
        shop.after(minutes=2)
    assert pay(shop, invoice).ending is Ending.PAID
    assert len(shop.succeeded()) == len(shop.payments()) == 2


def test_a_busy_stripe_leaves_the_form_open(shop: Shop) -> None:
    _, invoice = behind(shop)
    shop.stripe.fail("confirm_with_token", ProviderBusy("429"))
    assert pay(shop, invoice).ending is Ending.DECLINED
    assert pay(shop, invoice).ending is Ending.PAID


def test_after_too_many_tries_paying_pauses(shop: Shop) -> None:
    _, invoice = behind(shop)
    for _ in range(MOST_TRIES):
        pay(shop, invoice, confirmation_token=shop.token("pm_card_chargeDeclined"))
    assert pay(shop, invoice).ending is Ending.TOO_MANY_TRIES
    shop.after(hours=1)
    assert pay(shop, invoice).ending is Ending.PAID


def test_the_scheduler_leaves_an_invoice_alone_while_its_buyer_is_paying(shop: Shop) -> None:
    shop.subscribe()
    shop.settle()
    shop.clock.set(DUE)
    shop.run()
    invoice = shop.invoices()[1]
    assert invoice.charge_at is not None
    shop.stripe.fail("confirm_with_token", effect=False)
    assert pay(shop, invoice).ending is Ending.CHECKING
    assert "with its buyer" in shop.run()
    assert len(shop.stripe.calls_of("confirm_off_session")) == 0
    shop.after(minutes=2)
    shop.settle()
    assert shop.store.get(Invoice, invoice.id).status == "paid"
    assert len(shop.succeeded()) == 2


def test_a_challenge_that_a_buyer_walked_away_from_does_not_stop_the_stored_card(shop: Shop) -> None:
    shop.subscribe()
    shop.settle()
    shop.clock.set(DUE)
    shop.run()
    invoice = shop.invoices()[1]
    token = shop.token("pm_card_authenticationRequired")
    assert pay(shop, invoice, confirmation_token=token).ending is Ending.REQUIRES_ACTION
    assert "with its buyer" in shop.run()
    shop.clock.advance(timedelta(hours=1))
    shop.settle()
    assert shop.store.get(Invoice, invoice.id).status == "paid"
    assert len(shop.succeeded()) == 2


def test_an_intent_that_stripe_cancelled_by_itself_is_replaced_by_one_of_the_next_generation(shop: Shop) -> None:
    _, invoice = behind(shop)
    shop.stripe.give_up(invoice.part.intent_id or "")
    done = pay(shop, invoice)
    again = pay(shop, invoice) if done.ending is not Ending.PAID else done
    assert again.ending is Ending.PAID
    paid = shop.store.get(Invoice, invoice.id)
    assert (paid.part.generation, paid.part.intent_id != invoice.part.intent_id) == (2, True)
    assert len(shop.succeeded()) == 2


def test_no_mail_asks_for_a_payment_that_has_been_made_meanwhile(shop: Shop) -> None:
    from chalicelib.handlers.mail_composer import compose

    _, invoice = behind(shop)
    pay(shop, invoice)
    [mail] = [mail for mail in shop.store.all(Mail) if mail.kind is MailKind.RETRYING]
    assert compose(shop.ports, replace(mail)) is None


@pytest.mark.parametrize("used", [True, False], ids=["used before", "unknown"])
def test_a_card_token_that_is_good_for_nothing_asks_for_the_card_again(shop: Shop, used: bool) -> None:
    _, invoice = behind(shop)
    token = shop.token("pm_card_chargeDeclined") if used else "ctoken_none"
    if used:
        assert pay(shop, invoice, confirmation_token=token).ending is Ending.DECLINED
    done = pay(shop, invoice, confirmation_token=token)
    assert (done.ending, done.decline and done.decline.code) == (Ending.DECLINED, "card_again")
    latest = shop.store.get(Invoice, invoice.id).part.latest
    assert (latest and latest.outcome, len(shop.succeeded())) == ("abandoned", 1)
    assert pay(shop, invoice).ending is Ending.PAID
    assert len(shop.succeeded()) == 2


def test_terms_that_change_after_the_page_was_checked_are_not_paid_under(shop: Shop) -> None:
    subscription, invoice = behind(shop)
    shown = subscription.next_invoice_at

    def moves_on(view: InvoiceView, now: datetime) -> bool:
        return view.charged_later is not None and view.charged_later.next_invoice_at == shown

    before = dict(shop.store._rows)
    shop.store.overwrite(replace(subscription, next_index=subscription.next_index + 1))
    calls = len(shop.stripe.calls)
    assert pay(shop, invoice, as_shown=moves_on).ending is Ending.CHANGED
    assert (len(shop.stripe.calls), shop.store.get(Invoice, invoice.id)) == (calls, invoice)
    shop.store.overwrite(subscription)
    assert dict(shop.store._rows).keys() == before.keys()
    assert pay(shop, invoice, as_shown=moves_on).ending is Ending.PAID
