"""What every Stripe behind the port does, the fake and the real gateway on the sandbox alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest

from chalicelib.domain.documents.methods import Method
from chalicelib.domain.money.amounts import Money
from chalicelib.services.ports import (
    BalanceTransaction,
    Decline,
    Intent,
    IntentStatus,
    NewIntent,
    ProviderRefused,
    ProviderUnavailable,
)
from tests.gateways.stripe_worlds import ACCOUNT, OTHER_ACCOUNT, StripeWorld

T = TypeVar("T")
VISA = Method("card", "visa", "4242")
RETURN_URL = "https://till.example/return"


def usd(minor: int) -> Money:
    return Money(minor, "usd")


def customer(world: StripeWorld, key: str = "cus-1", account: str | None = ACCOUNT) -> str:
    return world.provider.create_customer(
        account, email="ada@buyer.example", name="Ada", metadata={"till_merchant": "mer_demo"}, key=key
    )


def new_intent(customer_id: str, minor: int = 5_000, *, keep: bool = False) -> NewIntent:
    return NewIntent(usd(minor), customer_id, {"till_invoice": "inv_1", "till_part": "1"}, keep_method=keep)


def intent(world: StripeWorld, *, keep: bool = False, key: str = "pi-1") -> Intent:
    return world.provider.create_intent(ACCOUNT, new_intent(customer(world), keep=keep), key=key)


def confirm(world: StripeWorld, made: Intent, behaves: str = "pm_card_visa", key: str = "confirm-1") -> Intent:
    return world.provider.confirm_with_token(
        ACCOUNT,
        made.id,
        confirmation_token=world.confirmation_token(behaves),
        return_url=RETURN_URL,
        key=key,
    )


def until_answered(call: Callable[[], T]) -> T:
    """The gateway asks again by itself after a lost answer; the fake leaves that to its caller."""
    try:
        return call()
    except ProviderUnavailable:
        return call()


def stored_method(world: StripeWorld, behaves: str = "pm_card_visa") -> tuple[str, str]:
    """A customer and a method stored by a first payment."""
    paid = confirm(world, intent(world, keep=True), behaves)
    if paid.status is IntentStatus.REQUIRES_ACTION:
        world.answer_challenge(paid.id, passed=True)
        paid = world.provider.retrieve_intent(ACCOUNT, paid.id)
    assert paid.customer_id is not None
    assert paid.payment_method_id is not None
    return paid.customer_id, paid.payment_method_id


def second_intent(world: StripeWorld, customer_id: str) -> Intent:
    return world.provider.create_intent(ACCOUNT, new_intent(customer_id, 7_500), key="pi-2")


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


# --- idempotency ------------------------------------------------------------------------------------------------------


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


# --- finding, changing, cancelling ------------------------------------------------------------------------------------


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


def test_an_open_intent_takes_another_amount(stripe_world: StripeWorld) -> None:
    made = intent(stripe_world)
    changed = stripe_world.provider.update_intent_amount(ACCOUNT, made.id, amount=usd(6_200), key="amount-1")
    assert changed == replace(made, amount=usd(6_200))
    paid = confirm(stripe_world, changed)
    assert paid.charge is not None
    assert paid.charge.amount == usd(6_200)


def test_a_paid_intent_takes_no_other_amount(stripe_world: StripeWorld) -> None:
    paid = confirm(stripe_world, intent(stripe_world))
    with pytest.raises(ProviderRefused) as refusal:
        stripe_world.provider.update_intent_amount(ACCOUNT, paid.id, amount=usd(6_200), key="amount-1")
    assert refusal.value.code == "payment_intent_unexpected_state"
    assert stripe_world.provider.retrieve_intent(ACCOUNT, paid.id) == paid


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
    with pytest.raises(ProviderRefused) as refusal:
        pay("confirm-2")
    assert refusal.value.code == "invalid_request_error"


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
