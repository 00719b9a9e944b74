"""Round trips of a renewal, from the billing message to the booked payment, on DynamoDB Local and the sandbox.

Not counted, as nothing of them waits for another: the scheduler's reading of timers, the mail that is sent, webhooks,
and the tokens of Stripe's pace, of which one lease brings enough for many calls.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from chalicelib.domain.documents.timers import TimerKind
from tests.races.arena import RENEWS, Arena, Floor
from tests.wire import Wire

TOGETHER = 19
"""Subscriptions that share a transaction."""


@dataclass(frozen=True)
class Renewal:
    """What a renewal sent, on average of those that were due together."""

    issue: Counter[str]
    charge: Counter[str]
    stripe: int
    count: int

    @property
    def database(self) -> float:
        """Calls to the database for each renewal."""
        return (self.issue.total() + self.charge.total()) / self.count

    @property
    def words(self) -> str:
        """`2 + 3 + 2 Stripe`: to issue, to charge, and to Stripe."""
        issue, charge = self.issue.total() / self.count, self.charge.total() / self.count
        return f"{issue:.3g} + {charge:.3g} + {self.stripe / self.count:.3g} Stripe"


def renewal_trips(endpoint: str) -> tuple[Renewal, Renewal]:
    """Of one that is due alone, and of nineteen that are due together."""
    with Wire(endpoint) as wire:
        floor = Floor(wire.endpoint)
        try:
            found = [_renew(floor, wire, count) for count in (1, TOGETHER)]
        finally:
            floor.stop()
    return found[0], found[1]


def _renew(floor: Floor, wire: Wire, count: int) -> Renewal:
    floor.sweep()
    arena = Arena(floor)
    subscriptions = arena.subscribe(count)
    arena.clock.set(RENEWS)
    wire.forget()
    assert arena.issue(0, *subscriptions) == count
    issue = Counter(wire.operations())
    timers = [timer for timer in arena.timers() if timer.kind is TimerKind.CHARGE_INVOICE]
    before = len(floor.sandbox.listing("requests"))
    wire.forget()
    assert [arena.charge(0, timer) for timer in timers] == ["paid"] * count
    charge = Counter(wire.operations())
    asked = len(floor.sandbox.listing("requests")) - before
    arena.check()
    return Renewal(issue, charge, asked, count)
