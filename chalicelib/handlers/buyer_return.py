"""Where a challenge, a lost answer and a paid checkout lead: the waiting page, and the receipt."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Final

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import milliseconds
from chalicelib.domain.machines import CheckoutStatus
from chalicelib.handlers import checkout_tokens, presenting
from chalicelib.handlers.buyer_pages import ASKED, checkout_url, link_parts, pay_url, waits_for_bank
from chalicelib.handlers.buyer_responses import html, json_answer, query_of, redirect, site_root, state
from chalicelib.handlers.checkout_tokens import CheckoutToken
from chalicelib.handlers.mail_composer import subscriptions_of
from chalicelib.services.checkouts.opening import open_link
from chalicelib.services.checkouts.outcomes import resolve
from chalicelib.services.ports import ProviderBusy, ProviderUnavailable
from chalicelib.services.refunds.shown import refunds_shown
from chalicelib.web.headers import PageKind
from chalicelib.web.render import render_checking_page, render_receipt_page
from chalicelib.web.views.receipt import CheckingPage, ReceiptOutcome, ReceiptPage
from chalicelib.web.views.states import StateKind, StatePage

MAY_ARRIVE: Final = timedelta(seconds=30)
"""How long a press may be on its way to us: API Gateway gives up after 29 s
(docs.aws.amazon.com/apigateway/latest/developerguide/limits.html)."""
_LONGEST_STAMP: Final = 15


def _token(text: str) -> CheckoutToken:
    token = checkout_tokens.parse(text)
    if token is None:
        raise NotFound("page")
    return token


def _find(slug: str, token: CheckoutToken) -> tuple[Merchant, Checkout | None]:
    """The merchant and the checkout; no checkout where none of that id exists. Raises NotFound for a wrong secret."""
    merchant, checkout = wiring.ports().records.find_many([(Merchant, f"mer_{slug}"), (Checkout, token.checkout_id)])
    if merchant is None:
        raise NotFound("page")
    if checkout is not None:
        same = hmac.compare_digest(checkout.secret.encode(), token.secret.encode())
        if not same or checkout.merchant_id != merchant.id:
            raise NotFound("page")
    return merchant, checkout


def _link_url(checkout: Checkout, merchant: Merchant) -> str:
    link = wiring.ports().records.get(PaymentLink, checkout.payment_link_id)
    return presenting.page_url(wiring.settings().public_base_url, "pay", merchant, link.id, link.secret)


def _resolved(merchant: Merchant, checkout: Checkout) -> tuple[Checkout, bool]:
    """The checkout after asking Stripe, and whether Stripe could be asked."""
    try:
        return resolve(wiring.ports(), merchant, checkout, actor="buyer"), True
    except (ProviderUnavailable, ProviderBusy):
        # Not knowing is an answer too: the page goes on waiting and asks again.
        return checkout, False


def _leads_to(merchant: Merchant, checkout: Checkout, token: CheckoutToken, asked: bool) -> tuple[str, str] | None:
    """Where the buyer should go now, with the word for it; None while the outcome is unknown."""
    settings = wiring.settings()
    if checkout.status is CheckoutStatus.COMPLETED:
        return "paid", checkout_url(settings, "receipt", merchant.slug, token)
    if checkout.status is CheckoutStatus.EXPIRED:
        return "expired", checkout_url(settings, "return", merchant.slug, token)
    waits = waits_for_bank(checkout)
    if checkout.status is CheckoutStatus.OPEN and not checkout.part.in_doubt and (asked or not waits):
        return "open", _link_url(checkout, merchant) + (f"?{ASKED}=1" if waits else "")
    return None


class _Unarrived:
    """A press that was sent and has left no checkout: it may be on its way still, and after a while it is not.

    The address says which link it was for; who follows it back finds the form with the same checkout, by the cookie.
    """

    def __init__(self, request: Request, merchant: Merchant, token: CheckoutToken) -> None:
        """Raises NotFound where the address names no link of the merchant's."""
        asked = query_of(request)
        link = asked.get("link", "")
        open_link(wiring.ports(), merchant.slug, *link_parts(link), None)
        settings, now = wiring.settings(), milliseconds(wiring.ports().clock.now())
        stamp = asked.get("since", "")
        known = stamp.isascii() and stamp.isdigit() and len(stamp) <= _LONGEST_STAMP
        since = min(now, int(stamp)) if known else now
        self._merchant = merchant
        self._query = f"?link={link}&since={since}"
        self._here = checkout_url(settings, "return", merchant.slug, token)
        self.form = pay_url(settings, merchant.slug, link)
        self.given_up = now - since >= MAY_ARRIVE // timedelta(milliseconds=1)

    def page(self) -> Response:
        if self.given_up:
            return redirect(self.form)
        view = presenting.merchant_view(self._merchant)
        page = CheckingPage(view, f"{self._here}/status{self._query}", self._here + self._query)
        return html(render_checking_page(page, root=site_root()), PageKind.CHECKING)

    def status(self) -> Response:
        return json_answer({"status": "open", "location": self.form} if self.given_up else {"status": "checking"})


def show_return(request: Request, slug: str, text: str) -> Response:
    """Asks Stripe where that is needed, then leads on; waits while nobody knows."""
    token = _token(text)
    merchant, found = _find(slug, token)
    if found is None:
        return _Unarrived(request, merchant, token).page()
    checkout, asked = _resolved(merchant, found)
    view = presenting.merchant_view(merchant)
    if checkout.status is CheckoutStatus.EXPIRED:
        again = _link_url(checkout, merchant)
        return state(StatePage(StateKind.CHECKOUT_TIMED_OUT, merchant=view, again_url=again))
    onward = _leads_to(merchant, checkout, token, asked)
    if onward is not None:
        return redirect(onward[1])
    here = checkout_url(wiring.settings(), "return", slug, token)
    page = CheckingPage(view, f"{here}/status", here, amount=checkout.totals.total, email=checkout.email)
    return html(render_checking_page(page, root=site_root()), PageKind.CHECKING)


def tell_status(request: Request, slug: str, text: str) -> Response:
    """The same as JSON."""
    token = _token(text)
    merchant, checkout = _find(slug, token)
    if checkout is None:
        return _Unarrived(request, merchant, token).status()
    checkout, asked = _resolved(merchant, checkout)
    onward = _leads_to(merchant, checkout, token, asked)
    body: dict[str, object] = {"status": "checking"}
    if onward is not None:
        body = {"status": onward[0], "location": onward[1]}
    return json_answer(body)


def show_receipt(slug: str, text: str) -> Response:
    """The receipt of a completed checkout; before that, the way to where its outcome is told."""
    token = _token(text)
    merchant, checkout = _find(slug, token)
    if checkout is None:
        raise NotFound("page")
    settings, ports = wiring.settings(), wiring.ports()
    if checkout.status is not CheckoutStatus.COMPLETED:
        return redirect(checkout_url(settings, "return", slug, token))
    invoice, link = ports.records.find_many([(Invoice, checkout.invoice_id), (PaymentLink, checkout.payment_link_id)])
    if invoice is None or link is None:
        raise NotFound("receipt")
    base = settings.public_base_url
    later = presenting.later_charges(subscriptions_of(ports, invoice), base, merchant)
    page = ReceiptPage(
        merchant=presenting.merchant_view(merchant),
        outcome=ReceiptOutcome.PAID,
        title=link.name,
        amount=invoice.totals.total,
        at=checkout.completed_at or checkout.created_at,
        email=checkout.email,
        payer_name=checkout.name,
        method=presenting.method_view(invoice.paid_with),
        invoice_number=invoice.number,
        invoice_url=presenting.page_url(base, "invoice", merchant, invoice.id, invoice.secret),
        later_charges=later,
        manage_url=presenting.portal_url(base, merchant) if later else None,
        message=link.after_payment.message,
        refunds=presenting.refund_rows(refunds_shown(ports, invoice), None),
    )
    return html(render_receipt_page(page, root=site_root()), PageKind.PLAIN)
