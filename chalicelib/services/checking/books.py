"""Everything that is stored, read once and laid out so that each check finds what belongs together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from chalicelib.domain.billing.schedule import Period
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.parts import Part
from chalicelib.domain.documents.payments import IntentOwner, Payment, intent_owner_id
from chalicelib.domain.documents.refunds import Refund
from chalicelib.domain.documents.timers import Timer
from chalicelib.domain.machines import PaymentStatus
from chalicelib.services.ports import Inspection, Record, Unreadable

R = TypeVar("R")

Payable = Checkout | Invoice

NOT_BOOKED = frozenset({PaymentStatus.PROCESSING, PaymentStatus.FAILED})


@dataclass(frozen=True, slots=True)
class Billed:
    """One period of a subscription as an invoice says that it bills it."""

    period: Period
    invoice: Invoice


@dataclass(frozen=True, slots=True)
class Books:
    """One reading of all three tables. Events are in the order of their ids, everything else in that of the table."""

    by_id: Mapping[str, Record]
    by_kind: Mapping[type[Any], Sequence[Any]]
    events: Sequence[Event]
    timers: Sequence[Timer]
    unreadable: Sequence[Unreadable]
    events_of: Mapping[str, Sequence[Event]]
    timers_of: Mapping[str, Sequence[Timer]]
    payments_of: Mapping[str, Sequence[Payment]]
    refunds_of: Mapping[str, Sequence[Refund]]
    billed_of: Mapping[str, Sequence[Billed]]

    def all(self, kind: type[R]) -> Sequence[R]:
        """Every record of a kind."""
        return self.by_kind.get(kind, ())

    def find(self, kind: type[R], record_id: str | None) -> R | None:
        """The record, or None where there is none of that kind."""
        found = None if record_id is None else self.by_id.get(record_id)
        return found if isinstance(found, kind) else None

    def stands(self, timer: Timer) -> bool:
        """Whether that very timer is there."""
        return timer in self.timers_of.get(timer.record_id, ())

    def owner_of(self, intent_id: str) -> IntentOwner | None:
        """Whose an intent is."""
        return self.find(IntentOwner, intent_owner_id(intent_id))

    def payable(self, owner_id: str) -> Payable | None:
        """The checkout or invoice of an id."""
        return self.find(Checkout, owner_id) or self.find(Invoice, owner_id)

    def payables(self) -> Iterator[Payable]:
        """Every checkout and every invoice."""
        yield from self.all(Checkout)
        yield from self.all(Invoice)


def part_of(owner: Payable, number: int) -> Part | None:
    """The part of a number."""
    return next((part for part in owner.parts if part.number == number), None)


def booked(payments: Sequence[Payment]) -> list[Payment]:
    """Those whose money has arrived, whatever became of it since."""
    return [payment for payment in payments if payment.status not in NOT_BOOKED]


def periods_on(invoice: Invoice) -> dict[tuple[str, int], Period]:
    """The periods that an invoice bills, by subscription and index."""
    found = {(line.subscription_id, line.period.index): line.period for line in invoice.line_periods}
    if invoice.subscription_id is not None and invoice.period is not None:
        found.setdefault((invoice.subscription_id, invoice.period.index), invoice.period)
    return found


def read_books(inspection: Inspection) -> Books:
    """Read everything. Raises StoreUnavailable."""
    unreadable: list[Unreadable] = []
    by_id: dict[str, Record] = {}
    by_kind: dict[type[Any], list[Any]] = defaultdict(list)
    for record in inspection.records():
        if isinstance(record, Unreadable):
            unreadable.append(record)
        else:
            by_id[record.id] = record
            by_kind[type(record)].append(record)
    events: list[Event] = []
    for event in inspection.events():
        if isinstance(event, Unreadable):
            unreadable.append(event)
        else:
            events.append(event)
    events.sort(key=lambda event: event.id)
    timers: list[Timer] = []
    for timer in inspection.timers():
        if isinstance(timer, Unreadable):
            unreadable.append(timer)
        else:
            timers.append(timer)
    events_of: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        events_of[event.object_id].append(event)
    timers_of: dict[str, list[Timer]] = defaultdict(list)
    for timer in timers:
        timers_of[timer.record_id].append(timer)
    payments_of: dict[str, list[Payment]] = defaultdict(list)
    for payment in by_kind.get(Payment, ()):
        payments_of[payment.invoice_id].append(payment)
    refunds_of: dict[str, list[Refund]] = defaultdict(list)
    for refund in by_kind.get(Refund, ()):
        refunds_of[refund.payment_id].append(refund)
    billed_of: dict[str, list[Billed]] = defaultdict(list)
    for invoice in by_kind.get(Invoice, ()):
        for (subscription_id, _), period in periods_on(invoice).items():
            billed_of[subscription_id].append(Billed(period, invoice))
    # Plain dictionaries from here on: a look-up must not make an entry.
    return Books(
        by_id,
        dict(by_kind),
        events,
        timers,
        unreadable,
        dict(events_of),
        dict(timers_of),
        dict(payments_of),
        dict(refunds_of),
        dict(billed_of),
    )
