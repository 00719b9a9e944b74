"""Stripe's currencies, and what can be charged in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import CurrencyMismatch, InvalidValue
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.currency import (
    check_chargeable,
    exponent,
    is_currency,
    minimum_charge,
    round_to_step,
    step,
)

AMOUNTS = st.integers(-(10**12), 10**12)
CURRENCIES = st.sampled_from(["usd", "eur", "jpy", "kwd", "isk", "huf"])


@pytest.mark.parametrize(
    ("currency", "decimals", "size", "least"),
    [
        ("usd", 2, 1, 50),
        ("eur", 2, 1, 50),
        ("gbp", 2, 1, 30),
        ("huf", 2, 1, 17_500),
        ("mxn", 2, 1, 1_000),
        ("twd", 2, 1, None),
        ("jpy", 0, 1, 50),
        ("krw", 0, 1, 50),
        ("xpf", 0, 1, None),
        ("mga", 0, 1, None),
        ("kwd", 3, 10, None),
        ("bhd", 3, 10, None),
        ("jod", 3, 10, None),
        ("omr", 3, 10, None),
        ("tnd", 3, 10, None),
        ("isk", 2, 100, None),
        ("ugx", 2, 100, None),
    ],
)
def test_a_currency_has_stripe_s_decimals_step_and_minimum(
    currency: str, decimals: int, size: int, least: int | None
) -> None:
    assert (exponent(currency), step(currency), minimum_charge(currency)) == (decimals, size, least)


@pytest.mark.parametrize("code", ["", "USD", "us", "usdd", "xxx", "euro", "usd ", "hrk"])
def test_other_text_is_no_currency(code: str) -> None:
    assert not is_currency(code)
    for rule in (exponent, step, minimum_charge):
        with pytest.raises(InvalidValue) as refusal:
            rule(code)
        assert refusal.value.code == "invalid_currency"


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [
        (Money(5_124, "kwd"), 5_120),
        (Money(5_125, "kwd"), 5_130),
        (Money(5_126, "kwd"), 5_130),
        (Money(-5_125, "kwd"), -5_130),
        (Money(4, "kwd"), 0),
        (Money(549, "isk"), 500),
        (Money(550, "isk"), 600),
        (Money(49, "isk"), 0),
        (Money(150, "ugx"), 200),
        (Money(1_234, "usd"), 1_234),
        (Money(1_234, "jpy"), 1_234),
    ],
)
def test_an_amount_is_rounded_to_the_step_half_up(amount: Money, rounded: int) -> None:
    assert round_to_step(amount) == Money(rounded, amount.currency)


@given(AMOUNTS, CURRENCIES)
def test_rounding_to_the_step_moves_by_half_a_step_at_most_and_only_once(minor: int, currency: str) -> None:
    rounded = round_to_step(Money(minor, currency))
    assert rounded.minor % step(currency) == 0
    assert 2 * abs(rounded.minor - minor) <= step(currency)
    assert round_to_step(rounded) == rounded


@pytest.mark.parametrize(
    "amount",
    [Money(0, "usd"), Money(50, "usd"), Money(99_999_999, "usd"), Money(1, "twd"), Money(50, "jpy"), Money(0, "kwd")],
)
def test_what_stripe_charges_passes_and_so_does_zero(amount: Money) -> None:
    check_chargeable(amount)


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (Money(1, "usd"), "below_minimum"),
        (Money(49, "usd"), "below_minimum"),
        (Money(29, "gbp"), "below_minimum"),
        (Money(-1, "usd"), "below_minimum"),
        (Money(-1, "twd"), "below_minimum"),
        (Money(100_000_000, "usd"), "above_maximum"),
        (Money(100_000_000, "twd"), "above_maximum"),
        (Money(100, "xxx"), "invalid_currency"),
    ],
)
def test_what_stripe_would_refuse_is_refused_with_its_code(amount: Money, code: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        check_chargeable(amount, "lines")
    assert refusal.value.code == code


def test_a_refused_amount_names_the_field() -> None:
    with pytest.raises(InvalidValue) as refusal:
        check_chargeable(Money(49, "usd"), "lines.0.unit_amount")
    assert refusal.value.param == "lines.0.unit_amount"


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_money_adds_like_integers(a: int, b: int, c: int) -> None:
    one, two, three = Money(a, "usd"), Money(b, "usd"), Money(c, "usd")
    assert (one + two) + three == one + (two + three) == Money(a + b + c, "usd")
    assert one - two == -(two - one) == Money(a - b, "usd")
    assert Money.total([one, two, three], "usd") == Money(a + b + c, "usd")
    assert one * 3 == one + one + one
    assert (one < two, one <= two, one > two, one >= two) == (a < b, a <= b, a > b, a >= b)


@given(AMOUNTS, AMOUNTS)
def test_two_currencies_never_meet(a: int, b: int) -> None:
    dollars, euros = Money(a, "usd"), Money(b, "eur")
    for mix in (
        lambda: dollars + euros,
        lambda: dollars - euros,
        lambda: dollars < euros,
        lambda: dollars <= euros,
        lambda: dollars > euros,
        lambda: dollars >= euros,
        lambda: Money.total([dollars], "eur"),
    ):
        with pytest.raises(CurrencyMismatch) as refusal:
            mix()
        assert refusal.value.code == "currency_mismatch"


@pytest.mark.parametrize("minor", [1.0, True, "1", None])
def test_an_amount_is_an_integer_and_nothing_like_one(minor: object) -> None:
    with pytest.raises(TypeError, match="minor units"):
        Money(minor, "usd")  # type: ignore[arg-type]
