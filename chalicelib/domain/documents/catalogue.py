"""The catalogue: products, what they cost, and the taxes on them. A document copies from here and never looks back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.documents.lines import Tax
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.pricing import PriceModel, Pricing, TierTable, model_of, pricing_of


@dataclass(frozen=True, slots=True)
class Product:
    """Something that is sold. `unit_cost` is what one costs the merchant, in the product's `currency`.

    `tax_rate_id` is the rate on lines that say nothing of tax. An archived one (not `active`) goes on no new line.
    """

    id: str
    merchant_id: str
    name: str
    currency: str
    created_at: datetime
    description: str | None = None
    sku: str | None = None
    image_url: str | None = None
    unit_cost: Money | None = None
    folder: str | None = None
    tax_rate_id: str | None = None
    active: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """What a product costs: `unit_amount` or `tiers`, never both. `frequency` is None for what is paid once.

    The amounts, the currency and the rhythm never change: another price is another record.
    """

    id: str
    merchant_id: str
    product_id: str
    created_at: datetime
    unit_amount: Money | None = None
    tiers: TierTable | None = None
    frequency: Frequency | None = None
    nickname: str | None = None
    active: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)
    version: int = 0

    def __post_init__(self) -> None:
        pricing_of(self.unit_amount, self.tiers)

    @property
    def pricing(self) -> Pricing:
        """The amount a unit, or the tiers."""
        return pricing_of(self.unit_amount, self.tiers)

    @property
    def model(self) -> PriceModel:
        """Which of the four models it has."""
        return model_of(self.pricing)

    @property
    def currency(self) -> str:
        """The currency of its amounts."""
        return self.pricing.currency


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A tax. Its percentage and whether it is inside the price never change: another rate is another record."""

    id: str
    merchant_id: str
    name: str
    percent: Decimal
    created_at: datetime
    inclusive: bool = False
    active: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)
    version: int = 0

    @property
    def tax(self) -> Tax:
        """What is copied onto a line."""
        return Tax(self.percent, self.inclusive, self.name, self.id)
