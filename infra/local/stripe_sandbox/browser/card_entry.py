"""Turns what a buyer typed into the frame into a ConfirmationToken, with Stripe's answers to what cannot be right."""

import re
from typing import Any, Final

from infra.local.stripe_sandbox.calls import Call
from infra.local.stripe_sandbox.cards import BY_NUMBER, NOT_A_TEST_CARD, passes_luhn
from infra.local.stripe_sandbox.confirmation_tokens import make_token
from infra.local.stripe_sandbox.faults import JsonObject, StripeFault
from infra.local.stripe_sandbox.payment_methods import billing_details, card_face

_DIGITS: Final = re.compile(r"^[0-9]+$")


def token_from_entry(call: Call, given: dict[str, Any]) -> JsonObject:
    """Make the token; raises the 402 that Stripe.js shows for a number, date or code that cannot be right.

    `given` holds `card` {number, exp_month, exp_year, cvc}, `billing_details`, `elements` {mode, setup_future_usage},
    `return_url` and `shipping`.
    """
    typed = given.get("card") or {}
    number = str(typed.get("number", ""))
    if not _DIGITS.match(number) or not passes_luhn(number):
        raise _card_error("incorrect_number", "Your card number is incorrect.", "number")
    month, year = _whole(typed.get("exp_month")), _whole(typed.get("exp_year"))
    if not 1 <= month <= 12:
        raise _card_error("invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month")
    today = call.world.moment()
    if (year, month) < (today.year, today.month):
        raise _card_error("invalid_expiry_year", "Your card's expiration year is invalid.", "exp_year")
    card = BY_NUMBER.get(number)
    if card is None:
        raise StripeFault(
            402, "card_error", NOT_A_TEST_CARD.message, code=NOT_A_TEST_CARD.code,
            decline_code=NOT_A_TEST_CARD.decline_code,
        )  # fmt: skip
    cvc = str(typed.get("cvc", ""))
    if not _DIGITS.match(cvc) or len(cvc) != (4 if card.brand == "amex" else 3):
        raise _card_error("invalid_cvc", "Your card's security code is invalid.", "cvc")
    elements = given.get("elements") or {}
    return make_token(
        call,
        card,
        card_face(card, exp_month=month, exp_year=year),
        billing_details(given.get("billing_details")),
        cvc_given=True,
        from_elements=True,
        mode="setup" if elements.get("mode") == "setup" else "payment",
        return_url=given.get("return_url"),
        setup_future_usage=elements.get("setup_future_usage"),
        shipping=given.get("shipping"),
    )


def _whole(value: Any) -> int:
    """A number the frame sent, or 0, which no month and no year is."""
    return value if type(value) is int else 0


def _card_error(code: str, message: str, param: str) -> StripeFault:
    return StripeFault(402, "card_error", message, code=code, param=param)
