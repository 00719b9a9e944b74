"""/v1/invoices and /v1/checkouts, to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib import wiring
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.machines import CheckoutStatus, InvoiceStatus
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.listing import list_answer
from chalicelib.handlers.api.resources import checkout_out, invoice_out
from chalicelib.handlers.boundary import ApiCall, json_api
from chalicelib.handlers.parsing import record_id, single_values
from chalicelib.services.reading import read


def _show_invoices(call: ApiCall, invoices: Sequence[Invoice]) -> list[dict[str, Any]]:
    base_url, now = wiring.settings().public_base_url, call.ports.clock.now()
    return [invoice_out(invoice, base_url, now) for invoice in invoices]


@api.route("/v1/invoices", methods=["GET"], content_types=[])
@json_api(api, scope="invoices:read")
def list_invoices(call: ApiCall) -> dict[str, Any]:
    """The invoices, newest first."""
    return list_answer(
        call,
        Invoice,
        "invoices",
        lambda found: _show_invoices(call, found),
        owners=("customer", "subscription", "payment_link"),
        statuses=InvoiceStatus,
    )


@api.route("/v1/invoices/{invoice_id}", methods=["GET"], content_types=[])
@json_api(api, scope="invoices:read")
def get_invoice(call: ApiCall, invoice_id: str) -> dict[str, Any]:
    """One invoice."""
    single_values(call.query, frozenset())
    wanted = record_id(invoice_id, "inv", "invoice")
    return _show_invoices(call, [read(call.ports, call.merchant_id, Invoice, wanted)])[0]


@api.route("/v1/checkouts", methods=["GET"], content_types=[])
@json_api(api, scope="checkouts:read")
def list_checkouts(call: ApiCall) -> dict[str, Any]:
    """The checkouts, newest first."""

    def show(found: Sequence[Checkout]) -> list[dict[str, Any]]:
        return [checkout_out(checkout) for checkout in found]

    return list_answer(call, Checkout, "checkouts", show, owners=("payment_link",), statuses=CheckoutStatus)


@api.route("/v1/checkouts/{checkout_id}", methods=["GET"], content_types=[])
@json_api(api, scope="checkouts:read")
def get_checkout(call: ApiCall, checkout_id: str) -> dict[str, Any]:
    """One checkout."""
    single_values(call.query, frozenset())
    return checkout_out(read(call.ports, call.merchant_id, Checkout, record_id(checkout_id, "chk", "checkout")))
