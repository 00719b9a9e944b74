"""Into the portal and out of it: the e-mail field, the mailed link, signing out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.portal import LINK_LIFE
from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import split_page_token
from chalicelib.handlers import checkout_tokens, presenting
from chalicelib.handlers.buyer_answers import form_fields, require_own_origin
from chalicelib.handlers.buyer_responses import html, query_of, redirect, site_root, state, wait, whole_minute
from chalicelib.handlers.portal_access import (
    LINK,
    drop_cookie,
    is_own,
    link_secret,
    open_url,
    place_of,
    portal_url,
    set_cookie,
    visit_of,
)
from chalicelib.handlers.sources import source_of
from chalicelib.services.limits.addresses import TooManyTries
from chalicelib.services.portal.signing_in import (
    LinkOver,
    ask_for_link,
    find_link,
    find_merchant,
    open_portal,
    sign_out,
)
from chalicelib.web.forms import FormErrors, parse_sign_in_form
from chalicelib.web.headers import PageKind
from chalicelib.web.render import render_sign_in_page
from chalicelib.web.views.portal import LinkSentPage, OpenPage, SignInPage
from chalicelib.web.views.states import StateKind, StatePage
from chalicelib.web.words.portal import too_many_links_words

ASK: Final = "portal-ask"
OPEN: Final = "portal-open"
OUT: Final = "out"
SENT: Final = "sent"
AGAIN: Final = "again"


def to_sign_in(slug: str, place: str | None = None) -> Response:
    """Lead whoever is not signed in to the field for their address, from where the link leads back. Raises NotFound."""
    settings = wiring.settings()
    merchant = find_merchant(wiring.ports(), slug)
    return redirect(sign_in_url(portal_url(settings, merchant), place))


def sign_in_url(portal: str, place: str | None) -> str:
    """The sign-in page's address; `place` is where the link will lead."""
    return portal if place is None else f"{portal}?to={place}"


def show_sign_in(request: Request, slug: str) -> Response:
    """The field, or what everybody reads who has sent it. Raises NotFound."""
    asked = query_of(request)
    merchant = find_merchant(wiring.ports(), slug)
    if SENT not in asked:
        return _field(merchant, place=place_of(asked.get("to")), again=AGAIN in asked)
    here = portal_url(wiring.settings(), merchant)
    minutes = int(LINK_LIFE.total_seconds()) // 60
    page = LinkSentPage(presenting.merchant_view(merchant), here, minutes)
    return html(render_sign_in_page(page, root=site_root()), PageKind.PLAIN)


def _field(merchant: Merchant, *, place: str | None, again: bool = False) -> Response:
    return html(render_sign_in_page(_page(merchant, place, again=again), root=site_root()), PageKind.FORM)


def _page(merchant: Merchant, place: str | None, *, again: bool = False) -> SignInPage:
    settings, now = wiring.settings(), wiring.ports().clock.now()
    return SignInPage(
        merchant=presenting.merchant_view(merchant),
        post_url=portal_url(settings, merchant),
        form_token=checkout_tokens.sign(settings.form_secret, ASK, merchant.slug, now),
        place=place or "",
        again=again,
    )


def take_address(request: Request, slug: str) -> Response:
    """Have a link mailed, if there is a customer of that address; the answer is the same if there is none."""
    require_own_origin(request)
    ports, settings = wiring.ports(), wiring.settings()
    merchant = find_merchant(ports, slug)
    here = portal_url(settings, merchant)
    fields = form_fields(request)
    place = place_of(fields.get("place"))
    token = fields.get("form_token", "")
    if checkout_tokens.read(settings.form_secret, ASK, token, ports.clock.now()) != merchant.slug:
        return redirect(f"{here}?{AGAIN}=1" if place is None else f"{here}?{AGAIN}=1&to={place}")
    form = parse_sign_in_form(fields)
    if isinstance(form, FormErrors):
        page = replace(_page(merchant, place), email=form.values.email, errors=form.problems)
        return html(render_sign_in_page(page, root=site_root()), PageKind.FORM, 422)
    try:
        ask_for_link(
            ports,
            merchant.id,
            form.email,
            source=source_of(request, settings.form_secret),
            place=place,
            secret_of=partial(link_secret, settings.form_secret),
        )
    except TooManyTries as refused:
        words = too_many_links_words(whole_minute(refused.until), merchant.timezone)
        page = replace(_page(merchant, place), email=form.email, decline=words)
        return wait(html(render_sign_in_page(page, root=site_root()), PageKind.FORM, 429), refused.until)
    return redirect(f"{here}?{SENT}=1")


def _link_parts(token: str) -> tuple[str, str]:
    parts = split_page_token(LINK, token)
    if parts is None:
        raise NotFound("page")
    return parts


def _over(merchant: Merchant) -> Response:
    here = portal_url(wiring.settings(), merchant)
    return state(StatePage(StateKind.SIGN_IN_OVER, presenting.merchant_view(merchant), again_url=here))


def show_link(request: Request, slug: str, token: str) -> Response:
    """What a mailed link leads to: a button. Nothing is used up by looking. Raises NotFound."""
    settings, now = wiring.settings(), wiring.ports().clock.now()
    link_id, secret = _link_parts(token)
    try:
        merchant, link = find_link(wiring.ports(), slug, link_id, secret)
    except LinkOver as over:
        return _over(over.merchant)
    page = OpenPage(
        merchant=presenting.merchant_view(merchant),
        post_url=open_url(settings, merchant, link.id, secret),
        form_token=checkout_tokens.sign(settings.form_secret, OPEN, link.id, now),
    )
    return html(render_sign_in_page(page, root=site_root()), PageKind.FORM)


def take_link(request: Request, slug: str, token: str) -> Response:
    """Use the link up and open a session, of which the browser gets the cookie. Raises NotFound."""
    require_own_origin(request)
    ports, settings = wiring.ports(), wiring.settings()
    link_id, secret = _link_parts(token)
    fields = form_fields(request)
    try:
        merchant, link = find_link(ports, slug, link_id, secret)
        if checkout_tokens.read(settings.form_secret, OPEN, fields.get("form_token", ""), ports.clock.now()) != link.id:
            return redirect(open_url(settings, merchant, link.id, secret))
        opened = open_portal(ports, slug, link_id, secret)
    except LinkOver as over:
        return _over(over.merchant)
    place = "" if opened.place is None else f"/{opened.place}"
    response = redirect(portal_url(settings, opened.merchant, place))
    response.headers["Set-Cookie"] = set_cookie(settings, opened.merchant, opened.session, opened.secret)
    return response


def take_out(request: Request, slug: str) -> Response:
    """End the session; its cookie opens nothing any more, wherever it has been copied to."""
    require_own_origin(request)
    settings, ports = wiring.settings(), wiring.ports()
    visit = visit_of(request, slug)
    if visit is None:
        return to_sign_in(slug)
    if not is_own(visit, form_fields(request), OUT):
        return redirect(portal_url(settings, visit.merchant))
    sign_out(ports, visit.session.id)
    response = redirect(portal_url(settings, visit.merchant))
    response.headers["Set-Cookie"] = drop_cookie(settings, visit.merchant)
    return response
