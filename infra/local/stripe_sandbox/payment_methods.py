"""Payment methods (https://docs.stripe.com/api/payment_methods): cards made from test numbers and `pm_card_…` names."""

import hashlib
from typing import Any

from infra.local.stripe_sandbox.calls import ADDRESS_FIELDS, Call, need, or_null
from infra.local.stripe_sandbox.cards import BY_NAME, TestCard
from infra.local.stripe_sandbox.faults import JsonObject, StripeFault, invalid, no_such
from infra.local.stripe_sandbox.world import Instrument, Ledger, new_id

# A fixed face for cards named rather than typed; far enough off that a clock moved by years does not expire it.
_NAMED_CARD_EXPIRY = (12, 2044)


def billing_details(given: Any = None) -> JsonObject:
    """Billing details with every field, unset ones null."""
    given = given or {}
    address = given.get("address") or {}
    return {
        "address": {name: or_null(address.get(name)) for name in ADDRESS_FIELDS},
        "email": or_null(given.get("email")),
        "name": or_null(given.get("name")),
        "phone": or_null(given.get("phone")),
        "tax_id": or_null(given.get("tax_id")),
    }


def card_face(card: TestCard, *, exp_month: int, exp_year: int) -> JsonObject:
    """The `card` of a payment method, before any payment has checked it."""
    fingerprint = hashlib.sha256(card.number.encode()).hexdigest()[:16]
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "unchecked"},
        "country": card.country,
        "display_brand": card.brand,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": fingerprint,
        "funding": card.funding,
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": card.brand != "amex"},
        "wallet": None,
    }


def named_card_face(card: TestCard) -> JsonObject:
    """The face of a card made from a `pm_card_…` name."""
    month, year = _NAMED_CARD_EXPIRY
    return card_face(card, exp_month=month, exp_year=year)


def make_payment_method(
    ledger: Ledger,
    card: TestCard,
    face: JsonObject,
    details: JsonObject,
    *,
    now: int,
    cvc_given: bool = True,
    allow_redisplay: str = "unspecified",
) -> JsonObject:
    """Store a new, unattached payment method and what its issuer knows."""
    made: JsonObject = {
        "id": new_id("pm_"),
        "object": "payment_method",
        "allow_redisplay": allow_redisplay,
        "billing_details": details,
        "card": face,
        "created": now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }
    ledger.instruments[made["id"]] = Instrument(card, cvc_given=cvc_given)
    return ledger.put(made)


def resolve_payment_method(call: Call, identifier: str, *, param: str, in_path: bool = False) -> JsonObject:
    """The stored payment method of that id; a `pm_card_…` name makes a new one, as in Stripe's test mode."""
    card = BY_NAME.get(identifier)
    if card is not None:
        return make_payment_method(call.ledger, card, named_card_face(card), billing_details(), now=call.world.now())
    return call.ledger.get("payment_method", identifier, param=param, in_path=in_path)


def retrieve_payment_method(call: Call) -> JsonObject:
    """GET /v1/payment_methods/{id}."""
    return call.ledger.get("payment_method", call.path["id"], param="payment_method", in_path=True)


def retrieve_customers_payment_method(call: Call) -> JsonObject:
    """GET /v1/customers/{customer}/payment_methods/{id}."""
    call.ledger.get("customer", call.path["customer"], param="customer", in_path=True)
    found = call.ledger.find("payment_method", call.path["id"])
    if found is None or found["customer"] != call.path["customer"]:
        raise no_such("PaymentMethod", call.path["id"], param="payment_method", in_path=True)
    return found


def attach_payment_method(call: Call) -> JsonObject:
    """POST /v1/payment_methods/{id}/attach (https://docs.stripe.com/api/payment_methods/attach)."""
    stored = resolve_payment_method(call, call.path["id"], param="payment_method", in_path=True)
    customer = need(call, "customer")
    call.ledger.get("customer", customer, param="customer")
    if stored["customer"] is not None:
        if stored["customer"] == customer:
            return stored
        raise invalid("The payment method you provided has already been attached to a customer.")
    refuse_spent(call.ledger, stored)
    card = call.ledger.instruments[stored["id"]].card
    if not card.saves and card.decline is not None:
        reason: JsonObject = {"decline_code": card.decline.decline_code} if card.decline.decline_code else {}
        raise StripeFault(402, "card_error", card.decline.message, code=card.decline.code, **reason)
    attach(call, stored, customer)
    return stored


def attach(call: Call, stored: JsonObject, customer: str) -> None:
    """Save a payment method on a customer, and say so."""
    stored["customer"] = customer
    call.ledger.instruments[stored["id"]].spent = False
    call.raise_event("payment_method.attached", stored)


def detach_payment_method(call: Call) -> JsonObject:
    """POST /v1/payment_methods/{id}/detach; what was detached can never be used again."""
    stored = call.ledger.get("payment_method", call.path["id"], param="payment_method", in_path=True)
    if stored["customer"] is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            param="payment_method",
        )
    previous = {"customer": stored["customer"]}
    customer = call.ledger.find("customer", stored["customer"])
    stored["customer"] = None
    call.ledger.instruments[stored["id"]].spent = True
    if customer is not None and customer["invoice_settings"]["default_payment_method"] == stored["id"]:
        customer["invoice_settings"]["default_payment_method"] = None
    call.raise_event("payment_method.detached", stored, previous)
    return stored


def refuse_spent(ledger: Ledger, stored: JsonObject) -> None:
    """Raise when the method was used once without a customer, or was detached.

    https://docs.stripe.com/api/payment_methods/attach and https://docs.stripe.com/payments/payment-methods
    """
    if ledger.instruments[stored["id"]].spent:
        raise invalid(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared "
            "with a connected account without Customer attachment, or was detached from a Customer. It may not be used "
            "again. To use a PaymentMethod multiple times, you must attach it to a Customer first."
        )


def refuse_foreign(stored: JsonObject, customer: str | None) -> None:
    """Raise when the method is saved on a customer other than the intent's.

    https://docs.stripe.com/api/payment_intents/confirm#confirm_payment_intent-payment_method
    """
    owner = stored["customer"]
    if owner is None or owner == customer:
        return
    if customer is None:
        raise invalid(
            f"The provided PaymentMethod belongs to a Customer. Please include the Customer in the `customer` "
            f"parameter: the PaymentMethod {stored['id']} belongs to {owner}.",
            param="payment_method",
        )
    raise invalid(
        f"The customer does not have a payment method with the ID {stored['id']}. "
        "The payment method must be attached to the customer.",
        param="payment_method",
    )
