"""Another payment method for a subscription: claim the try, make the one SetupIntent, confirm it, write it down.

The same steps as a payment, in the same order: the try is saved before the confirm, the intent's id before anything can
be stored by it. A second click, a second tab of the page or a lost reply therefore meets the first one's claim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from chalicelib.domain.documents.checkouts import Consent
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.limits import AddressTries, address_tries_id
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.parts import AttemptOutcome, Part
from chalicelib.domain.documents.payments import IntentOwner, intent_owner_id
from chalicelib.domain.documents.portal import CHANGE_LIFE, MethodChange
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import time_of
from chalicelib.domain.money.amounts import Money
from chalicelib.services.checkouts.submit import CARD_AGAIN, MOST_TRIES, NOT_STARTED, PAUSE, Ending, Submitted
from chalicelib.services.limits.addresses import TooManyTries, commit_try
from chalicelib.services.payments.intents import confirm_key, under_key
from chalicelib.services.payments.running import may_be_running
from chalicelib.services.portal.owed import owed_invoices
from chalicelib.services.portal.signing_in import Visit
from chalicelib.services.portal.storing_method import apply_setup
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
    Update,
    Write,
    WriteConflict,
)
from chalicelib.services.saving import commit, until_won, written

ACTOR: Final = "buyer"
UNEXPECTED_STATE: Final = "setup_intent_unexpected_state"
"""Stripe's code for a confirm in a state that takes none (docs.stripe.com/error-codes)."""


@dataclass(frozen=True, slots=True)
class MethodPage:
    """A subscription of the visitor's, what a new method will be charged for, and how far this page's change is."""

    merchant: Merchant
    customer: Customer
    subscription: Subscription
    owed: tuple[Invoice, ...]
    change: MethodChange | None = None

    @property
    def due(self) -> Money:
        """What is charged as soon as the method is stored."""
        return Money.total((invoice.amount_due for invoice in self.owed), self.subscription.currency)

    @property
    def can_change(self) -> bool:
        """Whether another method would ever be charged for it, and Stripe takes one."""
        return not self.subscription.has_ended and self.merchant.can_transact


@dataclass(frozen=True, slots=True)
class ChangeMethod:
    """What the page sends. `change_id` comes from its signed token, and is new for each page that is opened.

    `consent_words` writes what the page has agreed to; `as_shown` tells whether it still says what its buyer saw.
    `return_url` is absolute. `source` stands for the address that tries are counted by.
    """

    subscription_id: str
    change_id: str
    confirmation_token: str
    return_url: str
    consent_words: Callable[[MethodPage], str | None]
    as_shown: Callable[[MethodPage], bool]
    address: str | None
    source: str | None = None


def own_subscription(ports: Ports, visit: Visit, subscription_id: str) -> Subscription:
    """The visitor's subscription. Raises NotFound, in the same words for another customer's and another merchant's."""
    found = ports.records.find(Subscription, subscription_id)
    if found is None or found.merchant_id != visit.merchant.id or found.customer_id != visit.customer.id:
        raise NotFound("page")
    return found


def open_method_page(ports: Ports, visit: Visit, subscription_id: str, change_id: str | None = None) -> MethodPage:
    """The page that replaces a subscription's method. Raises NotFound for what is not the visitor's."""
    subscription = own_subscription(ports, visit, subscription_id)
    change = None if change_id is None else ports.records.find(MethodChange, change_id)
    if change is not None and change.subscription_id != subscription.id:
        raise NotFound("page")
    return MethodPage(visit.merchant, visit.customer, subscription, owed_invoices(ports, subscription), change)


def change_method(ports: Ports, visit: Visit, request: ChangeMethod) -> Submitted:
    """Try to store another method once. Raises NotFound, and ProviderRefused where Stripe refused the request."""
    page = open_method_page(ports, visit, request.subscription_id, request.change_id)
    try:
        if page.change is not None:
            page = replace(page, change=resolve_change(ports, page.merchant, page.change))
        ending = _ending_before(ports, page, request)
        return _store(ports, page, request) if ending is None else ending
    except TooManyTries as refused:
        return Submitted(Ending.TOO_MANY_TRIES, until=refused.until)
    except (WriteConflict, ProviderUnavailable, ProviderBusy):
        # A webhook or another tab is at it, or nobody knows: the page waits and asks.
        return Submitted(Ending.CHECKING)


def resolve_change(ports: Ports, merchant: Merchant, change: MethodChange) -> MethodChange:
    """The change after asking Stripe, where a try has no known end. Raises what PaymentProvider raises."""
    latest = change.part.latest
    if change.stored_at is not None or latest is None:
        return change
    if not change.part.in_doubt and latest.outcome is not AttemptOutcome.REQUIRES_ACTION:
        return change
    if change.part.intent_id is not None:
        intent = ports.stripe.retrieve_setup_intent(merchant.stripe_account, change.part.intent_id)
        change = apply_setup(ports, change.id, intent, actor=ACTOR)
        if intent.status not in (IntentStatus.REQUIRES_CONFIRMATION, IntentStatus.REQUIRES_PAYMENT_METHOD):
            return change
    return change if may_be_running(change.part, ports.clock.now()) else _abandon(ports, change.id)


def _abandon(ports: Ports, change_id: str) -> MethodChange:
    """Write down that a try did nothing, so that the next one need not wait for it."""

    def attempt() -> MethodChange:
        fresh = ports.records.get(MethodChange, change_id)
        if fresh.stored_at is not None or not fresh.part.in_doubt:
            return fresh
        freed = fresh.with_part(fresh.part.ended(AttemptOutcome.ABANDONED))
        commit(ports, [Update(freed)])
        return written(freed)

    return until_won(ports, attempt)


def _ending_before(ports: Ports, page: MethodPage, request: ChangeMethod) -> Submitted | None:
    change, now = page.change, ports.clock.now()
    if change is not None and change.stored_at is not None:
        return Submitted(Ending.STORED)
    if change is not None and change.part.in_doubt:
        return Submitted(Ending.CHECKING)
    if now >= time_of(request.change_id) + CHANGE_LIFE:
        return Submitted(Ending.TIMED_OUT)
    if not page.can_change:
        return Submitted(Ending.CLOSED)
    if not request.as_shown(page):
        return Submitted(Ending.CHANGED)
    tries = () if change is None else change.part.attempts
    if len(tries) >= MOST_TRIES and now < tries[-1].at + PAUSE:
        return Submitted(Ending.TOO_MANY_TRIES, until=tries[-1].at + PAUSE)
    return None


def _store(ports: Ports, page: MethodPage, request: ChangeMethod) -> Submitted:
    change = _claimed(ports, page, request)
    try:
        intent = _confirmed(ports, page, change, request)
    except ProviderBusy:
        _abandon(ports, change.id)
        return Submitted(Ending.DECLINED, Decline(NOT_STARTED))
    except CardTokenRefused:
        _abandon(ports, change.id)
        return Submitted(Ending.DECLINED, Decline(CARD_AGAIN))
    except ProviderRefused:
        _abandon(ports, change.id)
        raise
    own_try = None if change.part.latest is None else change.part.latest.number
    after = apply_setup(ports, change.id, intent, actor=ACTOR, own_try=own_try)
    if after.stored_at is not None:
        return Submitted(Ending.STORED)
    if intent.status is IntentStatus.REQUIRES_ACTION:
        return Submitted(Ending.REQUIRES_ACTION, client_secret=intent.client_secret)
    if intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD and intent.decline is not None:
        return Submitted(Ending.DECLINED, intent.decline)
    if intent.status is IntentStatus.CANCELED:
        return Submitted(Ending.DECLINED, Decline(NOT_STARTED))
    return Submitted(Ending.CHECKING)


def _claimed(ports: Ports, page: MethodPage, request: ChangeMethod) -> MethodChange:
    """The change with a try that is this request's to make, counted against card testing in the same transaction."""
    now, subscription = ports.clock.now(), page.subscription
    change = page.change
    if change is None:
        began = time_of(request.change_id)
        change = MethodChange(
            id=request.change_id,
            merchant_id=subscription.merchant_id,
            customer_id=subscription.customer_id,
            subscription_id=subscription.id,
            part=Part(1, Money.zero(subscription.currency)),
            created_at=began,
            expires_at=began + CHANGE_LIFE,
            stripe_customer_id=_customer_known(page),
        )
    words = request.consent_words(page)
    claimed = replace(
        change.with_part(change.part.claimed(now, on_session=True)),
        invoice_ids=tuple(invoice.id for invoice in page.owed),
        consent=None if words is None else Consent(now, words, request.address),
    )
    write: Write = Update(claimed) if change.version else Insert(claimed)
    commit_try(
        ports,
        [write],
        merchant_id=claimed.merchant_id,
        owner_id=claimed.id,
        source=request.source,
        seen=_tries(ports, claimed.merchant_id, request.source),
    )
    return written(claimed)


def _tries(ports: Ports, merchant_id: str, source: str | None) -> AddressTries | None:
    return None if source is None else ports.records.find(AddressTries, address_tries_id(merchant_id, source))


def _customer_known(page: MethodPage) -> str | None:
    """The Stripe customer that the method has to be stored for, where one is known.

    Intents of what is owed were made for that customer, and Stripe charges a method for its own customer alone
    (docs.stripe.com/api/payment_methods/attach).
    """
    if page.subscription.method is not None:
        return page.subscription.method.stripe_customer_id
    return next((each.stripe_customer_id for each in page.owed if each.stripe_customer_id is not None), None)


def _confirmed(ports: Ports, page: MethodPage, change: MethodChange, request: ChangeMethod) -> Intent:
    account = page.merchant.stripe_account
    change = _with_customer(ports, page, change)
    change = _with_intent(ports, page.merchant, change)
    intent_id = change.part.intent_id
    if intent_id is None:
        raise ValueError("an ensured intent has an id")
    try:
        return ports.stripe.confirm_setup_with_token(
            account,
            intent_id,
            confirmation_token=request.confirmation_token,
            return_url=request.return_url,
            key=confirm_key(intent_id, change.part),
        )
    except ProviderRefused as refused:
        if refused.code != UNEXPECTED_STATE:
            raise
        try:
            return ports.stripe.retrieve_setup_intent(account, intent_id)
        except ProviderBusy as busy:
            # This confirm did nothing, but somebody else's may have: until Stripe says so, the outcome is unknown.
            raise ProviderUnavailable(str(busy)) from busy


def _with_customer(ports: Ports, page: MethodPage, change: MethodChange) -> MethodChange:
    if change.stripe_customer_id is not None:
        return change
    customer = page.customer
    customer_id = under_key(
        f"cus-{change.id}",
        change.part,
        lambda key: ports.stripe.create_customer(
            page.merchant.stripe_account,
            email=customer.email,
            name=customer.name or "",
            metadata={"till_merchant": change.merchant_id, "till_customer": customer.id},
            key=key,
        ),
    )
    known = replace(change, stripe_customer_id=customer_id)
    commit(ports, [Update(known)])
    return written(known)


def _with_intent(ports: Ports, merchant: Merchant, change: MethodChange) -> MethodChange:
    """The change with its one live SetupIntent, whose id is saved before anything can be stored by it."""
    part, customer_id = change.part, change.stripe_customer_id
    if part.intent_id is not None:
        return change
    if customer_id is None:
        raise ValueError("a SetupIntent is made for a customer")
    intent = under_key(
        f"seti-{change.id}-{part.generation}",
        part,
        lambda key: ports.stripe.create_setup_intent(
            merchant.stripe_account,
            customer_id=customer_id,
            metadata={"till_merchant": change.merchant_id, "till_method_change": change.id},
            key=key,
        ),
    )
    saved = change.with_part(part.with_intent(intent.id))
    owner = IntentOwner(
        id=intent_owner_id(intent.id),
        merchant_id=change.merchant_id,
        owner_id=change.id,
        part_number=part.number,
        payment_id="",
        created_at=ports.clock.now(),
        stripe_account=merchant.stripe_account,
    )
    commit(ports, [Update(saved), Insert(owner)])
    return written(saved)
