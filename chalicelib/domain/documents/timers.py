"""Timers: something due at a time. The record decides whether there is anything to do, never the timer."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

SHARDS: Final = 8
"""Over how many partitions timers are spread; a fixed number, since a timer is found again by its shard."""


class TimerKind(StrEnum):
    """What is due, and so which queue carries it."""

    BILL_PERIOD = "bill_period"
    CHARGE_INVOICE = "charge_invoice"
    SEND_MAIL = "send_mail"
    EXPIRE_CHECKOUT = "expire_checkout"
    APPLY_WEBHOOK = "apply_webhook"
    SWEEP_EVENTS = "sweep_events"
    FINISH_REFUND = "finish_refund"


@dataclass(frozen=True, slots=True)
class Timer:
    """Due at `due` for one record. Its key is the due time and the record, so setting it twice makes one timer.

    `subscription_id` and `customer_id` are hints: with them the worker's first read has all that it needs. What they
    name is compared with what the record says, so a wrong one, or none, costs a second read and nothing else.
    """

    kind: TimerKind
    record_id: str
    merchant_id: str
    due: datetime
    subscription_id: str | None = field(default=None, compare=False)
    customer_id: str | None = field(default=None, compare=False)

    @property
    def shard(self) -> int:
        """The partition, from the record's id alone."""
        return zlib.crc32(self.record_id.encode()) % SHARDS

    @property
    def key(self) -> str:
        """The sort key: due time to the microsecond, then kind and record."""
        return f"{self.due:%Y-%m-%dT%H:%M:%S.%fZ}#{self.kind}#{self.record_id}"
