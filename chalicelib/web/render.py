"""Pages and mails from views. Escaping is on for every template, and a name that a template misspells is an error."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from chalicelib.web.speech import Speech
from chalicelib.web.static_files import asset_url
from chalicelib.web.views.cancel import CancelledPage, CancelPage
from chalicelib.web.views.common import MerchantView
from chalicelib.web.views.invoice import InvoicePage
from chalicelib.web.views.mail import (
    FailedChargeMail,
    InvoiceMail,
    LinkPausedMail,
    ReceiptMail,
    RefundMail,
    RenderedMail,
)
from chalicelib.web.views.pay import PayPage
from chalicelib.web.views.receipt import CheckingPage, ReceiptPage
from chalicelib.web.views.reference import ReferencePage
from chalicelib.web.views.states import StatePage
from chalicelib.web.words import failed_charges, invoice_mails, mails, operators, refunds
from chalicelib.web.words.states import state_words


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _render(
    template: str, page: object, merchant: MerchantView | None, locale: str, root: str = "", **more: Any
) -> str:
    return (
        _environment()
        .get_template(template)
        .render(
            page=page,
            merchant=merchant,
            say=Speech(locale, merchant.timezone if merchant else "UTC"),
            locale=locale,
            asset_url=partial(asset_url, root=root),
            **more,
        )
    )


def render_pay_page(page: PayPage, locale: str = "en", root: str = "") -> str:
    """A link's page with its form. The answer's headers must carry the page's nonce."""
    return _render("pay.html", page, page.merchant, locale, root)


def render_receipt_page(page: ReceiptPage, locale: str = "en", root: str = "") -> str:
    """What follows a payment, a stored method or a bank payment that has begun."""
    return _render("receipt.html", page, page.merchant, locale, root)


def render_checking_page(page: CheckingPage, locale: str = "en", root: str = "") -> str:
    """The wait for an outcome; it works without script too."""
    return _render("checking.html", page, page.merchant, locale, root)


def render_invoice_page(page: InvoicePage, locale: str = "en", root: str = "") -> str:
    """The hosted invoice."""
    return _render("invoice.html", page, page.merchant, locale, root)


def render_cancel_page(page: CancelPage, locale: str = "en", root: str = "") -> str:
    """The question whether to end a subscription."""
    return _render("cancel.html", page, page.merchant, locale, root)


def render_cancelled_page(page: CancelledPage, locale: str = "en", root: str = "") -> str:
    """That a subscription has ended, or when it will."""
    return _render("cancelled.html", page, page.merchant, locale, root)


def render_state_page(page: StatePage, locale: str = "en", root: str = "") -> str:
    """One of the states; `words.state_status` has the status to send it with."""
    return _render("state.html", page, page.merchant, locale, root, words=state_words(page, locale))


def render_reference_page(page: ReferencePage, root: str = "") -> str:
    """The API's document, to read. It has no merchant, and is in English like the document itself."""
    return _render("reference.html", page, None, "en", root)


def render_receipt_mail(mail: ReceiptMail, locale: str = "en") -> RenderedMail:
    """The receipt as a mail: subject, HTML with its preheader, and the same in plain text."""
    words = mails.receipt_words(mail, locale)
    html = _render(
        "mail/receipt.html", mail, mail.merchant, locale, words=words, rows=mails.totals_rows(mail.totals, locale)
    )
    return RenderedMail(subject=words.subject, html=html, text=mails.receipt_text(mail, words, locale))


def render_invoice_mail(mail: InvoiceMail, locale: str = "en") -> RenderedMail:
    """The mail that brings an invoice."""
    words = invoice_mails.invoice_words(mail, locale)
    rows = mails.totals_rows(mail.totals, locale)
    html = _render("mail/invoice.html", mail, mail.merchant, locale, words=words, rows=rows)
    return RenderedMail(words.subject, html, invoice_mails.invoice_text(mail, words, locale))


def render_failed_charge_mail(mail: FailedChargeMail, locale: str = "en") -> RenderedMail:
    """The mail that asks a buyer to act on a renewal that was not paid."""
    words = failed_charges.failed_charge_words(mail, locale)
    html = _render("mail/failed_charge.html", mail, mail.merchant, locale, words=words)
    return RenderedMail(words.subject, html, failed_charges.failed_charge_text(mail, words, locale))


def render_refund_mail(mail: RefundMail, locale: str = "en") -> RenderedMail:
    """The mail that tells a buyer of money on its way back."""
    words = refunds.refund_words(mail, locale)
    html = _render("mail/refund.html", mail, mail.merchant, locale, words=words)
    return RenderedMail(words.subject, html, refunds.refund_text(mail, words, locale))


def render_link_paused_mail(mail: LinkPausedMail, locale: str = "en") -> RenderedMail:
    """The mail that tells the operator of a paused link."""
    words = operators.link_paused_words(mail, locale)
    html = _render("mail/link_paused.html", mail, mail.merchant, locale, words=words)
    return RenderedMail(words.subject, html, operators.link_paused_text(mail, words))
