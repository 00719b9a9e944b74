"""Mails: what they are filled with, and what rendering gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.money.amounts import Money
from chalicelib.web.views.common import LaterCharge, LineView, MerchantView, MethodView, TotalsView
from chalicelib.web.views.receipt import ReceiptOutcome


@dataclass(frozen=True, slots=True)
class ReceiptMail:
    """The receipt of one payment. All addresses are absolute; `cancel_url` is as on `ReceiptPage`."""

    merchant: MerchantView
    outcome: ReceiptOutcome
    amount: Money
    at: datetime
    email: str
    receipt_url: str
    lines: tuple[LineView, ...]
    totals: TotalsView
    payer_name: str | None = None
    method: MethodView | None = None
    invoice_number: str | None = None
    invoice_url: str | None = None
    later_charges: tuple[LaterCharge, ...] = ()
    cancel_url: str | None = None
    manage_url: str | None = None
    """The portal, where its subscriptions are; None where it started none."""
    renewal: bool = False
    """Whether the payment was made by schedule, with nobody at the page."""


@dataclass(frozen=True, slots=True)
class InvoiceMail:
    """An invoice that is to be paid on its page. `due_at` is a moment of the day it is due in the merchant's zone."""

    merchant: MerchantView
    amount: Money
    due_at: datetime
    email: str
    invoice_url: str
    invoice_number: str
    lines: tuple[LineView, ...]
    totals: TotalsView


@dataclass(frozen=True, slots=True)
class FailedChargeMail:
    """A renewal that could not be charged. `asks_bank`: the buyer's bank wants them to approve it.

    `code` and `decline_code` are Stripe's. `pay_url` is the invoice's pay page. All addresses are absolute.
    `next_at` is when it is tried again, None where it is not; then `until` is the last day to pay it, and `ends` says
    that the subscription is over or paused after that.
    """

    merchant: MerchantView
    amount: Money
    at: datetime
    email: str
    pay_url: str
    invoice_url: str
    invoice_number: str
    asks_bank: bool = False
    code: str | None = None
    decline_code: str | None = None
    next_at: datetime | None = None
    until: datetime | None = None
    ends: bool = False


@dataclass(frozen=True, slots=True)
class RecoveredMail:
    """Nothing of a subscription is past due any more. `amount` is what was paid last; `invoice_url` is absolute."""

    merchant: MerchantView
    amount: Money
    at: datetime
    email: str
    invoice_url: str
    invoice_number: str


@dataclass(frozen=True, slots=True)
class RefundMail:
    """Money that is on its way back to a buyer. `url` is the invoice's page, absolute."""

    merchant: MerchantView
    amount: Money
    at: datetime
    email: str
    url: str
    invoice_number: str
    method: MethodView | None = None


@dataclass(frozen=True, slots=True)
class SignInMail:
    """A link that opens the portal once. `hours` says how long one is good that leads to a subscription's method.

    `url` is absolute. `subscription_name` is set where the merchant had it sent; otherwise its buyer asked for it.
    """

    merchant: MerchantView
    email: str
    url: str
    minutes: int
    subscription_name: str | None = None
    amount: None = None


@dataclass(frozen=True, slots=True)
class LinkPausedMail:
    """To the operator: a link takes no payments until `until`. `page_url` is the link's page, absolute."""

    merchant: MerchantView
    link_name: str
    at: datetime
    until: datetime
    page_url: str
    amount: None = None


@dataclass(frozen=True, slots=True)
class ParkedMail:
    """To the operator: since `at` nothing is issued or charged by the schedule, for a reason in words."""

    merchant: MerchantView
    at: datetime
    reason: str
    help_url: str
    amount: None = None


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """A mail ready to be sent; the preheader is inside `html`."""

    subject: str
    html: str
    text: str
