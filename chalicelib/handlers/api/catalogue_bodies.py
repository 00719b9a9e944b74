"""The bodies of the catalogue: products, prices with their tiers, tax rates.

Imported inside API views only, as `chalicelib.handlers.api_types` explains.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.errors import FieldError
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.pricing import MOST_TIERS, PriceModel, Pricing, Tier, TierTable
from chalicelib.handlers.api_types import (
    Amount,
    Body,
    Currency,
    HttpsUrl,
    Metadata,
    ProductId,
    Quantity,
    TaxPercent,
    TaxRateId,
    text,
    wrong,
)
from chalicelib.handlers.parsing import refused
from chalicelib.services.catalogue.prices import NewPrice, PriceChanges
from chalicelib.services.catalogue.products import NewProduct, ProductChanges
from chalicelib.services.catalogue.tax_rates import NewTaxRate, TaxRateChanges

Name = Annotated[str, text(250)]
Description = Annotated[str, text(1000, lines=True)]
Short = Annotated[str, text(100)]


class ProductBody(Body):
    """A new product. `unit_cost` is in `currency`, which is the account's unless it is given."""

    name: Name
    description: Description | None = None
    sku: Short | None = None
    image_url: HttpsUrl | None = None
    unit_cost: Amount | None = None
    currency: Currency | None = None
    folder: Short | None = None
    tax_rate: TaxRateId | None = None
    active: bool = True
    metadata: Metadata | None = None

    def to_domain(self, currency: str) -> NewProduct:
        """The product to be made, in its currency."""
        return NewProduct(
            name=self.name,
            currency=currency,
            description=self.description,
            sku=self.sku,
            image_url=self.image_url,
            unit_cost=None if self.unit_cost is None else Money(self.unit_cost, currency),
            folder=self.folder,
            tax_rate_id=self.tax_rate,
            active=self.active,
            metadata=self.metadata or {},
        )


class ProductUpdate(Body):
    """Changes to a product; its currency stays."""

    name: Name = ""
    description: Description | None = None
    sku: Short | None = None
    image_url: HttpsUrl | None = None
    unit_cost: Amount | None = None
    folder: Short | None = None
    tax_rate: TaxRateId | None = None
    active: bool = True
    metadata: Metadata | None = None

    def to_domain(self, currency: str) -> ProductChanges:
        """The changes, in the product's currency."""
        given = self.given(null_means={"metadata": {}})
        if given.get("unit_cost") is not None:
            given["unit_cost"] = Money(given["unit_cost"], currency)
        if "tax_rate" in given:
            given["tax_rate_id"] = given.pop("tax_rate")
        changes: ProductChanges = {}
        changes.update(given)  # type: ignore[typeddict-item] # same names but for those above, checked by a test
        return changes


class PriceTier(Body):
    """One tier: `unit_amount` for each unit in it, or in stairstep `flat_amount` for all of it. The last has no end."""

    up_to: Quantity | None = None
    unit_amount: Amount | None = None
    flat_amount: Amount | None = None


class PriceRecurrence(Body):
    """How often a price is paid."""

    frequency: Literal[
        "weekly", "biweekly", "monthly", "quarterly", "per_six_months", "annually",
        "per_two_years", "per_three_years", "per_four_years", "per_five_years",
    ]  # fmt: skip


class PriceBody(Body):
    """A new price: flat with `unit_amount`, in the other models with `tiers`."""

    product: ProductId
    currency: Currency
    model: Literal["flat", "volume", "graduated", "stairstep"] = "flat"
    unit_amount: Amount | None = Field(default=None, validate_default=True)
    tiers: Annotated[list[PriceTier], Field(min_length=1, max_length=MOST_TIERS)] | None = Field(
        default=None, validate_default=True
    )
    recurring: PriceRecurrence | None = None
    nickname: Short | None = None
    active: bool = True
    metadata: Metadata | None = None

    @field_validator("unit_amount")
    @classmethod
    def _flat_has_an_amount(cls, value: int | None, info: ValidationInfo) -> int | None:
        model = info.data.get("model")
        if model == "flat" and value is None:
            raise wrong("missing_field", "A flat price needs its unit_amount.")
        if model not in (None, "flat") and value is not None:
            raise wrong("invalid_value", "Only a flat price has a unit_amount of its own.")
        return value

    @field_validator("tiers")
    @classmethod
    def _others_have_tiers(cls, value: list[PriceTier] | None, info: ValidationInfo) -> list[PriceTier] | None:
        model = info.data.get("model")
        if model == "flat" and value is not None:
            raise wrong("invalid_value", "A flat price has no tiers: say which model it has.")
        if model not in (None, "flat") and value is None:
            raise wrong("missing_field", "This model needs its tiers.")
        return value

    def to_domain(self) -> NewPrice:
        """The price to be made. Raises TillError for tiers without their amount, or in no order."""
        return NewPrice(
            product_id=self.product,
            pricing=self._pricing(),
            frequency=None if self.recurring is None else Frequency(self.recurring.frequency),
            nickname=self.nickname,
            active=self.active,
            metadata=self.metadata or {},
        )

    def _pricing(self) -> Pricing:
        if self.tiers is None:
            return Money(self.unit_amount or 0, self.currency)
        own, other = ("flat_amount", "unit_amount") if self.model == "stairstep" else ("unit_amount", "flat_amount")
        problems, tiers = [], []
        for position, tier in enumerate(self.tiers):
            amount: int | None = getattr(tier, own)
            if amount is None:
                message = f"Each tier of this model has its {own}."
                problems.append(FieldError(f"tiers.{position}.{own}", "missing_field", message))
            if getattr(tier, other) is not None:
                message = f"No tier of this model has a {other}."
                problems.append(FieldError(f"tiers.{position}.{other}", "invalid_value", message))
            tiers.append(Tier(tier.up_to, Money(amount or 0, self.currency)))
        if problems:
            raise refused(problems)
        return TierTable(PriceModel(self.model), tuple(tiers))


class PriceUpdate(Body):
    """Changes to a price; what it comes to and how often stay."""

    nickname: Short | None = None
    active: bool = True
    metadata: Metadata | None = None

    def to_domain(self) -> PriceChanges:
        """The changes."""
        changes: PriceChanges = {}
        changes.update(self.given(null_means={"metadata": {}}))  # type: ignore[typeddict-item] # same names, checked by a test
        return changes


class TaxRateBody(Body):
    """A new tax rate; an inclusive one is inside the price."""

    name: Short
    percent: TaxPercent
    inclusive: bool = False
    active: bool = True
    metadata: Metadata | None = None

    def to_domain(self) -> NewTaxRate:
        """The rate to be made."""
        return NewTaxRate(
            name=self.name,
            percent=Decimal(self.percent),
            inclusive=self.inclusive,
            active=self.active,
            metadata=self.metadata or {},
        )


class TaxRateUpdate(Body):
    """Changes to a tax rate; what it comes to stays."""

    name: Short = ""
    active: bool = True
    metadata: Metadata | None = None

    def to_domain(self) -> TaxRateChanges:
        """The changes."""
        changes: TaxRateChanges = {}
        changes.update(self.given(null_means={"metadata": {}}))  # type: ignore[typeddict-item] # same names, checked by a test
        return changes
