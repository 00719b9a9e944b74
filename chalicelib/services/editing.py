"""A subscription changed by its merchant: what is shown beforehand, and the one transaction that does it.

What a change credits depends on what was paid, so the invoices of the running period are read with the subscription,
and the transaction requires that they have not moved since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from chalicelib.domain.billing.changes import Asked, Edited, Standing, edited, takes_effect_within, with_frequency
from chalicelib.domain.billing.proration import discount_of_period
from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.documents.catalogue import Price
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.edits import SubscriptionEdit, edit_id
from chalicelib.domain.documents.invoices import Collection, Invoice
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.merchants import INVOICE_SERIES, Merchant, NumberSeries, series_id
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import InvalidValue, StateConflict, TillError
from chalicelib.domain.ids import derived_id
from chalicelib.domain.machines import SUBSCRIPTION, InvoiceStatus, PartState, SubscriptionAction
from chalicelib.domain.money.amounts import Money
from chalicelib.services.billing.bounds import Count
from chalicelib.services.billing.charging import CHALLENGE_LASTS
from chalicelib.services.billing.issuing import billing_timer, moved_timer
from chalicelib.services.billing.making import change_invoice, told_and_collected
from chalicelib.services.billing.sweeping import hurry_billing
from chalicelib.services.catalogue.lines import LineOrder, copied_lines
from chalicelib.services.facts import changed
from chalicelib.services.ports import Insert, Ports, Unchanged, Update, Write
from chalicelib.services.saving import commit, until_won, written
from chalicelib.services.subscriptions import get_subscription


@dataclass(frozen=True, slots=True)
class EditOrder:
    """A change as it is asked for: None leaves a thing as it is."""

    lines: Sequence[LineItem | LineOrder] | None = None
    frequency: Frequency | None = None
    next_invoice_on: date | datetime | None = None
    now: bool = False
    bill_now: bool = False
    metadata: Mapping[str, str] | None = None

    @property
    def changes_billing(self) -> bool:
        """Whether more than metadata is to change."""
        return not (self.lines is None and self.frequency is None and self.next_invoice_on is None)


@dataclass(frozen=True, slots=True)
class _Read:
    """What an edit is decided on: the subscription, and the invoices of its running period where they count."""

    subscription: Subscription
    asked: Asked
    standing: Standing | None
    invoices: tuple[Invoice, ...]


def edit_subscription(
    ports: Ports, merchant_id: str, subscription_id: str, order: EditOrder, *, actor: str
) -> Subscription:
    """Change it, with its next period or at once. Raises what `preview_edit` raises."""

    def attempt() -> Subscription:
        now = ports.clock.now()
        read = _read(ports, merchant_id, subscription_id, order, now)
        before = read.subscription
        result = _decided(read, order, now)
        after, timers = moved_timer(before, result.after)
        if replace(after, timer_at=before.timer_at) == before and not timers:
            return before
        writes: list[Write] = [Update(after)]
        if result.billed:
            after, more = _billed_now(ports, before, after, result, actor, now)
            writes = [Update(after), *more]
        if result.change is not None:
            writes.append(Insert(_kept(after, result, now)))
        writes.append(changed(ports.ids, "subscription.updated", before, after, now=now, actor=actor))
        writes += [Unchanged(invoice) for invoice in read.invoices]
        commit(ports, [*writes, *timers])
        return written(after)

    done = until_won(ports, attempt)
    timer = billing_timer(done)
    if timer is not None and timer.due <= ports.clock.now():
        hurry_billing(ports, timer)
    return done


def preview_edit(ports: Ports, merchant_id: str, subscription_id: str, order: EditOrder) -> Edited:
    """What the change would make of it; nothing is written.

    Raises NotFound, StateConflict, TillError for lines that cannot be sold so, `payment_in_progress` while a charge of
    the running period is under way, and InvalidValue for dates and amounts that make no sense.
    """
    now = ports.clock.now()
    return _decided(_read(ports, merchant_id, subscription_id, order, now), order, now)


def _decided(read: _Read, order: EditOrder, now: datetime) -> Edited:
    result = Edited(read.subscription)
    if order.changes_billing:
        result = edited(read.subscription, read.asked, read.standing, now)
    if order.metadata is not None:
        result = replace(result, after=replace(result.after, metadata=order.metadata))
    return result


def _read(ports: Ports, merchant_id: str, subscription_id: str, order: EditOrder, now: datetime) -> _Read:
    subscription = get_subscription(ports, merchant_id, subscription_id)
    if not order.changes_billing:
        return _Read(subscription, Asked(), None, ())
    if not SUBSCRIPTION.can(subscription.status, SubscriptionAction.EDIT):
        raise StateConflict(f"This subscription is {subscription.status}: it cannot be changed any more.")
    rhythm = with_frequency(subscription.with_pending_change().recurrence, order.frequency)
    lines = None
    if order.lines is not None:
        copies = copied_lines(ports, merchant_id, order.lines, currency=subscription.currency, rhythm=rhythm)
        lines = tuple(replace(line, recurring=rhythm) for line in copies)
    elif order.frequency is not None:
        _check_prices(ports, subscription.with_pending_change().lines, rhythm)
    asked = Asked(lines, order.frequency, order.next_invoice_on, order.now, order.bill_now)
    if not takes_effect_within(subscription, asked):
        return _Read(subscription, asked, None, ())
    invoices = _of_running_period(ports, subscription)
    for invoice in invoices:
        if _is_being_charged(invoice, now):
            raise TillError("payment_in_progress", f"Invoice {invoice.number} is being charged. Try again soon.")
    return _Read(subscription, asked, _standing(subscription, invoices), invoices)


def _check_prices(ports: Ports, lines: Sequence[LineItem], rhythm: Recurrence) -> None:
    """Refuse another frequency for lines whose price says how often it is paid."""
    named = list(dict.fromkeys(line.price_id for line in lines if line.price_id is not None))
    prices: list[Price | None] = []
    for start in range(0, len(named), 100):
        prices += ports.records.find_many([(Price, each) for each in named[start : start + 100]])
    for price in prices:
        if price is not None and price.frequency not in (None, rhythm.frequency):
            message = f"The price {price.id} is paid {price.frequency}. Give lines with prices of the new frequency."
            raise InvalidValue(message, "frequency")


def _of_running_period(ports: Ports, subscription: Subscription) -> tuple[Invoice, ...]:
    """The period's invoice first, then those of changes that were billed at once."""
    period = subscription.schedule.period(subscription.next_index - 1)
    own = derived_id("inv", period.invoice_at, f"{subscription.id}#{period.index}")
    wanted: list[tuple[type[Any], str]] = [
        (Invoice, own),
        *((Invoice, each) for each in subscription.adjustment_invoices),
    ]
    first, *others = ports.records.find_many(wanted)
    if first is None and subscription.checkout_id is not None:
        # Period 0 of what a checkout started stands on the checkout's invoice.
        checkout = ports.records.get(Checkout, subscription.checkout_id)
        first = ports.records.find(Invoice, checkout.invoice_id)
    if first is None:
        raise StateConflict("The invoice of the running period is not there, so nobody knows what was paid.")
    return (first, *(each for each in others if each is not None))


def _is_being_charged(invoice: Invoice, now: datetime) -> bool:
    if invoice.status is not InvoiceStatus.OPEN or not invoice.parts:
        return False
    part, latest = invoice.part, invoice.part.latest
    asked = latest is not None and latest.outcome is AttemptOutcome.REQUIRES_ACTION
    with_buyer = asked and latest is not None and now - latest.at < CHALLENGE_LASTS
    due = invoice.charge_at is not None and invoice.charge_at <= now
    return part.state is PartState.PROCESSING or part.in_doubt or with_buyer or due


def _standing(subscription: Subscription, invoices: Sequence[Invoice]) -> Standing:
    first = invoices[0]
    own = [line.position for line in first.line_periods if line.subscription_id == subscription.id]
    positions = own or [place for place, line in enumerate(first.lines) if not line.adjustment]
    currency = subscription.currency
    owed = Money.total((each.to_pay - each.paid for each in invoices), currency)
    # What a credit took over was paid before.
    whole = Money.total((first.totals.lines[place].total for place in positions), currency)
    paid = min(whole, first.paid + first.credited)
    paid += Money.total((each.paid + each.credited for each in invoices[1:]), currency)
    return Standing(discount_of_period(first, positions), owed, paid)


def _kept(after: Subscription, result: Edited, now: datetime) -> SubscriptionEdit:
    """The record of a change that took effect within a period."""
    if result.change is None or result.settled is None or result.unused is None:
        raise ValueError("only what took effect within a period is kept")
    billed = after.adjustment_invoices[-1] if result.billed else None
    return SubscriptionEdit(
        id=edit_id(after.id, after.edits, now),
        merchant_id=after.merchant_id,
        created_at=now,
        subscription_id=after.id,
        number=after.edits,
        index=after.next_index - 1,
        before=result.before,
        after=result.later,
        discount=result.discount,
        seconds=result.unused.seconds,
        whole=result.unused.whole,
        net=result.change.net,
        granted=result.settled.granted,
        forgone=result.settled.forgone,
        invoice_id=billed,
    )


def _billed_now(
    ports: Ports, before: Subscription, after: Subscription, result: Edited, actor: str, now: datetime
) -> tuple[Subscription, list[Write]]:
    """The invoice of the change alone, numbered and on its way in the same transaction."""
    merchant, series, customer = ports.records.find_many(
        [
            (Merchant, after.merchant_id),
            (NumberSeries, series_id(after.merchant_id, INVOICE_SERIES)),
            (Customer, after.customer_id),
        ]
    )
    credited = before.credit - after.credit
    invoice = change_invoice(ports, merchant, customer, after, result.billed, credited, series.last + 1, now)
    # It is the merchant who asked for it, so it is counted with the day's and never held back.
    charged = invoice.charge_at is not None and invoice.collection is Collection.AUTOMATIC
    taken = Count.of(series, now).with_one(charged=charged).on(replace(series, last=series.last + 1))
    after = replace(after, adjustment_invoices=(*after.adjustment_invoices, invoice.id))
    return after, [
        Insert(invoice),
        Update(taken),
        *told_and_collected(ports, invoice, customer, actor, now),
    ]
