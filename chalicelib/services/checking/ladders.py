"""I16: an invoice is tried when its ladder says so and not otherwise, never again after a hard decline; the ladder's
days are counted anew, by the checker's own calendar. And what was sent is overdue when its day is over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.documents.invoices import Collection, Invoice
from chalicelib.domain.documents.parts import Attempt
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import InvoiceStatus, SubscriptionStatus
from chalicelib.services.checking.books import Books
from chalicelib.services.checking.calendar import days_later, end_of_day
from chalicelib.services.checking.report import Finding, Violation

HARD_REASONS: Final = frozenset({"lost_card", "stolen_card", "pickup_card", "expired_card", "incorrect_number"})
HARD_ADVICE: Final = frozenset({"do_not_try_again", "confirm_card_data"})
"""Declines after which the same card is never tried again, a few of them spelled out again."""
MOST_TRIES: Final = {"mastercard": 35}
MOST_OTHERWISE: Final = 15
WITHIN: Final = timedelta(days=30)


def ladders_are_followed(books: Books) -> Iterator[Finding]:
    """I16: where the ladder stands, what it led to, and that nothing was tried beside it."""
    for invoice in books.all(Invoice):
        subscription = books.find(Subscription, invoice.subscription_id)
        tries = [attempt for part in invoice.parts for attempt in part.attempts if not attempt.on_session]
        failed = [attempt for attempt in tries if _failed(attempt)]
        if failed and (invoice.failed_first_at is not None or failed[-1].payment_method_id is not None):
            yield from _ladder(invoice, failed)
            yield from _what_is_next(invoice, subscription, failed[-1])
        yield from _in_turn(invoice, tries)
        yield from _not_too_many(invoice, subscription, tries)


def _failed(attempt: Attempt) -> bool:
    return str(attempt.outcome) in ("declined", "requires_action")


def _is_hard(attempt: Attempt) -> bool:
    return bool({attempt.decline_code, attempt.code} & HARD_REASONS) or attempt.advice_code in HARD_ADVICE


def _ladder(invoice: Invoice, failed: Sequence[Attempt]) -> Iterator[Finding]:
    first = invoice.failed_first_at
    if first is None or not invoice.ladder or first < failed[0].at:
        yield Violation("I16", invoice.id, f"it failed first at {failed[0].at}, its ladder begins at {first}")
        return
    steps = [days_later(first, day, invoice.timezone) for day in invoice.ladder]
    if invoice.gives_up_at != steps[-1]:
        yield Violation("I16", invoice.id, f"it is given up at {invoice.gives_up_at}, its ladder ends at {steps[-1]}")
    for attempt in failed:
        if attempt.next_at is None:
            continue
        if attempt.next_at not in steps or attempt.next_at <= attempt.at:
            yield Violation(
                "I16", invoice.id, f"try {attempt.number} leads to {attempt.next_at}, no step of its ladder"
            )
        if _is_hard(attempt):
            yield Violation("I16", invoice.id, f"try {attempt.number} was declined for good and leads to another one")


def _what_is_next(invoice: Invoice, subscription: Subscription | None, newest: Attempt) -> Iterator[Finding]:
    if invoice.status is not InvoiceStatus.OPEN or invoice.collection_blocked is not None:
        return
    if invoice.charge_at is not None:
        if invoice.charge_at not in (newest.next_at, invoice.gives_up_at, invoice.asked_at):
            yield Violation("I16", invoice.id, f"its timer is at {invoice.charge_at}, where nothing of its ladder is")
        return
    over = subscription is None or subscription.status in (SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED)
    if newest.next_at is not None and not over and invoice.parts[-1].latest is newest:
        yield Violation("I16", invoice.id, f"it was to be tried again at {newest.next_at} and is not")


def _in_turn(invoice: Invoice, tries: Sequence[Attempt]) -> Iterator[Finding]:
    """Each try after one that failed was due by it, or asked for, and is not with a method declined for good."""
    before: Attempt | None = None
    barred: set[str] = set()
    for attempt in tries:
        if attempt.payment_method_id is not None and attempt.payment_method_id in barred:
            yield Violation("I16", invoice.id, f"try {attempt.number} is with a method that was declined for good")
        early = before is not None and (before.next_at is None or attempt.at < before.next_at)
        if early and not attempt.asked and attempt.payment_method_id is not None:
            yield Violation("I16", invoice.id, f"try {attempt.number} was made when none was due")
        if _failed(attempt):
            before = attempt
            if _is_hard(attempt) and attempt.payment_method_id is not None:
                barred.add(attempt.payment_method_id)


def _not_too_many(invoice: Invoice, subscription: Subscription | None, tries: Sequence[Attempt]) -> Iterator[Finding]:
    made: dict[str, list[datetime]] = defaultdict(list)
    for attempt in tries:
        if attempt.payment_method_id is not None and str(attempt.outcome) != "abandoned":
            made[attempt.payment_method_id].append(attempt.at)
    for method_id, times in made.items():
        most = max(MOST_TRIES.values())
        stored = None if subscription is None else subscription.method
        if stored is not None and stored.payment_method_id == method_id:
            most = MOST_TRIES.get(stored.method.brand or "", MOST_OTHERWISE)
        for position, at in enumerate(times):
            if sum(at - WITHIN < each <= at for each in times[: position + 1]) > most:
                yield Violation("I16", invoice.id, f"{method_id} was tried more than {most} times in 30 days")
                break


def sent_ones_become_overdue(books: Books) -> Iterator[Finding]:
    """I7: an open invoice that was sent has its timer where its day ends, or was told to be overdue."""
    for invoice in books.all(Invoice):
        if invoice.collection is not Collection.SEND or invoice.status is not InvoiceStatus.OPEN:
            continue
        if invoice.charge_at is None:
            told = any(event.type == "invoice.overdue" for event in books.events_of.get(invoice.id, ()))
            if not told:
                yield Violation("I7", invoice.id, "it was sent, is open, and nothing will say that it is overdue")
        elif invoice.due_date is None or invoice.charge_at != end_of_day(invoice.due_date, invoice.timezone):
            yield Violation("I7", invoice.id, f"it is due on {invoice.due_date} and overdue from {invoice.charge_at}")


def who_owes_is_behind(books: Books) -> Iterator[Finding]:
    """I4: past due and unpaid is who owes something, active is who does not."""
    for subscription in books.all(Subscription):
        owes = bool(subscription.past_due_invoices)
        behind = subscription.status in (SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID)
        if (behind and not owes) or (owes and subscription.status is SubscriptionStatus.ACTIVE):
            words = "owes something" if owes else "owes nothing"
            yield Violation("I4", subscription.id, f"it is {subscription.status} and {words}")
