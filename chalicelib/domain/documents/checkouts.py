"""Checkouts: one buyer's attempt to pay, holding part, intent and tries until booking moves them onto the invoice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.documents.lines import Discount, Fee, LineItem
from chalicelib.domain.documents.parts import Part
from chalicelib.domain.machines import CHECKOUT, CheckoutAction, CheckoutStatus
from chalicelib.domain.totals import Totals

CHECKOUT_LIFE: Final = timedelta(hours=24)
"""How long an abandoned checkout stays open."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a buyer agreed to about later charges: the words as shown, when, and from where."""

    at: datetime
    text: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Checkout:
    """One buyer's attempt to pay a link.

    The lines are copied at the first submit, and again at each submit until one succeeds. `invoice_id` is the id the
    invoice will have; no invoice exists until booking puts it. `agreed_at` is when the newest submit was claimed: the
    subscriptions it starts are anchored there, in the `timezone` that the page showed. `parts` has the invoice's shape;
    it is empty when nothing is due today.
    """

    id: str
    merchant_id: str
    secret: str
    payment_link_id: str
    invoice_id: str
    email: str
    name: str
    currency: str
    lines: tuple[LineItem, ...]
    totals: Totals
    parts: tuple[Part, ...]
    agreed_at: datetime
    expires_at: datetime
    created_at: datetime
    status: CheckoutStatus = CheckoutStatus.OPEN
    discount: Discount | None = None
    fees: tuple[Fee, ...] = ()
    timezone: str | None = None
    consent: Consent | None = None
    stripe_customer_id: str | None = None
    customer_id: str | None = None
    subscription_ids: tuple[str, ...] = ()
    completed_at: datetime | None = None
    version: int = 0

    @property
    def part(self) -> Part:
        """The one part of a link's checkout."""
        return self.parts[0]

    def with_part(self, part: Part) -> Checkout:
        """With its part replaced."""
        return replace(self, parts=(part,))

    def moved(self, action: CheckoutAction) -> Checkout:
        """In the state that an action leads to."""
        return replace(self, status=CHECKOUT.next(self.status, action))
