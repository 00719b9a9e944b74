"""Events made from records: what happened, and what the record looked like after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import singledispatch
from typing import Any

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.services.ports import Append, Ids, Record


def happened(
    ids: Ids,
    type_: str,
    record: Record,
    *,
    now: datetime,
    actor: str,
    previous: Mapping[str, Any] | None = None,
    beside: Sequence[Record] = (),
) -> Append:
    """The write that tells of a change; it belongs into the transaction of that change.

    `beside` are records that changed with this one and have no event of their own for it: each is told by its name.
    """
    data: dict[str, Any] = {"object": describe(record)}
    for other in beside:
        told = describe(other)
        data[told["object"]] = told
    if previous is not None:
        data["previous"] = dict(previous)
    return Append(Event(ids.new("evt", now), record.merchant_id, type_, now, actor, record.id, data))


def changed(ids: Ids, type_: str, before: Record, after: Record, *, now: datetime, actor: str) -> Append:
    """The write that tells of a change together with what it changed, by the names that the API uses."""
    old = describe(before)
    previous = {name: old[name] for name, value in describe(after).items() if old[name] != value}
    return happened(ids, type_, after, now=now, actor=actor, previous=previous)


def instant(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


@singledispatch
def describe(record: Record) -> dict[str, Any]:
    """The facts of a record that an event carries, by the names that the API uses."""
    return {"id": record.id}


@describe.register
def _(record: Merchant) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": "account",
        "name": record.name,
        "timezone": record.timezone,
        "support_email": record.support_email,
        "statement_name": record.statement_name,
        "legal_name": record.legal_name,
        "address_lines": list(record.address_lines),
        "dunning": {"days": list(record.dunning.days), "then": str(record.dunning.then)},
        "portal": {"cancel": record.portal_cancel},
        "parked_at": instant(record.parked_at),
        "parked_reason": record.parked_reason,
    }


@describe.register
def _(record: Checkout) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": "checkout",
        "status": str(record.status),
        "payment_link": record.payment_link_id,
        "customer": record.customer_id,
        "amount": record.totals.total.minor,
        "currency": record.currency,
        "subscriptions": list(record.subscription_ids),
    }


@describe.register
def _(record: Customer) -> dict[str, Any]:
    return {"id": record.id, "object": "customer", "email": record.email, "name": record.name}


@describe.register
def _(record: Invoice) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": "invoice",
        "status": str(record.status),
        "number": record.number,
        "customer": record.customer_id,
        "subscription": record.subscription_id,
        "currency": record.currency,
        "total": record.totals.total.minor,
        "amount_due": record.amount_due.minor,
        "amount_paid": record.paid.minor,
        "amount_credited": record.credited.minor,
        "issued_at": instant(record.issued_at),
        "paid_at": instant(record.paid_at),
        "collection_blocked": None if record.collection_blocked is None else str(record.collection_blocked),
    }


@describe.register
def _(record: Payment) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": "payment",
        "status": str(record.status),
        "invoice": record.invoice_id,
        "customer": record.customer_id,
        "amount": record.amount.minor,
        "currency": record.amount.currency,
        "refunded": record.gone_back.minor,
        "fee": None if record.fee is None else record.fee.minor,
        "net": None if record.net is None else record.net.minor,
        "decline_code": record.decline_code,
    }


@describe.register
def _(record: Refund) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": "refund",
        "status": str(record.status),
        "payment": record.payment_id,
        "invoice": record.invoice_id,
        "customer": record.customer_id,
        "amount": record.amount.minor,
        "currency": record.amount.currency,
        "reason": record.reason,
        "failure_reason": record.failure_reason,
    }


@describe.register
def _(record: Subscription) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": "subscription",
        "status": str(record.status),
        "customer": record.customer_id,
        "currency": record.currency,
        "next_invoice_at": instant(record.next_invoice_at),
        "frequency": str(record.recurrence.frequency),
        "payments_made": record.payments_made,
        "credit_balance": record.credit.minor,
        "cancel_at_period_end": record.cancel_at_period_end,
        "paused_at": instant(record.paused_at),
        "resumes_at": instant(record.resumes_at),
        "metadata": dict(record.metadata),
    }
