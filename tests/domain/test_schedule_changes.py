"""Epochs begun by pauses and changes: the rhythm goes on as it was, and every gap and every cut is written down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.billing.schedule import Epoch, Schedule
from chalicelib.domain.billing.starts import begin

ZONES = [
    "Etc/GMT+12",
    "America/New_York",
    "America/Santiago",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


CLOCKS = st.datetimes(wall("2024-01-01T00:00"), wall("2032-12-31T23:45")).map(
    lambda clock: clock.replace(minute=clock.minute // 15 * 15, second=0, microsecond=0)
)


@given(CLOCKS, st.sampled_from(list(Frequency)), st.sampled_from(ZONES), st.integers(1, 6), st.integers(0, 800))
@example(wall("2027-01-31T15:30"), Frequency.MONTHLY, "America/New_York", 1, 60)
@example(wall("2028-02-29T00:00"), Frequency.ANNUALLY, "Pacific/Kiritimati", 1, 500)
@example(wall("2027-02-14T02:30"), Frequency.MONTHLY, "America/New_York", 1, 10)
@example(wall("2027-10-07T01:30"), Frequency.MONTHLY, "America/New_York", 1, 10)
def test_the_dates_after_a_pause_are_those_of_the_old_rhythm(
    clock: datetime, frequency: Frequency, zone: str, index: int, days: int
) -> None:
    dates = Schedule((Epoch.at_wall_clock(0, clock, frequency, zone),))
    until = dates.period(index).start + timedelta(days=days, hours=5)
    reached = dates.first_start(index, until)
    after = dates.skipped_to(index, until)
    assert dates.period(reached).start >= until > dates.period(reached - 1).start
    for step in range(5):
        old, new = dates.period(reached + step), after.period(index + step)
        assert (new.index, new.start, new.end) == (index + step, old.start, old.end)
    # What was invoiced before stays, and the time between belongs to no period.
    assert after.periods_from(0, index) == dates.periods_from(0, index)
    assert after.invoiced_end(index - 1) == dates.period(index - 1).end
    assert after.epochs[-1].previous_end == dates.period(index - 1).end


@given(st.integers(1, 31), st.integers(0, 400), st.sampled_from(ZONES))
def test_an_anchor_day_stays_the_anchor_day_over_a_pause(day: int, days: int, zone: str) -> None:
    agreed = utc("2027-01-10T09:30")
    dates = begin(Recurrence(Frequency.MONTHLY, anchor_day=day), agreed, zone)
    after = dates.skipped_to(1, agreed + timedelta(days=days + 40))
    assert after.period(0) == dates.period(0)
    assert after.share(0) == dates.share(0)
    reached = dates.first_start(1, agreed + timedelta(days=days + 40))
    starts = [period.start for period in dates.periods_from(reached, 14)]
    assert [period.start for period in after.periods_from(1, 14)] == starts


@pytest.mark.parametrize("day", [28, 29, 30, 31])
@pytest.mark.parametrize("month", range(1, 13))
def test_month_ends_come_back_after_a_pause_of_any_month(day: int, month: int) -> None:
    dates = Schedule((Epoch.at_wall_clock(0, datetime(2027, 1, day, 12), Frequency.MONTHLY, "UTC"),))  # noqa: DTZ001 - a wall clock
    after = dates.skipped_to(1, datetime(2027, month, 1, tzinfo=UTC) if month > 1 else utc("2028-02-01T00:00"))
    days = {period.start.month: period.start.day for period in after.periods_from(1, 12)}
    long = {each: min(day, 31) for each in (1, 3, 5, 7, 8, 10, 12)}
    short = {each: min(day, 30) for each in (4, 6, 9, 11)}
    leap = any(period.start.year == 2028 and period.start.month == 2 for period in after.periods_from(1, 12))
    assert days == long | short | {2: min(day, 29 if leap else 28)}


@pytest.mark.parametrize(
    ("start", "first", "second"),
    [
        # 02:30 is skipped in New York on 14 March 2027, and is 03:30 that day alone.
        (Start(StartType.AFTER_MONTHS, 1), "2027-03-14T07:30", "2027-04-14T06:30"),
        # The very second of the two half past ones on 7 November 2027; later periods take the first.
        (Start(StartType.ON_DATE, at=utc("2027-11-07T06:30")), "2027-11-07T06:30", "2027-12-07T06:30"),
        (Start(StartType.ON_DATE, at=utc("2027-11-07T05:30")), "2027-11-07T05:30", "2027-12-07T06:30"),
    ],
)
def test_a_start_inside_the_missing_hour_and_inside_the_doubled_one(start: Start, first: str, second: str) -> None:
    dates = begin(Recurrence(Frequency.MONTHLY, start=start), utc("2027-02-14T07:30"), "America/New_York")
    assert [dates.period(0).start, dates.period(1).start] == [utc(first), utc(second)]


def test_an_earlier_date_cuts_the_period_and_a_later_one_after_that_gives_its_time_back() -> None:
    dates = Schedule((Epoch.at_wall_clock(0, wall("2027-01-31T15:30"), Frequency.MONTHLY, "America/New_York"),))
    early = Epoch.at_instant(1, utc("2027-02-10T05:00"), Frequency.MONTHLY, "America/New_York")
    cut = dates.restarted([early])
    assert (cut.period(0).end, cut.invoiced_end(0)) == (utc("2027-02-10T05:00"), utc("2027-02-28T20:30"))
    late = Epoch.at_instant(1, utc("2027-03-10T05:00"), Frequency.MONTHLY, "America/New_York")
    again = cut.restarted([late])
    assert (again.period(0).end, again.period(1).start) == (utc("2027-02-28T20:30"), utc("2027-03-10T05:00"))
    with pytest.raises(ValueError, match="after the last period"):
        dates.restarted([Epoch.at_instant(1, utc("2027-01-31T20:30"), Frequency.MONTHLY, "America/New_York")])


def test_an_epoch_that_records_an_end_comes_back_from_text_and_integers() -> None:
    dates = Schedule((Epoch.at_wall_clock(0, wall("2027-01-31T15:30"), Frequency.MONTHLY, "America/New_York"),))
    epoch = dates.skipped_to(1, utc("2027-06-01T00:00")).epochs[-1]
    assert epoch.previous_end == utc("2027-02-28T20:30")
    assert Epoch.from_plain(epoch.to_plain()) == epoch
