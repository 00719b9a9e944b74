"""/v1/payments, to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.machines import PaymentStatus
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.listing import list_answer
from chalicelib.handlers.api.operations import Filters, operation
from chalicelib.handlers.api.resources import payment_out
from chalicelib.handlers.boundary import json_api
from chalicelib.handlers.calls import ApiCall
from chalicelib.handlers.parsing import record_id
from chalicelib.services.reading import read

if TYPE_CHECKING:
    from chalicelib.handlers.api import answers

_FILTERS: Final = Filters(("customer", "subscription", "invoice", "payment_link"), PaymentStatus)


@api.route("/v1/payments", methods=["GET"], content_types=[])
@json_api(api, scope="payments:read")
@operation("list_payments", filters=_FILTERS)
def list_payments(call: ApiCall) -> answers.Page[answers.Payment]:
    """The payments, newest first."""

    def show(found: Sequence[Payment]) -> list[answers.Payment]:
        return [payment_out(payment) for payment in found]

    return list_answer(call, Payment, "payments", show, _FILTERS)


@api.route("/v1/payments/{payment_id}", methods=["GET"], content_types=[])
@json_api(api, scope="payments:read")
@operation("get_payment")
def get_payment(call: ApiCall, payment_id: str) -> answers.Payment:
    """One payment."""
    return payment_out(read(call.ports, call.merchant_id, Payment, record_id(payment_id, "pay", "payment")))
