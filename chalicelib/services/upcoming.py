"""The invoices that a subscription will get, computed by the functions that the scheduler issues them with."""

from __future__ import annotations

from dataclasses import dataclass, field

from chalicelib.domain.billing.coming import coming_invoices
from chalicelib.domain.billing.schedule import Period
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.totals import Totals


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One invoice to come, for a period whose times clocks in `zone` show. `credited` is None where that is nothing."""

    period: Period
    totals: Totals
    zone: str
    credited: Money | None = None
    lines: tuple[LineItem, ...] = field(default=(), compare=False)

    @property
    def due(self) -> Money:
        """What is left to be paid."""
        return self.totals.total if self.credited is None else self.totals.total - self.credited


def upcoming(subscription: Subscription, count: int) -> list[Upcoming]:
    """The next `count` invoices if nobody changes anything.

    Fewer where a fixed term ends before, none once it ends and in a pause without an end.
    """
    zone = subscription.schedule.epochs[-1].zone
    return [
        Upcoming(coming.period, coming.totals, zone, coming.credited if coming.credited else None, coming.lines)
        for coming in coming_invoices(subscription, count)
    ]


def next_due(subscription: Subscription) -> Money | None:
    """What the next invoice will leave to be paid; None when there will be none."""
    return next((coming.due for coming in coming_invoices(subscription, 1)), None)
