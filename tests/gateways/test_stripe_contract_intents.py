"""Finding, changing, cancelling and refusing: what every Stripe behind the port does, fake and gateway alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from chalicelib.services.ports import (
    CardTokenRefused,
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
)
from tests.gateways.stripe_worlds import ACCOUNT, OTHER_ACCOUNT, StripeWorld


def test_an_intent_whose_id_was_lost_is_found_by_its_customer_newest_first(stripe_world: StripeWorld) -> None:
    customer_id = customer(stripe_world)
    made = []
    for number in range(3):
        made.append(stripe_world.provider.create_intent(ACCOUNT, new_intent(customer_id), key=f"pi-{number}"))
        stripe_world.clock.advance(timedelta(seconds=5))
    other = customer(stripe_world, key="cus-2")
    stripe_world.provider.create_intent(ACCOUNT, new_intent(other), key="pi-other")
    assert stripe_world.provider.find_intents(ACCOUNT, customer_id=customer_id) == list(reversed(made))


def test_found_intents_carry_their_charges(stripe_world: StripeWorld) -> None:
    paid = confirm(stripe_world, intent(stripe_world))
    assert stripe_world.provider.find_intents(ACCOUNT, customer_id=paid.customer_id or "") == [paid]


def test_a_cancelled_intent_cannot_be_paid(stripe_world: StripeWorld) -> None:
    made = intent(stripe_world)
    cancelled = stripe_world.provider.cancel_intent(ACCOUNT, made.id, key="cancel-1")
    assert cancelled.status is IntentStatus.CANCELED
    with pytest.raises(ProviderRefused) as refusal:
        confirm(stripe_world, made)
    assert refusal.value.code == "payment_intent_unexpected_state"
    assert stripe_world.charge_ids() == []


def test_cancelling_what_has_succeeded_gives_it_as_it_is(stripe_world: StripeWorld) -> None:
    paid = confirm(stripe_world, intent(stripe_world))
    assert stripe_world.provider.cancel_intent(ACCOUNT, paid.id, key="cancel-1") == paid


def test_cancelling_twice_gives_the_cancelled_intent(stripe_world: StripeWorld) -> None:
    made = intent(stripe_world)
    first = stripe_world.provider.cancel_intent(ACCOUNT, made.id, key="cancel-1")
    assert stripe_world.provider.cancel_intent(ACCOUNT, made.id, key="cancel-2") == first


def test_a_paid_intent_is_not_paid_again(stripe_world: StripeWorld) -> None:
    paid = confirm(stripe_world, intent(stripe_world))
    with pytest.raises(ProviderRefused) as refusal:
        confirm(stripe_world, paid, key="confirm-2")
    assert refusal.value.code == "payment_intent_unexpected_state"
    assert len(stripe_world.charge_ids()) == 1


def test_a_confirmation_token_is_good_once(stripe_world: StripeWorld) -> None:
    made = intent(stripe_world)
    token = stripe_world.confirmation_token("pm_card_chargeDeclined")

    def pay(key: str) -> Intent:
        return stripe_world.provider.confirm_with_token(
            ACCOUNT, made.id, confirmation_token=token, return_url=RETURN_URL, key=key
        )

    assert pay("confirm-1").decline is not None
    with pytest.raises(CardTokenRefused) as refusal:
        pay("confirm-2")
    assert refusal.value.code == "invalid_request_error"


def test_a_confirmation_token_that_nobody_knows_is_told_from_every_other_refusal(stripe_world: StripeWorld) -> None:
    made = intent(stripe_world)
    with pytest.raises(CardTokenRefused) as refusal:
        stripe_world.provider.confirm_with_token(
            ACCOUNT, made.id, confirmation_token="ctoken_none", return_url=RETURN_URL, key="confirm-1"
        )
    assert refusal.value.code == "resource_missing"
    with pytest.raises(ProviderRefused) as other:
        stripe_world.provider.retrieve_intent(ACCOUNT, "pi_none")
    assert not isinstance(other.value, CardTokenRefused)
    assert stripe_world.charge_ids() == []


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_an_amount_below_stripes_minimum_is_refused(stripe_world: StripeWorld) -> None:
    request = new_intent(customer(stripe_world), 49)
    with pytest.raises(ProviderRefused) as refusal:
        stripe_world.provider.create_intent(ACCOUNT, request, key="pi-1")
    assert refusal.value.code == "amount_too_small"
    assert stripe_world.intent_ids() == []


def test_another_accounts_intent_charge_and_customer_do_not_exist(stripe_world: StripeWorld) -> None:
    paid = confirm(stripe_world, intent(stripe_world))
    assert paid.charge is not None
    charge_id, customer_id = paid.charge.id, paid.customer_id or ""
    provider = stripe_world.provider
    calls: list[Callable[[], object]] = [
        lambda: provider.retrieve_intent(OTHER_ACCOUNT, paid.id),
        lambda: provider.retrieve_charge(OTHER_ACCOUNT, charge_id),
        lambda: provider.cancel_intent(OTHER_ACCOUNT, paid.id, key="cancel-1"),
        lambda: provider.create_intent(OTHER_ACCOUNT, new_intent(customer_id), key="pi-2"),
        lambda: provider.retrieve_intent(None, paid.id),
    ]
    for call in calls:
        with pytest.raises(ProviderRefused) as refusal:
            call()
        assert refusal.value.code == "resource_missing"
    assert stripe_world.intent_ids() == [paid.id]


def test_what_does_not_exist_is_refused_as_missing(stripe_world: StripeWorld) -> None:
    provider = stripe_world.provider
    calls: list[Callable[[], object]] = [
        lambda: provider.retrieve_intent(ACCOUNT, "pi_none"),
        lambda: provider.retrieve_setup_intent(ACCOUNT, "seti_none"),
        lambda: provider.retrieve_charge(ACCOUNT, "ch_none"),
        lambda: provider.create_intent(ACCOUNT, new_intent("cus_none"), key="pi-1"),
        lambda: provider.create_setup_intent(ACCOUNT, customer_id="cus_none", metadata={}, key="seti-1"),
    ]
    for call in calls:
        with pytest.raises(ProviderRefused) as refusal:
            call()
        assert refusal.value.code == "resource_missing"


def test_a_token_of_another_account_is_missing(stripe_world: StripeWorld) -> None:
    made = intent(stripe_world)
    token = stripe_world.confirmation_token("pm_card_visa", OTHER_ACCOUNT)
    with pytest.raises(ProviderRefused) as refusal:
        stripe_world.provider.confirm_with_token(
            ACCOUNT, made.id, confirmation_token=token, return_url=RETURN_URL, key="confirm-1"
        )
    assert refusal.value.code == "resource_missing"
    assert stripe_world.charge_ids() == []


def test_direct_mode_works_without_an_account(stripe_world: StripeWorld) -> None:
    customer_id = customer(stripe_world, account=None)
    made = stripe_world.provider.create_intent(None, new_intent(customer_id), key="pi-1")
    paid = stripe_world.provider.confirm_with_token(
        None,
        made.id,
        confirmation_token=stripe_world.confirmation_token("pm_card_visa", None),
        return_url=RETURN_URL,
        key="confirm-1",
    )
    assert paid.status is IntentStatus.SUCCEEDED
