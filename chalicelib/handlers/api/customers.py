"""/v1/customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chalicelib.domain.documents.customers import Customer
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.listing import list_answer
from chalicelib.handlers.api.operations import operation
from chalicelib.handlers.api.resources import customer_out
from chalicelib.handlers.boundary import json_api
from chalicelib.handlers.calls import ApiCall
from chalicelib.handlers.parsing import json_object, record_id
from chalicelib.services.customers import create_customer, update_customer
from chalicelib.services.reading import read

if TYPE_CHECKING:
    from chalicelib.handlers.api import answers


@api.route("/v1/customers", methods=["GET"], content_types=[])
@json_api(api, scope="customers:read")
@operation("list_customers")
def list_customers(call: ApiCall) -> answers.Page[answers.Customer]:
    """The customers, newest first."""

    def show(found: Sequence[Customer]) -> list[answers.Customer]:
        return [customer_out(customer) for customer in found]

    return list_answer(call, Customer, "customers", show)


@api.route("/v1/customers", methods=["POST"], content_types=[])
@json_api(api, scope="customers:write", success=201)
@operation("create_customer", takes="bodies.CustomerBody")
def post_customer(call: ApiCall) -> answers.Customer:
    """Make a customer."""
    from chalicelib.handlers.api.bodies import CustomerBody
    from chalicelib.handlers.api_types import read_body

    body = read_body(CustomerBody, json_object(call.raw_body, call.content_type))
    return call.once(
        Customer,
        customer_out,
        lambda: create_customer(call.ports, call.merchant_id, body.to_domain(), actor=call.actor),
    )


@api.route("/v1/customers/{customer_id}", methods=["GET"], content_types=[])
@json_api(api, scope="customers:read")
@operation("get_customer")
def get_customer(call: ApiCall, customer_id: str) -> answers.Customer:
    """One customer."""
    return customer_out(read(call.ports, call.merchant_id, Customer, record_id(customer_id, "cus", "customer")))


@api.route("/v1/customers/{customer_id}", methods=["POST"], content_types=[])
@json_api(api, scope="customers:write")
@operation("update_customer", takes="bodies.CustomerUpdate")
def post_customer_changes(call: ApiCall, customer_id: str) -> answers.Customer:
    """Change a customer."""
    from chalicelib.handlers.api.bodies import CustomerUpdate
    from chalicelib.handlers.api_types import read_body

    wanted = record_id(customer_id, "cus", "customer")
    body = read_body(CustomerUpdate, json_object(call.raw_body, call.content_type))
    return call.once(
        Customer,
        customer_out,
        lambda: update_customer(call.ports, call.merchant_id, wanted, body.to_domain(), actor=call.actor),
    )
