"""I19 and I20: each broken by hand, each found, and nothing else with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.mails import Mail
from chalicelib.domain.documents.merchants import AccountOwner
from chalicelib.domain.documents.payments import IntentOwner
from chalicelib.services.merchants import create_merchant
from chalicelib.services.ports import SetTimer
from chalicelib.services.subscriptions import cancel
from tests.checking.broken import expired, messages, renewed, wrong
from tests.services.shop import Shop


def events(shop: Shop, type_: str) -> list[Event]:
    return [event for event in shop.store.all_events() if event.type == type_]


@pytest.mark.parametrize(
    "type_",
    [
        "customer.created", "payment_link.created", "checkout.started", "checkout.completed", "invoice.issued",
        "invoice.paid", "payment.succeeded", "subscription.created", "subscription.canceled",
    ],
)  # fmt: skip
def test_i19_what_happened_and_is_not_told(shop: Shop, type_: str) -> None:
    renewed(shop)
    cancel(shop.ports, shop.merchant.id, shop.invoices()[0].subscription_id or "", at="now", actor="test")
    told = events(shop, type_)[-1]
    shop.store.lose(told)
    assert ("I19", told.object_id) in wrong(shop)
    assert f"no event {type_}" in messages(shop)
    assert {name for name, _ in wrong(shop)} == {"I19"}


def test_i19_what_is_told_twice(shop: Shop) -> None:
    invoice = renewed(shop)
    told = events(shop, "invoice.paid")[-1]
    shop.store.overwrite(replace(told, id=shop.ids.new("evt", told.occurred_at)))
    assert wrong(shop) == {("I19", invoice.id)}
    assert messages(shop) == ["2 events invoice.paid"]


def test_i19_a_status_that_the_log_does_not_tell(shop: Shop) -> None:
    checkout = expired(shop)
    told = events(shop, "checkout.expired")[0]
    shop.store.overwrite(replace(told, data={"object": {**told.data["object"], "status": "open"}}))
    assert wrong(shop) == {("I19", checkout.id)}
    assert messages(shop) == ["it is expired, its last event tells of open"]


def test_i19_an_event_whose_id_is_of_another_time(shop: Shop) -> None:
    renewed(shop)
    told = events(shop, "invoice.paid")[-1]
    shop.store.overwrite(replace(told, occurred_at=told.occurred_at + timedelta(milliseconds=1)))
    assert wrong(shop) == {("I19", told.id)}
    shop.store.lose(told)
    shop.store.overwrite(replace(told, id="evt_1"))
    assert wrong(shop) == {("I19", "evt_1")}


@pytest.fixture
def other(shop: Shop) -> str:
    """Another merchant of the same deployment."""
    merchant, _ = create_merchant(
        shop.ports, name="Other", timezone="Europe/Berlin", currency="usd", stripe_account="acct_other", ready=True
    )
    assert wrong(shop) == set()
    return merchant.id


def test_i20_an_invoice_for_another_merchants_customer(shop: Shop, other: str) -> None:
    invoice = renewed(shop)
    customer = shop.store.get(Customer, invoice.customer_id)
    told = events(shop, "customer.created")[0]
    shop.store.lose(told)
    shop.store.overwrite(replace(customer, merchant_id=other), replace(told, merchant_id=other))
    found = wrong(shop)
    assert {name for name, _ in found} == {"I20"}
    assert {("I20", invoice.id), ("I20", shop.invoices()[0].id), ("I20", invoice.subscription_id)} <= found


def test_i20_a_mail_about_another_merchants_invoice(shop: Shop, other: str) -> None:
    renewed(shop)
    mail = shop.store.all(Mail)[0]
    shop.store.overwrite(replace(mail, merchant_id=other))
    assert wrong(shop) == {("I20", mail.id)}
    assert messages(shop) == [f"it is {other}'s and refers to {mail.about_id} of {shop.merchant.id}"]


def test_i20_a_timer_and_an_event_of_another_merchant(shop: Shop, other: str) -> None:
    renewed(shop)
    subscription_id = shop.invoices()[0].subscription_id or ""
    timer = next(timer for timer in shop.store.timers if timer.record_id == subscription_id)
    shop.store.lose(timer)
    shop.store.commit("by hand", [SetTimer(replace(timer, merchant_id=other))])
    assert wrong(shop) == {("I20", subscription_id), ("I5", subscription_id)}
    shop.store.commit("back", [SetTimer(timer)])
    told = events(shop, "payment_link.created")[0]
    shop.store.overwrite(replace(told, merchant_id=other))
    # The same fact now stands in two merchants' logs.
    assert wrong(shop) == {("I20", told.id), ("I19", told.object_id)}


def test_i20_a_record_of_nobody(shop: Shop) -> None:
    link = shop.store.all(PaymentLink)[0]
    told = events(shop, "payment_link.created")[0]
    shop.store.lose(told)
    shop.store.overwrite(replace(link, merchant_id="mer_gone"), replace(told, merchant_id="mer_gone"))
    assert wrong(shop) == {("I20", link.id)}
    assert messages(shop) == ["it belongs to mer_gone, which there is not"]


def test_i20_a_merchant_whose_account_is_anothers(shop: Shop, other: str) -> None:
    owner = next(each for each in shop.store.all(AccountOwner) if each.merchant_id == shop.merchant.id)
    shop.store.overwrite(replace(owner, merchant_id=other))
    assert wrong(shop) == {("I20", shop.merchant.id)}


def test_i20_money_of_the_other_mode_or_on_another_account(shop: Shop, other: str) -> None:
    renewed(shop)
    whose = shop.store.all(IntentOwner)[0]
    intent_id = whose.id.removeprefix("intent#")
    shop.stripe.tamper(intent_id, livemode=True)
    assert wrong(shop) == {("I20", whose.id)}
    metadata = {**shop.stripe.intents()[0].metadata, "till_merchant": other}
    shop.stripe.tamper(intent_id, livemode=False, metadata=metadata)
    assert wrong(shop) == {("I20", whose.id)}
    shop.stripe.tamper(intent_id, metadata={})
    assert wrong(shop) == set()
    shop.store.overwrite(replace(whose, stripe_account="acct_other"))
    assert wrong(shop) == {("I20", whose.id)}
