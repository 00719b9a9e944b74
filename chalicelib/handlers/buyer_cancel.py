"""The page that ends a subscription."""

from __future__ import annotations

import hmac
from typing import Final

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import split_page_token
from chalicelib.handlers import checkout_tokens, presenting
from chalicelib.handlers.buyer_answers import form_fields, require_own_origin
from chalicelib.handlers.buyer_responses import html, redirect, site_root
from chalicelib.services.ports import Index
from chalicelib.services.subscriptions import cancel, ends_at
from chalicelib.web.forms import parse_cancel_form
from chalicelib.web.headers import PageKind
from chalicelib.web.render import render_cancel_page, render_cancelled_page
from chalicelib.web.views.cancel import CancelledPage, CancelPage

CANCEL_FORM: Final = "cancel"


def _subscription(slug: str, token: str) -> tuple[Merchant, Subscription]:
    parts = split_page_token("sub", token)
    if parts is None:
        raise NotFound("page")
    merchant, found = wiring.ports().records.find_many([(Merchant, f"mer_{slug}"), (Subscription, parts[0])])
    if merchant is None or found is None or found.merchant_id != merchant.id:
        raise NotFound("page")
    if not hmac.compare_digest(found.secret.encode(), parts[1].encode()):
        raise NotFound("page")
    return merchant, found


def show_cancel(slug: str, token: str) -> Response:
    """The question, or, once it is answered, what was answered."""
    merchant, subscription = _subscription(slug, token)
    ports, settings = wiring.ports(), wiring.settings()
    now = ports.clock.now()
    view = presenting.merchant_view(merchant)
    name = subscription.lines[0].name
    ends = ends_at(subscription, now)
    if subscription.has_ended:
        return html(render_cancelled_page(CancelledPage(view, name), root=site_root()), PageKind.PLAIN)
    if subscription.cancel_at_period_end:
        return html(render_cancelled_page(CancelledPage(view, name, ends_at=ends), root=site_root()), PageKind.PLAIN)
    here = presenting.page_url(settings.public_base_url, "cancel", merchant, subscription.id, subscription.secret)
    page = CancelPage(
        merchant=view,
        subscription_name=name,
        amount=presenting.next_amount(subscription),
        frequency=subscription.recurrence.frequency,
        post_url=here,
        keep_url=_keep_url(merchant, subscription),
        form_token=checkout_tokens.sign(settings.form_secret, CANCEL_FORM, subscription.id, now),
        ends_at=ends if ends > now else None,
    )
    return html(render_cancel_page(page, root=site_root()), PageKind.FORM)


def _keep_url(merchant: Merchant, subscription: Subscription) -> str:
    """Back to the newest document of the subscription that its owner may see."""
    base = wiring.settings().public_base_url
    newest = wiring.ports().records.newest(Invoice, Index.BY_SUBSCRIPTION, subscription.id, limit=1).records
    if newest:
        return presenting.page_url(base, "invoice", merchant, newest[0].id, newest[0].secret)
    return presenting.page_url(base, "cancel", merchant, subscription.id, subscription.secret)


def take_cancel(request: Request, slug: str, token: str) -> Response:
    """End the subscription when what was paid is over. Sending the form twice changes nothing more."""
    require_own_origin(request)
    merchant, subscription = _subscription(slug, token)
    settings, now = wiring.settings(), wiring.ports().clock.now()
    here = presenting.page_url(settings.public_base_url, "cancel", merchant, subscription.id, subscription.secret)
    form = parse_cancel_form(form_fields(request))
    signed = checkout_tokens.read(settings.form_secret, CANCEL_FORM, form.form_token, now)
    if signed == subscription.id and not subscription.has_ended:
        cancel(wiring.ports(), merchant.id, subscription.id, at="period_end", actor="buyer", reason=form.reason)
    return redirect(here)
