"""Products: what a merchant sells. Archiving one keeps it off new lines and changes nothing that was sold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from chalicelib.domain.documents.catalogue import Product
from chalicelib.domain.money.amounts import Money
from chalicelib.services.catalogue.changing import add, change
from chalicelib.services.catalogue.tax_rates import require_usable
from chalicelib.services.facts import describe
from chalicelib.services.ports import Ports


@dataclass(frozen=True, slots=True)
class NewProduct:
    """A product to be made; `unit_cost` is in its `currency`."""

    name: str
    currency: str
    description: str | None = None
    sku: str | None = None
    image_url: str | None = None
    unit_cost: Money | None = None
    folder: str | None = None
    tax_rate_id: str | None = None
    active: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)


class ProductChanges(TypedDict, total=False):
    """What of a product to change; what is absent stays, None clears."""

    name: str
    description: str | None
    sku: str | None
    image_url: str | None
    unit_cost: Money | None
    folder: str | None
    tax_rate_id: str | None
    active: bool
    metadata: Mapping[str, str]


@describe.register
def _(record: Product) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": "product",
        "name": record.name,
        "description": record.description,
        "sku": record.sku,
        "image_url": record.image_url,
        "unit_cost": None if record.unit_cost is None else record.unit_cost.minor,
        "currency": record.currency,
        "folder": record.folder,
        "tax_rate": record.tax_rate_id,
        "active": record.active,
        "metadata": dict(record.metadata),
    }


def create_product(ports: Ports, merchant_id: str, new: NewProduct, *, actor: str) -> Product:
    """A new product. Raises InvalidValue for a tax rate that cannot be used."""
    if new.tax_rate_id is not None:
        require_usable(ports, merchant_id, new.tax_rate_id, "tax_rate")
    now = ports.clock.now()
    product = Product(
        id=ports.ids.new("prod", now),
        merchant_id=merchant_id,
        name=new.name,
        currency=new.currency,
        created_at=now,
        description=new.description,
        sku=new.sku,
        image_url=new.image_url,
        unit_cost=new.unit_cost,
        folder=new.folder,
        tax_rate_id=new.tax_rate_id,
        active=new.active,
        metadata=new.metadata,
    )
    return add(ports, product, actor=actor)


def update_product(ports: Ports, merchant_id: str, product_id: str, changes: ProductChanges, *, actor: str) -> Product:
    """The product with the changes; lines made before stay as they are. Raises NotFound, InvalidValue."""

    def check(before: Product, after: Product) -> None:
        if after.tax_rate_id is not None and after.tax_rate_id != before.tax_rate_id:
            require_usable(ports, merchant_id, after.tax_rate_id, "tax_rate")

    return change(ports, merchant_id, Product, product_id, changes, actor=actor, check=check)
