"""A subscription paused, resumed, or kept after all: each one transaction with its event and its timer's new place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

from chalicelib.domain.billing.changes import paused, resumed_on
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import StateConflict
from chalicelib.domain.machines import SubscriptionAction
from chalicelib.services.billing.issuing import billing_timer, moved_timer
from chalicelib.services.billing.sweeping import hurry_billing
from chalicelib.services.facts import changed
from chalicelib.services.ports import Ports, Update
from chalicelib.services.saving import commit, until_won, written
from chalicelib.services.subscriptions import ends_at, get_subscription


def pause(
    ports: Ports, merchant_id: str, subscription_id: str, *, until: date | datetime | None, actor: str
) -> Subscription:
    """Pause it until a date, or until it is resumed; a plain date means 00:00 in its zone.

    Dates inside are skipped; what was due before is still billed, and open invoices stay payable. Raises NotFound,
    StateConflict, and InvalidValue for a date that is not to come.
    """
    return _moved(
        ports,
        merchant_id,
        subscription_id,
        lambda before, now: paused(before, until, now),
        event="subscription.paused",
        actor=actor,
    )


def resume(
    ports: Ports, merchant_id: str, subscription_id: str, *, next_invoice_on: date | datetime, actor: str
) -> Subscription:
    """Go on with it: its next period begins on a date, today or later, and the rhythm follows from that.

    Raises NotFound, StateConflict, TillError `payment_in_progress` and InvalidValue for a date that has passed.
    """
    return _moved(
        ports,
        merchant_id,
        subscription_id,
        lambda before, now: resumed_on(before, next_invoice_on, now),
        event="subscription.resumed",
        actor=actor,
    )


def reactivate(ports: Ports, merchant_id: str, subscription_id: str, *, actor: str) -> Subscription:
    """Take back a cancellation at period end, as long as the period is not over. Raises NotFound and StateConflict."""

    def kept(before: Subscription, now: datetime) -> Subscription:
        again = before.moved(SubscriptionAction.REACTIVATE)
        if not before.cancel_at_period_end:
            raise StateConflict("This subscription is not cancelled.")
        if ends_at(before, now) <= now:
            raise StateConflict("The period that this subscription ends with is over.")
        return replace(again, cancel_at_period_end=False, cancel_reason=None)

    return _moved(ports, merchant_id, subscription_id, kept, event="subscription.updated", actor=actor)


def _moved(
    ports: Ports,
    merchant_id: str,
    subscription_id: str,
    change: Callable[[Subscription, datetime], Subscription],
    *,
    event: str,
    actor: str,
) -> Subscription:
    def attempt() -> Subscription:
        now = ports.clock.now()
        before = get_subscription(ports, merchant_id, subscription_id)
        after, timers = moved_timer(before, change(before, now))
        told = changed(ports.ids, event, before, after, now=now, actor=actor)
        commit(ports, [Update(after), told, *timers])
        return written(after)

    done = until_won(ports, attempt)
    timer = billing_timer(done)
    if timer is not None and timer.due <= ports.clock.now():
        hurry_billing(ports, timer)
    return done
