"""What a quantity costs in each model: Stripe's own examples, the edges of tiers, and what holds for any table."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.billing.charges import share_lines
from chalicelib.domain.documents.lines import Discount, LineItem, Tax
from chalicelib.domain.errors import CurrencyMismatch, TillError
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.pricing import (
    MOST_TIERS,
    Portion,
    PriceModel,
    Tier,
    TierTable,
    amount_of,
    model_of,
    portions_of,
)
from chalicelib.domain.totals import compute_totals
from tests.builders import usd

MODELS = [PriceModel.VOLUME, PriceModel.GRADUATED, PriceModel.STAIRSTEP]


def table(model: PriceModel, *tiers: tuple[int | None, int]) -> TierTable:
    return TierTable(model, tuple(Tier(up_to, usd(amount)) for up_to, amount in tiers))


def fonts(model: PriceModel) -> TierTable:
    """The tiers of Stripe's example: 1 to 5 for 7, 6 to 10 for 6.50, from 11 on for 6 dollars."""
    return table(model, (5, 700), (10, 650), (None, 600))


# docs.stripe.com/subscriptions/pricing-models/tiered-pricing has the first two columns; the third is the same table
# with one amount a tier.
@pytest.mark.parametrize(
    ("quantity", "volume", "graduated", "stairstep"),
    [
        (1, 700, 700, 700),
        (5, 3_500, 3_500, 700),
        (6, 3_900, 4_150, 650),
        (10, 6_500, 6_750, 650),
        (11, 6_600, 7_350, 600),
        (20, 12_000, 12_750, 600),
        (25, 15_000, 15_750, 600),
        (999_999, 599_999_400, 600_000_150, 600),
    ],
)
def test_stripes_example_comes_out_as_stripe_says(quantity: int, volume: int, graduated: int, stairstep: int) -> None:
    assert fonts(PriceModel.VOLUME).amount(quantity) == usd(volume)
    assert fonts(PriceModel.GRADUATED).amount(quantity) == usd(graduated)
    assert fonts(PriceModel.STAIRSTEP).amount(quantity) == usd(stairstep)


def test_a_flat_price_is_the_same_for_every_unit() -> None:
    assert amount_of(usd(333), 3) == usd(999)
    assert portions_of(usd(333), 3) == (Portion(3, usd(333), usd(999)),)
    assert model_of(usd(333)) is PriceModel.FLAT


def test_portions_say_which_units_cost_what() -> None:
    assert fonts(PriceModel.GRADUATED).portions(12) == (
        Portion(5, usd(700), usd(3_500)),
        Portion(5, usd(650), usd(3_250)),
        Portion(2, usd(600), usd(1_200)),
    )
    assert fonts(PriceModel.GRADUATED).portions(5) == (Portion(5, usd(700), usd(3_500)),)
    assert fonts(PriceModel.VOLUME).portions(12) == (Portion(12, usd(600), usd(7_200)),)
    assert fonts(PriceModel.STAIRSTEP).portions(12) == (Portion(12, None, usd(600)),)


@pytest.mark.parametrize("model", MODELS)
def test_one_tier_without_end_is_a_table(model: PriceModel) -> None:
    assert table(model, (None, 250)).amount(4) == usd(250 if model is PriceModel.STAIRSTEP else 1_000)


def test_a_tier_may_be_free() -> None:
    assert table(PriceModel.GRADUATED, (3, 0), (None, 500)).amount(5) == usd(1_000)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("tiers", "problems"),
    [
        ([], {"tiers": "out_of_range"}),
        ([(each, 1) for each in range(1, MOST_TIERS + 1)] + [(None, 1)], {"tiers": "out_of_range"}),
        ([(5, 700)], {"tiers.0.up_to": "invalid_value"}),
        ([(5, 700), (10, 600)], {"tiers.1.up_to": "invalid_value"}),
        ([(None, 700), (None, 600)], {"tiers.0.up_to": "invalid_value"}),
        ([(None, 700), (5, 600), (None, 500)], {"tiers.0.up_to": "invalid_value"}),
        ([(5, 700), (5, 650), (None, 600)], {"tiers.1.up_to": "out_of_range"}),
        ([(5, 700), (4, 650), (None, 600)], {"tiers.1.up_to": "out_of_range"}),
        ([(0, 700), (None, 600)], {"tiers.0.up_to": "out_of_range"}),
        ([(5, 700), (None, -1)], {"tiers.1": "out_of_range"}),
        (
            [(5, -1), (3, 650), (4, 640), (9, 600)],
            {
                "tiers.0": "out_of_range",
                "tiers.1.up_to": "out_of_range",
                "tiers.2.up_to": "out_of_range",
                "tiers.3.up_to": "invalid_value",
            },
        ),
    ],
)
def test_a_table_that_leaves_a_quantity_without_one_price_is_refused_with_all_that_is_wrong(
    model: PriceModel, tiers: list[tuple[int | None, int]], problems: dict[str, str]
) -> None:
    with pytest.raises(TillError) as refusal:
        table(model, *tiers)
    assert {each.param: each.code for each in refusal.value.errors} == problems
    assert (refusal.value.param, refusal.value.code) == next(iter(problems.items()))


def test_a_table_has_one_currency_and_a_model_with_tiers() -> None:
    with pytest.raises(TillError) as refusal:
        TierTable(PriceModel.VOLUME, (Tier(1, usd(5)), Tier(None, Money(5, "eur"))))
    assert (refusal.value.code, refusal.value.param) == ("currency_mismatch", "tiers.1")
    with pytest.raises(TillError) as refusal:
        table(PriceModel.FLAT, (None, 5))
    assert (refusal.value.code, refusal.value.param) == ("invalid_value", "tiers")


@st.composite
def tables(draw: st.DrawFn) -> TierTable:
    bounds = sorted(draw(st.sets(st.integers(1, 2_000), max_size=6)))
    amounts = draw(st.lists(st.integers(0, 99_999), min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    return table(draw(st.sampled_from(MODELS)), *zip([*bounds, None], amounts, strict=True))


@given(tables(), st.integers(1, 2_500))
def test_any_quantity_costs_what_counting_unit_by_unit_says(prices: TierTable, quantity: int) -> None:
    bounds = [tier.up_to for tier in prices.tiers if tier.up_to is not None]

    def of_unit(number: int) -> int:
        return prices.tiers[bisect_left(bounds, number)].amount.minor

    expected = {
        PriceModel.VOLUME: of_unit(quantity) * quantity,
        PriceModel.GRADUATED: sum(of_unit(number) for number in range(1, quantity + 1)),
        PriceModel.STAIRSTEP: of_unit(quantity),
    }[prices.model]
    assert prices.amount(quantity) == usd(expected)


@given(tables(), st.integers(1, 2_500))
def test_portions_add_up_to_quantity_and_amount(prices: TierTable, quantity: int) -> None:
    portions = prices.portions(quantity)
    assert sum(portion.quantity for portion in portions) == quantity
    assert Money.total((portion.amount for portion in portions), "usd") == prices.amount(quantity)
    for portion in portions:
        assert portion.quantity > 0
        assert portion.unit_amount is None or portion.unit_amount * portion.quantity == portion.amount


@given(tables(), st.integers(1, 2_500))
def test_one_more_unit_of_a_graduated_price_costs_its_tiers_price(prices: TierTable, quantity: int) -> None:
    graduated = replace(prices, model=PriceModel.GRADUATED)
    more = graduated.amount(quantity + 1) - graduated.amount(quantity)
    assert more == graduated.portions(quantity + 1)[-1].unit_amount


# --- on a line --------------------------------------------------------------------------------------------------------


def test_a_tiered_line_goes_through_the_totals_like_any_other() -> None:
    # 12 fonts graduated are 79.50; with 20 a piece for 2 prints 119.50; 10 % off the line, then 8.875 % on 71.55.
    line = LineItem(
        "Fonts",
        12,
        None,
        tiers=fonts(PriceModel.GRADUATED),
        discount=Discount(percent=Decimal(10)),
        tax=Tax(Decimal("8.875")),
    )
    totals = compute_totals([line, LineItem("Prints", 2, usd(2_000))], currency="usd")
    assert (totals.subtotal, totals.discount, totals.tax, totals.total) == (
        usd(11_950),
        usd(795),
        usd(635),
        usd(11_790),
    )
    assert totals.lines[0].amount == usd(7_950)


def test_another_quantity_takes_another_amount_from_the_copied_tiers() -> None:
    line = LineItem("Fonts", 5, None, tiers=fonts(PriceModel.VOLUME))
    assert [replace(line, quantity=each).amount for each in (5, 6, 11)] == [usd(3_500), usd(3_900), usd(6_600)]


def test_a_share_of_a_period_is_one_amount_of_the_whole_line() -> None:
    (share,) = share_lines([LineItem("Fonts", 12, None, tiers=fonts(PriceModel.GRADUATED))], (1, 3))
    assert (share.quantity, share.unit_amount, share.tiers) == (1, usd(2_650), None)


def test_a_line_has_a_price_a_unit_or_tiers_and_never_both_or_none() -> None:
    for unit_amount, tiers in ((None, None), (usd(1), fonts(PriceModel.VOLUME))):
        with pytest.raises(ValueError, match="either a unit amount or a table of tiers"):
            LineItem("Fonts", 1, unit_amount, tiers=tiers)


def test_tiers_of_another_currency_than_the_document_are_refused() -> None:
    with pytest.raises(CurrencyMismatch):
        compute_totals([LineItem("Fonts", 1, None, tiers=fonts(PriceModel.VOLUME))], currency="eur")
