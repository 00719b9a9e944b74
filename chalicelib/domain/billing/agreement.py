"""What a buyer agrees to: the sum due today and every later charge. The pay page shows this, and booking does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.domain.billing.charges import (
    FirstPeriod,
    discount_at,
    fees_at,
    period_lines,
    period_totals,
    share_lines,
)
from chalicelib.domain.billing.grouping import Group, group_lines, split_due
from chalicelib.domain.billing.partials import partial_shares, smallest_share
from chalicelib.domain.billing.recurrence import Recurrence, StartType
from chalicelib.domain.billing.schedule import Period, Schedule
from chalicelib.domain.billing.starts import begin, not_before
from chalicelib.domain.billing.stretches import Stretch, stretches
from chalicelib.domain.documents.lines import Discount, Fee, LineItem
from chalicelib.domain.errors import InvalidValue
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.currency import check_chargeable, minimum_charge
from chalicelib.domain.money.rounding import spread
from chalicelib.domain.totals import Totals, compute_totals


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge to come: the period it is for and its totals. It is made when the period begins."""

    period: Period
    totals: Totals

    @property
    def at(self) -> datetime:
        """When the invoice is issued and charged (UTC)."""
        return self.period.invoice_at


@dataclass(frozen=True, slots=True)
class PlannedSubscription:
    """One subscription as it will be made.

    `lines` are its regular lines and `positions` where they stand on the document. `first_invoice_index` is 1 when
    period 0 is on today's invoice, else 0. `discount` and `fees` are the order's as far as this subscription carries
    them. `recurring_totals` are those of a regular period once everything temporary has ended.
    """

    recurrence: Recurrence
    positions: tuple[int, ...]
    lines: tuple[LineItem, ...]
    schedule: Schedule
    first_invoice_index: int
    discount: Discount | None
    fees: tuple[Fee, ...]
    first_period: FirstPeriod
    recurring_totals: Totals

    @property
    def starts_at(self) -> datetime:
        """When period 0 begins (UTC)."""
        return self.schedule.period(0).start

    @property
    def number_of_payments(self) -> int | None:
        """How many payments the term has in all; None until cancelled."""
        return self.recurrence.number_of_payments

    @property
    def payments_left(self) -> int | None:
        """How many payments are to come after today; None until cancelled."""
        total = self.recurrence.number_of_payments
        return None if total is None else total - self.first_invoice_index

    def later_charges(self, count: int) -> tuple[Charge, ...]:
        """The next `count` charges after today, fewer where a fixed term ends before."""
        left = self.payments_left
        indexes = range(
            self.first_invoice_index, self.first_invoice_index + (count if left is None else min(count, left))
        )
        return tuple(Charge(self.schedule.period(index), self.totals_at(index)) for index in indexes)

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """Every charge after today, by amount; empty where the term ends with today's payment."""
        return stretches(
            self.schedule,
            first_index=self.first_invoice_index,
            number_of_payments=self.number_of_payments,
            discount=self.discount,
            fees=self.fees,
            total_at=lambda index: self.totals_at(index).total,
        )

    @property
    def smallest_share(self) -> tuple[int, int] | None:
        """The least of a whole period that a first one billed by its share can be, in seconds of each; None if none."""
        return smallest_share(self.recurrence) if self.first_period is FirstPeriod.PRORATED else None

    def check_first_period(self) -> None:
        """Refuse a first period that is an invoice of its own and could fall below the minimum, bought on another day.

        Raises InvalidValue with `below_minimum`.
        """
        # A start on a date has one first period, which is among the later charges, until it is part of today's invoice.
        counted = self.recurrence.start.type in (StartType.AFTER_DAYS, StartType.AFTER_MONTHS)
        least = self.smallest_share
        if least is None or self.first_invoice_index or not counted:
            return
        smallest = self._first_total(least)
        if smallest and smallest.minor >= _least_charge(smallest.currency):
            return
        # A sum of zero needs no charge, but then some longer first period may come to a little more than that.
        for total in (smallest, *(self._first_total(share) for share in partial_shares(self.recurrence))):
            if 0 < total.minor < _least_charge(total.currency):
                raise _too_small(self.recurrence, total)

    def _first_total(self, share: tuple[int, int]) -> Money:
        return compute_totals(
            share_lines(self.lines, share),
            currency=self.recurring_totals.currency,
            discount=discount_at(self.discount, 0),
            fees=fees_at(self.fees, 0),
        ).total

    def totals_at(self, index: int) -> Totals:
        """The totals of the invoice of a period that the scheduler issues."""
        return period_totals(
            self.lines,
            currency=self.recurring_totals.currency,
            schedule=self.schedule,
            index=index,
            discount=self.discount,
            fees=self.fees,
            first_period=self.first_period,
        )

    @property
    def next_charge(self) -> Charge | None:
        """The first charge after today, None where the term ends with today's payment."""
        return next(iter(self.later_charges(1)), None)

    @property
    def next_charge_at(self) -> datetime | None:
        """When the first charge after today is made (UTC)."""
        charge = self.next_charge
        return None if charge is None else charge.at


@dataclass(frozen=True, slots=True)
class Plan:
    """Today's invoice and the subscriptions. `due_today_lines` stand at `due_today_positions` of the document."""

    due_today: Totals
    due_today_positions: tuple[int, ...]
    due_today_lines: tuple[LineItem, ...]
    due_today_discount: Discount | None
    due_today_fees: tuple[Fee, ...]
    groups: tuple[PlannedSubscription, ...]

    @property
    def first_later_charge(self) -> Charge | None:
        """The earliest charge after today among all subscriptions."""
        charges = [charge for group in self.groups if (charge := group.next_charge) is not None]
        return min(charges, key=lambda charge: charge.at, default=None)

    def check_chargeable(self) -> None:
        """Refuse amounts that Stripe would refuse: today's, each later one, and those of a buyer of any other day.

        Raises InvalidValue with `below_minimum` or `above_maximum`.
        """
        check_chargeable(self.due_today.total, "lines")
        for group in self.groups:
            check_chargeable(group.recurring_totals.total, "lines")
            for stretch in group.stretches:
                check_chargeable(stretch.amount, "lines")
            group.check_first_period()
        self._check_today_on_any_day()

    def _check_today_on_any_day(self) -> None:
        """Refuse what comes to less than the minimum when each first period in it is as short as it can be.

        Several anchor days are never a day away all at once, so with more than one this errs on the safe side. Lines
        whose date has passed by then only add to the sum.
        """
        shortest, whole = (dict(zip(self.due_today_positions, self.due_today_lines, strict=True)) for _ in range(2))
        partial = [
            (group, share) for group in self.groups if group.first_invoice_index and (share := group.smallest_share)
        ]
        for group, share in partial:
            shortest.update(zip(group.positions, share_lines(group.lines, share), strict=True))
            whole.update(zip(group.positions, group.lines, strict=True))
        least = self._today(shortest)
        if partial and self._today(whole) and least.minor < _least_charge(least.currency):
            raise _too_small(partial[0][0].recurrence, least)

    def _today(self, lines: Mapping[int, LineItem]) -> Money:
        return compute_totals(
            [lines[position] for position in self.due_today_positions],
            currency=self.due_today.currency,
            discount=self.due_today_discount,
            fees=self.due_today_fees,
        ).total


def _least_charge(currency: str) -> int:
    # Where Stripe publishes no minimum, all that is known is that there must be something to charge.
    return minimum_charge(currency) or 1


def _too_small(recurrence: Recurrence, total: Money) -> InvalidValue:
    return InvalidValue(
        f"The first period before the anchor day {recurrence.anchor_day} can be as short as a day and would then cost "
        f"{total.minor} in {total.currency}, below the smallest that can be charged, {_least_charge(total.currency)}. "
        "Raise the price, add something that is paid once with it, or leave out the anchor day.",
        "lines",
        "below_minimum",
    )


def _carried_shares(discount: Discount | None, groups: Sequence[Totals]) -> tuple[Discount | None, ...]:
    """The order discount as each subscription carries it: a percentage whole, an amount shared out between them.

    Were each to take the whole amount, two subscriptions in one cart would double what the merchant gives away.
    """
    if discount is None or discount.amount is None or not groups:
        return (discount,) * len(groups)
    weights = [max(Money.zero(totals.currency), totals.subtotal - totals.discount) for totals in groups]
    shares = spread(discount.amount, weights, [1] * len(groups))
    return tuple(replace(discount, amount=share) if share else None for share in shares)


def plan(
    lines: Sequence[LineItem],
    *,
    currency: str,
    agreed_at: datetime,
    zone: str,
    discount: Discount | None = None,
    fees: Sequence[Fee] = (),
    first_period: FirstPeriod = FirstPeriod.PRORATED,
) -> Plan:
    """What happens if the buyer agrees at `agreed_at`.

    An order discount and fees that count once are for today's invoice; with nothing due today they go with the
    subscription that starts first. A date that has passed by then means today. Raises TillError for too many lines or
    subscriptions, mixed currencies and terms that make no sense.
    """
    # Rewriting a start must not merge what was written as different terms, so lines are grouped as they stand.
    due = split_due(group_lines(lines), agreed_at=agreed_at, zone=zone)
    groups = sorted((*due.starting_now, *due.starting_later), key=lambda group: group.positions)
    schedules = [_schedule_of(group, agreed_at, zone) for group in groups]
    group_lines_of = [tuple(lines[position] for position in group.positions) for group in groups]

    today: dict[int, LineItem] = {position: lines[position] for position in due.now}
    for group, schedule, own in zip(groups, schedules, group_lines_of, strict=True):
        if group in due.starting_now:
            today.update(zip(group.positions, period_lines(own, schedule, 0, first_period), strict=True))
    today_lines = tuple(today[position] for position in due.now)
    today_discount = discount if today_lines else None
    today_fees = tuple(fees) if today_lines else ()

    starts = [schedule.period(0).start for schedule in schedules]
    earliest = starts.index(min(starts)) if starts and not today_lines else None
    carried = _carried_shares(discount, [compute_totals(own, currency=currency) for own in group_lines_of])
    planned = []
    for place, group in enumerate(groups):
        own_discount = carried[place]
        if discount is not None and discount.duration == "once":
            own_discount = discount if place == earliest else None
        own = group_lines_of[place]
        lasting = own_discount if own_discount is not None and own_discount.duration == "forever" else None
        planned.append(
            PlannedSubscription(
                recurrence=group.recurrence,
                positions=group.positions,
                lines=own,
                schedule=schedules[place],
                first_invoice_index=1 if group in due.starting_now else 0,
                discount=own_discount,
                fees=tuple(fees) if place == earliest else (),
                first_period=first_period,
                recurring_totals=compute_totals(own, currency=currency, discount=lasting),
            )
        )
    return Plan(
        due_today=compute_totals(today_lines, currency=currency, discount=today_discount, fees=today_fees),
        due_today_positions=due.now,
        due_today_lines=today_lines,
        due_today_discount=today_discount,
        due_today_fees=today_fees,
        groups=tuple(planned),
    )


def _schedule_of(group: Group, agreed_at: datetime, zone: str) -> Schedule:
    start = not_before(group.recurrence.start, agreed_at, zone)
    return begin(replace(group.recurrence, start=start), agreed_at, zone)
