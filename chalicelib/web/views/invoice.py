"""The hosted invoice: a paper and the box beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.money.amounts import Money
from chalicelib.web.views.common import LineView, MerchantView, MethodView, PartyView, TotalsView


class InvoiceStanding(StrEnum):
    """What the buyer is told about an issued invoice. Overdue and part paid are derived by the page."""

    OPEN = "open"
    ON_ITS_WAY = "on_its_way"
    PAID = "paid"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """Money that has come in (`refunded` False) or gone back; `amount` is positive."""

    at: datetime
    amount: Money
    method: MethodView | None = None
    refunded: bool = False


@dataclass(frozen=True, slots=True)
class InvoicePage:
    """An issued invoice. `now` decides *in 9 days* and *overdue by 6 days*; `due_at` is any moment of the due day.

    `pay_url` is None where it cannot be paid by the buyer now (no button then). `credited` is positive.
    """

    merchant: MerchantView
    number: str
    standing: InvoiceStanding
    buyer: PartyView
    issued_at: datetime
    due_at: datetime
    now: datetime
    lines: tuple[LineView, ...]
    totals: TotalsView
    amount_due: Money
    amount_paid: Money
    payments: tuple[PaymentRow, ...] = ()
    credited: Money | None = None
    paid_at: datetime | None = None
    voided_at: datetime | None = None
    method: MethodView | None = None
    pay_url: str | None = None
    memo: str | None = None
    po_number: str | None = None
