"""The partial period before an anchor day: how short it can be, and that no sum of one is too small to charge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.billing.agreement import plan
from chalicelib.domain.billing.partials import partial_shares, smallest_share
from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.billing.schedule import months_in
from chalicelib.domain.billing.starts import begin
from chalicelib.domain.documents.lines import Discount, Fee, LineItem
from chalicelib.domain.errors import InvalidValue
from chalicelib.domain.money.amounts import Money

ANCHORED = Recurrence(Frequency.MONTHLY, anchor_day=1)
IN_A_WEEK = replace(ANCHORED, start=Start(StartType.AFTER_DAYS, count=7))
PUBLISHED = datetime(2027, 2, 1, 20, 30, tzinfo=UTC)
"""An anchor day, so that on the day of publishing nothing is partial."""


def usd(minor: int) -> Money:
    return Money(minor, "usd")


def line(unit: int, recurring: Recurrence | None = None) -> LineItem:
    return LineItem("Item", 1, usd(unit), recurring=recurring)


@pytest.mark.parametrize(
    ("frequency", "days"),
    [
        (Frequency.MONTHLY, 31),
        (Frequency.QUARTERLY, 92),
        (Frequency.PER_SIX_MONTHS, 184),
        (Frequency.ANNUALLY, 366),
        (Frequency.PER_TWO_YEARS, 731),
        (Frequency.PER_THREE_YEARS, 1_096),
        (Frequency.PER_FOUR_YEARS, 1_461),
        (Frequency.PER_FIVE_YEARS, 1_827),
    ],
)
def test_the_smallest_share_is_a_day_that_lost_an_hour_of_the_longest_period(frequency: Frequency, days: int) -> None:
    assert smallest_share(Recurrence(frequency, anchor_day=1)) == (23 * 3_600, days * 86_400)


def test_without_an_anchor_day_nothing_is_partial() -> None:
    assert smallest_share(Recurrence(Frequency.MONTHLY)) is None
    assert partial_shares(Recurrence(Frequency.WEEKLY)) == ()


@given(
    st.sampled_from([frequency for frequency in Frequency if months_in(frequency)]),
    st.integers(1, 31),
    st.integers(0, 8 * 365 * 24).map(lambda hours: PUBLISHED + timedelta(hours=hours)),
    st.sampled_from(["America/New_York", "Europe/Berlin", "UTC"]),
)
def test_no_share_that_a_calendar_yields_is_smaller_or_unforeseen(
    frequency: Frequency, day: int, agreed_at: datetime, zone: str
) -> None:
    recurrence = Recurrence(frequency, anchor_day=day)
    share, smallest = begin(recurrence, agreed_at, zone).share(0), smallest_share(recurrence)
    if share is None:
        return
    assert smallest is not None
    assert share[0] * smallest[1] >= smallest[0] * share[1]
    near = [(part, whole) for part, whole in partial_shares(recurrence) if part == share[0]]
    assert any(abs(whole - share[1]) <= 3_600 for _, whole in near)


@pytest.mark.parametrize(
    ("lines", "discount", "fees", "message"),
    [
        ((line(500, ANCHORED),), None, (), 15),
        # 16.17 x 23 hours / 31 days is 49.99 cents, 16.00 is 49.46.
        ((line(1_600, ANCHORED),), None, (), 49),
        ((line(500, IN_A_WEEK), line(5_000)), None, (), 15),
        # A period of years has a day that is worth next to nothing.
        ((line(5_000, Recurrence(Frequency.ANNUALLY, anchor_day=1)),), None, (), 13),
        # With nothing left to pay today there is nothing to sell by a link.
        ((line(4_900, ANCHORED),), Discount(amount=usd(500)), (), 0),
        ((line(60, ANCHORED), line(20)), None, (Fee("Handling", amount=usd(27)),), 49),
    ],
)
def test_a_first_period_that_could_be_too_small_is_refused_when_the_link_is_made(
    lines: tuple[LineItem, ...], discount: Discount | None, fees: tuple[Fee, ...], message: int
) -> None:
    agreed = plan(lines, currency="usd", agreed_at=PUBLISHED, zone="America/New_York", discount=discount, fees=fees)
    with pytest.raises(InvalidValue) as refusal:
        agreed.check_chargeable()
    assert (refusal.value.code, refusal.value.param) == ("below_minimum", "lines")
    assert str(refusal.value) == (
        "The first period before the anchor day 1 can be as short as a day and would then cost "
        f"{message} in usd, below the smallest that can be charged, 50. Raise the price, add something that is paid "
        "once with it, or leave out the anchor day."
    )


@pytest.mark.parametrize(
    ("lines", "discount"),
    [
        # 16.18 x 23 hours / 31 days is 50.02 cents.
        ((line(1_618, ANCHORED),), None),
        ((line(500, ANCHORED), line(5_000)), None),
        ((line(1_618, IN_A_WEEK), line(5_000)), None),
        # A date says exactly how long the first period is: 14 of 28 days.
        ((line(500, replace(ANCHORED, start=Start(StartType.ON_DATE, on=date(2027, 2, 15)))), line(5_000)), None),
        # What costs nothing at all is settled without a charge.
        ((line(0, ANCHORED), line(5_000)), None),
        ((line(0, IN_A_WEEK), line(5_000)), None),
    ],
)
def test_a_first_period_that_is_always_enough_is_sold(lines: tuple[LineItem, ...], discount: Discount | None) -> None:
    plan(lines, currency="usd", agreed_at=PUBLISHED, zone="America/New_York", discount=discount).check_chargeable()


def test_a_discount_that_swallows_the_shortest_first_period_and_almost_the_next_is_refused() -> None:
    three_off = Discount(amount=usd(300), duration="forever")
    agreed = plan(
        (line(4_900, IN_A_WEEK), line(5_000)),
        currency="usd",
        agreed_at=PUBLISHED,
        zone="America/New_York",
        discount=three_off,
    )
    with pytest.raises(InvalidValue) as refusal:
        agreed.check_chargeable()
    assert refusal.value.code == "below_minimum"


def test_every_stretch_of_later_charges_is_looked_at() -> None:
    in_a_week = Recurrence(Frequency.MONTHLY, start=Start(StartType.AFTER_DAYS, count=7))
    # 95 percent off three times: 12.45, because a setup fee goes with the first, then 0.45, 0.45, 9.00.
    agreed = plan(
        (line(900, in_a_week),),
        currency="usd",
        agreed_at=PUBLISHED,
        zone="America/New_York",
        discount=Discount(amount=usd(855), duration=3),
        fees=(Fee("Setup", amount=usd(1_200)),),
    )
    with pytest.raises(InvalidValue) as refusal:
        agreed.check_chargeable()
    assert refusal.value.code == "below_minimum"
