"""Totals of any document: the column adds up, the lines add up to it, and it never falls below zero."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.domain.documents.lines import Discount, Fee, LineItem, Tax
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.currency import step
from chalicelib.domain.totals import Totals, compute_totals

# One of every exponent and step.
CURRENCIES = st.sampled_from(["usd", "jpy", "kwd", "isk", "ugx"])
PERCENTS = st.decimals("0.01", 100, places=2)
RATES = st.sampled_from([Decimal(rate) for rate in ("0", "5", "7.7", "8.875", "19", "20", "25")])


@dataclass(frozen=True)
class Document:
    lines: list[LineItem]
    currency: str
    discount: Discount | None
    fees: list[Fee]

    def totals(self) -> Totals:
        return compute_totals(self.lines, currency=self.currency, discount=self.discount, fees=self.fees)


def discounts(currency: str) -> st.SearchStrategy[Discount | None]:
    fixed = st.integers(0, 200_000).map(lambda minor: Discount(amount=Money(minor, currency)))
    return st.none() | fixed | PERCENTS.map(lambda percent: Discount(percent=percent))


def fees(currency: str) -> st.SearchStrategy[Fee]:
    fixed = st.integers(0, 5_000).map(lambda minor: Fee("Fee", amount=Money(minor, currency)))
    return fixed | PERCENTS.map(lambda percent: Fee("Fee", percent=percent))


@st.composite
def documents(draw: st.DrawFn) -> Document:
    currency = draw(CURRENCIES)
    lines = st.builds(
        LineItem,
        name=st.just("Item"),
        quantity=st.integers(1, 1_000),
        unit_amount=st.integers(0, 100_000).map(lambda minor: Money(minor, currency)),
        discount=discounts(currency),
        tax=st.none() | st.builds(Tax, RATES, st.booleans(), st.sampled_from([None, "VAT"])),
    )
    return Document(
        draw(st.lists(lines, max_size=6)),
        currency,
        draw(discounts(currency)),
        draw(st.lists(fees(currency), max_size=2)),
    )


@given(documents())
def test_the_column_adds_up(document: Document) -> None:
    totals = document.totals()
    exclusive = sum(tax.amount.minor for tax in totals.tax_lines if not tax.inclusive)
    column = totals.subtotal.minor - totals.discount.minor + totals.fees.minor + exclusive + totals.rounding.minor
    assert column == totals.total.minor
    assert totals.exclusive_tax.minor == exclusive
    assert totals.tax.minor == sum(tax.amount.minor for tax in totals.tax_lines)
    assert totals.fees.minor == sum(fee.amount.minor for fee in totals.fee_lines)
    assert totals.subtotal.minor == sum(line.quantity * line.unit_amount.minor for line in document.lines)


@given(documents())
def test_the_lines_add_up_to_the_total(document: Document) -> None:
    totals = document.totals()
    alone = sum(fee.amount.minor for fee in totals.fee_lines if not fee.spread)
    assert sum(line.total.minor for line in totals.lines) + alone + totals.rounding.minor == totals.total.minor
    assert sum(line.amount.minor for line in totals.lines) == totals.subtotal.minor
    assert sum(line.line_discount.minor + line.order_discount.minor for line in totals.lines) == totals.discount.minor
    assert sum(line.fees.minor for line in totals.lines) + alone == totals.fees.minor
    assert sum(line.tax.minor for line in totals.lines) == totals.tax.minor


@given(documents())
def test_nothing_is_ever_below_zero(document: Document) -> None:
    totals = document.totals()
    assert totals.total.minor >= 0
    assert 0 <= totals.discount.minor <= totals.subtotal.minor
    for line in totals.lines:
        assert 0 <= line.line_discount.minor + line.order_discount.minor <= line.amount.minor
        assert min(line.fees.minor, line.tax.minor, line.taxable.minor, line.total.minor) >= 0


@given(documents())
def test_tax_is_each_line_s_own_and_within_half_a_unit_of_exact(document: Document) -> None:
    for item, line in zip(document.lines, document.totals().lines, strict=True):
        base = line.amount.minor - line.line_discount.minor - line.order_discount.minor + line.fees.minor
        if item.tax is None:
            assert (line.tax.minor, line.taxable.minor, line.total.minor) == (0, 0, base)
            continue
        rate = Fraction(item.tax.percent) / 100
        if item.tax.inclusive:
            assert (line.taxable.minor + line.tax.minor, line.total.minor) == (base, base)
            assert abs(line.tax.minor - base * rate / (1 + rate)) <= Fraction(1, 2)
        else:
            assert (line.taxable.minor, line.total.minor) == (base, base + line.tax.minor)
            assert abs(line.tax.minor - base * rate) <= Fraction(1, 2)


@given(documents())
def test_the_total_can_be_charged_and_only_steps_are_rounded(document: Document) -> None:
    totals, size = document.totals(), step(document.currency)
    assert totals.total.minor % size == 0
    assert 2 * abs(totals.rounding.minor) <= size
    if size == 1:
        assert totals.rounding.minor == 0


@given(documents())
def test_the_order_of_untaxed_lines_does_not_change_the_total(document: Document) -> None:
    lines = [LineItem(item.name, item.quantity, item.unit_amount, discount=item.discount) for item in document.lines]
    backwards = list(reversed(lines))
    one = compute_totals(lines, currency=document.currency, discount=document.discount, fees=document.fees)
    other = compute_totals(backwards, currency=document.currency, discount=document.discount, fees=document.fees)
    assert (one.subtotal, one.discount, one.fees, one.total) == (
        other.subtotal,
        other.discount,
        other.fees,
        other.total,
    )


@given(documents(), st.integers(1, 10**5))
def test_a_larger_order_discount_never_costs_more(document: Document, more: int) -> None:
    assume(document.discount is None or document.discount.amount is not None)
    amount = Money.zero(document.currency) if document.discount is None else document.discount.amount
    assert amount is not None
    larger = Discount(amount=Money(amount.minor + more, document.currency))
    lines = [LineItem(item.name, item.quantity, item.unit_amount, discount=item.discount) for item in document.lines]
    before = compute_totals(lines, currency=document.currency, discount=Discount(amount=amount))
    assert compute_totals(lines, currency=document.currency, discount=larger).total <= before.total
