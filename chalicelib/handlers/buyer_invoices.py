"""The hosted invoice, and the page that pays it."""

from __future__ import annotations

import base64
import os
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import split_page_token
from chalicelib.domain.machines import InvoiceStatus, PartState
from chalicelib.handlers import checkout_tokens, presenting
from chalicelib.handlers.buyer_answers import (
    Places,
    back_to_form,
    form_fields,
    require_own_origin,
    tell,
)
from chalicelib.handlers.buyer_pages import ASKED, CHANGED, TIMED_OUT
from chalicelib.handlers.buyer_responses import html, is_scripted, json_answer, query_of, redirect, site_root
from chalicelib.handlers.mail_composer import subscriptions_of
from chalicelib.handlers.sources import address_of, source_of
from chalicelib.services.invoices.paying import (
    InvoiceView,
    PayInvoice,
    open_invoice,
    pay_invoice,
    resolve_invoice,
)
from chalicelib.services.ports import ProviderBusy, ProviderUnavailable
from chalicelib.services.refunds.shown import refunds_shown
from chalicelib.web.forms import FormErrors, parse_checkout_form
from chalicelib.web.headers import PageKind
from chalicelib.web.render import (
    render_checking_page,
    render_invoice_page,
    render_pay_page,
    render_receipt_page,
)
from chalicelib.web.views.common import Decline, LaterCharge
from chalicelib.web.views.invoice import InvoicePage, InvoiceStanding, PaymentRow
from chalicelib.web.views.pay import CheckoutValues, OwedInvoice, PayPage, StripeView
from chalicelib.web.views.receipt import CheckingPage, ReceiptOutcome, ReceiptPage
from chalicelib.web.words import also_owed_text, consent_text, decline_words

INVOICE_FORM: Final = "invoice"


def _open(slug: str, token: str) -> InvoiceView:
    parts = split_page_token("inv", token)
    if parts is None:
        raise NotFound("page")
    return open_invoice(wiring.ports(), slug, *parts)


def _url(view: InvoiceView, kind: str = "invoice", more: str = "") -> str:
    base = wiring.settings().public_base_url
    return presenting.page_url(base, kind, view.merchant, view.invoice.id, view.invoice.secret) + more


def show_invoice(slug: str, token: str) -> Response:
    """An issued invoice as it was issued, with what has been paid since."""
    view = _open(slug, token)
    invoice = view.invoice
    if invoice.snapshot is None or invoice.number is None or invoice.issued_at is None or invoice.due_date is None:
        raise NotFound("page")
    zone = ZoneInfo(invoice.snapshot.timezone)
    method = presenting.method_view(invoice.paid_with)
    payments: tuple[PaymentRow, ...] = ()
    if invoice.paid_at is not None and invoice.received:
        payments = (PaymentRow(invoice.paid_at, invoice.received, method),)
    payments += presenting.refund_rows(refunds_shown(wiring.ports(), invoice), method)
    page = InvoicePage(
        merchant=presenting.seller_view(view.merchant, invoice.snapshot),
        number=invoice.number,
        standing=_standing(invoice),
        buyer=presenting.buyer_view(invoice.snapshot),
        issued_at=invoice.issued_at,
        due_at=datetime.combine(invoice.due_date, time(12), tzinfo=zone),
        now=wiring.ports().clock.now(),
        lines=presenting.invoice_lines(invoice),
        totals=presenting.invoice_totals(invoice),
        amount_due=invoice.amount_due,
        amount_paid=invoice.paid,
        payments=payments,
        credited=invoice.credited if invoice.credited else None,
        paid_at=invoice.paid_at,
        method=method,
        pay_url=_url(view, more="/pay") if view.payable else None,
    )
    return html(render_invoice_page(page, root=site_root()), PageKind.PLAIN)


def _standing(invoice: Invoice) -> InvoiceStanding:
    if invoice.status is InvoiceStatus.PAID:
        return InvoiceStanding.PAID
    if invoice.status is InvoiceStatus.VOID:
        return InvoiceStanding.VOID
    if any(part.state is PartState.PROCESSING for part in invoice.parts):
        return InvoiceStanding.ON_ITS_WAY
    return InvoiceStanding.OPEN


def _later(view: InvoiceView) -> tuple[LaterCharge, ...]:
    """What the card that pays will be charged later: nothing where no running subscription is billed."""
    if view.charged_later is None:
        return ()
    return presenting.later_charges([view.charged_later], wiring.settings().public_base_url, view.merchant)


def _consent(view: InvoiceView, now: datetime) -> str | None:
    words = consent_text(view.merchant.name, view.invoice.amount_due, _later(view), view.merchant.timezone)
    if words is None:
        return None
    return " ".join(filter(None, (words.plain, also_owed_text(view.invoice.amount_due, _also_owed(view)))))


def _also_owed(view: InvoiceView) -> tuple[OwedInvoice, ...]:
    """The past-due invoices that the card which pays this one is charged for as well, where it is kept at all."""
    if not _later(view):
        return ()
    return tuple(OwedInvoice(each.number or "", each.amount_due) for each in view.past_due)


def _shown(view: InvoiceView) -> str:
    invoice = view.invoice
    totals = presenting.invoice_totals(invoice)
    lines = presenting.invoice_lines(invoice)
    return presenting.shown_digest(lines, totals, view.merchant, _later(view), _also_owed(view))


def show_pay(request: Request, slug: str, token: str) -> Response:
    """The invoice's pay page; the invoice itself where there is nothing to pay now."""
    view = _open(slug, token)
    if not view.payable:
        return redirect(_url(view))
    asked = query_of(request)
    if view.invoice.part.in_doubt or (_waits_for_bank(view.invoice) and ASKED not in asked):
        return redirect(_url(view, more="/return"))
    return _form(view, decline=_last_decline(view.invoice), changed=CHANGED in asked, timed_out=TIMED_OUT in asked)


def _waits_for_bank(invoice: Invoice) -> bool:
    """Whether the last that is known is that the bank of a buyer who was there was asked."""
    latest = invoice.part.latest
    return latest is not None and latest.on_session and latest.outcome is AttemptOutcome.REQUIRES_ACTION


def _last_decline(invoice: Invoice) -> Decline | None:
    latest = invoice.part.latest
    if latest is None or not latest.on_session:
        return None
    if latest.outcome is AttemptOutcome.DECLINED:
        return decline_words(latest.code, latest.decline_code)
    if latest.outcome is AttemptOutcome.REQUIRES_ACTION:
        return decline_words("payment_intent_authentication_failure")
    return None


def _form(
    view: InvoiceView, *, decline: Decline | None = None, changed: bool = False, timed_out: bool = False
) -> Response:
    ports, settings = wiring.ports(), wiring.settings()
    invoice, merchant, now = view.invoice, view.merchant, ports.clock.now()
    if invoice.snapshot is None:
        raise NotFound("page")
    nonce = base64.b64encode(os.urandom(16)).decode()
    later = _later(view)
    buyer = invoice.snapshot.buyer
    page = PayPage(
        merchant=presenting.merchant_view(merchant),
        title=f"Invoice {invoice.number}",
        due_today=invoice.part.amount,
        lines=presenting.invoice_lines(invoice),
        totals=presenting.invoice_totals(invoice),
        stripe=StripeView(
            publishable_key=settings.stripe_publishable_key,
            js_url=settings.stripe_js_url,
            account=merchant.stripe_account,
            setup_future_usage="off_session" if later else None,
        ),
        nonce=nonce,
        post_url=_url(view, more="/pay"),
        checking_url=_url(view, more="/return"),
        form_token=checkout_tokens.sign(settings.form_secret, INVOICE_FORM, invoice.id, now, _shown(view)),
        later_charges=later,
        values=CheckoutValues(buyer.email or "", buyer.name),
        decline=decline,
        changed=changed,
        timed_out=timed_out,
        billed_to=buyer.name,
        also_owed=_also_owed(view),
    )
    return html(render_pay_page(page, root=site_root()), PageKind.PAY, nonce=nonce)


def take_pay(request: Request, slug: str, token: str) -> Response:
    """Try to pay once, and answer the script in JSON, or with a page where no script asked."""
    require_own_origin(request)
    ports, settings = wiring.ports(), wiring.settings()
    view = _open(slug, token)
    scripted = is_scripted(request)
    form = parse_checkout_form(form_fields(request))
    places = Places(paid=_url(view, "receipt"), waiting=_url(view, more="/return"), form=_url(view, more="/pay"))
    if isinstance(form, FormErrors):
        return back_to_form(scripted, places.form, CHANGED)
    signed = checkout_tokens.read_signed(settings.form_secret, INVOICE_FORM, form.form_token, ports.clock.now())
    if signed is None or signed.subject != view.invoice.id:
        return back_to_form(scripted, places.form, TIMED_OUT)
    if form.expected_total is None:
        return back_to_form(scripted, places.form, CHANGED)
    if form.confirmation_token is None:
        return redirect(places.form)
    done = pay_invoice(
        ports,
        PayInvoice(
            merchant_slug=slug,
            invoice_id=view.invoice.id,
            invoice_secret=view.invoice.secret,
            expected_total=form.expected_total,
            confirmation_token=form.confirmation_token,
            return_url=places.waiting,
            consent_words=_consent,
            as_shown=lambda view, now: signed.shown == _shown(view),
            address=address_of(request),
            source=source_of(request, settings.form_secret),
        ),
    )
    return tell(done, scripted, places, view.merchant.timezone, lambda words: _form(view, decline=words))


def _resolved(view: InvoiceView) -> tuple[Invoice, bool]:
    """The invoice after asking Stripe, and whether Stripe could be asked."""
    try:
        return resolve_invoice(wiring.ports(), view.merchant, view.invoice, actor="buyer"), True
    except (ProviderUnavailable, ProviderBusy):
        # Not knowing is an answer too: the page goes on waiting and asks again.
        return view.invoice, False


def _leads_to(view: InvoiceView, invoice: Invoice, asked: bool) -> tuple[str, str] | None:
    """Where the buyer should go now, with the word for it; None while the outcome is unknown."""
    if invoice.status is InvoiceStatus.PAID:
        return "paid", _url(view, "receipt")
    if invoice.status is not InvoiceStatus.OPEN or not invoice.parts:
        return "closed", _url(view)
    waits = _waits_for_bank(invoice)
    if invoice.part.in_doubt or (waits and not asked):
        return None
    return "open", _url(view, more="/pay") + (f"?{ASKED}=1" if waits else "")


def show_return(slug: str, token: str) -> Response:
    """Asks Stripe where that is needed, then leads on; waits while nobody knows."""
    view = _open(slug, token)
    onward = _leads_to(view, *_resolved(view))
    if onward is not None:
        return redirect(onward[1])
    here = _url(view, more="/return")
    buyer = None if view.invoice.snapshot is None else view.invoice.snapshot.buyer.email
    page = CheckingPage(
        presenting.merchant_view(view.merchant), f"{here}/status", here, amount=view.invoice.amount_due, email=buyer
    )
    return html(render_checking_page(page, root=site_root()), PageKind.CHECKING)


def tell_status(slug: str, token: str) -> Response:
    """The same as JSON."""
    view = _open(slug, token)
    onward = _leads_to(view, *_resolved(view))
    body: dict[str, object] = {"status": "checking"}
    if onward is not None:
        body = {"status": onward[0], "location": onward[1]}
    return json_answer(body)


def show_receipt(slug: str, token: str) -> Response:
    """The receipt of an invoice that its buyer paid; before that, the invoice."""
    view = _open(slug, token)
    invoice = view.invoice
    if invoice.status is not InvoiceStatus.PAID or invoice.snapshot is None or invoice.paid_at is None:
        return redirect(_url(view))
    ports, base = wiring.ports(), wiring.settings().public_base_url
    later = presenting.later_charges(subscriptions_of(ports, invoice), base, view.merchant)
    page = ReceiptPage(
        merchant=presenting.merchant_view(view.merchant),
        outcome=ReceiptOutcome.PAID,
        title=f"Invoice {invoice.number}",
        amount=invoice.paid,
        at=invoice.paid_at,
        email=invoice.snapshot.buyer.email or "",
        payer_name=invoice.snapshot.buyer.name,
        method=presenting.method_view(invoice.paid_with),
        invoice_number=invoice.number,
        invoice_url=_url(view),
        later_charges=later,
        manage_url=presenting.portal_url(base, view.merchant) if later else None,
    )
    return html(render_receipt_page(page, root=site_root()), PageKind.PLAIN)
