"""What a declined buyer reads. Stripe's codes are many; what a person can do about them is one of ten things.

Codes: https://docs.stripe.com/declines/codes and https://docs.stripe.com/error-codes. Stripe asks that a lost,
stolen or fraudulent card look like any generic decline, so those fall through to the last row.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from chalicelib.web.formatting import format_time
from chalicelib.web.views.common import Decline

NOT_CHARGED: Final = "You have not been charged."


class _Row(NamedTuple):
    title: str
    before: str
    after: str
    charged_known: bool = True


_LIMIT = _Row(
    "Your bank declined this card.",
    "There is not enough money available on it, or it has reached a limit.",
    "Use another card{or_bank}.",
)
_EXPIRED = _Row(
    "This card has expired, or the date is not right.",
    "",
    "Check the date, or use another card.",
)
_CVC = _Row(
    "The security code is not right.",
    "",
    "Check the 3 digits on the back (American Express: 4 on the front) and try again.",
)
_NUMBER = _Row("The card number is not right.", "", "Check it and try again.")
_ADDRESS = _Row("The address is not the one your bank has.", "", "Check the postal code and try again.")
_AUTHENTICATION = _Row(
    "Your bank could not confirm that it is you.",
    "",
    "Try again and approve the payment in your bank's app or message, or use another card.",
)
_UNSUPPORTED = _Row(
    "This card cannot be used for this payment.",
    "",
    "Use another card{or_bank}, or ask your bank to allow it.",
)
_NO_ANSWER = _Row(
    "Your bank did not answer.",
    "",
    "Wait a minute and try again, or use another card.",
)
# The first payment may well have gone through, so this one never says that no money has moved.
_DUPLICATE = _Row(
    "The same amount was just paid with this card.",
    "Look for a receipt in your e-mail before you try again.",
    "",
    charged_known=False,
)
# Ours, where Stripe took no try on: no bank has been asked, so none is named.
_NOT_STARTED = _Row("The payment could not be started.", "", "Wait a minute and try again.")
# Ours too: what the browser got for the card is unknown to Stripe, was used before, or has run out.
_CARD_AGAIN = _Row("The payment could not be started.", "", "Enter the card again, or use another card.")
_GENERIC = _Row(
    "This card was declined, and we were not told why.",
    "",
    "Use another card{or_bank}, or ask your bank.",
)

DECLINES: Final[dict[str, _Row]] = {
    "insufficient_funds": _LIMIT,
    "card_velocity_exceeded": _LIMIT,
    "withdrawal_count_limit_exceeded": _LIMIT,
    "expired_card": _EXPIRED,
    "invalid_expiry_month": _EXPIRED,
    "invalid_expiry_year": _EXPIRED,
    "incorrect_cvc": _CVC,
    "invalid_cvc": _CVC,
    "incorrect_number": _NUMBER,
    "invalid_number": _NUMBER,
    "incorrect_zip": _ADDRESS,
    "incorrect_address": _ADDRESS,
    "authentication_required": _AUTHENTICATION,
    "payment_intent_authentication_failure": _AUTHENTICATION,
    "setup_intent_authentication_failure": _AUTHENTICATION,
    "card_not_supported": _UNSUPPORTED,
    "currency_not_supported": _UNSUPPORTED,
    "transaction_not_allowed": _UNSUPPORTED,
    "service_not_allowed": _UNSUPPORTED,
    "processing_error": _NO_ANSWER,
    "issuer_not_available": _NO_ANSWER,
    "try_again_later": _NO_ANSWER,
    "reenter_transaction": _NO_ANSWER,
    "approve_with_id": _NO_ANSWER,
    "duplicate_transaction": _DUPLICATE,
    "not_started": _NOT_STARTED,
    "card_again": _CARD_AGAIN,
}


def decline_words(code: str | None, decline_code: str | None = None, or_bank: bool = False) -> Decline:
    """The words for Stripe's error `code` and `decline_code`; `or_bank` where paying by bank account is offered.

    The decline code is the more exact of the two; `card_declined` alone says nothing.
    """
    row = DECLINES.get(decline_code or "") or DECLINES.get(code or "") or _GENERIC
    after = row.after.format(or_bank=", or pay by bank account" if or_bank else "")
    parts = (row.before, NOT_CHARGED if row.charged_known else "", after)
    return Decline(row.title, " ".join(part for part in parts if part), row.charged_known)


def too_many_tries_words(until: datetime, timezone: str, locale: str = "en") -> Decline:
    """Our own limit on tries. `until` is aware; it is shown in the merchant's zone, named."""
    until_words = format_time(until, timezone, locale)
    return Decline(
        "Too many tries.",
        f"For safety, paying pauses here until {until_words}. What you typed is kept.",
        charged_known=False,
    )
