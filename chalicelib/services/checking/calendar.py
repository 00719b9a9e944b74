"""When a period begins, worked out a second time from its epoch alone, by counting months and asking the zone.

Nothing of the domain's calendar is used: a wall-clock time is turned into an instant by trying the zone's offsets
around it, not by how Python resolves a doubled or a skipped hour.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from chalicelib.domain.billing.schedule import Epoch

_DAYS: Final = {"weekly": 7, "biweekly": 14}
_MONTHS: Final = {
    "monthly": 1,
    "quarterly": 3,
    "per_six_months": 6,
    "annually": 12,
    "per_two_years": 24,
    "per_three_years": 36,
    "per_four_years": 48,
    "per_five_years": 60,
}


def period_start(epochs: Sequence[Epoch], index: int) -> datetime:
    """When the period of an index begins (UTC)."""
    return _start(_epoch_of(epochs, index), index)


def period_end(epochs: Sequence[Epoch], index: int) -> datetime:
    """When it ends: where its own rhythm goes on, or earlier where the next epoch cuts it short."""
    following = [epoch.starts_at for epoch in epochs if epoch.first_index == index + 1]
    return min([invoiced_end(epochs, index), *following])


def invoiced_end(epochs: Sequence[Epoch], index: int) -> datetime:
    """When it was to end as it was invoiced, as the epoch that came after it wrote down."""
    following = [epoch for epoch in epochs if epoch.first_index == index + 1]
    recorded = [epoch.previous_end for epoch in following if epoch.previous_end is not None]
    rhythm = _start(_epoch_of(epochs, index), index + 1)
    return recorded[0] if recorded else min([rhythm, *(epoch.starts_at for epoch in following)])


def _epoch_of(epochs: Sequence[Epoch], index: int) -> Epoch:
    return [epoch for epoch in epochs if epoch.first_index <= index][-1]


def _start(epoch: Epoch, index: int) -> datetime:
    steps = index - epoch.first_index
    if steps == 0:
        return epoch.starts_at
    frequency = str(epoch.frequency)
    if frequency in _DAYS:
        return _instant(epoch.wall_clock + timedelta(days=_DAYS[frequency] * steps), epoch.zone)
    year, month = epoch.wall_clock.year, epoch.wall_clock.month + _MONTHS[frequency] * steps
    while month > 12:
        year, month = year + 1, month - 12
    day = min(epoch.day, monthrange(year, month)[1])
    return _instant(epoch.wall_clock.replace(year=year, month=month, day=day), epoch.zone)


def days_later(instant: datetime, days: int, zone: str) -> datetime:
    """So many days after an instant, when clocks in the zone show the same time again (to the second)."""
    shown = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0, microsecond=0)
    return _instant(shown + timedelta(days=days), zone)


def end_of_day(day: date, zone: str) -> datetime:
    """When a day is over in the zone."""
    return _instant(datetime(day.year, day.month, day.day) + timedelta(days=1), zone)  # noqa: DTZ001 - a wall clock


def _instant(wall: datetime, zone: str) -> datetime:
    """The first instant at which clocks in the zone show a time; where they skip it, the gap later."""
    place = ZoneInfo(zone)
    around = [(wall + timedelta(days=days)).replace(tzinfo=UTC).astimezone(place).utcoffset() for days in (-2, 2)]
    offsets = [offset for offset in around if offset is not None]
    tried = [(wall - offset).replace(tzinfo=UTC) for offset in offsets]
    shown = [instant for instant in tried if instant.astimezone(place).replace(tzinfo=None, fold=0) == wall]
    # The offset before the change read onto a skipped time is the same time moved on by the gap.
    return min(shown) if shown else tried[0]
