"""How a PaymentIntent is confirmed: the one place where money is taken, so that an intent is charged at most once.

Status machine: https://docs.stripe.com/payments/paymentintents/lifecycle. Errors carry the intent, and a decline its
charge and method: https://docs.stripe.com/api/errors. A failed confirmation at the limit cancels the intent
(https://docs.stripe.com/api/payment_intents/confirm); Stripe does not publish the limit.
"""

import copy
from dataclasses import dataclass
from typing import Final

from infra.local.stripe_sandbox.calls import Call, full_shipping, or_null
from infra.local.stripe_sandbox.cards import AUTHENTICATION_REQUIRED, Decline, needs_authentication
from infra.local.stripe_sandbox.charges import make_charge
from infra.local.stripe_sandbox.confirmation_tokens import spend_token
from infra.local.stripe_sandbox.faults import DOC_URL, JsonObject, StripeFault, exclusive_parameters, invalid
from infra.local.stripe_sandbox.intent_rules import require_return_url, require_url
from infra.local.stripe_sandbox.payment_methods import attach, refuse_foreign, refuse_spent, resolve_payment_method
from infra.local.stripe_sandbox.world import PendingAction, new_id

AUTHENTICATION_FAILED: Final = (
    "We are unable to authenticate your payment method. Please choose a different payment method and try again."
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What an intent is to be confirmed with, found in order."""

    method: JsonObject
    return_url: str | None


def confirm_intent(call: Call, intent: JsonObject) -> JsonObject:
    """Confirm with the call's parameters: succeed, ask for 3-D Secure, or raise the 402 of a decline."""
    return attempt_payment(call, intent, choose_for_payment(call, intent))


def choose_for_payment(call: Call, intent: JsonObject) -> Chosen:
    """Check the confirmation and settle what it is made with; raises before anything is attempted."""
    params = call.params
    _refuse_state(intent)
    require_url(params)
    if params.get("payment_method") and params.get("confirmation_token"):
        raise exclusive_parameters("payment_method", "confirmation_token")
    usage = (
        or_null(params.get("setup_future_usage")) if "setup_future_usage" in params else intent["setup_future_usage"]
    )
    token = params.get("confirmation_token")
    if not token and not params.get("payment_method") and intent["payment_method"] is None:
        raise _unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a "
            "payment method or ConfirmationToken.",
        )
    require_return_url(intent, params, has_token=bool(token))
    return_url = params.get("return_url")
    if token:
        method = spend_token(call, token, intent, usage, intent["customer"])
        stored = call.ledger.get("confirmation_token", token, param="confirmation_token")
        usage = usage or stored["setup_future_usage"]
        return_url = return_url or stored["return_url"]
        intent["shipping"] = intent["shipping"] or full_shipping(stored["shipping"])
    else:
        method = resolve_payment_method(
            call, params.get("payment_method") or intent["payment_method"], param="payment_method"
        )
    if method["type"] not in intent["payment_method_types"]:
        raise invalid(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent. Please attach a "
            f"PaymentMethod of one of the following types: {', '.join(intent['payment_method_types'])}.",
            param="payment_method",
        )
    refuse_foreign(method, intent["customer"])
    refuse_spent(call.ledger, method)
    if "receipt_email" in params:
        intent["receipt_email"] = or_null(params["receipt_email"])
    if "shipping" in params:
        intent["shipping"] = full_shipping(params["shipping"])
    intent["setup_future_usage"] = usage
    intent["payment_method"] = method["id"]
    return Chosen(method, return_url)


def _refuse_state(intent: JsonObject) -> None:
    status = intent["status"]
    if status == "succeeded":
        raise _unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.",
        )
    if status in ("canceled", "processing", "requires_capture"):
        raise _unexpected(
            intent,
            f"You cannot confirm this PaymentIntent because it has a status of {status}. Only a PaymentIntent with "
            "one of the following statuses may be confirmed: requires_confirmation, requires_action.",
        )


def _unexpected(intent: JsonObject, message: str) -> StripeFault:
    return invalid(message, code="payment_intent_unexpected_state", payment_intent=copy.deepcopy(intent))


def attempt_payment(call: Call, intent: JsonObject, chosen: Chosen) -> JsonObject:
    """Take the money, ask for 3-D Secure, or raise the decline; counts as one confirmation."""
    method = chosen.method
    call.ledger.attempts[intent["id"]] += 1
    call.ledger.actions.pop(intent["id"], None)
    intent["next_action"] = None
    instrument = call.ledger.instruments[method["id"]]
    off_session = call.given("off_session") not in (None, False)
    if not needs_authentication(instrument.card, off_session=off_session, set_up=instrument.set_up):
        return _charge(call, intent, method, instrument.card.decline, secured=False)
    if off_session or call.given("error_on_requires_action"):
        return _charge(call, intent, method, AUTHENTICATION_REQUIRED, secured=False)
    if instrument.card.lookup_error is not None:
        return _charge(call, intent, method, instrument.card.lookup_error, secured=False)
    intent["status"] = "requires_action"
    intent["last_payment_error"] = None
    action = PendingAction(new_id("", 32), chosen.return_url)
    call.ledger.actions[intent["id"]] = action
    intent["next_action"] = next_action(call, intent, action)
    call.raise_event("payment_intent.requires_action", intent)
    return intent


def next_action(call: Call, intent: JsonObject, action: PendingAction) -> JsonObject:
    """How the buyer gets to the challenge: in Stripe.js, or by redirect when a `return_url` stands alone.

    https://docs.stripe.com/api/payment_intents/object#payment_intent_object-next_action
    """
    address = f"{call.world.base_url}/challenge/{intent['id']}?secret={action.secret}"
    if action.return_url is not None and not call.given("use_stripe_sdk") and not call.given("confirmation_token"):
        return {"type": "redirect_to_url", "redirect_to_url": {"return_url": action.return_url, "url": address}}
    return {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {"source": action.secret, "stripe_js": address, "type": "three_d_secure_redirect"},
    }


def finish_authentication(call: Call, intent: JsonObject, *, passed: bool) -> None:
    """Go on after the challenge: charge, or take the method off the intent. A decline is stored, not raised."""
    del call.ledger.actions[intent["id"]]
    intent["next_action"] = None
    method = call.ledger.get("payment_method", intent["payment_method"], param="payment_method")
    if passed:
        try:
            _charge(call, intent, method, call.ledger.instruments[method["id"]].card.decline, secured=True)
        except StripeFault:
            # The buyer's browser reads the outcome from the intent, as with Stripe.
            return
        return
    intent["last_payment_error"] = {
        "code": "payment_intent_authentication_failure",
        "doc_url": DOC_URL + "payment-intent-authentication-failure",
        "message": AUTHENTICATION_FAILED,
        "payment_method": copy.deepcopy(method),
        "type": "invalid_request_error",
    }
    _give_up(call, intent, method)


def _charge(
    call: Call, intent: JsonObject, method: JsonObject, decline: Decline | None, *, secured: bool
) -> JsonObject:
    charge = make_charge(call, intent, method, decline, secured)
    intent["latest_charge"] = charge["id"]
    if decline is not None:
        intent["last_payment_error"] = declined_error(decline, method, charge["id"])
        call.raise_event("charge.failed", charge)
        _give_up(call, intent, method)
        raise StripeFault(
            402,
            "card_error",
            decline.message,
            code=decline.code,
            **{
                name: value
                for name, value in intent["last_payment_error"].items()
                if name not in ("code", "message", "type", "doc_url")
            },
            payment_intent=copy.deepcopy(intent),
        )
    intent["status"] = "succeeded"
    intent["amount_received"] = intent["amount"]
    intent["last_payment_error"] = None
    _keep(call, intent, method, secured)
    call.raise_event("charge.succeeded", charge)
    call.raise_event("payment_intent.succeeded", intent)
    return intent


def declined_error(decline: Decline, method: JsonObject, charge: str | None) -> JsonObject:
    """A decline as `last_payment_error` and `last_setup_error` carry it (https://docs.stripe.com/declines/codes)."""
    error: JsonObject = {
        "advice_code": decline.advice_code,
        "charge": charge,
        "code": decline.code,
        "decline_code": decline.decline_code,
        "doc_url": DOC_URL + decline.code.replace("_", "-"),
        "message": decline.message,
        "network_decline_code": decline.network_decline_code,
        "payment_method": copy.deepcopy(method),
        "type": "card_error",
    }
    return {name: value for name, value in error.items() if value is not None}


def _keep(call: Call, intent: JsonObject, method: JsonObject, secured: bool) -> None:
    instrument = call.ledger.instruments[method["id"]]
    method["card"]["checks"]["cvc_check"] = instrument.card.cvc_check if instrument.cvc_given else None
    usage = intent["setup_future_usage"]
    if usage == "off_session" and (secured or instrument.card.authentication == "never"):
        instrument.set_up = True
    if method["customer"] is not None:
        return
    if usage is not None and intent["customer"] is not None:
        attach(call, method, intent["customer"])
    elif usage is None:
        instrument.spent = True


def _give_up(call: Call, intent: JsonObject, method: JsonObject) -> None:
    intent["payment_method"] = None
    intent["status"] = "requires_payment_method"
    call.raise_event("payment_intent.payment_failed", intent)
    if call.ledger.attempts[intent["id"]] >= call.world.confirmation_limit:
        intent["status"] = "canceled"
        intent["canceled_at"] = call.world.now()
        intent["cancellation_reason"] = "automatic"
        call.raise_event("payment_intent.canceled", intent)
