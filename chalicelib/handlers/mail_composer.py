"""Writes the mails that the outbox asks for, from the records as they are when the mail is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time
from zoneinfo import ZoneInfo

from chalicelib import wiring
from chalicelib.domain.billing.dunning import LadderEnd
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.documents.portal import LINK_LIFE, SignInLink, is_secret
from chalicelib.domain.documents.refunds import Refund
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import InvoiceStatus, RefundStatus
from chalicelib.handlers import presenting, subscription_mails
from chalicelib.handlers.portal_access import link_secret, open_url
from chalicelib.services.portal.signing_in import customer_of
from chalicelib.services.ports import MailUnavailable, OutgoingMail, Ports
from chalicelib.web.render_mails import (
    render_failed_charge_mail,
    render_invoice_mail,
    render_link_paused_mail,
    render_parked_mail,
    render_receipt_mail,
    render_recovered_mail,
    render_refund_mail,
    render_sign_in_mail,
)
from chalicelib.web.views.mail import (
    FailedChargeMail,
    InvoiceMail,
    LinkPausedMail,
    ParkedMail,
    ReceiptMail,
    RecoveredMail,
    RefundMail,
    RenderedMail,
    SignInMail,
)
from chalicelib.web.views.receipt import ReceiptOutcome


def subscriptions_of(ports: Ports, invoice: Invoice) -> Sequence[Subscription]:
    """The subscriptions that an invoice bills, each once."""
    ids = [each.subscription_id for each in invoice.line_periods]
    if invoice.subscription_id is not None:
        ids.append(invoice.subscription_id)
    unique = list(dict.fromkeys(ids))
    if not unique:
        return []
    found = ports.records.find_many([(Subscription, each) for each in unique])
    return [each for each in found if each is not None]


def compose(ports: Ports, mail: Mail) -> OutgoingMail | None:
    """The mail as it should read now; None when there is nothing to say any more."""
    if mail.kind is MailKind.LINK_PAUSED:
        return _link_paused(ports, mail)
    if mail.kind is MailKind.PARKED:
        return _parked(ports, mail)
    if mail.kind is MailKind.REFUND:
        return _refund(ports, mail)
    if mail.kind in subscription_mails.KINDS:
        news = subscription_mails.compose_news(ports, mail)
        return None if news is None else _outgoing(mail, *news)
    if mail.kind is MailKind.SIGN_IN:
        return _sign_in(ports, mail)
    invoice, merchant = ports.records.find_many([(Invoice, mail.about_id), (Merchant, mail.merchant_id)])
    if invoice is None or merchant is None or invoice.snapshot is None:
        return None
    if mail.kind is MailKind.RECEIPT:
        rendered = _receipt(ports, mail, invoice, merchant)
    elif mail.kind is MailKind.INVOICE:
        rendered = _invoice(mail, invoice, merchant)
    elif mail.kind is MailKind.RECOVERED:
        rendered = _recovered(ports, mail, invoice, merchant)
    else:
        rendered = _failed_charge(mail, invoice, merchant)
    return None if rendered is None else _outgoing(mail, merchant, rendered)


def _outgoing(mail: Mail, merchant: Merchant, rendered: RenderedMail) -> OutgoingMail:
    return OutgoingMail(
        key=mail.id,
        from_name=merchant.name,
        to=mail.to,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        reply_to=merchant.support_email,
    )


def _link_paused(ports: Ports, mail: Mail) -> OutgoingMail | None:
    link, merchant = ports.records.find_many([(PaymentLink, mail.about_id), (Merchant, mail.merchant_id)])
    # Switched on again meanwhile: whoever did that knows.
    if link is None or merchant is None or link.paused_until is None:
        return None
    base = wiring.settings().public_base_url
    view = LinkPausedMail(
        merchant=presenting.merchant_view(merchant),
        link_name=link.name,
        at=mail.created_at,
        until=link.paused_until,
        page_url=presenting.page_url(base, "pay", merchant, link.id, link.secret),
    )
    return _outgoing(mail, merchant, render_link_paused_mail(view))


def _parked(ports: Ports, mail: Mail) -> OutgoingMail | None:
    merchant = ports.records.find(Merchant, mail.about_id)
    # Unparked meanwhile: whoever did that knows.
    if merchant is None or merchant.parked_at is None or merchant.parked_reason is None:
        return None
    view = ParkedMail(
        merchant=presenting.merchant_view(merchant),
        at=merchant.parked_at,
        reason=merchant.parked_reason,
        help_url=f"{wiring.settings().public_base_url}/docs/api",
    )
    return _outgoing(mail, merchant, render_parked_mail(view))


def _refund(ports: Ports, mail: Mail) -> OutgoingMail | None:
    refund = ports.records.find(Refund, mail.about_id)
    # The bank may have sent it back before this mail went out; then there is nothing on its way.
    if refund is None or refund.status is not RefundStatus.SUCCEEDED:
        return None
    invoice, merchant = ports.records.find_many([(Invoice, refund.invoice_id), (Merchant, mail.merchant_id)])
    if invoice is None or merchant is None or invoice.number is None:
        return None
    base = wiring.settings().public_base_url
    view = RefundMail(
        merchant=presenting.merchant_view(merchant),
        amount=refund.amount,
        at=refund.ended_at or refund.created_at,
        email=mail.to,
        url=presenting.page_url(base, "invoice", merchant, invoice.id, invoice.secret),
        invoice_number=invoice.number,
        method=presenting.method_view(invoice.paid_with),
    )
    return _outgoing(mail, merchant, render_refund_mail(view))


def _sign_in(ports: Ports, mail: Mail) -> OutgoingMail | None:
    """The link, to the address that the customer has given; nothing where nobody here has that address."""
    link, merchant = ports.records.find_many([(SignInLink, mail.about_id), (Merchant, mail.merchant_id)])
    if link is None or merchant is None or not link.is_good(ports.clock.now()):
        return None
    customer = customer_of(ports, merchant.id, link.email)
    settings = wiring.settings()
    secret = link_secret(settings.form_secret, link.id)
    # The form secret was changed since: this link would open nothing.
    if customer is None or not is_secret(secret, link.secret_hash):
        return None
    asked_by_merchant = link.expires_at - link.created_at > LINK_LIFE and link.place is not None
    subscription = None
    if asked_by_merchant and link.place is not None:
        subscription = ports.records.find(Subscription, link.place.split("/")[1])
    view = SignInMail(
        merchant=presenting.merchant_view(merchant),
        email=customer.email,
        url=open_url(settings, merchant, link.id, secret),
        minutes=int((link.expires_at - link.created_at).total_seconds()) // 60,
        subscription_name=None if subscription is None else subscription.lines[0].name,
    )
    return replace(_outgoing(mail, merchant, render_sign_in_mail(view)), to=customer.email)


def _receipt(ports: Ports, mail: Mail, invoice: Invoice, merchant: Merchant) -> RenderedMail | None:
    if invoice.status is not InvoiceStatus.PAID or invoice.paid_at is None or invoice.snapshot is None:
        return None
    base = wiring.settings().public_base_url
    invoice_url = presenting.page_url(base, "invoice", merchant, invoice.id, invoice.secret)
    later = presenting.later_charges(subscriptions_of(ports, invoice), base, merchant)
    return render_receipt_mail(
        ReceiptMail(
            merchant=presenting.merchant_view(merchant),
            outcome=ReceiptOutcome.PAID,
            amount=invoice.to_pay,
            at=invoice.paid_at,
            email=mail.to,
            receipt_url=invoice_url,
            lines=presenting.invoice_lines(invoice),
            totals=presenting.invoice_totals(invoice),
            payer_name=invoice.snapshot.buyer.name,
            method=presenting.method_view(invoice.paid_with),
            invoice_number=invoice.number,
            invoice_url=invoice_url,
            later_charges=later,
            manage_url=presenting.portal_url(base, merchant) if later else None,
            renewal=_is_by_schedule(invoice),
        )
    )


def _is_by_schedule(invoice: Invoice) -> bool:
    """Whether it was charged with nobody at the page."""
    if invoice.checkout_id is not None or invoice.subscription_id is None or not invoice.parts:
        return False
    latest = invoice.part.latest
    return latest is not None and not latest.on_session


def _invoice(mail: Mail, invoice: Invoice, merchant: Merchant) -> RenderedMail | None:
    # Paid meanwhile: its buyer has a receipt instead.
    if invoice.status is not InvoiceStatus.OPEN or invoice.number is None or invoice.due_date is None:
        return None
    if invoice.snapshot is None:
        return None
    base = wiring.settings().public_base_url
    return render_invoice_mail(
        InvoiceMail(
            merchant=presenting.seller_view(merchant, invoice.snapshot),
            amount=invoice.amount_due,
            due_at=datetime.combine(invoice.due_date, time(12), tzinfo=ZoneInfo(invoice.snapshot.timezone)),
            email=mail.to,
            invoice_url=presenting.page_url(base, "invoice", merchant, invoice.id, invoice.secret),
            invoice_number=invoice.number,
            lines=presenting.invoice_lines(invoice),
            totals=presenting.invoice_totals(invoice),
        )
    )


def _recovered(ports: Ports, mail: Mail, invoice: Invoice, merchant: Merchant) -> RenderedMail | None:
    # Behind again meanwhile: then another mail says so.
    owing = any(each.past_due_invoices for each in subscriptions_of(ports, invoice))
    if owing or invoice.paid_at is None or invoice.number is None:
        return None
    base = wiring.settings().public_base_url
    return render_recovered_mail(
        RecoveredMail(
            merchant=presenting.merchant_view(merchant),
            amount=invoice.totals.total,
            at=invoice.paid_at,
            email=mail.to,
            invoice_url=presenting.page_url(base, "invoice", merchant, invoice.id, invoice.secret),
            invoice_number=invoice.number,
        )
    )


def _failed_charge(mail: Mail, invoice: Invoice, merchant: Merchant) -> RenderedMail | None:
    # Paid meanwhile, by another try or by hand: then there is nothing to ask for any more.
    if invoice.status is not InvoiceStatus.OPEN or invoice.number is None or not invoice.parts:
        return None
    newest = invoice.part.latest
    waits = newest is not None and newest.on_session and newest.outcome is AttemptOutcome.REQUIRES_ACTION
    if invoice.part.in_doubt or waits:
        # It says that no money has moved, and while somebody is paying nobody knows that.
        raise MailUnavailable("a payment of this invoice is under way")
    base = wiring.settings().public_base_url
    invoice_url = presenting.page_url(base, "invoice", merchant, invoice.id, invoice.secret)
    latest = invoice.part.latest_failure
    next_at = None if latest is None else latest.next_at
    waits_until = invoice.gives_up_at if next_at is None and invoice.charge_at is not None else None
    return render_failed_charge_mail(
        FailedChargeMail(
            merchant=presenting.merchant_view(merchant),
            amount=invoice.amount_due,
            at=invoice.issued_at or mail.created_at,
            email=mail.to,
            pay_url=f"{invoice_url}/pay",
            invoice_url=invoice_url,
            invoice_number=invoice.number,
            asks_bank=mail.kind is MailKind.CONFIRM,
            code=None if latest is None else latest.code,
            decline_code=None if latest is None else latest.decline_code,
            next_at=next_at,
            until=waits_until,
            ends=merchant.dunning.then is not LadderEnd.UNPAID,
        )
    )
