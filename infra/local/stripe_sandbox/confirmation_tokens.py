"""ConfirmationTokens (https://docs.stripe.com/api/confirmation_tokens): what a buyer typed, carried to the server once.

A token lives 12 hours (`expires_at` - `created` in Stripe's reference) and confirms one intent.
"""

from datetime import timedelta
from typing import Any, Final, Literal

from infra.local.stripe_sandbox.calls import Call, full_shipping, need
from infra.local.stripe_sandbox.cards import BY_NAME, TestCard
from infra.local.stripe_sandbox.faults import JsonObject, invalid, no_such
from infra.local.stripe_sandbox.payment_methods import billing_details, make_payment_method, named_card_face
from infra.local.stripe_sandbox.world import TokenMemory, new_id

LIFETIME: Final = timedelta(hours=12)
CREATE_MODELLED: Final = frozenset({"expand", "payment_method", "return_url", "setup_future_usage", "shipping"})


def create_test_token(call: Call) -> JsonObject:
    """POST /v1/test_helpers/confirmation_tokens (https://docs.stripe.com/api/confirmation_tokens/test_create)."""
    name = need(call, "payment_method")
    card = BY_NAME.get(name)
    if card is not None:
        return make_token(
            call, card, named_card_face(card), billing_details(), cvc_given=True, from_elements=False,
            return_url=call.given("return_url"), setup_future_usage=call.given("setup_future_usage"),
            shipping=call.given("shipping"),
        )  # fmt: skip
    stored = call.ledger.get("payment_method", name, param="payment_method")
    made = make_token(
        call, call.ledger.instruments[name].card, stored["card"], stored["billing_details"], cvc_given=False,
        from_elements=False, return_url=call.given("return_url"),
        setup_future_usage=call.given("setup_future_usage"), shipping=call.given("shipping"),
    )  # fmt: skip
    made["payment_method_preview"]["customer"] = stored["customer"]
    call.ledger.tokens[made["id"]].payment_method = name
    return made


def make_token(
    call: Call,
    card: TestCard,
    face: JsonObject,
    details: JsonObject,
    *,
    cvc_given: bool,
    from_elements: bool,
    mode: Literal["payment", "setup"] | None = None,
    return_url: str | None = None,
    setup_future_usage: str | None = None,
    shipping: Any = None,
) -> JsonObject:
    """Store a token; `face` and `details` are what it previews."""
    made: JsonObject = {
        "id": new_id("ctoken_"),
        "object": "confirmation_token",
        "created": call.world.now(),
        "expires_at": call.world.later(LIFETIME),
        "livemode": False,
        "mandate_data": None,
        "payment_intent": None,
        "payment_method_options": None,
        "payment_method_preview": {
            "allow_redisplay": "unspecified",
            "billing_details": details,
            "card": face,
            "customer": None,
            "type": "card",
        },
        "return_url": return_url,
        "setup_future_usage": setup_future_usage,
        "setup_intent": None,
        "shipping": _token_shipping(shipping),
        "use_stripe_sdk": True,
    }
    call.ledger.tokens[made["id"]] = TokenMemory(card, cvc_given, from_elements, mode)
    return call.ledger.put(made)


def _token_shipping(given: Any) -> JsonObject | None:
    full = full_shipping(given)
    return None if full is None else {name: full[name] for name in ("address", "name", "phone")}


def retrieve_token(call: Call) -> JsonObject:
    """GET /v1/confirmation_tokens/{id}."""
    return call.ledger.get("confirmation_token", call.path["id"], param="confirmation_token", in_path=True)


def spend_token(call: Call, identifier: str, intent: JsonObject, usage: str | None, customer: str | None) -> JsonObject:
    """Make the payment method a token stands for, marking the token used by this intent.

    Raises when it is unknown, used, expired, or made by an Element set up for something else: Stripe compares what
    Elements was told with the intent (https://docs.stripe.com/payments/finalize-payments-on-the-server).
    """
    token = call.ledger.get("confirmation_token", identifier, param="confirmation_token")
    memory = call.ledger.tokens[identifier]
    used_by = token["payment_intent"] or token["setup_intent"]
    if used_by is not None:
        raise invalid(
            f"The provided ConfirmationToken ({identifier}) has already been used to confirm {used_by}. "
            "A ConfirmationToken can be used only once: create another one.",
            param="confirmation_token",
        )
    if token["expires_at"] <= call.world.now():
        raise no_such("confirmation_token", identifier, param="confirmation_token")
    paying = intent["object"] == "payment_intent"
    if memory.mode is not None and (memory.mode == "payment") != paying:
        raise invalid(
            f"The provided ConfirmationToken was made by Elements in mode {memory.mode}, which cannot confirm a "
            f"{intent['object']}. Try confirming with an intent that is configured to use the same parameters as "
            "Stripe Elements.",
            param="confirmation_token",
        )
    if paying and memory.from_elements and token["setup_future_usage"] != usage:
        raise invalid(
            f"The provided setup_future_usage ({token['setup_future_usage'] or 'null'}) does not match the expected "
            f"setup_future_usage ({usage or 'null'}). Try confirming with a Payment Intent that is configured to use "
            "the same parameters as Stripe Elements.",
            param="setup_future_usage",
        )
    token["payment_intent" if paying else "setup_intent"] = intent["id"]
    if memory.payment_method is not None:
        return call.ledger.get("payment_method", memory.payment_method, param="payment_method")
    preview = token["payment_method_preview"]
    return make_payment_method(
        call.ledger,
        memory.card,
        dict(preview["card"]),
        dict(preview["billing_details"]),
        now=call.world.now(),
        cvc_given=memory.cvc_given,
        allow_redisplay=preview["allow_redisplay"],
    )
