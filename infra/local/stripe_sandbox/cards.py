"""Stripe's documented test cards: what each number and each `pm_card_…` name does when it is charged or saved.

Sources: https://docs.stripe.com/testing (numbers, names, behaviour), https://docs.stripe.com/declines/codes (codes),
https://docs.stripe.com/declines/card#retrying-issuer-declines (advice codes).
"""

from dataclasses import dataclass
from typing import Final, Literal

Authentication = Literal["never", "always", "unless_set_up", "on_session"]
Refunding = Literal["at_once", "pending", "fails_later"]


@dataclass(frozen=True, slots=True)
class Decline:
    """How an issuer or Stripe says no. `code` is the error's, `decline_code` the issuer's reason (None where none)."""

    code: str
    decline_code: str | None
    message: str
    advice_code: str | None = "try_again_later"
    network_decline_code: str | None = "01"
    outcome: Literal["issuer_declined", "blocked"] = "issuer_declined"


@dataclass(frozen=True, slots=True)
class TestCard:
    """One documented card.

    `decline` is met at every charge, before authentication, or after it where `authentication` is not "never".
    `saves` is False where attaching to a customer or setting up is declined as well.
    `authentication`: "always" = each payment; "unless_set_up" = on-session always, off-session until it was set up;
    "on_session" = on-session only.
    `refunding` is what becomes of a refund to it: succeeded at once, pending at first, or succeeded and failed later.
    """

    number: str
    names: tuple[str, ...]
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    decline: Decline | None = None
    saves: bool = True
    authentication: Authentication = "never"
    lookup_error: Decline | None = None
    cvc_check: str = "pass"
    dispute: str | None = None
    refunding: Refunding = "at_once"

    @property
    def name(self) -> str:
        """The first of its names, by which behaviours are set."""
        return self.names[0]


GENERIC: Final = Decline("card_declined", "generic_decline", "Your card was declined.")
INSUFFICIENT_FUNDS: Final = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST: Final = Decline("card_declined", "lost_card", "Your card was declined.", "do_not_try_again")
STOLEN: Final = Decline("card_declined", "stolen_card", "Your card was declined.", "do_not_try_again")
EXPIRED: Final = Decline("expired_card", None, "Your card has expired.", "do_not_try_again")
INCORRECT_CVC: Final = Decline("incorrect_cvc", None, "Your card's security code is incorrect.", "confirm_card_data")
PROCESSING: Final = Decline(
    "processing_error", None, "An error occurred while processing your card. Try again in a little bit."
)
VELOCITY: Final = Decline(
    "card_declined",
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
)
FRAUDULENT: Final = Decline(
    "card_declined", "fraudulent", "Your card was declined.", "do_not_try_again", None, outcome="blocked"
)
AUTHENTICATION_REQUIRED: Final = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
NOT_A_TEST_CARD: Final = Decline(
    "card_declined",
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test (live) card. "
    "For a list of valid test cards, visit: https://stripe.com/docs/testing.",
    None,
    None,
)

CARDS: Final = (
    TestCard("4242424242424242", ("pm_card_visa", "pm_card_us")),
    TestCard("4000056655665556", ("pm_card_visa_debit",), funding="debit"),
    TestCard("5555555555554444", ("pm_card_mastercard",), "mastercard"),
    TestCard("2223003122003222", ("pm_card_mastercard_series2",), "mastercard"),
    TestCard("5200828282828210", ("pm_card_mastercard_debit",), "mastercard", "debit"),
    TestCard("5105105105105100", ("pm_card_mastercard_prepaid",), "mastercard", "prepaid"),
    TestCard("378282246310005", ("pm_card_amex", "pm_card_amex_threeDSecureNotSupported"), "amex"),
    TestCard("371449635398431", ("pm_card_amex_second",), "amex"),
    TestCard("6011111111111117", ("pm_card_discover",), "discover"),
    TestCard("3056930009020004", ("pm_card_diners",), "diners"),
    TestCard("3566002020360505", ("pm_card_jcb",), "jcb"),
    TestCard("6200000000000005", ("pm_card_unionpay",), "unionpay"),
    TestCard("4000000000000077", ("pm_card_bypassPending",)),
    TestCard("4000002760000016", ("pm_card_de",), country="DE"),
    TestCard("4000008260000000", ("pm_card_gb",), country="GB"),
    TestCard(
        "4000000000000002", ("pm_card_visa_chargeDeclined", "pm_card_chargeDeclined"), decline=GENERIC, saves=False
    ),
    TestCard(
        "4000000000009995",
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "pm_card_chargeDeclinedInsufficientFunds"),
        decline=INSUFFICIENT_FUNDS,
        saves=False,
    ),
    TestCard(
        "4000000000009987",
        ("pm_card_visa_chargeDeclinedLostCard", "pm_card_chargeDeclinedLostCard"),
        decline=LOST,
        saves=False,
    ),
    TestCard(
        "4000000000009979",
        ("pm_card_visa_chargeDeclinedStolenCard", "pm_card_chargeDeclinedStolenCard"),
        decline=STOLEN,
        saves=False,
    ),
    TestCard("4000000000000069", ("pm_card_chargeDeclinedExpiredCard",), decline=EXPIRED, saves=False),
    TestCard(
        "4000000000000127",
        ("pm_card_chargeDeclinedIncorrectCvc",),
        decline=INCORRECT_CVC,
        saves=False,
        cvc_check="fail",
    ),
    TestCard("4000000000000119", ("pm_card_chargeDeclinedProcessingError",), decline=PROCESSING, saves=False),
    TestCard(
        "4000000000006975",
        ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "pm_card_chargeDeclinedVelocityLimitExceeded"),
        decline=VELOCITY,
        saves=False,
    ),
    TestCard("4100000000000019", ("pm_card_radarBlock", "pm_card_chargeDeclinedFraudulent"), decline=FRAUDULENT),
    TestCard("4000000000000101", ("pm_card_cvcCheckFail",), cvc_check="fail"),
    TestCard("4000000000000341", ("pm_card_chargeCustomerFail",), decline=GENERIC),
    TestCard(
        "4000002500003155", ("pm_card_authenticationRequiredOnSetup",), country="DE", authentication="unless_set_up"
    ),
    TestCard("4000002760003184", ("pm_card_authenticationRequired",), country="DE", authentication="always"),
    TestCard(
        "4000003800000446",
        ("pm_card_authenticationRequiredSetupForOffSession",),
        country="DK",
        authentication="on_session",
    ),
    TestCard(
        "4000008260003178",
        ("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",),
        country="GB",
        decline=INSUFFICIENT_FUNDS,
        authentication="always",
    ),
    TestCard("4000000000003220", ("pm_card_threeDSecure2Required",), authentication="on_session"),
    TestCard("4000000000003063", ("pm_card_threeDSecureRequired",), authentication="on_session"),
    TestCard(
        "4000008400001629",
        ("pm_card_threeDSecureRequiredChargeDeclined",),
        decline=GENERIC,
        authentication="on_session",
    ),
    TestCard(
        "4000008400001280",
        ("pm_card_threeDSecureRequiredProcessingError",),
        authentication="on_session",
        lookup_error=PROCESSING,
    ),
    TestCard("4000000000003055", ("pm_card_threeDSecureOptional",)),
    # https://docs.stripe.com/testing#refunds
    TestCard("4000000000007726", ("pm_card_pendingRefund",), refunding="pending"),
    TestCard("4000000000005126", ("pm_card_refundFail",), refunding="fails_later"),
    TestCard("4000000000000259", ("pm_card_createDispute",), dispute="fraudulent"),
    TestCard("4000000000002685", ("pm_card_createDisputeProductNotReceived",), dispute="product_not_received"),
)

BY_NAME: Final = {name: card for card in CARDS for name in card.names}
BY_NUMBER: Final = {card.number: card for card in CARDS}


def passes_luhn(number: str) -> bool:
    """The check digit of ISO/IEC 7812: every second digit from the right doubled, digit sums, a multiple of ten."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(digit * 2, 10)) for digit in digits[1::2]]
    return (sum(digits[0::2]) + sum(doubled)) % 10 == 0


def needs_authentication(card: TestCard, *, off_session: bool, set_up: bool) -> bool:
    """Whether the issuer asks for 3-D Secure at this payment."""
    if card.authentication == "always":
        return True
    if card.authentication == "unless_set_up":
        return not (off_session and set_up)
    return card.authentication == "on_session" and not off_session
