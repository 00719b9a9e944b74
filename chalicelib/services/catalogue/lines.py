"""Lines made of the catalogue: copies, so that a later change there never reaches a document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from chalicelib.domain.billing.recurrence import Recurrence
from chalicelib.domain.documents.catalogue import Price, Product, TaxRate
from chalicelib.domain.documents.lines import Discount, LineItem, Tax
from chalicelib.domain.errors import FieldError, InvalidValue, TillError
from chalicelib.domain.money.amounts import Money
from chalicelib.services.ports import Ports

R = TypeVar("R", Price, Product, TaxRate)

MOST_TEXT_BYTES: Final = 100_000
MOST_TIERS_OF_LINES: Final = 500
"""A link, its checkout and its invoice are one item each in a store that takes 400 KB, and carry all that lines say."""

_AT_ONCE: Final = 100
"""Records in one read."""


@dataclass(frozen=True, slots=True)
class LineOrder:
    """A line as it was asked for: by its `price_id`, or written out with `name` and `unit_amount`.

    `product_says` names what a line by its price leaves to the product. Of `tax` and `tax_rate_id` at most one is set.
    """

    quantity: int
    price_id: str | None = None
    name: str | None = None
    unit_amount: Money | None = None
    description: str | None = None
    discount: Discount | None = None
    tax: Tax | None = None
    tax_rate_id: str | None = None
    recurring: Recurrence | None = None
    product_says: frozenset[Literal["description", "tax"]] = frozenset()


def copied_lines(
    ports: Ports,
    merchant_id: str,
    wanted: Sequence[LineItem | LineOrder],
    *,
    currency: str,
    rhythm: Recurrence | None = None,
) -> tuple[LineItem, ...]:
    """The lines of a document in `currency`; those that are lines already are taken as they are.

    A document with a `rhythm` of its own (a subscription) takes recurring prices of that frequency alone, and every
    line gets it. Raises TillError with all that is wrong, by its path below `lines`: a price or tax rate that is
    unknown, archived or another merchant's, another currency, a frequency that is not the price's.
    """
    orders = [line for line in wanted if isinstance(line, LineOrder)]
    shelf = _read_shelf(ports, merchant_id, orders) if orders else _Shelf({}, {}, {})
    problems: list[FieldError] = []
    lines: list[LineItem] = []
    for position, order in enumerate(wanted):
        if isinstance(order, LineItem):
            lines.append(order)
            continue
        faults = _faults(order, shelf, currency, rhythm)
        problems += [FieldError(f"lines.{position}.{name}", code, message) for name, code, message in faults]
        if not faults:
            lines.append(_copy(order, shelf, rhythm))
    if problems:
        raise TillError(problems[0].code, problems[0].message, problems[0].param, tuple(problems))
    _check_size(lines)
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What the orders name, by id, as far as it is the merchant's."""

    prices: Mapping[str, Price]
    products: Mapping[str, Product]
    rates: Mapping[str, TaxRate]


def _read_shelf(ports: Ports, merchant_id: str, orders: Sequence[LineOrder]) -> _Shelf:
    """At most three rounds of reads, however many lines: prices and rates, their products, the products' own rates."""
    named = [(Price, order.price_id) for order in orders], [(TaxRate, order.tax_rate_id) for order in orders]
    first = _find(ports, merchant_id, [*named[0], *named[1]])
    prices = _only(Price, first)
    products = _only(Product, _find(ports, merchant_id, [(Product, each.product_id) for each in prices.values()]))
    defaults = [(TaxRate, product.tax_rate_id) for product in products.values()]
    return _Shelf(prices, products, _only(TaxRate, [*first, *_find(ports, merchant_id, defaults)]))


def _find(ports: Ports, merchant_id: str, wanted: Iterable[tuple[type[Any], str | None]]) -> list[Any]:
    keys = list(dict.fromkeys((kind, each) for kind, each in wanted if each is not None))
    chunks = (keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE))
    found = [record for chunk in chunks for record in ports.records.find_many(chunk)]
    return [record for record in found if record is not None and record.merchant_id == merchant_id]


def _only(kind: type[R], records: Iterable[Any]) -> dict[str, R]:
    return {record.id: record for record in records if isinstance(record, kind)}


_Fault = tuple[str, str, str]


def _faults(order: LineOrder, shelf: _Shelf, currency: str, rhythm: Recurrence | None) -> list[_Fault]:
    faults: list[_Fault] = []
    if order.price_id is not None:
        faults += _faults_of_price(order, order.price_id, shelf, currency, rhythm)
    if order.tax_rate_id is not None:
        rate = shelf.rates.get(order.tax_rate_id)
        if rate is None or not rate.active:
            faults.append(("tax_rate", "invalid_value", _no_such(rate, "tax rate")))
    return faults


def _faults_of_price(
    order: LineOrder, price_id: str, shelf: _Shelf, currency: str, rhythm: Recurrence | None
) -> list[_Fault]:
    price = shelf.prices.get(price_id)
    if price is None or not price.active:
        return [("price", "invalid_value", _no_such(price, "price"))]
    product = shelf.products.get(price.product_id)
    if product is None or not product.active:
        return [("price", "invalid_value", "The product of this price is archived.")]
    if price.currency != currency:
        return [("price", "currency_mismatch", f"This price is in {price.currency}, the document in {currency}.")]
    faults: list[_Fault] = []
    repeats = rhythm or order.recurring
    if price.frequency is None and repeats is not None:
        where = "price" if rhythm else "recurring"
        faults.append((where, "invalid_value", "This price is paid once."))
    elif price.frequency is not None and repeats is not None and repeats.frequency is not price.frequency:
        where = "price" if rhythm else "recurring.frequency"
        faults.append((where, "invalid_value", f"This price is paid {price.frequency}, and that is another rhythm."))
    default = shelf.rates.get(product.tax_rate_id or "")
    if "tax" in order.product_says and product.tax_rate_id is not None and (default is None or not default.active):
        message = "The tax rate of this product is archived: give the product another one, or say which tax applies."
        faults.append(("price", "invalid_value", message))
    return faults


def _no_such(found: Price | TaxRate | None, what: str) -> str:
    return f"There is no such {what}." if found is None else f"This {what} is archived."


def _copy(order: LineOrder, shelf: _Shelf, rhythm: Recurrence | None) -> LineItem:
    tax = order.tax if order.tax_rate_id is None else shelf.rates[order.tax_rate_id].tax
    if order.price_id is None:
        return LineItem(
            name=order.name or "",
            quantity=order.quantity,
            unit_amount=order.unit_amount,
            description=order.description,
            discount=order.discount,
            tax=tax,
            recurring=rhythm or order.recurring,
        )
    price = shelf.prices[order.price_id]
    product = shelf.products[price.product_id]
    if "tax" in order.product_says and product.tax_rate_id is not None:
        tax = shelf.rates[product.tax_rate_id].tax
    return LineItem(
        name=product.name,
        quantity=order.quantity,
        unit_amount=price.unit_amount,
        tiers=price.tiers,
        description=product.description if "description" in order.product_says else order.description,
        discount=order.discount,
        tax=tax,
        recurring=rhythm or order.recurring or (None if price.frequency is None else Recurrence(price.frequency)),
        price_id=price.id,
        product_id=product.id,
    )


def _check_size(lines: Sequence[LineItem]) -> None:
    taxes = (line.tax.name for line in lines if line.tax is not None)
    texts = [*(line.name for line in lines), *(line.description for line in lines), *taxes]
    if sum(len(text.encode()) for text in texts if text) > MOST_TEXT_BYTES:
        message = f"The names and descriptions have more than {MOST_TEXT_BYTES} bytes together."
        raise InvalidValue(message, "lines", "out_of_range")
    if sum(len(line.tiers.tiers) for line in lines if line.tiers is not None) > MOST_TIERS_OF_LINES:
        message = f"The prices of the lines have more than {MOST_TIERS_OF_LINES} tiers together."
        raise InvalidValue(message, "lines", "out_of_range")
