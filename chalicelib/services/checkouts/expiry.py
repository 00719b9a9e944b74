"""Closing an abandoned checkout: its intent is cancelled first, and money that arrived all the same is booked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.machines import CheckoutAction, CheckoutStatus, PartAction
from chalicelib.services.checkouts.booking import book_checkout
from chalicelib.services.facts import happened
from chalicelib.services.payments.matching import PaymentMismatch
from chalicelib.services.ports import (
    DropTimer,
    IntentStatus,
    Ports,
    ProviderRefused,
    ProviderUnavailable,
    SetTimer,
    Update,
)
from chalicelib.services.saving import commit, until_won, written

ASK_AGAIN: Final = timedelta(days=1)
"""How long a checkout whose money is still under way is left alone."""


def expire_checkout(ports: Ports, checkout_id: str, *, actor: str) -> Checkout | None:
    """Close an open checkout for good; None when there is none. Raises what PaymentProvider raises.

    The part is released only when Stripe says that the intent is canceled, or when none was ever confirmed.
    """

    checkout = ports.records.find(Checkout, checkout_id)
    if checkout is None or checkout.status is not CheckoutStatus.OPEN:
        if checkout is not None:
            ports.timers.drop(expiry_timer(checkout))
        return checkout
    intent_id = checkout.part.intent_id
    under_way = False
    if intent_id is not None:
        merchant = ports.records.get(Merchant, checkout.merchant_id)
        try:
            intent = ports.stripe.cancel_intent(merchant.stripe_account, intent_id, key=f"cancel-{intent_id}")
            if intent.status is IntentStatus.SUCCEEDED:
                return book_checkout(ports, checkout, intent, actor=actor)
            under_way = intent.status is not IntentStatus.CANCELED
        except (ProviderRefused, PaymentMismatch):
            # A merchant that has disconnected, or money that does not fit: a person's work, so not every five minutes.
            under_way = True

    def close() -> Checkout:
        fresh = ports.records.get(Checkout, checkout_id)
        if fresh.status is not CheckoutStatus.OPEN:
            return fresh
        if fresh.part.intent_id != intent_id:
            raise ProviderUnavailable("the checkout got an intent that has not been cancelled yet")
        timer = expiry_timer(fresh)
        now = ports.clock.now()
        if under_way:
            later = replace(fresh, expires_at=now + ASK_AGAIN)
            commit(ports, [Update(later), DropTimer(timer), SetTimer(expiry_timer(later))])
            return written(later)
        part = fresh.part.ended(AttemptOutcome.ABANDONED) if fresh.part.in_doubt else fresh.part
        expired = fresh.with_part(part.moved(PartAction.RELEASE)).moved(CheckoutAction.EXPIRE)
        event = happened(ports.ids, "checkout.expired", expired, now=now, actor=actor)
        commit(ports, [Update(expired), DropTimer(timer), event])
        return written(expired)

    return until_won(ports, close)


def expiry_timer(checkout: Checkout) -> Timer:
    """Where the timer of an open checkout stands."""
    return Timer(TimerKind.EXPIRE_CHECKOUT, checkout.id, checkout.merchant_id, checkout.expires_at)
