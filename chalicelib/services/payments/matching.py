"""Money never comes from the browser or from a notice: what Stripe says was paid must be what the record asks for."""

from __future__ import annotations

from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.parts import Part
from chalicelib.services.ports import Intent


class PaymentMismatch(Exception):
    """An intent's amount, currency, customer or mode is not its part's. Never mended by itself: a person looks."""


def require_match(merchant: Merchant, part: Part, intent: Intent, *, customer_id: str | None) -> None:
    """Raises PaymentMismatch unless the intent is exactly what the part asked for."""
    if intent.amount != part.amount:
        raise PaymentMismatch(f"{intent.id} is for another amount than its part")
    if intent.livemode != merchant.livemode:
        raise PaymentMismatch(f"{intent.id} is of the other mode")
    if part.intent_id is not None and part.intent_id != intent.id:
        raise PaymentMismatch(f"{intent.id} is not the part's intent")
    if customer_id is not None and intent.customer_id != customer_id:
        raise PaymentMismatch(f"{intent.id} is of another Stripe customer")
