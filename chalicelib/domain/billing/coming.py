"""A subscription's next invoice, and what the subscription is after it: the preview shows it, the worker issues it.

Both go through these functions and no others, so that what was shown is what happens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from chalicelib.domain.billing.charges import discount_at, fees_at, period_lines
from chalicelib.domain.billing.schedule import Period
from chalicelib.domain.machines import SubscriptionAction, SubscriptionStatus
from chalicelib.domain.money.currency import can_be_charged, minimum_charge, step
from chalicelib.domain.totals import Totals, compute_totals

if TYPE_CHECKING:
    from chalicelib.domain.documents.lines import Discount, Fee, LineItem
    from chalicelib.domain.documents.subscriptions import Subscription
    from chalicelib.domain.money.amounts import Money

MOST_UNTRIED: Final = 3
"""Invoices issued for a subscription that is unpaid before it is paused."""
MOST_AHEAD: Final = 120
"""Invoices that are looked ahead at until a credit is used up: ten years of months."""


@dataclass(frozen=True, slots=True)
class Coming:
    """An invoice to come. `credited` is what a credit balance takes off its total; `after` the subscription then."""

    period: Period
    lines: tuple[LineItem, ...]
    discount: Discount | None
    fees: tuple[Fee, ...]
    totals: Totals
    credited: Money
    after: Subscription

    @property
    def due(self) -> Money:
        """What is left to be paid."""
        return self.totals.total - self.credited


def next_invoice(subscription: Subscription) -> Coming:
    """The invoice of the next period, with the change that waits for it, the adjustments and the credit.

    Adjustments with which it could not be charged (too small, or too large) wait for the invoice after it.
    """
    index = subscription.next_index
    begun = subscription.with_pending_change()
    discount, fees = discount_at(begun.discount, index), fees_at(begun.fees, index)
    own = period_lines(begun.lines, begun.schedule, index, begun.first_period)
    lines, left = (*own, *begun.adjustments), begun.adjustments[:0]
    totals = compute_totals(lines, currency=begun.currency, discount=discount, fees=fees)
    if begun.adjustments and not can_be_charged(totals.total):
        lines, left = own, begun.adjustments
        totals = compute_totals(lines, currency=begun.currency, discount=discount, fees=fees)
    credited = credit_used(totals.total, begun.credit)
    after = replace(
        begun,
        next_index=index + 1,
        adjustments=left,
        credit_balance=begun.credit - credited if begun.credit else begun.credit_balance,
        adjustment_invoices=(),
    )
    return Coming(begun.schedule.period(index), lines, discount, fees, totals, credited, after)


def credit_used(total: Money, balance: Money) -> Money:
    """How much of a balance an invoice takes: all of it or the whole total, unless too little would be left to charge.

    What is left to pay is a multiple of the currency's step, and zero or at least the smallest charge.
    """
    used = min(total, balance)
    if used != total:
        least = minimum_charge(total.currency) or step(total.currency)
        most = max(0, min(used.minor, total.minor - least))
        used = replace(used, minor=most - most % step(total.currency))
    return used


def end_of_pause(subscription: Subscription) -> Subscription:
    """The subscription when its pause is over: the dates inside are skipped, and the rhythm goes on as it was."""
    until = subscription.resumes_at
    if until is None:
        raise ValueError("a pause without an end does not end by itself")
    schedule = subscription.schedule.skipped_to(subscription.next_index, until)
    return resumed(replace(subscription, schedule=schedule))


def resumed(subscription: Subscription) -> Subscription:
    """Out of a pause: active, or past due again where it still owes."""
    again = replace(subscription.moved(SubscriptionAction.RESUME), paused_at=None, resumes_at=None, untried=0)
    return again.moved(SubscriptionAction.FALL_BEHIND) if again.past_due_invoices else again


def coming_invoices(subscription: Subscription, count: int) -> tuple[Coming, ...]:
    """The next `count` invoices if nobody changes anything: fewer where it ends before, or pauses without an end."""
    found: list[Coming] = []
    untried = subscription.untried
    while len(found) < count and not subscription.has_ended and not subscription.is_ending:
        subscription = _after_pause(subscription)
        if subscription.sits_out:
            break
        found.append(next_invoice(subscription))
        untried += goes_untried(subscription, found[-1])
        if untried >= MOST_UNTRIED:
            # With this one it pauses, until somebody pays or resumes it.
            break
        subscription = found[-1].after
    return tuple(found)


def goes_untried(subscription: Subscription, coming: Coming) -> bool:
    """Whether an invoice is issued and not charged, because the subscription is unpaid."""
    automatic = str(subscription.collection) == "automatic" and subscription.method is not None
    return automatic and subscription.status is SubscriptionStatus.UNPAID and bool(coming.due)


def _after_pause(subscription: Subscription) -> Subscription:
    """After the pause that it is in, where that has an end and skips its next dates."""
    ends = subscription.sits_out and subscription.resumes_at is not None
    return end_of_pause(subscription) if ends else subscription


def until_settled(subscription: Subscription) -> tuple[tuple[Coming, ...], Subscription]:
    """The next invoices as long as they differ by adjustments and credit, and the subscription after them."""
    found: list[Coming] = []
    subscription = _after_pause(subscription).with_pending_change()
    while (subscription.adjustments or subscription.credit) and len(found) < MOST_AHEAD and not subscription.is_ending:
        found.append(next_invoice(subscription))
        subscription = _after_pause(found[-1].after)
    return tuple(found), subscription


def next_at(subscription: Subscription) -> datetime | None:
    """When the next invoice is issued; None when none will be, or nobody knows yet."""
    if subscription.has_ended or subscription.is_ending:
        return None
    schedule, index = subscription.schedule, subscription.next_index
    if not subscription.sits_out:
        return schedule.period(index).start
    if subscription.resumes_at is None:
        return None
    return schedule.period(schedule.first_start(index, subscription.resumes_at)).start
