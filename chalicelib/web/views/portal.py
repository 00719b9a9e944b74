"""The buyers' portal: signing in, what a customer has, and one subscription with its invoices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.machines import SubscriptionStatus
from chalicelib.domain.money.amounts import Money
from chalicelib.web.views.common import Decline, FieldProblem, MerchantView, MethodView
from chalicelib.web.views.invoice import InvoiceStanding


@dataclass(frozen=True, slots=True)
class SignInPage:
    """One e-mail field. `place` is where the link will lead; `again`: the page was open for too long."""

    merchant: MerchantView
    post_url: str
    form_token: str
    place: str = ""
    email: str = ""
    errors: tuple[FieldProblem, ...] = ()
    decline: Decline | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class LinkSentPage:
    """What everybody reads who asked for a link. `self_url` is the page with the field."""

    merchant: MerchantView
    self_url: str
    minutes: int


@dataclass(frozen=True, slots=True)
class OpenPage:
    """Where a mailed link leads: nothing has happened yet, and one press opens the account."""

    merchant: MerchantView
    post_url: str
    form_token: str


@dataclass(frozen=True, slots=True)
class Action:
    """A form with one button: where it is sent, and its token."""

    url: str
    form_token: str


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """One invoice in a list. `amount` is its total, `due` what is still to be paid of it, None where nothing is."""

    number: str
    issued_at: datetime
    standing: InvoiceStanding
    amount: Money
    url: str
    due: Money | None = None
    overdue: bool = False
    pay_url: str | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionCard:
    """One subscription in a few lines. What is None is not shown, or cannot be done.

    `next_at` is when the next charge is made, or the next invoice sent (`sent`); `ends_at` is when a cancellation at
    period end takes effect, `ended_at` when it did. `owed` is what a new method would be charged at once.
    """

    name: str
    status: SubscriptionStatus
    amount: Money
    frequency: Frequency
    since: datetime
    url: str
    next_at: datetime | None = None
    sent: bool = False
    ends_at: datetime | None = None
    ended_at: datetime | None = None
    resumes_at: datetime | None = None
    method: MethodView | None = None
    owed: Money | None = None
    method_url: str | None = None
    cancel_url: str | None = None
    resume: Action | None = None


@dataclass(frozen=True, slots=True)
class Attention:
    """What needs the buyer: one button. `card` is the subscription that wants a method, or `invoice` is to be paid."""

    url: str
    due: Money
    card: SubscriptionCard | None = None
    invoice: InvoiceRow | None = None


@dataclass(frozen=True, slots=True)
class HomePage:
    """Everything of one customer. `older_url` leads to older invoices, `newest_url` back to the first page."""

    merchant: MerchantView
    email: str
    sign_out: Action
    subscriptions: tuple[SubscriptionCard, ...]
    invoices: tuple[InvoiceRow, ...]
    attention: Attention | None = None
    older_url: str | None = None
    newest_url: str | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionPage:
    """One subscription. `stored` says that a method has just been stored, `again` that a press came too late."""

    merchant: MerchantView
    email: str
    sign_out: Action
    home_url: str
    card: SubscriptionCard
    invoices: tuple[InvoiceRow, ...]
    attention: Attention | None = None
    stored: bool = False
    charging: Money | None = None
    again: bool = False
    older_url: str | None = None
    newest_url: str | None = None
