"""Totals, by examples worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from chalicelib.domain.documents.lines import Discount, Fee, LineItem, Tax
from chalicelib.domain.errors import CurrencyMismatch, InvalidValue
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.totals import FeeLine, TaxLine, Totals, compute_totals


def usd(minor: int) -> Money:
    return Money(minor, "usd")


def line(unit: int, quantity: int = 1, discount: Discount | None = None, tax: Tax | None = None) -> LineItem:
    return LineItem("Item", quantity, usd(unit), discount=discount, tax=tax)


def percent(value: str) -> Discount:
    return Discount(percent=Decimal(value))


def sums(totals: Totals) -> dict[str, int]:
    return {name: getattr(totals, name).minor for name in ("subtotal", "discount", "fees", "tax", "rounding", "total")}


def test_a_percent_discount_is_taken_on_the_line_and_rounded_once() -> None:
    totals = compute_totals([line(23_456, 10, percent("20"))], currency="usd")
    assert sums(totals) == {
        "subtotal": 234_560,
        "discount": 46_912,
        "fees": 0,
        "tax": 0,
        "rounding": 0,
        "total": 187_648,
    }


def test_a_discount_on_each_unit_would_have_been_rounded_ten_times() -> None:
    # 10 x 0.99 at 15 %: 1.485 off, rounded to 1.49; per unit it would be 10 x 0.15 = 1.50.
    assert compute_totals([line(99, 10, percent("15"))], currency="usd").total == usd(841)


def test_nothing_is_nothing() -> None:
    totals = compute_totals([], currency="usd")
    assert sums(totals) == dict.fromkeys(("subtotal", "discount", "fees", "tax", "rounding", "total"), 0)
    assert (totals.lines, totals.tax_lines, totals.fee_lines) == ((), (), ())


def test_all_steps_come_in_their_order() -> None:
    # 2 x 100.00 - 10 % = 180.00 and 20.00; together 200.00, less 25 % = 150.00; fee 2 % of that = 3.00.
    tax = Tax(Decimal("10"), name="Sales tax")
    totals = compute_totals(
        [line(10_000, 2, percent("10"), tax), line(2_000)],
        currency="usd",
        discount=percent("25"),
        fees=[Fee("Handling", percent=Decimal("2"))],
    )
    first, second = totals.lines
    assert (first.amount, first.line_discount, first.order_discount, first.fees) == (
        usd(20_000),
        usd(2_000),
        usd(4_500),
        usd(270),
    )
    assert (first.taxable, first.tax, first.total) == (usd(13_770), usd(1_377), usd(15_147))
    assert (second.order_discount, second.fees, second.tax, second.total) == (usd(500), usd(30), usd(0), usd(1_530))
    assert sums(totals) == {
        "subtotal": 22_000,
        "discount": 7_000,
        "fees": 300,
        "tax": 1_377,
        "rounding": 0,
        "total": 16_677,
    }
    assert totals.tax_lines == (TaxLine(Decimal("10"), False, usd(13_770), usd(1_377), "Sales tax"),)
    assert totals.fee_lines == (FeeLine("Handling", usd(300), True),)


def test_an_inclusive_tax_is_shown_and_not_added() -> None:
    totals = compute_totals([line(11_900, tax=Tax(Decimal("19"), inclusive=True, name="MwSt"))], currency="usd")
    assert sums(totals) == {"subtotal": 11_900, "discount": 0, "fees": 0, "tax": 1_900, "rounding": 0, "total": 11_900}
    assert totals.tax_lines == (TaxLine(Decimal("19"), True, usd(10_000), usd(1_900), "MwSt"),)
    assert totals.exclusive_tax == usd(0)


def test_inclusive_and_exclusive_taxes_stand_side_by_side() -> None:
    totals = compute_totals(
        [line(11_900, tax=Tax(Decimal("19"), inclusive=True)), line(10_000, tax=Tax(Decimal("19")))], currency="usd"
    )
    assert totals.tax == usd(3_800)
    assert totals.exclusive_tax == usd(1_900)
    assert totals.total == usd(23_800)
    assert [tax.inclusive for tax in totals.tax_lines] == [True, False]


def test_tax_is_rounded_on_each_line_and_grouped_by_rate() -> None:
    # Three lines of 0.05 at 10 %: half a cent each, rounded up each; on the sum it would be 0.02.
    lines = [line(5, tax=Tax(Decimal("10"))), line(5, tax=Tax(Decimal("10.0"))), line(5, tax=Tax(Decimal("10")))]
    totals = compute_totals(lines, currency="usd")
    assert totals.tax_lines == (TaxLine(Decimal("10"), False, usd(15), usd(3), None),)
    assert totals.total == usd(18)


def test_taxes_of_one_rate_and_two_names_are_two_lines() -> None:
    lines = [line(1_000, tax=Tax(Decimal("5"), name="State")), line(1_000, tax=Tax(Decimal("5"), name="City"))]
    assert [tax.name for tax in compute_totals(lines, currency="usd").tax_lines] == ["State", "City"]


def test_a_zero_rate_has_its_line() -> None:
    totals = compute_totals([line(1_000, tax=Tax(Decimal("0"), name="Exempt"))], currency="usd")
    assert totals.tax_lines == (TaxLine(Decimal("0"), False, usd(1_000), usd(0), "Exempt"),)


def test_a_fixed_order_discount_is_shared_out_and_lowers_the_tax() -> None:
    lines = [line(3_333, tax=Tax(Decimal("10"))), line(6_667)]
    totals = compute_totals(lines, currency="usd", discount=Discount(amount=usd(1_000)))
    assert [sums.order_discount for sums in totals.lines] == [usd(333), usd(667)]
    assert totals.lines[0].tax == usd(300)
    assert totals.total == usd(9_300)


def test_weights_are_the_lines_after_their_own_discount() -> None:
    lines = [line(10_000, discount=percent("50")), line(5_000)]
    totals = compute_totals(lines, currency="usd", discount=Discount(amount=usd(1_000)))
    assert [sums.order_discount for sums in totals.lines] == [usd(500), usd(500)]


@pytest.mark.parametrize("discount", [Discount(amount=usd(1_001)), Discount(amount=usd(99_999_999)), percent("100")])
def test_no_discount_takes_a_total_below_zero(discount: Discount) -> None:
    on_order = compute_totals([line(600), line(400)], currency="usd", discount=discount)
    on_line = compute_totals([line(500, 2, discount)], currency="usd")
    assert (on_order.discount, on_order.total) == (usd(1_000), usd(0))
    assert (on_line.discount, on_line.total) == (usd(1_000), usd(0))


def test_a_line_and_an_order_discount_together_stop_at_zero() -> None:
    totals = compute_totals([line(1_000, discount=percent("90"))], currency="usd", discount=Discount(amount=usd(500)))
    assert (totals.lines[0].line_discount, totals.lines[0].order_discount) == (usd(900), usd(100))
    assert totals.total == usd(0)


def test_a_percent_fee_is_of_subtotal_less_discount_and_fees_do_not_pile_up() -> None:
    fees = [Fee("Card", percent=Decimal("3")), Fee("Service", percent=Decimal("3")), Fee("Post", amount=usd(499))]
    totals = compute_totals([line(10_000)], currency="usd", discount=percent("10"), fees=fees)
    assert [fee.amount for fee in totals.fee_lines] == [usd(270), usd(270), usd(499)]
    assert (totals.fees, totals.total) == (usd(1_039), usd(10_039))


def test_a_fee_is_taxed_with_the_lines_it_is_spread_over() -> None:
    lines = [line(7_500, tax=Tax(Decimal("20"))), line(2_500)]
    totals = compute_totals(lines, currency="usd", fees=[Fee("Post", amount=usd(1_000))])
    assert [sums.fees for sums in totals.lines] == [usd(750), usd(250)]
    assert (totals.tax, totals.total) == (usd(1_650), usd(12_650))


@pytest.mark.parametrize(
    ("lines", "discount"),
    [
        ([line(0, tax=Tax(Decimal("20")))], None),
        ([line(1_000, tax=Tax(Decimal("20")))], percent("100")),
        ([line(1_000, discount=percent("100"), tax=Tax(Decimal("20")))], None),
        ([], None),
    ],
)
def test_a_fee_on_a_zero_total_is_one_untaxed_fee_line(lines: list[LineItem], discount: Discount | None) -> None:
    fees = [Fee("Post", amount=usd(500)), Fee("Card", percent=Decimal("3"))]
    totals = compute_totals(lines, currency="usd", discount=discount, fees=fees)
    assert totals.fee_lines == (FeeLine("Post", usd(500), False), FeeLine("Card", usd(0), False))
    assert (totals.tax, totals.total) == (usd(0), usd(500))
    assert all(sums.fees == usd(0) for sums in totals.lines)


@pytest.mark.parametrize(
    ("currency", "unit", "rate", "rounding", "total"),
    [
        ("usd", 1_005, "10", 0, 1_106),
        ("jpy", 1_005, "10", 0, 1_106),
        ("kwd", 1_004, "0", -4, 1_000),
        ("kwd", 1_005, "0", 5, 1_010),
        ("kwd", 1_000, "5.5", 5, 1_060),
        ("isk", 10_000, "8.4", -40, 10_800),
        ("ugx", 10_050, "0", 50, 10_100),
        ("isk", 10_000, "0", 0, 10_000),
    ],
)
def test_a_total_is_rounded_to_what_can_be_charged_and_says_so(
    currency: str, unit: int, rate: str, rounding: int, total: int
) -> None:
    item = LineItem("Item", 1, Money(unit, currency), tax=Tax(Decimal(rate)))
    totals = compute_totals([item], currency=currency)
    assert (totals.rounding, totals.total) == (Money(rounding, currency), Money(total, currency))


def test_a_credit_line_lowers_the_total_with_its_tax_and_takes_no_share() -> None:
    tax = Tax(Decimal("10"))
    totals = compute_totals(
        [line(10_000, tax=tax), line(-4_000, tax=tax)], currency="usd", discount=Discount(amount=usd(1_000))
    )
    assert [sums.order_discount for sums in totals.lines] == [usd(1_000), usd(0)]
    assert (totals.tax, totals.total) == (usd(500), usd(5_500))


def test_only_credits_make_a_total_below_zero_and_no_discount_or_fee_joins_them() -> None:
    totals = compute_totals(
        [line(1_000), line(-4_000)], currency="usd", discount=percent("50"), fees=[Fee("Card", percent=Decimal("3"))]
    )
    assert (totals.discount, totals.fees, totals.total) == (usd(0), usd(0), usd(-3_000))


@pytest.mark.parametrize(
    ("lines", "discount", "fees"),
    [
        ([LineItem("Item", 1, Money(100, "eur"))], None, []),
        ([line(100), LineItem("Item", 1, Money(100, "eur"))], None, []),
        ([line(100, discount=Discount(amount=Money(1, "eur")))], None, []),
        ([line(100)], Discount(amount=Money(1, "eur")), []),
        ([line(100)], None, [Fee("Post", amount=Money(1, "eur"))]),
    ],
)
def test_currencies_never_mix(lines: list[LineItem], discount: Discount | None, fees: list[Fee]) -> None:
    with pytest.raises(CurrencyMismatch):
        compute_totals(lines, currency="usd", discount=discount, fees=fees)


@pytest.mark.parametrize(
    "discount",
    [
        Discount(),
        Discount(amount=usd(1), percent=Decimal("1")),
        percent("0"),
        percent("-1"),
        percent("100.01"),
        Discount(amount=usd(-1)),
    ],
)
def test_a_discount_that_makes_no_sense_is_refused(discount: Discount) -> None:
    with pytest.raises(InvalidValue):
        compute_totals([line(1_000)], currency="usd", discount=discount)
    with pytest.raises(InvalidValue):
        compute_totals([line(1_000, discount=discount)], currency="usd")


@pytest.mark.parametrize(
    "fee",
    [
        Fee("Fee"),
        Fee("Fee", amount=usd(1), percent=Decimal("1")),
        Fee("Fee", amount=usd(-1)),
        Fee("Fee", percent=Decimal("-1")),
        Fee("Fee", percent=Decimal("101")),
    ],
)
def test_a_fee_that_makes_no_sense_is_refused(fee: Fee) -> None:
    with pytest.raises(InvalidValue):
        compute_totals([line(1_000)], currency="usd", fees=[fee])


@pytest.mark.parametrize("rate", ["-0.01", "100.01"])
def test_a_tax_that_makes_no_sense_is_refused(rate: str) -> None:
    with pytest.raises(InvalidValue):
        compute_totals([line(1_000, tax=Tax(Decimal(rate)))], currency="usd")


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(InvalidValue) as refusal:
        compute_totals([], currency="xxx")
    assert refusal.value.code == "invalid_currency"
