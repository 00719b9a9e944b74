"""/v1/customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.domain.documents.customers import Customer
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.listing import list_answer
from chalicelib.handlers.api.resources import customer_out
from chalicelib.handlers.boundary import ApiCall, json_api
from chalicelib.handlers.parsing import json_object, record_id, single_values
from chalicelib.services.customers import create_customer, update_customer
from chalicelib.services.reading import read


@api.route("/v1/customers", methods=["GET"], content_types=[])
@json_api(api, scope="customers:read")
def list_customers(call: ApiCall) -> dict[str, Any]:
    """The customers, newest first."""

    def show(found: Sequence[Customer]) -> list[dict[str, Any]]:
        return [customer_out(customer) for customer in found]

    return list_answer(call, Customer, "customers", show)


@api.route("/v1/customers", methods=["POST"], content_types=[])
@json_api(api, scope="customers:write", success=201)
def post_customer(call: ApiCall) -> dict[str, Any]:
    """Make a customer."""
    from chalicelib.handlers.api.bodies import CustomerBody
    from chalicelib.handlers.api_types import read_body

    body = read_body(CustomerBody, json_object(call.raw_body, call.content_type))
    return customer_out(create_customer(call.ports, call.merchant_id, body.to_domain(), actor=call.actor))


@api.route("/v1/customers/{customer_id}", methods=["GET"], content_types=[])
@json_api(api, scope="customers:read")
def get_customer(call: ApiCall, customer_id: str) -> dict[str, Any]:
    """One customer."""
    single_values(call.query, frozenset())
    return customer_out(read(call.ports, call.merchant_id, Customer, record_id(customer_id, "cus", "customer")))


@api.route("/v1/customers/{customer_id}", methods=["POST"], content_types=[])
@json_api(api, scope="customers:write")
def post_customer_changes(call: ApiCall, customer_id: str) -> dict[str, Any]:
    """Change a customer."""
    from chalicelib.handlers.api.bodies import CustomerUpdate
    from chalicelib.handlers.api_types import read_body

    wanted = record_id(customer_id, "cus", "customer")
    body = read_body(CustomerUpdate, json_object(call.raw_body, call.content_type))
    return customer_out(update_customer(call.ports, call.merchant_id, wanted, body.to_domain(), actor=call.actor))
