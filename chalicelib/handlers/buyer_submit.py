"""The pay form as it is sent: checked, handed to the use case, and its ending told in the page's words."""

from __future__ import annotations

from datetime import datetime

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.handlers import checkout_tokens, presenting
from chalicelib.handlers.buyer_answers import (
    Places,
    back_to_form,
    form_fields,
    report_pause,
    require_own_origin,
    tell,
)
from chalicelib.handlers.buyer_pages import (
    CHANGED,
    CHECKOUT_FORM,
    TIMED_OUT,
    checkout_url,
    closed_page,
    link_parts,
    pay_url,
    render_form,
)
from chalicelib.handlers.buyer_responses import is_scripted, json_answer
from chalicelib.handlers.checkout_tokens import CheckoutToken
from chalicelib.handlers.sources import address_of, source_of
from chalicelib.services.checkouts.opening import LinkPage, open_link
from chalicelib.services.checkouts.submit import Submit, submit
from chalicelib.web.forms import CheckoutForm, FormErrors, parse_checkout_form
from chalicelib.web.views.common import Decline, FieldProblem
from chalicelib.web.views.pay import CheckoutValues
from chalicelib.web.words import consent_text


def take_submit(request: Request, slug: str, token: str) -> Response:
    """Try to pay once, and answer the script in JSON, or with a page where no script asked."""
    require_own_origin(request)
    ports, settings = wiring.ports(), wiring.settings()
    link_id, secret = link_parts(token)
    fields = form_fields(request)
    form = parse_checkout_form(fields)
    scripted = is_scripted(request)
    now = ports.clock.now()
    signed = checkout_tokens.read_signed(
        settings.form_secret, f"{CHECKOUT_FORM}:{link_id}", fields.get("form_token", ""), now
    )
    mine = None if signed is None else checkout_tokens.parse(signed.subject)
    shown = "" if signed is None else signed.shown
    here = pay_url(settings, slug, token)
    if mine is None or isinstance(form, FormErrors) or form.expected_total is None or form.confirmation_token is None:
        # Nothing will be tried, and nobody is led to a page that there is not.
        page = open_link(ports, slug, link_id, secret, None)
        if mine is None:
            return back_to_form(scripted, here, TIMED_OUT)
        if isinstance(form, FormErrors) and scripted:
            errors = [{"field": problem.field, "message": problem.message} for problem in form.problems]
            return json_answer({"status": "invalid", "errors": errors}, 422)
        if isinstance(form, FormErrors):
            return _again(page, mine, token, form.values, form.problems)
        if form.expected_total is None:
            return back_to_form(scripted, here, CHANGED)
        # Without script there is no card form, and the page says so; what was typed stays.
        return _again(page, mine, token, _typed(form))
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
            as_shown=lambda page, now: presenting.link_digest(page, now) == shown,
            address=address_of(request),
            source=source_of(request, settings.form_secret),
        ),
    )
    if done.paused_link:
        report_pause(link_id)
    places = Places(
        paid=checkout_url(settings, "receipt", slug, mine),
        waiting=checkout_url(settings, "return", slug, mine),
        form=here,
    )
    timezone = "UTC" if done.until is None else open_link(ports, slug, link_id, secret, None).merchant.timezone

    def form_with(words: Decline) -> Response:
        return _again(open_link(ports, slug, link_id, secret, None), mine, token, _typed(form), decline=words)

    return tell(done, scripted, places, timezone, form_with)


def _typed(form: CheckoutForm) -> CheckoutValues:
    return CheckoutValues(form.email, form.name)


def _again(
    page: LinkPage,
    mine: CheckoutToken,
    token: str,
    values: CheckoutValues,
    errors: tuple[FieldProblem, ...] = (),
    decline: Decline | None = None,
) -> Response:
    if page.closed is not None:
        return closed_page(page, page.closed)
    return render_form(page, mine, token, values=values, errors=errors, decline=decline)


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
