"""What Stripe told us: a row per event that is `received` until its effects are in, and how far its list was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from chalicelib.domain.ids import derived_id


class IntakeState(StrEnum):
    """Seen is not done: a crash between the two must not lose the event."""

    RECEIVED = "received"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """One event of Stripe's; the id is `stripe_event#{event}`. `data_object` is a hint only: its order is not sure.

    `looks` counts how often the scheduler has tried to finish it, and `look_at` is when it will next; None before the
    first time.
    """

    id: str
    merchant_id: str
    type: str
    account: str | None
    object_id: str
    created_at: datetime
    data_object: Mapping[str, Any]
    state: IntakeState = IntakeState.RECEIVED
    result: str | None = None
    looks: int = 0
    look_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class EventSweep:
    """How far Stripe's own list of a merchant's events has been read; the id is derived from the merchant's.

    Every event up to `swept_to` is done, or kept as received. A run that is not finished has begun at `began`, reads
    back to `since` and goes on after the event `cursor`.
    """

    id: str
    merchant_id: str
    created_at: datetime
    swept_to: datetime | None = None
    began: datetime | None = None
    since: datetime | None = None
    cursor: str | None = None
    version: int = 0


def event_sweep_id(merchant_id: str, created_at: datetime) -> str:
    """Where a merchant's sweep lives; ids sort by when the merchants were made."""
    return derived_id("swp", created_at, f"events#{merchant_id}")


def stripe_event_id(event_id: str) -> str:
    """Where an event's row lives."""
    return f"stripe_event#{event_id}"
