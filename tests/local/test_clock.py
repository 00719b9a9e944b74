from datetime import UTC, datetime, timedelta, timezone

import pytest

from infra.local.clock import ClockWentBackwards, LocalClock

NOON = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)


class RealTime:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def test_the_clock_shows_real_time_until_it_is_set() -> None:
    real = RealTime()
    clock = LocalClock(real)
    assert clock.now() == NOON
    real.now += timedelta(seconds=1)
    assert clock() == NOON + timedelta(seconds=1)
    assert not clock.standing


def test_a_clock_that_was_set_stands_still() -> None:
    real = RealTime()
    clock = LocalClock(real)
    clock.set(NOON + timedelta(days=28))
    real.now += timedelta(hours=1)
    assert clock.now() == NOON + timedelta(days=28)
    assert clock.standing


def test_setting_the_clock_to_the_time_it_shows_is_no_step_backwards() -> None:
    clock = LocalClock(RealTime())
    clock.set(NOON)
    clock.set(NOON)
    assert clock.now() == NOON


def test_the_clock_refuses_to_go_backwards_and_stays_as_it_was() -> None:
    clock = LocalClock(RealTime())
    with pytest.raises(ClockWentBackwards, match="which is after 2027-01-31T11:59:59"):
        clock.set(NOON - timedelta(seconds=1))
    assert clock.now() == NOON
    assert not clock.standing


def test_standing_freezes_the_moment_and_says_it() -> None:
    real = RealTime()
    clock = LocalClock(real)
    assert clock.stand() == NOON
    real.now += timedelta(minutes=1)
    assert clock.stand() == NOON


def test_a_released_clock_shows_real_time_again_even_where_that_lies_behind() -> None:
    clock = LocalClock(RealTime())
    clock.set(NOON + timedelta(days=400))
    clock.release()
    assert clock.now() == NOON
    assert not clock.standing


def test_the_clock_answers_in_utc_whatever_zone_it_was_set_in() -> None:
    clock = LocalClock(RealTime())
    clock.set(datetime(2027, 2, 1, 10, 0, tzinfo=timezone(timedelta(hours=-5))))
    assert clock.now().isoformat() == "2027-02-01T15:00:00+00:00"
