"""A document's sums worked out a second time, in fractions and by its own code: the witness against the first.

Nothing of the domain's arithmetic is used. The rules are those of the domain's `totals`, in the same order: quantity
times unit amount or what tiers make of it, line discount, order discount, fees, taxes, rounding to what Stripe charges;
every fraction once, a half away from zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from chalicelib.domain.documents.lines import Discount, Fee, LineItem

STEPS: Final = {"bhd": 10, "jod": 10, "kwd": 10, "omr": 10, "tnd": 10, "isk": 100, "ugx": 100}
"""Currencies that Stripe charges in steps of minor units (https://docs.stripe.com/currencies#special-cases)."""


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums in minor units; `exclusive_tax` is what of the tax is added. `lines` are the lines' totals."""

    subtotal: int
    discount: int
    fees: int
    tax: int
    exclusive_tax: int
    rounding: int
    total: int
    lines: tuple[int, ...]


def half_up(value: Fraction) -> int:
    """The nearest integer, a half going away from zero."""
    away = (abs(value) + Fraction(1, 2)).__floor__()
    return away if value >= 0 else -away


def sums_of(lines: Sequence[LineItem], currency: str, discount: Discount | None, fees: Sequence[Fee]) -> Sums:
    """The sums of a document whose amounts are all in `currency`."""
    amounts = [_amount(line) for line in lines]
    taken = [_taken(amount, line.discount) for amount, line in zip(amounts, lines, strict=True)]
    nets = [amount - off for amount, off in zip(amounts, taken, strict=True)]
    # What settles a change stands beside discounts and fees, and neither counts it nor is spread over it.
    counted = [0 if line.adjustment else net for net, line in zip(nets, lines, strict=True)]
    order = _taken(sum(counted), discount)
    remaining = sum(counted) - order
    charged = [_fee(remaining, fee) for fee in fees]
    left = [net - share for net, share in zip(nets, _shares(order, counted, lines), strict=True)]
    if remaining > 0:
        for fee in charged:
            left = [base + share for base, share in zip(left, _shares(fee, counted, lines), strict=True)]
    inside = outside = 0
    totals = []
    for base, line in zip(left, lines, strict=True):
        added = 0
        if line.tax is not None:
            rate = Fraction(line.tax.percent) / 100
            if line.tax.inclusive:
                inside += half_up(base * rate / (1 + rate))
            else:
                added = half_up(base * rate)
        outside += added
        totals.append(base + added)
    exact = sum(totals) + (0 if remaining > 0 else sum(charged))
    step = STEPS.get(currency, 1)
    total = half_up(Fraction(exact, step)) * step
    return Sums(
        subtotal=sum(amounts),
        discount=sum(taken) + order,
        fees=sum(charged),
        tax=inside + outside,
        exclusive_tax=outside,
        rounding=total - exact,
        total=total,
        lines=tuple(totals),
    )


def _amount(line: LineItem) -> int:
    """A line's units at their prices. Tiers are looked at from below: where each begins, and what lies above that."""
    if line.tiers is None:
        return 0 if line.unit_amount is None else line.quantity * line.unit_amount.minor
    prices = [tier.amount.minor for tier in line.tiers.tiers]
    below = [0, *(tier.up_to for tier in line.tiers.tiers if tier.up_to is not None)]
    if line.tiers.model == "graduated":
        # A unit costs its first tier's price and, from each further tier on, what that tier adds or takes off.
        steps = [price - before for price, before in zip(prices, [0, *prices], strict=False)]
        return sum(step * max(0, line.quantity - start) for step, start in zip(steps, below, strict=True))
    price = prices[max(place for place, start in enumerate(below) if start < line.quantity)]
    return price if line.tiers.model == "stairstep" else price * line.quantity


def _taken(base: int, discount: Discount | None) -> int:
    if discount is None:
        return 0
    if discount.percent is not None:
        wanted = half_up(base * Fraction(discount.percent) / 100)
    else:
        wanted = 0 if discount.amount is None else discount.amount.minor
    return max(0, min(wanted, base))


def _fee(remaining: int, fee: Fee) -> int:
    if fee.percent is not None:
        return half_up(max(0, remaining) * Fraction(fee.percent) / 100)
    return 0 if fee.amount is None else fee.amount.minor


def _shares(amount: int, nets: Sequence[int], lines: Sequence[LineItem]) -> list[int]:
    """Largest remainder: whole units first, then one each to the largest fractions, ties to weight and place."""
    weights = [max(0, net) for net in nets]
    if not any(weights):
        weights = [0 if line.adjustment else line.quantity for line in lines]
    whole = sum(weights)
    if not whole:
        return [0 for _ in lines]
    exact = [Fraction(amount * weight, whole) for weight in weights]
    shares = [share.__floor__() for share in exact]
    order = sorted(range(len(lines)), key=lambda at: (shares[at] - exact[at], -weights[at], at))
    for at in order[: amount - sum(shares)]:
        shares[at] += 1
    return shares
