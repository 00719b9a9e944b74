"""A cancellation at period end, taken back while that has not come."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import StateConflict
from chalicelib.services.billing.issuing import moved_timer
from chalicelib.services.facts import happened
from chalicelib.services.ports import Ports, Update
from chalicelib.services.saving import commit, until_won, written
from chalicelib.services.subscriptions import ends_at, get_subscription


def reactivate(ports: Ports, merchant_id: str, subscription_id: str, *, actor: str) -> Subscription:
    """The subscription, going on as before. Doing it again changes nothing.

    Raises NotFound, and StateConflict for one that has ended, or whose last period is over.
    """

    def attempt() -> Subscription:
        now = ports.clock.now()
        subscription = get_subscription(ports, merchant_id, subscription_id)
        if subscription.has_ended:
            raise StateConflict(f"This subscription is {subscription.status} already.")
        if not subscription.cancel_at_period_end:
            return subscription
        if ends_at(subscription, now) <= now:
            raise StateConflict("The period at whose end this subscription was cancelled is over.")
        kept, timers = moved_timer(subscription, replace(subscription, cancel_at_period_end=False, cancel_reason=None))
        previous = {"cancel_at_period_end": True}
        event = happened(ports.ids, "subscription.updated", kept, now=now, actor=actor, previous=previous)
        commit(ports, [Update(kept), event, *timers])
        return written(kept)

    return until_won(ports, attempt)
