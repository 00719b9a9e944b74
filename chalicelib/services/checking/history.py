"""I19 and I12: the event log tells of everything that happened, in order, and what was issued is what was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chalicelib.domain.documents.catalogue import Price, Product, TaxRate
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.invoices import Invoice, Source
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import CheckoutStatus, InvoiceStatus, RefundStatus, SubscriptionStatus
from chalicelib.services.checking.books import Books, booked
from chalicelib.services.checking.report import Finding, Violation
from chalicelib.services.ports import Record

TOLD_OF: Final[tuple[type[Any], ...]] = (
    Product,
    Price,
    TaxRate,
    Customer,
    PaymentLink,
    Checkout,
    Invoice,
    Payment,
    Refund,
    Subscription,
)
"""The kinds whose changes the log tells."""

ONCE: Final = frozenset({
    "product.created", "price.created", "tax_rate.created", "customer.created", "payment_link.created",
    "checkout.started", "checkout.completed", "invoice.issued", "invoice.paid", "payment.succeeded", "payment.settled",
    "subscription.created", "subscription.activated", "subscription.canceled", "subscription.expired",
    "refund.created", "refund.succeeded", "refund.failed",
})  # fmt: skip
"""What happens to one record at most once."""

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def happenings_are_told(books: Books) -> Iterator[Finding]:
    """I19: each record's events are there, each once, and the last one shows the record as it is."""
    for kind in TOLD_OF:
        for record in books.all(kind):
            events = books.events_of.get(record.id, ())
            told = Counter(event.type for event in events)
            for type_ in sorted(_due(books, record)):
                if not told[type_]:
                    yield Violation("I19", record.id, f"no event {type_}")
            for type_ in sorted(ONCE & told.keys()):
                if told[type_] > 1:
                    yield Violation("I19", record.id, f"{told[type_]} events {type_}")
            status = str(getattr(record, "status", ""))
            shown = _last_shown(record, [*events, *_told_beside(books, record)])
            if status and shown and status not in shown:
                yield Violation("I19", record.id, f"it is {status}, its last event tells of {', '.join(sorted(shown))}")


def _told_beside(books: Books, record: Record) -> list[Event]:
    """The events of a payment's refunds, which tell what became of the payment as well."""
    if not isinstance(record, Payment):
        return []
    refunds = books.refunds_of.get(record.id, ())
    return [event for refund in refunds for event in books.events_of.get(refund.id, ())]


def _last_shown(record: Record, events: Sequence[Event]) -> set[str]:
    """The statuses in a record's newest events: within a millisecond those of two workers have no order."""
    told = [(event.occurred_at, _status_in(event, record.id)) for event in events]
    newest = max((at for at, status in told if status), default=None)
    return {status for at, status in told if status and newest is not None and newest - at < timedelta(milliseconds=1)}


def _status_in(event: Event, record_id: str) -> str:
    """What an event says of a record: of the one that it is about, or of a payment beside it."""
    about = event.data.get("object" if event.object_id == record_id else "payment", {})
    return str(about.get("status", "")) if about.get("id") == record_id else ""


def _due(books: Books, record: Record) -> set[str]:
    """The types of event that a record must have by now."""
    match record:
        case Product():
            return {"product.created"}
        case Price():
            return {"price.created"}
        case TaxRate():
            return {"tax_rate.created"}
        case Customer():
            return {"customer.created"}
        case PaymentLink():
            return {"payment_link.created"}
        case Checkout():
            return {"checkout.started"} | _when(record.status is CheckoutStatus.COMPLETED, "checkout.completed")
        case Invoice():
            issued = _when(record.status is not InvoiceStatus.DRAFT, "invoice.issued")
            return issued | _when(record.status is InvoiceStatus.PAID, "invoice.paid")
        case Payment():
            settled = _when(record.settlement is not None, "payment.settled")
            return settled | _when(bool(booked([record])), "payment.succeeded")
        case Refund():
            given_up = record.status in (RefundStatus.FAILED, RefundStatus.CANCELED)
            done = _when(record.status is RefundStatus.SUCCEEDED, "refund.succeeded")
            return {"refund.created"} | done | _when(given_up, "refund.failed")
        case Subscription():
            first = [each for each in books.billed_of.get(record.id, ()) if each.period.index == 0]
            is_paused = record.status is SubscriptionStatus.PAUSED
            begun_later = any(each.invoice.source is Source.SUBSCRIPTION for each in first)
            return (
                {"subscription.created"}
                | _when(begun_later, "subscription.activated")
                | _when(record.status is SubscriptionStatus.CANCELED, "subscription.canceled")
                | _when(record.status is SubscriptionStatus.EXPIRED, "subscription.expired")
                # One that was paused before anything of it failed has not fallen behind by that.
                | _when(bool(record.past_due_invoices) and not is_paused, "subscription.past_due")
                | _when(record.status is SubscriptionStatus.UNPAID, "subscription.unpaid")
                | _when(is_paused, "subscription.paused")
            )
        case _:
            return set()


def _when(condition: bool, type_: str) -> set[str]:
    return {type_} if condition else set()


def events_are_in_order(books: Books) -> Iterator[Finding]:
    """I19: an event's id carries the time it tells of, so that the log sorts as things happened."""
    for event in books.events:
        at = _time_in(event.id)
        if at is None or at != event.occurred_at - timedelta(microseconds=event.occurred_at.microsecond % 1000):
            yield Violation("I19", event.id, f"its id does not carry the time {event.occurred_at.isoformat()}")


def _time_in(event_id: str) -> datetime | None:
    """The time in the first ten letters of a ULID (github.com/ulid/spec)."""
    body = event_id.rpartition("_")[2]
    if len(body) != 26 or any(letter not in _ALPHABET for letter in body):
        return None
    milliseconds = 0
    for letter in body[:10]:
        milliseconds = milliseconds * 32 + _ALPHABET.index(letter)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def what_was_issued_stays(books: Books) -> Iterator[Finding]:
    """I12: an issued invoice has its snapshot, and is what its `invoice.issued` told and its checkout agreed."""
    for invoice in books.all(Invoice):
        if invoice.status is InvoiceStatus.DRAFT:
            continue
        if invoice.snapshot is None or invoice.issued_at is None:
            yield Violation("I12", invoice.id, "it is issued without a snapshot or a time")
        for event in books.events_of.get(invoice.id, ()):
            if event.type == "invoice.issued":
                yield from _changed_since(invoice, event.data.get("object", {}))
        checkout = books.find(Checkout, invoice.checkout_id)
        if checkout is not None and checkout.totals != invoice.totals:
            agreed, total = checkout.totals.total.minor, invoice.totals.total.minor
            yield Violation("I12", invoice.id, f"its checkout agreed to {agreed}, it bills {total}, or by other lines")


def _changed_since(invoice: Invoice, told: Mapping[str, Any]) -> Iterator[Finding]:
    now: dict[str, Any] = {
        "number": invoice.number,
        "total": invoice.totals.total.minor,
        "currency": invoice.currency,
        "customer": invoice.customer_id,
        "subscription": invoice.subscription_id,
    }
    for name, value in now.items():
        if name in told and told[name] != value:
            yield Violation("I12", invoice.id, f"its {name} was issued as {told[name]} and is {value}")
