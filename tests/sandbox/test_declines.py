"""What the documented test cards do: declines, 3-D Secure, cards that only save, and the limit on confirmations."""

import http.client
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import stripe

from tests.sandbox.conftest import Bench

# https://docs.stripe.com/testing#declined-payments
DECLINES = [
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline", "Your card was declined."),
    ("pm_card_chargeDeclined", "card_declined", "generic_decline", "Your card was declined."),
    (
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "card_declined",
        "insufficient_funds",
        "Your card has insufficient funds.",
    ),
    ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card", "Your card was declined."),
    ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card", "Your card was declined."),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", None, "Your card has expired."),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None, "Your card's security code is incorrect."),
    (
        "pm_card_chargeDeclinedProcessingError",
        "processing_error",
        None,
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    (
        "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
        "card_declined",
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
    ("pm_card_radarBlock", "card_declined", "fraudulent", "Your card was declined."),
]


def intent(bench: Bench, **more: Any) -> stripe.PaymentIntent:
    return bench.stripe.v1.payment_intents.create(
        {"amount": 4900, "currency": "usd", "allowed_payment_method_types": ["card"], **more}, bench.on
    )


def confirm(bench: Bench, made: stripe.PaymentIntent, card: str, **more: Any) -> stripe.PaymentIntent:
    return bench.stripe.v1.payment_intents.confirm(made.id, {"payment_method": card, **more}, bench.on)


def answer_challenge(made: stripe.PaymentIntent, outcome: str) -> str | None:
    """Press a button of the challenge page; returns where a redirecting one leads."""
    action = made.next_action
    assert action is not None
    redirecting = action.type == "redirect_to_url"
    address = urlsplit(action.redirect_to_url.url if redirecting else action.use_stripe_sdk["stripe_js"])
    secret = parse_qs(address.query)["secret"][0]
    connection = http.client.HTTPConnection(str(address.hostname), address.port)
    form = urlencode({"secret": secret, "outcome": outcome, "embedded": "no" if redirecting else "yes"})
    connection.request("POST", address.path, form)
    answered = connection.getresponse()
    answered.read()
    connection.close()
    assert answered.status == (303 if redirecting else 200)
    return answered.headers["Location"]


@pytest.mark.parametrize(("card", "code", "decline_code", "message"), DECLINES)
def test_a_declined_card_leaves_the_intent_ready_for_another_card(
    bench: Bench, card: str, code: str, decline_code: str | None, message: str
) -> None:
    made = intent(bench)
    with pytest.raises(stripe.CardError) as declined:
        confirm(bench, made, card)
    error = declined.value.json_body["error"]
    assert declined.value.http_status == 402
    assert (error["type"], error["code"], error.get("decline_code"), error["message"]) == (
        "card_error",
        code,
        decline_code,
        message,
    )
    after = bench.stripe.v1.payment_intents.retrieve(made.id, {}, bench.on)
    assert (after.status, after.payment_method) == ("requires_payment_method", None)
    assert after.last_payment_error is not None
    stored = after.last_payment_error.to_dict()
    # Where the issuer gives no reason the field is absent, not null.
    assert (stored["code"], stored.get("decline_code")) == (code, decline_code)
    assert error["payment_intent"]["status"] == "requires_payment_method"
    assert error["payment_method"]["id"] == after.last_payment_error.payment_method.id
    [failed] = bench.sandbox.listing("charges")
    assert (failed["id"], failed["status"], failed["captured"]) == (error["charge"], "failed", False)
    assert bench.types()[-2:] == ["charge.failed", "payment_intent.payment_failed"]

    paid = confirm(bench, made, "pm_card_visa")

    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    assert [charge["status"] for charge in bench.sandbox.listing("charges")] == ["failed", "succeeded"]
    assert [done.subject for done in bench.sandbox.deliver_due()] == [bench.sandbox.listing("charges")[1]["id"]]


def test_issuers_say_whether_to_try_again(bench: Bench) -> None:
    advice = {}
    for card in (
        "pm_card_visa_chargeDeclined",
        "pm_card_visa_chargeDeclinedLostCard",
        "pm_card_chargeDeclinedIncorrectCvc",
    ):
        with pytest.raises(stripe.CardError) as declined:
            confirm(bench, intent(bench), card)
        advice[card.rpartition("Declined")[2]] = declined.value.json_body["error"]["advice_code"]
    assert advice == {"": "try_again_later", "LostCard": "do_not_try_again", "IncorrectCvc": "confirm_card_data"}


def test_too_many_failed_confirmations_cancel_the_intent(bench: Bench) -> None:
    made = intent(bench)
    for _ in range(4):
        with pytest.raises(stripe.CardError):
            confirm(bench, made, "pm_card_visa_chargeDeclined")
    after = bench.stripe.v1.payment_intents.retrieve(made.id, {}, bench.on)
    assert (after.status, after.cancellation_reason) == ("canceled", "automatic")
    assert bench.types()[-1] == "payment_intent.canceled"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        confirm(bench, made, "pm_card_visa")
    assert refused.value.code == "payment_intent_unexpected_state"
    assert len(bench.sandbox.listing("charges")) == 4


def test_a_challenge_passed_charges_once_and_is_then_over(bench: Bench) -> None:
    waiting = confirm(bench, intent(bench), "pm_card_authenticationRequired", use_stripe_sdk=True)
    assert (waiting.status, waiting.latest_charge) == ("requires_action", None)
    assert bench.types()[-1] == "payment_intent.requires_action"
    answer_challenge(waiting, "complete")
    paid = bench.stripe.v1.payment_intents.retrieve(waiting.id, {"expand": ["latest_charge"]}, bench.on)
    assert (paid.status, paid.next_action) == ("succeeded", None)
    with pytest.raises(AssertionError):
        answer_challenge(waiting, "complete")
    assert len(bench.sandbox.listing("charges")) == 1


def test_a_challenge_failed_takes_the_card_off_and_charges_nothing(bench: Bench) -> None:
    waiting = confirm(bench, intent(bench), "pm_card_authenticationRequired")
    answer_challenge(waiting, "fail")
    after = bench.stripe.v1.payment_intents.retrieve(waiting.id, {}, bench.on)
    assert (after.status, after.payment_method) == ("requires_payment_method", None)
    assert after.last_payment_error is not None
    assert after.last_payment_error.code == "payment_intent_authentication_failure"
    assert bench.types()[-1] == "payment_intent.payment_failed"
    assert bench.sandbox.listing("charges") == []


def test_a_redirecting_challenge_leads_back_with_stripes_parameters(bench: Bench) -> None:
    made = intent(bench)
    waiting = confirm(bench, made, "pm_card_threeDSecure2Required", return_url="https://shop.example/return?order=1")
    assert waiting.next_action is not None
    assert waiting.next_action.type == "redirect_to_url"
    back = urlsplit(str(answer_challenge(waiting, "complete")))
    assert parse_qs(back.query) == {
        "order": ["1"],
        "payment_intent": [made.id],
        "payment_intent_client_secret": [str(made.client_secret)],
        "redirect_status": ["succeeded"],
    }


def test_a_card_may_be_declined_after_its_challenge(bench: Bench) -> None:
    waiting = confirm(bench, intent(bench), "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds")
    answer_challenge(waiting, "complete")
    after = bench.stripe.v1.payment_intents.retrieve(waiting.id, {}, bench.on)
    assert after.status == "requires_payment_method"
    assert after.last_payment_error is not None
    assert after.last_payment_error.decline_code == "insufficient_funds"
    assert [charge["status"] for charge in bench.sandbox.listing("charges")] == ["failed"]


def save(bench: Bench, card: str) -> tuple[str, str]:
    """Buy once with the card, keeping it for later; returns customer and method."""
    customer = bench.stripe.v1.customers.create({}, bench.on).id
    made = confirm(bench, intent(bench, customer=customer, setup_future_usage="off_session"), card)
    if made.status == "requires_action":
        answer_challenge(made, "complete")
        made = bench.stripe.v1.payment_intents.retrieve(made.id, {}, bench.on)
    assert made.status == "succeeded"
    return customer, str(made.payment_method)


def charge_later(bench: Bench, customer: str, method: str) -> stripe.PaymentIntent:
    return confirm(bench, intent(bench, customer=customer), method, off_session=True)


def test_a_card_set_up_by_a_challenge_needs_none_off_session(bench: Bench) -> None:
    customer, method = save(bench, "pm_card_authenticationRequiredOnSetup")
    assert charge_later(bench, customer, method).status == "succeeded"
    again = confirm(bench, intent(bench, customer=customer), method)
    assert again.status == "requires_action"


def test_a_card_that_always_asks_is_refused_off_session(bench: Bench) -> None:
    customer, method = save(bench, "pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as declined:
        charge_later(bench, customer, method)
    error = declined.value.json_body["error"]
    assert (error["code"], error["decline_code"]) == ("authentication_required", "authentication_required")
    assert error["payment_intent"]["status"] == "requires_payment_method"
    assert error["payment_method"]["id"] == method
    assert bench.types()[-2:] == ["charge.failed", "payment_intent.payment_failed"]
    with pytest.raises(stripe.CardError) as refused:
        confirm(bench, intent(bench, customer=customer), method, error_on_requires_action=True)
    assert refused.value.code == "authentication_required"


def test_a_card_can_save_well_and_fail_when_charged(bench: Bench) -> None:
    customer = bench.stripe.v1.customers.create({}, bench.on).id
    saved = bench.stripe.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer}, bench.on)
    with pytest.raises(stripe.CardError):
        charge_later(bench, customer, saved.id)
    with pytest.raises(stripe.CardError) as refused:
        bench.stripe.v1.payment_methods.attach("pm_card_visa_chargeDeclined", {"customer": customer}, bench.on)
    assert refused.value.json_body["error"]["decline_code"] == "generic_decline"


def test_a_stored_card_changes_its_behaviour_when_told(bench: Bench) -> None:
    customer, method = save(bench, "pm_card_visa")
    bench.sandbox.set_behaviour(method, "pm_card_chargeDeclinedExpiredCard")
    with pytest.raises(stripe.CardError) as declined:
        charge_later(bench, customer, method)
    assert declined.value.code == "expired_card"
    bench.sandbox.set_behaviour(method, "pm_card_visa")
    assert charge_later(bench, customer, method).status == "succeeded"
    with pytest.raises(KeyError):
        bench.sandbox.set_behaviour(method, "pm_card_gold")


def test_a_dispute_comes_after_the_payment(bench: Bench) -> None:
    paid = confirm(bench, intent(bench), "pm_card_createDispute")
    assert paid.status == "succeeded"
    assert [done.outcome for done in bench.sandbox.deliver_due()] == ["captured", "opened"]
    [dispute] = bench.sandbox.listing("disputes")
    assert (dispute["amount"], dispute["reason"], dispute["status"]) == (4900, "fraudulent", "needs_response")
    assert [movement["net"] for movement in bench.sandbox.listing("balance_transactions")] == [4728, -6400]
    assert bench.types()[-2:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        bench.stripe.v1.refunds.create({"payment_intent": paid.id}, bench.on)
    assert refused.value.code == "charge_disputed"
