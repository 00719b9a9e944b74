"""When an invoice is to be paid, and the mail that brings it to whoever is to pay it."""

from __future__ import annotations

from datetime import date, datetime

from chalicelib.domain.billing.wallclock import local_date
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Collection, Invoice
from chalicelib.domain.documents.mails import MailKind
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.services.mails import new_mail, posted
from chalicelib.services.ports import Write


def day_due(merchant: Merchant, subscription: Subscription, planned_at: datetime, now: datetime) -> date:
    """When an invoice is to be paid, by the merchant's calendar."""
    # A charge is due when its period begins. Who is sent an invoice has the whole of its terms, however late it comes.
    sent = subscription.collection is Collection.SEND
    day = local_date(now if sent else planned_at, merchant.timezone)
    return subscription.due.day(day) if sent else day


def mail_with(invoice: Invoice, customer: Customer, now: datetime) -> list[Write]:
    """What is written with the invoice, for its mail to go out."""
    what = f"invoice#{invoice.id}"
    return posted(new_mail(MailKind.INVOICE, invoice.merchant_id, customer.email, invoice.id, what=what, now=now))
