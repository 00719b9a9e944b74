"""When each period of a subscription begins and ends: always from an epoch's anchor, never from the last date.

So 31 January bills on 28 February and again on 31 March, and a time of day survives both changes of daylight saving.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.billing.wallclock import add_months, to_instant, to_wall_clock
from chalicelib.domain.errors import InvalidValue

_WEEKS: Final = {Frequency.WEEKLY: 1, Frequency.BIWEEKLY: 2}
_MONTHS: Final = {
    Frequency.MONTHLY: 1,
    Frequency.QUARTERLY: 3,
    Frequency.PER_SIX_MONTHS: 6,
    Frequency.ANNUALLY: 12,
    Frequency.PER_TWO_YEARS: 24,
    Frequency.PER_THREE_YEARS: 36,
    Frequency.PER_FOUR_YEARS: 48,
    Frequency.PER_FIVE_YEARS: 60,
}


def months_in(frequency: Frequency) -> int | None:
    """How many calendar months a period has; None for the frequencies that count weeks."""
    return _MONTHS.get(frequency)


@dataclass(frozen=True, slots=True)
class Period:
    """One billing period, from 0, half-open: `start` belongs to it and `end` to what follows. Both UTC."""

    index: int
    start: datetime
    end: datetime

    @property
    def invoice_at(self) -> datetime:
        """When the period's invoice is issued: as it begins."""
        return self.start

    @property
    def seconds(self) -> int:
        """The period's length. Days of 23 and 25 hours count as they are."""
        return (self.end - self.start) // timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Epoch:
    """A stretch of regular periods.

    `starts_at` (UTC) is when period `first_index` begins. The later ones begin when clocks in `zone` show
    `wall_clock` again (naive), a multiple of the frequency later, on `day` of the month. The two are stored apart
    because neither follows from the other: a wall-clock time that comes twice has two instants, and one that is
    skipped has none, yet both are right again in the next period. `day` differs from `wall_clock.day` when an anchor
    day of 31 first falls into a shorter month. `whole_seconds` stands on the one partial period before an anchor day:
    the length of the regular period that it is a share of. `previous_end` stands on an epoch that was begun by a pause,
    an edit or a new date: when the period before it ends by the invoice that it has. An epoch that starts earlier cuts
    that period short; one that starts later leaves a recorded gap, which belongs to no period.
    """

    first_index: int
    starts_at: datetime
    wall_clock: datetime
    frequency: Frequency
    zone: str
    day: int
    whole_seconds: int | None = None
    previous_end: datetime | None = None

    def __post_init__(self) -> None:
        if (
            self.first_index < 0
            or not 1 <= self.day <= 31
            or (self.whole_seconds is not None and self.whole_seconds < 1)
        ):
            raise ValueError("an epoch's index is not negative, its day 1 to 31, its whole above zero")
        if self.starts_at.tzinfo is None or self.wall_clock.tzinfo is not None:
            raise ValueError("an epoch starts at an aware instant and repeats at a naive wall-clock time")
        if self.starts_at.microsecond or self.wall_clock.microsecond:
            raise ValueError("an epoch is exact to the second")

    @classmethod
    def at_instant(
        cls, first_index: int, instant: datetime, frequency: Frequency, zone: str, day: int | None = None
    ) -> Epoch:
        """An epoch that begins at an instant; what the clocks in the zone show then is what repeats."""
        starts_at = instant.astimezone(UTC).replace(microsecond=0)
        wall_clock = to_wall_clock(starts_at, zone)
        return cls(first_index, starts_at, wall_clock, frequency, zone, day or wall_clock.day)

    @classmethod
    def at_wall_clock(
        cls, first_index: int, wall_clock: datetime, frequency: Frequency, zone: str, day: int | None = None
    ) -> Epoch:
        """An epoch that begins when clocks in the zone show a naive time, which need not exist on that day."""
        exact = wall_clock.replace(microsecond=0, fold=0)
        return cls(first_index, to_instant(exact, zone), exact, frequency, zone, day or exact.day)

    def start_of(self, index: int) -> datetime:
        """When a period begins by this epoch's rhythm (UTC). Raises InvalidValue past the calendar's end."""
        steps = index - self.first_index
        if steps < 0:
            raise ValueError(f"period {index} is before this epoch")
        if steps == 0:
            return self.starts_at
        return to_instant(self.wall_clock_after(steps), self.zone)

    def wall_clock_after(self, steps: int) -> datetime:
        """The naive wall-clock time `steps` periods after the anchor (before it when negative)."""
        months = _MONTHS.get(self.frequency)
        if months is not None:
            return add_months(self.wall_clock, months * steps, self.day)
        try:
            return self.wall_clock + timedelta(weeks=_WEEKS[self.frequency] * steps)
        except OverflowError as error:
            raise InvalidValue("This date is too far away.", code="invalid_date") from error

    def to_plain(self) -> dict[str, str | int | None]:
        """The epoch as text and integers, for storing."""
        return {
            "first_index": self.first_index,
            "starts_at": self.starts_at.isoformat(),
            "wall_clock": self.wall_clock.isoformat(),
            "frequency": self.frequency.value,
            "zone": self.zone,
            "day": self.day,
            "whole_seconds": self.whole_seconds,
            "previous_end": None if self.previous_end is None else self.previous_end.isoformat(),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, str | int | None]) -> Epoch:
        """The epoch that `to_plain` wrote."""
        whole, previous_end = plain.get("whole_seconds"), plain.get("previous_end")
        return cls(
            first_index=int(plain["first_index"] or 0),
            starts_at=datetime.fromisoformat(str(plain["starts_at"])).astimezone(UTC),
            wall_clock=datetime.fromisoformat(str(plain["wall_clock"])),
            frequency=Frequency(str(plain["frequency"])),
            zone=str(plain["zone"]),
            day=int(plain["day"] or 0),
            whole_seconds=None if whole is None else int(whole),
            previous_end=None if previous_end is None else datetime.fromisoformat(str(previous_end)).astimezone(UTC),
        )


@dataclass(frozen=True, slots=True)
class Schedule:
    """The epochs of a subscription, oldest first. It only grows: an issued period is never computed anew."""

    epochs: tuple[Epoch, ...]

    def __post_init__(self) -> None:
        indexes = [epoch.first_index for epoch in self.epochs]
        if not indexes or indexes[0] != 0 or sorted(set(indexes)) != indexes:
            raise ValueError("epochs begin at period 0 and follow each other")

    def _place(self, index: int) -> int:
        if index < 0:
            raise ValueError("periods count from 0")
        return max(place for place, epoch in enumerate(self.epochs) if epoch.first_index <= index)

    def period(self, index: int) -> Period:
        """The period of an index. It ends where the next begins by its epoch, or earlier where a new epoch begins.

        Raises InvalidValue past the calendar's end.
        """
        place = self._place(index)
        epoch = self.epochs[place]
        end = epoch.start_of(index + 1)
        following = self._begins_at(index + 1)
        if following is not None:
            # Earlier: the old rhythm was cut short. Later: a pause, and the time between belongs to no period.
            end = min(following.previous_end or end, following.starts_at)
        return Period(index, epoch.start_of(index), end)

    def _begins_at(self, index: int) -> Epoch | None:
        """The epoch that begins with a period."""
        return next((epoch for epoch in self.epochs if epoch.first_index == index), None)

    def invoiced_end(self, index: int) -> datetime:
        """When a period ends by its invoice: an epoch that begun since may have cut it short."""
        following = self._begins_at(index + 1)
        if following is not None and following.previous_end is not None:
            return following.previous_end
        return self.period(index).end

    def periods_from(self, index: int, count: int) -> tuple[Period, ...]:
        """`count` periods in order, beginning with `index`."""
        return tuple(self.period(each) for each in range(index, index + count))

    def share(self, index: int) -> tuple[int, int] | None:
        """For the partial period before an anchor day: its seconds and those of a whole one. None for all others."""
        epoch = self.epochs[self._place(index)]
        if epoch.whole_seconds is None:
            return None
        invoiced = Period(index, epoch.start_of(index), self.invoiced_end(index))
        return invoiced.seconds, epoch.whole_seconds

    def restarted(self, epochs: Sequence[Epoch]) -> Schedule:
        """This schedule with other epochs from the first one's period on, none of whose periods has been invoiced.

        Raises ValueError where that would change a begun period.
        """
        index = epochs[0].first_index
        kept = tuple(epoch for epoch in self.epochs if epoch.first_index < index)
        if not kept:
            return Schedule(tuple(epochs))
        if epochs[0].starts_at <= self.period(index - 1).start:
            raise ValueError("a new epoch begins after the last period of the one before")
        return Schedule((*kept, replace(epochs[0], previous_end=self.invoiced_end(index - 1)), *epochs[1:]))

    def first_start(self, index: int, not_before: datetime) -> int:
        """Which period, from `index` on, is the first to begin at a time or after it, by the rhythm as it stands."""
        while self.period(index).start < not_before:
            index += 1
        return index

    def skipped_to(self, index: int, not_before: datetime) -> Schedule:
        """This schedule with the dates before a time left out: period `index` begins on the first date after them.

        The rhythm goes on as it was, with its time of day and its day of the month.
        """
        reached = self.first_start(index, not_before)
        if reached == index:
            return self
        epoch, skipped = self.epochs[self._place(reached)], reached - index
        steps = reached - epoch.first_index
        resumed = Epoch(
            first_index=index,
            starts_at=epoch.start_of(reached),
            wall_clock=epoch.wall_clock_after(steps) if steps else epoch.wall_clock,
            frequency=epoch.frequency,
            zone=epoch.zone,
            day=epoch.day,
            whole_seconds=None if steps else epoch.whole_seconds,
        )
        later = [
            replace(other, first_index=other.first_index - skipped)
            for other in self.epochs
            if other.first_index > reached
        ]
        return self.restarted((resumed, *later))

    def append(self, epoch: Epoch) -> Schedule:
        """This schedule with a new stretch at its end. Raises ValueError where that would change a begun period."""
        last = self.epochs[-1]
        if epoch.first_index <= last.first_index or epoch.starts_at <= last.start_of(epoch.first_index - 1):
            raise ValueError("a new epoch begins after the last period of the one before")
        return Schedule((*self.epochs, epoch))


def is_over(index: int, number_of_payments: int | None) -> bool:
    """Whether a term has no period of this index any more; None is a term without end."""
    return number_of_payments is not None and index >= number_of_payments
