"""/v1/payment_links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chalicelib import wiring
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.listing import list_answer
from chalicelib.handlers.api.operations import operation
from chalicelib.handlers.api.resources import link_out
from chalicelib.handlers.boundary import json_api
from chalicelib.handlers.calls import ApiCall
from chalicelib.handlers.parsing import json_object, optional_json_object, record_id
from chalicelib.services.links import create_link, overviews, switch_link, update_link
from chalicelib.services.reading import read

if TYPE_CHECKING:
    from chalicelib.handlers.api import answers


def _show(call: ApiCall, links: Sequence[PaymentLink]) -> list[answers.PaymentLink]:
    base_url = wiring.settings().public_base_url
    return [link_out(overview, base_url) for overview in overviews(call.ports, call.merchant_id, links)]


def _once(call: ApiCall, work: Callable[[], PaymentLink]) -> answers.PaymentLink:
    return call.once(PaymentLink, lambda link: _show(call, [link])[0], work)


def _id(text: str) -> str:
    return record_id(text, "plink", "payment link")


@api.route("/v1/payment_links", methods=["GET"], content_types=[])
@json_api(api, scope="payment_links:read")
@operation("list_payment_links")
def list_payment_links(call: ApiCall) -> answers.Page[answers.PaymentLink]:
    """The payment links, newest first."""
    return list_answer(call, PaymentLink, "payment_links", lambda found: _show(call, found))


@api.route("/v1/payment_links", methods=["POST"], content_types=[])
@json_api(api, scope="payment_links:write", success=201)
@operation("create_payment_link", takes="bodies.PaymentLinkBody", refuses=("limit_reached", "not_ready_to_transact"))
def post_payment_link(call: ApiCall) -> answers.PaymentLink:
    """Make a payment link."""
    from chalicelib.handlers.api.bodies import PaymentLinkBody
    from chalicelib.handlers.api_types import read_body

    body = read_body(PaymentLinkBody, json_object(call.raw_body, call.content_type))
    return _once(call, lambda: create_link(call.ports, call.merchant_id, body.to_domain(), actor=call.actor))


@api.route("/v1/payment_links/{link_id}", methods=["GET"], content_types=[])
@json_api(api, scope="payment_links:read")
@operation("get_payment_link")
def get_payment_link(call: ApiCall, link_id: str) -> answers.PaymentLink:
    """One payment link."""
    return _show(call, [read(call.ports, call.merchant_id, PaymentLink, _id(link_id))])[0]


@api.route("/v1/payment_links/{link_id}", methods=["POST"], content_types=[])
@json_api(api, scope="payment_links:write")
@operation("update_payment_link", takes="bodies.PaymentLinkUpdate", refuses=("limit_reached",))
def post_payment_link_changes(call: ApiCall, link_id: str) -> answers.PaymentLink:
    """Change a payment link."""
    from chalicelib.handlers.api.bodies import PaymentLinkUpdate
    from chalicelib.handlers.api_types import read_body

    body = read_body(PaymentLinkUpdate, json_object(call.raw_body, call.content_type))
    link = read(call.ports, call.merchant_id, PaymentLink, _id(link_id))
    changes = body.to_domain(link.currency)
    return _once(call, lambda: update_link(call.ports, call.merchant_id, link.id, changes, actor=call.actor))


def _switch(call: ApiCall, link_id: str, *, on: bool) -> answers.PaymentLink:
    from chalicelib.handlers.api.bodies import NothingBody
    from chalicelib.handlers.api_types import read_body

    read_body(NothingBody, optional_json_object(call.raw_body, call.content_type))
    wanted = _id(link_id)
    return _once(call, lambda: switch_link(call.ports, call.merchant_id, wanted, on=on, actor=call.actor))


@api.route("/v1/payment_links/{link_id}/activate", methods=["POST"], content_types=[])
@json_api(api, scope="payment_links:write")
@operation("activate_payment_link", takes="bodies.NothingBody", body_optional=True, refuses=("not_ready_to_transact",))
def activate_payment_link(call: ApiCall, link_id: str) -> answers.PaymentLink:
    """Switch a payment link on."""
    return _switch(call, link_id, on=True)


@api.route("/v1/payment_links/{link_id}/deactivate", methods=["POST"], content_types=[])
@json_api(api, scope="payment_links:write")
@operation("deactivate_payment_link", takes="bodies.NothingBody", body_optional=True)
def deactivate_payment_link(call: ApiCall, link_id: str) -> answers.PaymentLink:
    """Switch a payment link off."""
    return _switch(call, link_id, on=False)
