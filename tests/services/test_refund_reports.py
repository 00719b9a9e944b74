"""What Stripe tells of refunds: booked once by the refund's id, in any order, whoever made it, whenever it is heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from chalicelib.domain.documents.intake import StripeEvent
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund, RefundOwner
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.event_sweep import sweep_events
from chalicelib.services.payments.matching import PaymentMismatch
from chalicelib.services.ports import (
    ListedEvent,
    MadeRefund,
    MadeStatus,
    NewRefund,
    ProviderRefused,
    ProviderUnavailable,
    Update,
    Write,
)
from tests.services.shop import ACCOUNT, Shop, usd


@pytest.fixture
def shop() -> Shop:
    return Shop()


def dashboard(shop: Shop, payment: Payment, minor: int) -> MadeRefund:
    return shop.stripe.refund_in_dashboard(ACCOUNT, payment.intent_id, minor)


def sums(shop: Shop) -> tuple[str, int, int, int]:
    [payment] = shop.payments()
    paid = shop.invoice_of(payment).paid.minor
    return str(payment.status), payment.set_aside.minor, payment.gone_back.minor, paid


def test_a_refund_made_in_stripes_dashboard_is_booked_and_told(shop: Shop) -> None:
    payment = shop.pay()
    made = dashboard(shop, payment, 4_800)
    assert shop.tell(shop.refund_notice("refund.created", made)) == "applied"
    [refund] = shop.refunds()
    assert (refund.status, refund.from_stripe, refund.stripe_refund_id) == ("succeeded", True, made.id)
    assert (refund.amount, refund.customer_id, refund.created_at) == (usd(4_800), payment.customer_id, made.created_at)
    assert sums(shop) == ("partially_refunded", 0, 4_800, 10_000)
    assert [(row.state, row.result) for row in shop.store.all(StripeEvent)] == [("done", "1 refunds taken over")]
    assert shop.event_types()[-2:] == ["refund.created", "refund.succeeded"]
    shop.settle()
    assert len(shop.mailer.sent) == 2


TOLD = ("refund.created", "charge.refunded", "refund.updated", "charge.refund.updated")


@pytest.mark.parametrize("order", list(permutations(TOLD)))
def test_every_order_of_a_refunds_reports_told_twice_ends_the_same(shop: Shop, order: tuple[str, ...]) -> None:
    payment = shop.pay()
    made = dashboard(shop, payment, 800)
    for type_ in order:
        for _ in range(2):
            shop.tell(shop.refund_notice(type_, made, f"evt_{type_}"))
    shop.settle()
    assert sums(shop) == ("partially_refunded", 0, 800, 14_000)
    assert [owner.id for owner in shop.store.all(RefundOwner)] == [f"refund#{made.id}"]
    assert sorted(shop.event_types()).count("refund.succeeded") == 1
    assert {row.state for row in shop.store.all(StripeEvent)} == {"done"}
    assert len(shop.mailer.sent) == 2


@pytest.mark.parametrize("order", list(permutations(["answer", "refund.created", "charge.refunded", "timer"])))
def test_our_own_refund_is_booked_once_whoever_tells_of_it_first(shop: Shop, order: tuple[str, ...]) -> None:
    payment = shop.pay()
    refund_id = shop.ids.new("ref", shop.clock.now())
    shop.stripe.fail("create_refund", ProviderUnavailable("lost"), effect=True)
    shop.refund(payment, 800, refund_id)
    [made] = shop.stripe.refunds.of_account(ACCOUNT)
    shop.after(minutes=1)
    for step in order:
        if step == "answer":
            assert shop.refund(payment, 800, refund_id).status == "succeeded"
        elif step == "timer":
            shop.run()
        else:
            shop.tell(shop.refund_notice(step, made, f"evt_{step}"))
    shop.settle()
    assert sums(shop) == ("partially_refunded", 0, 800, 14_000)
    assert [(refund.id, refund.from_stripe) for refund in shop.refunds()] == [(refund_id, False)]
    assert shop.event_types().count("refund.succeeded") == 1


@pytest.mark.parametrize(
    "order", list(permutations(["refund.created", "payment_intent.succeeded", "charge.updated", "charge.refunded"]))
)
def test_a_refund_that_is_heard_of_before_its_payment_books_both(shop: Shop, order: tuple[str, ...]) -> None:
    shop.stripe.fail("confirm_with_token", effect=True)
    assert shop.press(shop.buyer(shop.one_time)).ending is Ending.CHECKING
    [intent] = shop.stripe.intents()
    made = shop.stripe.refund_in_dashboard(ACCOUNT, intent.id, 800)
    [intent] = shop.stripe.intents()
    for type_ in order:
        about_refund = "refund" in type_
        notice = shop.refund_notice(type_, made, type_) if about_refund else shop.notice(type_, intent, type_)
        assert shop.tell(notice) in ("applied", "known before")
    assert sums(shop) == ("partially_refunded", 0, 800, 14_000)
    [payment] = shop.payments()
    assert (payment.fee, payment.net) == (usd(459), usd(14_341 - 800))


def test_a_refund_of_what_was_not_paid_is_answered_and_books_nothing(shop: Shop) -> None:
    form = shop.buyer(shop.one_time, confirmation_token=shop.token("pm_card_chargeDeclined"))
    assert shop.press(form).ending is Ending.DECLINED
    [intent] = shop.stripe.intents()
    notice = shop.notice("payment_intent.created", intent, object={"id": "re_1", "payment_intent": intent.id})
    assert shop.tell(replace(notice, type="refund.created")) == "nothing was paid"
    assert shop.payments() == shop.refunds() == []
    shop.left_broken = "the report is of a refund that Stripe never made"


@pytest.mark.parametrize("about", [{"id": "re_1"}, {"id": "re_1", "payment_intent": "pi_of_another"}, {}])
def test_refunds_of_what_is_not_ours_leave_nothing_behind(shop: Shop, about: dict[str, Any]) -> None:
    payment = shop.pay()
    notice = shop.refund_notice("refund.created", dashboard(shop, payment, 1), object=about)
    calls = len(shop.stripe.calls)
    assert shop.tell(notice) == "nobody's here"
    assert shop.store.all(StripeEvent) == []
    assert len(shop.stripe.calls) == calls


def test_a_second_refund_in_place_of_one_that_failed_is_booked_whichever_is_heard_of_first(shop: Shop) -> None:
    payment = shop.pay()
    first = dashboard(shop, payment, 14_800)
    shop.tell(shop.refund_notice("refund.created", first, "evt_1"))
    assert sums(shop) == ("refunded", 0, 14_800, 0)
    shop.stripe.end_refund(first.id, MadeStatus.FAILED, "unknown")
    second = dashboard(shop, payment, 14_800)
    # Nobody has told of the failure yet; what Stripe's list says of it makes the room.
    assert shop.tell(shop.refund_notice("refund.created", second, "evt_2")) == "applied"
    assert sums(shop) == ("refunded", 0, 14_800, 0)
    assert sorted(str(refund.status) for refund in shop.refunds()) == ["failed", "succeeded"]
    assert shop.tell(shop.refund_notice("refund.failed", first, "evt_3")) == "known before"


def test_what_the_dashboard_took_of_what_was_set_aside_here_is_booked(shop: Shop) -> None:
    payment = shop.pay()
    shop.stripe.fail("create_refund", ProviderUnavailable("down"))
    ours = shop.refund(payment)
    assert ours.status == "pending"
    made = dashboard(shop, payment, 10_000)
    shop.tell(shop.refund_notice("refund.created", made))
    assert sums(shop) == ("processing_refund", 14_800, 10_000, 4_800)
    assert shop.check().violations == ()
    shop.after(minutes=1)
    shop.settle()
    assert sums(shop) == ("partially_refunded", 0, 10_000, 4_800)
    assert [(refund.status, refund.failure_reason) for refund in shop.refunds() if not refund.from_stripe] == [
        ("failed", "invalid_request_error")
    ]


def test_a_refund_that_carries_our_words_and_another_amount_is_not_taken_for_ours(shop: Shop) -> None:
    payment = shop.pay()
    shop.stripe.fail("create_refund", ProviderUnavailable("down"))
    ours = shop.refund(payment, 800)
    copied = NewRefund(payment.intent_id, usd(500), {"till_merchant": "mer_pinewood", "till_refund": ours.id})
    made = shop.stripe.refunds.make(ACCOUNT, copied)
    shop.tell(shop.refund_notice("refund.created", made))
    shop.after(minutes=1)
    shop.settle()
    assert sums(shop) == ("partially_refunded", 0, 1_300, 13_500)
    assert sorted(refund.from_stripe for refund in shop.refunds()) == [False, True]


def test_a_refund_that_carries_the_words_of_one_that_is_done_is_another(shop: Shop) -> None:
    payment = shop.pay()
    first = shop.refund(payment, 800)
    copied = NewRefund(payment.intent_id, usd(800), {"till_merchant": "mer_pinewood", "till_refund": first.id})
    made = shop.stripe.refunds.make(ACCOUNT, copied)
    shop.tell(shop.refund_notice("refund.created", made))
    assert sums(shop) == ("partially_refunded", 0, 1_600, 13_200)
    assert [(refund.from_stripe, refund.stripe_refund_id) for refund in shop.refunds()] == [
        (False, first.stripe_refund_id),
        (True, made.id),
    ]


def test_a_refund_that_a_webhook_books_while_it_is_being_released_stays_booked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = shop.pay()
    refund_id = shop.ids.new("ref", shop.clock.now())
    words = {"till_merchant": "mer_pinewood", "till_refund": refund_id}
    shop.stripe.fail("create_refund", ProviderRefused("charge_disputed", "no"))
    commit, quicker = shop.store.commit, list[str]()

    def is_release(write: Write) -> bool:
        return isinstance(write, Update) and isinstance(write.record, Refund) and write.record.status == "failed"

    def beaten(operation_id: str, writes: Sequence[Write]) -> None:
        if any(is_release(write) for write in writes) and not quicker:
            made = shop.stripe.refunds.make(ACCOUNT, NewRefund(payment.intent_id, usd(800), words))
            quicker.append(shop.tell(shop.refund_notice("refund.created", made)))
        commit(operation_id, writes)

    monkeypatch.setattr(shop.store, "commit", beaten)
    assert shop.refund(payment, 800, refund_id).status == "succeeded"
    assert quicker == ["applied"]
    assert sums(shop) == ("partially_refunded", 0, 800, 14_000)


def test_a_refund_of_another_intent_is_kept_for_a_person(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = shop.pay()
    made = dashboard(shop, payment, 800)
    others = [replace(made, intent_id="pi_of_another")]
    monkeypatch.setattr(shop.stripe, "find_refunds", lambda account, intent_id: others)
    shop.left_broken = "Stripe said what it never says"
    with pytest.raises(PaymentMismatch):
        shop.tell(shop.refund_notice("refund.created", made))
    assert sums(shop) == ("succeeded", 0, 0, 14_800)
    assert shop.refunds() == []


def test_a_refund_that_cannot_be_the_payments_is_kept_for_a_person(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = shop.pay()
    made = dashboard(shop, payment, 800)
    more = [replace(made, id=f"re_more{number}", amount=usd(14_800)) for number in range(2)]
    monkeypatch.setattr(shop.stripe, "find_refunds", lambda account, intent_id: more)
    shop.left_broken = "Stripe said what it never says"
    with pytest.raises(PaymentMismatch):
        shop.tell(shop.refund_notice("refund.created", made))
    [row] = shop.store.all(StripeEvent)
    assert (row.state, (row.result or "").partition(":")[0]) == ("done", "mismatch")
    assert sums(shop) == ("refunded", 0, 14_800, 0)


def test_an_event_of_a_refund_that_could_not_be_applied_is_finished_by_the_scheduler(shop: Shop) -> None:
    payment = shop.pay()
    made = dashboard(shop, payment, 800)
    shop.stripe.fail("find_refunds", ProviderUnavailable("down"))
    with pytest.raises(ProviderUnavailable):
        shop.tell(shop.refund_notice("charge.refunded", made))
    assert sums(shop) == ("succeeded", 0, 0, 14_800)
    shop.after(minutes=10)
    shop.settle()
    assert sums(shop) == ("partially_refunded", 0, 800, 14_000)


def test_the_sweep_over_stripes_events_finds_a_refund_that_no_webhook_told_of(shop: Shop) -> None:
    payment = shop.pay()
    made = dashboard(shop, payment, 800)
    told = {"id": made.id, "object": "refund", "payment_intent": made.intent_id, "metadata": {}}
    shop.stripe.events = [ListedEvent("evt_9", "refund.created", ACCOUNT, False, shop.clock.now(), told)]
    assert sweep_events(shop.ports, shop.merchant.id, direct_merchant_id=None).taken_in == 1
    assert sums(shop) == ("partially_refunded", 0, 800, 14_000)


def test_a_balance_transaction_that_comes_later_is_added_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = shop.pay()
    made = dashboard(shop, payment, 800)
    listed = [replace(made, balance=None)]
    with monkeypatch.context() as early:
        early.setattr(shop.stripe, "find_refunds", lambda account, intent_id: listed)
        shop.tell(shop.refund_notice("refund.created", made, "evt_1"))
    assert shop.payment(payment.id).returned is None
    assert shop.check().violations == ()
    for number in range(2):
        shop.tell(shop.refund_notice("refund.updated", made, f"evt_up{number}"))
    returned = shop.payment(payment.id).returned
    assert returned is not None
    assert returned.net == usd(-800)
