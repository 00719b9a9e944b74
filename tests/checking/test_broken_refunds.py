"""Refunds broken by hand: I2, I3, I6 to I9 and I19, each found, and nothing else with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.documents.intake import IntakeState, StripeEvent, stripe_event_id
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund, RefundOwner
from chalicelib.domain.machines import PaymentStatus, RefundStatus
from chalicelib.services.checking.refunds_at_stripe import SWEPT_WITHIN
from chalicelib.services.ports import MadeStatus, ProviderUnavailable
from tests.checking.broken import messages, undone, wrong
from tests.services.shop import ACCOUNT, Shop, usd


def captured(shop: Shop) -> Payment:
    """A payment whose fee is known."""
    payment = shop.pay()
    shop.stripe.settle()
    shop.tell(shop.notice("charge.updated", shop.stripe.intents()[-1], event_id="evt_captured"))
    shop.after(minutes=1)
    return payment


def refunded(shop: Shop, minor: int = 800) -> tuple[Payment, Refund]:
    """A payment of which a part went back, with everything told."""
    payment = captured(shop)
    refund = shop.refund(payment, minor)
    shop.settle()
    assert wrong(shop) == set()
    return shop.payment(payment.id), refund


def pending(shop: Shop) -> tuple[Payment, Refund]:
    """A refund of which nobody knows whether Stripe made it."""
    payment = captured(shop)
    shop.stripe.fail("create_refund", ProviderUnavailable("lost"))
    refund = shop.refund(payment, 800)
    assert wrong(shop) == set()
    return shop.payment(payment.id), refund


def test_what_is_under_way_is_undone_and_no_fault(shop: Shop) -> None:
    _, refund = pending(shop)
    assert undone(shop) == {(refund.id, "the refund is pending, nobody knows whether Stripe made it")}
    shop.after(minutes=1)
    shop.settle()
    assert (wrong(shop), undone(shop)) == (set(), set())
    slow = shop.refund(shop.pay("pm_card_pendingRefund"), 800)
    assert (slow.id, "the refund is pending, Stripe has it") in undone(shop)
    assert wrong(shop) == set()


def test_i9_a_payment_that_sets_aside_what_no_refund_asks_for(shop: Shop) -> None:
    payment, _ = pending(shop)
    shop.store.overwrite(replace(payment, reserved=usd(801)))
    assert wrong(shop) == {("I9", payment.id)}
    assert messages(shop) == ["its refunds make 0 gone and 800 set aside, it says 0 and 801"]


def test_i9_more_is_promised_than_was_paid(shop: Shop) -> None:
    payment, refund = pending(shop)
    shop.store.overwrite(replace(payment, reserved=usd(14_801)), replace(refund, amount=usd(14_801)))
    assert wrong(shop) == {("I9", payment.id)}
    assert messages(shop) == ["0 gone and 14801 set aside of 14800"]


def test_i9_a_status_that_hides_what_went_back(shop: Shop) -> None:
    payment, _ = refunded(shop)
    shop.store.overwrite(replace(payment, status=PaymentStatus.SUCCEEDED))
    assert ("I9", payment.id) in wrong(shop)
    assert "it is succeeded with 800 gone and 0 set aside" in messages(shop)
    shop.store.overwrite(replace(payment, status=PaymentStatus.DISPUTED_WON))
    assert "I9" not in {invariant for invariant, _ in wrong(shop)}


def test_i9_a_net_that_forgets_a_refund(shop: Shop) -> None:
    payment, _ = refunded(shop)
    assert payment.returned is not None
    shop.store.overwrite(replace(payment, returned=replace(payment.returned, net=usd(-799))))
    assert wrong(shop) == {("I9", payment.id)}


def test_i3_a_refund_that_stripe_does_not_have_or_has_otherwise(shop: Shop) -> None:
    _, refund = refunded(shop)
    [(account, made)] = shop.stripe.refunds._made.values()
    shop.stripe.refunds._made[made.id] = (account, replace(made, amount=usd(801)))
    assert ("I3", refund.id) in wrong(shop)
    shop.stripe.refunds._made[made.id] = (account, made)
    assert wrong(shop) == set()
    del shop.stripe.refunds._made[made.id]
    assert ("I3", refund.id) in wrong(shop)
    assert f"{made.id} is not on Stripe's list as it is here" in messages(shop)


def test_i3_a_refund_that_failed_here_and_not_at_stripe(shop: Shop) -> None:
    payment, refund = refunded(shop)
    made = shop.stripe.end_refund(refund.stripe_refund_id or "", MadeStatus.FAILED, "unknown")
    assert undone(shop) == {
        (refund.id, "it is succeeded here, failed at Stripe"),
        (
            refund.id,
            f"{made.failure_balance.id if made.failure_balance else ''} moved the balance and is not written down yet",
        ),
    }
    assert wrong(shop) == set()
    shop.tell(shop.refund_notice("refund.failed", made))
    assert (wrong(shop), undone(shop)) == (set(), set())
    shop.stripe.refunds._made[made.id] = (ACCOUNT, replace(made, status=MadeStatus.SUCCEEDED))
    assert ("I3", refund.id) in wrong(shop)
    assert payment.id not in {record for _, record in wrong(shop)}


def test_i3_a_movement_that_is_not_stripes(shop: Shop) -> None:
    payment, refund = refunded(shop)
    now = shop.store.get(Refund, refund.id)
    assert now.taken is not None
    shop.store.overwrite(replace(now, taken=replace(now.taken, id="txn_other")))
    assert wrong(shop) == {("I3", refund.id)}
    assert payment.returned is not None


def test_i3_money_that_went_back_at_stripe_and_that_no_sweep_brought_here(shop: Shop) -> None:
    payment = shop.pay()
    made = shop.stripe.refund_in_dashboard(ACCOUNT, payment.intent_id, 800)
    shop.clock.advance(SWEPT_WITHIN)
    assert wrong(shop) == set()
    assert (payment.id, "800 is refunded at Stripe, 0 here") in undone(shop)
    shop.clock.advance(timedelta(seconds=1))
    assert wrong(shop) == {("I3", made.id)}
    assert messages(shop) == ["800 usd went back at Stripe and is not here"]
    shop.tell(shop.refund_notice("refund.created", made))
    shop.settle()
    assert wrong(shop) == set()


def test_i8_a_refund_of_stripes_that_nobody_here_knows_by_its_id(shop: Shop) -> None:
    _, refund = refunded(shop)
    [whose] = shop.store.all(RefundOwner)
    shop.store.overwrite(replace(whose, refund_id="ref_other"))
    assert {("I8", refund.id), ("I8", whose.id)} <= wrong(shop)


def test_i8_a_refund_without_its_payment(shop: Shop) -> None:
    _, refund = refunded(shop)
    now = shop.store.get(Refund, refund.id)
    shop.store.overwrite(replace(now, intent_id="pi_other"))
    assert ("I8", refund.id) in wrong(shop)


def test_i7_a_pending_refund_that_nobody_will_look_at(shop: Shop) -> None:
    _, refund = pending(shop)
    assert refund.timer is not None
    shop.store.lose(refund.timer)
    assert wrong(shop) == {("I7", refund.id)}
    assert messages(shop) == [f"it is pending and has no timer at {refund.look_at}"]
    shop.store.overwrite(replace(refund, look_at=None))
    assert wrong(shop) == {("I7", refund.id)}


def test_i7_a_refund_that_its_buyer_was_not_told_of(shop: Shop) -> None:
    _, refund = refunded(shop)
    [mail] = [mail for mail in shop.store.all(Mail) if mail.kind is MailKind.REFUND]
    shop.store.lose(mail)
    assert wrong(shop) == {("I7", refund.id)}
    assert messages(shop) == ["it is succeeded and has 0 mails"]


def test_i6_a_report_of_a_refund_that_is_done_and_not_here(shop: Shop) -> None:
    shop.pay()
    row = StripeEvent(
        id=stripe_event_id("evt_by_hand"),
        merchant_id=shop.merchant.id,
        type="refund.created",
        account=ACCOUNT,
        object_id="re_unheard_of",
        created_at=shop.clock.now(),
        data_object={"id": "re_unheard_of"},
        state=IntakeState.DONE,
        result="1 refunds taken over",
        version=1,
    )
    shop.store.overwrite(row)
    assert wrong(shop) == {("I6", row.id)}
    shop.store.overwrite(replace(row, result="mismatch: of another intent"))
    assert wrong(shop) == set()


@pytest.mark.parametrize("type_", ["refund.created", "refund.succeeded"])
def test_i19_a_refund_that_was_not_told_of(shop: Shop, type_: str) -> None:
    _, refund = refunded(shop)
    [event] = [event for event in shop.store.all_events() if event.type == type_]
    shop.store.lose(event)
    assert ("I19", refund.id) in wrong(shop)
    assert f"no event {type_}" in messages(shop)


def test_i19_a_payment_whose_status_no_event_of_it_or_of_its_refunds_told(shop: Shop) -> None:
    payment, refund = refunded(shop, 14_800)
    assert (payment.status, refund.status) == ("refunded", RefundStatus.SUCCEEDED)
    [event] = [event for event in shop.store.all_events() if event.type == "refund.succeeded"]
    shop.store.lose(event)
    assert ("I19", payment.id) in wrong(shop)
    assert "it is refunded, its last event tells of processing_refund" in messages(shop)


def test_i20_a_refund_of_another_merchants_payment(shop: Shop) -> None:
    _, refund = refunded(shop)
    now = shop.store.get(Refund, refund.id)
    shop.store.overwrite(replace(now, merchant_id="mer_other"))
    assert ("I20", refund.id) in wrong(shop)
