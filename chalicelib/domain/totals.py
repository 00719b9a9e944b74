"""The one function that makes totals: everything that shows or charges an amount shows what this returned.

The order is fixed: the lines' own amounts (quantity times unit amount, or what their tiers make of the quantity), line
discount, order discount, fees, taxes, rounding to the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from chalicelib.domain.documents.lines import Discount, Fee, LineItem, Tax
from chalicelib.domain.errors import InvalidValue
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.currency import round_to_step
from chalicelib.domain.money.rounding import percent_of, percent_within, spread

_HUNDRED: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class TaxLine:
    """All tax of one rate. `taxable` is without the tax, also where the tax is inside the price."""

    percent: Decimal
    inclusive: bool
    taxable: Money
    amount: Money
    name: str | None


@dataclass(frozen=True, slots=True)
class FeeLine:
    """One fee. `spread` says that it is inside the lines (and taxed with them); otherwise it stands alone, untaxed."""

    name: str
    amount: Money
    spread: bool = True


@dataclass(frozen=True, slots=True)
class LineTotals:
    """One line: `total` = amount - line_discount - order_discount + fees + tax unless the tax is inclusive."""

    amount: Money
    line_discount: Money
    order_discount: Money
    fees: Money
    taxable: Money
    tax: Money
    total: Money


@dataclass(frozen=True, slots=True)
class Totals:
    """A document's sums. `total` = subtotal - discount + fees + exclusive tax + rounding.

    The lines' totals, the fees that stand alone and `rounding` add up to `total`. `rounding` is zero but for
    currencies that Stripe charges in steps.
    """

    subtotal: Money
    discount: Money
    fees: Money
    tax: Money
    rounding: Money
    total: Money
    tax_lines: tuple[TaxLine, ...]
    lines: tuple[LineTotals, ...]
    fee_lines: tuple[FeeLine, ...]

    @property
    def currency(self) -> str:
        """The one currency of all amounts."""
        return self.total.currency

    @property
    def exclusive_tax(self) -> Money:
        """The tax that is added to the prices."""
        return Money.total((line.amount for line in self.tax_lines if not line.inclusive), self.currency)


def _discount_on(base: Money, discount: Discount | None) -> Money:
    """What the discount takes off, never more than there is."""
    nothing = Money.zero(base.currency)
    if discount is None:
        return nothing
    if discount.percent is not None and discount.amount is None:
        if not 0 < discount.percent <= _HUNDRED:
            raise InvalidValue("A discount is above 0 and at most 100 percent.", "discount.percent", "out_of_range")
        taken = percent_of(base, discount.percent)
    elif discount.amount is not None and discount.percent is None:
        if discount.amount.minor < 0:
            raise InvalidValue("A discount cannot be below zero.", "discount.amount", "out_of_range")
        taken = nothing + discount.amount
    else:
        raise InvalidValue("A discount is either an amount or a percentage.", "discount")
    return max(nothing, min(taken, base))


def _fee_on(base: Money, fee: Fee) -> Money:
    nothing = Money.zero(base.currency)
    if fee.percent is not None and fee.amount is None:
        if not 0 <= fee.percent <= _HUNDRED:
            raise InvalidValue("A fee is at least 0 and at most 100 percent.", "fees", "out_of_range")
        return percent_of(max(nothing, base), fee.percent)
    if fee.amount is not None and fee.percent is None:
        if fee.amount.minor < 0:
            raise InvalidValue("A fee cannot be below zero.", "fees", "out_of_range")
        return nothing + fee.amount
    raise InvalidValue("A fee is either an amount or a percentage.", "fees")


def _tax_on(base: Money, tax: Tax | None) -> Money:
    if tax is None:
        return Money.zero(base.currency)
    if not 0 <= tax.percent <= _HUNDRED:
        raise InvalidValue("A tax is at least 0 and at most 100 percent.", "tax.percent", "out_of_range")
    return percent_within(base, tax.percent) if tax.inclusive else percent_of(base, tax.percent)


def _by_rate(lines: Sequence[LineItem], totals: Sequence[LineTotals]) -> tuple[TaxLine, ...]:
    groups: dict[tuple[Decimal, bool, str | None], TaxLine] = {}
    for line, sums in zip(lines, totals, strict=True):
        if line.tax is None:
            continue
        key = (line.tax.percent, line.tax.inclusive, line.tax.name)
        before = groups.get(key)
        groups[key] = TaxLine(
            line.tax.percent if before is None else before.percent,
            line.tax.inclusive,
            sums.taxable if before is None else before.taxable + sums.taxable,
            sums.tax if before is None else before.amount + sums.tax,
            line.tax.name,
        )
    return tuple(groups.values())


def compute_totals(
    lines: Sequence[LineItem],
    *,
    currency: str,
    discount: Discount | None = None,
    fees: Sequence[Fee] = (),
) -> Totals:
    """The totals of a document's lines, its order discount and its fees, all in one `currency`.

    Discounts stop at zero. A line may be below zero (a credit); only then can a total be. Raises CurrencyMismatch when
    currencies mix, InvalidValue for a discount, fee or tax that makes no sense or an unknown currency.
    """
    zero = Money.zero(currency)
    amounts = [zero + line.amount for line in lines]
    line_discounts = [_discount_on(amount, line.discount) for amount, line in zip(amounts, lines, strict=True)]
    nets = [amount - taken for amount, taken in zip(amounts, line_discounts, strict=True)]
    # An adjustment is no base of what is spread and takes no share of it: its own amount is after discount and tax.
    bases = [zero if line.adjustment else net for net, line in zip(nets, lines, strict=True)]
    weights = [max(zero, base) for base in bases]
    quantities = [0 if line.adjustment else line.quantity for line in lines]

    order_discount = _discount_on(Money.total(bases, currency), discount)
    order_shares = spread(order_discount, weights, quantities)
    discounted = Money.total(bases, currency) - order_discount

    fee_lines = tuple(FeeLine(fee.name, _fee_on(discounted, fee), discounted.minor > 0) for fee in fees)
    fee_shares = [zero] * len(lines)
    for fee_line in fee_lines:
        if fee_line.spread:
            shares = spread(fee_line.amount, weights, quantities)
            fee_shares = [before + share for before, share in zip(fee_shares, shares, strict=True)]

    line_totals = []
    for position, line in enumerate(lines):
        base = nets[position] - order_shares[position] + fee_shares[position]
        tax = _tax_on(base, line.tax)
        inclusive = line.tax is not None and line.tax.inclusive
        line_totals.append(
            LineTotals(
                amount=amounts[position],
                line_discount=line_discounts[position],
                order_discount=order_shares[position],
                fees=fee_shares[position],
                taxable=zero if line.tax is None else base - tax if inclusive else base,
                tax=tax,
                total=base if inclusive else base + tax,
            )
        )

    alone = (fee_line.amount for fee_line in fee_lines if not fee_line.spread)
    exact = Money.total((sums.total for sums in line_totals), currency) + Money.total(alone, currency)
    total = round_to_step(exact)
    return Totals(
        subtotal=Money.total(amounts, currency),
        discount=Money.total(line_discounts, currency) + order_discount,
        fees=Money.total((fee_line.amount for fee_line in fee_lines), currency),
        tax=Money.total((sums.tax for sums in line_totals), currency),
        rounding=total - exact,
        total=total,
        tax_lines=_by_rate(lines, line_totals),
        lines=tuple(line_totals),
        fee_lines=fee_lines,
    )
