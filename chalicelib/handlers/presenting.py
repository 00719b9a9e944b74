"""From records to views: what the pages and mails are filled with. No amount is made here, only carried over."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.domain.billing.coming import next_invoice
from chalicelib.domain.billing.wallclock import local_date
from chalicelib.domain.ids import page_token
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.pricing import Portion, portions_of
from chalicelib.web.views.common import (
    DiscountRow,
    FeeRow,
    LaterCharge,
    LineView,
    MerchantView,
    MethodView,
    PartyView,
    TaxRow,
    TotalsView,
)
from chalicelib.web.words import consent_text

if TYPE_CHECKING:
    from chalicelib.domain.billing.agreement import Plan
    from chalicelib.domain.billing.stretches import Stretch
    from chalicelib.domain.documents.invoices import Invoice, Snapshot
    from chalicelib.domain.documents.lines import LineItem
    from chalicelib.domain.documents.merchants import Merchant
    from chalicelib.domain.documents.methods import Method
    from chalicelib.domain.documents.refunds import Refund
    from chalicelib.domain.documents.subscriptions import Subscription
    from chalicelib.domain.totals import LineTotals, Totals
    from chalicelib.services.checkouts.opening import LinkPage
    from chalicelib.web.views.invoice import PaymentRow
    from chalicelib.web.views.pay import OwedInvoice


def merchant_view(merchant: Merchant) -> MerchantView:
    """The host of a page as it is today."""
    return MerchantView(
        name=merchant.name,
        slug=merchant.slug,
        timezone=merchant.timezone,
        support_email=merchant.support_email,
        statement_name=merchant.statement_name,
        legal_name=merchant.legal_name,
        address_lines=merchant.address_lines,
    )


def seller_view(merchant: Merchant, snapshot: Snapshot) -> MerchantView:
    """The host of a document as it was when the document was issued."""
    seller = snapshot.seller
    return MerchantView(
        name=seller.name,
        slug=merchant.slug,
        timezone=snapshot.timezone,
        support_email=merchant.support_email,
        statement_name=merchant.statement_name,
        legal_name=seller.legal_name,
        address_lines=seller.address_lines,
    )


def method_view(method: Method | None) -> MethodView | None:
    """A method as it is named to its owner; None where too little is known of it."""
    if method is None or method.last4 is None:
        return None
    kind = "us_bank_account" if method.kind == "us_bank_account" else "card"
    return MethodView("card" if kind == "card" else "us_bank_account", method.last4, method.brand)


def invoice_totals(invoice: Invoice) -> TotalsView:
    """The rows below an invoice's lines, with the credit that it took over."""
    shown = totals_view(invoice.totals, invoice.discount.name if invoice.discount else None)
    return replace(shown, credited=invoice.credited) if invoice.credited else shown


def totals_view(totals: Totals, discount_name: str | None = None) -> TotalsView:
    """The rows below the lines, from the one function that made them."""
    nothing = Money.zero(totals.currency)
    by_lines = Money.total((line.line_discount for line in totals.lines), totals.currency)
    by_order = Money.total((line.order_discount for line in totals.lines), totals.currency)
    discounts = []
    if by_lines:
        discounts.append(DiscountRow(by_lines))
    if by_order:
        discounts.append(DiscountRow(by_order, name=discount_name))
    return TotalsView(
        subtotal=totals.subtotal,
        total=totals.total,
        discounts=tuple(discounts),
        fees=tuple(FeeRow(fee.name, fee.amount) for fee in totals.fee_lines),
        taxes=tuple(
            TaxRow(line.percent, line.inclusive, line.taxable, line.amount, line.name) for line in totals.tax_lines
        ),
        rounding=totals.rounding if totals.rounding != nothing else None,
    )


def plan_lines(lines: Sequence[LineItem], agreed: Plan) -> tuple[LineView, ...]:
    """A link's lines as its page shows them: those due today with their amounts, the others with their first date."""
    starts = {position: group.starts_at for group in agreed.groups for position in group.positions}
    views = []
    for position, line in enumerate(lines):
        if position in agreed.due_today_positions:
            place = agreed.due_today_positions.index(position)
            views.append(_line(agreed.due_today_lines[place], agreed.due_today.lines[place]))
        else:
            unit_amount, portions = _priced(line)
            views.append(
                LineView(
                    name=line.name,
                    quantity=line.quantity,
                    unit_amount=unit_amount,
                    amount=Money.zero(line.currency),
                    description=line.description,
                    recurring=line.recurring,
                    first_charge_at=starts[position],
                    regular_amount=line.amount,
                    portions=portions,
                )
            )
    return tuple(views)


def invoice_lines(invoice: Invoice) -> tuple[LineView, ...]:
    """An invoice's lines, each with the period it pays for where there is one."""
    periods = {each.position: each.period for each in invoice.line_periods}
    views = []
    for position, (line, sums) in enumerate(zip(invoice.lines, invoice.totals.lines, strict=True)):
        period = periods.get(position, invoice.period)
        start, end = (None, None) if period is None else (period.start, period.end)
        if line.adjustment:
            start, end = line.covers_from, line.covers_to
        views.append(_line(line, sums, start, end))
    return tuple(views)


def _line(line: LineItem, sums: LineTotals, start: datetime | None = None, end: datetime | None = None) -> LineView:
    unit_amount, portions = _priced(line)
    return LineView(
        name=line.name,
        quantity=line.quantity,
        unit_amount=unit_amount,
        amount=sums.amount,
        description=line.description,
        discount=sums.line_discount if sums.line_discount else None,
        discount_name=line.discount.name if line.discount else None,
        recurring=line.recurring,
        period_start=start,
        period_end=end,
        portions=portions,
    )


def _priced(line: LineItem) -> tuple[Money | None, tuple[Portion, ...]]:
    """The one price of a line's units; or none, and the units at each price where they have several."""
    portions = portions_of(line.pricing, line.quantity)
    return (portions[0].unit_amount, ()) if len(portions) == 1 else (None, portions)


def plan_later_charges(agreed: Plan) -> tuple[LaterCharge, ...]:
    """What a link's page says about later: from the same plan that booking follows."""
    charges = []
    for group in agreed.groups:
        upcoming = group.next_charge
        if upcoming is not None:
            charges.append(
                LaterCharge(
                    amount=upcoming.totals.total,
                    frequency=group.recurrence.frequency,
                    next_at=upcoming.at,
                    remaining=group.payments_left,
                    starts_today=group.first_invoice_index > 0,
                    name=group.lines[0].name,
                    steps=_steps(group.stretches),
                )
            )
    return tuple(charges)


def _steps(all_of_them: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    return all_of_them if len(all_of_them) > 1 else ()


def next_amount(subscription: Subscription) -> Money:
    """What the next invoice of a subscription leaves to be paid."""
    return next_invoice(subscription).due


def shown_digest(
    lines: tuple[LineView, ...],
    totals: TotalsView,
    merchant: Merchant,
    later: tuple[LaterCharge, ...],
    also_owed: tuple[OwedInvoice, ...] = (),
) -> str:
    """What a pay page says of the order, in 32 characters: its lines, its sums and what is charged besides and later.

    Moments count by their day in the merchant's zone, as the page shows them.
    """
    days = [
        None if line.first_charge_at is None else local_date(line.first_charge_at, merchant.timezone) for line in lines
    ]
    words = consent_text(merchant.name, totals.total, later, merchant.timezone)
    shown: tuple[object, ...] = ([replace(line, first_charge_at=None) for line in lines], days, totals, words)
    if also_owed:
        shown = (*shown, also_owed)
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:32]


def link_digest(page: LinkPage, now: datetime) -> str:
    """What a link's page says now."""
    agreed = page.plan_at(now)
    link = page.link
    return shown_digest(
        plan_lines(link.lines, agreed),
        totals_view(agreed.due_today, link.discount.name if link.discount else None),
        page.merchant,
        plan_later_charges(agreed),
    )


def later_charges(subscriptions: Sequence[Subscription], base_url: str, merchant: Merchant) -> tuple[LaterCharge, ...]:
    """What subscriptions will charge from now on, each with the page that ends it.

    Those that are over are left out, and those whose invoices are sent: they charge nothing by themselves.
    """
    from chalicelib.domain.documents.invoices import Collection

    charges = []
    for subscription in subscriptions:
        at = subscription.next_invoice_at
        if at is None or subscription.collection is Collection.SEND:
            continue
        total = subscription.recurrence.number_of_payments
        charges.append(
            LaterCharge(
                amount=next_amount(subscription),
                frequency=subscription.recurrence.frequency,
                next_at=at,
                remaining=None if total is None else total - subscription.next_index,
                starts_today=subscription.next_index > 0,
                name=subscription.lines[0].name,
                cancel_url=page_url(base_url, "cancel", merchant, subscription.id, subscription.secret),
                steps=_steps(subscription.stretches),
            )
        )
    return tuple(charges)


def refund_rows(refunds: Sequence[Refund], method: MethodView | None) -> tuple[PaymentRow, ...]:
    """What went back, as an invoice and its receipt tell it."""
    from chalicelib.web.views.invoice import PaymentRow

    return tuple(
        PaymentRow(refund.ended_at or refund.created_at, refund.amount, method, refunded=True) for refund in refunds
    )


def buyer_view(snapshot: Snapshot) -> PartyView:
    """Whom a document is made out to."""
    return PartyView(
        name=snapshot.buyer.name, email=snapshot.buyer.email or "", address_lines=snapshot.buyer.address_lines
    )


def page_url(base_url: str, kind: str, merchant: Merchant, record_id: str, secret: str) -> str:
    """The absolute address of a record's public page; `kind` is its first path segment."""
    return f"{base_url.rstrip('/')}/{kind}/{merchant.slug}/{page_token(record_id, secret)}"


def portal_url(base_url: str, merchant: Merchant, more: str = "") -> str:
    """The absolute address of a page of a merchant's portal; it holds no secret, and asks who opens it."""
    return f"{base_url.rstrip('/')}/portal/{merchant.slug}{more}"
