"""Ending a subscription in the portal, and taking that back."""

from __future__ import annotations

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import NotFound, StateConflict
from chalicelib.handlers import presenting
from chalicelib.handlers.buyer_answers import form_fields, require_own_origin
from chalicelib.handlers.buyer_responses import html, redirect, site_root
from chalicelib.handlers.portal_access import action, is_own, place_of, visit_of
from chalicelib.handlers.portal_door import AGAIN, to_sign_in
from chalicelib.handlers.portal_pages import may_cancel, subscription_url
from chalicelib.services.pausing import reactivate
from chalicelib.services.portal.changing_method import own_subscription
from chalicelib.services.portal.signing_in import Visit
from chalicelib.services.subscriptions import cancel, ends_at
from chalicelib.web.forms import parse_cancel_form
from chalicelib.web.headers import PageKind
from chalicelib.web.render import render_cancel_page
from chalicelib.web.views.cancel import CancelPage

ACTOR = "buyer"


def _cancellable(visit: Visit, subscription_id: str) -> Subscription:
    subscription = own_subscription(wiring.ports(), visit, subscription_id)
    if not may_cancel(visit):
        raise NotFound("page")
    return subscription


def show_cancel(request: Request, slug: str, subscription_id: str) -> Response:
    """The question; the subscription's page where it is answered already. Raises NotFound."""
    visit = visit_of(request, slug)
    if visit is None:
        return to_sign_in(slug, place_of(f"subscriptions/{subscription_id}/cancel"))
    subscription = _cancellable(visit, subscription_id)
    back = subscription_url(visit, subscription.id)
    if subscription.has_ended or subscription.cancel_at_period_end:
        return redirect(back)
    now = wiring.ports().clock.now()
    ends = ends_at(subscription, now)
    form = action(visit, f"{back}/cancel", f"cancel:{subscription.id}")
    page = CancelPage(
        merchant=presenting.merchant_view(visit.merchant),
        subscription_name=subscription.lines[0].name,
        amount=presenting.next_amount(subscription),
        frequency=subscription.recurrence.frequency,
        post_url=form.url,
        keep_url=back,
        form_token=form.form_token,
        ends_at=ends if ends > now else None,
    )
    return html(render_cancel_page(page, root=site_root()), PageKind.FORM)


def take_cancel(request: Request, slug: str, subscription_id: str) -> Response:
    """End it when what was paid is over. Sending the form twice changes nothing more. Raises NotFound."""
    require_own_origin(request)
    visit = visit_of(request, slug)
    if visit is None:
        return to_sign_in(slug, place_of(f"subscriptions/{subscription_id}/cancel"))
    subscription = _cancellable(visit, subscription_id)
    back = subscription_url(visit, subscription.id)
    fields = form_fields(request)
    if not is_own(visit, fields, f"cancel:{subscription.id}"):
        return redirect(f"{back}?{AGAIN}=1")
    if not subscription.has_ended:
        reason = parse_cancel_form(fields).reason
        cancel(wiring.ports(), visit.merchant.id, subscription.id, at="period_end", actor=ACTOR, reason=reason)
    return redirect(back)


def take_resume(request: Request, slug: str, subscription_id: str) -> Response:
    """Take a cancellation at period end back, while that has not come. Raises NotFound."""
    require_own_origin(request)
    visit = visit_of(request, slug)
    if visit is None:
        return to_sign_in(slug, place_of(f"subscriptions/{subscription_id}"))
    subscription = own_subscription(wiring.ports(), visit, subscription_id)
    back = subscription_url(visit, subscription.id)
    if not is_own(visit, form_fields(request), f"resume:{subscription.id}"):
        return redirect(f"{back}?{AGAIN}=1")
    try:
        reactivate(wiring.ports(), visit.merchant.id, subscription.id, actor=ACTOR)
    except StateConflict:
        # It ended while the page stood open: the page that follows says so.
        return redirect(back)
    return redirect(back)
