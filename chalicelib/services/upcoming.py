"""The invoices that a subscription will get, computed by the function that the scheduler issues them with."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.billing.schedule import Period
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.totals import Totals


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One invoice to come, for a period whose times clocks in `zone` show."""

    period: Period
    totals: Totals
    zone: str


def upcoming(subscription: Subscription, count: int) -> list[Upcoming]:
    """The next `count` invoices if nobody changes anything: none once it ends, fewer where a fixed term ends before."""
    if subscription.next_invoice_at is None:
        return []
    first, payments = subscription.next_index, subscription.recurrence.number_of_payments
    last = first + count if payments is None else min(first + count, payments)
    zone = subscription.schedule.epochs[-1].zone
    return [
        Upcoming(subscription.schedule.period(index), subscription.totals_at(index), zone)
        for index in range(first, last)
    ]


def next_totals(subscription: Subscription) -> Totals | None:
    """The totals of the next invoice, None when there will be none."""
    return None if subscription.next_invoice_at is None else subscription.totals_at(subscription.next_index)
