"""Lines made of the catalogue: what is copied, what is refused, and that nothing changes afterwards."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.documents.catalogue import Price, Product, TaxRate
from chalicelib.domain.documents.lines import Discount, LineItem, Tax
from chalicelib.domain.errors import TillError
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.pricing import PriceModel, Tier, TierTable
from chalicelib.services.catalogue.lines import MOST_TIERS_OF_LINES, LineOrder, copied_lines
from chalicelib.services.catalogue.prices import NewPrice, create_price, update_price
from chalicelib.services.catalogue.products import NewProduct, create_product, update_product
from chalicelib.services.catalogue.tax_rates import NewTaxRate, create_tax_rate, update_tax_rate
from chalicelib.services.links import LinkChanges, NewLink, create_link, update_link
from chalicelib.services.merchants import create_merchant
from chalicelib.services.ports import Insert
from chalicelib.storage.codec import to_text
from tests import builders as build
from tests.services.shop import Shop, usd

FONTS = TierTable(PriceModel.GRADUATED, (Tier(5, usd(700)), Tier(10, usd(650)), Tier(None, usd(600))))


class Shelf:
    """A shop's catalogue: fonts by tiers, taxed as the product says, and a yearly plan."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.rate = create_tax_rate(
            shop.ports, shop.merchant.id, NewTaxRate("Sales tax", Decimal("8.875")), actor="test"
        )
        new = NewProduct("Fonts", "usd", description="Ten weights.", tax_rate_id=self.rate.id)
        self.product = create_product(shop.ports, shop.merchant.id, new, actor="test")
        self.fonts = self.price(FONTS)
        self.plan = self.price(usd(9_900), Frequency.ANNUALLY)

    def price(self, pricing: Money | TierTable, frequency: Frequency | None = None) -> Price:
        new = NewPrice(self.product.id, pricing, frequency)
        return create_price(self.shop.ports, self.shop.merchant.id, new, actor="test")

    def copied(self, *orders: LineItem | LineOrder, **options: Any) -> tuple[LineItem, ...]:
        options.setdefault("currency", "usd")
        return copied_lines(self.shop.ports, self.shop.merchant.id, orders, **options)

    def refused(self, *orders: LineItem | LineOrder, **options: Any) -> dict[str | None, str]:
        """The code of each field at fault."""
        with pytest.raises(TillError) as refusal:
            self.copied(*orders, **options)
        assert (refusal.value.param, refusal.value.code) == (
            refusal.value.errors[0].param,
            refusal.value.errors[0].code,
        )
        return {each.param: each.code for each in refusal.value.errors}


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def shelf(shop: Shop) -> Shelf:
    return Shelf(shop)


def plain(price: Price, quantity: int = 1, **changes: Any) -> LineOrder:
    """A line of which the caller says nothing but price and quantity."""
    says: Any = frozenset({"description", "tax"})
    return LineOrder(**{"quantity": quantity, "price_id": price.id, "product_says": says, **changes})


def test_a_line_by_its_price_copies_name_description_tiers_and_tax(shelf: Shelf) -> None:
    (line,) = shelf.copied(plain(shelf.fonts, 12))
    assert line == LineItem(
        name="Fonts",
        quantity=12,
        unit_amount=None,
        tiers=FONTS,
        description="Ten weights.",
        tax=Tax(Decimal("8.875"), False, "Sales tax", shelf.rate.id),
        price_id=shelf.fonts.id,
        product_id=shelf.product.id,
    )
    assert line.amount == usd(7_950)


def test_what_the_line_says_itself_counts_and_nothing_means_none(shelf: Shelf) -> None:
    none: Any = frozenset()
    (bare,) = shelf.copied(plain(shelf.fonts, product_says=none))
    assert (bare.description, bare.tax) == (None, None)
    own = plain(
        shelf.fonts,
        product_says=none,
        description="For print",
        tax=Tax(Decimal(5)),
        discount=Discount(percent=Decimal(10)),
    )
    (line,) = shelf.copied(own)
    assert (line.name, line.description, line.tax, line.discount) == (
        "Fonts",
        "For print",
        Tax(Decimal(5)),
        Discount(percent=Decimal(10)),
    )


def test_a_written_line_takes_a_rate_of_the_catalogue(shelf: Shelf) -> None:
    order = LineOrder(2, name="Setup", unit_amount=usd(5_000), tax_rate_id=shelf.rate.id)
    (line,) = shelf.copied(order)
    assert line == LineItem("Setup", 2, usd(5_000), tax=shelf.rate.tax)


def test_a_recurring_price_repeats_until_cancelled_from_payment_on(shelf: Shelf) -> None:
    (line,) = shelf.copied(plain(shelf.plan))
    assert line.recurring == Recurrence(Frequency.ANNUALLY)
    terms = Recurrence(Frequency.ANNUALLY, 3, Start(StartType.AFTER_DAYS, 14), anchor_day=1)
    (line,) = shelf.copied(plain(shelf.plan, recurring=terms))
    assert line.recurring == terms


def test_a_price_and_its_line_have_one_rhythm(shelf: Shelf) -> None:
    monthly = Recurrence(Frequency.MONTHLY)
    assert shelf.refused(plain(shelf.plan, recurring=monthly)) == {"lines.0.recurring.frequency": "invalid_value"}
    assert shelf.refused(plain(shelf.fonts, recurring=monthly)) == {"lines.0.recurring": "invalid_value"}


def test_a_document_with_a_rhythm_takes_prices_of_that_rhythm_alone(shelf: Shelf) -> None:
    yearly = Recurrence(Frequency.ANNUALLY, 2)
    written = LineOrder(1, name="Setup", unit_amount=usd(5_000))
    lines = shelf.copied(plain(shelf.plan), written, rhythm=yearly)
    assert [line.recurring for line in lines] == [yearly, yearly]
    assert shelf.refused(plain(shelf.plan), rhythm=Recurrence(Frequency.MONTHLY)) == {"lines.0.price": "invalid_value"}
    assert shelf.refused(plain(shelf.fonts), rhythm=yearly) == {"lines.0.price": "invalid_value"}


def test_everything_that_cannot_be_sold_is_refused_at_once_each_by_its_line(shelf: Shelf) -> None:
    shop = shelf.shop
    other, _ = create_merchant(shop.ports, name="Other", timezone="UTC", currency="usd")
    their_rate = create_tax_rate(shop.ports, other.id, NewTaxRate("Theirs", Decimal(5)), actor="test")
    their_product = create_product(shop.ports, other.id, NewProduct("Theirs", "usd"), actor="test")
    theirs = create_price(shop.ports, other.id, NewPrice(their_product.id, usd(5)), actor="test")
    unknown, unknown_rate = build.price(), build.tax_rate()
    archived = update_price(shop.ports, shop.merchant.id, shelf.price(usd(5)).id, {"active": False}, actor="test")
    in_euro = shelf.price(Money(5, "eur"))
    old_rate = create_tax_rate(shop.ports, shop.merchant.id, NewTaxRate("Old", Decimal(1), active=False), actor="test")

    def written(rate: TaxRate) -> LineOrder:
        return LineOrder(1, name="Setup", unit_amount=usd(5_000), tax_rate_id=rate.id)

    assert shelf.refused(
        plain(shelf.fonts),
        plain(theirs),
        plain(unknown),
        plain(archived),
        plain(in_euro),
        written(their_rate),
        written(unknown_rate),
        written(old_rate),
        replace(plain(theirs), tax_rate_id=old_rate.id),
    ) == {
        "lines.1.price": "invalid_value",
        "lines.2.price": "invalid_value",
        "lines.3.price": "invalid_value",
        "lines.4.price": "currency_mismatch",
        "lines.5.tax_rate": "invalid_value",
        "lines.6.tax_rate": "invalid_value",
        "lines.7.tax_rate": "invalid_value",
        "lines.8.price": "invalid_value",
        "lines.8.tax_rate": "invalid_value",
    }


def test_an_archived_product_closes_all_its_prices(shelf: Shelf) -> None:
    update_product(shelf.shop.ports, shelf.shop.merchant.id, shelf.product.id, {"active": False}, actor="test")
    assert shelf.refused(plain(shelf.fonts)) == {"lines.0.price": "invalid_value"}


def test_a_product_whose_rate_is_archived_is_sold_only_where_the_line_says_which_tax_applies(shelf: Shelf) -> None:
    update_tax_rate(shelf.shop.ports, shelf.shop.merchant.id, shelf.rate.id, {"active": False}, actor="test")
    assert shelf.refused(plain(shelf.fonts)) == {"lines.0.price": "invalid_value"}
    says: Any = frozenset({"description"})
    (line,) = shelf.copied(plain(shelf.fonts, product_says=says, tax=Tax(Decimal(7))))
    assert line.tax == Tax(Decimal(7))


def test_lines_have_a_limit_on_tiers_and_texts(shelf: Shelf) -> None:
    enough = MOST_TIERS_OF_LINES // 3
    assert len(shelf.copied(*[plain(shelf.fonts)] * enough)) == enough
    assert shelf.refused(*[plain(shelf.fonts)] * (enough + 1)) == {"lines": "out_of_range"}
    changes: Any = {"description": "é" * 1_000}
    update_product(shelf.shop.ports, shelf.shop.merchant.id, shelf.product.id, changes, actor="test")
    assert len(shelf.copied(*[plain(shelf.plan)] * 49)) == 49
    assert shelf.refused(*[plain(shelf.plan)] * 50) == {"lines": "out_of_range"}


def test_the_fullest_document_there_can_be_fits_into_one_item(shop: Shop) -> None:
    # DynamoDB takes 400 KB; 200 lines, all that may be said on them, and 500 tiers with the longest numbers.
    tiers = TierTable(
        PriceModel.GRADUATED, (Tier(999_998, usd(99_999_999)), Tier(999_999, usd(99_999_999)), Tier(None, usd(1)))
    )
    few = TierTable(PriceModel.VOLUME, (Tier(999_999, usd(99_999_999)), Tier(None, usd(99_999_999))))
    recurring = Recurrence(Frequency.PER_THREE_YEARS, 999, Start(StartType.ON_DATE, at=build.NOW), 31)
    line = LineItem(
        "a" * 40,
        999_999,
        None,
        "a" * 360,
        Discount(amount=usd(99_999_999)),
        Tax(Decimal("100.0000"), True, "a" * 100, build.new_id("txr")),
        recurring,
        build.new_id("price"),
        build.new_id("prod"),
        tiers,
    )
    lines = tuple(replace(line, tiers=tiers if place < 100 else few) for place in range(200))
    assert copied_lines(shop.ports, shop.merchant.id, lines, currency="usd") == lines
    assert len(to_text(build.invoice(lines=lines)).encode()) < 400_000


def test_one_read_for_what_is_named_one_for_products_and_none_for_written_lines(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    find_many = shelf.shop.store.find_many

    def counted(wanted: Any) -> list[Any]:
        asked.append(len(wanted))
        return find_many(wanted)

    monkeypatch.setattr(shelf.shop.store, "find_many", counted)
    shelf.copied(LineOrder(1, name="Setup", unit_amount=usd(5_000)), LineItem("Item", 1, usd(1)))
    assert asked == []
    prices = [shelf.price(usd(amount)) for amount in range(1, 151)]
    asked.clear()
    shelf.copied(*(plain(price) for price in prices))
    # 150 prices in two reads of at most 100, their one product, its one rate.
    assert asked == [100, 50, 1, 1]


# --- on links ---------------------------------------------------------------------------------------------------------


def sell(shelf: Shelf, *orders: LineItem | LineOrder) -> Any:
    return create_link(shelf.shop.ports, shelf.shop.merchant.id, NewLink("Fonts", "usd", orders), actor="test")


def everything(shop: Shop) -> tuple[Any, ...]:
    return dict(shop.store._rows), len(shop.stripe.calls)


def test_a_refused_link_leaves_nothing_behind(shelf: Shelf) -> None:
    shop = shelf.shop
    link = sell(shelf, plain(shelf.fonts, 3))
    before = everything(shop)
    with pytest.raises(TillError):
        sell(shelf, plain(build.price()))
    changes: LinkChanges = {"name": "Other", "lines": [plain(build.price())]}
    with pytest.raises(TillError):
        update_link(shop.ports, shop.merchant.id, link.id, changes, actor="test")
    assert everything(shop) == before


def test_a_later_change_of_the_catalogue_reaches_no_link_until_its_lines_are_sent_again(shelf: Shelf) -> None:
    shop = shelf.shop
    link = sell(shelf, plain(shelf.fonts, 12))
    update_product(
        shop.ports, shop.merchant.id, shelf.product.id, {"name": "Typefaces", "tax_rate_id": None}, actor="test"
    )
    update_tax_rate(shop.ports, shop.merchant.id, shelf.rate.id, {"name": "Renamed", "active": False}, actor="test")
    unchanged = update_link(shop.ports, shop.merchant.id, link.id, {"name": "Spring"}, actor="test")
    assert unchanged.lines == link.lines
    again: LinkChanges = {"lines": [plain(shelf.fonts, 12)]}
    (line,) = update_link(shop.ports, shop.merchant.id, link.id, again, actor="test").lines
    assert (line.name, line.tax, line.amount) == ("Typefaces", None, usd(7_950))


def test_the_checker_sees_catalogue_entries_that_were_never_told_and_references_across_merchants(
    shelf: Shelf,
) -> None:
    shop = shelf.shop
    assert shop.check().violations == ()
    other, _ = create_merchant(shop.ports, name="Other", timezone="UTC", currency="usd")
    theirs = build.product(merchant_id=other.id, tax_rate_id=shelf.rate.id)
    price = build.price(merchant_id=shop.merchant.id, product_id=theirs.id)
    shop.store.commit("quietly", [Insert(theirs), Insert(price)])
    link = sell(shelf, plain(shelf.fonts))
    shop.store.overwrite(replace(link, lines=(replace(link.lines[0], product_id=theirs.id),)))
    assert {(each.invariant, each.record_id) for each in shop.check().violations} == {
        ("I19", theirs.id),
        ("I19", price.id),
        ("I20", theirs.id),
        ("I20", price.id),
        ("I20", link.id),
    }
    shop.left_broken = "two entries were put by hand"


def test_entries_are_read_as_they_were_written(shelf: Shelf) -> None:
    store = shelf.shop.store
    assert store.get(Product, shelf.product.id) == shelf.product
    assert store.get(Price, shelf.fonts.id) == shelf.fonts
    assert store.get(TaxRate, shelf.rate.id) == shelf.rate
