"""What a browser may read of an intent with a publishable key and the intent's client secret."""

from typing import Final

from infra.local.stripe_sandbox.faults import JsonObject, StripeFault

# https://docs.stripe.com/api/payment_intents/object: "When retrieved using a publishable API key, only a subset".
_HIDDEN: Final = frozenset(
    {
        "amount_capturable",
        "amount_received",
        "application",
        "application_fee_amount",
        "customer",
        "customer_account",
        "latest_attempt",
        "latest_charge",
        "mandate",
        "metadata",
        "on_behalf_of",
        "review",
        "single_use_mandate",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_data",
        "transfer_group",
    }
)


def public_view(intent: JsonObject, client_secret: str | None) -> JsonObject:
    """The public subset of an intent; raises when the client secret is missing or another one."""
    noun = "payment_intent" if intent["object"] == "payment_intent" else "setupintent"
    if client_secret is None:
        raise StripeFault(
            400,
            "invalid_request_error",
            "Missing required param: client_secret.",
            code="parameter_missing",
            param="client_secret",
        )
    if client_secret != intent["client_secret"]:
        raise StripeFault(
            404,
            "invalid_request_error",
            f"No such {noun}: '{intent['id']}'",
            code="resource_missing",
            param="intent",
        )
    return {name: value for name, value in intent.items() if name not in _HIDDEN}
