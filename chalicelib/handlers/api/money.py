"""/v1/payments, to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.machines import PaymentStatus
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.listing import list_answer
from chalicelib.handlers.api.resources import payment_out
from chalicelib.handlers.boundary import ApiCall, json_api
from chalicelib.handlers.parsing import record_id, single_values
from chalicelib.services.reading import read


@api.route("/v1/payments", methods=["GET"], content_types=[])
@json_api(api, scope="payments:read")
def list_payments(call: ApiCall) -> dict[str, Any]:
    """The payments, newest first."""

    def show(found: Sequence[Payment]) -> list[dict[str, Any]]:
        return [payment_out(payment) for payment in found]

    owners = ("customer", "subscription", "invoice", "payment_link")
    return list_answer(call, Payment, "payments", show, owners=owners, statuses=PaymentStatus)


@api.route("/v1/payments/{payment_id}", methods=["GET"], content_types=[])
@json_api(api, scope="payments:read")
def get_payment(call: ApiCall, payment_id: str) -> dict[str, Any]:
    """One payment."""
    single_values(call.query, frozenset())
    return payment_out(read(call.ports, call.merchant_id, Payment, record_id(payment_id, "pay", "payment")))
