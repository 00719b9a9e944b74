"""I7 and I6: whatever was accepted is done, or something stands that will come back to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.intake import IntakeState, StripeEvent
from chalicelib.domain.documents.invoices import Collection, Invoice
from chalicelib.domain.documents.mails import Mail, MailKind, MailState
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.machines import CheckoutStatus, InvoiceStatus, PartState, SubscriptionStatus
from chalicelib.services.checking.books import Books, booked
from chalicelib.services.checking.report import Finding, Undone, Violation

LATE: Final = timedelta(minutes=15)
"""Three sweeps: what has been due for longer is reported as undone."""

MISMATCH: Final = "mismatch"
"""How the result of a Stripe event begins that a person must look at."""


def rows_can_be_read(books: Books) -> Iterator[Finding]:
    """I7: every row is what its table holds."""
    for row in books.unreadable:
        yield Violation("I7", row.row_id, f"the row cannot be read: {row.reason}")


def timers_have_records(books: Books, now: datetime) -> Iterator[Finding]:
    """I7: a timer's record exists; what has been due for long is undone."""
    for timer in books.timers:
        if timer.record_id not in books.by_id:
            yield Violation("I7", timer.record_id, f"there is no such record, yet a timer {timer.kind}")
        elif timer.due < now - LATE:
            yield Undone(timer.record_id, f"{timer.kind} has been due since {timer.due:%Y-%m-%dT%H:%M:%SZ}")


def open_work_has_timers(books: Books) -> Iterator[Finding]:
    """I7: an open checkout will expire, a mail will be sent, a received event applied."""
    for checkout in books.all(Checkout):
        expiry = Timer(TimerKind.EXPIRE_CHECKOUT, checkout.id, checkout.merchant_id, checkout.expires_at)
        if checkout.status is CheckoutStatus.OPEN and not books.stands(expiry):
            yield Violation("I7", checkout.id, f"it is open and has no timer at {checkout.expires_at}")
    for mail in books.all(Mail):
        if mail.state in (MailState.QUEUED, MailState.SENDING):
            yield Undone(mail.id, f"the {mail.kind} mail is {mail.state}")
            if not books.stands(Timer(TimerKind.SEND_MAIL, mail.id, mail.merchant_id, mail.due)):
                yield Violation("I7", mail.id, f"it is {mail.state} and has no timer at {mail.due}")
    for row in books.all(StripeEvent):
        if row.state is IntakeState.RECEIVED:
            yield Undone(row.id, f"{row.type} was received and is not applied")
            if not any(timer.kind is TimerKind.APPLY_WEBHOOK for timer in books.timers_of.get(row.id, ())):
                yield Violation("I7", row.id, "it was received and has no timer")
        elif row.result is not None and row.result.startswith(MISMATCH):
            yield Undone(row.id, f"a person must look: {row.result}")


def open_invoices_are_collected(books: Books) -> Iterator[Finding]:
    """I7: an open invoice that is charged automatically has its charge timer, or a reason that can be seen."""
    for invoice in books.all(Invoice):
        if invoice.charge_at is not None:
            timer = Timer(TimerKind.CHARGE_INVOICE, invoice.id, invoice.merchant_id, invoice.charge_at)
            if not books.stands(timer):
                yield Violation("I7", invoice.id, f"it has no timer for its charge at {invoice.charge_at}")
        elif invoice.status is InvoiceStatus.OPEN and invoice.collection is Collection.AUTOMATIC:
            yield from _without_charge(books, invoice)


def _without_charge(books: Books, invoice: Invoice) -> Iterator[Finding]:
    if invoice.collection_blocked is not None:
        yield Undone(invoice.id, f"it is not collected: {invoice.collection_blocked}")
        return
    subscription = books.find(Subscription, invoice.subscription_id)
    canceled = subscription is not None and subscription.status is SubscriptionStatus.CANCELED
    latest = invoice.parts[-1].latest if invoice.parts else None
    if latest is None:
        forgotten = not canceled
    else:
        # A buyer's own try is ended by the buyer's next look or by Stripe's notice, never by a charge timer.
        forgotten = latest.outcome is AttemptOutcome.CLAIMED and not latest.on_session
    if forgotten:
        yield Violation("I7", invoice.id, "it is open, to be charged automatically, and has no charge timer")


def what_was_paid_for_is_there(books: Books) -> Iterator[Finding]:
    """I7: a completed checkout left its invoice, payment and subscriptions; each payment of an invoice its receipt."""
    for checkout in books.all(Checkout):
        if checkout.status is not CheckoutStatus.COMPLETED:
            continue
        if books.find(Invoice, checkout.invoice_id) is None and checkout.totals.total:
            yield Violation("I7", checkout.id, f"it is completed, {checkout.invoice_id} is not there")
        for subscription_id in checkout.subscription_ids:
            if books.find(Subscription, subscription_id) is None:
                yield Violation("I7", checkout.id, f"it is completed, {subscription_id} is not there")
    for owner in books.payables():
        for part in owner.parts:
            whose = None if part.intent_id is None else books.owner_of(part.intent_id)
            if part.state is PartState.PAID and (whose is None or books.find(Payment, whose.payment_id) is None):
                yield Violation("I7", owner.id, f"part {part.number} is paid and has no payment")
    receipts = Counter(mail.about_id for mail in books.all(Mail) if mail.kind is MailKind.RECEIPT)
    for invoice in books.all(Invoice):
        wanted = 1 if booked(books.payments_of.get(invoice.id, ())) else 0
        if receipts[invoice.id] != wanted:
            yield Violation("I7", invoice.id, f"it has {receipts[invoice.id]} receipts, {wanted} are due")


def reports_are_taken_over(books: Books) -> Iterator[Finding]:
    """I6: an applied report of a success left a booked payment, in whatever order it came."""
    for row in books.all(StripeEvent):
        if row.state is not IntakeState.DONE:
            continue
        if row.result is None:
            yield Violation("I6", row.id, "it is done without a result")
        elif row.type == "payment_intent.succeeded" and not row.result.startswith(MISMATCH):
            whose = books.owner_of(row.object_id)
            payment = None if whose is None else books.find(Payment, whose.payment_id)
            if payment is None or not booked([payment]):
                yield Violation("I6", row.id, f"{row.object_id} succeeded and is not booked")
