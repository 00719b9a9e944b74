"""What a subscription owes: the invoices that a new method is listed with, and charged for once it is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from chalicelib.domain.documents.invoices import Collection, CollectionBlock, Invoice
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import InvoiceStatus, PartState
from chalicelib.services.ports import Index, Ports

WAITS_FOR_METHOD: Final = frozenset({CollectionBlock.NO_PAYMENT_METHOD, CollectionBlock.UNPAID})
"""Why an open invoice is not being charged that a new method mends."""
MOST_LISTED: Final = 20
"""Invoices that one page lists and one transaction has charged; who owes more finds the rest there afterwards."""


def owed_invoices(ports: Ports, subscription: Subscription) -> tuple[Invoice, ...]:
    """The invoices that a new method is to be charged for, oldest first."""
    newest = ports.records.newest(Invoice, Index.BY_SUBSCRIPTION, subscription.id, limit=MOST_LISTED)
    found = {invoice.id: invoice for invoice in newest.records}
    missing = [each for each in subscription.past_due_invoices if each not in found]
    if missing:
        read = ports.records.find_many([(Invoice, each) for each in missing])
        found |= {invoice.id: invoice for invoice in read if invoice is not None}
    now = ports.clock.now()
    owed = [invoice for invoice in found.values() if is_owed(invoice, subscription, now)]
    return tuple(sorted(owed, key=_age)[:MOST_LISTED])


def is_owed(invoice: Invoice, subscription: Subscription, now: datetime) -> bool:
    """Whether a try at an invoice has failed, or waits for a method; what is on its way or held by us is neither."""
    if is_being_charged(invoice, now):
        return False
    mine = invoice.subscription_id == subscription.id and invoice.collection is Collection.AUTOMATIC
    if not mine or invoice.status is not InvoiceStatus.OPEN or not invoice.parts:
        return False
    if invoice.part.state is not PartState.HELD or invoice.part.in_doubt:
        return False
    return invoice.id in subscription.past_due_invoices or invoice.collection_blocked in WAITS_FOR_METHOD


def is_being_charged(invoice: Invoice, now: datetime) -> bool:
    """Whether the scheduler is about to charge an invoice, or is at it: nobody is asked to pay it meanwhile."""
    waits = invoice.status is InvoiceStatus.OPEN and invoice.collection is Collection.AUTOMATIC
    return waits and invoice.charge_at is not None and invoice.charge_at <= now


def _age(invoice: Invoice) -> tuple[int, str]:
    return (0 if invoice.period is None else invoice.period.index, invoice.id)
