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
    """A link and the lines it sells. `secret` is the 128-bit part of its page's address.

    Until `paused_until` nobody may try to pay it: nearly all who tried before that were declined.
    """

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
    paused_until: datetime | None = None
    version: int = 0

    def is_paused(self, now: datetime) -> bool:
        """Whether nobody may try to pay it at this moment."""
        return self.paused_until is not None and now < self.paused_until


@dataclass(frozen=True, slots=True)
class LinkUses:
    """How often a link was paid; apart from the link, so that counting never collides with editing.

    The id is `uses#{link}`. `completed` moves in the transaction that books the payment.
    """

    id: str
    merchant_id: str
    created_at: datetime
    completed: int = 0
    version: int = 0


def link_uses_id(link_id: str) -> str:
    """Where a link's count lives."""
    return f"uses#{link_id}"
