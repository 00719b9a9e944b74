"""Paying and storing methods: what every Stripe behind the port does, the fake and the gateway on the sandbox alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.documents.methods import Method
from chalicelib.services.ports import (
    BalanceTransaction,
    Decline,
    Intent,
    IntentStatus,
    ProviderRefused,
)
from tests.gateways.stripe_buyers import (
    RETURN_URL,
    VISA,
    confirm,
    customer,
    intent,
    new_intent,
    second_intent,
    stored_method,
    usd,
)
from tests.gateways.stripe_worlds import ACCOUNT, StripeWorld


def test_a_new_intent_waits_for_a_method_and_carries_what_it_was_made_with(stripe_world: StripeWorld) -> None:
    made = intent(stripe_world)
    assert made.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert made.amount == usd(5_000)
    assert made.livemode is False
    assert made.created_at == stripe_world.clock.now()
    assert made.customer_id is not None
    assert made.metadata == {"till_invoice": "inv_1", "till_part": "1"}
    assert made.client_secret is not None
    assert made.client_secret.startswith(f"{made.id}_secret_")
    assert (made.payment_method_id, made.method, made.charge, made.decline) == (None, None, None, None)
    assert stripe_world.charge_ids() == []


def test_a_good_card_is_charged_once_and_the_answer_names_it(stripe_world: StripeWorld) -> None:
    paid = confirm(stripe_world, intent(stripe_world))
    assert paid.status is IntentStatus.SUCCEEDED
    assert paid.method == VISA
    assert paid.decline is None
    assert paid.charge is not None
    assert paid.charge.amount == usd(5_000)
    assert paid.charge.intent_id == paid.id
    assert paid.charge.method == VISA
    assert paid.charge.balance is None
    assert stripe_world.charge_ids() == [paid.charge.id]
    assert stripe_world.provider.retrieve_intent(ACCOUNT, paid.id) == paid


def test_fee_and_net_come_once_stripe_has_captured(stripe_world: StripeWorld) -> None:
    paid = confirm(stripe_world, intent(stripe_world))
    assert paid.charge is not None
    assert stripe_world.provider.retrieve_charge(ACCOUNT, paid.charge.id).balance is None
    stripe_world.settle()
    settled = stripe_world.provider.retrieve_charge(ACCOUNT, paid.charge.id)
    assert settled.balance is not None
    assert settled.balance == BalanceTransaction(settled.balance.id, usd(5_000), usd(175), usd(4_825))
    assert stripe_world.provider.retrieve_intent(ACCOUNT, paid.id).charge == settled


@pytest.mark.parametrize(
    ("behaves", "decline"),
    [
        ("pm_card_chargeDeclined", Decline("card_declined", "generic_decline", "try_again_later")),
        ("pm_card_chargeDeclinedInsufficientFunds", Decline("card_declined", "insufficient_funds", "try_again_later")),
        ("pm_card_chargeDeclinedLostCard", Decline("card_declined", "lost_card", "do_not_try_again")),
        ("pm_card_chargeDeclinedExpiredCard", Decline("expired_card", None, "do_not_try_again")),
        ("pm_card_chargeDeclinedIncorrectCvc", Decline("incorrect_cvc", None, "confirm_card_data")),
        ("pm_card_chargeDeclinedProcessingError", Decline("processing_error", None, "try_again_later")),
        ("pm_card_chargeCustomerFail", Decline("card_declined", "generic_decline", "try_again_later")),
    ],
)
def test_a_declined_card_is_no_exception_and_charges_nothing(
    stripe_world: StripeWorld, behaves: str, decline: Decline
) -> None:
    refused = confirm(stripe_world, intent(stripe_world), behaves)
    assert refused.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert refused.decline == decline
    assert (refused.payment_method_id, refused.method, refused.charge) == (None, None, None)
    assert stripe_world.charge_ids() == []
    assert stripe_world.provider.retrieve_intent(ACCOUNT, refused.id) == refused


def test_after_a_decline_the_same_intent_takes_another_card(stripe_world: StripeWorld) -> None:
    made = intent(stripe_world)
    confirm(stripe_world, made, "pm_card_chargeDeclined", key="confirm-1")
    paid = confirm(stripe_world, made, "pm_card_mastercard", key="confirm-2")
    assert paid.status is IntentStatus.SUCCEEDED
    assert paid.method == Method("card", "mastercard", "4444")
    assert paid.decline is None
    assert len(stripe_world.charge_ids()) == 1


def test_a_challenged_card_is_charged_when_the_buyer_passes(stripe_world: StripeWorld) -> None:
    asked = confirm(stripe_world, intent(stripe_world), "pm_card_authenticationRequired")
    assert asked.status is IntentStatus.REQUIRES_ACTION
    assert asked.method == Method("card", "visa", "3184")
    assert asked.charge is None
    assert stripe_world.charge_ids() == []
    stripe_world.answer_challenge(asked.id, passed=True)
    paid = stripe_world.provider.retrieve_intent(ACCOUNT, asked.id)
    assert paid.status is IntentStatus.SUCCEEDED
    assert paid.charge is not None
    assert stripe_world.charge_ids() == [paid.charge.id]


def test_a_failed_challenge_is_a_decline(stripe_world: StripeWorld) -> None:
    asked = confirm(stripe_world, intent(stripe_world), "pm_card_authenticationRequired")
    stripe_world.answer_challenge(asked.id, passed=False)
    failed = stripe_world.provider.retrieve_intent(ACCOUNT, asked.id)
    assert failed.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert failed.decline == Decline("payment_intent_authentication_failure")
    assert failed.payment_method_id is None
    assert stripe_world.charge_ids() == []


def test_a_card_may_still_be_declined_after_its_challenge(stripe_world: StripeWorld) -> None:
    asked = confirm(stripe_world, intent(stripe_world), "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds")
    assert asked.status is IntentStatus.REQUIRES_ACTION
    stripe_world.answer_challenge(asked.id, passed=True)
    refused = stripe_world.provider.retrieve_intent(ACCOUNT, asked.id)
    assert refused.decline == Decline("card_declined", "insufficient_funds", "try_again_later")
    assert stripe_world.charge_ids() == []


def test_a_kept_method_is_charged_while_the_buyer_is_away(stripe_world: StripeWorld) -> None:
    customer_id, method_id = stored_method(stripe_world)
    later = second_intent(stripe_world, customer_id)
    paid = stripe_world.provider.confirm_off_session(ACCOUNT, later.id, payment_method_id=method_id, key="confirm-2")
    assert paid.status is IntentStatus.SUCCEEDED
    assert paid.payment_method_id == method_id
    assert paid.charge is not None
    assert paid.charge.amount == usd(7_500)
    assert len(stripe_world.charge_ids()) == 2


def test_a_kept_method_can_be_named_when_the_intent_is_made(stripe_world: StripeWorld) -> None:
    customer_id, method_id = stored_method(stripe_world)
    request = replace(new_intent(customer_id), payment_method_id=method_id)
    made = stripe_world.provider.create_intent(ACCOUNT, request, key="pi-2")
    assert made.status is IntentStatus.REQUIRES_CONFIRMATION
    assert made.payment_method_id == method_id
    assert made.method == VISA
    assert len(stripe_world.charge_ids()) == 1


def test_a_method_that_was_not_kept_cannot_be_charged_again(stripe_world: StripeWorld) -> None:
    paid = confirm(stripe_world, intent(stripe_world, keep=False))
    assert paid.customer_id is not None
    assert paid.payment_method_id is not None
    later = second_intent(stripe_world, paid.customer_id)
    with pytest.raises(ProviderRefused):
        stripe_world.provider.confirm_off_session(
            ACCOUNT, later.id, payment_method_id=paid.payment_method_id, key="confirm-2"
        )
    assert len(stripe_world.charge_ids()) == 1


def test_a_method_kept_for_one_customer_is_not_another_ones(stripe_world: StripeWorld) -> None:
    _, method_id = stored_method(stripe_world)
    later = second_intent(stripe_world, customer(stripe_world, key="cus-2"))
    with pytest.raises(ProviderRefused):
        stripe_world.provider.confirm_off_session(ACCOUNT, later.id, payment_method_id=method_id, key="confirm-2")
    assert len(stripe_world.charge_ids()) == 1


def test_a_stored_card_that_goes_bad_is_declined_off_session(stripe_world: StripeWorld) -> None:
    customer_id, method_id = stored_method(stripe_world)
    stripe_world.behave(method_id, "pm_card_chargeDeclinedInsufficientFunds")
    later = second_intent(stripe_world, customer_id)
    refused = stripe_world.provider.confirm_off_session(ACCOUNT, later.id, payment_method_id=method_id, key="confirm-2")
    assert refused.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert refused.decline == Decline("card_declined", "insufficient_funds", "try_again_later")
    assert len(stripe_world.charge_ids()) == 1


def test_a_card_that_always_asks_needs_the_buyer_off_session(stripe_world: StripeWorld) -> None:
    customer_id, method_id = stored_method(stripe_world, "pm_card_authenticationRequired")
    later = second_intent(stripe_world, customer_id)
    refused = stripe_world.provider.confirm_off_session(ACCOUNT, later.id, payment_method_id=method_id, key="confirm-2")
    assert refused.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert refused.decline == Decline("authentication_required", "authentication_required", "try_again_later")
    assert len(stripe_world.charge_ids()) == 1


def test_a_card_set_up_with_its_challenge_is_charged_off_session(stripe_world: StripeWorld) -> None:
    customer_id, method_id = stored_method(stripe_world, "pm_card_authenticationRequiredOnSetup")
    later = second_intent(stripe_world, customer_id)
    paid = stripe_world.provider.confirm_off_session(ACCOUNT, later.id, payment_method_id=method_id, key="confirm-2")
    assert paid.status is IntentStatus.SUCCEEDED
    assert len(stripe_world.charge_ids()) == 2


# --- setup intents ----------------------------------------------------------------------------------------------------


def setup(world: StripeWorld, customer_id: str) -> Intent:
    return world.provider.create_setup_intent(
        ACCOUNT, customer_id=customer_id, metadata={"till_checkout": "chk_1"}, key="seti-1"
    )


def confirm_setup(world: StripeWorld, made: Intent, behaves: str, key: str = "confirm-seti-1") -> Intent:
    return world.provider.confirm_setup_with_token(
        ACCOUNT, made.id, confirmation_token=world.confirmation_token(behaves), return_url=RETURN_URL, key=key
    )


def test_a_setup_intent_stores_a_method_that_is_charged_later(stripe_world: StripeWorld) -> None:
    customer_id = customer(stripe_world)
    made = setup(stripe_world, customer_id)
    assert made.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert made.amount is None
    assert made.metadata == {"till_checkout": "chk_1"}
    done = confirm_setup(stripe_world, made, "pm_card_visa")
    assert done.status is IntentStatus.SUCCEEDED
    assert done.method == VISA
    assert done.charge is None
    assert done.payment_method_id is not None
    assert stripe_world.provider.retrieve_setup_intent(ACCOUNT, made.id) == done
    assert stripe_world.charge_ids() == []
    later = second_intent(stripe_world, customer_id)
    paid = stripe_world.provider.confirm_off_session(
        ACCOUNT, later.id, payment_method_id=done.payment_method_id, key="confirm-2"
    )
    assert paid.status is IntentStatus.SUCCEEDED


def test_a_card_that_cannot_be_stored_is_declined_at_setup(stripe_world: StripeWorld) -> None:
    refused = confirm_setup(stripe_world, setup(stripe_world, customer(stripe_world)), "pm_card_chargeDeclined")
    assert refused.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert refused.decline == Decline("card_declined", "generic_decline", "try_again_later")
    assert refused.payment_method_id is None


def test_a_setup_passes_its_challenge(stripe_world: StripeWorld) -> None:
    made = setup(stripe_world, customer(stripe_world))
    asked = confirm_setup(stripe_world, made, "pm_card_authenticationRequiredOnSetup")
    assert asked.status is IntentStatus.REQUIRES_ACTION
    stripe_world.answer_challenge(asked.id, passed=True)
    assert stripe_world.provider.retrieve_setup_intent(ACCOUNT, made.id).status is IntentStatus.SUCCEEDED


def test_a_setup_fails_its_challenge(stripe_world: StripeWorld) -> None:
    made = setup(stripe_world, customer(stripe_world))
    asked = confirm_setup(stripe_world, made, "pm_card_authenticationRequired")
    stripe_world.answer_challenge(asked.id, passed=False)
    failed = stripe_world.provider.retrieve_setup_intent(ACCOUNT, made.id)
    assert failed.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert failed.decline == Decline("setup_intent_authentication_failure")


def test_a_finished_setup_is_not_confirmed_again(stripe_world: StripeWorld) -> None:
    done = confirm_setup(stripe_world, setup(stripe_world, customer(stripe_world)), "pm_card_visa")
    with pytest.raises(ProviderRefused) as refusal:
        confirm_setup(stripe_world, done, "pm_card_visa", key="confirm-seti-2")
    assert refusal.value.code == "setup_intent_unexpected_state"
