"""Customers (https://docs.stripe.com/api/customers)."""

import re
from typing import Final

from infra.local.stripe_sandbox.calls import Call, full_address, full_shipping, or_null
from infra.local.stripe_sandbox.faults import JsonObject, invalid
from infra.local.stripe_sandbox.parameter_checker import merge_metadata
from infra.local.stripe_sandbox.world import new_id

CREATE_MODELLED: Final = frozenset(
    {"address", "description", "email", "expand", "metadata", "name", "phone", "preferred_locales", "shipping"}
)
UPDATE_MODELLED: Final = CREATE_MODELLED | {"invoice_settings"}
_PLAIN: Final = ("description", "email", "name", "phone")
_EMAIL: Final = re.compile(r"[^\s@]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)


def _check_email(call: Call) -> None:
    """Refuse an address of no known form (https://docs.stripe.com/error-codes#email-invalid).

    Stripe does not publish what it takes. Letters outside of ASCII are refused here, so that a client that needs them
    to pass finds out on this side.
    """
    email = call.given("email")
    if email and not (email.isascii() and _EMAIL.fullmatch(email)):
        raise invalid(f"Invalid email address: {email}", param="email", code="email_invalid")


def create_customer(call: Call) -> JsonObject:
    """POST /v1/customers."""
    _check_email(call)
    made: JsonObject = {
        "id": new_id("cus_", 14),
        "object": "customer",
        "address": full_address(call.given("address")),
        "balance": 0,
        "created": call.world.now(),
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": or_null(call.given("description")),
        "email": or_null(call.given("email")),
        "invoice_prefix": new_id("", 8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": merge_metadata({}, call.given("metadata")),
        "name": or_null(call.given("name")),
        "next_invoice_sequence": 1,
        "phone": or_null(call.given("phone")),
        "preferred_locales": call.given("preferred_locales", []),
        "shipping": full_shipping(call.given("shipping")),
        "tax_exempt": "none",
        "test_clock": None,
    }
    call.ledger.put(made)
    call.raise_event("customer.created", made)
    return made


def retrieve_customer(call: Call) -> JsonObject:
    """GET /v1/customers/{id}."""
    return call.ledger.get("customer", call.path["id"], param="id", in_path=True)


def update_customer(call: Call) -> JsonObject:
    """POST /v1/customers/{id}: only what is sent changes."""
    _check_email(call)
    stored = call.ledger.get("customer", call.path["id"], param="id", in_path=True)
    changed: JsonObject = {name: or_null(call.params[name]) for name in _PLAIN if name in call.params}
    if "address" in call.params:
        changed["address"] = full_address(call.params["address"])
    if "shipping" in call.params:
        changed["shipping"] = full_shipping(call.params["shipping"])
    if "preferred_locales" in call.params:
        changed["preferred_locales"] = call.params["preferred_locales"]
    if "metadata" in call.params:
        changed["metadata"] = merge_metadata(stored["metadata"], call.params["metadata"])
    if "invoice_settings" in call.params:
        changed["invoice_settings"] = _default_method(call, stored)
    previous = {name: stored[name] for name, value in changed.items() if stored[name] != value}
    stored.update(changed)
    if previous:
        call.raise_event("customer.updated", stored, previous)
    return stored


def _default_method(call: Call, stored: JsonObject) -> JsonObject:
    settings = dict(stored["invoice_settings"])
    given = call.params["invoice_settings"].get("default_payment_method")
    if given is not None:
        if given != "":
            call.ledger.get("payment_method", given, param="invoice_settings[default_payment_method]")
        settings["default_payment_method"] = or_null(given)
    return settings
