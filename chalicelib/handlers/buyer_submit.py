"""The pay form as it is sent: checked, handed to the use case, and its ending told in the page's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.domain.errors import TillError
from chalicelib.handlers import checkout_tokens, presenting
from chalicelib.handlers.buyer_pages import (
    CHECKOUT_FORM,
    checkout_url,
    closed_page,
    json_answer,
    link_parts,
    pay_url,
    redirect,
    render_form,
)
from chalicelib.handlers.checkout_tokens import CheckoutToken
from chalicelib.services.checkouts.opening import LinkPage, open_link
from chalicelib.services.checkouts.submit import Ending, Submit, Submitted, submit
from chalicelib.web.forms import CheckoutForm, FormErrors, parse_checkout_form
from chalicelib.web.views.common import Decline
from chalicelib.web.views.pay import CheckoutValues
from chalicelib.web.words import consent_text, decline_words, too_many_tries_words

MOST_BYTES: Final = 64_000
MOST_FIELDS: Final = 50


def form_fields(request: Request) -> dict[str, str]:
    """The fields of a posted form, one value each. Raises TillError for what no form of ours sends."""
    raw = request.raw_body
    body = raw if isinstance(raw, bytes) else raw.encode()
    if len(body) > MOST_BYTES:
        raise TillError("body_too_large", "This form is too large.")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise TillError("invalid_text", "This form cannot be read.") from error
    return dict(pairs)


def require_own_origin(request: Request) -> None:
    """A form of ours is posted from our own pages: browsers say where a post comes from. Raises TillError."""
    origin = request.headers.get("origin")
    ours = urlsplit(wiring.settings().public_base_url)
    if origin is not None and origin != f"{ours.scheme}://{ours.netloc}":
        raise TillError("insufficient_scope", "This form was sent from another site.")


def take_submit(request: Request, slug: str, token: str) -> Response:
    """Try to pay once, and answer the script in JSON, or with a page where no script asked."""
    require_own_origin(request)
    ports, settings = wiring.ports(), wiring.settings()
    link_id, secret = link_parts(token)
    fields = form_fields(request)
    form = parse_checkout_form(fields)
    scripted = "application/json" in (request.headers.get("accept") or "")
    now = ports.clock.now()
    signed = checkout_tokens.read(settings.form_secret, f"{CHECKOUT_FORM}:{link_id}", fields.get("form_token", ""), now)
    mine = None if signed is None else checkout_tokens.parse(signed)
    here = pay_url(settings, slug, token)
    if mine is None:
        return _go(scripted, "changed", f"{here}?changed=1")
    if isinstance(form, FormErrors):
        if scripted:
            errors = [{"field": problem.field, "message": problem.message} for problem in form.problems]
            return json_answer({"status": "invalid", "errors": errors}, 422)
        page = open_link(ports, slug, link_id, secret, None)
        if page.closed is not None:
            return closed_page(page, page.closed)
        return render_form(page, mine, token, values=form.values, errors=form.problems)
    if form.expected_total is None:
        return _go(scripted, "changed", f"{here}?changed=1")
    if form.confirmation_token is None:
        # Without script there is no card form, and the page says so; what was typed stays.
        return _again(slug, token, mine, form, None)
    done = submit(
        ports,
        Submit(
            merchant_slug=slug,
            link_id=link_id,
            link_secret=secret,
            checkout_id=mine.checkout_id,
            checkout_secret=mine.secret,
            email=form.email,
            name=form.name,
            expected_total=form.expected_total,
            confirmation_token=form.confirmation_token,
            return_url=checkout_url(settings, "return", slug, mine),
            consent_words=_consent,
            address=_address(request),
        ),
    )
    return _tell(done, scripted, slug, token, mine, form)


def _tell(done: Submitted, scripted: bool, slug: str, token: str, mine: CheckoutToken, form: CheckoutForm) -> Response:
    settings = wiring.settings()
    here = pay_url(settings, slug, token)
    waiting = checkout_url(settings, "return", slug, mine)
    match done.ending:
        case Ending.PAID:
            return _go(scripted, "paid", checkout_url(settings, "receipt", slug, mine))
        case Ending.CHECKING:
            return _go(scripted, "checking", waiting)
        case Ending.REQUIRES_ACTION:
            if not scripted or done.client_secret is None:
                return redirect(waiting)
            body: dict[str, object] = {
                "status": "requires_action",
                "client_secret": done.client_secret,
                "location": waiting,
            }
            return json_answer(body)
        case Ending.DECLINED:
            code = done.decline.code if done.decline else None
            words = decline_words(code, done.decline.decline_code if done.decline else None)
            return _declined(scripted, "declined", words, slug, token, mine, form)
        case Ending.TOO_MANY_TRIES:
            ports = wiring.ports()
            page = open_link(ports, slug, *link_parts(token), None)
            words = too_many_tries_words(done.until or ports.clock.now(), page.merchant.timezone)
            return _declined(scripted, "too_many_tries", words, slug, token, mine, form)
        case Ending.CHANGED | Ending.TIMED_OUT:
            return _go(scripted, "changed", f"{here}?changed=1")
        case Ending.CLOSED:
            return _go(scripted, "closed", here)


def _go(scripted: bool, status: str, location: str) -> Response:
    return json_answer({"status": status, "location": location}) if scripted else redirect(location)


def _declined(
    scripted: bool, status: str, words: Decline, slug: str, token: str, mine: CheckoutToken, form: CheckoutForm
) -> Response:
    if scripted:
        return json_answer({"status": status, "title": words.title, "text": words.text})
    return _again(slug, token, mine, form, words)


def _again(slug: str, token: str, mine: CheckoutToken, form: CheckoutForm, words: Decline | None) -> Response:
    page = open_link(wiring.ports(), slug, *link_parts(token), None)
    if page.closed is not None:
        return closed_page(page, page.closed)
    return render_form(page, mine, token, values=CheckoutValues(form.email, form.name), decline=words)


def _consent(page: LinkPage, now: datetime) -> str | None:
    """The words of the consent as the page shows them now."""
    agreed = page.plan_at(now)
    words = consent_text(
        page.merchant.name,
        agreed.due_today.total,
        presenting.plan_later_charges(agreed),
        page.merchant.timezone,
    )
    return None if words is None else words.plain


def _address(request: Request) -> str | None:
    identity: Mapping[str, object] = request.context.get("identity") or {}
    found = identity.get("sourceIp")
    return str(found) if found else None
