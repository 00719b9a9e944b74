"""I6, I7, I8, I15 and I16: each broken by hand, each found, and nothing else with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.documents.intake import IntakeState, StripeEvent, stripe_event_id
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.mails import Mail
from chalicelib.domain.documents.parts import Attempt, AttemptOutcome
from chalicelib.domain.documents.payments import IntentOwner
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.machines import PartState
from chalicelib.services.ports import SetTimer, Unreadable
from tests.checking.broken import (
    declined,
    expired,
    in_doubt,
    issued,
    messages,
    paid,
    renewed,
    undone,
    with_tries,
    wrong,
)
from tests.services.shop import Shop


def timers_of(shop: Shop, record_id: str) -> list[Timer]:
    return [timer for timer in shop.store.timers if timer.record_id == record_id]


def row(shop: Shop, intent_id: str, state: IntakeState, result: str | None) -> StripeEvent:
    """A report of a success, as it was taken in."""
    return StripeEvent(
        id=stripe_event_id("evt_by_hand"),
        merchant_id=shop.merchant.id,
        type="payment_intent.succeeded",
        account=shop.merchant.stripe_account,
        object_id=intent_id,
        created_at=shop.clock.now(),
        data_object={"id": intent_id},
        state=state,
        result=result,
        version=1,
    )


def test_i6_a_success_that_is_said_to_be_applied_and_is_not_booked(shop: Shop) -> None:
    checkout = in_doubt(shop)
    intent_id = checkout.part.intent_id or ""
    applied = row(shop, intent_id, IntakeState.DONE, "succeeded")
    shop.store.overwrite(applied)
    assert wrong(shop) == {("I6", applied.id)}
    assert messages(shop) == [f"{intent_id} succeeded and is not booked"]
    shop.store.overwrite(replace(applied, result="mismatch: it is for another amount"))
    assert wrong(shop) == set()
    assert (applied.id, "a person must look: mismatch: it is for another amount") in undone(shop)
    shop.store.overwrite(replace(applied, result=None))
    assert wrong(shop) == {("I6", applied.id)}


def test_i7_a_received_event_that_nothing_will_come_back_to(shop: Shop) -> None:
    checkout = in_doubt(shop)
    received = row(shop, checkout.part.intent_id or "", IntakeState.RECEIVED, None)
    shop.store.overwrite(received)
    assert wrong(shop) == {("I7", received.id)}
    later = shop.clock.now() + timedelta(hours=3)
    shop.store.commit("by hand", [SetTimer(Timer(TimerKind.APPLY_WEBHOOK, received.id, shop.merchant.id, later))])
    assert wrong(shop) == set()


def test_i7_a_mail_an_expiry_and_a_charge_whose_timers_are_gone(shop: Shop) -> None:
    invoice = issued(shop)
    checkout = declined(shop)
    form = shop.buyer(shop.one_time)
    shop.press(form)
    [mail] = [each for each in shop.store.all(Mail) if each.state == "queued"]
    for record in (invoice, checkout, mail):
        [timer] = timers_of(shop, record.id)
        shop.store.lose(timer)
        assert wrong(shop) == {("I7", record.id)}
        shop.store.commit(f"back {record.id}", [SetTimer(timer)])
        assert wrong(shop) == set()


def test_i7_an_open_invoice_that_nobody_will_charge(shop: Shop) -> None:
    invoice = issued(shop)
    forgotten = replace(invoice, charge_at=None)
    shop.store.overwrite(forgotten)
    assert wrong(shop) == {("I7", invoice.id)}
    claimed = forgotten.with_part(forgotten.part.claimed(shop.clock.now()))
    shop.store.overwrite(claimed)
    assert messages(shop) == ["it is open, to be charged automatically, and has no charge timer"]
    by_buyer = forgotten.with_part(forgotten.part.claimed(shop.clock.now(), on_session=True))
    shop.store.overwrite(by_buyer)
    assert wrong(shop) == set()


def test_i7_a_timer_of_nothing(shop: Shop) -> None:
    timer = Timer(TimerKind.EXPIRE_CHECKOUT, "chk_gone", shop.merchant.id, shop.clock.now())
    shop.store.commit("by hand", [SetTimer(timer)])
    assert wrong(shop) == {("I7", "chk_gone")}


def test_i7_a_receipt_that_was_never_written(shop: Shop) -> None:
    invoice = paid(shop)
    [mail] = shop.store.all(Mail)
    shop.store.lose(mail)
    assert wrong(shop) == {("I7", invoice.id)}
    assert messages(shop) == ["it has 0 receipts, 1 are due"]
    shop.store.overwrite(mail, replace(mail, id=f"{mail.id}X"))
    assert messages(shop) == ["it has 2 receipts, 1 are due"]


def test_i7_a_completed_checkout_whose_invoice_is_gone(shop: Shop) -> None:
    invoice = paid(shop)
    [payment] = shop.payments()
    shop.store.lose(invoice)
    assert ("I7", invoice.checkout_id) in wrong(shop)
    assert ("I8", payment.id) in wrong(shop)


def test_i7_a_completed_checkout_whose_subscription_is_gone(shop: Shop) -> None:
    subscription = shop.subscribe()
    shop.settle()
    shop.store.lose(subscription, *timers_of(shop, subscription.id))
    [invoice] = shop.invoices()
    assert wrong(shop) == {("I7", subscription.checkout_id), ("I4", invoice.id)}


def test_i7_a_paid_part_whose_payment_is_gone(shop: Shop) -> None:
    paid(shop)
    [payment] = shop.payments()
    shop.store.lose(payment)
    [invoice] = shop.invoices()
    # Stripe has the money, and the invoice says that it has it too.
    assert {name for name, _ in wrong(shop)} == {"I2", "I3", "I7"}
    assert ("I7", invoice.id) in wrong(shop)


def test_i7_a_row_that_cannot_be_read(shop: Shop) -> None:
    shop.inspection.unreadable.append(Unreadable("inv_torn", "CodecError"))
    assert wrong(shop) == {("I7", "inv_torn")}
    assert messages(shop) == ["the row cannot be read: CodecError"]


def test_i8_a_payment_with_an_intent_that_was_saved_for_another(shop: Shop) -> None:
    paid(shop)
    [payment] = shop.payments()
    [whose] = shop.store.all(IntentOwner)
    shop.store.overwrite(replace(whose, payment_id="pay_other"))
    assert ("I8", payment.id) in wrong(shop)


def test_i8_a_subscription_and_an_invoice_without_what_they_came_of(shop: Shop) -> None:
    subscription = shop.subscribe()
    shop.settle()
    shop.store.overwrite(replace(subscription, checkout_id="chk_gone"))
    assert wrong(shop) == {("I8", subscription.id)}
    assert messages(shop) == ["it came of chk_gone, which is not there"]
    shop.store.overwrite(replace(subscription, customer_id="cus_gone"))
    assert messages(shop) == ["there is no cus_gone"]
    shop.store.overwrite(subscription)
    [invoice] = shop.invoices()
    shop.store.overwrite(replace(invoice, checkout_id=declined(shop).id))
    assert ("I8", invoice.id) in wrong(shop)


def test_i8_an_invoice_for_nobody(shop: Shop) -> None:
    invoice = issued(shop)
    [told] = [each for each in shop.store.all_events() if (each.type, each.object_id) == ("invoice.issued", invoice.id)]
    data = {"object": {**told.data["object"], "customer": "cus_gone"}}
    shop.store.overwrite(replace(invoice, customer_id="cus_gone"), replace(told, data=data))
    assert wrong(shop) == {("I8", invoice.id)}
    assert messages(shop) == ["there is no cus_gone"]


def test_i8_a_checkout_of_no_link(shop: Shop) -> None:
    checkout = declined(shop)
    shop.store.overwrite(replace(checkout, payment_link_id="plink_gone"))
    assert wrong(shop) == {("I8", checkout.id)}


def test_i8_an_intent_on_a_part_that_was_saved_as_anothers(shop: Shop) -> None:
    checkout = declined(shop)
    [whose] = shop.store.all(IntentOwner)
    shop.store.overwrite(replace(whose, owner_id="chk_other"))
    assert wrong(shop) == {("I8", checkout.id), ("I8", whose.id)}


@pytest.mark.parametrize("status", ["held", "processing"])
def test_i15_a_paid_invoice_that_still_holds_a_part(shop: Shop, status: str) -> None:
    invoice = renewed(shop)
    shop.store.overwrite(invoice.with_part(replace(invoice.part, state=PartState(status))))
    assert ("I15", invoice.id) in wrong(shop)


def test_i15_a_paid_invoice_that_is_to_be_charged(shop: Shop) -> None:
    invoice = renewed(shop)
    soon = shop.clock.now() + timedelta(hours=1)
    shop.store.overwrite(replace(invoice, charge_at=soon))
    shop.store.commit("by hand", [SetTimer(Timer(TimerKind.CHARGE_INVOICE, invoice.id, shop.merchant.id, soon))])
    assert wrong(shop) == {("I15", invoice.id)}


def test_i15_an_expired_checkout_that_still_holds_its_part(shop: Shop) -> None:
    checkout = expired(shop)
    shop.store.overwrite(checkout.with_part(replace(checkout.part, state=PartState.HELD)))
    assert wrong(shop) == {("I15", checkout.id)}


def test_i16_tries_that_are_numbered_wrong(shop: Shop) -> None:
    checkout = declined(shop)
    shop.store.overwrite(with_tries(checkout, number=2))
    assert wrong(shop) == {("I16", checkout.id)}
    assert messages(shop) == ["the tries of part 1 are numbered [2]"]


def test_i16_a_try_before_the_one_before_it_had_ended(shop: Shop) -> None:
    checkout = in_doubt(shop, effect=False)
    second = Attempt(2, shop.clock.now(), AttemptOutcome.DECLINED, on_session=True)
    part = replace(checkout.part, attempts=(*checkout.part.attempts, second))
    shop.store.overwrite(checkout.with_part(part))
    assert wrong(shop) == {("I16", checkout.id)}
    assert messages(shop) == ["try 1 of part 1 had no end before the next"]


def test_i16_a_try_after_the_one_that_succeeded(shop: Shop) -> None:
    invoice = renewed(shop)
    again = Attempt(2, shop.clock.now() + timedelta(seconds=1), AttemptOutcome.SUCCEEDED)
    shop.store.overwrite(invoice.with_part(replace(invoice.part, attempts=(*invoice.part.attempts, again))))
    assert wrong(shop) == {("I16", invoice.id)}
    assert messages(shop) == ["part 1 was tried again after try 1 succeeded"]


def test_i16_tries_in_the_wrong_order(shop: Shop) -> None:
    checkout = declined(shop)
    early = Attempt(2, checkout.part.attempts[0].at - timedelta(seconds=1), AttemptOutcome.DECLINED)
    shop.store.overwrite(checkout.with_part(replace(checkout.part, attempts=(*checkout.part.attempts, early))))
    assert wrong(shop) == {("I16", checkout.id)}


def test_i16_a_part_that_is_paid_by_no_try(shop: Shop) -> None:
    invoice = renewed(shop)
    [only] = invoice.part.attempts
    failed = replace(only, outcome=AttemptOutcome.DECLINED)
    shop.store.overwrite(invoice.with_part(replace(invoice.part, attempts=(failed,))))
    assert wrong(shop) == {("I16", invoice.id)}
    shop.store.overwrite(invoice.with_part(replace(invoice.part, attempts=())))
    assert messages(shop)[0] == "part 1 is paid after no try"
    assert isinstance(invoice, Invoice)
    assert len(shop.store.all(Subscription)) == 1
