"""Stripe's own list of events, read every day for each account: what no webhook brought is booked all the same.

A webhook that never came leaves no trace here, so only Stripe can say what is missing. Each event that is not `done`
goes through the same intake as a webhook; doing it again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.documents.intake import (
    EventSweep,
    IntakeState,
    StripeEvent,
    event_sweep_id,
    stripe_event_id,
)
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.services.intake import receive
from chalicelib.services.mails import timer_message
from chalicelib.services.notices import ALLOWED, Notice
from chalicelib.services.payments.matching import PaymentMismatch
from chalicelib.services.ports import (
    DEPLOYMENT,
    EventPage,
    Index,
    Insert,
    ListedEvent,
    Message,
    Ports,
    ProviderBusy,
    ProviderRefused,
    ProviderUnavailable,
    QueueName,
    Update,
    WriteConflict,
)
from chalicelib.services.saving import commit, written

LOOK_BACK: Final = timedelta(days=3, hours=6)
"""At least as long as Stripe tries to deliver (https://docs.stripe.com/webhooks#automatic-retries), and a bit."""
OVERLAP: Final = timedelta(hours=1)
"""Stripe's list need not show an event in the very moment that it is made."""
STRIPE_KEEPS: Final = timedelta(days=30)
MOST_PAGES: Final = 20
MOST_TAKEN_IN: Final = 100
"""What one message does at most; the rest goes on under another, from where this one stopped."""
NO_ACCESS: Final = "account_invalid"
"""Stripe's code where the merchant has disconnected Till (https://docs.stripe.com/error-codes#account-invalid)."""
_LISTED: Final = 100


@dataclass(frozen=True, slots=True)
class Caught:
    """What a run found on Stripe's list: events looked at, those that had not been done, and what stayed undone."""

    outcome: str
    seen: int = 0
    taken_in: int = 0
    undone: tuple[str, ...] = ()


def begin_sweeps(ports: Ports) -> int:
    """Ask for a sweep of every merchant's events, one message each; how many. Raises QueueUnavailable.

    The merchants are listed by an index, a hundred a query; there is no scan.
    """
    now = ports.clock.now()
    asked = 0
    before: str | None = None
    while True:
        page = ports.records.newest(EventSweep, Index.BY_MERCHANT, DEPLOYMENT, limit=_LISTED, before_id=before)
        ports.queues.send(QueueName.WORK, [_message(sweep.merchant_id, now) for sweep in page.records])
        asked += len(page.records)
        if not page.has_more:
            return asked
        before = page.last_id


def sweep_events(ports: Ports, merchant_id: str, *, direct_merchant_id: str | None) -> Caught:
    """Take in what Stripe lists of a merchant's events and is not done; goes on where a run before it stopped.

    Raises ProviderUnavailable, ProviderBusy and ProviderRefused where the list itself cannot be read: tomorrow's sweep
    then reaches back to where this one stood. A merchant that has disconnected is no such case.
    """
    merchant = ports.records.find(Merchant, merchant_id)
    if merchant is None or (merchant.stripe_account is None and merchant.id != direct_merchant_id):
        return Caught("no account")
    direct = direct_merchant_id if merchant.stripe_account is None else None
    try:
        return _swept(ports, merchant, _begun(ports, merchant), direct)
    except WriteConflict:
        return Caught("being swept by another")
    except ProviderRefused as refused:
        if refused.code != NO_ACCESS:
            raise
        return Caught("no access")


def _begun(ports: Ports, merchant: Merchant) -> EventSweep:
    now = ports.clock.now()
    sweep_id = event_sweep_id(merchant.id, merchant.created_at)
    sweep = ports.records.find(EventSweep, sweep_id) or EventSweep(sweep_id, merchant.id, merchant.created_at)
    if sweep.since is not None and sweep.since > now - STRIPE_KEEPS:
        return sweep
    since = now - LOOK_BACK
    if sweep.swept_to is not None:
        since = min(since, sweep.swept_to - OVERLAP)
    begun = replace(sweep, began=now, since=max(since, now - STRIPE_KEEPS + OVERLAP), cursor=None)
    commit(ports, [Update(begun) if sweep.version else Insert(begun)])
    return written(begun)


def _swept(ports: Ports, merchant: Merchant, sweep: EventSweep, direct_merchant_id: str | None) -> Caught:
    seen = taken_in = 0
    undone: list[str] = []
    for _ in range(MOST_PAGES):
        page = ports.stripe.list_events(
            merchant.stripe_account,
            created_after=sweep.since or sweep.created_at,
            types=sorted(ALLOWED),
            cursor=sweep.cursor,
        )
        seen += len(page.events)
        for event in _not_done(ports, page):
            taken_in += 1
            problem = _taken_in(ports, event, direct_merchant_id)
            if problem is not None:
                undone.append(f"{event.id}: {problem}")
        if page.cursor is None:
            finished = replace(sweep, swept_to=sweep.began, began=None, since=None, cursor=None)
            commit(ports, [Update(finished)])
            return Caught("finished", seen, taken_in, tuple(undone))
        onward = replace(sweep, cursor=page.cursor)
        commit(ports, [Update(onward)])
        sweep = written(onward)
        if taken_in >= MOST_TAKEN_IN:
            break
    ports.queues.send(QueueName.WORK, [_message(merchant.id, ports.clock.now())])
    return Caught("goes on", seen, taken_in, tuple(undone))


def _not_done(ports: Ports, page: EventPage) -> list[ListedEvent]:
    rows = ports.records.find_many([(StripeEvent, stripe_event_id(event.id)) for event in page.events])
    return [
        event for event, row in zip(page.events, rows, strict=True) if row is None or row.state is not IntakeState.DONE
    ]


def _taken_in(ports: Ports, event: ListedEvent, direct_merchant_id: str | None) -> str | None:
    """Why an event is not done, if it is not: its row is `received` then, and its timer comes back to it."""
    notice = Notice(event.id, event.type, event.account, event.livemode, event.object, direct_merchant_id)
    try:
        receive(ports, notice)
    except (ProviderUnavailable, ProviderBusy, ProviderRefused, PaymentMismatch, WriteConflict) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _message(merchant_id: str, now: datetime) -> Message:
    return Message(timer_message(Timer(TimerKind.SWEEP_EVENTS, merchant_id, merchant_id, now)))
