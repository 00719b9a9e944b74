"""What a change in the middle of a period credits and charges: the unused seconds of the old lines, and of the new.

Each line is rounded once. A period's share is counted in seconds between instants, so days of 23 and 25 hours count as
they are. Only what was paid comes back: what is still owed for the period is taken off a credit first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.domain.billing.charges import FirstPeriod, period_lines
from chalicelib.domain.billing.schedule import Schedule
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.lines import Discount, LineItem
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.currency import can_be_charged
from chalicelib.domain.money.rounding import prorate
from chalicelib.domain.totals import compute_totals

LONGEST_NAME = 250
"""Letters of a line's name."""


@dataclass(frozen=True, slots=True)
class Unused:
    """What is left of a period at a moment: whole seconds of how many, and until when."""

    seconds: int
    whole: int
    since: datetime
    until: datetime

    @classmethod
    def at(cls, schedule: Schedule, index: int, now: datetime, *, to_the_end: bool = False) -> Unused:
        """Of a period that has been invoiced; `to_the_end` counts to its end by its invoice, past what is planned."""
        period, invoiced = schedule.period(index), schedule.invoiced_end(index)
        until = invoiced if to_the_end else period.end
        since = max(period.start, min(now.replace(microsecond=0), until))
        second = timedelta(seconds=1)
        return cls((until - since) // second, (invoiced - period.start) // second, since, until)


@dataclass(frozen=True, slots=True)
class Prorated:
    """The lines of one change: credits at or below zero, charges at or above it."""

    credits: tuple[LineItem, ...]
    charges: tuple[LineItem, ...]
    currency: str

    @property
    def credit(self) -> Money:
        """What the unused time of the old lines is worth, at least zero."""
        return -total_of(self.credits, self.currency)

    @property
    def charge(self) -> Money:
        """What the rest of the period costs by the new lines."""
        return total_of(self.charges, self.currency)

    @property
    def net(self) -> Money:
        """What the change costs; below zero where it gives something back."""
        return self.charge - self.credit

    @property
    def lines(self) -> tuple[LineItem, ...]:
        """All lines, but those that come to nothing."""
        return tuple(line for line in (*self.credits, *self.charges) if line.amount)


@dataclass(frozen=True, slots=True)
class Settled:
    """Where a change goes: `adjustments` wait for the next invoice, `granted` goes to the credit balance.

    `forgone` is what no credit is given for, because it was not paid.
    """

    adjustments: tuple[LineItem, ...]
    granted: Money
    forgone: Money


def total_of(lines: Sequence[LineItem], currency: str) -> Money:
    """What adjustment lines come to."""
    return Money.total((line.amount for line in lines), currency)


def discount_of_period(invoice: Invoice, positions: Sequence[int]) -> Discount | None:
    """The order discount as a period's invoice gave it to these of its lines.

    An amount that others on the invoice share counts with the share that these lines got.
    """
    discount = invoice.discount
    if discount is None or discount.amount is None:
        return discount
    taken = Money.total((invoice.totals.lines[place].order_discount for place in positions), invoice.currency)
    return replace(discount, amount=taken) if taken else None


def prices_of(
    lines: Sequence[LineItem],
    *,
    currency: str,
    schedule: Schedule,
    index: int,
    first_period: FirstPeriod,
    discount: Discount | None,
) -> tuple[Money, ...]:
    """What each line costs for the whole of a period, after discounts and with tax. Fees stay what they were."""
    billed = period_lines(lines, schedule, index, first_period)
    return tuple(sums.total for sums in compute_totals(billed, currency=currency, discount=discount).lines)


def prorated(
    old: Sequence[tuple[LineItem, Money]], new: Sequence[tuple[LineItem, Money]], unused: Unused, currency: str
) -> Prorated:
    """The unused share of what the old lines cost for the whole period, and of what the new ones would.

    Lines that stay as they are and cost the same are left out: their credit and their charge are one amount.
    """
    kept, gone = list(new), []
    for line, price in old:
        same = next((each for each in kept if each[1] == price and _is_same(each[0], line)), None)
        if same is None:
            gone.append((line, price))
        else:
            kept.remove(same)
    old, new = gone, kept
    return Prorated(
        tuple(_adjustment("Unused time", line, -_share(price, unused), unused) for line, price in old),
        tuple(_adjustment("Remaining time", line, _share(price, unused), unused) for line, price in new),
        currency,
    )


def _is_same(one: LineItem, other: LineItem) -> bool:
    return replace(one, recurring=None) == replace(other, recurring=None)


def _share(price: Money, unused: Unused) -> Money:
    return prorate(price, unused.seconds, unused.whole)


def _adjustment(what: str, line: LineItem, amount: Money, unused: Unused) -> LineItem:
    return LineItem(
        name=f"{what}: {line.name}"[:LONGEST_NAME],
        quantity=1,
        unit_amount=amount,
        price_id=line.price_id,
        product_id=line.product_id,
        adjustment=True,
        covers_from=unused.since,
        covers_to=unused.until,
    )


def settled(waiting: Sequence[LineItem], change: Prorated, owed: Money, paid: Money) -> Settled:
    """Where a change within a period goes, with the adjustments of it that wait already.

    `owed` is what its invoices ask for and nobody has paid, `paid` what was. The lines wait for the next invoice as
    long as they come to something together; where they would give back, what is owed is taken off, and the rest is
    credit.
    """
    nothing = Money.zero(change.currency)
    lines = (*waiting, *change.lines)
    left = total_of(lines, change.currency)
    if left.minor > 0:
        return Settled(lines, nothing, nothing)
    granted = _paid_part(-left, owed, paid)
    return Settled((), granted, -left - granted)


def settled_on_next(change: Prorated, total: Money, owed: Money, paid: Money) -> Settled:
    """Where the credit of a period goes that a change ends now: onto the invoice of the period that begins, `total`.

    Where that is not enough to take it all, or would be too small to charge, it is credit as far as it was paid. What
    was not paid counts against the new invoice only as far as that goes.
    """
    nothing = Money.zero(change.currency)
    if change.credit <= min(total, owed + paid) and can_be_charged(total - change.credit):
        return Settled(change.lines, nothing, nothing)
    granted = _paid_part(change.credit, owed, paid)
    rest = min(change.credit - granted, owed)
    lines, taken = [], nothing
    for line in change.lines:
        most = min(-line.amount, rest - taken, total - taken)
        if most.minor > 0 and can_be_charged(total - taken - most):
            lines.append(replace(line, unit_amount=-most))
            taken = taken + most
    return Settled(tuple(lines), granted, change.credit - granted - taken)


def _paid_part(credit: Money, owed: Money, paid: Money) -> Money:
    """As much of a credit as was paid. A total may have been rounded to what can be charged, its lines are not."""
    return max(Money.zero(credit.currency), min(credit - owed, paid))
