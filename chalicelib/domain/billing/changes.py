"""What an edit makes of a subscription: with its next period, or at once, with what that credits and charges.

Nothing is read or written here, so that a preview of an edit is the edit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from chalicelib.domain.billing.charges import period_lines
from chalicelib.domain.billing.coming import credit_used, next_invoice, resumed
from chalicelib.domain.billing.proration import (
    Prorated,
    Settled,
    Unused,
    prices_of,
    prorated,
    settled,
    settled_on_next,
)
from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.billing.schedule import Epoch, Schedule, months_in
from chalicelib.domain.billing.starts import begin
from chalicelib.domain.billing.wallclock import local_date, midnight, to_instant, to_wall_clock
from chalicelib.domain.documents.lines import Discount, LineItem
from chalicelib.domain.documents.subscriptions import PendingChange, Subscription
from chalicelib.domain.errors import InvalidValue, StateConflict, TillError
from chalicelib.domain.machines import SUBSCRIPTION, SubscriptionAction, SubscriptionStatus
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.currency import check_chargeable
from chalicelib.domain.totals import compute_totals

MOST_ADJUSTMENTS: Final = 100
"""Lines that wait for one invoice; an invoice is one item of the store and has its own lines too."""

MOST_BILLED: Final = 20
"""Changes within one period with an invoice of their own."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to change: None leaves a thing as it is. A plain date is 00:00 in the subscription's zone."""

    lines: tuple[LineItem, ...] | None = None
    frequency: Frequency | None = None
    next_invoice_on: date | datetime | None = None
    now: bool = False
    bill_now: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What the invoices of the running period say: its order discount, and what of it is owed and was paid."""

    discount: Discount | None
    owed: Money
    paid: Money


@dataclass(frozen=True, slots=True)
class Edited:
    """The subscription after an edit. The rest is None and empty where nothing took effect within a period.

    `before` and `later` are the lines as that period bills them, under its `discount`. `billed` are lines that are to
    be invoiced at once.
    """

    after: Subscription
    change: Prorated | None = None
    settled: Settled | None = None
    unused: Unused | None = None
    before: tuple[LineItem, ...] = ()
    later: tuple[LineItem, ...] = ()
    billed: tuple[LineItem, ...] = ()
    discount: Discount | None = None


def takes_effect_within(subscription: Subscription, asked: Asked) -> bool:
    """Whether an edit changes a period that has been invoiced, so that its invoices must be known."""
    return asked.now and subscription.next_index > 0


def edited(subscription: Subscription, asked: Asked, standing: Standing | None, now: datetime) -> Edited:
    """The subscription after an edit.

    Raises StateConflict where its state does not allow it, TillError `payment_in_progress` where a period is about to
    be invoiced, and InvalidValue for dates and amounts that make no sense.
    """
    if not SUBSCRIPTION.can(subscription.status, SubscriptionAction.EDIT):
        raise StateConflict(f"This subscription is {subscription.status}: it cannot be changed any more.")
    paused = subscription.status is SubscriptionStatus.PAUSED
    if paused and (asked.now or asked.next_invoice_on is not None):
        raise StateConflict("This subscription is paused: change it from the next period on, or resume it with a date.")
    rhythm = asked.next_invoice_on is not None or _is_another(subscription, asked.frequency)
    if subscription.is_last_issued and (rhythm or not asked.now):
        raise StateConflict("Every payment of this subscription has been invoiced: there is no next period.")
    if takes_effect_within(subscription, asked):
        if standing is None:
            raise ValueError("a change within a period needs what its invoices say")
        if subscription.is_behind(now):
            raise TillError("payment_in_progress", "A period of this subscription is being invoiced. Try again soon.")
        result = (
            _period_ended(subscription, asked, standing, now) if rhythm else _within(subscription, asked, standing, now)
        )
    else:
        result = Edited(_from_next_period(subscription, asked, now))
    _check_amounts(result.after)
    return result


def _is_another(subscription: Subscription, frequency: Frequency | None) -> bool:
    """Whether a frequency is not the one that the subscription has, and keeps."""
    waits = subscription.pending is not None and subscription.pending.recurrence is not None
    return frequency is not None and (waits or frequency is not subscription.recurrence.frequency)


def date_of(on: date | datetime, zone: str, now: datetime, param: str) -> tuple[datetime, datetime]:
    """The instant (whole seconds) of a date that is to come, and the wall-clock time that repeats.

    Today is now. Raises InvalidValue `invalid_date` for what is past.
    """
    current = now.replace(microsecond=0)
    if isinstance(on, datetime):
        instant = on.replace(microsecond=0)
        wall_clock = to_wall_clock(instant, zone)
    else:
        wall_clock = midnight(on)
        instant = to_instant(wall_clock, zone)
        if on == local_date(now, zone) and instant < current:
            instant, wall_clock = current, to_wall_clock(current, zone)
    if instant < current:
        raise InvalidValue("This date has passed.", param, "invalid_date")
    return instant, wall_clock


# --- with the next period ---------------------------------------------------------------------------------------------


def _from_next_period(subscription: Subscription, asked: Asked, now: datetime) -> Subscription:
    before = subscription.pending or PendingChange()
    recurrence, schedule = _next_rhythm(subscription, asked, now)
    changed = recurrence if recurrence != (before.recurrence or subscription.recurrence) else before.recurrence
    pending = PendingChange(asked.lines or before.lines, changed)
    after = replace(subscription, schedule=schedule, pending=None if pending == PendingChange() else pending)
    # Nothing has been invoiced by the lines as they stand, so nothing has to be kept.
    return after.with_pending_change() if subscription.next_index == 0 else after


def _next_rhythm(subscription: Subscription, asked: Asked, now: datetime) -> tuple[Recurrence, Schedule]:
    recurrence = subscription.recurrence
    if subscription.pending is not None and subscription.pending.recurrence is not None:
        recurrence = subscription.pending.recurrence
    schedule, index = subscription.schedule, subscription.next_index
    if asked.frequency is None and asked.next_invoice_on is None:
        return recurrence, schedule
    zone = schedule.epochs[-1].zone
    wanted = with_frequency(recurrence, asked.frequency)
    if asked.next_invoice_on is not None:
        at, wall_clock = date_of(asked.next_invoice_on, zone, now, "next_invoice_on")
        if index == 0:
            on = asked.next_invoice_on
            start = Start(StartType.ON_DATE, at=at) if isinstance(on, datetime) else Start(StartType.ON_DATE, on=on)
            wanted = replace(wanted, start=start)
            return wanted, begin(wanted, now, zone)
        wanted = replace(wanted, anchor_day=wall_clock.day if wanted.anchor_day == wall_clock.day else None)
        return wanted, restarted_at(schedule, index, at, wall_clock, wanted.frequency, "next_invoice_on")
    if wanted == recurrence:
        return recurrence, schedule
    if index == 0:
        return wanted, begin(wanted, subscription.created_at, zone)
    epoch = [each for each in schedule.epochs if each.first_index <= index][-1]
    steps = index - epoch.first_index
    wall_clock = epoch.wall_clock_after(steps) if steps else epoch.wall_clock
    months = months_in(wanted.frequency) is not None and months_in(epoch.frequency) is not None
    day = epoch.day if months else wall_clock.day
    return wanted, schedule.restarted([Epoch(index, epoch.start_of(index), wall_clock, wanted.frequency, zone, day)])


def with_frequency(recurrence: Recurrence, frequency: Frequency | None) -> Recurrence:
    """The recurrence in another frequency; weeks have no anchor day."""
    if frequency is None:
        return recurrence
    anchor_day = recurrence.anchor_day if months_in(frequency) is not None else None
    return replace(recurrence, frequency=frequency, anchor_day=anchor_day)


def restarted_at(
    schedule: Schedule, index: int, at: datetime, wall_clock: datetime, frequency: Frequency, param: str
) -> Schedule:
    """The schedule with period `index` beginning at a time. Raises InvalidValue where the one before has not begun."""
    if index > 0 and at <= schedule.period(index - 1).start:
        raise InvalidValue("The period before this date has not begun yet.", param, "invalid_date")
    zone = schedule.epochs[-1].zone
    return schedule.restarted([Epoch(index, at, wall_clock, frequency, zone, wall_clock.day)])


# --- at once ----------------------------------------------------------------------------------------------------------


def _prices(
    subscription: Subscription, lines: tuple[LineItem, ...], discount: Discount | None
) -> list[tuple[LineItem, Money]]:
    prices = prices_of(
        lines,
        currency=subscription.currency,
        schedule=subscription.schedule,
        index=subscription.next_index - 1,
        first_period=subscription.first_period,
        discount=discount,
    )
    return list(zip(lines, prices, strict=True))


def _as_billed(subscription: Subscription, lines: tuple[LineItem, ...]) -> tuple[LineItem, ...]:
    return period_lines(lines, subscription.schedule, subscription.next_index - 1, subscription.first_period)


def _within(subscription: Subscription, asked: Asked, standing: Standing, now: datetime) -> Edited:
    """Other lines for the rest of the running period."""
    lines = subscription.lines
    if asked.lines is not None:
        lines = tuple(replace(line, recurring=subscription.recurrence) for line in asked.lines)
    unused = Unused.at(subscription.schedule, subscription.next_index - 1, now)
    change = prorated(
        _prices(subscription, subscription.lines, standing.discount),
        _prices(subscription, lines, standing.discount),
        unused,
        subscription.currency,
    )
    nothing = Money.zero(subscription.currency)
    billed: tuple[LineItem, ...] = ()
    if asked.bill_now and change.net.minor > 0:
        billed, outcome = change.lines, Settled(subscription.adjustments, nothing, nothing)
    else:
        outcome = settled(subscription.adjustments, change, standing.owed, standing.paid)
        if outcome.adjustments and subscription.is_ending:
            message = "No invoice follows that this could stand on. Ask for it to be billed now."
            raise InvalidValue(message, "bill_now")
    if max(len(outcome.adjustments), len(billed)) > MOST_ADJUSTMENTS:
        message = f"At most {MOST_ADJUSTMENTS} lines of changes stand on one invoice."
        raise TillError("limit_reached", message, "lines")
    if billed and len(subscription.adjustment_invoices) >= MOST_BILLED:
        message = f"At most {MOST_BILLED} changes within a period are billed at once."
        raise TillError("limit_reached", message, "bill_now")
    pending = subscription.pending
    if pending is not None and asked.lines is not None:
        pending = None if pending.recurrence is None else replace(pending, lines=None)
    after = replace(
        subscription,
        lines=lines,
        pending=pending,
        adjustments=outcome.adjustments,
        edits=subscription.edits + 1,
    )
    after = with_credit(after, outcome.granted)
    if billed:
        total = compute_totals(billed, currency=after.currency).total
        used = credit_used(total, after.credit)
        check_chargeable(total - used, "bill_now")
        after = with_credit(after, -used)
    before = _as_billed(subscription, subscription.lines)
    later = _as_billed(subscription, lines)
    return Edited(after, change, outcome, unused, before, later, billed, standing.discount)


def _period_ended(subscription: Subscription, asked: Asked, standing: Standing, now: datetime) -> Edited:
    """The running period ends now, and another begins with the same second."""
    if subscription.cancel_at_period_end:
        raise StateConflict("This subscription ends with its period: there is no next one.")
    index = subscription.next_index
    current = subscription.schedule.period(index - 1)
    unused = Unused.at(subscription.schedule, index - 1, now, to_the_end=True)
    waiting = subscription.with_pending_change()
    recurrence = with_frequency(waiting.recurrence, asked.frequency)
    # A period has at least a second, also where it is ended in the one that it began in.
    begins = max(now.replace(microsecond=0), current.start + timedelta(seconds=1))
    recurrence, epochs = _epochs_from(subscription, recurrence, asked, begins, now)
    lines = tuple(replace(line, recurring=recurrence) for line in asked.lines or waiting.lines)
    change = prorated(_prices(subscription, subscription.lines, standing.discount), [], unused, subscription.currency)
    after = replace(
        subscription,
        lines=lines,
        recurrence=recurrence,
        schedule=subscription.schedule.restarted(epochs),
        pending=None,
        edits=subscription.edits + 1,
    )
    outcome = settled_on_next(change, next_invoice(after).totals.total, standing.owed, standing.paid)
    after = with_credit(replace(after, adjustments=(*after.adjustments, *outcome.adjustments)), outcome.granted)
    before = _as_billed(subscription, subscription.lines)
    return Edited(after, change, outcome, unused, before, discount=standing.discount)


def _epochs_from(
    subscription: Subscription, recurrence: Recurrence, asked: Asked, begins: datetime, now: datetime
) -> tuple[Recurrence, list[Epoch]]:
    """The rhythm from a moment on: to an anchor day or a given date first, by a share of a period."""
    index, zone = subscription.next_index, subscription.schedule.epochs[-1].zone
    if asked.next_invoice_on is None:
        begun = begin(replace(recurrence, start=Start(StartType.ON_DATE, at=begins)), begins, zone)
        return recurrence, [replace(epoch, first_index=epoch.first_index + index) for epoch in begun.epochs]
    at, wall_clock = date_of(asked.next_invoice_on, zone, now, "next_invoice_on")
    recurrence = replace(recurrence, anchor_day=wall_clock.day if recurrence.anchor_day == wall_clock.day else None)
    if at <= begins:
        return recurrence, [Epoch.at_instant(index, begins, recurrence.frequency, zone)]
    regular = Epoch(index + 1, at, wall_clock, recurrence.frequency, zone, wall_clock.day)
    whole = (at - to_instant(regular.wall_clock_after(-1), zone)) // timedelta(seconds=1)
    if at - begins > timedelta(seconds=whole):
        message = "A change that begins now leads to a date within one period."
        raise InvalidValue(message, "next_invoice_on", "invalid_date")
    first = replace(Epoch.at_instant(index, begins, recurrence.frequency, zone), whole_seconds=whole)
    return recurrence, [first, replace(regular, previous_end=at)]


def resumed_on(subscription: Subscription, on: date | datetime, now: datetime) -> Subscription:
    """The paused subscription, resumed, its next period beginning on a date: today or later.

    Raises StateConflict, TillError `payment_in_progress` and InvalidValue.
    """
    if not SUBSCRIPTION.can(subscription.status, SubscriptionAction.RESUME):
        raise StateConflict(f"This subscription is {subscription.status}, not paused.")
    if subscription.is_ending:
        raise StateConflict("This subscription ends with its period: there is no next one.")
    if not subscription.sits_out:
        raise TillError("payment_in_progress", "A period of this subscription is being invoiced. Try again soon.")
    waiting = subscription.with_pending_change().recurrence
    at, wall_clock = date_of(on, subscription.schedule.epochs[-1].zone, now, "next_invoice_on")
    schedule = restarted_at(
        subscription.schedule, subscription.next_index, at, wall_clock, waiting.frequency, "next_invoice_on"
    )
    recurrence, pending = subscription.recurrence, subscription.pending
    if waiting.anchor_day != wall_clock.day:
        recurrence = replace(recurrence, anchor_day=None)
        if pending is not None and pending.recurrence is not None:
            pending = replace(pending, recurrence=replace(pending.recurrence, anchor_day=None))
    return resumed(replace(subscription, schedule=schedule, recurrence=recurrence, pending=pending))


def paused(subscription: Subscription, until: date | datetime | None, now: datetime) -> Subscription:
    """The subscription, paused until a date, or until it is resumed.

    Raises StateConflict, and InvalidValue `invalid_date` for a date that is not to come.
    """
    if not SUBSCRIPTION.can(subscription.status, SubscriptionAction.PAUSE):
        raise StateConflict(f"This subscription is {subscription.status}: it cannot be paused.")
    resumes_at = None
    if until is not None:
        resumes_at, _ = date_of(until, subscription.schedule.epochs[-1].zone, now, "until")
        if resumes_at <= now:
            raise InvalidValue("A pause ends after it began.", "until", "invalid_date")
    return replace(subscription.moved(SubscriptionAction.PAUSE), paused_at=now, resumes_at=resumes_at)


def with_credit(subscription: Subscription, granted: Money) -> Subscription:
    """With so much more of a credit balance."""
    return replace(subscription, credit_balance=subscription.credit + granted) if granted else subscription


def _check_amounts(after: Subscription) -> None:
    """Refuse what could not be charged on any invoice to come."""
    if not after.is_ending:
        check_chargeable(next_invoice(after).totals.total, "lines")
    for stretch in after.stretches:
        check_chargeable(stretch.amount, "lines")
