"""The press of the button: claim the try, make or find the one live intent, confirm it, write down what happened.

Every step is saved before the next one that matters: the try before the confirm, the intent's id before anything can
be charged on it. A second click, a second tab or a lost reply therefore meets the first one's claim.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chalicelib.domain.billing.agreement import Plan
from chalicelib.domain.documents.checkouts import CHECKOUT_LIFE, Checkout, Consent
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.parts import AttemptOutcome, Part
from chalicelib.domain.ids import derived_id, time_of
from chalicelib.domain.machines import CheckoutStatus
from chalicelib.services.checkouts.expiry import expire_checkout, expiry_timer
from chalicelib.services.checkouts.opening import Closed, LinkPage, open_link
from chalicelib.services.checkouts.outcomes import apply_intent, resolve
from chalicelib.services.facts import happened
from chalicelib.services.limits.addresses import TooManyTries, commit_try
from chalicelib.services.limits.breaker import note_decline
from chalicelib.services.payments.intents import confirm_key, confirmed, ensure_intent, under_key
from chalicelib.services.payments.running import may_be_running
from chalicelib.services.ports import (
    CardTokenRefused,
    Decline,
    Insert,
    Intent,
    IntentStatus,
    Ports,
    ProviderBusy,
    ProviderRefused,
    ProviderUnavailable,
    SetTimer,
    Update,
    Write,
    WriteConflict,
)
from chalicelib.services.saving import commit, written

MOST_TRIES: Final = 10
"""Tries of one checkout; Stripe itself cancels an intent after too many, and nobody has that many cards at hand."""
PAUSE: Final = timedelta(hours=1)
"""How long paying pauses after that, before each further try."""
NOT_STARTED: Final = "not_started"
"""Our own code for a try that Stripe did not take on: no bank has been asked."""
CARD_AGAIN: Final = "card_again"
"""Our own code for a try that did not begin because what the browser got for the card is good for nothing any more."""
ACTOR: Final = "buyer"


class Ending(StrEnum):
    """How a submit ended, as the page must tell it."""

    PAID = "paid"
    STORED = "stored"
    """Nothing was paid: a method is stored for later charges."""
    CHECKING = "checking"
    REQUIRES_ACTION = "requires_action"
    DECLINED = "declined"
    CHANGED = "changed"
    CLOSED = "closed"
    TIMED_OUT = "timed_out"
    TOO_MANY_TRIES = "too_many_tries"


@dataclass(frozen=True, slots=True)
class Submit:
    """What the page sends. `expected_total` are the minor units the buyer saw; money itself never comes from here.

    `checkout_id` and `checkout_secret` come from the form's signed token. `return_url` is absolute. `consent_words`
    writes the consent to later charges as the page shows it, None where there are none: our words, never the browser's.
    `as_shown` tells whether lines, sums and consent are still what the buyer's page showed.
    `source` stands for the address that tries are counted by, None where no browser asks.
    """

    merchant_slug: str
    link_id: str
    link_secret: str
    checkout_id: str
    checkout_secret: str
    email: str
    name: str
    expected_total: int
    confirmation_token: str
    return_url: str
    consent_words: Callable[[LinkPage, datetime], str | None]
    as_shown: Callable[[LinkPage, datetime], bool]
    address: str | None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """The ending, and what belongs to it: a decline's codes, the secret a challenge needs, until when paying pauses.

    `paused_link` says that this decline was the one that paused its link for everybody.
    """

    ending: Ending
    decline: Decline | None = None
    client_secret: str | None = None
    closed: Closed | None = None
    until: datetime | None = None
    paused_link: bool = False


@dataclass(frozen=True, slots=True)
class _Claim:
    """A try that is this request's to make; `tries` are the unpaid ones of its address, itself included."""

    checkout: Checkout
    tries: int


def submit(ports: Ports, request: Submit) -> Submitted:
    """Try to pay once. Raises NotFound for an unknown link, StoreUnavailable when nothing could be claimed."""
    page = open_link(
        ports,
        request.merchant_slug,
        request.link_id,
        request.link_secret,
        request.checkout_id,
        source=request.source,
        email=request.email,
    )
    if page.checkout is not None and not _is_theirs(page.checkout, request):
        return Submitted(Ending.TIMED_OUT)
    try:
        claim = _claim(ports, page, request)
        if isinstance(claim, Submitted):
            return claim
        return _pay(ports, page, claim, request)
    except TooManyTries as refused:
        return Submitted(Ending.TOO_MANY_TRIES, until=refused.until)
    except WriteConflict:
        # Another tab or a webhook moved this checkout on between our read and our write; it is theirs to finish.
        return Submitted(Ending.CHECKING)
    except (ProviderUnavailable, ProviderBusy):
        # A busy Stripe did nothing, but here it was asked how a try before this one ended, and that is still unknown.
        return Submitted(Ending.CHECKING)


def _is_theirs(checkout: Checkout, request: Submit) -> bool:
    same_secret = hmac.compare_digest(checkout.secret.encode(), request.checkout_secret.encode())
    return same_secret and checkout.payment_link_id == request.link_id


def _closed(page: LinkPage) -> Submitted | None:
    if page.closed is Closed.PAUSED:
        return Submitted(Ending.TOO_MANY_TRIES, until=page.link.paused_until)
    return None if page.closed is None else Submitted(Ending.CLOSED, closed=page.closed)


def _claim(ports: Ports, page: LinkPage, request: Submit) -> _Claim | Submitted:
    now = ports.clock.now()
    checkout = page.checkout
    if checkout is not None:
        checkout = resolve(ports, page.merchant, checkout, actor=ACTOR)
        known = _known_ending(checkout)
        if known is not None:
            return known
        if may_be_running(checkout.part, now) or checkout.part.in_doubt:
            return Submitted(Ending.CHECKING)
    closed = _closed(page)
    if closed is not None:
        return closed
    if checkout is not None:
        if checkout.expires_at <= now or not _same_order(checkout, page, now):
            # One checkout sells one order: what was changed meanwhile is sold by another, once this one is closed.
            expired = expire_checkout(ports, checkout.id, actor=ACTOR)
            paid = expired is not None and expired.status is CheckoutStatus.COMPLETED
            return Submitted(Ending.PAID if paid else Ending.CHANGED)
        paused = _paused_until(checkout)
        if paused is not None and now < paused:
            return Submitted(Ending.TOO_MANY_TRIES, until=paused)
    agreed = page.plan_at(now)
    if agreed.due_today.total.minor != request.expected_total or not request.as_shown(page, now):
        return Submitted(Ending.CHANGED)
    words = request.consent_words(page, now)
    consent = None if words is None else Consent(now, words, request.address)
    if checkout is None:
        return _first_claim(ports, page, request, agreed, consent)
    again = replace(
        checkout.with_part(checkout.part.claimed(now, on_session=True)),
        email=request.email,
        name=request.name,
        agreed_at=now.replace(microsecond=0),
        totals=agreed.due_today,
        timezone=page.merchant.timezone,
        consent=consent,
    )
    return _claimed(ports, page, request, again, [Update(again)])


def _claimed(ports: Ports, page: LinkPage, request: Submit, checkout: Checkout, writes: list[Write]) -> _Claim:
    tries = commit_try(
        ports, writes, merchant_id=page.merchant.id, owner_id=checkout.id, source=request.source, seen=page.tries
    )
    return _Claim(written(checkout), tries)


def _first_claim(ports: Ports, page: LinkPage, request: Submit, agreed: Plan, consent: Consent | None) -> _Claim:
    now = ports.clock.now()
    link = page.link
    checkout = Checkout(
        id=request.checkout_id,
        merchant_id=link.merchant_id,
        secret=request.checkout_secret,
        payment_link_id=link.id,
        invoice_id=derived_id("inv", now, request.checkout_id),
        email=request.email,
        name=request.name,
        currency=link.currency,
        lines=link.lines,
        totals=agreed.due_today,
        parts=(Part(1, agreed.due_today.total).claimed(now, on_session=True),),
        agreed_at=now.replace(microsecond=0),
        expires_at=now + CHECKOUT_LIFE,
        created_at=time_of(request.checkout_id),
        discount=link.discount,
        fees=link.fees,
        timezone=page.merchant.timezone,
        consent=consent,
    )
    event = happened(ports.ids, "checkout.started", checkout, now=now, actor=ACTOR)
    return _claimed(ports, page, request, checkout, [Insert(checkout), SetTimer(expiry_timer(checkout)), event])


def _pay(ports: Ports, page: LinkPage, claim: _Claim, request: Submit) -> Submitted:
    checkout = claim.checkout
    known_customer = None if page.known_as is None else page.known_as.customer_id
    try:
        intent = _confirmed(ports, page.merchant, checkout, request, known_customer)
    except ProviderBusy:
        _abandon(ports, checkout.id)
        return Submitted(Ending.DECLINED, Decline(NOT_STARTED))
    except CardTokenRefused:
        _abandon(ports, checkout.id)
        return Submitted(Ending.DECLINED, Decline(CARD_AGAIN))
    except ProviderRefused:
        _abandon(ports, checkout.id)
        raise
    after = apply_intent(ports, checkout, intent, actor=ACTOR, asked_here=True, tries_of_address=claim.tries)
    if after.status is CheckoutStatus.COMPLETED:
        return Submitted(Ending.PAID)
    if intent.status is IntentStatus.REQUIRES_ACTION:
        return Submitted(Ending.REQUIRES_ACTION, client_secret=intent.client_secret)
    if intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD and intent.decline is not None:
        paused_link = note_decline(ports, request.link_id, claim.tries)
        return Submitted(Ending.DECLINED, intent.decline, paused_link=paused_link)
    if intent.status is IntentStatus.CANCELED:
        return Submitted(Ending.DECLINED, Decline(NOT_STARTED))
    return Submitted(Ending.CHECKING)


def _confirmed(
    ports: Ports, merchant: Merchant, checkout: Checkout, request: Submit, known_customer: str | None
) -> Intent:
    customer_id = checkout.stripe_customer_id
    if customer_id is None:
        who = checkout
        customer_id = under_key(
            f"cus-{who.id}",
            who.part,
            lambda key: ports.stripe.create_customer(
                merchant.stripe_account,
                email=who.email,
                name=who.name,
                metadata={"till_merchant": who.merchant_id, "till_checkout": who.id},
                key=key,
            ),
        )
        checkout = replace(checkout, stripe_customer_id=customer_id)
        commit(ports, [Update(checkout)])
        checkout = written(checkout)
    checkout = ensure_intent(
        ports,
        merchant,
        checkout,
        customer_id=customer_id,
        keep_method=any(line.recurring is not None for line in checkout.lines),
        description=merchant.name,
        known_customer=known_customer,
    )
    intent_id = checkout.part.intent_id
    if intent_id is None:
        raise ValueError("an ensured intent has an id")
    return confirmed(
        ports,
        merchant.stripe_account,
        intent_id,
        lambda: ports.stripe.confirm_with_token(
            merchant.stripe_account,
            intent_id,
            confirmation_token=request.confirmation_token,
            return_url=request.return_url,
            key=confirm_key(intent_id, checkout.part),
        ),
    )


def _abandon(ports: Ports, checkout_id: str) -> None:
    """Write down that the try did nothing, so that the next one need not wait for it."""
    checkout = ports.records.get(Checkout, checkout_id)
    if checkout.status is CheckoutStatus.OPEN and checkout.part.in_doubt:
        commit(ports, [Update(checkout.with_part(checkout.part.ended(AttemptOutcome.ABANDONED)))])


def _known_ending(checkout: Checkout) -> Submitted | None:
    if checkout.status is CheckoutStatus.COMPLETED:
        return Submitted(Ending.PAID)
    if checkout.status is CheckoutStatus.EXPIRED:
        return Submitted(Ending.TIMED_OUT)
    if checkout.status is CheckoutStatus.PROCESSING:
        return Submitted(Ending.CHECKING)
    return None


def _paused_until(checkout: Checkout) -> datetime | None:
    latest = checkout.part.latest
    # What came to nothing because Stripe could not be reached was no guess at a card.
    tries = [attempt for attempt in checkout.part.attempts if attempt.outcome is not AttemptOutcome.ABANDONED]
    if latest is None or len(tries) < MOST_TRIES:
        return None
    return latest.at + PAUSE


def _same_order(checkout: Checkout, page: LinkPage, now: datetime) -> bool:
    link = page.link
    same_lines = (checkout.lines, checkout.discount, checkout.fees) == (link.lines, link.discount, link.fees)
    # The share of a period that ends on an anchor day shrinks from day to day, so the same lines may cost less by now.
    return same_lines and page.plan_at(now).due_today.total == checkout.part.amount
