"""What one period of a subscription costs: its lines, the share of a partial period, and what still counts by then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from chalicelib.domain.billing.schedule import Schedule
from chalicelib.domain.documents.lines import Discount, Fee, LineItem
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.rounding import prorate
from chalicelib.domain.totals import Totals, compute_totals


class FirstPeriod(StrEnum):
    """What the partial period before an anchor day costs."""

    PRORATED = "prorated"
    FULL = "full"
    FREE = "free"


def discount_at(discount: Discount | None, index: int) -> Discount | None:
    """The order discount as far as it counts on the invoice of period `index`: once is the first, n the first n."""
    if discount is None or discount.duration == "forever":
        return discount
    periods = 1 if discount.duration == "once" else discount.duration
    return discount if index < periods else None


def fees_at(fees: Sequence[Fee], index: int) -> tuple[Fee, ...]:
    """The fees that count on the invoice of period `index`: they belong to the first."""
    return tuple(fees) if index == 0 else ()


def _share_of(line: LineItem, part: int, whole: int) -> LineItem:
    # A share of several units is one amount: per unit it would be rounded once for each of them.
    amount = prorate(line.amount, part, whole)
    discount = line.discount
    if discount is not None and discount.amount is not None:
        discount = replace(discount, amount=prorate(discount.amount, part, whole))
    return replace(line, quantity=1, unit_amount=amount, tiers=None, discount=discount)


def period_lines(
    lines: Sequence[LineItem], schedule: Schedule, index: int, first_period: FirstPeriod = FirstPeriod.PRORATED
) -> tuple[LineItem, ...]:
    """The lines that stand on the invoice of a period: as they are, or their share of a partial one (see `begin`)."""
    share = schedule.share(index)
    # What was agreed for the first period says nothing of one that a later change of dates made shorter.
    if share is None or (first_period is FirstPeriod.FULL and index == 0):
        return tuple(lines)
    if first_period is FirstPeriod.FREE and index == 0:
        return tuple(replace(line, unit_amount=Money.zero(line.currency), tiers=None, discount=None) for line in lines)
    return share_lines(lines, share)


def share_lines(lines: Sequence[LineItem], share: tuple[int, int]) -> tuple[LineItem, ...]:
    """The lines as a partial period bills them; `share` is its seconds and those of a whole one."""
    return tuple(_share_of(line, *share) for line in lines)


def period_totals(
    lines: Sequence[LineItem],
    *,
    currency: str,
    schedule: Schedule,
    index: int,
    discount: Discount | None = None,
    fees: Sequence[Fee] = (),
    first_period: FirstPeriod = FirstPeriod.PRORATED,
) -> Totals:
    """The totals of the invoice of period `index`: what a preview shows, and what the scheduler then issues."""
    return compute_totals(
        period_lines(lines, schedule, index, first_period),
        currency=currency,
        discount=discount_at(discount, index),
        fees=fees_at(fees, index),
    )
