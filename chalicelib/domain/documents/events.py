"""Events: facts that happened, written in the transaction of the change they tell of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

EVENT_TYPES: Final[frozenset[str]] = frozenset({
    "api_key.created", "api_key.revoked",
    "account.parked", "account.unparked",
    "account.updated", "product.created", "product.updated", "price.created", "price.updated", "tax_rate.created",
    "tax_rate.updated", "customer.created", "customer.updated", "payment_link.created", "payment_link.updated",
    "checkout.started", "checkout.completed", "checkout.expired", "invoice.issued", "invoice.paid",
    "invoice.payment_failed", "invoice.overdue",
    "subscription.created", "subscription.activated", "subscription.updated", "subscription.past_due",
    "subscription.unpaid", "subscription.recovered", "subscription.paused", "subscription.resumed",
    "subscription.canceled", "subscription.expired",
    "payment.processing", "payment.succeeded", "payment.failed", "payment.settled",
    "refund.created", "refund.succeeded", "refund.failed",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """`data` is JSON: what the record looked like (`object`) and, for updates, what it was before (`previous`).

    `actor` names who did it: `buyer`, `api:{key prefix}`, `scheduler`, `stripe`, `operator`.
    """

    id: str
    merchant_id: str
    type: str
    occurred_at: datetime
    actor: str
    object_id: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.type not in EVENT_TYPES:
            raise ValueError(f"{self.type!r} is not an event that Till knows")
