"""Rounding and sharing out: every fraction of a minor unit is decided here, once, half up and away from zero."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from chalicelib.domain.errors import InvalidValue
from chalicelib.domain.money.amounts import Money

_MOST_DIGITS: Final = 12
"""Of a percentage, before or after the point: far beyond any real rate, and cheap to turn into integers."""


def divide_half_up(numerator: int, denominator: int) -> int:
    """The quotient rounded to an integer, a half going away from zero. `denominator` is above zero."""
    if denominator <= 0:
        raise ValueError("the denominator must be above zero")
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return quotient if numerator >= 0 else -quotient


def percent_ratio(percent: Decimal) -> tuple[int, int]:
    """A percentage as an exact fraction of one: 12.5 is (125, 1000). Raises InvalidValue when it is no sane number."""
    # Turning Decimal("1e1000000") into an integer takes many seconds, so its size is looked at first.
    places = percent.as_tuple().exponent
    if not isinstance(places, int) or not -_MOST_DIGITS <= places <= _MOST_DIGITS or percent.adjusted() > _MOST_DIGITS:
        raise InvalidValue("This is not a percentage.")
    numerator, denominator = percent.as_integer_ratio()
    return numerator, denominator * 100


def percent_of(amount: Money, percent: Decimal) -> Money:
    """`percent` hundredths of the amount, rounded once to the minor unit."""
    numerator, denominator = percent_ratio(percent)
    return Money(divide_half_up(amount.minor * numerator, denominator), amount.currency)


def percent_within(amount: Money, percent: Decimal) -> Money:
    """The part of the amount that is a tax of `percent` already inside it: 19 of 119 at 19 percent."""
    numerator, denominator = percent_ratio(percent)
    return Money(divide_half_up(amount.minor * numerator, denominator + numerator), amount.currency)


def prorate(amount: Money, part_seconds: int, whole_seconds: int) -> Money:
    """The share of the amount for a part of a period, rounded once."""
    return Money(divide_half_up(amount.minor * part_seconds, whole_seconds), amount.currency)


def spread(total: Money, weights: Sequence[Money], quantities: Sequence[int]) -> tuple[Money, ...]:
    """Share `total` out in proportion to `weights`, by largest remainder; the shares add up to it exactly.

    A minor unit that two shares have an equal claim to goes to the larger weight, then to the earlier one. When all
    weights are zero, `quantities` are the weights. Raises ValueError when there is nothing to share it out by.
    """
    shares = [Money.zero(total.currency) + weight for weight in weights]
    sizes = [weight.minor for weight in shares]
    if not any(sizes):
        sizes = list(quantities)
    if len(sizes) != len(weights) or len(quantities) != len(weights) or min(sizes, default=0) < 0:
        raise ValueError("there is one weight and one quantity a line, none below zero")
    whole = sum(sizes)
    if whole == 0:
        if total:
            raise ValueError("there is nothing to share the amount out by")
        return tuple(shares)
    sign = -1 if total.minor < 0 else 1
    parts = [divmod(abs(total.minor) * size, whole) for size in sizes]
    left = abs(total.minor) - sum(floor for floor, _ in parts)
    by_claim = sorted(range(len(parts)), key=lambda line: (-parts[line][1], -sizes[line], line))
    lucky = set(by_claim[:left])
    return tuple(Money(sign * (floor + (line in lucky)), total.currency) for line, (floor, _) in enumerate(parts))
