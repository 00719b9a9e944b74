"""Idempotency keys: what every Stripe behind the port does, the fake and the gateway on the sandbox alike."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.services.ports import (
    Intent,
    IntentStatus,
    ProviderRefused,
)
from tests.gateways.stripe_buyers import (
    RETURN_URL,
    confirm,
    customer,
    intent,
    new_intent,
    second_intent,
    stored_method,
    until_answered,
)
from tests.gateways.stripe_worlds import ACCOUNT, OTHER_ACCOUNT, StripeWorld


def test_the_same_key_makes_one_customer_and_one_intent(stripe_world: StripeWorld) -> None:
    first = customer(stripe_world)
    assert customer(stripe_world) == first
    made = stripe_world.provider.create_intent(ACCOUNT, new_intent(first), key="pi-1")
    assert stripe_world.provider.create_intent(ACCOUNT, new_intent(first), key="pi-1") == made
    assert stripe_world.intent_ids() == [made.id]


def test_a_key_replays_the_first_answer_even_when_the_intent_has_moved_on(stripe_world: StripeWorld) -> None:
    made = intent(stripe_world)
    confirm(stripe_world, made)
    again = stripe_world.provider.create_intent(ACCOUNT, new_intent(made.customer_id or ""), key="pi-1")
    assert again == made
    assert again.status is IntentStatus.REQUIRES_PAYMENT_METHOD


def test_a_key_replays_a_decline(stripe_world: StripeWorld) -> None:
    customer_id, method_id = stored_method(stripe_world)
    stripe_world.behave(method_id, "pm_card_chargeDeclined")
    later = second_intent(stripe_world, customer_id)

    def charge(key: str) -> Intent:
        return stripe_world.provider.confirm_off_session(ACCOUNT, later.id, payment_method_id=method_id, key=key)

    refused = charge("confirm-2")
    stripe_world.behave(method_id, "pm_card_visa")
    assert charge("confirm-2") == refused
    assert len(stripe_world.charge_ids()) == 1
    assert charge("confirm-3").status is IntentStatus.SUCCEEDED
    assert len(stripe_world.charge_ids()) == 2


def test_a_key_used_with_other_parameters_is_refused(stripe_world: StripeWorld) -> None:
    made = intent(stripe_world)
    with pytest.raises(ProviderRefused) as refusal:
        stripe_world.provider.create_intent(ACCOUNT, new_intent(made.customer_id or "", 9_900), key="pi-1")
    assert refusal.value.code == "idempotency_error"
    assert stripe_world.intent_ids() == [made.id]


def test_a_key_used_for_another_operation_is_refused(stripe_world: StripeWorld) -> None:
    made = intent(stripe_world)
    with pytest.raises(ProviderRefused) as refusal:
        stripe_world.provider.cancel_intent(ACCOUNT, made.id, key="pi-1")
    assert refusal.value.code == "idempotency_error"
    assert stripe_world.provider.retrieve_intent(ACCOUNT, made.id) == made


def test_a_key_is_forgotten_after_a_day(stripe_world: StripeWorld) -> None:
    made = intent(stripe_world)
    request = new_intent(made.customer_id or "")
    stripe_world.clock.advance(timedelta(hours=23))
    assert stripe_world.provider.create_intent(ACCOUNT, request, key="pi-1").id == made.id
    stripe_world.clock.advance(timedelta(hours=2))
    assert stripe_world.provider.create_intent(ACCOUNT, request, key="pi-1").id != made.id
    assert len(stripe_world.intent_ids()) == 2


def test_a_key_belongs_to_one_account(stripe_world: StripeWorld) -> None:
    first = customer(stripe_world, account=ACCOUNT)
    assert customer(stripe_world, account=OTHER_ACCOUNT) != first


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_that_is_none_is_a_mistake_of_the_caller(stripe_world: StripeWorld, key: str) -> None:
    with pytest.raises(ValueError, match="1 to 255"):
        stripe_world.provider.create_intent(ACCOUNT, new_intent("cus_1"), key=key)
    assert stripe_world.intent_ids() == []


def test_a_lost_answer_to_a_confirmation_charges_once(stripe_world: StripeWorld) -> None:
    made = intent(stripe_world)
    token = stripe_world.confirmation_token("pm_card_visa")
    stripe_world.lose_answer("confirm_with_token")
    paid = until_answered(
        lambda: stripe_world.provider.confirm_with_token(
            ACCOUNT, made.id, confirmation_token=token, return_url=RETURN_URL, key="confirm-1"
        )
    )
    assert paid.status is IntentStatus.SUCCEEDED
    assert len(stripe_world.charge_ids()) == 1


def test_a_lost_answer_to_a_new_intent_leaves_one(stripe_world: StripeWorld) -> None:
    request = new_intent(customer(stripe_world))
    stripe_world.lose_answer("create_intent")
    made = until_answered(lambda: stripe_world.provider.create_intent(ACCOUNT, request, key="pi-1"))
    assert stripe_world.intent_ids() == [made.id]
