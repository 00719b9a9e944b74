"""What is due and when, as the pump asks for it: the timers table, and Stripe's undelivered webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from chalicelib.domain.documents.timers import SHARDS, Timer
from chalicelib.services.ports import Timers
from infra.local.clock import LocalClock
from infra.local.reports import Delivered, Due
from infra.local.stripe_sandbox.sandbox import StripeSandbox

_LOOK_AHEAD: Final = 25
"""Timers read of each shard: enough to notice progress and to show what comes, whatever the table holds."""


class TimerAgenda:
    """The timers table through the app's own port."""

    def __init__(self, timers: Timers, clock: LocalClock) -> None:
        self._timers = timers
        self._clock = clock

    def due(self) -> frozenset[str]:
        """Keys of the oldest timers of each shard that are due now."""
        now = self._clock.now()
        return frozenset(
            timer.key for shard in range(SHARDS) for timer in self._timers.due_before(shard, now, limit=_LOOK_AHEAD)
        )

    def upcoming(self, after: datetime, until: datetime) -> list[Due]:
        """The next timers after one time and up to another, soonest first."""
        behind = _last_key_at(after)
        found: list[Timer] = []
        for shard in range(SHARDS):
            found += self._timers.due_before(shard, until, limit=_LOOK_AHEAD, after=behind)
        return sorted(
            (Due(f"timer {timer.kind} {timer.record_id}", timer.due, timer.key) for timer in found),
            key=lambda due: due.key,
        )


def _last_key_at(at: datetime) -> str:
    """A key behind those of every timer due at `at`: theirs go on with a `#`, and `$` is the character after that."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z$"


class SandboxWebhooks:
    """The sandbox's outbox."""

    def __init__(self, sandbox: StripeSandbox) -> None:
        self._sandbox = sandbox

    def deliver_due(self) -> Sequence[Delivered]:
        """Try what is due, once."""
        return [
            Delivered(
                what=f"{done.what} {done.type}",
                id=done.subject,
                error=None if done.error is None else f"{done.outcome}, status {done.status}: {done.error}",
            )
            for done in self._sandbox.deliver_due()
        ]

    def waiting(self) -> Sequence[Due]:
        """Events not delivered yet, soonest first."""
        return [
            Due(entry["what"], datetime.fromisoformat(entry["due"]), entry["what"]) for entry in self._sandbox.waiting()
        ]
