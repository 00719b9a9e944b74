"""What Stripe told us: a row per event that is `received` until its effects are in, and `done` with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class IntakeState(StrEnum):
    """Seen is not done: a crash between the two must not lose the event."""

    RECEIVED = "received"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """One event of Stripe's; the id is `stripe_event#{event}`. `data_object` is a hint only: its order is not sure."""

    id: str
    merchant_id: str
    type: str
    account: str | None
    object_id: str
    created_at: datetime
    data_object: Mapping[str, Any]
    state: IntakeState = IntakeState.RECEIVED
    result: str | None = None
    version: int = 0


def stripe_event_id(event_id: str) -> str:
    """Where an event's row lives."""
    return f"stripe_event#{event_id}"
