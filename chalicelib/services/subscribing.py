"""A subscription that the merchant makes through the API, and the invoices it would get, from one and the same draft.

The scheduler issues all of its invoices, that of period 0 too: its timer is due when the first period begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.domain.billing.charges import FirstPeriod
from chalicelib.domain.billing.recurrence import Recurrence
from chalicelib.domain.billing.starts import begin, refuse_past
from chalicelib.domain.billing.wallclock import local_date
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Collection, CollectionBlock
from chalicelib.domain.documents.lines import Discount, Fee, LineItem
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.terms import ON_RECEIPT, Due
from chalicelib.domain.errors import InvalidValue, TillError
from chalicelib.domain.machines import SubscriptionAction, SubscriptionStatus
from chalicelib.domain.money.currency import check_chargeable
from chalicelib.services.account import require_ready
from chalicelib.services.billing.issuing import billing_timer
from chalicelib.services.billing.sweeping import hurry_billing
from chalicelib.services.catalogue.lines import LineOrder, copied_lines
from chalicelib.services.facts import happened
from chalicelib.services.ports import Insert, Ports, SetTimer, Write
from chalicelib.services.saving import commit, written
from chalicelib.services.upcoming import Upcoming, upcoming


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """A subscription to be made or looked at. A start at payment means now; `due` is for invoices that are sent."""

    currency: str
    lines: Sequence[LineItem | LineOrder]
    recurrence: Recurrence
    collection: Collection = Collection.AUTOMATIC
    due: Due = ON_RECEIPT
    discount: Discount | None = None
    fees: tuple[Fee, ...] = ()
    first_period: FirstPeriod = FirstPeriod.PRORATED
    metadata: Mapping[str, str] = field(default_factory=dict)


def create_subscription(
    ports: Ports, merchant_id: str, customer_id: str, new: NewSubscription, *, actor: str
) -> Subscription:
    """Make it: one transaction with its events and the timer of its first period.

    Lines that name a price are copied from the catalogue. Raises TillError for a start before today in the merchant's
    zone, for terms that make no sense, prices that cannot be sold so and an amount of any period that nobody can
    charge; `not_found` for a customer that is not the merchant's, and `not_ready_to_transact`.
    """
    now = ports.clock.now()
    merchant, customer = ports.records.find_many([(Merchant, merchant_id), (Customer, customer_id)])
    if customer is None or customer.merchant_id != merchant_id:
        raise TillError("not_found", "There is no such customer.", "customer")
    refuse_past(new.recurrence.start, now, merchant.timezone)
    draft = _draft(ports, merchant_id, new, merchant.timezone, now)
    require_ready(merchant)
    made = replace(
        draft,
        id=ports.ids.new("sub", now),
        merchant_id=merchant_id,
        secret=ports.ids.secret(),
        customer_id=customer.id,
        timer_at=draft.acts_at,
    )
    writes: list[Write] = [happened(ports.ids, "subscription.created", made, now=now, actor=actor)]
    if made.schedule.period(0).start <= now:
        made = made.moved(SubscriptionAction.ACTIVATE)
        previous = {"status": str(SubscriptionStatus.SCHEDULED)}
        writes.append(happened(ports.ids, "subscription.activated", made, now=now, actor=actor, previous=previous))
    timer = billing_timer(made)
    if timer is None:
        raise ValueError("a subscription that begins has something to do")
    commit(ports, [Insert(made), *writes, SetTimer(timer)])
    if timer.due <= now:
        hurry_billing(ports, timer)
    return written(made)


def preview_draft(
    ports: Ports, merchant_id: str, new: NewSubscription, count: int, *, timezone: str | None = None
) -> list[Upcoming]:
    """The first `count` invoices of such a subscription, which is not made; its start may lie in the past.

    `timezone` is the merchant's unless given. Raises TillError as `create_subscription` does.
    """
    zone = timezone or ports.records.get(Merchant, merchant_id).timezone
    return upcoming(_draft(ports, merchant_id, new, zone, ports.clock.now()), count)


def _draft(ports: Ports, merchant_id: str, new: NewSubscription, zone: str, now: datetime) -> Subscription:
    """The subscription as it would be made now, without what names it."""
    schedule = begin(new.recurrence, now, zone)
    copies = copied_lines(ports, merchant_id, new.lines, currency=new.currency, rhythm=new.recurrence)
    # As on what a checkout makes, each line carries the rhythm that it is shown with.
    lines = tuple(replace(line, recurring=new.recurrence) for line in copies)
    automatic = new.collection is Collection.AUTOMATIC
    draft = Subscription(
        id="",
        merchant_id="",
        secret="",
        customer_id="",
        currency=new.currency,
        lines=lines,
        recurrence=new.recurrence,
        schedule=schedule,
        next_index=0,
        collection=new.collection,
        created_at=now,
        status=SubscriptionStatus.SCHEDULED,
        discount=new.discount,
        fees=new.fees,
        first_period=new.first_period,
        due=new.due,
        collection_blocked=CollectionBlock.NO_PAYMENT_METHOD if automatic else None,
        metadata=new.metadata,
    )
    first_day = local_date(draft.schedule.period(0).start, zone)
    if new.due.on is not None and new.due.on < first_day:
        raise InvalidValue("The invoices cannot be due before the first of them is issued.", "due.date", "invalid_date")
    for stretch in draft.stretches:
        check_chargeable(stretch.amount, "lines")
    return draft
