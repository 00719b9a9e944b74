"""When a subscription's first period begins, and the schedule that follows from it."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from chalicelib.domain.billing.recurrence import Recurrence, Start, StartType
from chalicelib.domain.billing.schedule import Epoch, Schedule, months_in
from chalicelib.domain.billing.wallclock import add_months, local_date, midnight, to_instant, to_wall_clock
from chalicelib.domain.errors import InvalidValue


def _count(start: Start) -> int:
    if start.count is None or start.count < 0:
        raise InvalidValue(
            "A delayed start needs a number of days or months, 0 or more.", "start.value", "out_of_range"
        )
    return start.count


def _anchor(start: Start, agreed_at: datetime, zone: str) -> tuple[datetime, datetime]:
    """The first instant (UTC, whole seconds), and the naive wall-clock time that later periods repeat."""
    if start.type is StartType.AT_PAYMENT or (start.type is StartType.ON_DATE and start.at is not None):
        instant = (start.at or agreed_at).astimezone(UTC).replace(microsecond=0)
        return instant, to_wall_clock(instant, zone)
    if start.type is StartType.ON_DATE:
        if start.on is None:
            raise InvalidValue("A start on a date needs the date.", "start.value", "missing_field")
        wall_clock = midnight(start.on)
    else:
        agreed = to_wall_clock(agreed_at, zone)
        if start.type is StartType.AFTER_MONTHS:
            wall_clock = add_months(agreed, _count(start), agreed.day)
        else:
            try:
                wall_clock = agreed + timedelta(days=_count(start))
            except OverflowError as error:
                raise InvalidValue("This date is too far away.", "start.value", "invalid_date") from error
    return to_instant(wall_clock, zone), wall_clock


def first_start(start: Start, agreed_at: datetime, zone: str) -> datetime:
    """The instant (UTC) at which the first period begins; it can lie in the past, where a date was given.

    At payment: the moment of agreement. After days or months: the same time of day in the zone. On a plain date: 00:00
    in the zone. Raises InvalidValue when the start lacks its value.
    """
    return _anchor(start, agreed_at, zone)[0]


def starts_today(start: Start, agreed_at: datetime, zone: str) -> bool:
    """Whether the first period is due with the agreement itself: it begins on that day in the zone, or began before."""
    return local_date(first_start(start, agreed_at, zone), zone) <= local_date(agreed_at, zone)


def not_before(start: Start, agreed_at: datetime, zone: str) -> Start:
    """The start, or the moment of agreement where the date has passed: nobody pays for days before they agreed."""
    if local_date(first_start(start, agreed_at, zone), zone) < local_date(agreed_at, zone):
        return Start()
    return start


def refuse_past(start: Start, agreed_at: datetime, zone: str) -> None:
    """Refuse a start on a day before the agreement's in the zone: nobody is billed for days before they agreed.

    Raises InvalidValue with `invalid_date`.
    """
    if local_date(first_start(start, agreed_at, zone), zone) < local_date(agreed_at, zone):
        raise InvalidValue("A subscription starts today or later.", "start.value", "invalid_date")


def begin(recurrence: Recurrence, agreed_at: datetime, zone: str) -> Schedule:
    """The schedule of a new subscription.

    With an anchor day the first period runs from the start to the next such day (the month's last where it is shorter),
    at the start's time of day, and regular periods follow; a start on the anchor day itself has no partial period.
    Raises InvalidValue for an anchor day outside 1 to 31 or with a frequency of weeks, and for a term of no payments.
    """
    if recurrence.number_of_payments is not None and recurrence.number_of_payments < 1:
        raise InvalidValue("A fixed term has at least one payment.", "number_of_payments", "out_of_range")
    day, months = recurrence.anchor_day, months_in(recurrence.frequency)
    if day is not None and (months is None or not 1 <= day <= 31):
        raise InvalidValue(
            "An anchor day is 1 to 31, for frequencies of months and years.", "anchor_day", "out_of_range"
        )
    instant, wall_clock = _anchor(recurrence.start, agreed_at, zone)
    first = Epoch(0, instant, wall_clock, recurrence.frequency, zone, day or wall_clock.day)
    if day is None:
        return Schedule((first,))
    anchor_here = min(day, monthrange(wall_clock.year, wall_clock.month)[1])
    if wall_clock.day == anchor_here:
        return Schedule((first,))
    following = add_months(wall_clock, 0 if wall_clock.day < anchor_here else 1, day)
    regular = Epoch.at_wall_clock(1, following, recurrence.frequency, zone, day)
    whole = regular.starts_at - to_instant(regular.wall_clock_after(-1), zone)
    return Schedule((replace(first, whole_seconds=whole // timedelta(seconds=1)), regular))
