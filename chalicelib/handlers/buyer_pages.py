"""A payment link's page, which is its checkout too."""

from __future__ import annotations

import base64
import hmac
import os
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import split_page_token
from chalicelib.domain.machines import CheckoutStatus
from chalicelib.handlers import checkout_tokens, presenting
from chalicelib.handlers.buyer_responses import html, query_of, redirect, site_root, state, wait, whole_minute
from chalicelib.handlers.checkout_tokens import CheckoutToken, Remembered
from chalicelib.services.checkouts.opening import Closed, LinkPage, open_link
from chalicelib.web.headers import PageKind
from chalicelib.web.render import render_pay_page
from chalicelib.web.views.pay import CheckoutValues, PaidBefore, PayPage, StripeView
from chalicelib.web.views.states import StateKind, StatePage
from chalicelib.web.words import decline_words

if TYPE_CHECKING:
    from chalicelib.domain.documents.checkouts import Checkout
    from chalicelib.settings import Settings
    from chalicelib.web.views.common import Decline, FieldProblem

CHECKOUT_FORM: Final = "checkout"
CHANGED: Final = "changed"
TIMED_OUT: Final = "timed_out"
ASKED: Final = "asked"
"""Stands in the address of a form to which the return page led back: Stripe has just been asked."""
"""What stands in the address of a form that a buyer is led back to, so that it can say why."""
_CLOSED: Final = {
    Closed.OFF: StateKind.LINK_OFF,
    Closed.NOT_READY: StateKind.CANNOT_TRANSACT,
    Closed.PAUSED: StateKind.LINK_PAUSED,
}


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


def checking_url(settings: Settings, slug: str, mine: CheckoutToken, link_token: str) -> str:
    """Where a lost answer leads. A press that never arrived leaves no checkout, so the address says which link."""
    return f"{checkout_url(settings, 'return', slug, mine)}?link={link_token}"


def closed_page(page: LinkPage, closed: Closed) -> Response:
    """Why this link does not sell."""
    merchant = presenting.merchant_view(page.merchant)
    until = page.link.paused_until
    if closed is not Closed.PAUSED or until is None:
        return state(StatePage(_CLOSED[closed], merchant=merchant))
    return wait(state(StatePage(_CLOSED[closed], merchant=merchant, at=whole_minute(until))), until)


def show_link(request: Request, slug: str, token: str) -> Response:
    """A link's page: one call to the database, nothing written, no intent made."""
    ports, settings = wiring.ports(), wiring.settings()
    link_id, secret = link_parts(token)
    known = checkout_tokens.from_cookie(request.headers.get("cookie"), link_id)
    mine, paid = known.current, known.paid
    page = open_link(
        ports,
        slug,
        link_id,
        secret,
        None if mine is None else mine.checkout_id,
        paid_id=None if paid is None else paid.checkout_id,
    )
    now = ports.clock.now()
    checkout, before = page.checkout, page.paid_before
    if before is None or paid is None or not _is_of(before, paid, link_id) or not _is_paid(before):
        paid, before = None, None
    if checkout is not None and (mine is None or not _is_of(checkout, mine, link_id)):
        mine, checkout = None, None
    if checkout is not None and mine is not None:
        # A challenge may have been passed in the bank's app with this tab closed, so nothing is said before asking.
        unasked = waits_for_bank(checkout) and ASKED not in query_of(request)
        if checkout.status is CheckoutStatus.PROCESSING or _is_in_doubt(checkout) or unasked:
            return redirect(checkout_url(settings, "return", slug, mine))
        if _is_paid(checkout):
            paid, before = mine, checkout
        if checkout.status is not CheckoutStatus.OPEN or checkout.expires_at <= now:
            mine, checkout = None, None
    if page.closed is not None:
        return closed_page(page, page.closed)
    mine = mine or checkout_tokens.mint(ports.ids, now)
    asked = query_of(request)
    response = render_form(
        replace(page, checkout=checkout),
        mine,
        token,
        changed=CHANGED in asked,
        timed_out=TIMED_OUT in asked,
        decline=_last_decline(checkout),
        paid_before=None if paid is None or before is None else _paid_before(settings, slug, paid, before),
    )
    path = urlsplit(pay_url(settings, slug, token)).path
    cookie = checkout_tokens.set_cookie(link_id, Remembered(mine, paid), path, settings.public_base_url)
    response.headers["Set-Cookie"] = cookie
    return response


def _is_paid(checkout: Checkout) -> bool:
    return checkout.status is CheckoutStatus.COMPLETED


def waits_for_bank(checkout: Checkout) -> bool:
    """Whether the last that is known is that the buyer's bank was asked."""
    latest = checkout.part.latest if checkout.status is CheckoutStatus.OPEN else None
    return latest is not None and latest.outcome is AttemptOutcome.REQUIRES_ACTION


def _is_in_doubt(checkout: Checkout) -> bool:
    """Whether nobody here knows how the last try ended, so that another payment must not be offered."""
    return checkout.status is CheckoutStatus.OPEN and checkout.part.in_doubt


def _paid_before(settings: Settings, slug: str, token: CheckoutToken, checkout: Checkout) -> PaidBefore:
    return PaidBefore(
        amount=checkout.totals.total,
        at=checkout.completed_at or checkout.created_at,
        receipt_url=checkout_url(settings, "receipt", slug, token),
    )


def render_form(
    page: LinkPage,
    mine: CheckoutToken,
    token: str,
    *,
    values: CheckoutValues | None = None,
    errors: tuple[FieldProblem, ...] = (),
    decline: Decline | None = None,
    changed: bool = False,
    timed_out: bool = False,
    paid_before: PaidBefore | None = None,
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
        checking_url=checking_url(settings, merchant.slug, mine, token),
        form_token=form_token(settings, page, mine, now),
        later_charges=presenting.plan_later_charges(agreed),
        values=values or CheckoutValues(),
        errors=errors,
        decline=decline,
        changed=changed,
        timed_out=timed_out,
        paid_before=paid_before,
    )
    return html(render_pay_page(view, root=site_root()), PageKind.PAY, 422 if errors else 200, nonce)


def form_token(settings: Settings, page: LinkPage, mine: CheckoutToken, now: datetime) -> str:
    """What the form carries, signed for this link: the checkout it is for, and what the page showed."""
    purpose = f"{CHECKOUT_FORM}:{page.link.id}"
    return checkout_tokens.sign(settings.form_secret, purpose, mine.text, now, presenting.link_digest(page, now))


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
