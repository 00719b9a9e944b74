"""Answers about money that moved, as types: payments and refunds. `answers` has them with all the others."""

from __future__ import annotations

from typing import Annotated, Literal

from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only

from chalicelib.domain.documents.invoices import Source
from chalicelib.domain.machines import PaymentStatus, RefundStatus
from chalicelib.handlers.api.answer_parts import (
    Currency,
    CustomerId,
    InvoiceId,
    Metadata,
    Minor,
    PaymentId,
    PaymentLinkId,
    PaymentMethod,
    RefundId,
    SubscriptionId,
    Time,
)
from chalicelib.handlers.api.keywords import shown


class Settlement(TypedDict):
    """What Stripe put onto the merchant's balance, in the balance's currency: gross less refunded less fee is net."""

    currency: Currency
    gross: Minor
    refunded: Annotated[Minor, shown("What refunds took off the balance again.")]
    fee: Annotated[Minor, shown("Stripe's fees. They are not returned with a refund.")]
    net: Minor
    exchange_rate: str | None


class StripeIds(TypedDict):
    """Where to find the payment at Stripe."""

    account: str | None
    payment_intent: str
    charge: str | None
    balance_transaction: str | None


class Payment(TypedDict):
    """Money that came in, or should have."""

    id: PaymentId
    object: Literal["payment"]
    created_at: Time
    metadata: Metadata
    status: PaymentStatus
    amount: Minor
    currency: Currency
    fee: Annotated[Minor | None, shown("Stripe's fee; null until Stripe has captured the payment.")]
    net: Annotated[Minor | None, shown("Amount less refunds and fee, so perhaps below zero; null until captured.")]
    settlement: Settlement | None
    refunded: Annotated[Minor, shown("What has gone back; refunds under way are not in it.")]
    method: Annotated[str | None, shown(examples=["card"])]
    payment_method: PaymentMethod | None
    invoice: InvoiceId
    customer: CustomerId | None
    subscription: SubscriptionId | None
    payment_link: PaymentLinkId | None
    decline_code: str | None
    source: Source
    stripe: StripeIds


class StripeRefundIds(TypedDict):
    """Where to find the refund at Stripe."""

    account: str | None
    refund: Annotated[str | None, shown("Null until Stripe has said that it made it.")]
    balance_transaction: str | None
    failure_balance_transaction: str | None


class Refund(TypedDict):
    """Money that went back, or should. `pending` also while it is not known yet whether Stripe has made it."""

    id: RefundId
    object: Literal["refund"]
    created_at: Time
    metadata: Metadata
    status: RefundStatus
    amount: Minor
    currency: Currency
    payment: PaymentId
    invoice: InvoiceId
    customer: CustomerId | None
    reason: Annotated[str | None, shown(examples=["requested_by_customer"])]
    failure_reason: Annotated[str | None, shown("In Stripe's words.", examples=["expired_or_canceled_card"])]
    made_at: Annotated[Literal["api", "stripe"], shown("Whether it was made here or in Stripe's dashboard.")]
    ended_at: Time | None
    stripe: StripeRefundIds
