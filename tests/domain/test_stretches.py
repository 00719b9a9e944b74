"""Later charges as stretches of one amount each: what a page can say in a sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from chalicelib.domain.billing.agreement import plan
from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.documents.lines import Discount, Fee, LineItem
from chalicelib.domain.money.amounts import Money

AGREED = datetime(2027, 1, 31, 20, 30, tzinfo=UTC)
MONTHLY = Recurrence(Frequency.MONTHLY)
IN_A_WEEK = replace(MONTHLY, start=Start(StartType.AFTER_DAYS, count=7))


def stretches(
    recurring: Recurrence, discount: Discount | None = None, fees: tuple[Fee, ...] = ()
) -> list[tuple[int, str, str | None, int | None]]:
    (group,) = plan(
        (LineItem("Item", 1, Money(4_900, "usd"), recurring=recurring),),
        currency="usd",
        agreed_at=AGREED,
        zone="America/New_York",
        discount=discount,
        fees=fees,
    ).groups
    return [
        (
            each.amount.minor,
            each.first_at.date().isoformat(),
            None if each.second_at is None else each.second_at.date().isoformat(),
            each.count,
        )
        for each in group.stretches
    ]


def half(periods: int) -> Discount:
    return Discount(percent=Decimal("50"), duration=periods)


def test_one_amount_for_ever_is_one_stretch() -> None:
    assert stretches(MONTHLY) == [(4_900, "2027-02-28", "2027-03-31", None)]
    assert stretches(MONTHLY, Discount(percent=Decimal("50"))) == [(4_900, "2027-02-28", "2027-03-31", None)]


def test_a_discount_of_some_periods_makes_two() -> None:
    assert stretches(MONTHLY, half(3)) == [
        (2_450, "2027-02-28", "2027-03-31", 2),
        (4_900, "2027-04-30", "2027-05-31", None),
    ]
    assert stretches(IN_A_WEEK, half(1)) == [
        (2_450, "2027-02-07", None, 1),
        (4_900, "2027-03-07", "2027-04-07", None),
    ]


def test_a_term_that_ends_before_the_discount_has_one_amount() -> None:
    assert stretches(replace(MONTHLY, number_of_payments=3), half(3)) == [(2_450, "2027-02-28", "2027-03-31", 2)]
    assert stretches(replace(MONTHLY, number_of_payments=4), half(3)) == [
        (2_450, "2027-02-28", "2027-03-31", 2),
        (4_900, "2027-04-30", None, 1),
    ]
    assert stretches(replace(MONTHLY, number_of_payments=1)) == []


def test_fees_of_a_delayed_start_belong_to_its_first_charge() -> None:
    assert stretches(IN_A_WEEK, fees=(Fee("Setup", amount=Money(1_000, "usd")),)) == [
        (5_900, "2027-02-07", None, 1),
        (4_900, "2027-03-07", "2027-04-07", None),
    ]


def test_the_way_to_an_anchor_day_is_its_own_even_where_it_costs_the_same() -> None:
    # 7 of 31 days.
    anchored = replace(IN_A_WEEK, anchor_day=14)
    assert stretches(anchored) == [(1_106, "2027-02-07", None, 1), (4_900, "2027-02-14", "2027-03-14", None)]
    free = Discount(percent=Decimal("100"), duration=2)
    assert stretches(anchored, free) == [
        (0, "2027-02-07", None, 1),
        (0, "2027-02-14", None, 1),
        (4_900, "2027-03-14", "2027-04-14", None),
    ]
