"""Saving a card without a payment."""

import pytest
import stripe

from tests.sandbox.conftest import Bench
from tests.sandbox.test_declines import answer_challenge


def setup(bench: Bench, card: str, **more: str) -> stripe.SetupIntent:
    customer = bench.stripe.v1.customers.create({}, bench.on).id
    made = bench.stripe.v1.setup_intents.create(
        {"customer": customer, "allowed_payment_method_types": ["card"]}, bench.on
    )
    assert (made.status, made.usage, made.payment_method_types) == ("requires_payment_method", "off_session", ["card"])
    return bench.stripe.v1.setup_intents.confirm(made.id, {"payment_method": card, **more}, bench.on)


def test_a_card_is_saved_at_once_and_its_attempt_kept(bench: Bench) -> None:
    saved = setup(bench, "pm_card_visa")
    assert saved.status == "succeeded"
    assert bench.types()[1:] == ["setup_intent.created", "payment_method.attached", "setup_intent.succeeded"]
    expanded = bench.stripe.v1.setup_intents.retrieve(saved.id, {"expand": ["latest_attempt"]}, bench.on)
    assert isinstance(expanded.latest_attempt, stripe.SetupAttempt)
    assert expanded.latest_attempt.status == "succeeded"
    methods = bench.stripe.v1.customers.payment_methods.list(str(saved.customer), {"type": "card"}, bench.on)
    assert [method.id for method in methods.data] == [saved.payment_method]
    assert bench.sandbox.listing("charges") == []


def test_a_confirmation_token_sets_up_as_well(bench: Bench) -> None:
    token = bench.stripe.v1.test_helpers.confirmation_tokens.create({"payment_method": "pm_card_visa"}, bench.on)
    made = bench.stripe.v1.setup_intents.create(
        {"allowed_payment_method_types": ["card"], "confirm": True, "confirmation_token": token.id}, bench.on
    )
    assert made.status == "succeeded"
    assert bench.stripe.v1.confirmation_tokens.retrieve(token.id, {}, bench.on).setup_intent == made.id


def test_a_declined_card_is_not_saved(bench: Bench) -> None:
    with pytest.raises(stripe.CardError) as declined:
        setup(bench, "pm_card_visa_chargeDeclinedStolenCard")
    error = declined.value.json_body["error"]
    assert (error["decline_code"], error["setup_intent"]["status"]) == ("stolen_card", "requires_payment_method")
    assert bench.types()[-1] == "setup_intent.setup_failed"
    assert [method["customer"] for method in bench.sandbox.listing("payment_methods")] == [None]


def test_a_challenge_decides_and_a_card_set_up_by_it_pays_off_session(bench: Bench) -> None:
    waiting = setup(bench, "pm_card_authenticationRequiredOnSetup")
    assert waiting.status == "requires_action"
    answer_challenge(waiting, "fail")
    failed = bench.stripe.v1.setup_intents.retrieve(waiting.id, {}, bench.on)
    assert failed.status == "requires_payment_method"
    assert failed.last_setup_error is not None
    assert failed.last_setup_error.code == "setup_intent_authentication_failure"

    again = bench.stripe.v1.setup_intents.confirm(
        waiting.id, {"payment_method": "pm_card_authenticationRequiredOnSetup"}, bench.on
    )
    answer_challenge(again, "complete")
    saved = bench.stripe.v1.setup_intents.retrieve(waiting.id, {}, bench.on)
    assert (saved.status, saved.last_setup_error) == ("succeeded", None)
    paid = bench.stripe.v1.payment_intents.create(
        {
            "amount": 4900,
            "currency": "usd",
            "customer": str(saved.customer),
            "payment_method": str(saved.payment_method),
            "off_session": True,
            "confirm": True,
        },
        bench.on,
    )
    assert paid.status == "succeeded"


def test_a_setup_is_cancelled_only_before_it_succeeds(bench: Bench) -> None:
    waiting = setup(bench, "pm_card_authenticationRequired")
    gone = bench.stripe.v1.setup_intents.cancel(waiting.id, {"cancellation_reason": "abandoned"}, bench.on)
    assert (gone.status, gone.next_action) == ("canceled", None)
    saved = setup(bench, "pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        bench.stripe.v1.setup_intents.cancel(saved.id, {}, bench.on)
    assert refused.value.code == "setup_intent_unexpected_state"


def test_a_detached_card_is_gone_for_good(bench: Bench) -> None:
    saved = setup(bench, "pm_card_visa")
    bench.stripe.v1.payment_methods.detach(str(saved.payment_method), {}, bench.on)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        bench.stripe.v1.payment_methods.attach(str(saved.payment_method), {"customer": str(saved.customer)}, bench.on)
    assert bench.types()[-1] == "payment_method.detached"
