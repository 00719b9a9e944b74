"""Rules that PaymentIntents and SetupIntents share: payment method types, and parameters that exclude each other."""

from collections.abc import Mapping
from typing import Any, Final

from infra.local.stripe_sandbox.calls import Call
from infra.local.stripe_sandbox.faults import (
    JsonObject,
    exclusive_parameters,
    invalid,
    malformed,
    missing_parameter,
)

# https://docs.stripe.com/changelog/dahlia/2026-07-29/allowed-payment-method-types-parameter
_EXCLUDE_EACH_OTHER: Final = (
    ("allowed_payment_method_types", "excluded_payment_method_types"),
    ("allowed_payment_method_types", "automatic_payment_methods"),
    ("allowed_payment_method_types", "payment_method_configuration"),
)
# What a bank debit can be paid in (https://docs.stripe.com/payments/ach-direct-debit).
_CURRENCIES_OF_TYPE: Final = {"us_bank_account": frozenset({"usd"})}


def refuse_payment_method_types(raw: Mapping[str, Any]) -> None:
    """Raise for the parameter that Endive took away.

    https://docs.stripe.com/changelog/endive/2026-09-30/removes-the-payment-method-types-parameter-from-payment-intents-and-setup-intents
    """
    if "payment_method_types" in raw:
        raise malformed(
            "`payment_method_types` is no longer supported in this API version. Use dynamic payment methods, "
            "`excluded_payment_method_types` or `allowed_payment_method_types`.",
            code="payment_method_types_no_longer_supported",
            param="payment_method_types",
        )


def refuse_exclusive_types(params: Mapping[str, Any]) -> None:
    """Raise when two ways of choosing payment method types are used at once."""
    for one, other in _EXCLUDE_EACH_OTHER:
        if one in params and other in params:
            raise exclusive_parameters(one, other)


def refuse_without_confirm(params: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Raise when parameters of the confirmation come with a create that does not confirm.

    https://docs.stripe.com/api/payment_intents/create: "can only be used with `confirm=true`".
    """
    if params.get("confirm"):
        return
    for name in names:
        if name in params:
            raise malformed(f"The parameter `{name}` can only be used with `confirm=true`.", param=name)


def compatible_types(call: Call, params: Mapping[str, Any], currency: str | None) -> list[str]:
    """The types this intent can be paid with: what the account has, filtered in silence by the parameters.

    https://docs.stripe.com/changelog/dahlia/2026-07-29/allowed-payment-method-types-parameter
    """
    wanted = list(call.ledger.payment_method_types)
    if "allowed_payment_method_types" in params:
        wanted = [kind for kind in params["allowed_payment_method_types"] if kind in wanted]
    wanted = [kind for kind in wanted if kind not in (params.get("excluded_payment_method_types") or ())]
    if currency is not None:
        wanted = [kind for kind in wanted if currency in _CURRENCIES_OF_TYPE.get(kind, {currency})]
    if not wanted:
        raise invalid(
            "No valid payment method types for this Payment Intent. Please ensure that you have activated payment "
            "methods compatible with your chosen currency in your dashboard "
            "(https://dashboard.stripe.com/settings/payment_methods) or specify payment_method_types."
        )
    return list(dict.fromkeys(wanted))


def automatic_methods(params: Mapping[str, Any]) -> JsonObject | None:
    """The intent's `automatic_payment_methods`: on unless types are chosen by hand (https://docs.stripe.com/api/payment_intents/create)."""
    if "allowed_payment_method_types" in params:
        return None
    given = params.get("automatic_payment_methods") or {"enabled": True}
    return {"allow_redirects": given.get("allow_redirects", "always"), "enabled": given["enabled"]}


def require_return_url(intent: JsonObject, params: Mapping[str, Any], *, has_token: bool) -> None:
    """Raise when a redirect could follow and there is nowhere to come back to.

    https://docs.stripe.com/api/payment_intents/confirm#confirm_payment_intent-return_url: needed on the server unless
    redirects are off; a ConfirmationToken (its `use_stripe_sdk` is true) and an off-session payment need none.
    """
    methods = intent["automatic_payment_methods"]
    if methods is None or not methods["enabled"] or methods["allow_redirects"] == "never":
        return
    if has_token or params.get("return_url") or params.get("off_session") or params.get("use_stripe_sdk"):
        return
    raise invalid(
        "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these "
        "payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't "
        "want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
        "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
    )


def require_url(params: Mapping[str, Any]) -> None:
    """Raise when `return_url` is no address (https://docs.stripe.com/error-codes#url-invalid)."""
    address = params.get("return_url")
    if address is not None and "://" not in address:
        raise malformed("Not a valid URL", code="url_invalid", param="return_url")


def require_confirmation_source(params: Mapping[str, Any], name: str) -> None:
    """Raise Stripe's `parameter_missing` for a confirming create without anything to pay with."""
    if params.get("confirm") and not (params.get("payment_method") or params.get("confirmation_token")):
        raise missing_parameter(name)
