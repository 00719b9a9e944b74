"""What a run of the pump reports, and what it asks of the timers table and of Stripe's side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Due:
    """Something that happens at a time; `key` tells one from the next."""

    what: str
    due: datetime
    key: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """One try at a webhook, or a capture that Stripe made by itself; `error` is None when it went well."""

    what: str
    id: str
    error: str | None = None


class Agenda(Protocol):
    """The timers table, as the machine looks at it."""

    def due(self) -> frozenset[str]:
        """Keys of some of the timers that are due now, the oldest of each shard among them."""
        ...

    def upcoming(self, after: datetime, until: datetime) -> list[Due]:
        """The next timers after one time and up to another, soonest first."""
        ...


class Webhooks(Protocol):
    """The Stripe sandbox, as far as the pump drives it."""

    def deliver_due(self) -> Sequence[Delivered]:
        """Deliver what is due now; one entry for each delivery tried."""
        ...

    def waiting(self) -> Sequence[Due]:
        """Events that are due later, or that nobody has taken yet."""
        ...


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that did not work: the job or queue, the message, and what it said."""

    where: str
    id: str
    error: str


@dataclass(slots=True)
class Report:
    """What a run did; a step is one sweep, one message or one delivery. `stopped` says why it ended early, if so."""

    steps: int = 0
    errors: list[Failure] = field(default_factory=list)
    waiting: list[Due] = field(default_factory=list)
    stopped: str | None = None

    def add(self, other: Report) -> None:
        """Go on where another run, at a later time, ended."""
        self.steps += other.steps
        self.errors.extend(other.errors)
        self.waiting = other.waiting
        self.stopped = other.stopped

    def as_json(self) -> dict[str, Any]:
        """The shape that POST /settle answers with."""
        return {
            "steps": self.steps,
            "errors": [{"where": e.where, "id": e.id, "error": e.error} for e in self.errors],
            "waiting": [{"what": w.what, "due": w.due.isoformat().replace("+00:00", "Z")} for w in self.waiting],
            "stopped": self.stopped,
        }
