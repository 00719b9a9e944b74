"""A charge is one read and two transactions: what it holds may be old, and its intent is made before its claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.mails import Mail
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.payments import IntentOwner, intent_owner_id
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer
from chalicelib.services.billing.charging import charge_invoice, charge_timer
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.ports import (
    Append,
    Intent,
    ProviderBusy,
    ProviderRefused,
    ProviderUnavailable,
    StoreUnavailable,
    Update,
)
from chalicelib.services.saving import commit
from chalicelib.services.subscriptions import cancel
from tests.fakes.troubled import TroubledStore
from tests.services.shop import ACCOUNT, Shop
from tests.services.test_invoice_paying import pay

DUE = datetime(2027, 2, 28, 20, 30, tzinfo=UTC)


@pytest.fixture
def shop() -> Shop:
    return Shop()


class Watched(TroubledStore):
    """Counts reads as well, each of them one call to the database."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.store)
        self.ports = replace(shop.ports, records=self)
        self.reads: list[str] = []

    def find(self, kind: type[Any], record_id: str) -> Any:
        """See Records."""
        self.reads.append(record_id)
        return self._store.find(kind, record_id)

    def get(self, kind: type[Any], record_id: str) -> Any:
        """See Records."""
        self.reads.append(record_id)
        return self._store.get(kind, record_id)

    def find_many(self, wanted: Sequence[tuple[type[Any], str]]) -> list[Any]:
        """See Records."""
        self.reads.append("+".join(kind.__name__ for kind, _ in wanted))
        return self._store.find_many(wanted)


def renewal(shop: Shop) -> tuple[Subscription, Invoice, Timer]:
    """An invoice that waits for its first charge, and the timer that stands for it."""
    subscription = shop.subscribe()
    shop.settle()
    shop.clock.set(DUE)
    shop.run()
    invoice = shop.invoices()[1]
    [timer] = [timer for timer in shop.store.timers if timer.record_id == invoice.id]
    return subscription, invoice, timer


def made_for(shop: Shop, invoice: Invoice) -> list[Intent]:
    return [intent for intent in shop.stripe.intents() if intent.metadata["till_invoice"] == invoice.id]


def test_a_charge_reads_once_claims_and_saves_its_intent_in_one_write_and_books_in_another(shop: Shop) -> None:
    subscription, invoice, timer = renewal(shop)
    store = Watched(shop)
    calls = len(shop.stripe.calls)
    assert charge_invoice(store.ports, timer) == "paid"
    assert store.reads == ["Invoice+Merchant+Subscription+Customer"]
    claim, booking = store.commits
    assert [type(write).__name__ for write in claim] == ["Update", "Insert"]
    first = claim[0]
    assert isinstance(first, Update)
    assert isinstance(first.record, Invoice)
    assert (first.record.part.in_doubt, first.record.part.intent_id) == (True, made_for(shop, invoice)[0].id)
    told = [write.event.type for write in booking if isinstance(write, Append)]
    assert told == ["invoice.paid", "payment.succeeded"]
    assert [call.operation for call in shop.stripe.calls[calls:]] == ["create_intent", "confirm_off_session"]
    assert shop.subscription(subscription.id).payments_made == 2


def test_a_decline_takes_no_more(shop: Shop) -> None:
    subscription, _, timer = renewal(shop)
    assert subscription.method is not None
    shop.stripe.behave(subscription.method.payment_method_id, "pm_card_chargeCustomerFail")
    store = Watched(shop)
    assert charge_invoice(store.ports, timer) == "declined"
    assert (len(store.reads), len(store.commits)) == (1, 2)
    assert shop.subscription(subscription.id).status == "past_due"


@pytest.mark.parametrize("which", ["none", "gone", "another's"])
def test_hints_that_are_missing_or_wrong_cost_a_read_and_change_nothing(shop: Shop, which: str) -> None:
    other = shop.subscribe("pm_card_mastercard")
    assert shop.press(shop.buyer(shop.one_time, email="ben@example.com")).ending == "paid"
    [ben] = [each for each in shop.store.all(Customer) if each.email == "ben@example.com"]
    subscription, invoice, timer = renewal_of_the_newest(shop)
    hints = {"none": (None, None), "gone": ("sub_gone", "cus_gone"), "another's": (other.id, ben.id)}
    subscription_id, customer_id = hints[which]
    store = Watched(shop)
    wrong = replace(timer, subscription_id=subscription_id, customer_id=customer_id)
    assert charge_invoice(store.ports, wrong) == "paid"
    assert len(store.reads) == 2
    assert subscription.method is not None
    [call] = shop.stripe.calls_of("confirm_off_session")
    assert call.arguments["payment_method_id"] == subscription.method.payment_method_id
    [receipt] = [mail for mail in shop.store.all(Mail) if mail.about_id == invoice.id]
    assert receipt.to == "anna@example.com"
    assert shop.subscription(other.id).payments_made == 1


def renewal_of_the_newest(shop: Shop) -> tuple[Subscription, Invoice, Timer]:
    subscription = shop.subscribe()
    shop.settle()
    shop.clock.set(DUE)
    shop.run()
    [invoice] = [each for each in shop.invoices() if each.subscription_id == subscription.id and each.status == "open"]
    [timer] = [timer for timer in shop.store.timers if timer.record_id == invoice.id]
    return subscription, invoice, timer


# --- the intent is made before the claim


@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=25), timedelta(days=4)])
@pytest.mark.parametrize("effect", [True, False])
def test_a_death_between_the_intent_and_the_claim_leaves_one_intent_that_is_found_again(
    shop: Shop, later: timedelta, effect: bool
) -> None:
    _, invoice, timer = renewal(shop)
    store = Watched(shop)
    store.lose_reply(1, effect=effect)
    with pytest.raises(StoreUnavailable):
        charge_invoice(store.ports, timer)
    assert len(made_for(shop, invoice)) == 1
    assert shop.stripe.calls_of("confirm_off_session") == []
    shop.clock.advance(later)
    shop.settle()
    [intent] = made_for(shop, invoice)
    paid = shop.store.get(Invoice, invoice.id)
    assert (paid.status, paid.part.intent_id, [each.number for each in paid.part.attempts]) == ("paid", intent.id, [1])
    assert len(shop.succeeded()) == 2


def test_a_worker_that_loses_the_claim_confirms_nothing_and_leaves_no_second_intent(shop: Shop) -> None:
    _, invoice, timer = renewal(shop)
    store = Watched(shop)
    said: list[str] = []
    store.before(1, lambda: said.append(charge_invoice(shop.ports, timer)))
    assert charge_invoice(store.ports, timer) == "moved on by another"
    assert said == ["paid"]
    assert len(shop.stripe.calls_of("confirm_off_session")) == 1
    assert [intent.status for intent in made_for(shop, invoice)] == ["succeeded"]


@pytest.mark.parametrize("behaves", ["pm_card_visa", "pm_card_chargeDeclined"])
def test_a_buyer_who_pays_between_the_workers_intent_and_its_claim_pays_on_that_very_intent(
    shop: Shop, behaves: str
) -> None:
    _, invoice, timer = renewal(shop)
    store = Watched(shop)
    endings: list[Ending] = []
    token = shop.token(behaves)
    store.before(1, lambda: endings.append(pay(shop, invoice, confirmation_token=token).ending))
    assert charge_invoice(store.ports, timer) == "moved on by another"
    assert endings == [Ending.PAID if behaves == "pm_card_visa" else Ending.DECLINED]
    assert shop.stripe.calls_of("confirm_off_session") == []
    assert len(made_for(shop, invoice)) == 1
    shop.settle()
    assert shop.store.get(Invoice, invoice.id).status == "paid"
    assert len(shop.succeeded()) == 2
    assert len(made_for(shop, invoice)) == 1


@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=25)])
def test_a_buyer_on_the_page_finds_the_intent_of_a_worker_that_died_before_its_claim(
    shop: Shop, later: timedelta
) -> None:
    _, invoice, timer = renewal(shop)
    shop.stripe.fail("create_intent", effect=True)
    with pytest.raises(ProviderUnavailable):
        charge_invoice(shop.ports, timer)
    shop.clock.advance(later)
    assert pay(shop, shop.store.get(Invoice, invoice.id)).ending is Ending.PAID
    [intent] = made_for(shop, invoice)
    assert shop.store.get(Invoice, invoice.id).part.intent_id == intent.id
    assert shop.store.get(IntentOwner, intent_owner_id(intent.id)).owner_id == invoice.id
    shop.settle()
    assert len(shop.succeeded()) == 2


def test_an_intent_of_a_worker_that_died_moves_nothing_where_the_subscription_ends_meanwhile(shop: Shop) -> None:
    subscription, invoice, timer = renewal(shop)
    shop.stripe.fail("create_intent", effect=True)
    with pytest.raises(ProviderUnavailable):
        charge_invoice(shop.ports, timer)
    cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="buyer")
    shop.clock.advance(timedelta(days=4))
    shop.settle()
    assert [intent.status for intent in made_for(shop, invoice)] == ["requires_payment_method"]
    after = shop.store.get(Invoice, invoice.id)
    assert (after.status, after.part.intent_id, after.part.attempts) == ("open", None, ())
    assert shop.stripe.calls_of("confirm_off_session") == []


def test_an_intent_made_under_the_merchants_old_name_is_used_under_the_new_one(shop: Shop) -> None:
    _, invoice, timer = renewal(shop)
    shop.stripe.fail("create_intent", effect=True)
    with pytest.raises(ProviderUnavailable):
        charge_invoice(shop.ports, timer)
    merchant = shop.store.get(Merchant, shop.merchant.id)
    commit(shop.ports, [Update(replace(merchant, name="Oakwood Studio"))])
    shop.settle()
    assert [intent.status for intent in made_for(shop, invoice)] == ["succeeded"]


@pytest.mark.parametrize("refused", [ProviderBusy("429"), ProviderRefused("api_key", "revoked")])
def test_an_intent_that_stripe_would_not_make_now_uses_up_no_try_and_writes_nothing(
    shop: Shop, refused: Exception
) -> None:
    _, invoice, timer = renewal(shop)
    shop.stripe.fail("create_intent", refused)
    store = Watched(shop)
    with pytest.raises(type(refused)):
        charge_invoice(store.ports, timer)
    assert store.commits == []
    assert shop.store.get(Invoice, invoice.id) == invoice
    shop.settle()
    assert [each.number for each in shop.store.get(Invoice, invoice.id).part.attempts] == [1]


def test_a_customer_that_stripe_does_not_know_any_more_is_told_like_a_decline(shop: Shop) -> None:
    subscription, invoice, timer = renewal(shop)
    shop.stripe.fail("create_intent", ProviderRefused("resource_missing", "No such customer"))
    assert charge_invoice(shop.ports, timer) == "refused"
    after = shop.store.get(Invoice, invoice.id)
    assert [(each.number, each.outcome, each.code) for each in after.part.attempts] == [
        (1, "declined", "resource_missing")
    ]
    # No try comes before the end of its ladder, since only another method will help.
    assert (after.charge_at, after.gives_up_at, after.part.intent_id) == (DUE + timedelta(days=7),) * 2 + (None,)
    assert shop.subscription(subscription.id).status == "past_due"


# --- what is in hand may be old


def cancelled_at_period_end(shop: Shop, subscription: Subscription) -> None:
    cancel(shop.ports, shop.merchant.id, subscription.id, at="period_end", actor="buyer")


def card_replaced(shop: Shop, subscription: Subscription) -> None:
    fresh = shop.subscription(subscription.id)
    assert fresh.method is not None
    another = shop.stripe.stored_method(fresh.method.stripe_customer_id, account=ACCOUNT)
    commit(shop.ports, [Update(replace(fresh, method=replace(fresh.method, payment_method_id=another)))])


@pytest.mark.parametrize("happens", [cancelled_at_period_end, card_replaced])
def test_what_changes_while_stripe_is_asked_is_kept_and_the_payment_booked_beside_it(
    shop: Shop, happens: Callable[[Shop, Subscription], None]
) -> None:
    subscription, invoice, timer = renewal(shop)
    store = Watched(shop)
    store.before(2, lambda: happens(shop, subscription))
    assert charge_invoice(store.ports, timer) == "paid"
    assert len(store.commits) == 3
    changed, after = shop.subscription(subscription.id), shop.store.get(Invoice, invoice.id)
    assert (after.status, changed.payments_made) == ("paid", 2)
    assert changed.cancel_at_period_end is (happens is cancelled_at_period_end)
    assert (changed.method == subscription.method) is (happens is cancelled_at_period_end)
    assert len(shop.payments()) == 2


def test_a_card_replaced_after_the_read_is_not_charged_for_a_try_that_has_begun_with_the_old_one(shop: Shop) -> None:
    subscription, invoice, timer = renewal(shop)
    assert subscription.method is not None
    store = Watched(shop)
    store.before(1, lambda: card_replaced(shop, subscription))
    assert charge_invoice(store.ports, timer) == "paid"
    [call] = shop.stripe.calls_of("confirm_off_session")
    assert call.arguments["payment_method_id"] == subscription.method.payment_method_id
    assert len(made_for(shop, invoice)) == 1


def test_what_a_webhook_booked_while_the_answer_was_on_its_way_is_not_booked_again(shop: Shop) -> None:
    _, invoice, timer = renewal(shop)
    store = Watched(shop)
    said: list[str] = []

    def told() -> None:
        said.append(shop.tell(shop.notice("payment_intent.succeeded", made_for(shop, invoice)[0])))

    store.before(2, told)
    assert charge_invoice(store.ports, timer) == "paid"
    assert said == ["applied"]
    assert len(shop.payments()) == 2
    assert shop.event_types().count("payment.succeeded") == 2


def test_a_lost_answer_to_the_booking_is_found_done_by_the_next_run(shop: Shop) -> None:
    _, invoice, timer = renewal(shop)
    store = Watched(shop)
    store.lose_reply(2, effect=True)
    with pytest.raises(StoreUnavailable):
        charge_invoice(store.ports, timer)
    assert shop.store.get(Invoice, invoice.id).status == "paid"
    assert charge_invoice(shop.ports, timer) == "stale"
    assert len(shop.payments()) == 2


def test_a_try_claimed_without_an_intent_as_older_code_left_it_goes_on_under_its_number(shop: Shop) -> None:
    _, invoice, timer = renewal(shop)
    commit(shop.ports, [Update(invoice.with_part(invoice.part.claimed(DUE)))])
    assert charge_invoice(shop.ports, timer) == "paid"
    assert [each.number for each in shop.store.get(Invoice, invoice.id).part.attempts] == [1]
    assert charge_timer(shop.store.get(Invoice, invoice.id)) is None


def test_a_create_that_is_sent_again_says_the_same_and_its_payment_began_when_the_charge_was_due(shop: Shop) -> None:
    _, invoice, timer = renewal(shop)
    shop.stripe.fail("create_intent", effect=True)
    with pytest.raises(ProviderUnavailable):
        charge_invoice(shop.ports, timer)
    shop.clock.advance(timedelta(minutes=10))
    assert charge_invoice(shop.ports, timer) == "paid"
    first, second = shop.stripe.calls_of("create_intent")[-2:]
    assert (first.arguments, first.key) == (second.arguments, second.key)
    assert shop.stripe.calls_of("find_intents") == []
    [intent] = made_for(shop, invoice)
    [payment] = [each for each in shop.payments() if each.invoice_id == invoice.id]
    assert (payment.id, payment.created_at) == (intent.metadata["till_payment"], timer.due)
