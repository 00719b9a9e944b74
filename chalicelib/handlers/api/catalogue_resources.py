"""The catalogue as the API's resources: products, prices and tax rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.domain.documents.catalogue import Price, Product, TaxRate
from chalicelib.handlers.api.shapes import minor, percent_out, tiers_out, time_out

if TYPE_CHECKING:
    from chalicelib.handlers.api import answers


def product_out(product: Product) -> answers.Product:
    """A product; `unit_cost` is in its `currency`."""
    return {
        "id": product.id,
        "object": "product",
        "created_at": time_out(product.created_at),
        "metadata": dict(product.metadata),
        "name": product.name,
        "description": product.description,
        "sku": product.sku,
        "image_url": product.image_url,
        "unit_cost": minor(product.unit_cost),
        "currency": product.currency,
        "folder": product.folder,
        "tax_rate": product.tax_rate_id,
        "active": product.active,
    }


def price_out(price: Price) -> answers.Price:
    """A price: `unit_amount` of a flat one, `tiers` of the others."""
    return {
        "id": price.id,
        "object": "price",
        "created_at": time_out(price.created_at),
        "metadata": dict(price.metadata),
        "product": price.product_id,
        "currency": price.currency,
        "model": price.model,
        "unit_amount": minor(price.unit_amount),
        "tiers": tiers_out(price.tiers),
        "recurring": None if price.frequency is None else {"frequency": price.frequency},
        "nickname": price.nickname,
        "active": price.active,
    }


def tax_rate_out(rate: TaxRate) -> answers.TaxRate:
    """A tax rate."""
    return {
        "id": rate.id,
        "object": "tax_rate",
        "created_at": time_out(rate.created_at),
        "metadata": dict(rate.metadata),
        "name": rate.name,
        "percent": percent_out(rate.percent),
        "inclusive": rate.inclusive,
        "active": rate.active,
    }
