"""What Stripe says of a SetupIntent, written down once, whoever brings it: the answer, the return page or a webhook.

One transaction stores the method and sets the charges that its page listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.methods import Method, StoredMethod
from chalicelib.domain.documents.parts import AttemptOutcome, Part
from chalicelib.domain.documents.portal import MethodChange
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.services.billing.ladder import asked_for
from chalicelib.services.facts import happened
from chalicelib.services.payments.matching import PaymentMismatch
from chalicelib.services.payments.running import may_be_running
from chalicelib.services.portal.owed import WAITS_FOR_METHOD, is_owed
from chalicelib.services.ports import Intent, IntentStatus, Ports, Update, Write
from chalicelib.services.saving import commit, until_won, written


def apply_setup(
    ports: Ports,
    change_id: str,
    intent: Intent,
    *,
    actor: str,
    also: Sequence[Write] = (),
    own_try: int | None = None,
) -> MethodChange:
    """The change with the intent's state taken over; `also` is written in the same transaction.

    `own_try` is the number of the try that the caller made itself: how a running one failed is nobody else's to tell.
    A repeated, late or reordered report changes nothing but `also`. Raises PaymentMismatch.
    """

    def attempt() -> MethodChange:
        change = ports.records.get(MethodChange, change_id)
        now = ports.clock.now()
        after = change
        writes: list[Write] = []
        if intent.status is IntentStatus.SUCCEEDED:
            if change.stored_at is None:
                after, writes = _stored(ports, change, intent, actor, now)
        elif _is_news(change, intent, now, own_try):
            after = change.with_part(_ended(change, intent))
            writes = [Update(after)]
        if writes or also:
            commit(ports, writes, also)
        return written(after) if writes else after

    return until_won(ports, attempt)


def _is_news(change: MethodChange, intent: Intent, now: datetime, own_try: int | None) -> bool:
    """Whether this is the end of the try that the change is waiting for."""
    latest = change.part.latest
    if change.stored_at is not None or latest is None or change.part.intent_id != intent.id:
        return False
    if intent.status is IntentStatus.CANCELED:
        return True
    if latest.outcome not in (AttemptOutcome.CLAIMED, AttemptOutcome.REQUIRES_ACTION):
        return False
    if latest.number != own_try and may_be_running(change.part, now):
        # What the intent shows may be the decline of a try before this one.
        return False
    if intent.status is IntentStatus.REQUIRES_ACTION:
        return latest.outcome is AttemptOutcome.CLAIMED
    return intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD and intent.decline is not None


def _ended(change: MethodChange, intent: Intent) -> Part:
    part = change.part
    if intent.status is IntentStatus.CANCELED:
        # Nothing will come of this intent any more, so the next try has one of its own.
        ended = part.ended(AttemptOutcome.ABANDONED) if part.in_doubt else part
        return ended.without_canceled_intent(intent.id)
    if intent.status is IntentStatus.REQUIRES_ACTION:
        return part.ended(AttemptOutcome.REQUIRES_ACTION)
    decline = intent.decline
    return part.ended(
        AttemptOutcome.DECLINED,
        None if decline is None else decline.code,
        None if decline is None else decline.decline_code,
    )


def _stored(
    ports: Ports, change: MethodChange, intent: Intent, actor: str, now: datetime
) -> tuple[MethodChange, list[Write]]:
    merchant, subscription, *invoices = ports.records.find_many(
        [
            (Merchant, change.merchant_id),
            (Subscription, change.subscription_id),
            *((Invoice, each) for each in change.invoice_ids),
        ]
    )
    method = _method_of(merchant, change, intent)
    done = replace(change, part=change.part.ended(AttemptOutcome.SUCCEEDED), stored_at=now, method=method)
    writes: list[Write] = [Update(done)]
    if not _is_outdated(subscription, change):
        blocked = subscription.collection_blocked
        kept = replace(
            subscription,
            method=method,
            consent=change.consent or subscription.consent,
            collection_blocked=None if blocked in WAITS_FOR_METHOD else blocked,
        )
        previous = {"payment_method": _told(subscription.method)}
        event = happened(ports.ids, "subscription.updated", kept, now=now, actor=actor, previous=previous)
        writes += [Update(kept), event]
        owed = [invoice for invoice in invoices if invoice is not None and is_owed(invoice, subscription, now)]
        writes += asked_for(owed, now)
    return done, writes


def _is_outdated(subscription: Subscription, change: MethodChange) -> bool:
    """Whether the method must not be taken any more: the subscription is over, or its owner agreed to a later one."""
    if subscription.has_ended:
        return True
    if subscription.consent is None or change.consent is None:
        return False
    return subscription.consent.at > change.consent.at


def _method_of(merchant: Merchant, change: MethodChange, intent: Intent) -> StoredMethod:
    """The method that was stored. Raises PaymentMismatch unless it is what the change asked for."""
    if change.part.intent_id != intent.id:
        raise PaymentMismatch(f"{intent.id} is not the intent of {change.id}")
    if intent.livemode != merchant.livemode:
        raise PaymentMismatch(f"{intent.id} is of the other mode")
    if intent.customer_id is None or intent.customer_id != change.stripe_customer_id:
        raise PaymentMismatch(f"{intent.id} is of another Stripe customer")
    if intent.payment_method_id is None:
        raise PaymentMismatch(f"{intent.id} has succeeded without a method")
    return StoredMethod(intent.payment_method_id, intent.customer_id, intent.method or Method("unknown", None, None))


def _told(stored: StoredMethod | None) -> dict[str, Any] | None:
    if stored is None:
        return None
    return {"type": stored.method.kind, "brand": stored.method.brand, "last4": stored.method.last4}
