"""Dunning: what a decline can be mended by, and when an invoice that was declined is tried again or given up.

Each invoice has a ladder of its own: days after its first failure, at the same time of day in its zone. The last day is
the deadline. A decline that no retry can mend skips the tries and not the deadline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from chalicelib.domain.billing.wallclock import to_instant, to_wall_clock
from chalicelib.domain.errors import InvalidValue


class Remedy(StrEnum):
    """What a declined charge needs before it can succeed."""

    RETRY = "retry"
    """Time: the same method may pay later."""
    NEW_METHOD = "new_method"
    """Another method, or this one entered anew: it is never tried again as it is."""
    AUTHENTICATION = "authentication"
    """The buyer, who is asked by the bank on the invoice's page."""


class LadderEnd(StrEnum):
    """What becomes of a subscription when one of its invoices has come to the end of its ladder unpaid."""

    UNPAID = "unpaid"
    PAUSE = "pause"
    CANCEL = "cancel"


MOST_STEPS: Final = 10
LAST_DAY: Final = 30
"""A ladder as long and as dense as it can be stays below what the networks allow (see LIMITS)."""


@dataclass(frozen=True, slots=True)
class Dunning:
    """The merchant's setting: on which days after an invoice's first failure it is tried again, and what then.

    Raises InvalidValue unless the days are 1 to 10 whole numbers from 1 to 30, each larger than the one before.
    """

    days: tuple[int, ...] = (1, 3, 5, 7)
    then: LadderEnd = LadderEnd.UNPAID

    def __post_init__(self) -> None:
        if not 1 <= len(self.days) <= MOST_STEPS:
            raise InvalidValue(f"Give 1 to {MOST_STEPS} days.", "dunning.days", "out_of_range")
        if any(not 1 <= day <= LAST_DAY for day in self.days):
            raise InvalidValue(f"Each day is a number from 1 to {LAST_DAY}.", "dunning.days", "out_of_range")
        if any(later <= earlier for earlier, later in zip(self.days, self.days[1:], strict=False)):
            raise InvalidValue("Each day must be later than the one before it.", "dunning.days")


DEFAULT_DUNNING: Final = Dunning()

AUTHENTICATION: Final = "authentication_required"
"""Stripe's code where the bank wants the buyer to be there."""

_R, _N, _A = Remedy.RETRY, Remedy.NEW_METHOD, Remedy.AUTHENTICATION
REMEDIES: Final[Mapping[str, Remedy]] = MappingProxyType(
    {
        # docs.stripe.com/declines/codes, by what its column of next steps asks for. That a buyer should call their
        # bank mends nothing at this end: the same card may pay once they have.
        "approve_with_id": _R,
        "call_issuer": _R,
        "card_velocity_exceeded": _R,
        "do_not_honor": _R,
        "duplicate_transaction": _R,
        "generic_decline": _R,
        "insufficient_funds": _R,
        "issuer_not_available": _R,
        "no_action_taken": _R,
        "processing_error": _R,
        "reenter_transaction": _R,
        "try_again_later": _R,
        "withdrawal_count_limit_exceeded": _R,
        AUTHENTICATION: _A,
        "mobile_device_authentication_required": _A,
        # docs.stripe.com/error-codes: the bank asked the buyer, who did not convince it.
        "payment_intent_authentication_failure": _A,
        # Never again with this card: docs.stripe.com/billing/revenue-recovery/smart-retries names those that Stripe's
        # own retries leave alone, and the networks fine a retry after most of them.
        "incorrect_number": _N,
        "lost_card": _N,
        "pickup_card": _N,
        "revocation_of_all_authorizations": _N,
        "revocation_of_authorization": _N,
        "stolen_card": _N,
        "transaction_not_allowed": _N,
        # The card, or what was entered of it, is not right and will not become so by waiting.
        "card_not_supported": _N,
        "currency_not_supported": _N,
        "do_not_try_again": _N,
        "expired_card": _N,
        "fraudulent": _N,
        "incorrect_address": _N,
        "incorrect_cvc": _N,
        "incorrect_pin": _N,
        "incorrect_zip": _N,
        "invalid_account": _N,
        "invalid_amount": _N,
        "invalid_cvc": _N,
        "invalid_expiry_month": _N,
        "invalid_expiry_year": _N,
        "invalid_number": _N,
        "invalid_pin": _N,
        "merchant_blacklist": _N,
        "new_account_information_available": _N,
        "not_permitted": _N,
        "offline_pin_required": _N,
        "online_or_offline_pin_required": _N,
        "pin_try_exceeded": _N,
        "restricted_card": _N,
        "security_violation": _N,
        "service_not_allowed": _N,
        "stop_payment_order": _N,
        "test_mode_live_card": _N,
        "testmode_decline": _N,
    }
)
"""What each of Stripe's decline codes needs; `advice_code` may only make it harder (see `remedy_of`)."""

ADVICE: Final[Mapping[str, Remedy]] = MappingProxyType(
    # docs.stripe.com/declines/card#retrying-issuer-declines
    {"do_not_try_again": _N, "confirm_card_data": _N, "try_again_later": _R}
)

CARD_DECLINED: Final = "card_declined"


def remedy_of(code: str | None, decline_code: str | None = None, advice_code: str | None = None) -> Remedy:
    """What a decline needs, from Stripe's error code, the issuer's reason and the advice that came with it.

    What only the buyer can confirm stays so whatever is advised. Otherwise the harder of reason and advice counts. A
    reason that the table does not have is new at Stripe: it is retried, within the ladder. An error that is no decline
    at all (the method is gone) needs another method.
    """
    reasons = [REMEDIES[each] for each in (decline_code, code) if each is not None and each in REMEDIES]
    if Remedy.AUTHENTICATION in reasons:
        return Remedy.AUTHENTICATION
    if not reasons and decline_code is None and code != CARD_DECLINED:
        return Remedy.NEW_METHOD
    harder = Remedy.NEW_METHOD in reasons or ADVICE.get(advice_code or "") is Remedy.NEW_METHOD
    return Remedy.NEW_METHOD if harder else Remedy.RETRY


LIMIT_PERIOD: Final = timedelta(days=30)
LIMITS: Final[Mapping[str, int]] = MappingProxyType({"visa": 15, "mastercard": 35})
"""Tries of one payment on one card within LIMIT_PERIOD above which the networks take a fee for each: Visa
(support.stripe.com/questions/payment-blocked-due-to-excessive-retries), Mastercard (its Transaction Processing
Excellence programme). The first try is counted along with the retries."""
STRICTEST: Final = min(LIMITS.values())


def within_limits(tries: Sequence[datetime], brand: str | None, at: datetime) -> bool:
    """Whether one more try at `at` stays within what the card's network allows; `tries` are those made before."""
    recent = [each for each in tries if at - LIMIT_PERIOD < each <= at]
    return len(recent) < LIMITS.get(brand or "", STRICTEST)


def steps(first_failed_at: datetime, days: Sequence[int], zone: str) -> tuple[datetime, ...]:
    """The times of a ladder (UTC), to the second: so many days later at the same time of day in the zone."""
    wall_clock = to_wall_clock(first_failed_at, zone)
    return tuple(to_instant(wall_clock + timedelta(days=day), zone) for day in days)


@dataclass(frozen=True, slots=True)
class Step:
    """What is next for an invoice: a try, or giving up, at a time; `at` None is giving up now."""

    at: datetime | None
    tries: bool


def next_step(
    ladder: Sequence[datetime], now: datetime, remedy: Remedy, tries: Sequence[datetime] = (), brand: str | None = None
) -> Step:
    """What follows a failure at `now`: the first step that is still to come, or the deadline with no try before it."""
    if now >= ladder[-1]:
        return Step(None, tries=False)
    following = next(step for step in ladder if step > now)
    if remedy is Remedy.RETRY and within_limits(tries, brand, following):
        return Step(following, tries=True)
    return Step(ladder[-1], tries=False)
