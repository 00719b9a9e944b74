"""Round trips, counted on the wire: what each app sends to its database and to Stripe for one page and one webhook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.probing import Event, message_event, probe
from tests.bench.worlds import World
from tests.wire import Wire


@dataclass(frozen=True)
class Trips:
    """The operations that one request sent, in order."""

    database: tuple[str, ...]
    stripe: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{len(self.database)} + {len(self.stripe)} Stripe" if self.stripe else str(len(self.database))

    @property
    def without_leases(self) -> Trips:
        """Without the tokens of Stripe's pace, of which one lease brings enough for many calls: the only updates."""
        return Trips(tuple(each for each in self.database if each != "UpdateItem"), self.stripe)


def trips_of_till(world: World, folder: Path, endpoint: str) -> tuple[Trips, Trips]:
    """What a pay page and a webhook of Till's send, each as the first request of a process."""
    with Wire(endpoint) as wire:
        side, config = world.till(through=wire.endpoint)
        page = _trips(wire, world, folder, side.environment, side.page)
        webhook = _trips(wire, world, folder, side.environment, side.webhooks[0])
    assert world.booked_by_till(config) == 1
    return page, webhook


def trips_of_straightforward(world: World, folder: Path, endpoint: str) -> tuple[Trips, Trips]:
    """The same of the straightforward app."""
    with Wire(endpoint) as wire:
        side, prefix = world.straightforward(through=wire.endpoint, asks=True)
        page = _trips(wire, world, folder, side.environment, side.page)
        webhook = _trips(wire, world, folder, side.environment, side.webhooks[0])
    assert world.booked_by_straightforward(prefix) == 1
    return page, webhook


def renewal_of_straightforward(world: World, folder: Path, endpoint: str) -> Trips:
    """What the straightforward app sends for a renewal, from the message that one is due to the booked payment."""
    with Wire(endpoint) as wire:
        side, prefix = world.straightforward(through=wire.endpoint, asks=True)
        due = world.subscribe_at_straightforward(prefix)
        wire.forget()
        before = len(world.asked_of_stripe())
        probe("job", folder, side.environment, name="renewals", event=message_event(due))
    assert world.booked_by_straightforward(prefix) == 1
    return Trips(tuple(wire.operations()), tuple(world.asked_of_stripe()[before:]))


def _trips(wire: Wire, world: World, folder: Path, environment: Mapping[str, str], event: Event) -> Trips:
    wire.forget()
    before = len(world.asked_of_stripe())
    probe("warm", folder, environment, warm_up=[], measured=[event])
    return Trips(tuple(wire.operations()), tuple(world.asked_of_stripe()[before:]))
