"""Rounding half up away from zero, and sharing out without losing a minor unit."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import CurrencyMismatch, InvalidValue
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.rounding import divide_half_up, percent_of, percent_within, prorate, spread

PERCENTS = st.decimals(0, 100, places=4)
AMOUNTS = st.integers(-(10**9), 10**9)
LINES = st.lists(st.tuples(st.integers(0, 10**8), st.integers(1, 999_999)), min_size=1, max_size=12)


def usd(minor: int) -> Money:
    return Money(minor, "usd")


def exactly(value: Fraction) -> int:
    """Half up away from zero by the decimal module: another implementation than ours."""
    with localcontext() as context:
        context.prec = 200
        quotient = Decimal(value.numerator) / Decimal(value.denominator)
        return int(quotient.quantize(Decimal(1), ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [(1, 2, 1), (-1, 2, -1), (3, 2, 2), (-3, 2, -2), (49, 100, 0), (-49, 100, 0), (50, 100, 1), (0, 7, 0), (7, 7, 1)],
)
def test_a_half_goes_away_from_zero(numerator: int, denominator: int, quotient: int) -> None:
    assert divide_half_up(numerator, denominator) == quotient


@pytest.mark.parametrize("denominator", [0, -1])
def test_dividing_by_nothing_is_refused(denominator: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        divide_half_up(1, denominator)


@pytest.mark.parametrize(
    ("amount", "percent", "part"),
    [
        (234_560, "20", 46_912),
        (999, "10", 100),
        (995, "10", 100),
        (994, "10", 99),
        (-995, "10", -100),
        (10_000, "8.875", 888),
        (1, "50", 1),
        (1, "49.9999", 0),
        (12_345, "0", 0),
        (12_345, "100", 12_345),
    ],
)
def test_a_percentage_is_rounded_once(amount: int, percent: str, part: int) -> None:
    assert percent_of(usd(amount), Decimal(percent)) == usd(part)


@pytest.mark.parametrize(
    ("amount", "percent", "inside"),
    [(11_900, "19", 1_900), (10_000, "7.7", 715), (100, "0", 0), (1, "100", 1), (-11_900, "19", -1_900)],
)
def test_a_tax_inside_a_price_is_taken_out_of_it(amount: int, percent: str, inside: int) -> None:
    assert percent_within(usd(amount), Decimal(percent)) == usd(inside)


@given(AMOUNTS, PERCENTS)
def test_percentages_are_exact_before_they_are_rounded(minor: int, percent: Decimal) -> None:
    rate = Fraction(percent) / 100
    assert percent_of(usd(minor), percent).minor == exactly(minor * rate)
    assert percent_within(usd(minor), percent).minor == exactly(minor * rate / (1 + rate))


@pytest.mark.parametrize("percent", ["NaN", "Infinity", "-Infinity", "1e1000000", "1e-1000000", "1e13"])
def test_a_percentage_of_insane_size_is_refused_at_once(percent: str) -> None:
    with pytest.raises(InvalidValue):
        percent_of(usd(100), Decimal(percent))


@given(AMOUNTS, st.integers(0, 10**8), st.integers(1, 10**8))
def test_a_part_of_a_period_costs_its_share_rounded_once(minor: int, part: int, whole: int) -> None:
    assert prorate(usd(minor), part, whole).minor == exactly(Fraction(minor * part, whole))


def test_a_whole_period_costs_all_of_it() -> None:
    assert prorate(usd(1_999), 2_678_400, 2_678_400) == usd(1_999)
    assert prorate(usd(3_100), 22 * 86_400, 31 * 86_400) == usd(2_200)


@pytest.mark.parametrize(
    ("total", "weights", "quantities", "shares"),
    [
        (100, [1, 1, 1], [1, 1, 1], [34, 33, 33]),
        (101, [1, 1, 1], [1, 1, 1], [34, 34, 33]),
        (1, [50, 100], [1, 1], [0, 1]),
        # Both claim half a cent: the larger weight gets it, wherever it stands.
        (2, [100, 300], [1, 1], [0, 2]),
        (2, [300, 100], [1, 1], [2, 0]),
        (1, [10, 10], [9, 9], [1, 0]),
        (10, [0, 0], [1, 4], [2, 8]),
        (1, [0, 0], [1, 1], [1, 0]),
        (7, [0, 5, 0], [9, 1, 9], [0, 7, 0]),
        (-100, [1, 1, 1], [1, 1, 1], [-34, -33, -33]),
        (0, [0, 0], [1, 1], [0, 0]),
        (0, [], [], []),
    ],
)
def test_shares_go_by_largest_remainder_and_ties_by_weight_then_place(
    total: int, weights: list[int], quantities: list[int], shares: list[int]
) -> None:
    assert spread(usd(total), [usd(weight) for weight in weights], quantities) == tuple(usd(share) for share in shares)


@given(AMOUNTS, LINES)
def test_shares_add_up_and_none_is_a_whole_unit_off(total: int, lines: list[tuple[int, int]]) -> None:
    weights, quantities = [weight for weight, _ in lines], [quantity for _, quantity in lines]
    shares = [share.minor for share in spread(usd(total), [usd(weight) for weight in weights], quantities)]
    assert sum(shares) == total
    claims = weights if any(weights) else quantities
    for share, claim in zip(shares, claims, strict=True):
        assert abs(share - Fraction(total * claim, sum(claims))) < 1


@given(st.integers(0, 10**8), LINES)
def test_no_line_is_discounted_by_more_than_itself(total: int, lines: list[tuple[int, int]]) -> None:
    weights = [weight for weight, _ in lines]
    taken = min(total, sum(weights))
    shares = spread(usd(taken), [usd(weight) for weight in weights], [quantity for _, quantity in lines])
    assert all(0 <= share.minor <= weight for share, weight in zip(shares, weights, strict=True))


@given(st.integers(0, 10**6), st.lists(st.integers(1, 10**6), min_size=2, max_size=8, unique=True))
def test_lines_of_different_weight_get_the_same_share_in_any_order(total: int, weights: list[int]) -> None:
    shuffled = sorted(weights)
    by_weight = dict(zip(weights, spread(usd(total), [usd(w) for w in weights], [1] * len(weights)), strict=True))
    again = dict(zip(shuffled, spread(usd(total), [usd(w) for w in shuffled], [1] * len(weights)), strict=True))
    assert by_weight == again


@pytest.mark.parametrize(
    ("total", "weights", "quantities"),
    [(1, [], []), (1, [0], [0]), (1, [-1, 2], [1, 1]), (1, [1, 2], [1]), (1, [0, 0], [1])],
)
def test_what_cannot_be_shared_out_is_refused(total: int, weights: list[int], quantities: list[int]) -> None:
    with pytest.raises(ValueError, match=r"share|weight"):
        spread(usd(total), [usd(weight) for weight in weights], quantities)


def test_a_weight_in_another_currency_is_refused() -> None:
    with pytest.raises(CurrencyMismatch):
        spread(usd(1), [Money(1, "eur")], [1])
