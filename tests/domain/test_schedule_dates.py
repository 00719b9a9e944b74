"""Billing dates against a second calendar: days found by trying them, instants found by searching for them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.billing.schedule import Epoch, Period, Schedule, is_over
from chalicelib.domain.errors import InvalidValue

ZONES = [
    "Etc/GMT+12",  # UTC-12
    "Pacific/Pago_Pago",
    "America/New_York",
    "America/St_Johns",
    "America/Santiago",  # changes at midnight
    "America/Havana",  # changes at midnight
    "UTC",
    "Europe/Berlin",
    "Africa/Cairo",  # changes at midnight
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # changes by half an hour
    "Pacific/Chatham",
    "Pacific/Kiritimati",  # UTC+14
]
MONTHS = {
    Frequency.MONTHLY: 1,
    Frequency.QUARTERLY: 3,
    Frequency.PER_SIX_MONTHS: 6,
    Frequency.ANNUALLY: 12,
    Frequency.PER_TWO_YEARS: 24,
    Frequency.PER_THREE_YEARS: 36,
    Frequency.PER_FOUR_YEARS: 48,
    Frequency.PER_FIVE_YEARS: 60,
}
DAYS = {Frequency.WEEKLY: 7, Frequency.BIWEEKLY: 14}


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(instant: datetime, zone: str) -> datetime:
    """What clocks show: from UTC to the zone there is never a doubt."""
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def searched_instant(clock: datetime, zone: str) -> datetime:
    """The first instant at which clocks show the time; for a skipped one, as much later as the clocks jumped."""
    as_utc = clock.replace(tzinfo=UTC)
    candidates = [as_utc + timedelta(minutes=offset) for offset in range(-15 * 60, 15 * 60 + 1, 15)]
    hits = [candidate for candidate in candidates if shown(candidate, zone) == clock]
    if hits:
        return min(hits)
    offset_before = shown(as_utc - timedelta(hours=30), zone) - (clock - timedelta(hours=30))
    return as_utc - offset_before


def walked_wall_clock(anchor: datetime, frequency: Frequency, steps: int) -> datetime:
    """The anchor moved by one day or one month at a time; a day that is not in the month gives way to the last one."""
    if frequency in DAYS:
        day = anchor.date()
        for _ in range(DAYS[frequency] * steps):
            day = date.fromordinal(day.toordinal() + 1)
        return datetime.combine(day, anchor.time())
    year, month = anchor.year, anchor.month
    for _ in range(MONTHS[frequency] * steps):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    for day_of_month in (anchor.day, 30, 29, 28):
        try:
            return datetime.combine(date(year, month, min(day_of_month, anchor.day)), anchor.time())
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")


def schedule(anchor: str, zone: str, frequency: Frequency = Frequency.MONTHLY) -> Schedule:
    return Schedule((Epoch.at_wall_clock(0, wall(anchor), frequency, zone),))


def local_starts(dates: Schedule, zone: str, count: int) -> list[str]:
    return [shown(period.start, zone).isoformat(timespec="minutes") for period in dates.periods_from(0, count)]


def test_31_january_in_new_york_keeps_half_past_three_through_february_and_the_change_of_clocks() -> None:
    dates = schedule("2027-01-31T15:30", "America/New_York")
    assert [period.start for period in dates.periods_from(0, 5)] == [
        utc("2027-01-31T20:30"),
        utc("2027-02-28T20:30"),
        utc("2027-03-31T19:30"),
        utc("2027-04-30T19:30"),
        utc("2027-05-31T19:30"),
    ]


def test_a_period_is_invoiced_as_it_begins_and_knows_its_length() -> None:
    period = schedule("2027-03-01T00:00", "America/New_York").period(0)
    assert period == Period(0, utc("2027-03-01T05:00"), utc("2027-04-01T04:00"))
    assert period.invoice_at == period.start
    assert period.seconds == 31 * 86_400 - 3_600


@pytest.mark.parametrize(
    ("frequency", "second"),
    [
        (Frequency.WEEKLY, "2027-01-14T09:00"),
        (Frequency.BIWEEKLY, "2027-01-21T09:00"),
        (Frequency.MONTHLY, "2027-02-07T09:00"),
        (Frequency.QUARTERLY, "2027-04-07T09:00"),
        (Frequency.PER_SIX_MONTHS, "2027-07-07T09:00"),
        (Frequency.ANNUALLY, "2028-01-07T09:00"),
        (Frequency.PER_TWO_YEARS, "2029-01-07T09:00"),
        (Frequency.PER_THREE_YEARS, "2030-01-07T09:00"),
        (Frequency.PER_FOUR_YEARS, "2031-01-07T09:00"),
        (Frequency.PER_FIVE_YEARS, "2032-01-07T09:00"),
    ],
)
def test_every_frequency_has_its_length(frequency: Frequency, second: str) -> None:
    assert local_starts(schedule("2027-01-07T09:00", "Europe/Berlin", frequency), "Europe/Berlin", 2)[1] == second


@pytest.mark.parametrize(
    ("frequency", "starts"),
    [
        (Frequency.ANNUALLY, ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]),
        (Frequency.PER_TWO_YEARS, ["2028-02-29", "2030-02-28", "2032-02-29", "2034-02-28", "2036-02-29"]),
        (Frequency.PER_THREE_YEARS, ["2028-02-29", "2031-02-28", "2034-02-28", "2037-02-28", "2040-02-29"]),
        (Frequency.PER_FOUR_YEARS, ["2028-02-29", "2032-02-29", "2036-02-29", "2040-02-29", "2044-02-29"]),
        (Frequency.PER_FIVE_YEARS, ["2028-02-29", "2033-02-28", "2038-02-28", "2043-02-28", "2048-02-29"]),
    ],
)
def test_29_february_comes_back_in_leap_years(frequency: Frequency, starts: list[str]) -> None:
    dates = schedule("2028-02-29T12:00", "America/New_York", frequency)
    assert local_starts(dates, "America/New_York", 5) == [f"{start}T12:00" for start in starts]


def test_29_february_2096_meets_the_year_2100_that_is_no_leap_year() -> None:
    dates = schedule("2096-02-29T12:00", "UTC", Frequency.PER_FOUR_YEARS)
    assert local_starts(dates, "UTC", 3) == ["2096-02-29T12:00", "2100-02-28T12:00", "2104-02-29T12:00"]


MONTH_ENDS = [
    day
    for day in map(date.fromordinal, range(date(2027, 1, 1).toordinal(), date(2029, 1, 1).toordinal()))
    if day.day >= 28
]


@pytest.mark.parametrize("day", MONTH_ENDS, ids=str)
def test_month_ends_come_from_the_anchor_in_every_month(day: date) -> None:
    anchor = datetime.combine(day, time(23, 59, 59))
    dates = Schedule((Epoch.at_wall_clock(0, anchor, Frequency.MONTHLY, "America/New_York"),))
    for period in dates.periods_from(0, 50):
        expected = walked_wall_clock(anchor, Frequency.MONTHLY, period.index)
        assert period.start == searched_instant(expected, "America/New_York")


@pytest.mark.parametrize(
    ("zone", "anchor", "starts"),
    [
        # 02:30 is skipped on 14 March 2027; the next one is at 02:30 again.
        ("America/New_York", "2027-02-14T02:30", ["2027-02-14T07:30", "2027-03-14T07:30", "2027-04-14T06:30"]),
        ("America/New_York", "2027-03-14T02:30", ["2027-03-14T07:30", "2027-04-14T06:30", "2027-05-14T06:30"]),
        # 01:30 comes twice on 7 November 2027; the first is in summer time.
        ("America/New_York", "2027-10-07T01:30", ["2027-10-07T05:30", "2027-11-07T05:30", "2027-12-07T06:30"]),
        # Half an hour is skipped in Lord Howe on 3 October 2027: 02:15 becomes 02:45.
        ("Australia/Lord_Howe", "2027-09-03T02:15", ["2027-09-02T15:45", "2027-10-02T15:45", "2027-11-02T15:15"]),
        # Midnight itself is skipped in Cairo on 30 April 2027.
        ("Africa/Cairo", "2027-03-30T00:00", ["2027-03-29T22:00", "2027-04-29T22:00", "2027-05-29T21:00"]),
        ("Pacific/Kiritimati", "2027-01-31T00:00", ["2027-01-30T10:00", "2027-02-27T10:00", "2027-03-30T10:00"]),
        ("Etc/GMT+12", "2027-01-31T23:00", ["2027-02-01T11:00", "2027-03-01T11:00", "2027-04-01T11:00"]),
    ],
)
def test_wall_clock_time_is_kept_where_it_exists_once(zone: str, anchor: str, starts: list[str]) -> None:
    assert [period.start for period in schedule(anchor, zone).periods_from(0, 3)] == [utc(start) for start in starts]


def test_a_skipped_time_moves_on_by_the_gap_for_that_period_only() -> None:
    assert local_starts(schedule("2027-02-14T02:30", "America/New_York"), "America/New_York", 3) == [
        "2027-02-14T02:30",
        "2027-03-14T03:30",
        "2027-04-14T02:30",
    ]


def test_an_instant_in_the_second_of_two_equal_hours_stands_and_later_periods_take_the_first() -> None:
    second = utc("2027-11-07T06:30")  # 01:30 for the second time in New York
    dates = Schedule((Epoch.at_instant(0, second, Frequency.ANNUALLY, "America/New_York"),))
    assert dates.period(0).start == second
    assert shown(dates.period(1).start, "America/New_York") == wall("2028-11-07T01:30")
    # 2032 changes on 7 November again: the first 01:30 is the one in summer time.
    assert dates.period(5).start == utc("2032-11-07T05:30")


def test_an_epoch_is_exact_to_the_second() -> None:
    epoch = Epoch.at_instant(0, utc("2027-01-31T20:30:15.987654"), Frequency.MONTHLY, "America/New_York")
    assert (epoch.starts_at, epoch.wall_clock) == (utc("2027-01-31T20:30:15"), wall("2027-01-31T15:30:15"))
    assert epoch.start_of(1) == utc("2027-02-28T20:30:15")


CLOCKS = st.datetimes(wall("2020-01-01T00:00"), wall("2060-12-31T23:45")).map(
    lambda clock: clock.replace(minute=clock.minute // 15 * 15, second=0, microsecond=0)
)


@given(CLOCKS, st.sampled_from(list(Frequency)), st.sampled_from(ZONES), st.integers(0, 40))
@example(wall("2027-03-14T02:30"), Frequency.WEEKLY, "America/New_York", 0)
@example(wall("2027-11-07T01:30"), Frequency.WEEKLY, "America/New_York", 0)
@example(wall("2027-09-05T00:00"), Frequency.ANNUALLY, "America/Santiago", 1)
@example(wall("2024-02-29T00:00"), Frequency.ANNUALLY, "Pacific/Kiritimati", 4)
@example(wall("2024-12-31T23:45"), Frequency.PER_FIVE_YEARS, "Etc/GMT+12", 40)
def test_any_period_begins_where_the_second_calendar_says(
    clock: datetime, frequency: Frequency, zone: str, index: int
) -> None:
    dates = Schedule((Epoch.at_wall_clock(0, clock, frequency, zone),))
    period = dates.period(index)
    assert period.index == index
    assert period.start == searched_instant(walked_wall_clock(clock, frequency, index), zone)
    assert period.end == searched_instant(walked_wall_clock(clock, frequency, index + 1), zone)
    assert (period.start.tzinfo, period.end.tzinfo) == (UTC, UTC)


@given(CLOCKS, st.sampled_from(list(Frequency)), st.sampled_from(ZONES))
def test_periods_follow_each_other_without_gap_or_overlap(clock: datetime, frequency: Frequency, zone: str) -> None:
    periods = Schedule((Epoch.at_wall_clock(0, clock, frequency, zone),)).periods_from(0, 30)
    assert [period.index for period in periods] == list(range(30))
    for before, after in pairwise(periods):
        assert before.start < before.end == after.start


@given(
    st.integers(0, 60 * 365 * 86_400).map(lambda seconds: utc("2000-01-01T00:00") + timedelta(seconds=seconds)),
    st.sampled_from(list(Frequency)),
    st.sampled_from(ZONES),
    st.integers(0, 300),
)
def test_an_epoch_comes_back_from_text_and_integers(
    instant: datetime, frequency: Frequency, zone: str, index: int
) -> None:
    epoch = Epoch.at_instant(0, instant, frequency, zone)
    plain = epoch.to_plain()
    assert {type(value) for value in plain.values()} <= {str, int, type(None)}
    again = Epoch.from_plain(plain)
    assert again == epoch
    assert epoch.starts_at == instant
    assert again.start_of(index) == epoch.start_of(index)


def test_periods_from_an_index_are_the_same_as_one_by_one() -> None:
    dates = schedule("2027-01-31T15:30", "America/New_York")
    assert dates.periods_from(7, 3) == (dates.period(7), dates.period(8), dates.period(9))
    assert dates.periods_from(7, 0) == ()


def test_a_pause_is_a_recorded_gap_and_what_came_before_stays() -> None:
    dates = schedule("2027-01-31T15:30", "America/New_York")
    resumed = dates.append(Epoch.at_wall_clock(3, wall("2027-08-10T09:00"), Frequency.MONTHLY, "America/New_York"))
    assert resumed.periods_from(0, 3) == dates.periods_from(0, 3)
    assert local_starts(resumed, "America/New_York", 5)[3:] == ["2027-08-10T09:00", "2027-09-10T09:00"]
    assert resumed.period(2).end == dates.period(2).end < resumed.period(3).start


def test_a_new_rhythm_ends_the_running_period_where_it_begins() -> None:
    dates = schedule("2027-01-31T15:30", "America/New_York")
    changed = dates.append(Epoch.at_wall_clock(2, wall("2027-03-10T12:00"), Frequency.ANNUALLY, "America/New_York"))
    assert changed.period(0) == dates.period(0)
    assert changed.period(1) == Period(1, dates.period(1).start, utc("2027-03-10T17:00"))
    assert changed.period(2) == Period(2, utc("2027-03-10T17:00"), utc("2028-03-10T17:00"))


@pytest.mark.parametrize(("index", "at"), [(0, "2027-08-01T00:00"), (2, "2027-02-28T15:30"), (2, "2027-01-01T00:00")])
def test_an_epoch_that_would_change_a_begun_period_is_refused(index: int, at: str) -> None:
    dates = schedule("2027-01-31T15:30", "America/New_York")
    with pytest.raises(ValueError, match="after the last period"):
        dates.append(Epoch.at_wall_clock(index, wall(at), Frequency.MONTHLY, "America/New_York"))


def test_a_schedule_begins_at_period_0_and_counts_up() -> None:
    first = Epoch.at_wall_clock(0, wall("2027-01-31T15:30"), Frequency.MONTHLY, "UTC")
    late = Epoch.at_wall_clock(1, wall("2027-02-28T15:30"), Frequency.MONTHLY, "UTC")
    for epochs in ((), (late,), (first, first), (late, first)):
        with pytest.raises(ValueError, match="period 0"):
            Schedule(epochs)
    with pytest.raises(ValueError, match="from 0"):
        Schedule((first,)).period(-1)


def test_dates_past_the_calendar_are_refused_with_a_code() -> None:
    for frequency in (Frequency.PER_FIVE_YEARS, Frequency.WEEKLY):
        dates = schedule("9900-01-31T15:30", "UTC", frequency)
        with pytest.raises(InvalidValue) as refusal:
            dates.period(10_000)
        assert refusal.value.code == "invalid_date"


@pytest.mark.parametrize("zone", ["", "Nowhere/At_All", "America", "../etc/passwd", "/etc/passwd", "a\0b", "Zürich"])
def test_a_zone_that_does_not_exist_is_refused(zone: str) -> None:
    with pytest.raises(InvalidValue):
        Epoch.at_instant(0, utc("2027-01-31T20:30"), Frequency.MONTHLY, zone)


@pytest.mark.parametrize(
    ("index", "number", "over"),
    [(0, None, False), (10**6, None, False), (0, 1, False), (1, 1, True), (11, 12, False), (12, 12, True)],
)
def test_a_fixed_term_is_over_after_its_number_of_payments(index: int, number: int | None, over: bool) -> None:
    assert is_over(index, number) is over
