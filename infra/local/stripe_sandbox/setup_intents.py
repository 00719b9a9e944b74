"""SetupIntents: saving a card without a payment (https://docs.stripe.com/api/setup_intents).

Status machine: https://docs.stripe.com/payments/paymentintents/lifecycle; each confirmation leaves a SetupAttempt.
"""

import copy
from typing import Any, Final

from infra.local.stripe_sandbox.calls import Call, or_null
from infra.local.stripe_sandbox.cards import Decline
from infra.local.stripe_sandbox.confirmation_tokens import spend_token
from infra.local.stripe_sandbox.faults import DOC_URL, JsonObject, StripeFault, exclusive_parameters, invalid
from infra.local.stripe_sandbox.intent_rules import (
    automatic_methods,
    compatible_types,
    refuse_exclusive_types,
    refuse_without_confirm,
    require_return_url,
    require_url,
)
from infra.local.stripe_sandbox.parameter_checker import merge_metadata
from infra.local.stripe_sandbox.payment_confirmation import AUTHENTICATION_FAILED, Chosen, declined_error, next_action
from infra.local.stripe_sandbox.payment_methods import attach, refuse_foreign, refuse_spent, resolve_payment_method
from infra.local.stripe_sandbox.world import PendingAction, new_id

CONFIRM_MODELLED: Final = frozenset({"confirmation_token", "expand", "payment_method", "return_url", "use_stripe_sdk"})
CREATE_MODELLED: Final = CONFIRM_MODELLED | {
    "allowed_payment_method_types",
    "automatic_payment_methods",
    "confirm",
    "customer",
    "description",
    "excluded_payment_method_types",
    "metadata",
    "usage",
}
CANCEL_MODELLED: Final = frozenset({"cancellation_reason", "expand"})
_CANCELABLE: Final = ("requires_payment_method", "requires_confirmation", "requires_action")


def create_setup(call: Call) -> JsonObject:
    """POST /v1/setup_intents, confirming at once with `confirm=true`."""
    params = call.params
    refuse_exclusive_types(params)
    refuse_without_confirm(params, ("confirmation_token", "return_url"))
    require_url(params)
    if params.get("customer"):
        call.ledger.get("customer", params["customer"], param="customer")
    types = compatible_types(call, params, None)
    metadata = merge_metadata({}, params.get("metadata"))
    identifier = new_id("seti_")
    intent: JsonObject = {
        "id": identifier,
        "object": "setup_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "application": None if call.ledger.platform else call.world.application,
        "automatic_payment_methods": automatic_methods(params),
        "cancellation_reason": None,
        "client_secret": f"{identifier}_secret_{new_id('')}",
        "created": call.world.now(),
        "customer": params.get("customer"),
        "customer_account": None,
        "description": or_null(params.get("description")),
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": metadata,
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "payment_method_types": types,
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": params.get("usage", "off_session"),
    }
    if params.get("payment_method"):
        method = resolve_payment_method(call, params["payment_method"], param="payment_method")
        refuse_foreign(method, intent["customer"])
        refuse_spent(call.ledger, method)
        intent["payment_method"] = method["id"]
        intent["status"] = "requires_confirmation"
    chosen = _choose(call, intent) if params.get("confirm") else None
    call.ledger.put(intent)
    call.raise_event("setup_intent.created", intent)
    return intent if chosen is None else _attempt(call, intent, chosen)


def retrieve_setup(call: Call) -> JsonObject:
    """GET /v1/setup_intents/{id}."""
    return call.ledger.get("setup_intent", call.path["id"], param="intent", in_path=True)


def confirm_setup(call: Call) -> JsonObject:
    """POST /v1/setup_intents/{id}/confirm."""
    intent = retrieve_setup(call)
    return _attempt(call, intent, _choose(call, intent))


def cancel_setup(call: Call) -> JsonObject:
    """POST /v1/setup_intents/{id}/cancel (https://docs.stripe.com/api/setup_intents/cancel)."""
    intent = retrieve_setup(call)
    if intent["status"] not in _CANCELABLE:
        raise _unexpected(
            intent,
            f"You cannot cancel this SetupIntent because it has a status of {intent['status']}. Only a SetupIntent "
            f"with one of the following statuses may be canceled: {', '.join(_CANCELABLE)}.",
        )
    intent["status"] = "canceled"
    intent["cancellation_reason"] = call.given("cancellation_reason")
    intent["next_action"] = None
    call.ledger.actions.pop(intent["id"], None)
    call.raise_event("setup_intent.canceled", intent)
    return intent


def _choose(call: Call, intent: JsonObject) -> Chosen:
    params = call.params
    if intent["status"] in ("succeeded", "canceled", "processing"):
        raise _unexpected(
            intent,
            "You cannot confirm this SetupIntent because it has already succeeded."
            if intent["status"] == "succeeded"
            else f"You cannot confirm this SetupIntent because it has a status of {intent['status']}.",
        )
    require_url(params)
    token = params.get("confirmation_token")
    if token and params.get("payment_method"):
        raise exclusive_parameters("payment_method", "confirmation_token")
    if not token and not params.get("payment_method") and intent["payment_method"] is None:
        raise _unexpected(
            intent,
            "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent with a "
            "payment method and then confirm it again.",
        )
    require_return_url(intent, params, has_token=bool(token))
    return_url = params.get("return_url")
    if token:
        method = spend_token(call, token, intent, None, intent["customer"])
        return_url = return_url or call.ledger.shelves["confirmation_token"][token]["return_url"]
    else:
        chosen = params.get("payment_method") or intent["payment_method"]
        method = resolve_payment_method(call, chosen, param="payment_method")
    refuse_foreign(method, intent["customer"])
    refuse_spent(call.ledger, method)
    intent["payment_method"] = method["id"]
    return Chosen(method, return_url)


def _unexpected(intent: JsonObject, message: str) -> StripeFault:
    return invalid(message, code="setup_intent_unexpected_state", setup_intent=copy.deepcopy(intent))


def _attempt(call: Call, intent: JsonObject, chosen: Chosen) -> JsonObject:
    method = chosen.method
    intent["next_action"] = None
    call.ledger.actions.pop(intent["id"], None)
    card = call.ledger.instruments[method["id"]].card
    if card.decline is not None and not card.saves:
        return _decline(call, intent, method, card.decline)
    if card.authentication in ("always", "unless_set_up") or (
        card.authentication == "on_session" and card.name.startswith("pm_card_threeDSecure")
    ):
        action = PendingAction(new_id("", 32), chosen.return_url)
        call.ledger.actions[intent["id"]] = action
        intent["status"] = "requires_action"
        intent["last_setup_error"] = None
        intent["next_action"] = next_action(call, intent, action)
        intent["latest_attempt"] = _note_attempt(call, intent, method, "requires_action", None)["id"]
        call.raise_event("setup_intent.requires_action", intent)
        return intent
    return _succeed(call, intent, method)


def finish_setup_authentication(call: Call, intent: JsonObject, *, passed: bool) -> None:
    """Go on after the challenge: save the method, or take it off the intent."""
    del call.ledger.actions[intent["id"]]
    intent["next_action"] = None
    method = call.ledger.get("payment_method", intent["payment_method"], param="payment_method")
    if passed:
        _succeed(call, intent, method)
        return
    error: JsonObject = {
        "code": "setup_intent_authentication_failure",
        "doc_url": DOC_URL + "setup-intent-authentication-failure",
        "message": AUTHENTICATION_FAILED,
        "payment_method": copy.deepcopy(method),
        "type": "invalid_request_error",
    }
    _fail(call, intent, method, error)


def _succeed(call: Call, intent: JsonObject, method: JsonObject) -> JsonObject:
    intent["status"] = "succeeded"
    intent["last_setup_error"] = None
    instrument = call.ledger.instruments[method["id"]]
    instrument.set_up = instrument.set_up or intent["usage"] == "off_session"
    method["card"]["checks"]["cvc_check"] = instrument.card.cvc_check if instrument.cvc_given else None
    if intent["customer"] is not None and method["customer"] is None:
        attach(call, method, intent["customer"])
    intent["latest_attempt"] = _note_attempt(call, intent, method, "succeeded", None)["id"]
    call.raise_event("setup_intent.succeeded", intent)
    return intent


def _decline(call: Call, intent: JsonObject, method: JsonObject, decline: Decline) -> JsonObject:
    error = declined_error(decline, method, None)
    _fail(call, intent, method, error)
    more = {name: value for name, value in error.items() if name not in ("code", "message", "type", "doc_url")}
    raise StripeFault(402, "card_error", decline.message, code=decline.code, **more, setup_intent=copy.deepcopy(intent))


def _fail(call: Call, intent: JsonObject, method: JsonObject, error: JsonObject) -> None:
    intent["latest_attempt"] = _note_attempt(call, intent, method, "failed", error)["id"]
    intent["last_setup_error"] = error
    intent["payment_method"] = None
    intent["status"] = "requires_payment_method"
    call.raise_event("setup_intent.setup_failed", intent)


def _note_attempt(
    call: Call, intent: JsonObject, method: JsonObject, status: str, error: JsonObject | None
) -> JsonObject:
    details: dict[str, Any] = {"card": {"three_d_secure": None}, "type": "card"}
    return call.ledger.put(
        {
            "id": new_id("setatt_"),
            "object": "setup_attempt",
            "application": intent["application"],
            "created": call.world.now(),
            "customer": intent["customer"],
            "customer_account": None,
            "flow_directions": None,
            "livemode": False,
            "on_behalf_of": None,
            "payment_method": method["id"],
            "payment_method_details": details,
            "setup_error": error,
            "setup_intent": intent["id"],
            "status": status,
            "usage": intent["usage"],
        }
    )
