"""The portal's pages: all that is the visitor's, and one subscription with its invoices."""

from __future__ import annotations

from datetime import datetime

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.domain.billing.wallclock import local_date
from chalicelib.domain.documents.invoices import Collection, Invoice
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import InvoiceStatus, PartState
from chalicelib.domain.money.amounts import Money
from chalicelib.handlers import presenting
from chalicelib.handlers.buyer_responses import html, query_of, site_root
from chalicelib.handlers.portal_access import action, invoice_id_of, place_of, portal_url, visit_of
from chalicelib.handlers.portal_door import AGAIN, OUT, show_sign_in, to_sign_in
from chalicelib.services.portal.changing_method import MethodPage
from chalicelib.services.portal.owed import is_being_charged
from chalicelib.services.portal.signing_in import Visit
from chalicelib.services.portal.viewing import is_payable, one_subscription, overview
from chalicelib.services.subscriptions import ends_at
from chalicelib.web.headers import PageKind
from chalicelib.web.render import render_home_page, render_subscription_page
from chalicelib.web.views.invoice import InvoiceStanding
from chalicelib.web.views.portal import Attention, HomePage, InvoiceRow, SubscriptionCard, SubscriptionPage

STORED = "stored"
BEFORE = "before"


def subscription_url(visit: Visit, subscription_id: str, more: str = "") -> str:
    """The absolute address of a subscription's pages in the portal."""
    return portal_url(wiring.settings(), visit.merchant, f"/subscriptions/{subscription_id}{more}")


def show_home(request: Request, slug: str) -> Response:
    """All that is the visitor's; the sign-in page for everybody else. Raises NotFound for an unknown merchant."""
    visit = visit_of(request, slug)
    if visit is None:
        return show_sign_in(request, slug)
    before = invoice_id_of(query_of(request).get(BEFORE))
    found = overview(wiring.ports(), visit, before)
    now = wiring.ports().clock.now()
    here = portal_url(wiring.settings(), visit.merchant)
    owed = {} if found.needs is None else {found.needs.subscription.id: found.needs.due}
    rows = tuple(invoice_row(each, visit, now) for each in found.invoices)
    page = HomePage(
        merchant=presenting.merchant_view(visit.merchant),
        email=visit.customer.email,
        sign_out=action(visit, f"{here}/out", OUT),
        subscriptions=tuple(
            subscription_card(each, visit, now, owed=owed.get(each.id))
            for each in sorted(found.subscriptions, key=lambda each: each.has_ended)
        ),
        invoices=rows,
        attention=_wanted(found.needs, visit, now) or _overdue(rows),
        older_url=None if found.older_than is None else f"{here}?{BEFORE}={found.older_than}",
        newest_url=None if before is None else here,
    )
    return html(render_home_page(page, root=site_root()), PageKind.FORM)


def show_subscription(request: Request, slug: str, subscription_id: str) -> Response:
    """One subscription of the visitor's. Raises NotFound for what is not theirs."""
    visit = visit_of(request, slug)
    if visit is None:
        return to_sign_in(slug, place_of(f"subscriptions/{subscription_id}"))
    ports, asked = wiring.ports(), query_of(request)
    now = ports.clock.now()
    before = invoice_id_of(asked.get(BEFORE))
    found, invoices, older = one_subscription(ports, visit, subscription_id, before)
    subscription = found.subscription
    here = subscription_url(visit, subscription.id)
    page = SubscriptionPage(
        merchant=presenting.merchant_view(visit.merchant),
        email=visit.customer.email,
        sign_out=action(visit, portal_url(wiring.settings(), visit.merchant, "/out"), OUT),
        home_url=portal_url(wiring.settings(), visit.merchant),
        card=subscription_card(subscription, visit, now, owed=found.due or None),
        invoices=tuple(invoice_row(each, visit, now) for each in invoices),
        attention=_wanted(found, visit, now),
        stored=STORED in asked,
        charging=_charging(subscription, invoices, now),
        again=AGAIN in asked,
        older_url=None if older is None else f"{here}?{BEFORE}={older}",
        newest_url=None if before is None else here,
    )
    return html(render_subscription_page(page, root=site_root()), PageKind.FORM)


def subscription_card(
    subscription: Subscription, visit: Visit, now: datetime, *, owed: Money | None = None
) -> SubscriptionCard:
    """A subscription as the portal shows it, with what its owner can do."""
    ends = ends_at(subscription, now) if subscription.cancel_at_period_end else None
    automatic = subscription.collection is Collection.AUTOMATIC
    going_on = not subscription.has_ended and not subscription.cancel_at_period_end
    resume = None
    if ends is not None and ends > now and not subscription.has_ended:
        resume = action(visit, subscription_url(visit, subscription.id, "/resume"), f"resume:{subscription.id}")
    can_pay = automatic and not subscription.has_ended and visit.merchant.can_transact
    return SubscriptionCard(
        name=subscription.lines[0].name,
        status=subscription.status,
        amount=presenting.next_amount(subscription),
        frequency=subscription.recurrence.frequency,
        since=subscription.schedule.period(0).start,
        url=subscription_url(visit, subscription.id),
        next_at=subscription.next_invoice_at,
        sent=not automatic,
        ends_at=None if subscription.has_ended else ends,
        ended_at=subscription.ended_at,
        resumes_at=subscription.resumes_at,
        method=presenting.method_view(None if subscription.method is None else subscription.method.method),
        owed=owed,
        method_url=subscription_url(visit, subscription.id, "/method") if can_pay else None,
        cancel_url=subscription_url(visit, subscription.id, "/cancel") if may_cancel(visit) and going_on else None,
        resume=resume,
    )


def may_cancel(visit: Visit) -> bool:
    """Whether the merchant lets subscriptions be ended in the portal; the link in each receipt does so in any case."""
    return visit.merchant.portal_cancel


def invoice_row(invoice: Invoice, visit: Visit, now: datetime) -> InvoiceRow:
    """An invoice in a list, which leads to its own page."""
    url = presenting.page_url(wiring.settings().public_base_url, "invoice", visit.merchant, invoice.id, invoice.secret)
    standing = _standing(invoice, now)
    late = invoice.due_date is not None and invoice.due_date < local_date(now, visit.merchant.timezone)
    open_ = standing is InvoiceStanding.OPEN
    payable = open_ and is_payable(invoice, visit) and invoice.part.state is PartState.HELD
    return InvoiceRow(
        number=invoice.number or "",
        issued_at=invoice.issued_at or invoice.created_at,
        standing=standing,
        amount=invoice.totals.total,
        url=url,
        due=invoice.amount_due if open_ else None,
        overdue=open_ and late,
        pay_url=f"{url}/pay" if payable else None,
    )


def _standing(invoice: Invoice, now: datetime) -> InvoiceStanding:
    if invoice.status is InvoiceStatus.PAID:
        return InvoiceStanding.PAID
    if invoice.status is InvoiceStatus.VOID:
        return InvoiceStanding.VOID
    on_its_way = any(part.state is PartState.PROCESSING for part in invoice.parts) or is_being_charged(invoice, now)
    return InvoiceStanding.ON_ITS_WAY if on_its_way else InvoiceStanding.OPEN


def _wanted(found: MethodPage | None, visit: Visit, now: datetime) -> Attention | None:
    """What a new method is wanted for."""
    if found is None or not found.owed or not found.can_change:
        return None
    card = subscription_card(found.subscription, visit, now, owed=found.due)
    return Attention(subscription_url(visit, found.subscription.id, "/method"), found.due, card=card)


def _overdue(rows: tuple[InvoiceRow, ...]) -> Attention | None:
    """The oldest invoice of the page that is overdue and can be paid."""
    for row in reversed(rows):
        if row.overdue and row.pay_url is not None and row.due is not None:
            return Attention(row.pay_url, row.due, invoice=row)
    return None


def _charging(subscription: Subscription, invoices: tuple[Invoice, ...], now: datetime) -> Money | None:
    """What is being charged at this moment: the charges whose time has come."""
    due = [each.amount_due for each in invoices if is_being_charged(each, now)]
    return Money.total(due, subscription.currency) if due else None
