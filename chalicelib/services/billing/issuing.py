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

from chalicelib.domain.billing.charges import discount_at, fees_at, period_lines
from chalicelib.domain.billing.wallclock import midnight, to_instant
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import (
    Collection,
    CollectionBlock,
    Invoice,
    Party,
    Snapshot,
    Source,
)
from chalicelib.domain.documents.mails import MailKind
from chalicelib.domain.documents.merchants import INVOICE_SERIES, Merchant, NumberSeries, series_id
from chalicelib.domain.documents.parts import Part
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.ids import derived_id
from chalicelib.domain.machines import InvoiceStatus, SubscriptionAction, SubscriptionStatus
from chalicelib.domain.numbering import format_number
from chalicelib.services.billing.bounds import HEAVIEST, USUAL, Bounds, Count, weight_of
from chalicelib.services.billing.parking import park
from chalicelib.services.billing.sending import day_due, mail_with
from chalicelib.services.checkouts.booking import seller_of
from chalicelib.services.facts import happened
from chalicelib.services.ports import MAX_WRITES, DropTimer, Insert, Ports, SetTimer, Update, Write
from chalicelib.services.saving import commit, until_won_from, written
from chalicelib.services.telling import mails_about, told

MOST_TOGETHER: Final = 19
TOO_LATE: Final = timedelta(days=7)
"""An invoice issued later than this after its time waits for a person instead of being charged."""
MOST_UNTRIED: Final = 3
"""Invoices issued for a subscription that is unpaid before it is paused."""
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
    """One subscription's share of a transaction: what it is after it, and the timer that it makes stale."""

    writes: tuple[Write, ...]
    after: Subscription
    stale: Timer | None
    issued: bool
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
        ended += sum(not step.issued for step in done.steps)
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
        ends = subscription.cancel_at_period_end or subscription.is_last_issued
        if ends:
            step = _end(ports, known.customers.get(subscription.customer_id), subscription, now)
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
        taken += 0 if ends else 1
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
    elif not subscription.is_paid_up or subscription.status is not SubscriptionStatus.ACTIVE:
        # It ends when its last payment is made; until then there is nothing that the clock could do.
        waiting = replace(subscription, timer_at=None)
        return _Step((Update(waiting),), waiting, stale, issued=False)
    else:
        ended = replace(subscription.moved(SubscriptionAction.EXPIRE), ended_at=now, timer_at=None)
        kind = "subscription.expired"
    event = happened(ports.ids, kind, ended, now=now, actor=ACTOR, previous={"status": str(subscription.status)})
    mails = mails_about(ended, customer, MailKind.SUBSCRIPTION_ENDED, now)
    return _Step((Update(ended), event, *told(mails)), ended, stale, issued=False)


def _issue(
    ports: Ports, merchant: Merchant, customer: Customer, subscription: Subscription, counter: int, now: datetime
) -> _Step:
    invoice = _invoice(ports, merchant, customer, subscription, counter, now)
    begun = subscription
    if subscription.status is SubscriptionStatus.SCHEDULED:
        begun = subscription.moved(SubscriptionAction.ACTIVATE)
    moved = replace(begun, next_index=subscription.next_index + 1)
    if invoice.charge_at is not None and invoice.collection is Collection.AUTOMATIC:
        moved = replace(moved, charge_not_before=invoice.charge_at + CHARGES_APART)
    if invoice.status is InvoiceStatus.PAID:
        moved = replace(moved, payments_made=moved.payments_made + 1)
    if invoice.collection_blocked is CollectionBlock.UNPAID:
        moved = _untried(moved, invoice.id, now)
    moved = replace(moved, timer_at=moved.acts_at)
    writes: list[Write] = [Insert(invoice), Update(moved)]
    writes.append(happened(ports.ids, "invoice.issued", invoice, now=now, actor=ACTOR))
    if invoice.status is InvoiceStatus.PAID:
        writes.append(happened(ports.ids, "invoice.paid", invoice, now=now, actor=ACTOR))
    if begun.status is not subscription.status:
        before = {"status": str(subscription.status)}
        writes.append(happened(ports.ids, "subscription.activated", moved, now=now, actor=ACTOR, previous=before))
    if moved.status is SubscriptionStatus.PAUSED:
        before = {"status": str(begun.status)}
        writes.append(happened(ports.ids, "subscription.paused", moved, now=now, actor=ACTOR, previous=before))
    following = billing_timer(moved)
    if following is not None:
        writes.append(SetTimer(following))
    if invoice.collection is Collection.SEND and invoice.status is InvoiceStatus.OPEN:
        writes += mail_with(invoice, customer, now)
    if invoice.charge_at is not None:
        writes.append(SetTimer(collection_timer(invoice, invoice.charge_at)))
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


def collection_timer(invoice: Invoice, due: datetime) -> Timer:
    """Where an invoice's timer stands for a step of its collection, with the ids that the step will need."""
    return Timer(
        TimerKind.CHARGE_INVOICE,
        invoice.id,
        invoice.merchant_id,
        due,
        subscription_id=invoice.subscription_id,
        customer_id=invoice.customer_id,
    )


def _invoice(
    ports: Ports, merchant: Merchant, customer: Customer, subscription: Subscription, counter: int, now: datetime
) -> Invoice:
    index = subscription.next_index
    period = subscription.schedule.period(index)
    totals = subscription.totals_at(index)
    blocked = _block(merchant, subscription, period.invoice_at, now)
    automatic = subscription.collection is Collection.AUTOMATIC
    charged = automatic and blocked is None and bool(totals.total)
    charge_at = max(now, subscription.charge_not_before or now) if charged else None
    due_date = day_due(merchant, subscription, period.invoice_at, now)
    if not automatic and totals.total:
        charge_at = to_instant(midnight(due_date + timedelta(days=1)), merchant.timezone)
    issued = Invoice(
        id=derived_id("inv", period.invoice_at, f"{subscription.id}#{index}"),
        merchant_id=subscription.merchant_id,
        secret=ports.ids.secret(),
        customer_id=subscription.customer_id,
        currency=subscription.currency,
        lines=period_lines(subscription.lines, subscription.schedule, index, subscription.first_period),
        totals=totals,
        source=Source.SUBSCRIPTION,
        collection=subscription.collection,
        created_at=period.invoice_at,
        status=InvoiceStatus.OPEN,
        discount=discount_at(subscription.discount, index),
        fees=fees_at(subscription.fees, index),
        number=format_number(merchant.invoice_prefix, counter),
        snapshot=Snapshot(
            seller_of(merchant),
            subscription.buyer or Party(customer.name or customer.email, customer.email, tax_id=customer.tax_id),
            merchant.timezone,
        ),
        issued_at=now,
        due_date=due_date,
        parts=(Part(1, totals.total),) if totals.total else (),
        charge_at=charge_at,
        collection_blocked=blocked if totals.total else None,
        subscription_id=subscription.id,
        period=period,
        payment_link_id=subscription.payment_link_id,
    )
    if totals.total:
        return issued
    return replace(issued, status=InvoiceStatus.PAID, paid_at=now)


def _block(
    merchant: Merchant, subscription: Subscription, planned_at: datetime, now: datetime
) -> CollectionBlock | None:
    if subscription.collection is not Collection.AUTOMATIC:
        return None
    if subscription.method is None:
        return CollectionBlock.NO_PAYMENT_METHOD
    if subscription.status is SubscriptionStatus.UNPAID:
        return CollectionBlock.UNPAID
    if not merchant.can_transact:
        return CollectionBlock.DISCONNECTED
    if now - planned_at > TOO_LATE:
        return CollectionBlock.HELD
    return None
