from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from infra.local.durations import Duration, NotADuration, later, parse_duration

NEW_YORK = ZoneInfo("America/New_York")


def on(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P1M", Duration(1, 0, 0)),
        ("P5M", Duration(5, 0, 0)),
        ("P2Y3M", Duration(27, 0, 0)),
        ("P1D", Duration(0, 1, 0)),
        ("P2W", Duration(0, 14, 0)),
        ("PT1H", Duration(0, 0, 3600)),
        ("PT1H30M5S", Duration(0, 0, 5405)),
        ("P1MT0S", Duration(1, 0, 0)),
        ("P0D", Duration(0, 0, 0)),
    ],
)
def test_a_duration_of_whole_units_is_read(text: str, duration: Duration) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1", "1M", "P1.5M", "P-1M", "-P1M", "p1m", "P1M ", "P1H", "PT1D", "P1D1M", "P1MT", "P٣D"]
)
def test_what_is_no_duration_of_whole_units_is_refused(text: str) -> None:
    with pytest.raises(NotADuration):
        parse_duration(text)


@pytest.mark.parametrize(
    ("start", "text", "end"),
    [
        ("2027-01-31T15:30:00-05:00", "P1M", "2027-02-28T15:30:00-05:00"),
        ("2027-01-31T15:30:00-05:00", "P2M", "2027-03-31T15:30:00-04:00"),
        ("2028-01-31T15:30:00-05:00", "P1M", "2028-02-29T15:30:00-05:00"),
        ("2027-01-31T15:30:00-05:00", "P5M", "2027-06-30T15:30:00-04:00"),
        ("2027-12-15T08:00:00-05:00", "P1M", "2028-01-15T08:00:00-05:00"),
        # Where it is already the 1st in UTC, it is still the 31st in New York.
        ("2027-01-31T22:00:00-05:00", "P1M", "2027-02-28T22:00:00-05:00"),
        # A day on the calendar, although only 23 hours pass; an hour is an hour.
        ("2027-03-13T12:00:00-05:00", "P1D", "2027-03-14T12:00:00-04:00"),
        ("2027-03-13T12:00:00-05:00", "PT24H", "2027-03-14T13:00:00-04:00"),
        # 02:30 does not exist on 14 March 2027, and 01:30 comes twice on 7 November.
        ("2027-02-14T02:30:00-05:00", "P1M", "2027-03-14T03:30:00-04:00"),
        ("2027-10-07T01:30:00-04:00", "P1M", "2027-11-07T01:30:00-04:00"),
        # Standing in the second 01:30, an hour later is 02:30, not 01:30 again.
        ("2027-11-07T01:30:00-05:00", "PT1H", "2027-11-07T02:30:00-05:00"),
        ("2027-01-31T15:30:00.250000-05:00", "P1MT1S", "2027-02-28T15:30:01.250000-05:00"),
    ],
)
def test_months_and_days_count_on_the_merchants_calendar(start: str, text: str, end: str) -> None:
    assert later(on(start), parse_duration(text), NEW_YORK) == on(end)


def test_a_duration_beyond_the_calendar_is_an_error_and_not_a_wrong_date() -> None:
    with pytest.raises(OverflowError):
        later(on("2027-01-31T15:30:00-05:00"), parse_duration("P9999Y"), NEW_YORK)
