"""What a due subscription does: its oldest due period becomes an invoice, exactly once, in one transaction.

Up to nineteen subscriptions of one merchant share a transaction: five items each and one number counter are 96 of the
100 that a transaction may hold (AWS: TransactWriteItems). Those whose invoices are sent have seven, for the mail and
its timer; the invoice's own timer stands where the day ends on which it is due. Timers that have been done go in the
same transaction where there is room, which is up to sixteen; else all in one after it.

One read brings all that is needed. What comes after it builds on what was just written, under the same conditions on
versions; only who is beaten reads again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.billing.coming import MOST_UNTRIED, end_of_pause, next_invoice
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Collection, CollectionBlock
from chalicelib.domain.documents.mails import MailKind
from chalicelib.domain.documents.merchants import INVOICE_SERIES, Merchant, NumberSeries, series_id
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.machines import SUBSCRIPTION, InvoiceStatus, SubscriptionAction, SubscriptionStatus
from chalicelib.services.billing.bounds import HEAVIEST, USUAL, Bounds, Count, weight_of
from chalicelib.services.billing.making import period_invoice, told_and_collected
from chalicelib.services.billing.parking import park
from chalicelib.services.facts import changed, happened
from chalicelib.services.mails import mails_about, posted
from chalicelib.services.ports import MAX_WRITES, DropTimer, Insert, Ports, SetTimer, Update, Write
from chalicelib.services.saving import commit, until_won_from, written

MOST_TOGETHER: Final = 19
CHARGES_APART: Final = timedelta(days=1)
MOST_PERIODS: Final = 120
"""Periods issued for one message before the rest is left to the next: two years of weeks, and a bound on a worker."""
ACTOR: Final = "scheduler"


@dataclass(frozen=True, slots=True)
class Issued:
    """What a run did, and whether some are still due; `held` of the invoices wait, `parked` says why all of them do."""

    invoices: int
    ended: int
    more: bool
    held: int = 0
    parked: str | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a merchant and its subscriptions: as read, and then as last written."""

    merchant: Merchant
    series: NumberSeries
    subscriptions: Mapping[str, Subscription | None]
    customers: Mapping[str, Customer]


@dataclass(frozen=True, slots=True)
class _Step:
    """One subscription's share of a transaction: what it is after it, and the timer that it makes stale.

    What is neither `issued` nor `ended` went on after a pause.
    """

    writes: tuple[Write, ...]
    after: Subscription
    stale: Timer | None
    issued: bool
    ended: bool = True
    charged: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class _Done:
    """What one transaction did, what is known after it, and the timers that are stale and still stand."""

    steps: tuple[_Step, ...]
    known: _Known
    stale: tuple[Timer, ...] = ()
    parked: str | None = None


def issue_due(
    ports: Ports,
    merchant_id: str,
    timers: Sequence[Timer],
    *,
    bounds: Bounds = USUAL,
    enough_time: Callable[[], bool] = lambda: True,
) -> Issued:
    """Do what is due for these subscriptions of one merchant, oldest period first, until nothing is due.

    Past the day's `bounds` the merchant is parked. Between two transactions it is asked whether there is
    `enough_time` for one more; where there is not, the rest is left to the next sweep, as its timers stand.
    The records decide: a timer whose subscription is elsewhere by now is dropped. Running it twice, or two at once,
    changes nothing more. Raises StoreUnavailable, after which the timers still stand.
    """
    invoices = ended = held = 0
    parked = None
    ids = tuple(dict.fromkeys(timer.record_id for timer in timers))[:MOST_TOGETHER]
    more = len({timer.record_id for timer in timers}) > len(ids)
    mine = [timer for timer in timers if timer.record_id in ids]
    gone: set[str] = set()
    known: _Known | None = None
    for turn in range(MOST_PERIODS):
        if turn and not enough_time():
            more = True
            break
        done = until_won_from(
            ports,
            known,
            lambda: _read(ports, merchant_id, mine),
            lambda now: _one_transaction(ports, merchant_id, now, bounds),
        )
        known, parked = done.known, done.parked
        if not done.steps:
            break
        invoices += sum(step.issued for step in done.steps)
        ended += sum(step.ended and not step.issued for step in done.steps)
        held += sum(step.held for step in done.steps)
        _drop(ports, done.stale)
        gone |= {step.stale.key for step in done.steps if step.stale is not None}
    else:
        more = True
    if known is not None:
        _drop(ports, [timer for timer in mine if timer.key not in gone and _is_stale(timer, known)])
    return Issued(invoices, ended, more, held, parked)


def billing_timer(subscription: Subscription) -> Timer | None:
    """Where a subscription's timer stands."""
    if subscription.timer_at is None:
        return None
    return Timer(
        TimerKind.BILL_PERIOD,
        subscription.id,
        subscription.merchant_id,
        subscription.timer_at,
        customer_id=subscription.customer_id,
    )


def moved_timer(before: Subscription, after: Subscription) -> tuple[Subscription, list[Write]]:
    """A changed subscription with its timer where it has something to do now, and the writes that move the timer."""
    if before.timer_at is not None or before.acts_at != after.acts_at:
        # One whose last payment is owed has no timer, and nothing that the clock could do.
        after = replace(after, timer_at=after.acts_at)
    old, new = billing_timer(before), billing_timer(after)
    if old == new:
        return after, []
    drops: list[Write] = [] if old is None else [DropTimer(old)]
    return after, drops if new is None else [*drops, SetTimer(new)]


def _is_stale(timer: Timer, known: _Known) -> bool:
    subscription = known.subscriptions.get(timer.record_id)
    return subscription is None or subscription.timer_at != timer.due


def _drop(ports: Ports, timers: Sequence[Timer]) -> None:
    """Remove stale timers in one call."""
    if timers:
        commit(ports, [DropTimer(timer) for timer in {timer.key: timer for timer in timers}.values()])


def _read(ports: Ports, merchant_id: str, timers: Sequence[Timer]) -> _Known:
    ids = list(dict.fromkeys(timer.record_id for timer in timers))
    hints = dict.fromkeys(timer.customer_id for timer in timers if timer.customer_id is not None)
    wanted: list[tuple[type[object], str]] = [
        (Merchant, merchant_id),
        (NumberSeries, series_id(merchant_id, INVOICE_SERIES)),
        *((Subscription, each) for each in ids),
        *((Customer, each) for each in hints),
    ]
    merchant, series, *found = ports.records.find_many(wanted)
    subscriptions = dict(zip(ids, found[: len(ids)], strict=True))
    customers = {each.id: each for each in found[len(ids) :] if each is not None}
    theirs = {each.customer_id for each in subscriptions.values() if each is not None}
    missing = theirs - customers.keys()
    if missing:
        # The timer told nothing of them, or something else than their subscriptions do.
        others = ports.records.find_many([(Customer, each) for each in sorted(missing)])
        customers |= {each.id: each for each in others if each is not None}
    return _Known(merchant, series, subscriptions, customers)


def _one_transaction(ports: Ports, merchant_id: str, known: _Known, bounds: Bounds) -> _Done:
    if known.merchant.parked_at is not None:
        return _Done((), known)
    now = ports.clock.now()
    count, too_much = Count.of(known.series, now), None
    steps: list[_Step] = []
    writes: list[Write] = []
    taken, weight = known.series.last, 0
    for subscription in known.subscriptions.values():
        if subscription is None or not _is_due(subscription, merchant_id, now):
            continue
        if subscription.is_ending:
            step = _end(ports, known.customers.get(subscription.customer_id), subscription, now)
        elif subscription.sits_out:
            step = _resume(ports, subscription, now)
        else:
            customer = known.customers[subscription.customer_id]
            step = _issue(ports, known.merchant, customer, subscription, taken + 1, now)
        # A first period, a total of zero or a mail needs an item more: what does not fit comes in the next transaction.
        weight += weight_of(subscription)
        if steps and (len(writes) + len(step.writes) > MAX_WRITES - 1 or weight > HEAVIEST):
            break
        counted = count.with_one(charged=step.charged) if step.issued else count
        too_much = counted.exceeds(bounds)
        if too_much is not None:
            break
        count = counted
        taken += 1 if step.issued else 0
        steps.append(step)
        writes += step.writes
    if not steps:
        if too_much is not None:
            park(ports, known.merchant, too_much, now)
        return _Done((), known, parked=too_much)
    series = known.series
    if taken != series.last:
        series = count.on(replace(series, last=taken))
        writes.append(Update(series))
        series = written(series)
    stale = [step.stale for step in steps if step.stale is not None]
    if len(writes) + len(stale) <= MAX_WRITES:
        writes += [DropTimer(timer) for timer in stale]
        stale = []
    commit(ports, writes)
    moved = {step.after.id: written(step.after) for step in steps}
    return _Done(
        tuple(steps),
        replace(known, series=series, subscriptions={**known.subscriptions, **moved}),
        tuple(stale),
    )


def _is_due(subscription: Subscription, merchant_id: str, now: datetime) -> bool:
    if subscription.merchant_id != merchant_id:
        return False
    # A fixed term whose last payment is still owed has no end by date: it ends when it is paid, and has no timer.
    acts_at = subscription.acts_at
    return acts_at is not None and acts_at <= now and subscription.timer_at is not None


def _end(ports: Ports, customer: Customer | None, subscription: Subscription, now: datetime) -> _Step:
    stale = billing_timer(subscription)
    if subscription.cancel_at_period_end:
        ended = replace(subscription.moved(SubscriptionAction.CANCEL), canceled_at=now, ended_at=now, timer_at=None)
        kind = "subscription.canceled"
    elif not subscription.is_paid_up or not SUBSCRIPTION.can(subscription.status, SubscriptionAction.EXPIRE):
        # It ends when its last payment is made; until then there is nothing that the clock could do.
        waiting = replace(subscription, timer_at=None)
        return _Step((Update(waiting),), waiting, stale, issued=False)
    else:
        ended = replace(subscription.moved(SubscriptionAction.EXPIRE), ended_at=now, timer_at=None)
        kind = "subscription.expired"
    event = happened(ports.ids, kind, ended, now=now, actor=ACTOR, previous={"status": str(subscription.status)})
    mails = mails_about(ended, customer, MailKind.SUBSCRIPTION_ENDED, now)
    return _Step((Update(ended), event, *posted(*mails)), ended, stale, issued=False)


def _resume(ports: Ports, subscription: Subscription, now: datetime) -> _Step:
    """The end of a pause that was given one."""
    resumed = end_of_pause(subscription)
    resumed = replace(resumed, timer_at=resumed.acts_at)
    event = changed(ports.ids, "subscription.resumed", subscription, resumed, now=now, actor=ACTOR)
    following, stale = billing_timer(resumed), billing_timer(subscription)
    timers = [] if following is None else [SetTimer(following)]
    if stale == following:
        stale = None
    return _Step((Update(resumed), event, *timers), resumed, stale, issued=False, ended=False)


def _issue(
    ports: Ports, merchant: Merchant, customer: Customer, subscription: Subscription, counter: int, now: datetime
) -> _Step:
    coming = next_invoice(subscription)
    invoice = period_invoice(ports, merchant, customer, subscription, coming, counter, now)
    moved = coming.after
    if subscription.status is SubscriptionStatus.SCHEDULED:
        moved = moved.moved(SubscriptionAction.ACTIVATE)
    if invoice.charge_at is not None and invoice.collection is Collection.AUTOMATIC:
        moved = replace(moved, charge_not_before=invoice.charge_at + CHARGES_APART)
    if invoice.status is InvoiceStatus.PAID:
        moved = replace(moved, payments_made=moved.payments_made + 1)
    if invoice.collection_blocked is CollectionBlock.UNPAID:
        moved = _untried(moved, invoice.id, now)
    moved = replace(moved, timer_at=moved.acts_at)
    writes: list[Write] = [Insert(invoice), Update(moved)]
    writes += told_and_collected(ports, invoice, customer, ACTOR, now)
    if subscription.pending is not None:
        writes.append(changed(ports.ids, "subscription.updated", subscription, moved, now=now, actor=ACTOR))
    if subscription.status is SubscriptionStatus.SCHEDULED:
        before = {"status": str(subscription.status)}
        writes.append(happened(ports.ids, "subscription.activated", moved, now=now, actor=ACTOR, previous=before))
    if moved.status is SubscriptionStatus.PAUSED and subscription.status is not SubscriptionStatus.PAUSED:
        before = {"status": str(subscription.status)}
        writes.append(happened(ports.ids, "subscription.paused", moved, now=now, actor=ACTOR, previous=before))
    following = billing_timer(moved)
    if following is not None:
        writes.append(SetTimer(following))
    stale = billing_timer(subscription)
    # Two timers of one time are one row, and the new one is to stand.
    return _Step(
        tuple(writes),
        moved,
        None if stale == following else stale,
        issued=True,
        charged=invoice.charge_at is not None and invoice.collection is Collection.AUTOMATIC,
        held=invoice.collection_blocked is CollectionBlock.HELD,
    )


def _untried(subscription: Subscription, invoice_id: str, now: datetime) -> Subscription:
    """An unpaid subscription with one more invoice that it owes; paused with the last that is issued like that."""
    owing = replace(
        subscription,
        past_due_invoices=(*subscription.past_due_invoices, invoice_id),
        untried=subscription.untried + 1,
    )
    if owing.untried < MOST_UNTRIED or owing.is_last_issued:
        return owing
    return replace(owing.moved(SubscriptionAction.PAUSE), paused_at=now)
