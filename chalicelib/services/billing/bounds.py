"""How many invoices, and charges, one merchant's schedule may bring about in a day: a bound on what a fault costs.

The day's count stands on the number series, which every transaction that issues writes under its version anyway: so it
costs no call and no item, and no two workers can take the last place. A day is one of UTC. What buyers do themselves
(a checkout, paying an invoice on its page) is neither counted nor stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final

from chalicelib.domain.documents.merchants import NumberSeries
from chalicelib.domain.documents.subscriptions import Subscription

HEAVIEST: Final = 3_000_000
"""Bytes that one transaction's lines may have; all of it may have 4 MB (AWS: TransactWriteItems)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most invoices that a merchant's schedule issues in a day, and the most of these that it charges.

    A charge is counted where its timer is set, with the invoice. Tries after the first one follow the ladder of their
    invoice, at most one a day and as many as the ladder has: so they are bounded by the invoices of the days before.
    """

    invoices: int
    charges: int


USUAL: Final = Bounds(invoices=20_000, charges=20_000)


@dataclass(frozen=True, slots=True)
class Count:
    """What the schedule has brought about on one day."""

    day: date
    invoices: int = 0
    charges: int = 0

    @classmethod
    def of(cls, series: NumberSeries, now: datetime) -> Count:
        """What the series says of today; nothing where it speaks of another day."""
        today = now.astimezone(UTC).date()
        if series.counted_on != today:
            return cls(today)
        return cls(today, series.invoices_that_day, series.charges_that_day)

    def with_one(self, *, charged: bool) -> Count:
        """With an invoice more."""
        return replace(self, invoices=self.invoices + 1, charges=self.charges + charged)

    def exceeds(self, bounds: Bounds) -> str | None:
        """Which bound it is above, in words for the operator; None where it keeps them."""
        if self.invoices > bounds.invoices:
            return f"more than {bounds.invoices} invoices were due on {self.day}"
        if self.charges > bounds.charges:
            return f"more than {bounds.charges} charges were due on {self.day}"
        return None

    def on(self, series: NumberSeries) -> NumberSeries:
        """The series with this count."""
        return replace(series, counted_on=self.day, invoices_that_day=self.invoices, charges_that_day=self.charges)


def weight_of(subscription: Subscription) -> int:
    """The most bytes that its lines can have in one transaction: on it, and with their sums on its invoice."""
    pending = None if subscription.pending is None else subscription.pending.lines
    lines = (*subscription.lines, *subscription.adjustments, *(pending or ()))
    texts = sum(len(line.name) + len(line.description or "") for line in lines)
    tiers = sum(len(line.tiers.tiers) for line in lines if line.tiers is not None)
    return 2 * (4 * texts + 700 * len(lines) + 100 * tiers)
