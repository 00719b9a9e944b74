"""The pay page: what is sold, what is due today and later, the form as it stands, and what Stripe's script needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from chalicelib.domain.money.amounts import Money
from chalicelib.web.views.common import Decline, FieldProblem, LaterCharge, LineView, MerchantView, TotalsView


@dataclass(frozen=True, slots=True)
class StripeView:
    """What the page's script gives Stripe.js. `account` is None in direct mode.

    `js_url` is Stripe.js's own address, whose origin the page's headers must allow too.
    `mode` is `setup` when nothing is due today. `setup_future_usage` is `off_session` when the method is stored.
    """

    publishable_key: str
    js_url: str
    account: str | None = None
    mode: Literal["payment", "setup"] = "payment"
    setup_future_usage: Literal["off_session"] | None = None
    allowed_payment_method_types: tuple[str, ...] = ("card",)


@dataclass(frozen=True, slots=True)
class CheckoutValues:
    """What the buyer typed, as they typed it."""

    email: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class PaidBefore:
    """What the same browser paid by this link already, so that nobody pays twice by going back."""

    amount: Money
    at: datetime
    receipt_url: str


@dataclass(frozen=True, slots=True)
class OwedInvoice:
    """Another invoice that is past due."""

    number: str
    amount: Money


@dataclass(frozen=True, slots=True)
class PayPage:
    """A link's page, which is its checkout too.

    `title` names what is sold. `due_today` is the amount of the button and of `totals.total`.
    `post_url` takes the form; `checking_url` is where a lost answer leads. `nonce` is the one in the page's headers.
    A pause after too many tries is a `decline` too: `words.too_many_tries_words`. `changed` and `timed_out` say why
    a press led back here. `also_owed` are the invoices that the card which pays this one is charged for as well.
    a press led back here. `replaces` is for the page that stores another method for a subscription.
    """

    merchant: MerchantView
    title: str
    due_today: Money
    lines: tuple[LineView, ...]
    totals: TotalsView
    stripe: StripeView
    nonce: str
    post_url: str
    checking_url: str
    form_token: str
    later_charges: tuple[LaterCharge, ...] = ()
    description: str | None = None
    values: CheckoutValues = CheckoutValues()
    errors: tuple[FieldProblem, ...] = ()
    decline: Decline | None = None
    changed: bool = False
    timed_out: bool = False
    paid_before: PaidBefore | None = None
    billed_to: str | None = None
    also_owed: tuple[OwedInvoice, ...] = ()
    replaces: Literal["card", "nothing"] | None = None
    """The page stores a method instead of paying: what it takes the place of. What is due is charged to it at once."""
    back_url: str | None = None
