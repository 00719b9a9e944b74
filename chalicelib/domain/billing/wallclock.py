"""Wall-clock time in a zone and its instants, and the month arithmetic of calendars.

A wall-clock time that daylight saving skips moves on by the gap (02:30 becomes 03:30); one that comes twice is the
first. Python's `fold=0` means just that in both cases (PEP 495), so no table of changes is needed here.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chalicelib.domain.errors import InvalidValue


def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name such as America/New_York. Raises InvalidValue for a name that no zone has."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        # ValueError: a path out of the database; OSError: the name of one of its folders.
        raise InvalidValue("This is not a time zone of the IANA database.", "timezone") from error


def to_wall_clock(instant: datetime, zone: str) -> datetime:
    """What clocks in the zone show at an aware instant: a naive time without fractions of a second."""
    if instant.tzinfo is None:
        raise ValueError("an instant has a time zone")
    return instant.astimezone(zone_of(zone)).replace(tzinfo=None, microsecond=0, fold=0)


def to_instant(wall_clock: datetime, zone: str) -> datetime:
    """The instant (UTC) of a naive wall-clock time in the zone."""
    if wall_clock.tzinfo is not None:
        raise ValueError("a wall-clock time has no time zone of its own")
    return wall_clock.replace(tzinfo=zone_of(zone), fold=0).astimezone(UTC)


def local_date(instant: datetime, zone: str) -> date:
    """The calendar day of an instant in the zone."""
    return to_wall_clock(instant, zone).date()


def midnight(day: date) -> datetime:
    """00:00 of a day, as a naive wall-clock time."""
    return datetime.combine(day, time())


def add_months(wall_clock: datetime, months: int, day: int) -> datetime:
    """The same time of day on `day` of the month that is `months` away, or on its last day where it is shorter.

    Raises InvalidValue (`invalid_date`) past the calendar's end.
    """
    year, month = divmod(wall_clock.year * 12 + wall_clock.month - 1 + months, 12)
    if not 1 <= year <= 9998:
        raise InvalidValue("This date is too far away.", code="invalid_date")
    return wall_clock.replace(year=year, month=month + 1, day=min(day, monthrange(year, month + 1)[1]))
