"""Line items, and what may be taken off or put on a document: values that are copied, never referred to."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from chalicelib.domain.billing.recurrence import Recurrence
from chalicelib.domain.money.amounts import Money

DiscountDuration = Literal["once", "forever"] | int
"""For how many invoices an order discount counts: the first, all, or a number of periods."""


@dataclass(frozen=True, slots=True)
class Discount:
    """A fixed amount or a percentage, never both; `percent` is above 0 and below or equal to 100."""

    amount: Money | None = None
    percent: Decimal | None = None
    name: str | None = None
    duration: DiscountDuration = "once"


@dataclass(frozen=True, slots=True)
class Fee:
    """An extra charge on the whole document: a fixed amount, or a percentage of subtotal less discount."""

    name: str
    amount: Money | None = None
    percent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax rate on one line; an inclusive tax is part of the price and is shown, not added."""

    percent: Decimal
    inclusive: bool = False
    name: str | None = None


@dataclass(frozen=True, slots=True)
class LineItem:
    """A product as it was copied onto one document. `recurring` is None for a one-time line."""

    name: str
    quantity: int
    unit_amount: Money
    description: str | None = None
    discount: Discount | None = None
    tax: Tax | None = None
    recurring: Recurrence | None = None
    price_id: str | None = None
    product_id: str | None = None
