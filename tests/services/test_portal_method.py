"""Another method for a subscription: stored once, agreed to, and charged for exactly what its page listed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.payments import IntentOwner
from chalicelib.domain.documents.portal import MethodChange, PortalSession
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import NotFound
from chalicelib.services.checkouts.submit import MOST_TRIES, Ending, Submitted
from chalicelib.services.limits.addresses import MOST_UNPAID
from chalicelib.services.portal.changing_method import (
    ChangeMethod,
    MethodPage,
    change_method,
    open_method_page,
    resolve_change,
)
from chalicelib.services.portal.signing_in import Visit
from chalicelib.services.portal.storing_method import apply_setup
from chalicelib.services.ports import Intent, ProviderBusy, ProviderRefused, ProviderUnavailable, Update
from chalicelib.services.saving import commit
from chalicelib.services.subscriptions import cancel
from tests.services.shop import Shop, usd
from tests.services.test_invoice_paying import pay

DUE = datetime(2027, 2, 28, 20, 30, tzinfo=UTC)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def visit(shop: Shop, subscription: Subscription) -> Visit:
    """The subscription's customer, signed in."""
    customer = shop.store.get(Customer, subscription.customer_id)
    now = shop.clock.now()
    session = PortalSession("psn_1", shop.merchant.id, customer.id, "", now, now + timedelta(hours=1))
    return Visit(shop.merchant, session, customer)


def behind(shop: Shop, renewals: int = 1) -> Subscription:
    """A subscription whose renewals have failed, each on its day."""
    subscription = shop.subscribe()
    shop.settle()
    assert subscription.method is not None
    shop.stripe.behave(subscription.method.payment_method_id, "pm_card_chargeCustomerFail")
    ends = (DUE, datetime(2027, 3, 31, 19, 30, tzinfo=UTC), datetime(2027, 4, 30, 19, 30, tzinfo=UTC))
    shop.until(ends[renewals - 1])
    return shop.subscription(subscription.id)


def form(shop: Shop, subscription: Subscription, **changes: Any) -> ChangeMethod:
    fields: dict[str, Any] = {
        "subscription_id": subscription.id,
        "change_id": shop.ids.new("mchg", shop.clock.now()),
        "confirmation_token": shop.token(),
        "return_url": "https://till.example/return",
        "consent_words": lambda page: "agreed anew",
        "as_shown": lambda page: True,
        "address": "203.0.113.9",
    }
    return ChangeMethod(**(fields | changes))


def press(shop: Shop, subscription: Subscription, request: ChangeMethod) -> Submitted:
    return change_method(shop.ports, visit(shop, subscription), request)


def change_of(shop: Shop, request: ChangeMethod) -> MethodChange:
    return shop.store.get(MethodChange, request.change_id)


def setup(shop: Shop) -> Intent:
    [intent] = shop.stripe.setup_intents()
    return intent


def card_of(shop: Shop, subscription: Subscription) -> str:
    stored = shop.subscription(subscription.id).method
    assert stored is not None
    return stored.payment_method_id


def test_a_new_card_takes_the_place_of_the_old_one_with_the_consent_that_its_page_showed(shop: Shop) -> None:
    before = shop.subscribe()
    shop.settle()
    request = form(shop, before)
    assert press(shop, before, request) == Submitted(Ending.STORED)
    after = shop.subscription(before.id)
    assert after.method is not None
    assert before.method is not None
    assert after.method.payment_method_id == setup(shop).payment_method_id != before.method.payment_method_id
    assert after.method.stripe_customer_id == before.method.stripe_customer_id
    assert after.consent is not None
    assert (after.consent.text, after.consent.address) == ("agreed anew", "203.0.113.9")
    assert shop.event_types()[-1] == "subscription.updated"
    assert len(shop.stripe.charges()) == 1
    # The next renewal goes to the new card.
    shop.stripe.behave(before.method.payment_method_id, "pm_card_chargeCustomerFail")
    shop.until(DUE)
    assert [invoice.status for invoice in shop.invoices()] == ["paid", "paid"]


def test_what_is_owed_is_listed_and_charged_oldest_first_and_nothing_else_is(shop: Shop) -> None:
    subscription = behind(shop, renewals=3)
    other = shop.subscribe()
    assert other.method is not None
    shop.stripe.behave(other.method.payment_method_id, "pm_card_chargeCustomerFail")
    page = open_method_page(shop.ports, visit(shop, subscription), subscription.id)
    owed = [invoice for invoice in shop.invoices() if invoice.status == "open"]
    assert [invoice.id for invoice in page.owed] == [invoice.id for invoice in owed]
    assert page.due == usd(4_900 * 3)

    request = form(shop, subscription)
    assert press(shop, subscription, request).ending is Ending.STORED
    assert change_of(shop, request).invoice_ids == tuple(invoice.id for invoice in owed)
    asked = [shop.store.get(Invoice, invoice.id) for invoice in owed]
    assert {(each.charge_at, each.asked_at) for each in asked} == {(shop.clock.now(), shop.clock.now())}
    assert len(shop.succeeded()) == 2
    shop.settle()
    assert [shop.store.get(Invoice, invoice.id).status for invoice in owed] == ["paid", "paid", "paid"]
    after = shop.subscription(subscription.id)
    assert (after.status, after.past_due_invoices) == ("active", ())
    assert len(shop.succeeded()) == 5
    assert shop.subscription(other.id).method == other.method


def test_an_invoice_that_was_paid_meanwhile_is_not_charged_again(shop: Shop) -> None:
    subscription = behind(shop)
    [invoice] = [each for each in shop.invoices() if each.status == "open"]
    request = form(shop, subscription, confirmation_token=shop.token("pm_card_authenticationRequiredOnSetup"))
    assert press(shop, subscription, request).ending is Ending.REQUIRES_ACTION
    # The bank is still being asked when the invoice is paid on its own page.
    assert pay(shop, invoice).ending is Ending.PAID
    paid = shop.store.get(Invoice, invoice.id)
    shop.stripe.pass_challenge(setup(shop).id)
    assert press(shop, subscription, request).ending is Ending.STORED
    assert shop.store.get(Invoice, invoice.id) == paid
    assert len(shop.succeeded()) == 2


def test_pressing_twice_stores_once_and_asks_stripe_once(shop: Shop) -> None:
    subscription = shop.subscribe()
    request = form(shop, subscription)
    assert press(shop, subscription, request).ending is Ending.STORED
    calls, stored = len(shop.stripe.calls), shop.subscription(subscription.id)
    assert press(shop, subscription, request).ending is Ending.STORED
    assert (len(shop.stripe.calls), shop.subscription(subscription.id)) == (calls, stored)


def test_the_intents_id_is_saved_before_it_is_confirmed_and_each_try_has_a_key_of_its_own(shop: Shop) -> None:
    subscription = shop.subscribe()
    request = form(shop, subscription, confirmation_token=shop.token("pm_card_chargeDeclined"))
    shop.stripe.fail("confirm_setup_with_token")
    assert press(shop, subscription, request).ending is Ending.CHECKING
    change = change_of(shop, request)
    assert change.part.intent_id == setup(shop).id
    [owner] = [each for each in shop.store.all(IntentOwner) if each.owner_id == change.id]
    assert owner.merchant_id == shop.merchant.id
    shop.after(minutes=2)
    again = ChangeMethod(**{**_fields(request), "confirmation_token": shop.token()})
    assert press(shop, subscription, again).ending is Ending.STORED
    keys = [call.key for call in shop.stripe.calls_of("confirm_setup_with_token")]
    assert keys == [f"confirm-{setup(shop).id}-1", f"confirm-{setup(shop).id}-2"]
    assert [each.outcome for each in change_of(shop, request).part.attempts] == ["abandoned", "succeeded"]


def _fields(request: ChangeMethod) -> dict[str, Any]:
    return {name: getattr(request, name) for name in ChangeMethod.__slots__}


def test_a_lost_answer_is_found_out_and_nothing_is_tried_again(shop: Shop) -> None:
    subscription = behind(shop)
    request = form(shop, subscription)
    shop.stripe.fail("confirm_setup_with_token", effect=True)
    assert press(shop, subscription, request).ending is Ending.CHECKING
    assert press(shop, subscription, request).ending is Ending.STORED
    assert len(shop.stripe.calls_of("confirm_setup_with_token")) == 1
    shop.settle()
    assert shop.subscription(subscription.id).status == "active"


def test_a_declined_card_changes_nothing_and_the_next_one_is_taken(shop: Shop) -> None:
    subscription = behind(shop)
    [invoice] = [each for each in shop.invoices() if each.status == "open"]
    request = form(shop, subscription, confirmation_token=shop.token("pm_card_chargeDeclined"))
    done = press(shop, subscription, request)
    assert done.ending is Ending.DECLINED
    assert done.decline is not None
    assert shop.subscription(subscription.id) == subscription
    assert shop.store.get(Invoice, invoice.id) == invoice
    again = ChangeMethod(**{**_fields(request), "confirmation_token": shop.token()})
    assert press(shop, subscription, again).ending is Ending.STORED
    assert len(shop.stripe.setup_intents()) == 1


def test_a_challenge_is_passed_and_the_webhook_alone_stores_the_card(shop: Shop) -> None:
    subscription = behind(shop)
    request = form(shop, subscription, confirmation_token=shop.token("pm_card_authenticationRequiredOnSetup"))
    done = press(shop, subscription, request)
    assert (done.ending, done.client_secret) == (Ending.REQUIRES_ACTION, setup(shop).client_secret)
    assert shop.subscription(subscription.id) == subscription
    passed = shop.stripe.pass_challenge(setup(shop).id)
    told = shop.notice("setup_intent.succeeded", passed)
    assert shop.tell(told) == "applied"
    assert card_of(shop, subscription) == passed.payment_method_id
    before = shop.subscription(subscription.id)
    assert shop.tell(told) == "done before"
    assert shop.tell(shop.notice("setup_intent.succeeded", passed, "evt_2")) == "known before"
    assert shop.subscription(subscription.id) == before
    shop.settle()
    assert shop.subscription(subscription.id).status == "active"


def test_two_who_heard_the_same_of_stripe_store_it_once(shop: Shop) -> None:
    subscription = behind(shop)
    request = form(shop, subscription)
    assert press(shop, subscription, request).ending is Ending.STORED
    shop.settle()
    stored, paid, told = shop.subscription(subscription.id), shop.invoices(), shop.event_types()
    # The return page asked before the answer was written down, and writes after it.
    after = apply_setup(shop.ports, request.change_id, setup(shop), actor="stripe")
    assert after == change_of(shop, request)
    assert (shop.subscription(subscription.id), shop.invoices(), shop.event_types()) == (stored, paid, told)


def test_a_challenge_that_failed_with_the_tab_closed_is_a_decline(shop: Shop) -> None:
    subscription = shop.subscribe()
    request = form(shop, subscription, confirmation_token=shop.token("pm_card_authenticationRequiredOnSetup"))
    press(shop, subscription, request)
    failed = shop.stripe.fail_challenge(setup(shop).id)
    assert shop.tell(shop.notice("setup_intent.setup_failed", failed)) == "applied"
    assert [each.outcome for each in change_of(shop, request).part.attempts] == ["declined"]
    assert shop.subscription(subscription.id) == subscription


def test_a_late_report_of_an_older_change_does_not_take_the_newer_card_away(shop: Shop) -> None:
    subscription = shop.subscribe()
    older = form(shop, subscription, confirmation_token=shop.token("pm_card_authenticationRequiredOnSetup"))
    press(shop, subscription, older)
    asked = setup(shop)
    shop.after(minutes=5)
    assert press(shop, subscription, form(shop, subscription)).ending is Ending.STORED
    newer = shop.subscription(subscription.id)
    passed = shop.stripe.pass_challenge(asked.id)
    assert shop.tell(shop.notice("setup_intent.succeeded", passed)) == "applied"
    assert shop.subscription(subscription.id) == newer
    assert change_of(shop, older).stored_at is not None


def test_another_customers_subscription_is_not_there_and_stripe_is_not_asked(shop: Shop) -> None:
    mine = shop.subscribe()
    form_of_bob = shop.buyer(shop.monthly, email="bob@example.com", name="Bob")
    assert shop.press(form_of_bob).ending == "paid"
    [theirs] = [each for each in shop.store.all(Subscription) if each.customer_id != mine.customer_id]
    calls = len(shop.stripe.calls)
    with pytest.raises(NotFound):
        press(shop, mine, form(shop, theirs))
    with pytest.raises(NotFound):
        open_method_page(shop.ports, visit(shop, mine), theirs.id)
    assert (len(shop.stripe.calls), shop.store.all(MethodChange)) == (calls, [])
    # Nor does a change of one's own serve for another subscription.
    request = form(shop, mine)
    press(shop, mine, request)
    with pytest.raises(NotFound):
        press(shop, theirs, ChangeMethod(**{**_fields(request), "subscription_id": theirs.id}))


def test_terms_that_changed_an_old_page_and_an_ended_subscription_ask_stripe_nothing(shop: Shop) -> None:
    subscription = shop.subscribe()
    calls = len(shop.stripe.calls)
    assert press(shop, subscription, form(shop, subscription, as_shown=lambda page: False)).ending is Ending.CHANGED
    request = form(shop, subscription)
    shop.after(hours=23)
    assert press(shop, subscription, request).ending is Ending.TIMED_OUT
    cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="test")
    assert press(shop, subscription, form(shop, subscription)).ending is Ending.CLOSED
    assert (len(shop.stripe.calls), shop.store.all(MethodChange)) == (calls, [])


def test_a_subscription_that_ended_while_the_bank_was_asked_takes_no_card(shop: Shop) -> None:
    subscription = shop.subscribe()
    request = form(shop, subscription, confirmation_token=shop.token("pm_card_authenticationRequiredOnSetup"))
    press(shop, subscription, request)
    ended = cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="test")
    shop.tell(shop.notice("setup_intent.succeeded", shop.stripe.pass_challenge(setup(shop).id)))
    assert shop.subscription(subscription.id) == ended


def test_tries_are_limited_by_page_and_by_address(shop: Shop) -> None:
    subscription = shop.subscribe()
    request = form(shop, subscription)
    for _ in range(MOST_TRIES):
        declined = {"confirmation_token": shop.token("pm_card_chargeDeclined")}
        assert press(shop, subscription, ChangeMethod(**{**_fields(request), **declined})).ending is Ending.DECLINED
    assert press(shop, subscription, request).ending is Ending.TOO_MANY_TRIES
    calls = len(shop.stripe.calls)
    for _ in range(MOST_UNPAID):
        declined = {"confirmation_token": shop.token("pm_card_chargeDeclined"), "source": "one address"}
        assert press(shop, subscription, form(shop, subscription, **declined)).ending is Ending.DECLINED
    asked = len(shop.stripe.calls)
    assert asked > calls
    assert press(shop, subscription, form(shop, subscription, source="one address")).ending is Ending.TOO_MANY_TRIES
    assert len(shop.stripe.calls) == asked


def test_a_subscription_without_a_method_gets_a_stripe_customer_of_its_own(shop: Shop) -> None:
    subscription = shop.subscribe()
    shop.settle()
    commit(shop.ports, [Update(replace(subscription, method=None, consent=None))])
    shop.until(DUE)
    [invoice] = [each for each in shop.invoices() if each.status == "open"]
    assert invoice.collection_blocked == "no_payment_method"
    request = form(shop, subscription)
    assert press(shop, subscription, request).ending is Ending.STORED
    made = shop.stripe.customers()[-1]
    assert change_of(shop, request).stripe_customer_id == made.id
    assert made.email == "anna@example.com"
    shop.settle()
    assert [each.status for each in shop.invoices()] == ["paid", "paid"]


@pytest.mark.parametrize(
    ("error", "ending"),
    [(ProviderBusy("busy"), Ending.DECLINED), (ProviderUnavailable("down"), Ending.CHECKING)],
)
def test_a_stripe_that_is_busy_or_silent_has_words_and_leaves_the_next_try_free(
    shop: Shop, error: Exception, ending: Ending
) -> None:
    subscription = shop.subscribe()
    request = form(shop, subscription)
    shop.stripe.fail("create_setup_intent", error)
    assert press(shop, subscription, request).ending is ending
    shop.after(minutes=2)
    assert press(shop, subscription, request).ending is Ending.STORED
    assert len(shop.stripe.setup_intents()) == 1


def test_a_request_that_stripe_refuses_is_nobodys_decline_and_frees_the_next_try(shop: Shop) -> None:
    subscription = shop.subscribe()
    request = form(shop, subscription)
    shop.stripe.fail("create_setup_intent", ProviderRefused("api_key", "revoked"))
    with pytest.raises(ProviderRefused):
        press(shop, subscription, request)
    assert press(shop, subscription, request).ending is Ending.STORED


def test_an_intent_that_stripe_cancels_makes_room_for_another(shop: Shop) -> None:
    subscription = shop.subscribe()
    request = form(shop, subscription, confirmation_token=shop.token("pm_card_authenticationRequiredOnSetup"))
    press(shop, subscription, request)
    first = setup(shop)
    shop.stripe.give_up(first.id)
    change = resolve_change(shop.ports, shop.merchant, change_of(shop, request))
    assert (change.part.intent_id, change.part.generation) == (None, 2)
    again = ChangeMethod(**{**_fields(request), "confirmation_token": shop.token()})
    assert press(shop, subscription, again).ending is Ending.STORED
    assert len(shop.stripe.setup_intents()) == 2


def test_a_page_without_anything_owed_has_nothing_to_charge(shop: Shop) -> None:
    subscription = shop.subscribe()
    page: MethodPage = open_method_page(shop.ports, visit(shop, subscription), subscription.id)
    assert (page.owed, page.due, page.can_change) == ((), usd(0), True)
