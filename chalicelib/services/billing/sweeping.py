"""The scheduler's sweep: reads what is due, and nothing else, and hands it to the queues.

Its cost follows what is due, never what is not. A timer stays until its record's work is done, so what a queue lost
is sent again by the next sweep. What a parked merchant has due stays where it is, and in nobody's way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.timers import SHARDS, Timer, TimerKind
from chalicelib.services.billing.issuing import MOST_TOGETHER
from chalicelib.services.mails import timer_message
from chalicelib.services.ports import Message, Ports, QueueName, QueueUnavailable

PAGE: Final = 200
MOST_AT_ONCE: Final = 20_000
"""Timers handed over by one sweep; what is left is due five minutes later too, and still in order."""
TOLD_AFTER: Final = timedelta(minutes=15)
"""How long the due charges of a parked merchant are still handed over, so that each invoice says why it waits."""
_HELD_BACK: Final = frozenset({TimerKind.BILL_PERIOD, TimerKind.CHARGE_INVOICE})
_EVERY: Final = timedelta(minutes=5)

_QUEUE_OF: Final = {
    TimerKind.CHARGE_INVOICE: QueueName.CHARGES,
    TimerKind.SEND_MAIL: QueueName.WORK,
    TimerKind.EXPIRE_CHECKOUT: QueueName.WORK,
    TimerKind.APPLY_WEBHOOK: QueueName.WORK,
    TimerKind.SWEEP_EVENTS: QueueName.WORK,
    TimerKind.FINISH_REFUND: QueueName.WORK,
}


@dataclass(frozen=True, slots=True)
class Swept:
    """How many timers were due, how many messages that made, and how late the oldest was, in seconds."""

    due: int
    messages: int
    lag_seconds: float


def sweep(ports: Ports, *, enough_time: Callable[[], bool] = lambda: True) -> Swept:
    """Send everything that is due to its queue. Raises StoreUnavailable and QueueUnavailable.

    Between two pages it is asked whether there is `enough_time` for more; what was read by then is sent, and the rest
    is due five minutes later too. Each sweep begins with another shard, so that none is always the one left over.
    """
    now = ports.clock.now()
    due = messages = 0
    oldest = now
    parked = _Parked(ports, now)
    shards = _shards(now)
    for shard in shards:
        if shard != shards[0] and not enough_time():
            break
        billing: dict[str, list[Timer]] = defaultdict(list)
        others: dict[QueueName, list[Message]] = defaultdict(list)
        for timer in _due(ports, shard, now, MOST_AT_ONCE - due, parked, enough_time):
            due += 1
            oldest = min(oldest, timer.due)
            if timer.kind is TimerKind.BILL_PERIOD:
                billing[timer.merchant_id].append(timer)
            else:
                others[_QUEUE_OF[timer.kind]].append(Message(timer_message(timer)))
        for merchant_id, timers in billing.items():
            others[QueueName.BILLING] += _batches(ports, merchant_id, timers, now)
        for queue, batch in others.items():
            ports.queues.send(queue, batch)
            messages += len(batch)
    return Swept(due, messages, (now - oldest).total_seconds())


def hurry_billing(ports: Ports, timer: Timer) -> None:
    """Have one period billed at once. Its timer stands, so where the queue cannot be reached the next sweep does it."""
    try:
        ports.queues.send(QueueName.BILLING, _batches(ports, timer.merchant_id, [timer], ports.clock.now()))
    except QueueUnavailable:
        return


@dataclass(slots=True)
class _Parked:
    """Since when merchants are parked: each is read once a sweep, and only where it has something due."""

    ports: Ports
    now: datetime
    since: dict[str, datetime | None] = field(default_factory=dict)

    def without(self, page: Iterable[Timer]) -> list[Timer]:
        """A page of timers without those that would be handed over in vain."""
        timers = list(page)
        unknown = {each.merchant_id for each in timers if each.kind in _HELD_BACK} - self.since.keys()
        if unknown:
            found = self.ports.records.find_many([(Merchant, each) for each in sorted(unknown)])
            self.since |= dict.fromkeys(unknown) | {each.id: each.parked_at for each in found if each is not None}
        return [each for each in timers if not self._in_vain(each)]

    def _in_vain(self, timer: Timer) -> bool:
        parked_at = self.since.get(timer.merchant_id) if timer.kind in _HELD_BACK else None
        if parked_at is None:
            return False
        return timer.kind is TimerKind.BILL_PERIOD or self.now - max(timer.due, parked_at) > TOLD_AFTER


def _shards(now: datetime) -> list[int]:
    first = int(now.timestamp() // _EVERY.total_seconds()) % SHARDS
    return [(first + shard) % SHARDS for shard in range(SHARDS)]


def _due(
    ports: Ports, shard: int, now: datetime, most: int, parked: _Parked, enough_time: Callable[[], bool]
) -> Iterator[Timer]:
    after: str | None = None
    seen = 0
    while seen < most and (after is None or enough_time()):
        limit = min(PAGE, most - seen)
        page = ports.timers.due_before(shard, now, limit=limit, after=after)
        timers = parked.without(page)
        yield from timers
        if len(page) < limit:
            return
        seen += len(timers)
        after = page[-1].key


def _batches(ports: Ports, merchant_id: str, timers: list[Timer], now: datetime) -> list[Message]:
    """Messages of up to MOST_TOGETHER subscriptions: one merchant is one group, so its numbers are taken in order.

    Each message is new to SQS, which drops what it has seen within five minutes (AWS: SQS exactly-once processing): a
    sweep that sends a timer again must not be swallowed, and doing its work twice changes nothing.
    """
    chunks = [timers[start : start + MOST_TOGETHER] for start in range(0, len(timers), MOST_TOGETHER)]
    return [
        Message(
            {"merchant_id": merchant_id, "timers": [timer_message(timer) for timer in chunk]},
            group=merchant_id,
            dedupe=ports.ids.new("msg", now),
        )
        for chunk in chunks
    ]
