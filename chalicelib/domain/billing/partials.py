"""The partial first period before an anchor day: which shares of a regular period it can be.

A link is sold on any day, so a first period can be as short as the calendar allows, whatever it is when the link is
made.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from chalicelib.domain.billing.recurrence import Recurrence
from chalicelib.domain.billing.schedule import months_in
from chalicelib.domain.billing.wallclock import add_months, midnight

_HOUR: Final = 3_600
_DAY: Final = 24 * _HOUR
_LONGEST: Final = 30
"""Days from the day after an anchor day to the next one, where the month has 31."""
_FIRST: Final = date(2000, 1, 1)
_LEAP_CYCLE: Final = 48
"""Months after which February has the same length again. 2100 is no leap year, which makes nothing longer."""


def smallest_share(recurrence: Recurrence) -> tuple[int, int] | None:
    """Seconds of the shortest partial period and of the longest whole one; None where no period is partial.

    A first period ends at the time of day that it began at, so it has whole days; one of them can lack the hour that
    clocks skip in spring.
    """
    wholes = _whole_days(recurrence)
    return (_DAY - _HOUR, wholes[-1] * _DAY) if wholes else None


def partial_shares(recurrence: Recurrence) -> tuple[tuple[int, int], ...]:
    """Every share that a partial period can be, as seconds of it and of a whole one, the change of clocks counted."""
    wholes = _whole_days(recurrence)
    return tuple(
        (days * _DAY + shift, whole * _DAY)
        for days in range(1, _LONGEST + 1)
        for shift in (-_HOUR, 0, _HOUR)
        for whole in wholes
    )


def _whole_days(recurrence: Recurrence) -> tuple[int, ...]:
    """How many days a regular period can have, ascending; empty where there is no anchor day."""
    day, months = recurrence.anchor_day, months_in(recurrence.frequency)
    if day is None or months is None:
        return ()
    starts = [add_months(midnight(_FIRST), month, day) for month in range(_LEAP_CYCLE)]
    return tuple(sorted({(add_months(start, months, day) - start).days for start in starts}))
