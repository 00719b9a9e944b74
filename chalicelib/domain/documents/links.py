"""Payment links: a shareable page that sells its lines, many times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.domain.documents.lines import Discount, Fee, LineItem


@dataclass(frozen=True, slots=True)
class AfterPayment:
    """What the receipt page adds: a message of the merchant's."""

    message: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentLink:
    """A link and the lines it sells. `secret` is the 128-bit part of its page's address."""

    id: str
    merchant_id: str
    secret: str
    name: str
    currency: str
    lines: tuple[LineItem, ...]
    created_at: datetime
    active: bool = True
    discount: Discount | None = None
    fees: tuple[Fee, ...] = ()
    after_payment: AfterPayment = AfterPayment()
    metadata: Mapping[str, str] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class LinkUse:
    """One completed payment of a link, counted by its own row: the id is `use#{link}#{checkout}`."""

    id: str
    merchant_id: str
    payment_link_id: str
    checkout_id: str
    created_at: datetime
    version: int = 0
