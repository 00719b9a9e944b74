"""Mails from views: subject, HTML, and the same in plain text."""

from __future__ import annotations

from chalicelib.web.render import rendered
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
from chalicelib.web.views.subscription_mail import SubscriptionMail
from chalicelib.web.words import failed_charges, invoice_mails, mails, operators, refunds, sign_in, subscription_mails


def render_receipt_mail(mail: ReceiptMail, locale: str = "en") -> RenderedMail:
    """The receipt as a mail: subject, HTML with its preheader, and the same in plain text."""
    words = mails.receipt_words(mail, locale)
    html = rendered(
        "mail/receipt.html", mail, mail.merchant, locale, words=words, rows=mails.totals_rows(mail.totals, locale)
    )
    return RenderedMail(subject=words.subject, html=html, text=mails.receipt_text(mail, words, locale))


def render_invoice_mail(mail: InvoiceMail, locale: str = "en") -> RenderedMail:
    """The mail that brings an invoice."""
    words = invoice_mails.invoice_words(mail, locale)
    rows = mails.totals_rows(mail.totals, locale)
    html = rendered("mail/invoice.html", mail, mail.merchant, locale, words=words, rows=rows)
    return RenderedMail(words.subject, html, invoice_mails.invoice_text(mail, words, locale))


def render_failed_charge_mail(mail: FailedChargeMail, locale: str = "en") -> RenderedMail:
    """The mail that asks a buyer to act on a renewal that was not paid."""
    words = failed_charges.failed_charge_words(mail, locale)
    html = rendered("mail/failed_charge.html", mail, mail.merchant, locale, words=words)
    return RenderedMail(words.subject, html, failed_charges.failed_charge_text(mail, words, locale))


def render_recovered_mail(mail: RecoveredMail, locale: str = "en") -> RenderedMail:
    """The mail that says that all is paid again."""
    words = failed_charges.recovered_words(mail, locale)
    html = rendered("mail/failed_charge.html", mail, mail.merchant, locale, words=words)
    return RenderedMail(words.subject, html, failed_charges.failed_charge_text(mail, words, locale))


def render_refund_mail(mail: RefundMail, locale: str = "en") -> RenderedMail:
    """The mail that tells a buyer of money on its way back."""
    words = refunds.refund_words(mail, locale)
    html = rendered("mail/refund.html", mail, mail.merchant, locale, words=words)
    return RenderedMail(words.subject, html, refunds.refund_text(mail, words, locale))


def render_parked_mail(mail: ParkedMail, locale: str = "en") -> RenderedMail:
    """The mail that tells the operator of a parked schedule."""
    words = operators.parked_words(mail, locale)
    html = rendered("mail/link_paused.html", mail, mail.merchant, locale, words=words)
    return RenderedMail(words.subject, html, operators.operator_text(mail, words))


def render_link_paused_mail(mail: LinkPausedMail, locale: str = "en") -> RenderedMail:
    """The mail that tells the operator of a paused link."""
    words = operators.link_paused_words(mail, locale)
    html = rendered("mail/link_paused.html", mail, mail.merchant, locale, words=words)
    return RenderedMail(words.subject, html, operators.operator_text(mail, words))


def render_subscription_mail(mail: SubscriptionMail, locale: str = "en") -> RenderedMail:
    """The mail that tells a buyer what becomes of a subscription."""
    words = subscription_mails.subscription_words(mail, locale)
    html = rendered("mail/subscription.html", mail, mail.merchant, locale, words=words)
    return RenderedMail(words.subject, html, subscription_mails.subscription_text(mail, words, locale))


def render_sign_in_mail(mail: SignInMail, locale: str = "en") -> RenderedMail:
    """The mail that opens the portal."""
    words = sign_in.sign_in_words(mail)
    html = rendered("mail/sign_in.html", mail, mail.merchant, locale, words=words)
    return RenderedMail(words.subject, html, sign_in.sign_in_text(mail, words))
