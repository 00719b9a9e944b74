"""Records as the API's resources: the names and shapes that callers rely on, and nothing that they must not see."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import ApiKey, Merchant
from chalicelib.domain.documents.methods import Method
from chalicelib.domain.documents.parts import Part
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund
from chalicelib.domain.ids import page_token
from chalicelib.domain.machines import CheckoutStatus, InvoiceStatus
from chalicelib.handlers.api.shapes import (
    covers_out,
    discount_out,
    fee_out,
    line_out,
    minor,
    period_out,
    time_out,
    totals_out,
)
from chalicelib.services.links import LinkOverview
from chalicelib.services.merchants import text_of_key

if TYPE_CHECKING:
    from chalicelib.handlers.api import answer_parts, answers
    from chalicelib.services.billing.releasing import Released


def _page_url(base_url: str, page: str, merchant_id: str, record_id: str, secret: str) -> str:
    slug = merchant_id.removeprefix("mer_")
    return f"{base_url}/{page}/{slug}/{page_token(record_id, secret)}"


def account_out(merchant: Merchant) -> answers.Account:
    """The merchant's own account."""
    return {
        "id": merchant.id,
        "object": "account",
        "created_at": time_out(merchant.created_at),
        "metadata": {},
        "name": merchant.name,
        "timezone": merchant.timezone,
        "support_email": merchant.support_email,
        "statement_name": merchant.statement_name,
        "legal_name": merchant.legal_name,
        "address_lines": list(merchant.address_lines),
        "portal": {"cancel": merchant.portal_cancel},
        "country": merchant.country,
        "currency": merchant.currency,
        "livemode": merchant.livemode,
        "connection": {
            "state": merchant.connection,
            "can_transact": merchant.can_transact,
            "can_payout": merchant.can_payout,
        },
        "dunning": {"days": list(merchant.dunning.days), "then": merchant.dunning.then},
        "parked_at": None if merchant.parked_at is None else time_out(merchant.parked_at),
        "parked_reason": merchant.parked_reason,
    }


def api_key_out(key: ApiKey) -> answers.ApiKey:
    """An API key, without the key and without its hash."""
    return {
        "id": key.public_id,
        "object": "api_key",
        "created_at": time_out(key.created_at),
        "metadata": {},
        "name": key.name,
        "prefix": key.prefix,
        "scopes": list(key.scopes),
        "last_used_at": time_out(key.last_used_at),
        "revoked_at": time_out(key.revoked_at),
    }


def new_api_key_out(key: ApiKey, secret: str) -> answers.NewApiKey:
    """An API key with its text, this once."""
    return {**api_key_out(key), "key": text_of_key(key, secret)}


def customer_out(customer: Customer) -> answers.Customer:
    """A customer."""
    return {
        "id": customer.id,
        "object": "customer",
        "created_at": time_out(customer.created_at),
        "metadata": dict(customer.metadata),
        "email": customer.email,
        "name": customer.name,
        "company": customer.company,
        "phone": customer.phone,
        "language": customer.language,
        "tax_id": customer.tax_id,
    }


def link_out(overview: LinkOverview, base_url: str) -> answers.PaymentLink:
    """A payment link, with what would be charged if it were paid now."""
    link = overview.link
    return {
        "id": link.id,
        "object": "payment_link",
        "created_at": time_out(link.created_at),
        "metadata": dict(link.metadata),
        "name": link.name,
        "url": _page_url(base_url, "pay", link.merchant_id, link.id, link.secret),
        "active": link.active,
        "currency": link.currency,
        "lines": [line_out(line) for line in link.lines],
        "discount": discount_out(link.discount),
        "after_payment": {"message": link.after_payment.message},
        "completed_payments": overview.completed_payments,
        "due_today": totals_out(overview.due_today),
        "schedule": [{"on": charge.on.isoformat(), "amount": charge.amount.minor} for charge in overview.schedule],
    }


def checkout_out(checkout: Checkout) -> answers.Checkout:
    """One buyer's attempt; its invoice is named once there is one."""
    completed = checkout.status is CheckoutStatus.COMPLETED
    return {
        "id": checkout.id,
        "object": "checkout",
        "created_at": time_out(checkout.created_at),
        "metadata": {},
        "status": checkout.status,
        "payment_link": checkout.payment_link_id,
        "customer": checkout.customer_id,
        "invoice": checkout.invoice_id if completed else None,
        "subscriptions": list(checkout.subscription_ids),
        "email": checkout.email,
        "name": checkout.name,
        "currency": checkout.currency,
        "lines": [line_out(line) for line in checkout.lines],
        "totals": totals_out(checkout.totals),
        "attempts": _attempts_out(checkout.parts),
        "expires_at": time_out(checkout.expires_at),
        "completed_at": time_out(checkout.completed_at),
    }


def invoice_out(invoice: Invoice, base_url: str, now: datetime) -> answers.Invoice:
    """An invoice; `now` decides whether it is overdue, which is no state of its own."""
    due = invoice.amount_due
    is_open = invoice.status is InvoiceStatus.OPEN
    return {
        "id": invoice.id,
        "object": "invoice",
        "created_at": time_out(invoice.created_at),
        "metadata": dict(invoice.metadata),
        "status": invoice.status,
        "number": invoice.number,
        "customer": invoice.customer_id,
        "currency": invoice.currency,
        "lines": _invoice_lines_out(invoice),
        "discount": discount_out(invoice.discount),
        "fees": [fee_out(fee) for fee in invoice.fees],
        "totals": totals_out(invoice.totals),
        "amount_due": due.minor,
        "amount_paid": invoice.paid.minor,
        "amount_credited": invoice.credited.minor,
        "overdue": is_open and bool(due) and _is_past(invoice, now),
        "partially_paid": is_open and bool(due) and bool(invoice.paid),
        "due_date": None if invoice.due_date is None else invoice.due_date.isoformat(),
        "issued_at": time_out(invoice.issued_at),
        "paid_at": time_out(invoice.paid_at),
        "hosted_url": _page_url(base_url, "invoice", invoice.merchant_id, invoice.id, invoice.secret),
        "collection": invoice.collection,
        "collection_blocked": invoice.collection_blocked,
        "source": invoice.source,
        "subscription": invoice.subscription_id,
        "period": period_out(invoice.period),
        "payment_link": invoice.payment_link_id,
        "checkout": invoice.checkout_id,
        "parts": [{"amount": part.amount.minor, "state": part.state} for part in invoice.parts],
        "attempts": _attempts_out(invoice.parts),
    }


def _is_past(invoice: Invoice, now: datetime) -> bool:
    if invoice.due_date is None or invoice.snapshot is None:
        return False
    return now.astimezone(ZoneInfo(invoice.snapshot.timezone)).date() > invoice.due_date


def _invoice_lines_out(invoice: Invoice) -> list[answers.InvoiceLine]:
    periods = {each.position: each for each in invoice.line_periods}
    lines: list[answers.InvoiceLine] = []
    for position, (line, sums) in enumerate(zip(invoice.lines, invoice.totals.lines, strict=True)):
        own = periods.get(position)
        lines.append(
            {
                **line_out(line),
                "total": sums.total.minor,
                "subscription": own.subscription_id if own else invoice.subscription_id,
                "period": None if line.adjustment else period_out(own.period if own else invoice.period),
                "adjustment": line.adjustment,
                "covers": covers_out(line),
            }
        )
    return lines


def _attempts_out(parts: tuple[Part, ...]) -> list[answer_parts.Attempt]:
    attempts = sorted((attempt for part in parts for attempt in part.attempts), key=lambda attempt: attempt.at)
    return [
        {
            "at": time_out(attempt.at),
            "outcome": attempt.outcome,
            "decline_code": attempt.decline_code or attempt.code,
            "next_at": time_out(attempt.next_at),
        }
        for attempt in attempts
    ]


def method_out(method: Method | None) -> answer_parts.PaymentMethod | None:
    """What is paid with."""
    return None if method is None else {"type": method.kind, "brand": method.brand, "last4": method.last4}


def released_out(released: Released) -> answers.ReleasedInvoices:
    """What became of held invoices."""
    return {"released": released.count, "has_more": released.more}


def payment_out(payment: Payment) -> answers.Payment:
    """A payment. Fee and net are null until Stripe has captured it and said what it cost."""
    settled = payment.settlement
    return {
        "id": payment.id,
        "object": "payment",
        "created_at": time_out(payment.created_at),
        "metadata": {},
        "status": payment.status,
        "amount": payment.amount.minor,
        "currency": payment.amount.currency,
        "fee": minor(payment.fee),
        "net": minor(payment.net),
        "settlement": _settlement_out(payment),
        "refunded": minor(payment.refunded) or 0,
        "method": None if payment.method is None else payment.method.kind,
        "payment_method": method_out(payment.method),
        "invoice": payment.invoice_id,
        "customer": payment.customer_id,
        "subscription": payment.subscription_id,
        "payment_link": payment.payment_link_id,
        "decline_code": payment.decline_code,
        "source": payment.source,
        "stripe": {
            "account": payment.stripe_account,
            "payment_intent": payment.intent_id,
            "charge": payment.charge_id,
            "balance_transaction": None if settled is None else settled.balance_transaction,
        },
    }


def _settlement_out(payment: Payment) -> answers.Settlement | None:
    settled, returned = payment.settlement, payment.returned
    if settled is None or payment.fee is None or payment.net is None:
        return None
    return {
        "currency": settled.net.currency,
        "gross": settled.gross.minor,
        "refunded": 0 if returned is None else -returned.gross.minor,
        "fee": payment.fee.minor,
        "net": payment.net.minor,
        "exchange_rate": None if settled.exchange_rate is None else f"{settled.exchange_rate:f}",
    }


def refund_out(refund: Refund) -> answers.Refund:
    """A refund."""
    return {
        "id": refund.id,
        "object": "refund",
        "created_at": time_out(refund.created_at),
        "metadata": dict(refund.metadata),
        "status": refund.status,
        "amount": refund.amount.minor,
        "currency": refund.amount.currency,
        "payment": refund.payment_id,
        "invoice": refund.invoice_id,
        "customer": refund.customer_id,
        "reason": refund.reason,
        "failure_reason": refund.failure_reason,
        "made_at": "stripe" if refund.from_stripe else "api",
        "ended_at": None if refund.ended_at is None else time_out(refund.ended_at),
        "stripe": {
            "account": refund.stripe_account,
            "refund": refund.stripe_refund_id,
            "balance_transaction": None if refund.taken is None else refund.taken.id,
            "failure_balance_transaction": None if refund.given_back is None else refund.given_back.id,
        },
    }


def event_out(event: Event) -> answers.Event:
    """An event."""
    return {
        "id": event.id,
        "object": "event",
        "created_at": time_out(event.occurred_at),
        "metadata": {},
        "type": event.type,
        "data": dict(event.data),
        "occurred_at": time_out(event.occurred_at),
        "actor": event.actor,
    }
