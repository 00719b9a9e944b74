"""The checker's own arithmetic and calendar: what they say by themselves, and that they agree with the domain's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.billing.schedule import Epoch, Schedule
from chalicelib.domain.documents.lines import Discount, Fee, LineItem, Tax
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.currency import step
from chalicelib.domain.pricing import PriceModel, Tier, TierTable
from chalicelib.domain.totals import compute_totals
from chalicelib.services.checking.arithmetic import STEPS, Sums, half_up, sums_of
from chalicelib.services.checking.calendar import period_end, period_start
from tests.services.shop import usd

CURRENCIES = st.sampled_from(["usd", "jpy", "kwd", "isk"])
PERCENTS = st.decimals("0.01", 100, places=2)
ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "UTC"]


@pytest.mark.parametrize(
    ("value", "rounded"), [("0.5", 1), ("-0.5", -1), ("1.4999", 1), ("2.5", 3), ("-2.5", -3), ("0", 0)]
)
def test_a_half_goes_away_from_zero(value: str, rounded: int) -> None:
    assert half_up(Fraction(value)) == rounded


def test_a_document_worked_out_by_hand() -> None:
    # 10 x 234.56 less 20 % is 1,876.48; 100 off the order are shared 98.96 and 1.04, 5 of fee 4.95 and 0.05.
    lines = [
        LineItem("Day", 10, usd(23_456), discount=Discount(percent=Decimal(20)), tax=Tax(Decimal(7))),
        LineItem("Cable", 1, usd(1_972), tax=Tax(Decimal(19), inclusive=True)),
    ]
    sums = sums_of(lines, "usd", Discount(amount=usd(10_000)), [Fee("Handling", amount=usd(500))])
    assert sums == Sums(
        subtotal=236_532,
        discount=46_912 + 10_000,
        fees=500,
        tax=12_477 + 299,
        exclusive_tax=12_477,
        rounding=0,
        total=236_532 - 56_912 + 500 + 12_477,
        lines=(178_247 + 12_477, 1_873),
    )


@pytest.mark.parametrize(
    ("model", "amounts"),
    [
        (PriceModel.VOLUME, [700, 3_500, 3_900, 6_500, 6_600]),
        (PriceModel.GRADUATED, [700, 3_500, 4_150, 6_750, 7_350]),
        (PriceModel.STAIRSTEP, [700, 700, 650, 650, 600]),
    ],
)
def test_tiers_worked_out_by_hand(model: PriceModel, amounts: list[int]) -> None:
    table = TierTable(model, (Tier(5, usd(700)), Tier(10, usd(650)), Tier(None, usd(600))))
    lines = [LineItem("Fonts", quantity, None, tiers=table) for quantity in (1, 5, 6, 10, 11)]
    assert list(sums_of(lines, "usd", None, ()).lines) == amounts


def test_what_is_charged_in_steps_is_rounded_to_them() -> None:
    sums = sums_of([LineItem("Bread", 1, Money(1_235, "kwd"))], "kwd", None, ())
    assert (sums.total, sums.rounding) == (1_240, 5)
    assert {currency: step(currency) for currency in STEPS} == STEPS


def discounts(currency: str) -> st.SearchStrategy[Discount | None]:
    fixed = st.integers(0, 200_000).map(lambda minor: Discount(amount=Money(minor, currency)))
    return st.none() | fixed | PERCENTS.map(lambda percent: Discount(percent=percent))


@st.composite
def tier_tables(draw: st.DrawFn, currency: str) -> TierTable:
    bounds = sorted(draw(st.sets(st.integers(1, 1_200), max_size=4)))
    tiers = [Tier(bound, Money(draw(st.integers(0, 100_000)), currency)) for bound in [*bounds, None]]
    return TierTable(draw(st.sampled_from([model for model in PriceModel if model != "flat"])), tuple(tiers))


@st.composite
def documents(draw: st.DrawFn) -> tuple[list[LineItem], str, Discount | None, list[Fee]]:
    currency = draw(CURRENCIES)
    lines = st.builds(
        LineItem,
        name=st.just("Item"),
        quantity=st.integers(1, 1_000),
        unit_amount=st.integers(-500, 100_000).map(lambda minor: Money(minor, currency)),
        discount=discounts(currency),
        tax=st.none() | st.builds(Tax, PERCENTS, st.booleans()),
    )
    fixed = st.integers(0, 5_000).map(lambda minor: Fee("Fee", amount=Money(minor, currency)))
    fees = fixed | PERCENTS.map(lambda percent: Fee("Fee", percent=percent))
    return (
        [
            replace(line, unit_amount=None, tiers=draw(tier_tables(currency))) if draw(st.booleans()) else line
            for line in draw(st.lists(lines, min_size=1, max_size=5))
        ],
        currency,
        draw(discounts(currency)),
        draw(st.lists(fees, max_size=2)),
    )


@settings(max_examples=80, deadline=None)
@given(documents())
def test_both_ways_of_adding_up_any_document_agree(
    document: tuple[list[LineItem], str, Discount | None, list[Fee]],
) -> None:
    lines, currency, discount, fees = document
    totals = compute_totals(lines, currency=currency, discount=discount, fees=fees)
    assert sums_of(lines, currency, discount, fees) == Sums(
        totals.subtotal.minor,
        totals.discount.minor,
        totals.fees.minor,
        totals.tax.minor,
        totals.exclusive_tax.minor,
        totals.rounding.minor,
        totals.total.minor,
        tuple(line.total.minor for line in totals.lines),
    )


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def test_the_31st_bills_at_month_ends_and_comes_back_to_the_31st() -> None:
    epoch = Epoch.at_instant(0, utc(2027, 1, 31, 20, 30), Frequency.MONTHLY, "America/New_York")
    assert [period_start([epoch], index) for index in range(4)] == [
        utc(2027, 1, 31, 20, 30),
        utc(2027, 2, 28, 20, 30),
        utc(2027, 3, 31, 19, 30),
        utc(2027, 4, 30, 19, 30),
    ]
    assert period_end([epoch], 0) == utc(2027, 2, 28, 20, 30)


def test_a_skipped_hour_moves_on_by_the_gap_and_a_doubled_one_is_the_first() -> None:
    # New York: 02:30 on 14 March 2027 does not exist, 01:30 on 7 November 2027 comes twice.
    skipped = Epoch.at_instant(0, utc(2027, 2, 14, 7, 30), Frequency.MONTHLY, "America/New_York")
    assert period_start([skipped], 1) == utc(2027, 3, 14, 7, 30)
    doubled = Epoch.at_instant(0, utc(2027, 10, 7, 5, 30), Frequency.MONTHLY, "America/New_York")
    assert period_start([doubled], 1) == utc(2027, 11, 7, 5, 30)


@settings(max_examples=80, deadline=None)
@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2037, 12, 31)),  # noqa: DTZ001 - strategies make naive times
    st.sampled_from(list(Frequency)),
    st.sampled_from(ZONES),
    st.integers(0, 12),
    st.integers(1, 3),
)
def test_both_calendars_agree_on_any_period(
    began: datetime, frequency: Frequency, zone: str, index: int, cut_at: int
) -> None:
    first = Epoch.at_instant(0, began.replace(tzinfo=UTC), frequency, zone)
    cut = Epoch.at_instant(cut_at, first.start_of(cut_at - 1).replace(second=59), Frequency.WEEKLY, zone)
    schedule = Schedule((first, cut)) if cut.starts_at > first.start_of(cut_at - 1) else Schedule((first,))
    period = schedule.period(index)
    assert (period_start(schedule.epochs, index), period_end(schedule.epochs, index)) == (period.start, period.end)
