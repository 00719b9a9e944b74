"""Invoices: what is owed. Every charge is for an invoice, and what was issued never changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from chalicelib.domain.billing.schedule import Period
from chalicelib.domain.documents.checkouts import Consent
from chalicelib.domain.documents.lines import Discount, Fee, LineItem
from chalicelib.domain.documents.methods import Method
from chalicelib.domain.documents.parts import Part
from chalicelib.domain.machines import INVOICE, InvoiceAction, InvoiceStatus, PartState
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.totals import Totals


class Collection(StrEnum):
    """Whether an invoice is charged to the stored method or sent for payment."""

    AUTOMATIC = "automatic"
    SEND = "send"


class CollectionBlock(StrEnum):
    """Why an open automatic invoice is not being charged."""

    NO_PAYMENT_METHOD = "no_payment_method"
    DISCONNECTED = "disconnected"
    HELD = "held"
    UNPAID = "unpaid"
    PARKED = "parked"


class Source(StrEnum):
    """What an invoice came from."""

    PAYMENT_LINK = "payment_link"
    QUOTE = "quote"
    INVOICE = "invoice"
    SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True)
class LinePeriod:
    """Which period of which subscription a line pays for; `position` counts the invoice's lines from 0."""

    position: int
    subscription_id: str
    period: Period


@dataclass(frozen=True, slots=True)
class Party:
    """A seller or a buyer as frozen onto an issued document."""

    name: str
    email: str | None = None
    legal_name: str | None = None
    address_lines: tuple[str, ...] = ()
    tax_id: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Who stood on the document when it was issued."""

    seller: Party
    buyer: Party
    timezone: str


@dataclass(frozen=True, slots=True)
class Invoice:
    """One invoice. `number`, `snapshot` and `issued_at` come with issuing and never change after it.

    `subscription_id` and `period` are set when one subscription's period is all that it bills; otherwise
    `line_periods` tells each line's. `charge_at` is when its timer stands, the next step of its collection: a try, the
    end of its ladder, or the end of the day a sent one is due; None when nothing is to come.
    `amount_credited` is what the subscription's credit balance took over when it was issued. `edit_number` is set where
    it bills no period but one change of the subscription, at once.
    `consent` is what the buyer who is paying it agreed to about later charges; `stripe_customer_id` whom it is paid by;
    `also_charges` are the past-due invoices that their page said will be charged to the same method.
    `ladder` are the days of its dunning, copied when it failed first; `gives_up_at` is the last of them. `asked_at` is
    `charge_at` where somebody asked for that try and it is no step of the ladder.
    """

    id: str
    merchant_id: str
    secret: str
    customer_id: str
    currency: str
    lines: tuple[LineItem, ...]
    totals: Totals
    source: Source
    collection: Collection
    created_at: datetime
    status: InvoiceStatus = InvoiceStatus.DRAFT
    discount: Discount | None = None
    fees: tuple[Fee, ...] = ()
    number: str | None = None
    snapshot: Snapshot | None = None
    issued_at: datetime | None = None
    due_date: date | None = None
    paid_at: datetime | None = None
    amount_paid: Money | None = None
    amount_credited: Money | None = None
    parts: tuple[Part, ...] = ()
    charge_at: datetime | None = None
    collection_blocked: CollectionBlock | None = None
    subscription_id: str | None = None
    period: Period | None = None
    line_periods: tuple[LinePeriod, ...] = ()
    edit_number: int | None = None
    payment_link_id: str | None = None
    checkout_id: str | None = None
    paid_with: Method | None = None
    stripe_customer_id: str | None = None
    consent: Consent | None = None
    also_charges: tuple[str, ...] = ()
    failed_first_at: datetime | None = None
    ladder: tuple[int, ...] = ()
    gives_up_at: datetime | None = None
    asked_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    version: int = 0

    @property
    def part(self) -> Part:
        """The part that is charged next: the newest."""
        return self.parts[-1]

    @property
    def paid(self) -> Money:
        """What has been paid, zero included."""
        return self.amount_paid or Money.zero(self.currency)

    @property
    def credited(self) -> Money:
        """What a credit balance took over, zero included."""
        return self.amount_credited or Money.zero(self.currency)

    @property
    def to_pay(self) -> Money:
        """What payments have to come to."""
        return self.totals.total - self.credited

    @property
    def received(self) -> Money:
        """What arrived, refunds not taken off."""
        arrived = (part.amount for part in self.parts if part.state is PartState.PAID)
        return Money.total(arrived, self.currency)

    @property
    def amount_due(self) -> Money:
        """What is still to be paid: nothing once paid or void."""
        if self.status in (InvoiceStatus.PAID, InvoiceStatus.VOID):
            return Money.zero(self.currency)
        return self.to_pay - self.paid

    @property
    def timezone(self) -> str:
        """The zone that its days are counted in, as frozen when it was issued."""
        return "UTC" if self.snapshot is None else self.snapshot.timezone

    def with_part(self, part: Part) -> Invoice:
        """With the part of that number replaced."""
        return replace(self, parts=tuple(part if p.number == part.number else p for p in self.parts))

    def moved(self, action: InvoiceAction) -> Invoice:
        """In the state that an action leads to."""
        return replace(self, status=INVOICE.next(self.status, action))
