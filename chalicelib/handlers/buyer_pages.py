"""The pages around a payment: the link's page, the return page, the receipt."""

from __future__ import annotations

import base64
import hmac
import os
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import split_page_token
from chalicelib.domain.machines import CheckoutStatus
from chalicelib.handlers import checkout_tokens, presenting
from chalicelib.handlers.boundary import status_of
from chalicelib.handlers.checkout_tokens import CheckoutToken
from chalicelib.handlers.mail_composer import subscriptions_of
from chalicelib.services.checkouts.opening import Closed, LinkPage, open_link
from chalicelib.services.checkouts.outcomes import resolve
from chalicelib.services.payments.running import may_be_running
from chalicelib.services.ports import Ports, ProviderBusy, ProviderUnavailable
from chalicelib.settings import Settings
from chalicelib.web.headers import PageKind, StripeOrigins, page_headers
from chalicelib.web.render import (
    render_checking_page,
    render_pay_page,
    render_receipt_page,
    render_state_page,
)
from chalicelib.web.static_files import static_file
from chalicelib.web.views.common import Decline, FieldProblem
from chalicelib.web.views.pay import CheckoutValues, PayPage, StripeView
from chalicelib.web.views.receipt import CheckingPage, ReceiptOutcome, ReceiptPage
from chalicelib.web.views.states import StateKind, StatePage
from chalicelib.web.words import decline_words, state_status

CHECKOUT_FORM: Final = "checkout"
_CLOSED: Final = {Closed.OFF: StateKind.LINK_OFF, Closed.NOT_READY: StateKind.CANNOT_TRANSACT}


def html(body: str, kind: PageKind, status: int = 200, nonce: str | None = None) -> Response:
    """A page with the headers of its kind."""
    settings = wiring.settings()
    origins = StripeOrigins(
        settings.stripe_script_origins, settings.stripe_connect_origins, settings.stripe_frame_origins
    )
    headers: dict[str, str | list[str]] = dict(page_headers(kind, nonce, origins))
    return Response(body=body, status_code=status, headers=headers)


def redirect(location: str) -> Response:
    """See other: the answer to a form, or the page that the buyer should be on."""
    return Response(body="", status_code=303, headers={"Location": location, "Cache-Control": "no-store"})


def state(page: StatePage) -> Response:
    """One of the state pages, with its own status."""
    return html(render_state_page(page), PageKind.PLAIN, state_status(page.kind))


def error_response(code: str, request_id: str) -> Response:
    """What a buyer sees of an error: not found, or our fault with a reference."""
    status = status_of(code)
    if status < 500:
        return html(render_state_page(StatePage(StateKind.UNKNOWN)), PageKind.PLAIN, status)
    return state(StatePage(StateKind.OUR_FAULT, reference=request_id))


def link_parts(token: str) -> tuple[str, str]:
    """A payment link's id and secret from its page's token. Raises NotFound."""
    parts = split_page_token("plink", token)
    if parts is None:
        raise NotFound("page")
    return parts


def pay_url(settings: Settings, slug: str, token: str) -> str:
    """The address of a link's page."""
    return f"{settings.public_base_url.rstrip('/')}/pay/{slug}/{token}"


def checkout_url(settings: Settings, kind: str, slug: str, token: CheckoutToken) -> str:
    """The address of a checkout's page; `kind` is `return` or `receipt`."""
    return f"{settings.public_base_url.rstrip('/')}/{kind}/{slug}/{token.text}"


def closed_page(page: LinkPage, closed: Closed) -> Response:
    """Why this link does not sell."""
    return state(StatePage(_CLOSED[closed], merchant=presenting.merchant_view(page.merchant)))


def show_link(request: Request, slug: str, token: str) -> Response:
    """A link's page: one call to the database, nothing written, no intent made."""
    ports, settings = wiring.ports(), wiring.settings()
    link_id, secret = link_parts(token)
    mine = checkout_tokens.from_cookie(request.headers.get("cookie"), link_id)
    page = open_link(ports, slug, link_id, secret, None if mine is None else mine.checkout_id)
    now = ports.clock.now()
    checkout = page.checkout
    if checkout is not None and (mine is None or not _is_of(checkout, mine, link_id)):
        mine, checkout = None, None
    if checkout is not None and mine is not None:
        if checkout.status is CheckoutStatus.PROCESSING or may_be_running(checkout.part, now):
            return redirect(checkout_url(settings, "return", slug, mine))
        if checkout.status is not CheckoutStatus.OPEN or checkout.expires_at <= now:
            mine, checkout = None, None
    if page.closed is not None:
        return closed_page(page, page.closed)
    mine = mine or checkout_tokens.mint(ports.ids, now)
    response = render_form(
        replace(page, checkout=checkout),
        mine,
        token,
        changed=bool(request.query_params and request.query_params.get("changed")),
        decline=_last_decline(checkout),
    )
    path = urlsplit(pay_url(settings, slug, token)).path
    response.headers["Set-Cookie"] = checkout_tokens.set_cookie(link_id, mine, path, settings.public_base_url)
    return response


def render_form(
    page: LinkPage,
    mine: CheckoutToken,
    token: str,
    *,
    values: CheckoutValues | None = None,
    errors: tuple[FieldProblem, ...] = (),
    decline: Decline | None = None,
    changed: bool = False,
) -> Response:
    """The pay page with its form as it stands."""
    ports, settings = wiring.ports(), wiring.settings()
    now = ports.clock.now()
    merchant, link = page.merchant, page.link
    agreed = page.plan_at(now)
    nonce = base64.b64encode(os.urandom(16)).decode()
    if values is None and page.checkout is not None:
        values = CheckoutValues(page.checkout.email, page.checkout.name)
    view = PayPage(
        merchant=presenting.merchant_view(merchant),
        title=link.name,
        due_today=agreed.due_today.total,
        lines=presenting.plan_lines(link.lines, agreed),
        totals=presenting.totals_view(agreed.due_today, link.discount.name if link.discount else None),
        stripe=StripeView(
            publishable_key=settings.stripe_publishable_key,
            js_url=settings.stripe_js_url,
            account=merchant.stripe_account,
            mode="payment" if agreed.due_today.total else "setup",
            setup_future_usage="off_session" if agreed.groups else None,
        ),
        nonce=nonce,
        post_url=pay_url(settings, merchant.slug, token),
        checking_url=checkout_url(settings, "return", merchant.slug, mine),
        form_token=form_token(ports, settings, link.id, mine),
        later_charges=presenting.plan_later_charges(agreed),
        values=values or CheckoutValues(),
        errors=errors,
        decline=decline,
        changed=changed,
    )
    return html(render_pay_page(view), PageKind.PAY, 422 if errors else 200, nonce)


def form_token(ports: Ports, settings: Settings, link_id: str, mine: CheckoutToken) -> str:
    """What the form carries: the checkout it is for, signed for this link."""
    now = ports.clock.now()
    return checkout_tokens.sign(settings.form_secret, f"{CHECKOUT_FORM}:{link_id}", mine.text, now)


def _is_of(checkout: Checkout, token: CheckoutToken, link_id: str) -> bool:
    same = hmac.compare_digest(checkout.secret.encode(), token.secret.encode())
    return same and checkout.payment_link_id == link_id


def _last_decline(checkout: Checkout | None) -> Decline | None:
    """What to say above the card form about the try before this view, where it failed."""
    if checkout is None or checkout.part.latest is None:
        return None
    latest = checkout.part.latest
    if latest.outcome is AttemptOutcome.DECLINED:
        return decline_words(latest.code, latest.decline_code)
    if latest.outcome is AttemptOutcome.REQUIRES_ACTION:
        return decline_words("payment_intent_authentication_failure")
    return None


def _checkout(slug: str, text: str) -> tuple[Merchant, Checkout, CheckoutToken]:
    token = checkout_tokens.parse(text)
    if token is None:
        raise NotFound("page")
    merchant, checkout = wiring.ports().records.find_many([(Merchant, f"mer_{slug}"), (Checkout, token.checkout_id)])
    if merchant is None or checkout is None or checkout.merchant_id != merchant.id:
        raise NotFound("page")
    if not hmac.compare_digest(checkout.secret.encode(), token.secret.encode()):
        raise NotFound("page")
    return merchant, checkout, token


def _link_url(checkout: Checkout, merchant: Merchant) -> str:
    link = wiring.ports().records.get(PaymentLink, checkout.payment_link_id)
    return presenting.page_url(wiring.settings().public_base_url, "pay", merchant, link.id, link.secret)


def _resolved(merchant: Merchant, checkout: Checkout) -> Checkout:
    try:
        return resolve(wiring.ports(), merchant, checkout, actor="buyer")
    except (ProviderUnavailable, ProviderBusy):
        # Not knowing is an answer too: the page goes on waiting and asks again.
        return checkout


def _leads_to(merchant: Merchant, checkout: Checkout, token: CheckoutToken) -> tuple[str, str] | None:
    """Where the buyer should go now, with the word for it; None while the outcome is unknown."""
    settings = wiring.settings()
    if checkout.status is CheckoutStatus.COMPLETED:
        return "paid", checkout_url(settings, "receipt", merchant.slug, token)
    if checkout.status is CheckoutStatus.EXPIRED:
        return "expired", checkout_url(settings, "return", merchant.slug, token)
    if checkout.status is CheckoutStatus.OPEN and not checkout.part.in_doubt:
        return "open", _link_url(checkout, merchant)
    return None


def show_return(slug: str, text: str) -> Response:
    """Asks Stripe where that is needed, then leads on; waits while nobody knows."""
    merchant, checkout, token = _checkout(slug, text)
    checkout = _resolved(merchant, checkout)
    view = presenting.merchant_view(merchant)
    if checkout.status is CheckoutStatus.EXPIRED:
        again = _link_url(checkout, merchant)
        return state(StatePage(StateKind.CHECKOUT_TIMED_OUT, merchant=view, again_url=again))
    onward = _leads_to(merchant, checkout, token)
    if onward is not None:
        return redirect(onward[1])
    here = checkout_url(wiring.settings(), "return", slug, token)
    page = CheckingPage(view, f"{here}/status", here, amount=checkout.totals.total, email=checkout.email)
    return html(render_checking_page(page), PageKind.CHECKING)


def tell_status(slug: str, text: str) -> Response:
    """The same as JSON."""
    merchant, checkout, token = _checkout(slug, text)
    onward = _leads_to(merchant, _resolved(merchant, checkout), token)
    body: dict[str, object] = {"status": "checking"}
    if onward is not None:
        body = {"status": onward[0], "location": onward[1]}
    return json_answer(body)


def json_answer(body: dict[str, object], status: int = 200) -> Response:
    """An answer for one of our scripts."""
    headers: dict[str, str | list[str]] = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(body=body, status_code=status, headers=headers)


def show_receipt(slug: str, text: str) -> Response:
    """The receipt of a completed checkout; before that, the way to where its outcome is told."""
    merchant, checkout, token = _checkout(slug, text)
    settings, ports = wiring.settings(), wiring.ports()
    if checkout.status is not CheckoutStatus.COMPLETED:
        return redirect(checkout_url(settings, "return", slug, token))
    invoice, link = ports.records.find_many([(Invoice, checkout.invoice_id), (PaymentLink, checkout.payment_link_id)])
    if invoice is None or link is None:
        raise NotFound("receipt")
    base = settings.public_base_url
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
        later_charges=presenting.later_charges(subscriptions_of(ports, invoice), base, merchant),
        message=link.after_payment.message,
    )
    return html(render_receipt_page(page), PageKind.PLAIN)


def send_static(name: str) -> Response:
    """A file that pages load. Raises NotFound."""
    found = static_file(name)
    if found is None:
        raise NotFound("file")
    headers: dict[str, str | list[str]] = {
        "Content-Type": found.content_type,
        "Cache-Control": found.cache_control,
        "ETag": found.etag,
        "X-Content-Type-Options": "nosniff",
    }
    return Response(body=found.content.decode(), status_code=200, headers=headers)
