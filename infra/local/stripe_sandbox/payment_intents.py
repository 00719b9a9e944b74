"""PaymentIntents but for their confirmation: create, read, update, cancel (https://docs.stripe.com/api/payment_intents)."""

from typing import Final

from infra.local.stripe_sandbox.calls import Call, full_shipping, or_null
from infra.local.stripe_sandbox.currencies import check_amount, check_currency
from infra.local.stripe_sandbox.faults import JsonObject, StripeFault, invalid, malformed, not_modelled
from infra.local.stripe_sandbox.intent_rules import (
    automatic_methods,
    compatible_types,
    refuse_exclusive_types,
    refuse_without_confirm,
    require_url,
)
from infra.local.stripe_sandbox.parameter_checker import merge_metadata
from infra.local.stripe_sandbox.payment_confirmation import attempt_payment, choose_for_payment
from infra.local.stripe_sandbox.payment_methods import refuse_foreign, refuse_spent, resolve_payment_method
from infra.local.stripe_sandbox.world import Ledger, new_id

_DESCRIBING: Final = frozenset(
    {"description", "expand", "metadata", "receipt_email", "shipping", "statement_descriptor_suffix", "transfer_group"}
)
_CONFIRMING: Final = frozenset(
    {
        "confirmation_token",
        "error_on_requires_action",
        "off_session",
        "payment_method",
        "receipt_email",
        "return_url",
        "setup_future_usage",
        "shipping",
        "use_stripe_sdk",
        "expand",
    }
)
CREATE_MODELLED: Final = (
    _DESCRIBING
    | _CONFIRMING
    | {
        "allowed_payment_method_types",
        "amount",
        "application_fee_amount",
        "automatic_payment_methods",
        "capture_method",
        "confirm",
        "currency",
        "customer",
        "excluded_payment_method_types",
    }
)
UPDATE_MODELLED: Final = _DESCRIBING | {
    "amount",
    "application_fee_amount",
    "currency",
    "customer",
    "payment_method",
    "setup_future_usage",
}
CONFIRM_MODELLED: Final = _CONFIRMING
CANCEL_MODELLED: Final = frozenset({"cancellation_reason", "expand"})
LIST_MODELLED: Final = frozenset({"created", "customer", "ending_before", "expand", "limit", "starting_after"})

_ONLY_WITH_CONFIRM: Final = ("confirmation_token", "error_on_requires_action", "off_session", "return_url")
_CANCELABLE: Final = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)
_PLAIN: Final = ("description", "receipt_email", "statement_descriptor_suffix", "transfer_group", "setup_future_usage")
_LONGEST_SUFFIX: Final = 22


def create_intent(call: Call) -> JsonObject:
    """POST /v1/payment_intents, confirming at once with `confirm=true`."""
    params = call.params
    currency = check_currency(params["currency"])
    check_amount(params["amount"], currency)
    if params.get("capture_method", "automatic_async") != "automatic_async":
        raise not_modelled(f"capture_method={params['capture_method']}")
    refuse_exclusive_types(params)
    refuse_without_confirm(params, _ONLY_WITH_CONFIRM)
    require_url(params)
    _check_fee(call, params["amount"])
    _check_suffix(call)
    if params.get("customer"):
        call.ledger.get("customer", params["customer"], param="customer")
    types = compatible_types(call, params, currency)
    metadata = merge_metadata({}, params.get("metadata"))
    identifier = new_id("pi_")
    intent: JsonObject = {
        "id": identifier,
        "object": "payment_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None if call.ledger.platform else call.world.application,
        "application_fee_amount": params.get("application_fee_amount"),
        "automatic_payment_methods": automatic_methods(params),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": f"{identifier}_secret_{new_id('')}",
        "confirmation_method": "automatic",
        "created": call.world.now(),
        "currency": currency,
        "customer": params.get("customer"),
        "customer_account": None,
        "description": or_null(params.get("description")),
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": metadata,
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": types,
        "processing": None,
        "receipt_email": or_null(params.get("receipt_email")),
        "review": None,
        "setup_future_usage": params.get("setup_future_usage"),
        "shipping": full_shipping(params.get("shipping")),
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": params.get("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": params.get("transfer_group"),
    }
    if params.get("payment_method"):
        _choose_method(call, intent, params["payment_method"])
    # A confirmation that cannot be tried makes no intent at all; one that is declined leaves the intent behind.
    chosen = choose_for_payment(call, intent) if params.get("confirm") else None
    call.ledger.put(intent)
    call.ledger.attempts[identifier] = 0
    call.raise_event("payment_intent.created", intent)
    return intent if chosen is None else attempt_payment(call, intent, chosen)


def _check_fee(call: Call, amount: int) -> None:
    """https://docs.stripe.com/connect/direct-charges#collect-fees: not above the charge, on connected accounts."""
    fee = call.given("application_fee_amount")
    if fee in (None, ""):
        return
    if call.ledger.platform:
        raise invalid(
            "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment (using an "
            "OAuth key or Stripe-Account header) or destination payment (using `transfer_data[destination]`).",
            param="application_fee_amount",
        )
    if fee < 0:
        raise malformed(
            "This value must be greater than or equal to 0.",
            code="parameter_invalid_integer",
            param="application_fee_amount",
        )
    if fee > amount:
        raise invalid(
            "The application fee amount must be less than or equal to the amount of the payment.",
            param="application_fee_amount",
        )


def _check_suffix(call: Call) -> None:
    """https://docs.stripe.com/get-started/account/statement-descriptors: 22 characters, a letter, no < > \\ ' " *."""
    suffix = call.given("statement_descriptor_suffix")
    if suffix is None:
        return
    if len(suffix) > _LONGEST_SUFFIX or not any(letter.isalpha() for letter in suffix):
        raise malformed(
            "The statement descriptor suffix must have at most 22 characters and at least one letter.",
            param="statement_descriptor_suffix",
        )
    if any(mark in suffix for mark in "<>\\'\"*"):
        raise malformed(
            "The statement descriptor suffix contains characters that are not allowed: <, >, \\, ', \", *.",
            param="statement_descriptor_suffix",
        )


def _choose_method(call: Call, intent: JsonObject, identifier: str) -> None:
    method = resolve_payment_method(call, identifier, param="payment_method")
    refuse_foreign(method, intent["customer"])
    refuse_spent(call.ledger, method)
    intent["payment_method"] = method["id"]
    intent["status"] = "requires_confirmation"


def find_intent(ledger: Ledger, call: Call) -> JsonObject:
    """The intent named in the path."""
    return ledger.get("payment_intent", call.path["id"], param="intent", in_path=True)


def retrieve_intent(call: Call) -> JsonObject:
    """GET /v1/payment_intents/{id}."""
    return find_intent(call.ledger, call)


def update_intent(call: Call) -> JsonObject:
    """POST /v1/payment_intents/{id}: only what is sent changes; the amount and its kind only before success."""
    intent = find_intent(call.ledger, call)
    params = call.params
    fixed = [name for name in params if name not in ("description", "metadata", "expand", "receipt_email", "shipping")]
    if intent["status"] in ("succeeded", "canceled", "processing", "requires_capture") and fixed:
        raise invalid(
            f"This PaymentIntent's {fixed[0]} could not be updated because it has a status of {intent['status']}. "
            "You may only update the amount of a PaymentIntent with one of the following statuses: "
            "requires_payment_method, requires_confirmation, requires_action.",
            code="payment_intent_unexpected_state",
            param=fixed[0],
            payment_intent=dict(intent),
        )
    currency = check_currency(params["currency"]) if "currency" in params else intent["currency"]
    amount: int = params["amount"] if "amount" in params else intent["amount"]
    if "amount" in params or "currency" in params:
        check_amount(amount, currency)
    _check_fee(call, amount)
    _check_suffix(call)
    metadata = merge_metadata(intent["metadata"], params.get("metadata"))
    if params.get("customer"):
        _change_customer(call, intent, params["customer"])
    for name in _PLAIN:
        if name in params:
            intent[name] = or_null(params[name])
    if "application_fee_amount" in params:
        intent["application_fee_amount"] = or_null(params["application_fee_amount"])
    if "shipping" in params:
        intent["shipping"] = full_shipping(params["shipping"])
    intent["metadata"] = metadata
    intent["currency"] = currency
    intent["amount"] = amount
    if params.get("payment_method"):
        _choose_method(call, intent, params["payment_method"])
    elif intent["status"] == "requires_action" and ("amount" in params or "currency" in params):
        # A challenge approves one amount: with another amount it has to be confirmed again.
        intent["status"] = "requires_confirmation"
        intent["next_action"] = None
        call.ledger.actions.pop(intent["id"], None)
    return intent


def _change_customer(call: Call, intent: JsonObject, customer: str) -> None:
    call.ledger.get("customer", customer, param="customer")
    if intent["customer"] is not None and intent["customer"] != customer:
        raise invalid(
            "You cannot modify `customer` on a PaymentIntent once it already has been set. "
            "To fulfill a payment with a different Customer, cancel this PaymentIntent and create a new one.",
            param="customer",
        )
    intent["customer"] = customer


def cancel_intent(call: Call) -> JsonObject:
    """POST /v1/payment_intents/{id}/cancel (https://docs.stripe.com/api/payment_intents/cancel)."""
    intent = find_intent(call.ledger, call)
    if intent["status"] not in _CANCELABLE:
        raise StripeFault(
            400,
            "invalid_request_error",
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
            f"with one of the following statuses may be canceled: {', '.join(_CANCELABLE)}.",
            code="payment_intent_unexpected_state",
            payment_intent=dict(intent),
        )
    intent["status"] = "canceled"
    intent["canceled_at"] = call.world.now()
    intent["cancellation_reason"] = call.given("cancellation_reason")
    intent["next_action"] = None
    call.ledger.actions.pop(intent["id"], None)
    call.raise_event("payment_intent.canceled", intent)
    return intent
