"""I4 and I5: one invoice for each period, periods where the epoch puts them, and none lost or forgotten."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib.domain.billing.schedule import Period
from chalicelib.domain.documents.invoices import Invoice, Source
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.machines import InvoiceStatus, SubscriptionStatus
from chalicelib.services.checking.books import Billed, Books
from chalicelib.services.checking.calendar import invoiced_end, period_end, period_start
from chalicelib.services.checking.report import Finding, Violation

_CROCKFORD: Final = {letter: value for value, letter in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}
_ENDED: Final = frozenset({SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED})


def periods_have_one_invoice(books: Books) -> Iterator[Finding]:
    """I4: one invoice a period, each where its epoch puts it, under the id that follows from it. I5: none left out."""
    for subscription in books.all(Subscription):
        yield from _of_one(subscription, books.billed_of.get(subscription.id, ()))
    for subscription_id in sorted(books.billed_of.keys() - {each.id for each in books.all(Subscription)}):
        for each in books.billed_of[subscription_id]:
            yield Violation("I4", each.invoice.id, f"it bills {subscription_id}, which there is not")


def _of_one(subscription: Subscription, billed: Sequence[Billed]) -> Iterator[Finding]:
    by_index: dict[int, list[Billed]] = defaultdict(list)
    for each in billed:
        by_index[each.period.index].append(each)
    for index, found in sorted(by_index.items()):
        if len(found) > 1:
            ids = ", ".join(sorted(each.invoice.id for each in found))
            yield Violation("I4", subscription.id, f"period {index} is billed {len(found)} times: {ids}")
        if index >= subscription.next_index:
            message = f"period {index} is billed, {subscription.next_index} is said to be next"
            yield Violation("I4", subscription.id, message)
        for each in found:
            yield from _in_place(subscription, each)
    for epoch in subscription.schedule.epochs[1:]:
        before = period_end(subscription.schedule.epochs, epoch.first_index - 1)
        if epoch.starts_at < before or (epoch.starts_at > before and epoch.previous_end is None):
            message = (
                f"period {epoch.first_index} begins at {_at(epoch.starts_at)}, the one before ends at {_at(before)}"
            )
            yield Violation("I4", subscription.id, message)
    lost = sorted(set(range(subscription.next_index)) - by_index.keys())
    if lost:
        yield Violation("I5", subscription.id, f"periods without an invoice: {lost[:10]}")
    term = subscription.recurrence.number_of_payments
    if term is not None and subscription.next_index > term:
        yield Violation("I4", subscription.id, f"{subscription.next_index} periods are billed of a term of {term}")


def _in_place(subscription: Subscription, each: Billed) -> Iterator[Finding]:
    epochs, index = subscription.schedule.epochs, each.period.index
    right = Period(index, period_start(epochs, index), invoiced_end(epochs, index))
    if each.period != right:
        message = f"period {index} is {_span(each.period)}, its epoch makes it {_span(right)}"
        yield Violation("I4", each.invoice.id, message)
    elif each.invoice.source is Source.SUBSCRIPTION and each.invoice.id != _derived(subscription.id, right):
        yield Violation("I4", each.invoice.id, f"it is not the id of period {index} of {subscription.id}")


def _span(period: Period) -> str:
    return f"{_at(period.start)} to {_at(period.end)}"


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _derived(subscription_id: str, period: Period) -> str:
    """The id of a period's invoice, spelled out again: 48 bits of milliseconds, 80 of the period's hash."""
    since = period.start - datetime(1970, 1, 1, tzinfo=UTC)
    milliseconds = since // timedelta(milliseconds=1)
    digest = hashlib.sha256(f"{subscription_id}#{period.index}".encode()).digest()
    value = int.from_bytes(milliseconds.to_bytes(6, "big") + digest[:10], "big")
    letters = "".join(_CROCKFORD)
    body = ""
    for _ in range(26):
        value, place = divmod(value, 32)
        body = letters[place] + body
    return f"inv_{body}"


def what_is_due_will_be_billed(books: Books) -> Iterator[Finding]:
    """I5: a subscription that has something to do has its timer at the time of it."""
    for subscription in books.all(Subscription):
        if subscription.status in _ENDED:
            continue
        if (subscription.paused_at is not None) != (subscription.status is SubscriptionStatus.PAUSED):
            since = subscription.paused_at
            yield Violation("I4", subscription.id, f"it is {subscription.status}, paused since {since}")
            continue
        term = subscription.recurrence.number_of_payments
        last_was_issued = term is not None and subscription.next_index >= term
        due = _next_thing(subscription, last_was_issued)
        timer_at = subscription.timer_at
        if due is None:
            if timer_at is not None:
                yield Violation("I5", subscription.id, f"its timer is at {_at(timer_at)} in a pause without an end")
        elif timer_at is None:
            # A fixed term whose last payment is owed ends when that is paid, and not by date. An invoice that was sent,
            # or that nobody has stored a method for, is owed without any charge having failed.
            billed = books.billed_of.get(subscription.id, ())
            owed = any(each.invoice.status is InvoiceStatus.OPEN for each in billed)
            if not (last_was_issued and owed):
                yield Violation("I5", subscription.id, f"period {subscription.next_index} is due and has no timer")
        elif timer_at < due or (timer_at > due and not last_was_issued):
            message = f"its timer is at {_at(timer_at)}, period {subscription.next_index} at {_at(due)}"
            yield Violation("I5", subscription.id, message)
        elif not books.stands(Timer(TimerKind.BILL_PERIOD, subscription.id, subscription.merchant_id, timer_at)):
            yield Violation("I5", subscription.id, f"its timer at {_at(timer_at)} does not stand")


def _next_thing(subscription: Subscription, last_was_issued: bool) -> datetime | None:
    """When the clock has something to do for it: an end, the end of a pause, or a period; None while it only waits."""
    epochs, index = subscription.schedule.epochs, subscription.next_index
    if (subscription.cancel_at_period_end or last_was_issued) and index > 0:
        return period_end(epochs, index - 1)
    begins = period_start(epochs, index)
    if subscription.paused_at is not None and begins > subscription.paused_at:
        return subscription.resumes_at
    return begins


def past_due_is_what_is_owed(books: Books) -> Iterator[Finding]:
    """I4: the invoices that a subscription counts as past due are open ones of its own."""
    for subscription in books.all(Subscription):
        own = {each.invoice.id for each in books.billed_of.get(subscription.id, ())}
        for invoice_id in subscription.past_due_invoices:
            invoice = books.find(Invoice, invoice_id)
            # What bills a change alone has no period.
            theirs = invoice is not None and (invoice.id in own or invoice.subscription_id == subscription.id)
            if invoice is None or not theirs or invoice.status != "open":
                yield Violation("I4", subscription.id, f"{invoice_id} is past due, yet no open invoice of its")
