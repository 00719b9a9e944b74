"""One invoice of a subscription as it is made: what stands on it, when it is charged or why not, and what goes out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.billing.coming import Coming
from chalicelib.domain.billing.wallclock import midnight, to_instant
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Collection, CollectionBlock, Invoice, Party, Snapshot, Source
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.parts import Part
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.ids import derived_id
from chalicelib.domain.machines import InvoiceStatus, SubscriptionStatus
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.numbering import format_number
from chalicelib.domain.totals import compute_totals
from chalicelib.services.billing.sending import day_due, mail_with
from chalicelib.services.checkouts.booking import seller_of
from chalicelib.services.facts import happened
from chalicelib.services.ports import Ports, SetTimer, Write

TOO_LATE: Final = timedelta(days=7)
"""An invoice issued later than this after its time waits for a person instead of being charged."""


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


def period_invoice(
    ports: Ports,
    merchant: Merchant,
    customer: Customer,
    subscription: Subscription,
    coming: Coming,
    counter: int,
    now: datetime,
) -> Invoice:
    """The invoice of the subscription's next period, numbered; settled at once where nothing is to be paid."""
    period = coming.period
    blocked = _block(merchant, subscription, period.invoice_at, now)
    invoice = Invoice(
        id=derived_id("inv", period.invoice_at, f"{subscription.id}#{period.index}"),
        merchant_id=subscription.merchant_id,
        secret=ports.ids.secret(),
        customer_id=subscription.customer_id,
        currency=subscription.currency,
        lines=coming.lines,
        totals=coming.totals,
        source=Source.SUBSCRIPTION,
        collection=subscription.collection,
        created_at=period.invoice_at,
        discount=coming.discount,
        fees=coming.fees,
        amount_credited=coming.credited if coming.credited else None,
        due_date=day_due(merchant, subscription, period.invoice_at, now),
        subscription_id=subscription.id,
        period=period,
        payment_link_id=subscription.payment_link_id,
    )
    return _issued(invoice, merchant, customer, subscription, counter, blocked, subscription.charge_not_before, now)


def change_invoice(
    ports: Ports,
    merchant: Merchant,
    customer: Customer,
    subscription: Subscription,
    lines: tuple[LineItem, ...],
    credited: Money,
    counter: int,
    now: datetime,
) -> Invoice:
    """The invoice of the subscription's newest change alone, which is billed at once and beside its periods."""
    invoice = Invoice(
        id=derived_id("inv", now, f"{subscription.id}#edit#{subscription.edits}"),
        merchant_id=subscription.merchant_id,
        secret=ports.ids.secret(),
        customer_id=subscription.customer_id,
        currency=subscription.currency,
        lines=lines,
        totals=compute_totals(lines, currency=subscription.currency),
        source=Source.SUBSCRIPTION,
        collection=subscription.collection,
        created_at=now,
        amount_credited=credited if credited else None,
        due_date=day_due(merchant, subscription, now, now),
        subscription_id=subscription.id,
        edit_number=subscription.edits,
        payment_link_id=subscription.payment_link_id,
    )
    # Somebody asked for it to be billed now, so the distance between charges after an outage is no matter here.
    return _issued(
        invoice, merchant, customer, subscription, counter, _block(merchant, subscription, now, now), None, now
    )


def _issued(
    invoice: Invoice,
    merchant: Merchant,
    customer: Customer,
    subscription: Subscription,
    counter: int,
    blocked: CollectionBlock | None,
    not_before: datetime | None,
    now: datetime,
) -> Invoice:
    """With its number and snapshot, and with what is to be paid and when it is charged; paid where that is nothing."""
    to_pay = invoice.to_pay
    automatic = invoice.collection is Collection.AUTOMATIC
    charge_at = max(now, not_before or now) if automatic and blocked is None and to_pay else None
    if not automatic and to_pay and invoice.due_date is not None:
        charge_at = to_instant(midnight(invoice.due_date + timedelta(days=1)), merchant.timezone)
    issued = replace(
        invoice,
        status=InvoiceStatus.OPEN,
        number=format_number(merchant.invoice_prefix, counter),
        snapshot=Snapshot(
            seller_of(merchant),
            subscription.buyer or Party(customer.name or customer.email, customer.email, tax_id=customer.tax_id),
            merchant.timezone,
        ),
        issued_at=now,
        parts=(Part(1, to_pay),) if to_pay else (),
        charge_at=charge_at,
        collection_blocked=blocked if to_pay else None,
    )
    if to_pay:
        return issued
    return replace(issued, status=InvoiceStatus.PAID, paid_at=now)


def told_and_collected(ports: Ports, invoice: Invoice, customer: Customer, actor: str, now: datetime) -> list[Write]:
    """What goes with an issued invoice: its events, and the timer that charges it or the mail that brings it."""
    writes: list[Write] = [happened(ports.ids, "invoice.issued", invoice, now=now, actor=actor)]
    if invoice.status is InvoiceStatus.PAID:
        writes.append(happened(ports.ids, "invoice.paid", invoice, now=now, actor=actor))
    if invoice.collection is Collection.SEND and invoice.status is InvoiceStatus.OPEN:
        writes += mail_with(invoice, customer, now)
    if invoice.charge_at is not None:
        writes.append(SetTimer(collection_timer(invoice, invoice.charge_at)))
    return writes


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
