"""The page on which a subscription's payment method is replaced: the pay page, storing instead of paying."""

from __future__ import annotations

import base64
import os
from typing import Final

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.documents.portal import MethodChange
from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import BODY_LENGTH, body_of, is_ulid
from chalicelib.handlers import checkout_tokens, presenting
from chalicelib.handlers.buyer_answers import Places, back_to_form, form_fields, go, require_own_origin, tell
from chalicelib.handlers.buyer_pages import CHANGED, TIMED_OUT
from chalicelib.handlers.buyer_responses import html, is_scripted, json_answer, query_of, redirect, site_root
from chalicelib.handlers.portal_access import CHANGE, place_of, portal_url, visit_of
from chalicelib.handlers.portal_door import sign_in_url, to_sign_in
from chalicelib.handlers.portal_pages import STORED, subscription_url
from chalicelib.handlers.sources import address_of, source_of
from chalicelib.services.portal.changing_method import (
    ChangeMethod,
    MethodPage,
    change_method,
    open_method_page,
    resolve_change,
)
from chalicelib.services.portal.signing_in import Visit, find_merchant
from chalicelib.services.ports import ProviderBusy, ProviderUnavailable
from chalicelib.web.forms import FormErrors, parse_checkout_form
from chalicelib.web.headers import PageKind
from chalicelib.web.render import render_checking_page, render_pay_page
from chalicelib.web.views.common import Decline, LaterCharge, LineView, TotalsView
from chalicelib.web.views.pay import CheckoutValues, PayPage, StripeView
from chalicelib.web.views.receipt import CheckingPage
from chalicelib.web.words import consent_text, decline_words

METHOD: Final = "portal-method"


def _place(subscription_id: str) -> str | None:
    return place_of(f"subscriptions/{subscription_id}/method")


def _purpose(visit: Visit) -> str:
    return f"{METHOD}:{visit.session.id}"


def _url(visit: Visit, page: MethodPage, more: str = "") -> str:
    return subscription_url(visit, page.subscription.id, f"/method{more}")


def _stored_url(visit: Visit, page: MethodPage) -> str:
    return f"{subscription_url(visit, page.subscription.id)}?{STORED}=1"


def _waiting_url(visit: Visit, page: MethodPage, change_id: str) -> str:
    return _url(visit, page, f"/{body_of(change_id)}")


def _lines(page: MethodPage) -> tuple[LineView, ...]:
    """What is owed, invoice by invoice, oldest first."""
    return tuple(
        LineView(
            name=f"Invoice {invoice.number}",
            quantity=1,
            unit_amount=invoice.amount_due,
            amount=invoice.amount_due,
            period_start=None if invoice.period is None else invoice.period.start,
            period_end=None if invoice.period is None else invoice.period.end,
        )
        for invoice in page.owed
    )


def _later(page: MethodPage) -> tuple[LaterCharge, ...]:
    return presenting.later_charges([page.subscription], wiring.settings().public_base_url, page.merchant)


def _totals(page: MethodPage) -> TotalsView:
    return TotalsView(page.due, page.due)


def _consent(page: MethodPage) -> str | None:
    words = consent_text(page.merchant.name, page.due, _later(page), page.merchant.timezone, saving=True)
    return None if words is None else words.plain


def _shown(page: MethodPage) -> str:
    return presenting.shown_digest(_lines(page), _totals(page), page.merchant, _later(page))


def show_method(request: Request, slug: str, subscription_id: str) -> Response:
    """The page with its card form; the subscription's own page where no method will be charged any more."""
    visit = visit_of(request, slug)
    if visit is None:
        return to_sign_in(slug, _place(subscription_id))
    page = open_method_page(wiring.ports(), visit, subscription_id)
    if not page.can_change:
        return redirect(subscription_url(visit, page.subscription.id))
    asked = query_of(request)
    return _form(visit, page, changed=CHANGED in asked, timed_out=TIMED_OUT in asked)


def _form(
    visit: Visit,
    page: MethodPage,
    *,
    change_id: str | None = None,
    decline: Decline | None = None,
    changed: bool = False,
    timed_out: bool = False,
) -> Response:
    ports, settings = wiring.ports(), wiring.settings()
    now = ports.clock.now()
    subscription, merchant, customer = page.subscription, page.merchant, page.customer
    mine = change_id or ports.ids.new(CHANGE, now)
    nonce = base64.b64encode(os.urandom(16)).decode()
    known_as = subscription.buyer.name if subscription.buyer is not None else customer.name
    view = PayPage(
        merchant=presenting.merchant_view(merchant),
        title=subscription.lines[0].name,
        due_today=page.due,
        lines=_lines(page),
        totals=_totals(page),
        stripe=StripeView(
            publishable_key=settings.stripe_publishable_key,
            js_url=settings.stripe_js_url,
            account=merchant.stripe_account,
            mode="setup",
        ),
        nonce=nonce,
        post_url=_url(visit, page),
        checking_url=_waiting_url(visit, page, mine),
        form_token=checkout_tokens.sign(
            settings.form_secret, _purpose(visit), f"{subscription.id}:{mine}", now, _shown(page)
        ),
        later_charges=_later(page),
        values=CheckoutValues(customer.email, known_as or customer.email),
        decline=decline,
        changed=changed,
        timed_out=timed_out,
        billed_to=known_as or customer.email,
        replaces="nothing" if subscription.method is None else "card",
        back_url=subscription_url(visit, subscription.id),
    )
    return html(render_pay_page(view, root=site_root()), PageKind.PAY, nonce=nonce)


def take_method(request: Request, slug: str, subscription_id: str) -> Response:
    """Try to store another method once. Raises NotFound for what is not the visitor's."""
    require_own_origin(request)
    ports, settings = wiring.ports(), wiring.settings()
    visit, scripted = visit_of(request, slug), is_scripted(request)
    if visit is None:
        door = portal_url(settings, find_merchant(ports, slug))
        return go(scripted, "closed", sign_in_url(door, _place(subscription_id)))
    page = open_method_page(ports, visit, subscription_id)
    here = _url(visit, page)
    form = parse_checkout_form(form_fields(request))
    if isinstance(form, FormErrors):
        return back_to_form(scripted, here, CHANGED)
    signed = checkout_tokens.read_signed(settings.form_secret, _purpose(visit), form.form_token, ports.clock.now())
    whose, _, change_id = ("", "", "") if signed is None else signed.subject.partition(":")
    if signed is None or whose != page.subscription.id:
        return back_to_form(scripted, here, TIMED_OUT)
    if form.confirmation_token is None:
        return redirect(here)
    waiting = _waiting_url(visit, page, change_id)
    places = Places(paid=_stored_url(visit, page), waiting=waiting, form=here)
    done = change_method(
        ports,
        visit,
        ChangeMethod(
            subscription_id=page.subscription.id,
            change_id=change_id,
            confirmation_token=form.confirmation_token,
            return_url=waiting,
            consent_words=_consent,
            as_shown=lambda page: signed.shown == _shown(page),
            address=address_of(request),
            source=source_of(request, settings.form_secret),
        ),
    )
    return tell(
        done,
        scripted,
        places,
        page.merchant.timezone,
        lambda words: _form(visit, page, change_id=change_id, decline=words),
    )


def _own_change(visit: Visit, subscription_id: str, body: str) -> MethodPage:
    if len(body) != BODY_LENGTH or not is_ulid(body):
        raise NotFound("page")
    return open_method_page(wiring.ports(), visit, subscription_id, f"{CHANGE}_{body}")


def _resolved(page: MethodPage) -> MethodChange | None:
    """The page's change as Stripe knows it; None while nobody knows how its try ended."""
    if page.change is None:
        raise NotFound("page")
    try:
        change = resolve_change(wiring.ports(), page.merchant, page.change)
    except (ProviderUnavailable, ProviderBusy):
        # Not knowing is an answer too: the page goes on waiting and asks again.
        return None
    return None if change.part.in_doubt else change


def _refused(change: MethodChange) -> Decline | None:
    """Why the newest try of a change stored nothing, in words; None where it did nothing at all."""
    latest = change.part.latest
    if latest is None or latest.outcome not in (AttemptOutcome.DECLINED, AttemptOutcome.REQUIRES_ACTION):
        return None
    if latest.outcome is AttemptOutcome.DECLINED:
        return decline_words(latest.code, latest.decline_code)
    return decline_words("setup_intent_authentication_failure")


def show_return(request: Request, slug: str, subscription_id: str, change: str) -> Response:
    """Asks Stripe where that is needed, then leads on, or shows the form again; waits while nobody knows."""
    visit = visit_of(request, slug)
    if visit is None:
        return to_sign_in(slug, _place(subscription_id))
    page = _own_change(visit, subscription_id, change)
    if page.change is None:
        # The press never arrived: the form is where it can be pressed again.
        return redirect(_url(visit, page))
    known = _resolved(page)
    if known is None:
        here = _url(visit, page, f"/{change}")
        view = CheckingPage(presenting.merchant_view(page.merchant), f"{here}/status", here, card=True)
        return html(render_checking_page(view, root=site_root()), PageKind.CHECKING)
    if known.stored_at is not None:
        return redirect(_stored_url(visit, page))
    words = _refused(known)
    if words is None or not page.can_change:
        return redirect(_url(visit, page))
    return _form(visit, page, change_id=known.id, decline=words)


def tell_status(request: Request, slug: str, subscription_id: str, change: str) -> Response:
    """The same as JSON: where the waiting page leads on to."""
    visit = visit_of(request, slug)
    if visit is None:
        door = portal_url(wiring.settings(), find_merchant(wiring.ports(), slug))
        return json_answer({"status": "closed", "location": sign_in_url(door, _place(subscription_id))})
    page = _own_change(visit, subscription_id, change)
    known = None if page.change is None else _resolved(page)
    if page.change is None:
        return json_answer({"status": "open", "location": _url(visit, page)})
    if known is None:
        return json_answer({"status": "checking"})
    if known.stored_at is not None:
        return json_answer({"status": "stored", "location": _stored_url(visit, page)})
    # The page itself, which shows the form with the reason.
    return json_answer({"status": "open", "location": _url(visit, page, f"/{change}")})
