"""What Stripe's own lists say against ours: I3, and I1, I8, I15, I16 from the other side."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.documents.payments import Settlement
from chalicelib.services.ports import IntentStatus, LedgerCharge, NewIntent
from tests.checking.broken import declined, expired, in_doubt, messages, paid, wrong
from tests.services.shop import ACCOUNT, Shop, usd


def test_i3_a_payment_of_another_amount_than_stripe_took(shop: Shop) -> None:
    paid(shop)
    [payment] = shop.payments()
    shop.stripe.tamper(payment.intent_id, amount=usd(14_801))
    assert wrong(shop) == {("I3", payment.id)}
    assert messages(shop) == ["14800 usd here, 14801 usd at Stripe"]


def test_i3_a_payment_that_stripe_does_not_know(shop: Shop) -> None:
    paid(shop)
    [payment] = shop.payments()
    shop.stripe.tamper(payment.intent_id, status=IntentStatus.CANCELED)
    assert wrong(shop) == {("I3", payment.id)}
    assert messages(shop) == [f"{payment.intent_id} is canceled"]


def test_i3_money_that_arrived_and_is_not_booked(shop: Shop) -> None:
    checkout = declined(shop)
    shop.stripe.tamper(checkout.part.intent_id or "", status=IntentStatus.SUCCEEDED)
    assert wrong(shop) == {("I3", checkout.id)}
    assert messages(shop) == [f"{checkout.part.intent_id} of 14800 usd succeeded at Stripe and has no payment"]


def test_i3_money_that_arrived_on_what_was_closed_meanwhile(shop: Shop) -> None:
    checkout = expired(shop)
    shop.stripe.tamper(checkout.part.intent_id or "", status=IntentStatus.SUCCEEDED)
    assert wrong(shop) == {("I3", checkout.id)}


def test_i3_a_charge_that_is_not_the_intents(shop: Shop) -> None:
    paid(shop)
    [payment] = shop.payments()
    shop.store.overwrite(replace(payment, charge_id="ch_other"))
    assert wrong(shop) == {("I3", payment.id)}


def test_i3_a_fee_that_stripe_did_not_take(shop: Shop) -> None:
    paid(shop)
    shop.stripe.settle()
    shop.tell(shop.notice("charge.updated", shop.stripe.intents()[0]))
    [payment] = shop.payments()
    assert payment.settlement is not None
    assert wrong(shop) == set()
    shop.store.overwrite(replace(payment, settlement=replace(payment.settlement, fee=usd(458), net=usd(14_342))))
    assert wrong(shop) == {("I3", payment.id)}
    shop.store.overwrite(replace(payment, settlement=Settlement(usd(14_800), usd(459), usd(14_341), None, "txn_9")))
    assert messages(shop) == ["its fee and net are not those of txn_9"]


def test_i3_a_refund_that_stripe_never_made(shop: Shop) -> None:
    invoice = paid(shop)
    [payment] = shop.payments()
    shop.store.overwrite(replace(payment, refunded=usd(800)), replace(invoice, amount_paid=usd(14_000)))
    assert wrong(shop) == {("I3", payment.id), ("I9", payment.id)}
    assert "800 is refunded here, 0 at Stripe" in messages(shop)


def test_i1_two_intents_that_paid_one_part(shop: Shop) -> None:
    first, second = paid(shop), paid(shop)
    one, two = shop.stripe.intents()
    assert (first.part.intent_id, second.part.intent_id) == (one.id, two.id)
    shop.stripe.tamper(two.id, metadata=dict(one.metadata))
    # The second was made for another invoice, which is said too.
    assert wrong(shop) == {("I1", first.id), ("I13", second.checkout_id)}
    assert messages(shop) == [
        f"{two.id} is for {first.id}, here for {second.id}",
        f"part 1 was paid by {one.id}, {two.id}",
    ]


def test_i1_two_intents_that_could_pay_one_part(shop: Shop) -> None:
    checkout = declined(shop)
    [intent] = shop.stripe.intents()
    request = NewIntent(usd(14_800), intent.customer_id or "", dict(intent.metadata))
    twin = shop.stripe.create_intent(ACCOUNT, request, key="another key")
    assert wrong(shop) == {("I1", checkout.invoice_id)}
    shop.stripe.cancel_intent(ACCOUNT, twin.id, key="cancel it")
    assert wrong(shop) == set()


def test_i1_two_charges_of_one_intent(shop: Shop) -> None:
    invoice = paid(shop)
    [charge] = shop.ledger.charges(ACCOUNT)
    shop.ledger.more_charges[ACCOUNT] = [replace(charge, id="ch_twin")]
    assert wrong(shop) == {("I1", invoice.checkout_id), ("I16", invoice.checkout_id)}


def test_i13_an_intent_that_was_made_for_another_invoice(shop: Shop) -> None:
    checkout = declined(shop)
    [intent] = shop.stripe.intents()
    shop.stripe.tamper(intent.id, metadata={**intent.metadata, "till_invoice": "inv_other"})
    assert wrong(shop) == {("I13", checkout.id)}
    assert messages(shop) == [f"{intent.id} is for inv_other, here for {checkout.invoice_id}"]


def test_i8_an_intent_that_was_confirmed_and_never_saved(shop: Shop) -> None:
    checkout = declined(shop)
    [intent] = shop.stripe.intents()
    metadata = {**intent.metadata, "till_invoice": "inv_nobodys"}
    stray = shop.stripe.create_intent(
        ACCOUNT, NewIntent(usd(14_800), intent.customer_id or "", metadata), key="another key"
    )
    # As long as it lies there unconfirmed, it is what a run that died has left.
    assert wrong(shop) == set()
    shop.stripe.confirm_with_token(
        ACCOUNT, stray.id, confirmation_token=shop.token(), return_url="https://till.example", key="confirm it"
    )
    assert wrong(shop) == {("I8", stray.id)}
    assert checkout.part.intent_id == intent.id


def test_intents_of_another_program_on_the_same_account_are_none_of_ours(shop: Shop) -> None:
    checkout = declined(shop)
    customer_id = checkout.stripe_customer_id or ""
    for metadata in ({}, {"till_merchant": "mer_of_another_deployment"}):
        made = shop.stripe.create_intent(ACCOUNT, NewIntent(usd(500), customer_id, metadata), key=f"key {metadata}")
        shop.stripe.confirm_with_token(
            ACCOUNT, made.id, confirmation_token=shop.token(), return_url="https://x.example", key=f"go {metadata}"
        )
    assert wrong(shop) == set()


def test_i15_an_expired_checkout_whose_intent_could_still_charge(shop: Shop) -> None:
    checkout = expired(shop)
    shop.stripe.tamper(checkout.part.intent_id or "", status=IntentStatus.REQUIRES_ACTION)
    assert wrong(shop) == {("I15", checkout.id)}
    intent_id = checkout.part.intent_id
    assert messages(shop) == [f"it is expired, {intent_id} is requires_action and could still charge"]


def test_i16_more_charges_at_stripe_than_tries_here(shop: Shop) -> None:
    checkout = in_doubt(shop, effect=False)
    failed = [LedgerCharge(f"ch_{n}", checkout.part.intent_id, usd(14_800), succeeded=False) for n in (1, 2)]
    shop.ledger.more_charges[ACCOUNT] = failed[:1]
    assert wrong(shop) == set()
    shop.ledger.more_charges[ACCOUNT] = failed
    assert wrong(shop) == {("I16", checkout.id)}
    assert messages(shop) == ["part 1 was tried 1 times, Stripe has 2 charges"]
