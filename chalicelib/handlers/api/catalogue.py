"""/v1/products, /v1/prices and /v1/tax_rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from chalicelib.domain.documents.catalogue import Price, Product, TaxRate
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.catalogue_resources import price_out, product_out, tax_rate_out
from chalicelib.handlers.api.listing import list_answer
from chalicelib.handlers.api.operations import Filters, operation
from chalicelib.handlers.boundary import json_api
from chalicelib.handlers.calls import ApiCall
from chalicelib.handlers.parsing import json_object, record_id
from chalicelib.services.catalogue.prices import create_price, update_price
from chalicelib.services.catalogue.products import create_product, update_product
from chalicelib.services.catalogue.tax_rates import create_tax_rate, update_tax_rate
from chalicelib.services.reading import read

if TYPE_CHECKING:
    from chalicelib.handlers.api import answers

_PRICES: Final = Filters(("product",))


def _product(call: ApiCall, text: str) -> Product:
    return read(call.ports, call.merchant_id, Product, record_id(text, "prod", "product"))


@api.route("/v1/products", methods=["GET"], content_types=[])
@json_api(api, scope="products:read")
@operation("list_products")
def list_products(call: ApiCall) -> answers.Page[answers.Product]:
    """The products, newest first."""

    def show(found: Sequence[Product]) -> list[answers.Product]:
        return [product_out(product) for product in found]

    return list_answer(call, Product, "products", show)


@api.route("/v1/products", methods=["POST"], content_types=[])
@json_api(api, scope="products:write", success=201)
@operation("create_product", takes="catalogue_bodies.ProductBody")
def post_product(call: ApiCall) -> answers.Product:
    """Make a product."""
    from chalicelib.handlers.api.catalogue_bodies import ProductBody
    from chalicelib.handlers.api_types import read_body

    body = read_body(ProductBody, json_object(call.raw_body, call.content_type))
    currency = body.currency or call.ports.records.get(Merchant, call.merchant_id).currency
    return call.once(
        Product,
        product_out,
        lambda: create_product(call.ports, call.merchant_id, body.to_domain(currency), actor=call.actor),
    )


@api.route("/v1/products/{product_id}", methods=["GET"], content_types=[])
@json_api(api, scope="products:read")
@operation("get_product")
def get_product(call: ApiCall, product_id: str) -> answers.Product:
    """One product."""
    return product_out(_product(call, product_id))


@api.route("/v1/products/{product_id}", methods=["POST"], content_types=[])
@json_api(api, scope="products:write")
@operation("update_product", takes="catalogue_bodies.ProductUpdate")
def post_product_changes(call: ApiCall, product_id: str) -> answers.Product:
    """Change a product, archive it (`active` false) or bring it back."""
    from chalicelib.handlers.api.catalogue_bodies import ProductUpdate
    from chalicelib.handlers.api_types import read_body

    body = read_body(ProductUpdate, json_object(call.raw_body, call.content_type))
    product = _product(call, product_id)
    changes = body.to_domain(product.currency)
    return call.once(
        Product,
        product_out,
        lambda: update_product(call.ports, call.merchant_id, product.id, changes, actor=call.actor),
    )


@api.route("/v1/prices", methods=["GET"], content_types=[])
@json_api(api, scope="prices:read")
@operation("list_prices", filters=_PRICES)
def list_prices(call: ApiCall) -> answers.Page[answers.Price]:
    """The prices, newest first, of one product where it is named."""

    def show(found: Sequence[Price]) -> list[answers.Price]:
        return [price_out(price) for price in found]

    return list_answer(call, Price, "prices", show, _PRICES)


@api.route("/v1/prices", methods=["POST"], content_types=[])
@json_api(api, scope="prices:write", success=201)
@operation("create_price", takes="catalogue_bodies.PriceBody")
def post_price(call: ApiCall) -> answers.Price:
    """Make a price."""
    from chalicelib.handlers.api.catalogue_bodies import PriceBody
    from chalicelib.handlers.api_types import read_body

    body = read_body(PriceBody, json_object(call.raw_body, call.content_type))
    return call.once(
        Price,
        price_out,
        lambda: create_price(call.ports, call.merchant_id, body.to_domain(), actor=call.actor),
    )


@api.route("/v1/prices/{price_id}", methods=["GET"], content_types=[])
@json_api(api, scope="prices:read")
@operation("get_price")
def get_price(call: ApiCall, price_id: str) -> answers.Price:
    """One price."""
    return price_out(read(call.ports, call.merchant_id, Price, record_id(price_id, "price", "price")))


@api.route("/v1/prices/{price_id}", methods=["POST"], content_types=[])
@json_api(api, scope="prices:write")
@operation("update_price", takes="catalogue_bodies.PriceUpdate")
def post_price_changes(call: ApiCall, price_id: str) -> answers.Price:
    """Name, archive or bring back a price."""
    from chalicelib.handlers.api.catalogue_bodies import PriceUpdate
    from chalicelib.handlers.api_types import read_body

    wanted = record_id(price_id, "price", "price")
    body = read_body(PriceUpdate, json_object(call.raw_body, call.content_type))
    return call.once(
        Price,
        price_out,
        lambda: update_price(call.ports, call.merchant_id, wanted, body.to_domain(), actor=call.actor),
    )


@api.route("/v1/tax_rates", methods=["GET"], content_types=[])
@json_api(api, scope="tax_rates:read")
@operation("list_tax_rates")
def list_tax_rates(call: ApiCall) -> answers.Page[answers.TaxRate]:
    """The tax rates, newest first."""

    def show(found: Sequence[TaxRate]) -> list[answers.TaxRate]:
        return [tax_rate_out(rate) for rate in found]

    return list_answer(call, TaxRate, "tax_rates", show)


@api.route("/v1/tax_rates", methods=["POST"], content_types=[])
@json_api(api, scope="tax_rates:write", success=201)
@operation("create_tax_rate", takes="catalogue_bodies.TaxRateBody")
def post_tax_rate(call: ApiCall) -> answers.TaxRate:
    """Make a tax rate."""
    from chalicelib.handlers.api.catalogue_bodies import TaxRateBody
    from chalicelib.handlers.api_types import read_body

    body = read_body(TaxRateBody, json_object(call.raw_body, call.content_type))
    return call.once(
        TaxRate,
        tax_rate_out,
        lambda: create_tax_rate(call.ports, call.merchant_id, body.to_domain(), actor=call.actor),
    )


@api.route("/v1/tax_rates/{tax_rate_id}", methods=["GET"], content_types=[])
@json_api(api, scope="tax_rates:read")
@operation("get_tax_rate")
def get_tax_rate(call: ApiCall, tax_rate_id: str) -> answers.TaxRate:
    """One tax rate."""
    return tax_rate_out(read(call.ports, call.merchant_id, TaxRate, record_id(tax_rate_id, "txr", "tax rate")))


@api.route("/v1/tax_rates/{tax_rate_id}", methods=["POST"], content_types=[])
@json_api(api, scope="tax_rates:write")
@operation("update_tax_rate", takes="catalogue_bodies.TaxRateUpdate")
def post_tax_rate_changes(call: ApiCall, tax_rate_id: str) -> answers.TaxRate:
    """Name, archive or bring back a tax rate."""
    from chalicelib.handlers.api.catalogue_bodies import TaxRateUpdate
    from chalicelib.handlers.api_types import read_body

    wanted = record_id(tax_rate_id, "txr", "tax rate")
    body = read_body(TaxRateUpdate, json_object(call.raw_body, call.content_type))
    return call.once(
        TaxRate,
        tax_rate_out,
        lambda: update_tax_rate(call.ports, call.merchant_id, wanted, body.to_domain(), actor=call.actor),
    )
