"""Stripe's events: taken in once, applied in any order and any number of times, and only when they are ours."""

from __future__ import annotations

from itertools import permutations

import pytest

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.intake import StripeEvent
from chalicelib.domain.documents.payments import IntentOwner
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.payments.matching import PaymentMismatch
from chalicelib.services.ports import ProviderUnavailable, StoreUnavailable
from tests.services.shop import Shop, usd


@pytest.fixture
def shop() -> Shop:
    return Shop()


def pay(shop: Shop) -> None:
    assert shop.press(shop.buyer(shop.one_time)).ending is Ending.PAID


def test_fee_and_net_come_with_charge_updated(shop: Shop) -> None:
    pay(shop)
    assert shop.payments()[0].settlement is None
    shop.stripe.settle()
    [intent] = shop.stripe.intents()
    assert shop.tell(shop.notice("charge.updated", intent)) == "applied"
    settlement = shop.payments()[0].settlement
    assert settlement is not None
    assert (settlement.gross, settlement.fee, settlement.net) == (usd(14_800), usd(459), usd(14_341))
    assert shop.event_types()[-1] == "payment.settled"


def told_settled(shop: Shop) -> list[tuple[object, ...]]:
    """What the log's events `payment.settled` say: fee, net, and what both were before."""
    events, _ = shop.store.events(shop.merchant.id, limit=100)
    return [
        (each.data["object"]["fee"], each.data["object"]["net"], each.data["previous"])
        for each in events
        if each.type == "payment.settled"
    ]


UNKNOWN = {"fee": None, "net": None}


def test_a_payment_that_is_booked_with_its_fee_known_tells_that_it_is_settled_once(shop: Shop) -> None:
    shop.stripe.fail("confirm_with_token", effect=True)
    assert shop.press(shop.buyer(shop.one_time)).ending is Ending.CHECKING
    shop.stripe.settle()
    [intent] = shop.stripe.intents()
    assert shop.tell(shop.notice("payment_intent.succeeded", intent)) == "applied"
    assert told_settled(shop) == [(459, 14_341, UNKNOWN)]
    assert shop.tell(shop.notice("charge.updated", intent, event_id="evt_2")) == "known before"
    assert told_settled(shop) == [(459, 14_341, UNKNOWN)]


def test_a_renewal_that_is_booked_with_its_fee_known_tells_that_it_is_settled_once(shop: Shop) -> None:
    shop.subscribe()
    shop.stripe.fail("confirm_off_session", effect=True)
    shop.after(days=32)
    shop.run()
    shop.run()
    assert [payment.settlement for payment in shop.payments()] == [None]
    shop.stripe.settle()
    intent = shop.stripe.intents()[-1]
    assert shop.tell(shop.notice("payment_intent.succeeded", intent, event_id="evt_2")) == "applied"
    assert len(shop.payments()) == 2
    assert told_settled(shop) == [(172, 4_728, UNKNOWN)]


def test_a_webhook_books_what_a_lost_answer_could_not(shop: Shop) -> None:
    shop.stripe.fail("confirm_with_token", effect=True)
    form = shop.buyer(shop.one_time)
    assert shop.press(form).ending is Ending.CHECKING
    [intent] = shop.stripe.intents()
    assert shop.tell(shop.notice("payment_intent.succeeded", intent)) == "applied"
    assert shop.store.get(Checkout, form.checkout_id).status == "completed"
    assert [invoice.number for invoice in shop.invoices()] == ["INV-0001"]
    assert [row.state for row in shop.store.all(StripeEvent)] == ["done"]


def test_the_same_event_again_and_again_changes_nothing(shop: Shop) -> None:
    pay(shop)
    [intent] = shop.stripe.intents()
    notice = shop.notice("payment_intent.succeeded", intent)
    assert [shop.tell(notice) for _ in range(3)] == ["known before", "done before", "done before"]
    assert len(shop.store.all(StripeEvent)) == len(shop.payments()) == len(shop.invoices()) == 1


ORDERS = list(permutations(["payment_intent.succeeded", "charge.updated", "payment_intent.processing", "submit"]))


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_of_a_payments_reports_gives_the_same_state(shop: Shop, order: tuple[str, ...]) -> None:
    shop.stripe.fail("confirm_with_token", effect=True)
    form = shop.buyer(shop.one_time)
    shop.press(form)
    shop.stripe.settle()
    shop.after(minutes=2)
    [intent] = shop.stripe.intents()
    for step in order:
        if step == "submit":
            assert shop.press(form).ending is Ending.PAID
        else:
            shop.tell(shop.notice(step, intent, event_id=f"evt_{step}"))
    [invoice], [payment] = shop.invoices(), shop.payments()
    assert (invoice.number, invoice.status, payment.status) == ("INV-0001", "paid", "succeeded")
    assert payment.settlement is not None
    assert payment.settlement.net == usd(14_341)
    shop.settle()
    assert len(shop.mailer.sent) == 1


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"account": "acct_other"}, "nobody's here"),
        ({"account": None}, "nobody's here"),
        ({"account": None, "direct_merchant_id": "mer_pinewood"}, "nobody's here"),
        ({"livemode": True}, "of the other mode"),
        ({"object": {"id": "pi_unknown"}}, "nobody's here"),
        ({"object": {}}, "nobody's here"),
        ({"object": {"id": 5}}, "nobody's here"),
    ],
)
def test_what_is_not_ours_is_answered_and_leaves_nothing_behind(
    shop: Shop, changes: dict[str, object], answer: str
) -> None:
    pay(shop)
    calls = len(shop.stripe.calls)
    assert shop.tell(shop.notice("payment_intent.succeeded", shop.stripe.intents()[0], **changes)) == answer
    assert shop.store.all(StripeEvent) == []
    assert len(shop.stripe.calls) == calls


def test_a_kind_of_event_that_does_not_matter_is_not_stored(shop: Shop) -> None:
    pay(shop)
    notice = shop.notice("customer.created", shop.stripe.intents()[0])
    assert shop.tell(notice) == "not of a kind that matters"
    assert shop.store.all(StripeEvent) == []


def test_metadata_finds_an_intent_whose_id_was_never_saved(shop: Shop) -> None:
    shop.stripe.fail("create_intent", effect=True)
    form = shop.buyer(shop.one_time)
    assert shop.press(form).ending is Ending.CHECKING
    assert shop.store.all(IntentOwner) == []
    [intent] = shop.stripe.intents()
    shop.after(minutes=2)
    shop.tell(shop.notice("payment_intent.canceled", intent))
    assert [whose.owner_id for whose in shop.store.all(IntentOwner)] == [form.checkout_id]


def test_metadata_that_names_another_merchants_checkout_is_not_believed(shop: Shop) -> None:
    pay(shop)
    [checkout] = shop.store.all(Checkout)
    forged = {"id": "pi_forged", "metadata": {"till_merchant": "mer_other", "till_checkout": checkout.id}}
    notice = shop.notice("payment_intent.succeeded", shop.stripe.intents()[0], object=forged)
    assert shop.tell(notice) == "nobody's here"
    assert len(shop.store.all(IntentOwner)) == 1


def test_an_event_that_could_not_be_applied_is_finished_by_the_scheduler(shop: Shop) -> None:
    shop.stripe.fail("confirm_with_token", effect=True)
    shop.press(shop.buyer(shop.one_time))
    [intent] = shop.stripe.intents()
    shop.stripe.fail("retrieve_intent", ProviderUnavailable("down"))
    with pytest.raises(ProviderUnavailable):
        shop.tell(shop.notice("payment_intent.succeeded", intent))
    assert [row.state for row in shop.store.all(StripeEvent)] == ["received"]
    assert shop.invoices() == []
    shop.after(minutes=10)
    shop.settle()
    assert [row.state for row in shop.store.all(StripeEvent)] == ["done"]
    assert [invoice.status for invoice in shop.invoices()] == ["paid"]


def test_a_payment_of_another_amount_is_kept_for_a_person_and_books_nothing(shop: Shop) -> None:
    shop.stripe.fail("confirm_with_token", effect=True)
    form = shop.buyer(shop.one_time)
    shop.press(form)
    [intent] = shop.stripe.intents()
    from dataclasses import replace

    from chalicelib.services.ports import Update
    from chalicelib.services.saving import commit

    checkout = shop.store.get(Checkout, form.checkout_id)
    commit(shop.ports, [Update(checkout.with_part(replace(checkout.part, amount=usd(14_900))))])
    shop.left_broken = "the checkout was changed by hand to ask for more than its total"
    with pytest.raises(PaymentMismatch):
        shop.tell(shop.notice("payment_intent.succeeded", intent))
    assert shop.invoices() == shop.payments() == []
    [row] = shop.store.all(StripeEvent)
    assert row.state == "done"
    assert (row.result or "").startswith("mismatch")


def test_a_decline_told_while_the_next_try_is_running_does_not_end_that_try(shop: Shop) -> None:
    from dataclasses import replace

    form = shop.buyer(shop.one_time, confirmation_token=shop.token("pm_card_chargeDeclined"))
    shop.press(form)
    [intent] = shop.stripe.intents()
    shop.stripe.fail("confirm_with_token", effect=False)
    assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.CHECKING
    shop.tell(shop.notice("payment_intent.payment_failed", intent))
    checkout = shop.store.get(Checkout, form.checkout_id)
    assert checkout.part.latest is not None
    assert (checkout.part.latest.number, checkout.part.latest.outcome) == (2, "claimed")


def test_a_store_that_keeps_refusing_is_not_acknowledged(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    pay(shop)
    [intent] = shop.stripe.intents()

    def refuse(operation_id: str, writes: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(shop.store, "commit", refuse)
    with pytest.raises(StoreUnavailable):
        shop.tell(shop.notice("payment_intent.succeeded", intent))
