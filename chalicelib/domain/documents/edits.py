"""Changes of subscriptions that took effect at once: what each came to, kept so that it can be worked out again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.documents.lines import Discount, LineItem
from chalicelib.domain.ids import derived_id
from chalicelib.domain.money.amounts import Money


@dataclass(frozen=True, slots=True)
class SubscriptionEdit:
    """The `number`-th change of a subscription that took effect within a period; it never changes.

    `before` and `after` are the lines as the period bills them, `after` empty where the change ended the period; both
    under the order discount of the period's invoice. `seconds` of `whole` were left. `net` is what it came to: part of
    the next invoice, of the invoice `invoice_id`, or, below zero, `granted` as credit and `forgone` as never paid.
    """

    id: str
    merchant_id: str
    created_at: datetime
    subscription_id: str
    number: int
    index: int
    before: tuple[LineItem, ...]
    after: tuple[LineItem, ...]
    discount: Discount | None
    seconds: int
    whole: int
    net: Money
    granted: Money
    forgone: Money
    invoice_id: str | None = None
    version: int = 0


def edit_id(subscription_id: str, number: int, at: datetime) -> str:
    """The one id of a subscription's n-th change."""
    return derived_id("edit", at, f"{subscription_id}#edit#{number}")
