"""What buyers open: the link's page, its receipt, the hosted invoice, the page that ends a subscription.

Rendering is imported inside the views: importing `app` must not pay for it.
"""

from __future__ import annotations

from chalice.app import Blueprint, Response

from chalicelib.domain.errors import NotFound
from chalicelib.handlers.boundary import html_page

buyer = Blueprint(__name__)

FORM = ["application/x-www-form-urlencoded"]


def error_page(code: str, request_id: str) -> Response:
    """The page for what no view has words for, also for what reached no view."""
    from chalicelib.handlers.buyer_responses import error_response

    return error_response(code, request_id)


def view_error(code: str, request_id: str) -> Response:
    """The same for who asked a view: a page's script is told in JSON."""
    from chalicelib.handlers.buyer_responses import error_answer, is_scripted

    return error_answer(code, request_id) if is_scripted(buyer.current_request) else error_page(code, request_id)


@buyer.route("/pay/{slug}/{token}", methods=["GET"])
@html_page(buyer, render_error=view_error)
def pay_page(slug: str, token: str) -> Response:
    """A payment link, which is its checkout too."""
    from chalicelib.handlers.buyer_pages import show_link

    return show_link(buyer.current_request, slug, token)


@buyer.route("/pay/{slug}/{token}", methods=["POST"], content_types=FORM)
@html_page(buyer, render_error=view_error)
def pay_submit(slug: str, token: str) -> Response:
    """The press of the button; JSON for the page's script, a page for who has none."""
    from chalicelib.handlers.buyer_submit import take_submit

    return take_submit(buyer.current_request, slug, token)


@buyer.route("/return/{slug}/{token}", methods=["GET"])
@html_page(buyer, render_error=view_error)
def return_page(slug: str, token: str) -> Response:
    """Where a challenge and a lost answer lead: asks Stripe, then leads on, or waits."""
    from chalicelib.handlers.buyer_return import show_return

    return show_return(buyer.current_request, slug, token)


@buyer.route("/return/{slug}/{token}/status", methods=["GET"])
@html_page(buyer, render_error=view_error)
def return_status(slug: str, token: str) -> Response:
    """The same for the waiting page's script."""
    from chalicelib.handlers.buyer_return import tell_status

    return tell_status(buyer.current_request, slug, token)


@buyer.route("/receipt/{slug}/{token}", methods=["GET"])
@html_page(buyer, render_error=view_error)
def receipt_page(slug: str, token: str) -> Response:
    """What was paid, and what comes later: of a checkout, or of an invoice that was paid on its own page."""
    from chalicelib.handlers import buyer_invoices, buyer_return

    try:
        return buyer_return.show_receipt(slug, token)
    except NotFound:
        return buyer_invoices.show_receipt(slug, token)


@buyer.route("/invoice/{slug}/{token}", methods=["GET"])
@html_page(buyer, render_error=view_error)
def invoice_page(slug: str, token: str) -> Response:
    """An issued invoice."""
    from chalicelib.handlers.buyer_invoices import show_invoice

    return show_invoice(slug, token)


@buyer.route("/invoice/{slug}/{token}/pay", methods=["GET"])
@html_page(buyer, render_error=view_error)
def invoice_pay_page(slug: str, token: str) -> Response:
    """Where an open invoice is paid."""
    from chalicelib.handlers.buyer_invoices import show_pay

    return show_pay(buyer.current_request, slug, token)


@buyer.route("/invoice/{slug}/{token}/pay", methods=["POST"], content_types=FORM)
@html_page(buyer, render_error=view_error)
def invoice_pay_submit(slug: str, token: str) -> Response:
    """The press of that button."""
    from chalicelib.handlers.buyer_invoices import take_pay

    return take_pay(buyer.current_request, slug, token)


@buyer.route("/invoice/{slug}/{token}/return", methods=["GET"])
@html_page(buyer, render_error=view_error)
def invoice_return(slug: str, token: str) -> Response:
    """Where an invoice's challenge and lost answer lead."""
    from chalicelib.handlers.buyer_invoices import show_return

    return show_return(slug, token)


@buyer.route("/invoice/{slug}/{token}/return/status", methods=["GET"])
@html_page(buyer, render_error=view_error)
def invoice_return_status(slug: str, token: str) -> Response:
    """The same for the waiting page's script."""
    from chalicelib.handlers.buyer_invoices import tell_status

    return tell_status(slug, token)


@buyer.route("/cancel/{slug}/{token}", methods=["GET"])
@html_page(buyer, render_error=view_error)
def cancel_page(slug: str, token: str) -> Response:
    """The question whether to end a subscription."""
    from chalicelib.handlers.buyer_cancel import show_cancel

    return show_cancel(slug, token)


@buyer.route("/cancel/{slug}/{token}", methods=["POST"], content_types=FORM)
@html_page(buyer, render_error=view_error)
def cancel_submit(slug: str, token: str) -> Response:
    """The answer: at the end of what was paid."""
    from chalicelib.handlers.buyer_cancel import take_cancel

    return take_cancel(buyer.current_request, slug, token)


@buyer.route("/static/{name}", methods=["GET"])
@html_page(buyer, render_error=view_error)
def static(name: str) -> Response:
    """The stylesheet and the two scripts."""
    from chalicelib.handlers.buyer_responses import send_static

    return send_static(name)
