"""The values that resources are made of, as the API writes them: amounts, dates, lines, totals and periods."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain.billing.recurrence import Recurrence, Start, StartType
from chalicelib.domain.billing.schedule import Period
from chalicelib.domain.documents.lines import Discount, Fee, LineItem
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.totals import Totals


def time_out(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def minor(amount: Money | None) -> int | None:
    """Minor units, or null where the amount is not known."""
    return None if amount is None else amount.minor


def percent_out(percent: Decimal | None) -> str | None:
    """A percentage as it is sent in: a string, without exponent."""
    return None if percent is None else f"{percent:f}"


def discount_out(discount: Discount | None, *, of_order: bool = True) -> dict[str, Any] | None:
    """A discount; only one on an order has a name and a duration."""
    if discount is None:
        return None
    off: dict[str, Any] = (
        {"percent": percent_out(discount.percent)} if discount.amount is None else {"amount": discount.amount.minor}
    )
    if not of_order:
        return off
    periods = discount.duration
    return {**off, "name": discount.name, "duration": periods if isinstance(periods, str) else {"periods": periods}}


def fee_out(fee: Fee) -> dict[str, Any]:
    """A fee."""
    off = {"percent": percent_out(fee.percent)} if fee.amount is None else {"amount": fee.amount.minor}
    return {"name": fee.name, **off}


def start_out(start: Start) -> dict[str, Any]:
    """A start, with the value that its type has."""
    if start.type is StartType.AT_PAYMENT:
        return {"type": str(start.type)}
    on = start.on.isoformat() if start.on is not None else time_out(start.at)
    return {"type": str(start.type), "value": on if start.type is StartType.ON_DATE else start.count}


def recurrence_out(recurrence: Recurrence) -> dict[str, Any]:
    """A rhythm and its bounds."""
    return {
        "frequency": str(recurrence.frequency),
        "term": "until_canceled" if recurrence.number_of_payments is None else "fixed",
        "number_of_payments": recurrence.number_of_payments,
        "start": start_out(recurrence.start),
        "anchor_day": recurrence.anchor_day,
    }


def line_out(line: LineItem) -> dict[str, Any]:
    """A line as it stands on its document."""
    tax = line.tax
    return {
        "name": line.name,
        "description": line.description,
        "quantity": line.quantity,
        "unit_amount": line.unit_amount.minor,
        "discount": discount_out(line.discount, of_order=False),
        "tax": None if tax is None else {"percent": percent_out(tax.percent), "inclusive": tax.inclusive},
        "recurring": None if line.recurring is None else recurrence_out(line.recurring),
    }


def totals_out(totals: Totals) -> dict[str, Any]:
    """A document's sums."""
    return {
        "subtotal": totals.subtotal.minor,
        "discount": totals.discount.minor,
        "fees": totals.fees.minor,
        "tax": totals.tax.minor,
        "rounding": totals.rounding.minor,
        "total": totals.total.minor,
        "currency": totals.currency,
        "tax_lines": [
            {
                "percent": percent_out(line.percent),
                "inclusive": line.inclusive,
                "taxable": line.taxable.minor,
                "amount": line.amount.minor,
            }
            for line in totals.tax_lines
        ],
    }


def period_out(period: Period | None) -> dict[str, Any] | None:
    """A period, half-open."""
    if period is None:
        return None
    return {"index": period.index, "start": time_out(period.start), "end": time_out(period.end)}
