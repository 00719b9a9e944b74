"""Prices: what a product costs, once or in a rhythm, in one of four models. What one comes to never changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.documents.catalogue import Price, Product
from chalicelib.domain.errors import InvalidValue
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.pricing import PriceModel, Pricing, TierTable
from chalicelib.services.catalogue.changing import add, change
from chalicelib.services.facts import describe
from chalicelib.services.ports import Ports


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A price to be made; `frequency` None is paid once."""

    product_id: str
    pricing: Pricing
    frequency: Frequency | None = None
    nickname: str | None = None
    active: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)


class PriceChanges(TypedDict, total=False):
    """What of a price can change: never what it comes to, nor how often."""

    nickname: str | None
    active: bool
    metadata: Mapping[str, str]


def _tiers(table: TierTable | None) -> list[dict[str, Any]] | None:
    """A table as events write it, by the API's names: `flat_amount` is the whole tier's, `unit_amount` each unit's."""
    if table is None:
        return None
    name = "flat_amount" if table.model is PriceModel.STAIRSTEP else "unit_amount"
    return [{"up_to": tier.up_to, name: tier.amount.minor} for tier in table.tiers]


@describe.register
def _(record: Price) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": "price",
        "product": record.product_id,
        "currency": record.currency,
        "model": str(record.model),
        "unit_amount": None if record.unit_amount is None else record.unit_amount.minor,
        "tiers": _tiers(record.tiers),
        "recurring": None if record.frequency is None else {"frequency": str(record.frequency)},
        "nickname": record.nickname,
        "active": record.active,
        "metadata": dict(record.metadata),
    }


def create_price(ports: Ports, merchant_id: str, new: NewPrice, *, actor: str) -> Price:
    """A new price. Raises InvalidValue for a product that is unknown, archived or another merchant's."""
    product = ports.records.find(Product, new.product_id)
    if product is None or product.merchant_id != merchant_id:
        raise InvalidValue("There is no such product.", "product")
    if not product.active:
        raise InvalidValue("This product is archived.", "product")
    now = ports.clock.now()
    price = Price(
        id=ports.ids.new("price", now),
        merchant_id=merchant_id,
        product_id=product.id,
        created_at=now,
        unit_amount=new.pricing if isinstance(new.pricing, Money) else None,
        tiers=new.pricing if isinstance(new.pricing, TierTable) else None,
        frequency=new.frequency,
        nickname=new.nickname,
        active=new.active,
        metadata=new.metadata,
    )
    return add(ports, price, actor=actor)


def update_price(ports: Ports, merchant_id: str, price_id: str, changes: PriceChanges, *, actor: str) -> Price:
    """The price with the changes. Raises NotFound."""
    return change(ports, merchant_id, Price, price_id, changes, actor=actor)
