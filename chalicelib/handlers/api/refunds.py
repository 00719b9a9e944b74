"""/v1/refunds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from chalicelib.domain.documents.refunds import Refund
from chalicelib.domain.machines import RefundStatus
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.listing import list_answer
from chalicelib.handlers.api.operations import Filters, operation
from chalicelib.handlers.api.resources import refund_out
from chalicelib.handlers.boundary import json_api
from chalicelib.handlers.calls import ApiCall
from chalicelib.handlers.parsing import json_object, record_id
from chalicelib.services.reading import read
from chalicelib.services.refunds.asking import create_refund

if TYPE_CHECKING:
    from chalicelib.handlers.api import answers

_FILTERS: Final = Filters(("payment", "invoice", "customer"), RefundStatus)


@api.route("/v1/refunds", methods=["GET"], content_types=[])
@json_api(api, scope="refunds:read")
@operation("list_refunds", filters=_FILTERS)
def list_refunds(call: ApiCall) -> answers.Page[answers.Refund]:
    """The refunds, newest first, those made in Stripe's dashboard too."""

    def show(found: Sequence[Refund]) -> list[answers.Refund]:
        return [refund_out(refund) for refund in found]

    return list_answer(call, Refund, "refunds", show, _FILTERS)


@api.route("/v1/refunds", methods=["POST"], content_types=[])
@json_api(api, scope="refunds:write", success=201)
@operation("create_refund", takes="bodies.RefundBody", refuses=("not_ready_to_transact",))
def post_refund(call: ApiCall) -> answers.Refund:
    """Send a payment back, wholly or in part.

    The answer is `succeeded`, `failed` with Stripe's reason, or `pending` as long as the bank, or nobody yet, has said
    what became of it; the event `refund.succeeded` or `refund.failed` tells then. A refund that has succeeded can still
    fail when the buyer's bank sends it back.
    """
    from chalicelib.handlers.api.bodies import RefundBody
    from chalicelib.handlers.api_types import read_body

    body = read_body(RefundBody, json_object(call.raw_body, call.content_type))
    asked, refund_id = body.to_domain(), call.effect_id("ref")
    return call.once(
        Refund,
        refund_out,
        lambda: create_refund(call.ports, call.merchant_id, asked, actor=call.actor, refund_id=refund_id),
        # Refunds made in Stripe's dashboard may be booked on the way; a refusal must be one again when asked again.
        final=lambda refund: refund.id == refund_id and not (refund.is_unanswered or refund.was_turned_away),
    )


@api.route("/v1/refunds/{refund_id}", methods=["GET"], content_types=[])
@json_api(api, scope="refunds:read")
@operation("get_refund")
def get_refund(call: ApiCall, refund_id: str) -> answers.Refund:
    """One refund."""
    return refund_out(read(call.ports, call.merchant_id, Refund, record_id(refund_id, "ref", "refund")))
