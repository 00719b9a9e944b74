"""What payment methods do when they are charged or saved, by the names that Stripe documents for its test cards.

Source of names, codes and advice: https://docs.stripe.com/testing and https://docs.stripe.com/declines/codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chalicelib.domain.documents.methods import Method
from chalicelib.services.ports import Decline


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One payment method's ways.

    `decline`: every charge fails with it, after the challenge where there is one. `saves`: it can be stored.
    `challenged`: the bank asks the buyer; off-session the charge then fails, unless `trusted_once_set_up` and it was.
    `slow`: charges are `processing` until they are settled, as bank debits are. `refunds_pend`: so are refunds to it.
    """

    method: Method
    decline: Decline | None = None
    saves: bool = True
    challenged: bool = False
    trusted_once_set_up: bool = False
    slow: bool = False
    refunds_pend: bool = False


AUTHENTICATION_REQUIRED: Final = Decline("authentication_required", "authentication_required", "try_again_later")
PAYMENT_CHALLENGE_FAILED: Final = Decline("payment_intent_authentication_failure")
SETUP_CHALLENGE_FAILED: Final = Decline("setup_intent_authentication_failure")
_GENERIC: Final = Decline("card_declined", "generic_decline", "try_again_later")
_NO_FUNDS: Final = Decline("card_declined", "insufficient_funds", "try_again_later")


def _visa(last4: str) -> Method:
    return Method("card", "visa", last4)


BEHAVIOURS: Final[dict[str, Behaviour]] = {
    "pm_card_visa": Behaviour(_visa("4242")),
    "pm_card_mastercard": Behaviour(Method("card", "mastercard", "4444")),
    "pm_card_amex": Behaviour(Method("card", "amex", "0005")),
    "pm_card_chargeDeclined": Behaviour(_visa("0002"), decline=_GENERIC, saves=False),
    "pm_card_chargeDeclinedInsufficientFunds": Behaviour(_visa("9995"), decline=_NO_FUNDS, saves=False),
    "pm_card_chargeDeclinedLostCard": Behaviour(
        _visa("9987"), decline=Decline("card_declined", "lost_card", "do_not_try_again"), saves=False
    ),
    "pm_card_chargeDeclinedExpiredCard": Behaviour(
        _visa("0069"), decline=Decline("expired_card", None, "do_not_try_again"), saves=False
    ),
    "pm_card_chargeDeclinedIncorrectCvc": Behaviour(
        _visa("0127"), decline=Decline("incorrect_cvc", None, "confirm_card_data"), saves=False
    ),
    "pm_card_chargeDeclinedProcessingError": Behaviour(
        _visa("0119"), decline=Decline("processing_error", None, "try_again_later"), saves=False
    ),
    "pm_card_chargeCustomerFail": Behaviour(_visa("0341"), decline=_GENERIC),
    "pm_card_authenticationRequired": Behaviour(_visa("3184"), challenged=True),
    "pm_card_authenticationRequiredOnSetup": Behaviour(_visa("3155"), challenged=True, trusted_once_set_up=True),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": Behaviour(
        _visa("3178"), decline=_NO_FUNDS, challenged=True
    ),
    "pm_card_pendingRefund": Behaviour(_visa("7726"), refunds_pend=True),
    "pm_usBankAccount": Behaviour(Method("us_bank_account", "STRIPE TEST BANK", "6789"), slow=True),
}
