"""The values that several pages share. Datetimes are aware; every date is shown in the merchant's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.billing.stretches import Stretch
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.pricing import Portion


@dataclass(frozen=True, slots=True)
class MerchantView:
    """The host of the page. `timezone` is an IANA name; addresses of links are absolute https or relative paths."""

    name: str
    slug: str
    timezone: str
    support_email: str | None = None
    logo_url: str | None = None
    statement_name: str | None = None
    legal_name: str | None = None
    address_lines: tuple[str, ...] = ()
    terms_url: str | None = None
    refunds_url: str | None = None
    privacy_url: str | None = None


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing to fix: the form field's name, and the words under it and in the summary."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Decline:
    """A decline as the buyer reads it. `charged_known` is False where "You have not been charged" may not be said."""

    title: str
    text: str
    charged_known: bool


@dataclass(frozen=True, slots=True)
class PartyView:
    """Who a document is made out to."""

    name: str | None
    email: str
    company: str | None = None
    address_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MethodView:
    """What was paid with. `brand` is Stripe's word (`visa`, `amex`) or, for a bank account, the bank's name."""

    kind: Literal["card", "us_bank_account"]
    last4: str
    brand: str | None = None


@dataclass(frozen=True, slots=True)
class LineView:
    """One line as this document bills it.

    `amount` is what the line adds to the document's subtotal: what its units cost before any discount, and zero for a
    line whose first charge is later; `regular_amount` is what it will cost then. `unit_amount` is None where
    the units have no one price: then `portions` tell the units at each price, or are empty where all of them are sold
    for one sum. `discount` is the line's own discount, as a positive amount.
    `first_charge_at` is None for a line that is charged by this document.
    `period_start` and `period_end` (half-open) belong to a line that bills one period of a subscription.
    """

    name: str
    quantity: int
    unit_amount: Money | None
    amount: Money
    description: str | None = None
    discount: Money | None = None
    discount_name: str | None = None
    recurring: Recurrence | None = None
    first_charge_at: datetime | None = None
    regular_amount: Money | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    portions: tuple[Portion, ...] = ()


@dataclass(frozen=True, slots=True)
class DiscountRow:
    """A discount on the whole document, or the sum of what the lines' own discounts take; `amount` is positive."""

    amount: Money
    name: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class FeeRow:
    """A fee on the whole document."""

    name: str
    amount: Money


@dataclass(frozen=True, slots=True)
class TaxRow:
    """One rate's tax on `taxable`. An inclusive one stands under the total and is not added."""

    percent: Decimal
    inclusive: bool
    taxable: Money
    amount: Money
    name: str | None = None


@dataclass(frozen=True, slots=True)
class TotalsView:
    """The rows below the lines: subtotal - discounts + fees + exclusive taxes + rounding = total.

    `credited` is what a credit from before takes off the total, positive; None where there is none.
    """

    subtotal: Money
    total: Money
    discounts: tuple[DiscountRow, ...] = ()
    fees: tuple[FeeRow, ...] = ()
    taxes: tuple[TaxRow, ...] = ()
    rounding: Money | None = None
    credited: Money | None = None


@dataclass(frozen=True, slots=True)
class LaterCharge:
    """What one subscription will charge after today, once per period.

    `amount` is the total of the first charge after today, tax included, and `next_at` when that is made.
    `remaining` counts the charges after today; None goes on until cancelled.
    `steps` are all of them by amount, where they are not all alike; empty where they are.
    `starts_today` says whether today's payment already holds this subscription's first period.
    `cancel_url` is for receipts: the page that ends this subscription.
    """

    amount: Money
    frequency: Frequency
    next_at: datetime
    remaining: int | None = None
    starts_today: bool = True
    name: str | None = None
    cancel_url: str | None = None
    steps: tuple[Stretch, ...] = ()
