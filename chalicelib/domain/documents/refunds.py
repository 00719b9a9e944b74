"""Refunds: money that goes back to a buyer, wholly or in part, asked for here or in Stripe's dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.machines import REFUND, RefundAction, RefundStatus
from chalicelib.domain.money.amounts import Money

REASONS: Final = ("duplicate", "fraudulent", "requested_by_customer")
"""The reasons that Stripe takes (docs.stripe.com/api/refunds/create)."""
TURNED_AWAY: Final = frozenset({"account_invalid", "permission"})
"""Stripe's codes where the merchant's account is not ours to use any more (docs.stripe.com/error-codes)."""
FIRST_LOOK: Final = timedelta(minutes=1)
"""After how long somebody else looks what became of a refund: by then no request that made it is still running."""
LONGEST_WAIT: Final = timedelta(hours=6)
"""Between two looks, however long Stripe stays down or the bank takes."""


@dataclass(frozen=True, slots=True)
class Movement:
    """What a refund, or its coming back, did to the account's balance, in the account's currency; money out is below
    zero."""

    id: str
    gross: Money
    fee: Money
    net: Money


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund of one payment.

    `stripe_refund_id` is None as long as Stripe has not said that it made it. `keys_used` numbers the idempotency keys
    it was asked for under. `look_at` is when its timer stands, None once it has ended; `looks` counts those there were.
    `from_stripe` tells that it was made in Stripe's dashboard and not by us.
    """

    id: str
    merchant_id: str
    payment_id: str
    invoice_id: str
    intent_id: str
    amount: Money
    created_at: datetime
    status: RefundStatus = RefundStatus.PENDING
    reason: str | None = None
    failure_reason: str | None = None
    customer_id: str | None = None
    stripe_account: str | None = None
    stripe_refund_id: str | None = None
    from_stripe: bool = False
    keys_used: int = 1
    looks: int = 0
    look_at: datetime | None = None
    ended_at: datetime | None = None
    taken: Movement | None = None
    given_back: Movement | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    version: int = 0

    @property
    def timer(self) -> Timer | None:
        """Where its timer stands."""
        if self.look_at is None:
            return None
        return Timer(TimerKind.FINISH_REFUND, self.id, self.merchant_id, self.look_at)

    @property
    def is_unanswered(self) -> bool:
        """Whether Stripe has yet to say that it made it, or that it will not."""
        return self.status is RefundStatus.PENDING and self.stripe_refund_id is None

    @property
    def was_turned_away(self) -> bool:
        """Whether it came to nothing because Stripe did not let us near the account."""
        ended = self.status is RefundStatus.FAILED and self.stripe_refund_id is None
        return ended and self.failure_reason in TURNED_AWAY

    def looked_at(self, now: datetime) -> Refund:
        """With the next look written down, each wait twice as long as the one before."""
        wait = min(FIRST_LOOK * 2 ** min(self.looks + 1, 16), LONGEST_WAIT)
        return replace(self, looks=self.looks + 1, look_at=now + wait)

    def moved(self, action: RefundAction, now: datetime) -> Refund:
        """In the state that an action leads to, which waits for nothing any more."""
        return replace(self, status=REFUND.next(self.status, action), look_at=None, ended_at=now)


@dataclass(frozen=True, slots=True)
class RefundOwner:
    """Which of our refunds a refund of Stripe's is; the id is `refund#{refund}`, so that each is booked once."""

    id: str
    merchant_id: str
    refund_id: str
    payment_id: str
    created_at: datetime
    version: int = 0


def refund_owner_id(stripe_refund_id: str) -> str:
    """Where the owner of a refund of Stripe's is looked up."""
    return f"refund#{stripe_refund_id}"
