"""After the press: the receipt page, and the page that waits for an outcome that is not known yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.money.amounts import Money
from chalicelib.web.views.common import LaterCharge, MerchantView, MethodView
from chalicelib.web.views.invoice import PaymentRow


class ReceiptOutcome(StrEnum):
    """How the press ended."""

    PAID = "paid"
    STORED = "stored"
    """Nothing was due today; the method is stored for later charges."""
    BANK_DEBIT = "bank_debit"
    """A bank payment has begun and settles within days."""


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """What the buyer keeps. `amount` and `at` are of the payment (or, with nothing due, zero and when it was agreed).

    `cancel_url` is the page that ends this receipt's one subscription. Where there are several, each later charge
    has its own instead.
    """

    merchant: MerchantView
    outcome: ReceiptOutcome
    title: str
    amount: Money
    at: datetime
    email: str
    payer_name: str | None = None
    method: MethodView | None = None
    invoice_number: str | None = None
    invoice_url: str | None = None
    later_charges: tuple[LaterCharge, ...] = ()
    cancel_url: str | None = None
    message: str | None = None
    back_url: str | None = None
    manage_url: str | None = None
    """The portal, where its subscriptions are; None where it started none."""
    refunds: tuple[PaymentRow, ...] = ()
    """What of it has gone back since."""


@dataclass(frozen=True, slots=True)
class CheckingPage:
    """The outcome is unknown. The page asks `status_url` (JSON) and leads on as soon as that answers a `location`.

    `status_url` answers `{"status": "checking"}` while nothing is known, else `{"status": ..., "location": url}`.
    `self_url` is this page, for *Check again*: the server redirects from it once it knows.
    """

    merchant: MerchantView
    status_url: str
    self_url: str
    amount: Money | None = None
    email: str | None = None
    card: bool = False
    """A method is being stored, and nothing paid."""
