"""The API's answers as types: what `resources` and `shapes` make is checked against them, and the document is made of
them. Fields may be added, never renamed.

Nothing imports this when a request is answered: the annotations that name these types are never evaluated.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only

from chalicelib.domain.billing.charges import FirstPeriod
from chalicelib.domain.billing.dunning import LadderEnd
from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.documents.invoices import Collection, CollectionBlock, Source
from chalicelib.domain.documents.merchants import ConnectionState
from chalicelib.domain.machines import (
    CheckoutStatus,
    InvoiceStatus,
    PartState,
    SubscriptionStatus,
)
from chalicelib.domain.pricing import PriceModel
from chalicelib.handlers.api.answer_parts import (
    AccountId,
    Adjustment,
    AmountFee,
    AmountOffOrder,
    Attempt,
    CheckoutId,
    Currency,
    CustomerId,
    Date,
    DueInDays,
    DueOnDate,
    DueOnReceipt,
    EventId,
    InvoiceId,
    Line,
    Metadata,
    Minor,
    PaymentLinkId,
    PaymentMethod,
    Percent,
    PercentFee,
    PercentOffOrder,
    Period,
    PriceId,
    ProductId,
    Recurrence,
    Span,
    SubscriptionId,
    TaxRateId,
    Time,
    Totals,
    UnitTier,
    Url,
    WholeTier,
)
from chalicelib.handlers.api.coming_answers import Change as Change
from chalicelib.handlers.api.coming_answers import PendingChange as PendingChange
from chalicelib.handlers.api.coming_answers import Preview as Preview
from chalicelib.handlers.api.coming_answers import Upcoming as Upcoming
from chalicelib.handlers.api.key_answers import ApiKey as ApiKey
from chalicelib.handlers.api.key_answers import NewApiKey as NewApiKey
from chalicelib.handlers.api.keywords import shown
from chalicelib.handlers.api.money_answers import Payment as Payment
from chalicelib.handlers.api.money_answers import Refund as Refund
from chalicelib.handlers.api.money_answers import Settlement as Settlement
from chalicelib.handlers.api.portal_answers import PaymentMethodLink as PaymentMethodLink
from chalicelib.handlers.api.portal_answers import Portal as Portal


class Connection(TypedDict):
    """How far the merchant's Stripe account is."""

    state: ConnectionState
    can_transact: bool
    can_payout: bool


class Dunning(TypedDict):
    """When a charge that failed is tried again, and what becomes of the subscription where none of the tries paid."""

    days: Annotated[list[int], shown("Days after an invoice's first failure.")]
    then: LadderEnd


class Account(TypedDict):
    """The merchant's own profile."""

    id: AccountId
    object: Literal["account"]
    created_at: Time
    metadata: Metadata
    name: str
    timezone: Annotated[str, shown("A name of the IANA time zone database.", examples=["America/New_York"])]
    support_email: str | None
    statement_name: Annotated[str | None, shown("What buyers read on their statements.")]
    legal_name: str | None
    address_lines: list[str]
    portal: Portal
    country: Annotated[str, shown("ISO 3166-1, two letters.", examples=["US"])]
    currency: Currency
    livemode: bool
    connection: Connection
    dunning: Dunning
    parked_at: Annotated[Time | None, shown("Since when nothing is issued or charged by the schedule.")]
    parked_reason: Annotated[str | None, shown("Which of the day's bounds was reached.")]


class Product(TypedDict):
    """Something that is sold. An archived one (not `active`) goes on no new line."""

    id: ProductId
    object: Literal["product"]
    created_at: Time
    metadata: Metadata
    name: str
    description: str | None
    sku: str | None
    image_url: Url | None
    unit_cost: Annotated[Minor | None, shown("What one costs you.")]
    currency: Annotated[Currency, shown("The currency of `unit_cost`; prices have their own.")]
    folder: str | None
    tax_rate: Annotated[TaxRateId | None, shown("The rate of lines that say nothing of tax.")]
    active: bool


class PriceRhythm(TypedDict):
    """How often a price is paid."""

    frequency: Frequency


class Price(TypedDict):
    """What a product costs. What it comes to and how often never changes; an archived one goes on no new line."""

    id: PriceId
    object: Literal["price"]
    created_at: Time
    metadata: Metadata
    product: ProductId
    currency: Currency
    model: PriceModel
    unit_amount: Annotated[Minor | None, shown("What a unit costs in the flat model; null in the others.")]
    tiers: list[UnitTier] | list[WholeTier] | None
    recurring: Annotated[PriceRhythm | None, shown("Null for what is paid once.")]
    nickname: str | None
    active: bool


class TaxRate(TypedDict):
    """A tax. What it comes to never changes; an archived one goes on no new line."""

    id: TaxRateId
    object: Literal["tax_rate"]
    created_at: Time
    metadata: Metadata
    name: str
    percent: Percent
    inclusive: Annotated[bool, shown("Whether prices contain it.")]
    active: bool


class Customer(TypedDict):
    """Somebody who buys."""

    id: CustomerId
    object: Literal["customer"]
    created_at: Time
    metadata: Metadata
    email: str
    name: str | None
    company: str | None
    phone: str | None
    language: str | None
    tax_id: str | None


class AfterPayment(TypedDict):
    """What follows the payment."""

    message: str | None


class ScheduledCharge(TypedDict):
    """A later charge."""

    on: Date
    amount: Minor


class PaymentLink(TypedDict):
    """A page that sells, with what would be charged if it were paid now."""

    id: PaymentLinkId
    object: Literal["payment_link"]
    created_at: Time
    metadata: Metadata
    name: str
    url: Url
    active: bool
    currency: Currency
    lines: list[Line]
    discount: PercentOffOrder | AmountOffOrder | None
    after_payment: AfterPayment
    completed_payments: int
    due_today: Totals
    schedule: Annotated[list[ScheduledCharge], shown("The charges that follow, nearest first.")]


class Checkout(TypedDict):
    """One buyer's attempt to pay."""

    id: CheckoutId
    object: Literal["checkout"]
    created_at: Time
    metadata: Metadata
    status: CheckoutStatus
    payment_link: PaymentLinkId
    customer: CustomerId | None
    invoice: Annotated[InvoiceId | None, shown("Null until the checkout is completed.")]
    subscriptions: list[SubscriptionId]
    email: str | None
    name: str | None
    currency: Currency
    lines: list[Line]
    totals: Totals
    attempts: list[Attempt]
    expires_at: Time
    completed_at: Time | None


class InvoiceLine(Line):
    """A line of an invoice; `period` is its own where lines of several subscriptions stand on it."""

    total: Minor
    subscription: SubscriptionId | None
    period: Period | None
    adjustment: Annotated[bool, shown("Whether it settles a change; its amount may be below zero.")]
    covers: Annotated[Span | None, shown("The time that an adjustment is for.")]


class InvoicePart(TypedDict):
    """A share of an invoice that one payment pays."""

    amount: Minor
    state: PartState


class Invoice(TypedDict):
    """What is owed, and what was paid of it."""

    id: InvoiceId
    object: Literal["invoice"]
    created_at: Time
    metadata: Metadata
    status: InvoiceStatus
    number: Annotated[str | None, shown("Null on a draft.")]
    customer: CustomerId | None
    currency: Currency
    lines: list[InvoiceLine]
    discount: PercentOffOrder | AmountOffOrder | None
    fees: list[PercentFee | AmountFee]
    totals: Totals
    amount_due: Annotated[Minor, shown("Total - credited - paid; 0 when paid or void.")]
    amount_paid: Minor
    amount_credited: Minor
    overdue: bool
    partially_paid: bool
    due_date: Date | None
    issued_at: Time | None
    paid_at: Time | None
    hosted_url: Url
    collection: Collection
    collection_blocked: Annotated[CollectionBlock | None, shown("Why it is not being charged.")]
    source: Source
    subscription: SubscriptionId | None
    period: Period | None
    payment_link: PaymentLinkId | None
    checkout: CheckoutId | None
    parts: list[InvoicePart]
    attempts: list[Attempt]


class Subscription(Recurrence):
    """Lines that are billed again and again."""

    id: SubscriptionId
    object: Literal["subscription"]
    created_at: Time
    metadata: Metadata
    status: SubscriptionStatus
    customer: CustomerId
    currency: Currency
    timezone: str
    lines: list[Line]
    discount: PercentOffOrder | AmountOffOrder | None
    fees: list[PercentFee | AmountFee]
    first_period: Annotated[FirstPeriod, shown("What a first period costs that ends on the anchor day.")]
    collection: Collection
    due: Annotated[DueInDays | DueOnDate | DueOnReceipt, shown("The terms of invoices that are sent.")]
    current_period: Annotated[Period | None, shown("The period that was invoiced last.")]
    next_invoice_at: Time | None
    next_amount: Annotated[Minor | None, shown("What the next invoice will come to; null when there will be none.")]
    payments_made: int
    credit_balance: Annotated[Minor, shown("What later invoices have taken off first.")]
    cancel_at_period_end: bool
    paused_at: Time | None
    resumes_at: Annotated[Time | None, shown("The end of a pause; null where there is none, or no pause.")]
    pending_change: PendingChange | None
    adjustments: Annotated[list[Adjustment], shown("What waits for the next invoice.")]
    canceled_at: Time | None
    ended_at: Time | None
    payment_method: PaymentMethod | None
    collection_blocked: CollectionBlock | None
    payment_link: PaymentLinkId | None
    checkout: CheckoutId | None


class EditPreview(Subscription):
    """A subscription as it would be after a change, what the change comes to, and the invoices that follow."""

    change: Annotated[Change | None, shown("Null where nothing changes within a period.")]
    next_invoices: list[Upcoming]


class ReleasedInvoices(TypedDict):
    """How many held invoices will be charged now."""

    released: int
    has_more: Annotated[bool, shown("Whether there are more of them than one call releases.")]


class Event(TypedDict):
    """Something that happened. `data` has the `object` as it is now and, for changes, what it was before."""

    id: EventId
    object: Literal["event"]
    created_at: Time
    metadata: Metadata
    type: Annotated[str, shown(examples=["invoice.paid"])]
    data: dict[str, Any]
    occurred_at: Time
    actor: Annotated[str, shown("Who did it.", examples=["buyer", "scheduler", "stripe"])]


# --- lists ------------------------------------------------------------------------------------------------------------

ItemT = TypeVar("ItemT")


class Page(TypedDict, Generic[ItemT]):
    """One page of a list, newest first. With a filter a page may hold fewer than `limit` and still have more behind."""

    data: list[ItemT]
    has_more: bool
    next_cursor: Annotated[str | None, shown("What to give as `cursor` for the next page; null on the last.")]
