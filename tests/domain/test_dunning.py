"""What a decline needs, and when an invoice is tried again: the table, the ladder, and the networks' bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.billing.dunning import (
    LAST_DAY,
    LIMITS,
    MOST_STEPS,
    REMEDIES,
    STRICTEST,
    Dunning,
    LadderEnd,
    Remedy,
    Step,
    next_step,
    remedy_of,
    steps,
    within_limits,
)
from chalicelib.domain.errors import InvalidValue

FIRST = datetime(2027, 2, 28, 20, 30, tzinfo=UTC)
DAYS = st.lists(st.integers(1, LAST_DAY), min_size=1, max_size=MOST_STEPS, unique=True).map(sorted).map(tuple)
ZONES = st.sampled_from(["UTC", "America/New_York", "Europe/Warsaw", "Pacific/Kiritimati", "Australia/Lord_Howe"])
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


@pytest.mark.parametrize(
    ("code", "decline_code", "advice_code", "remedy"),
    [
        ("card_declined", "insufficient_funds", "try_again_later", "retry"),
        ("card_declined", "generic_decline", None, "retry"),
        ("card_declined", "do_not_honor", "try_again_later", "retry"),
        ("processing_error", None, "try_again_later", "retry"),
        ("card_declined", "generic_decline", "do_not_try_again", "new_method"),
        ("card_declined", "insufficient_funds", "do_not_try_again", "new_method"),
        ("card_declined", "lost_card", "do_not_try_again", "new_method"),
        ("card_declined", "stolen_card", "try_again_later", "new_method"),
        ("expired_card", None, "do_not_try_again", "new_method"),
        ("incorrect_cvc", None, "confirm_card_data", "new_method"),
        ("card_declined", "generic_decline", "confirm_card_data", "new_method"),
        ("authentication_required", "authentication_required", "try_again_later", "authentication"),
        ("authentication_required", None, "do_not_try_again", "authentication"),
        ("payment_intent_authentication_failure", None, None, "authentication"),
        # A reason that Stripe has not documented yet is retried; an error that is no decline is not.
        ("card_declined", "something_new", None, "retry"),
        ("card_declined", None, None, "retry"),
        ("resource_missing", None, None, "new_method"),
        (None, None, None, "new_method"),
    ],
)
def test_a_decline_is_sorted_by_its_reason_and_its_advice(
    code: str | None, decline_code: str | None, advice_code: str | None, remedy: str
) -> None:
    assert remedy_of(code, decline_code, advice_code) == remedy


@given(
    st.sampled_from(sorted(REMEDIES)),
    st.sampled_from(["do_not_try_again", "confirm_card_data", "new_advice", None]),
)
def test_advice_never_makes_a_hard_decline_softer(reason: str, advice: str | None) -> None:
    sorted_as = remedy_of("card_declined", reason, advice)
    if REMEDIES[reason] is not Remedy.RETRY:
        assert sorted_as is REMEDIES[reason]
    elif advice in ("do_not_try_again", "confirm_card_data"):
        assert sorted_as is Remedy.NEW_METHOD


def test_the_ladder_by_default_is_days_1_3_5_and_7_to_the_second() -> None:
    assert Dunning() == Dunning((1, 3, 5, 7), LadderEnd.UNPAID)
    assert steps(FIRST, (1, 3, 5, 7), "UTC") == tuple(FIRST + timedelta(days=day) for day in (1, 3, 5, 7))


def test_the_ladder_keeps_the_time_of_day_over_both_changes_of_daylight_saving() -> None:
    in_spring = datetime(2027, 3, 12, 20, 30, 5, tzinfo=UTC)
    assert steps(in_spring, (1, 3), "America/New_York") == (
        datetime(2027, 3, 13, 20, 30, 5, tzinfo=UTC),
        datetime(2027, 3, 15, 19, 30, 5, tzinfo=UTC),
    )
    in_autumn = datetime(2027, 11, 6, 19, 30, tzinfo=UTC)
    assert steps(in_autumn, (1, 2), "America/New_York") == (
        datetime(2027, 11, 7, 20, 30, tzinfo=UTC),
        datetime(2027, 11, 8, 20, 30, tzinfo=UTC),
    )
    # 02:30 does not exist on the day: it moves on by the gap.
    at_night = datetime(2027, 3, 13, 7, 30, tzinfo=UTC)
    assert steps(at_night, (1,), "America/New_York") == (datetime(2027, 3, 14, 7, 30, tzinfo=UTC),)


@given(INSTANTS, DAYS, ZONES)
def test_a_ladder_rises_and_ends_on_its_last_day(first: datetime, days: tuple[int, ...], zone: str) -> None:
    ladder = steps(first, days, zone)
    assert list(ladder) == sorted(set(ladder))
    assert len(ladder) == len(days)
    assert first < ladder[0]
    local = [each.astimezone(ZoneInfo(zone)).date() for each in (first, *ladder)]
    assert [(day - local[0]).days for day in local[1:]] == list(days)


@given(INSTANTS, DAYS, ZONES, st.integers(0, 40 * 86_400), st.sampled_from(Remedy))
def test_what_is_next_is_a_step_to_come_or_the_deadline_or_the_end(
    first: datetime, days: tuple[int, ...], zone: str, late: int, remedy: Remedy
) -> None:
    ladder, now = steps(first, days, zone), first + timedelta(seconds=late)
    found = next_step(ladder, now, remedy)
    if now >= ladder[-1]:
        assert found == Step(None, tries=False)
    elif remedy is Remedy.RETRY:
        assert found == Step(min(each for each in ladder if each > now), tries=True)
    else:
        assert found == Step(ladder[-1], tries=False)


@given(DAYS, ZONES, st.sampled_from(["visa", "mastercard", "amex", None]))
def test_no_ladder_that_can_be_set_comes_near_what_the_networks_allow(
    days: tuple[int, ...], zone: str, brand: str | None
) -> None:
    tries = [FIRST, *steps(FIRST, days, zone)]
    assert all(within_limits(tries[:made], brand, tries[made]) for made in range(len(tries)))


@pytest.mark.parametrize(("brand", "most"), [("visa", 15), ("mastercard", 35), ("amex", 15), (None, 15)])
def test_a_network_allows_so_many_tries_within_thirty_days(brand: str | None, most: int) -> None:
    assert LIMITS == {"visa": 15, "mastercard": 35}
    assert STRICTEST == 15
    tries = [FIRST + timedelta(hours=n) for n in range(most)]
    now = tries[-1] + timedelta(minutes=1)
    assert not within_limits(tries, brand, now)
    assert within_limits(tries[1:], brand, now)
    assert not within_limits(tries, brand, FIRST + timedelta(days=30) - timedelta(seconds=1))
    assert within_limits(tries, brand, FIRST + timedelta(days=30))


def test_beyond_the_limit_only_the_deadline_is_left() -> None:
    ladder = steps(FIRST, (1, 3), "UTC")
    tries = [FIRST] * 15
    assert next_step(ladder, FIRST, Remedy.RETRY, tries, "visa") == Step(ladder[-1], tries=False)
    assert next_step(ladder, FIRST, Remedy.RETRY, tries, "mastercard") == Step(ladder[0], tries=True)


@pytest.mark.parametrize(
    "days", [(), (0,), (-1,), (31,), (1, 1), (3, 1), (1, 3, 2), tuple(range(1, 12))], ids=lambda days: str(len(days))
)
def test_days_that_make_no_ladder_are_refused(days: tuple[int, ...]) -> None:
    with pytest.raises(InvalidValue) as refused:
        Dunning(days)
    assert refused.value.param == "dunning.days"
