"""Words on invoices and receipts: methods, taxes, standings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from chalicelib.web.formatting import (
    NBSP,
    days_between,
    format_date,
    format_money,
    format_number,
    format_percent,
    isolate,
)

if TYPE_CHECKING:
    from chalicelib.web.views.common import DiscountRow, LineView, MethodView, TaxRow
    from chalicelib.web.views.invoice import InvoicePage, PaymentRow

_BRANDS: Final[dict[str, str]] = {
    "amex": "American Express",
    "cartes_bancaires": "Cartes Bancaires",
    "diners": "Diners Club",
    "discover": "Discover",
    "eftpos_au": "Eftpos",
    "jcb": "JCB",
    "mastercard": "Mastercard",
    "unionpay": "UnionPay",
    "visa": "Visa",
}

MOST_PORTIONS: Final = 4
"""Tiers that are spelled out under one line."""


def method_words(method: MethodView) -> str:
    """`Visa ending 4242`, `Bank account ending 6789`."""
    if method.kind == "us_bank_account":
        what = isolate(method.brand) if method.brand else "Bank account"
    else:
        what = _BRANDS.get(method.brand or "", "Card")
    return f"{what} ending{NBSP}{method.last4}"


def tax_label(row: TaxRow, locale: str = "en") -> str:
    """`Sales tax 8.875%`; an inclusive one begins with `includes`."""
    label = f"{isolate(row.name) if row.name else 'Tax'} {format_percent(row.percent, locale)}"
    return f"includes {label}" if row.inclusive else label


def discount_label(row: DiscountRow) -> str:
    """`Discount`, with its code or name."""
    called = row.code or row.name
    return f"Discount {isolate(called)}" if called else "Discount"


def units_words(line: LineView, locale: str = "en", times: str = f"{NBSP}×{NBSP}") -> str:
    """`3 × $20.00`, by tiers `5 × $7.00 + 1 × $6.50`, `Quantity 7` for one sum; empty for one unit: that is its price.

    More than a few tiers are no words any more, and only the quantity is said.
    """
    if line.quantity == 1:
        return ""
    if line.unit_amount is not None:
        return f"{format_number(line.quantity, locale)}{times}{format_money(line.unit_amount, locale)}"
    priced = [(portion.quantity, portion.unit_amount) for portion in line.portions]
    if not priced or len(priced) > MOST_PORTIONS:
        return f"Quantity{NBSP}{format_number(line.quantity, locale)}"
    return " + ".join(
        f"{format_number(quantity, locale)}{times}{format_money(price, locale)}"
        for quantity, price in priced
        if price is not None
    )


def line_discount_words(line: LineView, locale: str = "en") -> str:
    """Under a line's name; the amount is taken off among the totals."""
    if not line.discount:
        return ""
    return f"{isolate(line.discount_name or 'Discount')} {format_money(-line.discount, locale)}"


def payment_label(row: PaymentRow, timezone: str, locale: str = "en") -> str:
    """Among an invoice's totals."""
    how = f" with {method_words(row.method)}" if row.method else ""
    return f"Paid {format_date(row.at, timezone, locale)}{how}"


@dataclass(frozen=True, slots=True)
class InvoiceStatus:
    """`tag` names the standing, `tone` picks colour and shape, `text` is the sentence beside it."""

    tag: str
    tone: Literal["warn", "err", "info", "ok", "none"]
    text: str
    title: str


def _days(count: int) -> str:
    return f"1{NBSP}day" if count == 1 else f"{count}{NBSP}days"


def _due(page: InvoicePage, locale: str) -> str:
    day = format_date(page.due_at, page.merchant.timezone, locale)
    left = days_between(page.now, page.due_at, page.merchant.timezone)
    if left > 0:
        return f"Due {day} (in{NBSP}{_days(left)})"
    return f"Due {day} (today)" if left == 0 else f"Was due {day}"


def invoice_status(page: InvoicePage, locale: str = "en") -> InvoiceStatus:
    """Open, overdue, part paid, on its way, paid or void, in words."""
    from chalicelib.web.views.invoice import InvoiceStanding

    zone = page.merchant.timezone
    due = format_money(page.amount_due, locale)
    if page.standing is InvoiceStanding.PAID:
        return InvoiceStatus("Paid", "ok", _paid(page, page.paid_at, locale), "paid")
    if page.standing is InvoiceStanding.VOID:
        when = f" on {format_date(page.voided_at, zone, locale)}" if page.voided_at else ""
        text = f"This invoice was cancelled by {isolate(page.merchant.name)}{when}. There is nothing to pay."
        return InvoiceStatus("Cancelled", "none", text, "cancelled")
    if page.standing is InvoiceStanding.ON_ITS_WAY:
        text = (
            "Your bank payment is on its way. Your bank confirms it within 4 business days. You do not need to do "
            "anything, and you should not pay again. We will write when it arrives, or if it fails."
        )
        return InvoiceStatus("Payment on its way", "info", text, "payment on its way")
    parts = _due(page, locale)
    if page.amount_paid:
        parts += f". {format_money(page.amount_paid, locale)} of {format_money(page.totals.total, locale)} is paid"
    late = days_between(page.due_at, page.now, zone)
    if late > 0:
        return InvoiceStatus(f"Overdue by {_days(late)}", "err", parts, f"{due} overdue")
    return InvoiceStatus("Part paid" if page.amount_paid else "Open", "warn", parts, f"{due} due")


def _paid(page: InvoicePage, at: datetime | None, locale: str) -> str:
    when = format_date(at, page.merchant.timezone, locale) if at else ""
    how = f"with {method_words(page.method)}" if page.method else ""
    return " ".join(part for part in (when, how) if part)
