"""Ports of which one has another in its place."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.services.ports import Clock, Ids, Mailer, Pauses, PaymentProvider, Ports, Queues, Records, Timers


class PortsWith:
    """The ports of a world, each still made when it is first asked for, but for their records."""

    def __init__(self, world: Ports, records: Callable[[Records], Records]) -> None:
        self._world = world
        self._stand_in = records

    @property
    def records(self) -> Records:
        return self._stand_in(self._world.records)

    @property
    def timers(self) -> Timers:
        return self._world.timers

    @property
    def clock(self) -> Clock:
        return self._world.clock

    @property
    def ids(self) -> Ids:
        return self._world.ids

    @property
    def pauses(self) -> Pauses:
        return self._world.pauses

    @property
    def queues(self) -> Queues:
        return self._world.queues

    @property
    def stripe(self) -> PaymentProvider:
        return self._world.stripe

    @property
    def mailer(self) -> Mailer:
        return self._world.mailer
