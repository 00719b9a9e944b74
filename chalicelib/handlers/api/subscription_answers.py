"""Subscriptions and their invoices to come, as the API answers with them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from chalicelib.domain.billing.changes import Edited
from chalicelib.domain.billing.proration import total_of
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.handlers.api.resources import method_out
from chalicelib.handlers.api.shapes import (
    adjustments_out,
    discount_out,
    due_out,
    fee_out,
    line_out,
    minor,
    period_out,
    recurrence_out,
    time_out,
    totals_out,
)
from chalicelib.services.upcoming import Upcoming, next_due, upcoming

if TYPE_CHECKING:
    from chalicelib.handlers.api import answer_parts, answers


def subscription_out(subscription: Subscription) -> answers.Subscription:
    """A subscription, with what it will charge next."""
    following = next_due(subscription)
    stored = subscription.method
    return {
        "id": subscription.id,
        "object": "subscription",
        "created_at": time_out(subscription.created_at),
        "metadata": dict(subscription.metadata),
        "status": subscription.status,
        "customer": subscription.customer_id,
        "currency": subscription.currency,
        "timezone": subscription.schedule.epochs[-1].zone,
        "lines": [_repeated(line) for line in subscription.lines],
        **recurrence_out(subscription.recurrence),
        "discount": discount_out(subscription.discount),
        "fees": [fee_out(fee) for fee in subscription.fees],
        "first_period": subscription.first_period,
        "collection": subscription.collection,
        "due": due_out(subscription.due),
        "current_period": period_out(subscription.current_period),
        "next_invoice_at": time_out(subscription.next_invoice_at),
        "next_amount": minor(following),
        "payments_made": subscription.payments_made,
        "credit_balance": subscription.credit.minor,
        "cancel_at_period_end": subscription.cancel_at_period_end,
        "paused_at": time_out(subscription.paused_at),
        "resumes_at": time_out(subscription.resumes_at),
        "pending_change": _pending_out(subscription),
        "adjustments": adjustments_out(subscription.adjustments),
        "canceled_at": time_out(subscription.canceled_at),
        "ended_at": time_out(subscription.ended_at),
        "payment_method": method_out(None if stored is None else stored.method),
        "collection_blocked": subscription.collection_blocked,
        "payment_link": subscription.payment_link_id,
        "checkout": subscription.checkout_id,
    }


def _pending_out(subscription: Subscription) -> answers.PendingChange | None:
    pending = subscription.pending
    if pending is None:
        return None
    lines = None if pending.lines is None else [_repeated(line) for line in pending.lines]
    return {
        "at": time_out(subscription.next_invoice_at),
        "lines": lines,
        "frequency": None if pending.recurrence is None else pending.recurrence.frequency,
    }


def _repeated(line: LineItem) -> answer_parts.Line:
    """A line of a subscription, which repeats as all of it does."""
    return {**line_out(line), "recurring": None}


def edit_preview_out(edited: Edited, count: int) -> answers.EditPreview:
    """A subscription as a change would make it, what the change comes to, and the invoices that follow."""
    after = edited.after
    return {
        **subscription_out(after),
        "change": _change_out(edited),
        "next_invoices": [upcoming_out(each) for each in upcoming(after, count)],
    }


def _change_out(edited: Edited) -> answers.Change | None:
    change, unused, outcome = edited.change, edited.unused, edited.settled
    if change is None or unused is None or outcome is None:
        return None
    currency = edited.after.currency
    return {
        "at": time_out(unused.since),
        "credit": change.credit.minor,
        "charge": change.charge.minor,
        "net": change.net.minor,
        "lines": adjustments_out(change.lines),
        "billed_now": total_of(edited.billed, currency).minor,
        "added_to_next_invoice": total_of(outcome.adjustments, currency).minor,
        "added_to_credit_balance": outcome.granted.minor,
    }


def upcoming_out(upcoming: Upcoming) -> answers.Upcoming:
    """An invoice to come, with its times as the subscription's zone shows them."""
    period, zone = upcoming.period, ZoneInfo(upcoming.zone)

    def local(at: datetime) -> str:
        return at.astimezone(zone).isoformat(timespec="seconds")

    return {
        "index": period.index,
        "start": time_out(period.start),
        "end": time_out(period.end),
        "invoice_at": time_out(period.invoice_at),
        "local": {"start": local(period.start), "end": local(period.end), "invoice_at": local(period.invoice_at)},
        "totals": totals_out(upcoming.totals),
        "adjustments": adjustments_out(upcoming.lines),
        "amount_credited": minor(upcoming.credited) or 0,
        "amount_due": upcoming.due.minor,
    }
