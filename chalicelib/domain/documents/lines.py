"""Line items, and what may be taken off or put on a document: values that are copied, never referred to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from chalicelib.domain.billing.recurrence import Recurrence
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.pricing import Pricing, TierTable, amount_of, pricing_of

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
    """A tax rate on one line; an inclusive tax is part of the price and is shown, not added.

    `rate_id` is the rate of the catalogue that it was copied from, None for one written on the line.
    """

    percent: Decimal
    inclusive: bool = False
    name: str | None = None
    rate_id: str | None = None


@dataclass(frozen=True, slots=True)
class LineItem:
    """A product as it was copied onto one document. `recurring` is None for a one-time line.

    A line has a `unit_amount` or, copied from a tiered price, `tiers`, never both. Its `amount` follows from those and
    the quantity and is stored nowhere, so that another quantity cannot leave an old amount behind. That a tiered line
    has no unit amount also keeps code that knows no tiers from charging one: it cannot read the line at all.

    An `adjustment` settles a change in the middle of a period: an amount that may be below zero, already after discount
    and tax, so it takes no share of either, nor of fees. `covers_from` and `covers_to` (half-open) are its time.
    """

    name: str
    quantity: int
    unit_amount: Money | None
    description: str | None = None
    discount: Discount | None = None
    tax: Tax | None = None
    recurring: Recurrence | None = None
    price_id: str | None = None
    product_id: str | None = None
    tiers: TierTable | None = None
    adjustment: bool = False
    covers_from: datetime | None = None
    covers_to: datetime | None = None

    def __post_init__(self) -> None:
        pricing_of(self.unit_amount, self.tiers)

    @property
    def pricing(self) -> Pricing:
        """The amount a unit, or the tiers."""
        return pricing_of(self.unit_amount, self.tiers)

    @property
    def amount(self) -> Money:
        """What the line's units cost, before any discount."""
        return amount_of(self.pricing, self.quantity)

    @property
    def currency(self) -> str:
        """The currency of its price."""
        return self.pricing.currency
