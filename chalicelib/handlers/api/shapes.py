"""The values that resources are made of, as the API writes them: amounts, dates, lines, totals and periods."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, overload

from chalicelib.domain.billing.recurrence import Recurrence, Start, StartType
from chalicelib.domain.billing.schedule import Period
from chalicelib.domain.documents.lines import Discount, Fee, LineItem
from chalicelib.domain.documents.terms import Due
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.pricing import PriceModel, TierTable, model_of
from chalicelib.domain.totals import Totals

if TYPE_CHECKING:
    from chalicelib.handlers.api import answer_parts


@overload
def time_out(at: datetime) -> str: ...


@overload
def time_out(at: datetime | None) -> str | None: ...


def time_out(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def minor(amount: Money | None) -> int | None:
    """Minor units, or null where the amount is not known."""
    return None if amount is None else amount.minor


def percent_out(percent: Decimal) -> str:
    """A percentage as it is sent in: a string, without exponent."""
    return f"{percent:f}"


def line_discount_out(discount: Discount | None) -> answer_parts.PercentOff | answer_parts.AmountOff | None:
    """A discount on a line."""
    if discount is None:
        return None
    if discount.amount is not None:
        return {"amount": discount.amount.minor}
    return {"percent": _percent_of(discount)}


def discount_out(discount: Discount | None) -> answer_parts.PercentOffOrder | answer_parts.AmountOffOrder | None:
    """A discount on an order, which has a name and a duration too."""
    if discount is None:
        return None
    periods = discount.duration
    rest: answer_parts.OrderDiscount = {
        "name": discount.name,
        "duration": periods if isinstance(periods, str) else {"periods": periods},
    }
    if discount.amount is not None:
        return {"amount": discount.amount.minor, **rest}
    return {"percent": _percent_of(discount), **rest}


def fee_out(fee: Fee) -> answer_parts.PercentFee | answer_parts.AmountFee:
    """A fee."""
    if fee.amount is not None:
        return {"name": fee.name, "amount": fee.amount.minor}
    return {"name": fee.name, "percent": _percent_of(fee)}


def _percent_of(part: Discount | Fee) -> str:
    if part.percent is None:
        raise ValueError("neither an amount nor a percentage")
    return percent_out(part.percent)


def due_out(due: Due) -> answer_parts.DueOnDate | answer_parts.DueInDays | answer_parts.DueOnReceipt:
    """Terms, as they are sent in."""
    if due.on is not None:
        return {"date": due.on.isoformat()}
    return {"on_receipt": True} if due.net_days is None else {"net_days": due.net_days}


def start_out(start: Start) -> answer_parts.Start:
    """A start, with the value that its type has."""
    if start.type is StartType.AT_PAYMENT:
        return {"type": start.type}
    if start.type is StartType.ON_DATE:
        return {"type": start.type, "value": start.on.isoformat() if start.on is not None else time_out(start.at)}
    return {"type": start.type, "value": start.count}


def recurrence_out(recurrence: Recurrence) -> answer_parts.Recurrence:
    """A rhythm and its bounds."""
    return {
        "frequency": recurrence.frequency,
        "term": "until_canceled" if recurrence.number_of_payments is None else "fixed",
        "number_of_payments": recurrence.number_of_payments,
        "start": start_out(recurrence.start),
        "anchor_day": recurrence.anchor_day,
    }


def tiers_out(table: TierTable | None) -> list[answer_parts.UnitTier] | list[answer_parts.WholeTier] | None:
    """The tiers of a price; in stairstep an amount is for all of the tier."""
    if table is None:
        return None
    if table.model is PriceModel.STAIRSTEP:
        whole: list[answer_parts.WholeTier] = [
            {"up_to": tier.up_to, "flat_amount": tier.amount.minor} for tier in table.tiers
        ]
        return whole
    each: list[answer_parts.UnitTier] = [
        {"up_to": tier.up_to, "unit_amount": tier.amount.minor} for tier in table.tiers
    ]
    return each


def line_out(line: LineItem) -> answer_parts.Line:
    """A line as it stands on its document. `amount` is before discounts; `unit_amount` is null where tiers price it."""
    tax = line.tax
    return {
        "name": line.name,
        "description": line.description,
        "quantity": line.quantity,
        "unit_amount": minor(line.unit_amount),
        "amount": line.amount.minor,
        "model": model_of(line.pricing),
        "tiers": tiers_out(line.tiers),
        "price": line.price_id,
        "product": line.product_id,
        "discount": line_discount_out(line.discount),
        "tax": None if tax is None else {"percent": percent_out(tax.percent), "inclusive": tax.inclusive},
        "tax_rate": None if tax is None else tax.rate_id,
        "recurring": None if line.recurring is None else recurrence_out(line.recurring),
    }


def covers_out(line: LineItem) -> answer_parts.Span | None:
    """The time that an adjustment is for."""
    if line.covers_from is None or line.covers_to is None:
        return None
    return {"start": time_out(line.covers_from), "end": time_out(line.covers_to)}


def adjustments_out(lines: Sequence[LineItem]) -> list[answer_parts.Adjustment]:
    """Those of the lines that settle changes."""
    return [
        {"name": line.name, "amount": line.amount.minor, "covers": covers_out(line)}
        for line in lines
        if line.adjustment
    ]


def totals_out(totals: Totals) -> answer_parts.Totals:
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


@overload
def period_out(period: Period) -> answer_parts.Period: ...


@overload
def period_out(period: Period | None) -> answer_parts.Period | None: ...


def period_out(period: Period | None) -> answer_parts.Period | None:
    """A period, half-open."""
    if period is None:
        return None
    return {"index": period.index, "start": time_out(period.start), "end": time_out(period.end)}
