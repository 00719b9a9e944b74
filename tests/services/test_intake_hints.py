"""An intent's metadata hint at what its news needs: read in one go, and worth nothing against Till's own records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.intake import StripeEvent
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.services.checkouts.booking import book_checkout
from chalicelib.services.checkouts.submit import Ending, Submit
from chalicelib.services.ports import Intent, ProviderUnavailable, Update
from chalicelib.services.saving import commit
from tests.services.shop import Shop, usd

OWN = {"till_merchant", "till_invoice", "till_checkout", "till_part"}
HINTS = {"till_link", "till_customer", "till_payment", "till_subscription"}


@pytest.fixture
def shop() -> Shop:
    return Shop()


def paid_at_stripe_only(shop: Shop, **changes: object) -> tuple[Submit, Intent]:
    """A buyer whose answer was lost, and what Stripe took of them."""
    shop.stripe.fail("confirm_with_token", effect=True)
    form = shop.buyer(shop.one_time, **changes)
    assert shop.press(form).ending is Ending.CHECKING
    return form, shop.stripe.intents()[-1]


def while_stripe_is_asked(shop: Shop, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Once, between what an event was read with and Stripe's answer."""
    asked = shop.stripe.retrieve_intent
    waiting = [happens]

    def ask(account: str | None, intent_id: str) -> Intent:
        if waiting:
            waiting.pop()()
        return asked(account, intent_id)

    monkeypatch.setattr(shop.stripe, "retrieve_intent", ask)


def told(shop: Shop, intent: Intent, type_: str = "payment_intent.succeeded", **metadata: str | None) -> str:
    """The event with its metadata changed, and without those that are None."""
    changed = {name: value for name, value in {**intent.metadata, **metadata}.items() if value is not None}
    notice = shop.notice(type_, intent, event_id=f"evt_{type_}_{intent.id}")
    return shop.tell(replace(notice, object={**notice.object, "metadata": changed}))


def test_an_intent_names_what_its_booking_needs_and_nobody(shop: Shop) -> None:
    _, intent = paid_at_stripe_only(shop)
    assert intent.metadata.keys() == OWN | {"till_link", "till_payment"}
    assert intent.metadata["till_link"] == shop.one_time.id
    assert told(shop, intent) == "applied"
    [payment] = shop.payments()
    assert intent.metadata["till_payment"] == payment.id
    [customer] = shop.store.all(Customer)
    _, second = paid_at_stripe_only(shop)
    assert second.metadata["till_customer"] == customer.id
    assert not any("@" in value for value in second.metadata.values())
    assert all(len(name) <= 40 and len(value) <= 500 for name, value in second.metadata.items())
    assert told(shop, second) == "applied"
    assert [payment.customer_id for payment in shop.payments()] == [customer.id] * 2


def test_a_renewals_intent_names_customer_subscription_and_payment(shop: Shop) -> None:
    subscription = shop.subscribe()
    shop.stripe.fail("confirm_off_session", effect=True)
    shop.after(days=32)
    shop.run()
    shop.run()
    intent = shop.stripe.intents()[-1]
    assert intent.metadata.keys() == {"till_merchant", "till_invoice", "till_part"} | HINTS - {"till_link"}
    assert intent.metadata["till_subscription"] == subscription.id
    assert intent.metadata["till_customer"] == subscription.customer_id
    assert told(shop, intent) == "applied"
    assert intent.metadata["till_payment"] == max(shop.payments(), key=lambda payment: payment.id).id
    assert shop.subscription(subscription.id).payments_made == 2


@pytest.mark.parametrize("known", [False, True], ids=["a new buyer", "a known buyer"])
def test_an_intent_that_was_made_without_hints_is_booked_and_settled_as_before(shop: Shop, known: bool) -> None:
    if known:
        shop.pay()
    _, intent = paid_at_stripe_only(shop)
    none: dict[str, str | None] = dict.fromkeys(HINTS)
    assert told(shop, intent, **none) == "applied"
    shop.stripe.settle()
    assert told(shop, shop.stripe.intents()[-1], "charge.updated", **none) == "applied"
    assert all(payment.settlement for payment in shop.payments() if payment.intent_id == intent.id)
    assert len(shop.invoices()) == 1 + known
    assert len(shop.store.all(Customer)) == 1


def test_a_number_that_was_taken_while_stripe_was_asked_is_not_taken_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, intent = paid_at_stripe_only(shop)
    while_stripe_is_asked(shop, monkeypatch, lambda: shop.press(shop.buyer(shop.one_time, email="ben@example.com")))
    assert told(shop, intent) == "applied"
    assert [(each.number, each.checkout_id == form.checkout_id) for each in shop.invoices()] == [
        ("INV-0001", False),
        ("INV-0002", True),
    ]


def test_a_customer_who_was_made_while_stripe_was_asked_is_not_made_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, intent = paid_at_stripe_only(shop)
    while_stripe_is_asked(shop, monkeypatch, lambda: shop.press(shop.buyer(shop.one_time)))
    assert told(shop, intent) == "applied"
    [customer] = shop.store.all(Customer)
    assert [payment.customer_id for payment in shop.payments()] == [customer.id] * 2


def test_a_checkout_that_was_booked_while_stripe_was_asked_is_not_booked_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, intent = paid_at_stripe_only(shop)
    shop.after(minutes=2)

    def come_back() -> None:
        assert shop.press(form).ending is Ending.PAID

    while_stripe_is_asked(shop, monkeypatch, come_back)
    assert told(shop, intent) == "applied"
    assert len(shop.invoices()) == len(shop.payments()) == 1
    assert [row.state for row in shop.store.all(StripeEvent)] == ["done"]


def test_a_difference_that_is_gone_by_the_time_stripe_has_answered_is_none(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, intent = paid_at_stripe_only(shop)
    checkout = shop.store.get(Checkout, form.checkout_id)
    commit(shop.ports, [Update(checkout.with_part(replace(checkout.part, amount=usd(14_900))))])

    def put_right() -> None:
        changed = shop.store.get(Checkout, form.checkout_id)
        commit(shop.ports, [Update(changed.with_part(checkout.part))])

    while_stripe_is_asked(shop, monkeypatch, put_right)
    assert told(shop, intent) == "applied"
    assert [invoice.status for invoice in shop.invoices()] == ["paid"]


def test_hints_that_name_other_records_of_the_shop_change_nothing(shop: Shop) -> None:
    theirs = shop.pay()
    before = shop.payment(theirs.id), shop.invoice_of(theirs)
    _, intent = paid_at_stripe_only(shop, email="ben@example.com")
    wrong: dict[str, str | None] = {
        "till_link": shop.monthly.id,
        "till_customer": theirs.customer_id,
        "till_payment": theirs.id,
        "till_checkout": "chk_nobodys",
    }
    assert told(shop, intent, **wrong) == "applied"
    shop.stripe.settle()
    assert told(shop, shop.stripe.intents()[-1], "charge.updated", **wrong) == "applied"
    assert (shop.payment(theirs.id), shop.invoice_of(theirs)) == before
    [payment] = [each for each in shop.payments() if each.id != theirs.id]
    assert payment.settlement is not None
    assert shop.store.get(Customer, payment.customer_id or "").email == "ben@example.com"


def test_another_customer_than_the_checkouts_own_is_not_believed(shop: Shop) -> None:
    anna = shop.pay()
    _, intent = paid_at_stripe_only(shop, email="ben@example.com")
    assert told(shop, intent, till_customer=anna.customer_id) == "applied"
    owners = {each.id: each.email for each in shop.store.all(Customer)}
    assert sorted(owners[payment.customer_id or ""] for payment in shop.payments()) == [
        "anna@example.com",
        "ben@example.com",
    ]


def test_a_buyer_who_corrects_the_address_is_booked_as_whom_they_named_last(shop: Shop) -> None:
    anna = shop.pay()
    form = shop.buyer(shop.one_time, confirmation_token=shop.token("pm_card_chargeDeclined"))
    assert shop.press(form).ending is Ending.DECLINED
    shop.stripe.fail("confirm_with_token", effect=True)
    corrected = replace(form, email="ben@example.com", confirmation_token=shop.token())
    assert shop.press(corrected).ending is Ending.CHECKING
    intent = shop.stripe.intents()[-1]
    assert intent.metadata["till_customer"] == anna.customer_id
    assert told(shop, intent) == "applied"
    [payment] = [each for each in shop.payments() if each.id != anna.id]
    assert shop.store.get(Customer, payment.customer_id or "").email == "ben@example.com"


def test_the_checkout_as_it_was_seen_decides_nothing(shop: Shop) -> None:
    anna = shop.pay()
    form, intent = paid_at_stripe_only(shop, email="ben@example.com")
    before = shop.store.get(Checkout, form.checkout_id)
    seen = replace(before, email="anna@example.com", totals=replace(before.totals, total=usd(1)))
    book_checkout(shop.ports, seen, intent, actor="test")
    [payment] = [each for each in shop.payments() if each.id != anna.id]
    assert payment.amount == usd(14_800)
    assert shop.store.get(Customer, payment.customer_id or "").email == "ben@example.com"


def test_an_event_left_unfinished_whose_payment_was_booked_meanwhile_is_done_without_asking(shop: Shop) -> None:
    form, intent = paid_at_stripe_only(shop)
    shop.stripe.fail("retrieve_intent", ProviderUnavailable("down"))
    with pytest.raises(ProviderUnavailable):
        told(shop, intent)
    shop.after(minutes=2)
    assert shop.press(form).ending is Ending.PAID
    shop.settle()
    calls = len(shop.stripe.calls)
    shop.after(minutes=9)
    shop.settle()
    assert [(row.state, row.result) for row in shop.store.all(StripeEvent)] == [("done", "known before")]
    assert len(shop.stripe.calls) == calls
    assert len(shop.invoices()) == 1


def test_what_is_known_when_it_comes_is_written_down_as_done_at_once(shop: Shop) -> None:
    payment = shop.pay()
    shop.stripe.settle()
    [intent] = shop.stripe.intents()
    assert told(shop, intent, "charge.updated") == "applied"
    calls = len(shop.stripe.calls)
    assert told(shop, intent) == "known before"
    notice = shop.notice("charge.updated", intent, event_id="evt_again")
    assert shop.tell(notice) == "known before"
    rows = shop.store.all(StripeEvent)
    assert {row.state for row in rows} == {"done"}
    assert sorted((row.type, row.version) for row in rows) == [
        ("charge.updated", 1),
        ("charge.updated", 2),
        ("payment_intent.succeeded", 1),
    ]
    assert [timer for timer in shop.store.timers if timer.kind is TimerKind.APPLY_WEBHOOK] == []
    assert len(shop.stripe.calls) == calls
    assert shop.payment(payment.id).settlement is not None
