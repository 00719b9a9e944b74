"""ISO 8601 durations on a merchant's wall calendar, so that "a month later" means what the merchant would say."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

# ISO 8601-1:2019, 5.5.2; whole numbers only, since half a month is nobody's date.
_DURATION: Final = re.compile(
    r"P(?=[0-9]|T[0-9])(?:(?P<years>[0-9]{1,4})Y)?(?:(?P<months>[0-9]{1,4})M)?(?:(?P<weeks>[0-9]{1,5})W)?"
    r"(?:(?P<days>[0-9]{1,6})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,6})H)?(?:(?P<minutes>[0-9]{1,6})M)?(?:(?P<seconds>[0-9]{1,8})S)?)?"
)


class NotADuration(ValueError):
    """The text is no duration of whole units, such as P1M, P5D or PT1H30M."""


@dataclass(frozen=True, slots=True)
class Duration:
    """Months and days count on the calendar, seconds on the clock; a week is seven days."""

    months: int
    days: int
    seconds: int


def parse_duration(text: str) -> Duration:
    """Read a duration such as P1M, P5M, P1D or PT1H. Raises NotADuration."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise NotADuration(f"{text!r} is not a duration such as P1M, P10D or PT1H")
    part = {name: int(digits or 0) for name, digits in match.groupdict().items()}
    return Duration(
        months=part["years"] * 12 + part["months"],
        days=part["weeks"] * 7 + part["days"],
        seconds=part["hours"] * 3600 + part["minutes"] * 60 + part["seconds"],
    )


def later(at: datetime, duration: Duration, zone: ZoneInfo) -> datetime:
    """The aware UTC time that is `duration` after `at`.

    Months come first, in `zone`: the day of the month stays or becomes the month's last, the time on the wall stays;
    then days; then hours, minutes and seconds, which pass everywhere alike. A time on the wall that daylight saving
    skips moves on by the gap, a doubled one is the first. Raises OverflowError beyond the year 9999.
    """
    wall = at.astimezone(zone).replace(tzinfo=None)
    if duration.months or duration.days:
        year, month0 = divmod(wall.year * 12 + wall.month - 1 + duration.months, 12)
        if year > 9999:
            raise OverflowError("date value out of range")
        day = min(wall.day, calendar.monthrange(year, month0 + 1)[1])
        moved = wall.replace(year=year, month=month0 + 1, day=day) + timedelta(days=duration.days)
        # fold=0 reads a doubled time as the first one; a skipped one gets the offset from before the gap, and so
        # lands after it by as much as the gap is wide (PEP 495).
        start = moved.replace(tzinfo=zone, fold=0).astimezone(UTC)
    else:
        start = at.astimezone(UTC)
    return start + timedelta(seconds=duration.seconds)
