"""When the first period begins: at payment, after days or months, on a date; and the way to an anchor day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.billing.schedule import Schedule
from chalicelib.domain.billing.starts import begin, first_start, not_before, starts_today
from chalicelib.domain.errors import InvalidValue

NEW_YORK = "America/New_York"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days(count: int | None) -> Start:
    return Start(StartType.AFTER_DAYS, count=count)


def months(count: int | None) -> Start:
    return Start(StartType.AFTER_MONTHS, count=count)


def on(day: str) -> Start:
    return Start(StartType.ON_DATE, on=date.fromisoformat(day))


def local_starts(schedule: Schedule, count: int, zone: str = NEW_YORK) -> list[str]:
    return [
        period.start.astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat(timespec="minutes")
        for period in schedule.periods_from(0, count)
    ]


AGREED = utc("2027-01-31T20:30:45.123456")  # 15:30:45 in New York


@pytest.mark.parametrize(
    ("start", "first"),
    [
        (Start(), "2027-01-31T20:30:45"),
        (days(0), "2027-01-31T20:30:45"),
        (days(14), "2027-02-14T20:30:45"),
        # Across the change to summer time the time of day stays, so the instant moves.
        (days(60), "2027-04-01T19:30:45"),
        (months(0), "2027-01-31T20:30:45"),
        (months(1), "2027-02-28T20:30:45"),
        (months(2), "2027-03-31T19:30:45"),
        (months(13), "2028-02-29T20:30:45"),
        (on("2027-03-01"), "2027-03-01T05:00:00"),
        (on("2027-07-01"), "2027-07-01T04:00:00"),
        (on("2026-07-01"), "2026-07-01T04:00:00"),
        (Start(StartType.ON_DATE, at=utc("2027-05-05T05:05:05.5")), "2027-05-05T05:05:05"),
    ],
)
def test_the_first_period_begins(start: Start, first: str) -> None:
    assert first_start(start, AGREED, NEW_YORK) == utc(first)


@pytest.mark.parametrize(
    ("start", "zone", "first"),
    [
        (on("2027-02-01"), "Pacific/Kiritimati", "2027-01-31T10:00"),
        (on("2027-02-01"), "Etc/GMT+12", "2027-02-01T12:00"),
        # Midnight of this day does not exist in Cairo: it is 01:00.
        (on("2027-04-30"), "Africa/Cairo", "2027-04-29T22:00"),
    ],
)
def test_a_plain_date_is_midnight_in_the_zone(start: Start, zone: str, first: str) -> None:
    assert first_start(start, AGREED, zone) == utc(first)


@pytest.mark.parametrize(
    ("start", "code"),
    [
        (days(None), "out_of_range"),
        (days(-1), "out_of_range"),
        (months(None), "out_of_range"),
        (months(-1), "out_of_range"),
        (Start(StartType.ON_DATE), "missing_field"),
        (days(10**9), "invalid_date"),
        (months(10**9), "invalid_date"),
    ],
)
def test_a_start_without_a_sane_value_is_refused(start: Start, code: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        first_start(start, AGREED, NEW_YORK)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("start", "zone", "today"),
    [
        (Start(), NEW_YORK, True),
        (days(0), NEW_YORK, True),
        (days(1), NEW_YORK, False),
        (months(0), NEW_YORK, True),
        (months(1), NEW_YORK, False),
        (on("2027-01-31"), NEW_YORK, True),
        (on("2027-01-30"), NEW_YORK, True),
        (on("2027-02-01"), NEW_YORK, False),
        # At that moment it is 1 February in Kiritimati already.
        (on("2027-02-01"), "Pacific/Kiritimati", True),
        (Start(StartType.ON_DATE, at=utc("2027-02-01T04:59:59")), NEW_YORK, True),
        (Start(StartType.ON_DATE, at=utc("2027-02-01T05:00:00")), NEW_YORK, False),
    ],
)
def test_a_period_that_starts_on_the_day_of_agreement_is_due_with_it(start: Start, zone: str, today: bool) -> None:
    assert starts_today(start, AGREED, zone) is today


def test_a_date_that_has_passed_becomes_the_moment_of_agreement() -> None:
    assert not_before(on("2027-01-30"), AGREED, NEW_YORK) == Start()
    assert not_before(on("2027-01-31"), AGREED, NEW_YORK) == on("2027-01-31")
    assert not_before(on("2027-02-01"), AGREED, NEW_YORK) == on("2027-02-01")


def test_a_start_in_the_missing_hour_is_an_hour_late_once() -> None:
    # Agreed on 13 March at 02:30; one day later that time is skipped.
    agreed = utc("2027-03-13T07:30")
    schedule = begin(Recurrence(Frequency.WEEKLY, start=days(1)), agreed, NEW_YORK)
    assert local_starts(schedule, 3) == ["2027-03-14T03:30", "2027-03-21T02:30", "2027-03-28T02:30"]


def test_a_start_in_the_doubled_hour_is_the_first_unless_an_instant_says_otherwise() -> None:
    day_before = utc("2027-11-06T05:30")  # 01:30
    assert first_start(days(1), day_before, NEW_YORK) == utc("2027-11-07T05:30")
    for second in (Start(), Start(StartType.ON_DATE, at=utc("2027-11-07T06:30"))):
        schedule = begin(Recurrence(Frequency.WEEKLY, start=second), utc("2027-11-07T06:30"), NEW_YORK)
        assert [period.start for period in schedule.periods_from(0, 2)] == [
            utc("2027-11-07T06:30"),
            utc("2027-11-14T06:30"),
        ]


def test_a_plain_date_at_a_skipped_midnight_bills_at_midnight_afterwards() -> None:
    schedule = begin(Recurrence(Frequency.MONTHLY, start=on("2027-04-30")), AGREED, "Africa/Cairo")
    assert local_starts(schedule, 3, "Africa/Cairo") == ["2027-04-30T01:00", "2027-05-30T00:00", "2027-06-30T00:00"]


@pytest.mark.parametrize(
    ("agreed", "anchor_day", "frequency", "starts"),
    [
        ("2027-01-10T12:00", 1, Frequency.MONTHLY, ["2027-01-10", "2027-02-01", "2027-03-01", "2027-04-01"]),
        ("2027-01-09T12:00", 10, Frequency.MONTHLY, ["2027-01-09", "2027-01-10", "2027-02-10", "2027-03-10"]),
        ("2027-01-10T12:00", 20, Frequency.MONTHLY, ["2027-01-10", "2027-01-20", "2027-02-20", "2027-03-20"]),
        ("2027-02-10T12:00", 31, Frequency.MONTHLY, ["2027-02-10", "2027-02-28", "2027-03-31", "2027-04-30"]),
        ("2027-01-30T12:00", 29, Frequency.MONTHLY, ["2027-01-30", "2027-02-28", "2027-03-29", "2027-04-29"]),
        ("2027-12-15T12:00", 5, Frequency.MONTHLY, ["2027-12-15", "2028-01-05", "2028-02-05", "2028-03-05"]),
        ("2027-01-10T12:00", 1, Frequency.QUARTERLY, ["2027-01-10", "2027-02-01", "2027-05-01", "2027-08-01"]),
        ("2027-01-10T12:00", 31, Frequency.ANNUALLY, ["2027-01-10", "2027-01-31", "2028-01-31", "2029-01-31"]),
        # On the anchor day itself there is no partial period; the last day of a short month counts as the 31st.
        ("2027-01-10T12:00", 10, Frequency.MONTHLY, ["2027-01-10", "2027-02-10", "2027-03-10", "2027-04-10"]),
        ("2027-02-28T12:00", 31, Frequency.MONTHLY, ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]),
    ],
)
def test_an_anchor_day_is_reached_by_a_partial_period(
    agreed: str, anchor_day: int, frequency: Frequency, starts: list[str]
) -> None:
    schedule = begin(Recurrence(frequency, anchor_day=anchor_day), utc(agreed), "UTC")
    assert local_starts(schedule, 4, "UTC") == [f"{start}T12:00" for start in starts]
    regular = schedule.epochs[-1].first_index
    assert (schedule.share(0) is None) is (regular == 0)
    assert schedule.share(regular) is None


@pytest.mark.parametrize(
    ("agreed", "anchor_day", "frequency", "share_in_days"),
    [
        ("2027-01-10T12:00", 1, Frequency.MONTHLY, (22, 31)),
        ("2027-02-10T12:00", 31, Frequency.MONTHLY, (18, 28)),
        ("2027-01-10T12:00", 1, Frequency.QUARTERLY, (22, 92)),
        ("2027-01-10T12:00", 31, Frequency.ANNUALLY, (21, 365)),
    ],
)
def test_a_partial_period_is_a_share_of_the_regular_one_that_ends_with_it(
    agreed: str, anchor_day: int, frequency: Frequency, share_in_days: tuple[int, int]
) -> None:
    schedule = begin(Recurrence(frequency, anchor_day=anchor_day), utc(agreed), "UTC")
    part, whole = share_in_days
    assert schedule.share(0) == (part * 86_400, whole * 86_400)


def test_the_share_counts_the_hour_that_summer_time_takes() -> None:
    schedule = begin(Recurrence(Frequency.MONTHLY, anchor_day=1), utc("2027-03-10T17:00"), NEW_YORK)
    assert schedule.share(0) == (22 * 86_400 - 3_600, 31 * 86_400 - 3_600)


@pytest.mark.parametrize(
    "recurrence",
    [
        Recurrence(Frequency.WEEKLY, anchor_day=1),
        Recurrence(Frequency.BIWEEKLY, anchor_day=1),
        Recurrence(Frequency.MONTHLY, anchor_day=0),
        Recurrence(Frequency.MONTHLY, anchor_day=32),
        Recurrence(Frequency.MONTHLY, number_of_payments=0),
        Recurrence(Frequency.MONTHLY, number_of_payments=-1),
    ],
)
def test_terms_that_make_no_sense_are_refused(recurrence: Recurrence) -> None:
    with pytest.raises(InvalidValue) as refusal:
        begin(recurrence, AGREED, NEW_YORK)
    assert refusal.value.code == "out_of_range"


@given(
    st.integers(0, 40 * 365 * 86_400),
    st.integers(1, 31),
    st.sampled_from([Frequency.MONTHLY, Frequency.QUARTERLY, Frequency.ANNUALLY]),
    st.sampled_from([NEW_YORK, "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Kiritimati", "Etc/GMT+12"]),
)
def test_an_anchored_schedule_is_contiguous_and_stays_on_its_day(
    seconds: int, anchor_day: int, frequency: Frequency, zone: str
) -> None:
    agreed = utc("2020-01-01T00:00") + timedelta(seconds=seconds)
    schedule = begin(Recurrence(frequency, anchor_day=anchor_day), agreed, zone)
    periods = schedule.periods_from(0, 12)
    assert periods[0].start == agreed
    for before, after in pairwise(periods):
        assert before.start < before.end == after.start
    share = schedule.share(0)
    assert share is None or 0 < share[0] < share[1]
    for period in periods[1:]:
        shown = (period.start.astimezone(ZoneInfo(zone))).date()
        last = (date(shown.year + shown.month // 12, shown.month % 12 + 1, 1) - timedelta(days=1)).day
        assert shown.day == min(anchor_day, last)
