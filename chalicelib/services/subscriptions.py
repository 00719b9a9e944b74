"""What a buyer or a merchant does to a subscription; what the clock does to it is in `billing`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Literal

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import NotFound, StateConflict
from chalicelib.domain.machines import SUBSCRIPTION, SubscriptionAction
from chalicelib.services.billing.issuing import billing_timer, moved_timer
from chalicelib.services.facts import happened
from chalicelib.services.mails import mail_timer, mails_about, posted, queue_mail
from chalicelib.services.ports import DropTimer, Ports, Update, Write
from chalicelib.services.saving import commit, until_won, written


def get_subscription(ports: Ports, merchant_id: str, subscription_id: str) -> Subscription:
    """The merchant's subscription. Raises NotFound, also for another merchant's."""
    found = ports.records.find(Subscription, subscription_id)
    if found is None or found.merchant_id != merchant_id:
        raise NotFound("subscription")
    return found


def change_metadata(
    ports: Ports, merchant_id: str, subscription_id: str, metadata: Mapping[str, str], *, actor: str
) -> Subscription:
    """The subscription with other metadata, also after its end; nothing happens where it has them. Raises NotFound."""

    def attempt() -> Subscription:
        before = get_subscription(ports, merchant_id, subscription_id)
        if before.metadata == metadata:
            return before
        after = replace(before, metadata=metadata)
        now, previous = ports.clock.now(), {"metadata": dict(before.metadata)}
        told = happened(ports.ids, "subscription.updated", after, now=now, actor=actor, previous=previous)
        commit(ports, [Update(after), told])
        return written(after)

    return until_won(ports, attempt)


def ends_at(subscription: Subscription, now: datetime) -> datetime:
    """When a cancellation at period end takes effect: the end of what was invoiced last, or now if that is past."""
    current = subscription.current_period
    return now if current is None else max(now, current.end)


def cancel(
    ports: Ports,
    merchant_id: str,
    subscription_id: str,
    *,
    at: Literal["now", "period_end"],
    actor: str,
    reason: str | None = None,
) -> Subscription:
    """End a subscription now, or when what was invoiced last is over. Doing it again changes nothing.

    Money in flight is left alone, and open invoices stay payable; its owner is told by mail. Raises NotFound, and
    StateConflict for one that has ended.
    """
    mails: list[Mail] = []

    def attempt() -> Subscription:
        mails.clear()
        now = ports.clock.now()
        subscription = get_subscription(ports, merchant_id, subscription_id)
        if not SUBSCRIPTION.can(subscription.status, SubscriptionAction.CANCEL):
            raise StateConflict(f"This subscription is {subscription.status} already.")
        customer = ports.records.find(Customer, subscription.customer_id)
        later = at == "period_end" and ends_at(subscription, now) > now
        if later and subscription.cancel_at_period_end:
            return subscription
        if later:
            changed, timers = moved_timer(
                subscription, replace(subscription, cancel_at_period_end=True, cancel_reason=reason)
            )
            before = {"cancel_at_period_end": False}
            event = happened(ports.ids, "subscription.updated", changed, now=now, actor=actor, previous=before)
            mails.extend(mails_about(changed, customer, MailKind.SUBSCRIPTION_CANCELED, now))
            commit(ports, [Update(changed), event, *timers, *posted(*mails)])
            return written(changed)
        ended = replace(
            subscription.moved(SubscriptionAction.CANCEL),
            canceled_at=now,
            ended_at=now,
            timer_at=None,
            cancel_reason=reason or subscription.cancel_reason,
        )
        previous = {"status": str(subscription.status)}
        writes: list[Write] = [Update(ended)]
        writes.append(happened(ports.ids, "subscription.canceled", ended, now=now, actor=actor, previous=previous))
        timer = billing_timer(subscription)
        if timer is not None:
            writes.append(DropTimer(timer))
        mails.extend(mails_about(ended, customer, MailKind.SUBSCRIPTION_CANCELED, now))
        commit(ports, [*writes, *posted(*mails)])
        return written(ended)

    after = until_won(ports, attempt)
    for mail in mails:
        queue_mail(ports, mail_timer(mail))
    return after
