"""/v1/invoices and /v1/checkouts, to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from chalicelib import wiring
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.machines import CheckoutStatus, InvoiceStatus
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.listing import list_answer
from chalicelib.handlers.api.operations import Filters, operation
from chalicelib.handlers.api.resources import checkout_out, invoice_out
from chalicelib.handlers.boundary import json_api
from chalicelib.handlers.calls import ApiCall
from chalicelib.handlers.parsing import record_id
from chalicelib.services.reading import read

if TYPE_CHECKING:
    from chalicelib.handlers.api import answers
_INVOICES: Final = Filters(("customer", "subscription", "payment_link"), InvoiceStatus)
_CHECKOUTS: Final = Filters(("payment_link",), CheckoutStatus)


def _show_invoices(call: ApiCall, invoices: Sequence[Invoice]) -> list[answers.Invoice]:
    base_url, now = wiring.settings().public_base_url, call.ports.clock.now()
    return [invoice_out(invoice, base_url, now) for invoice in invoices]


@api.route("/v1/invoices", methods=["GET"], content_types=[])
@json_api(api, scope="invoices:read")
@operation("list_invoices", filters=_INVOICES)
def list_invoices(call: ApiCall) -> answers.Page[answers.Invoice]:
    """The invoices, newest first."""
    return list_answer(call, Invoice, "invoices", lambda found: _show_invoices(call, found), _INVOICES)


@api.route("/v1/invoices/{invoice_id}", methods=["GET"], content_types=[])
@json_api(api, scope="invoices:read")
@operation("get_invoice")
def get_invoice(call: ApiCall, invoice_id: str) -> answers.Invoice:
    """One invoice."""
    wanted = record_id(invoice_id, "inv", "invoice")
    return _show_invoices(call, [read(call.ports, call.merchant_id, Invoice, wanted)])[0]


@api.route("/v1/checkouts", methods=["GET"], content_types=[])
@json_api(api, scope="checkouts:read")
@operation("list_checkouts", filters=_CHECKOUTS)
def list_checkouts(call: ApiCall) -> answers.Page[answers.Checkout]:
    """The checkouts, newest first."""

    def show(found: Sequence[Checkout]) -> list[answers.Checkout]:
        return [checkout_out(checkout) for checkout in found]

    return list_answer(call, Checkout, "checkouts", show, _CHECKOUTS)


@api.route("/v1/checkouts/{checkout_id}", methods=["GET"], content_types=[])
@json_api(api, scope="checkouts:read")
@operation("get_checkout")
def get_checkout(call: ApiCall, checkout_id: str) -> answers.Checkout:
    """One checkout."""
    return checkout_out(read(call.ports, call.merchant_id, Checkout, record_id(checkout_id, "chk", "checkout")))
