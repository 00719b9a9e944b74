"""The fakes together, in the shape that use cases take."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.services.ports import Clock, Ids, Mailer, Pauses, PaymentProvider, Queues, Records, Timers
from tests.fakes.world import NoPauses


@dataclass(frozen=True)
class FakePorts:
    """What `chalicelib.services.ports.Ports` asks for, made of whatever a test passes in."""

    records: Records
    timers: Timers
    clock: Clock
    ids: Ids
    queues: Queues
    stripe: PaymentProvider
    mailer: Mailer
    pauses: Pauses = NoPauses()  # noqa: RUF009 - it has no state
