import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.local.clock import ClockWentBackwards, LocalClock
from infra.local.pump import Job, Pump
from infra.local.reports import Delivered, Due

MINUTE = timedelta(minutes=1)


class Timers:
    """A timers table whose rows the jobs take out."""

    def __init__(self, clock: LocalClock) -> None:
        self.clock = clock
        self.rows: dict[str, datetime] = {}

    def due(self) -> frozenset[str]:
        return frozenset(key for key, at in self.rows.items() if at <= self.clock.now())

    def upcoming(self, after: datetime, until: datetime) -> list[Due]:
        rows = [Due(f"timer {key}", at, key) for key, at in self.rows.items() if after < at <= until]
        return sorted(rows, key=lambda due: due.due)


class Stripe:
    """An outbox; what is in it is delivered by the next look."""

    def __init__(self) -> None:
        self.outbox: list[Delivered] = []

    def deliver_due(self) -> Sequence[Delivered]:
        done, self.outbox = self.outbox, []
        return done

    def waiting(self) -> Sequence[Due]:
        return []


class World:
    """Jobs that do what real ones do: the sweep sends a message for each due timer, the worker takes the timer out."""

    def __init__(self, cloud: Any, clock: LocalClock | None = None, **limits: int) -> None:
        self.cloud = cloud
        self.timers = Timers(cloud.clock)
        self.jobs: dict[str, Job] = {"sweep": self.sweep, "bill": self.work, "charge": self.work, "work": self.work}
        self.jobs["catch_up"] = self.night
        self.nights: list[datetime] = []
        self.stripe = Stripe()
        self.sweeps: list[datetime] = []
        self.done: list[tuple[str, datetime]] = []
        self.broken: dict[str, int] = {}
        self.pump = Pump(
            clock=clock or cloud.clock,
            aws=cloud.server,
            sqs=cloud.sqs,
            queues=tuple(cloud.queues.values()),
            jobs=self.jobs.__getitem__,
            agenda=self.timers,
            webhooks=self.stripe,
            region="us-east-1",
            **limits,
        )

    def sweep(self, event: dict[str, Any], context: Any) -> None:
        assert event["source"] == "aws.events"
        self.sweeps.append(datetime.fromisoformat(event["time"]))
        for key in sorted(self.timers.due()):
            self.cloud.send("work", json.dumps({"record_id": key}))

    def night(self, event: dict[str, Any], context: Any) -> None:
        self.nights.append(datetime.fromisoformat(event["time"]))

    def work(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        failed = []
        for record in event["Records"]:
            key = json.loads(record["body"])["record_id"]
            if self.broken.get(key, 0):
                self.broken[key] -= 1
                logging.getLogger("till.boundary").error(
                    "message_failed", exc_info=ValueError("no"), extra={"message_id": record["messageId"]}
                )
                failed.append(record["messageId"])
            else:
                self.done.append((key, self.cloud.clock.now()))
                self.timers.rows.pop(key, None)
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


@pytest.fixture
def world(cloud: Any) -> World:
    cloud.clock.stand()
    return World(cloud)


def test_settling_does_what_is_due_and_says_what_waits(world: World) -> None:
    now = world.cloud.clock.now()
    world.timers.rows = {"inv_1": now, "inv_2": now + MINUTE}
    report = world.pump.settle()
    assert world.done == [("inv_1", now)]
    assert report.errors == []
    assert report.stopped is None
    assert report.as_json()["waiting"] == [{"what": "timer inv_2", "due": "2027-01-31T20:31:00Z"}]
    assert report.steps == 2


def test_a_message_that_fails_comes_back_within_the_same_settling(world: World) -> None:
    world.timers.rows = {"inv_1": world.cloud.clock.now()}
    world.broken = {"inv_1": 2}
    report = world.pump.settle()
    assert [key for key, _ in world.done] == ["inv_1"]
    assert [(failure.where, failure.id, failure.error) for failure in report.errors] == [
        ("work", "inv_1", "ValueError: no")
    ] * 2
    assert report.waiting == []


def test_a_message_that_keeps_failing_is_dead_and_settling_ends(world: World) -> None:
    world.cloud.send("work", '{"record_id": "mail_1"}')
    world.broken = {"mail_1": 1000}
    report = world.pump.settle()
    assert len(report.errors) == 5
    assert [message["Body"] for message in world.cloud.receive("work", dead=True)] == ['{"record_id": "mail_1"}']
    assert world.done == []


def test_a_timer_that_nobody_can_do_waits_and_settling_ends(world: World) -> None:
    now = world.cloud.clock.now()
    world.timers.rows = {"inv_1": now}
    world.broken = {"inv_1": 1000}
    report = world.pump.settle()
    assert report.stopped is None
    assert report.as_json()["waiting"] == [{"what": "timer inv_1", "due": "2027-01-31T20:30:00Z"}]


def test_a_job_that_raises_fails_its_whole_batch(world: World) -> None:
    world.cloud.send("work", '{"record_id": "mail_1"}')
    world.broken = {"mail_1": 1}

    def explode(event: dict[str, Any], context: Any) -> None:
        world.broken = {}
        world.jobs["work"] = world.work
        raise RuntimeError("out of memory")

    world.jobs["work"] = explode
    report = world.pump.settle()
    assert [(failure.where, failure.error) for failure in report.errors] == [("work", "RuntimeError: out of memory")]
    assert [key for key, _ in world.done] == ["mail_1"]


def test_settling_delivers_webhooks_and_counts_and_tells_what_failed(world: World) -> None:
    world.stripe.outbox = [Delivered("webhook charge.updated", "evt_1"), Delivered("webhook x", "evt_2", "failed: 500")]
    report = world.pump.settle()
    assert [(failure.where, failure.id, failure.error) for failure in report.errors] == [
        ("webhook x", "evt_2", "failed: 500")
    ]
    assert world.stripe.outbox == []


def test_moving_the_clock_settles_at_each_due_time_on_the_way(world: World) -> None:
    start = world.cloud.clock.now()
    world.timers.rows = {"a": start + 10 * MINUTE, "b": start + 3 * MINUTE, "c": start + 20 * MINUTE}
    report = world.pump.move_to(start + 15 * MINUTE)
    assert world.done == [("b", start + 3 * MINUTE), ("a", start + 10 * MINUTE)]
    assert world.cloud.clock.now() == start + 15 * MINUTE
    assert [due.key for due in report.waiting] == ["c"]


def test_a_timer_set_on_the_way_is_met_on_the_way(world: World) -> None:
    start = world.cloud.clock.now()
    world.timers.rows = {"month 1": start + MINUTE}

    def renew(event: dict[str, Any], context: Any) -> dict[str, Any]:
        answer = world.work(event, context)
        n = len(world.done)
        world.timers.rows[f"month {n + 1}"] = start + (n + 1) * MINUTE
        return answer

    world.jobs["work"] = renew
    world.pump.move_to(start + 5 * MINUTE)
    assert world.done == [(f"month {n}", start + n * MINUTE) for n in range(1, 6)]


def test_a_due_timer_that_cannot_be_done_does_not_stop_the_clock(world: World) -> None:
    start = world.cloud.clock.now()
    world.timers.rows = {"stuck": start + MINUTE, "later": start + 2 * MINUTE}
    world.broken = {"stuck": 1000}
    world.pump.move_to(start + 3 * MINUTE)
    assert world.done == [("later", start + 2 * MINUTE)]
    assert world.cloud.clock.now() == start + 3 * MINUTE


def test_the_clock_is_not_moved_backwards_and_nothing_runs(world: World) -> None:
    with pytest.raises(ClockWentBackwards):
        world.pump.move_to(world.cloud.clock.now() - MINUTE)
    assert world.sweeps == []


def test_an_endless_chain_of_work_is_stopped_and_said(cloud: Any) -> None:
    world = World(cloud, max_steps=50)

    def again(event: dict[str, Any], context: Any) -> dict[str, Any]:
        world.cloud.send("work", '{"record_id": "x"}')
        return {"batchItemFailures": []}

    world.cloud.send("work", '{"record_id": "x"}')
    world.jobs["work"] = again
    report = world.pump.settle()
    assert report.stopped == "stopped after 50 steps with work left"


def test_the_schedule_ticks_by_itself_at_each_five_minutes_of_running_time(cloud: Any) -> None:
    now = [datetime(2027, 1, 31, 20, 31, tzinfo=UTC)]
    running = LocalClock(lambda: now[0])
    world = World(cloud, running)
    for seconds in (0, 239, 1, 1, 299):
        now[0] += timedelta(seconds=seconds)
        world.pump.beat()
    assert world.sweeps == [datetime(2027, 1, 31, 20, 35, tzinfo=UTC), datetime(2027, 1, 31, 20, 40, tzinfo=UTC)]


def test_the_schedule_does_not_tick_while_the_clock_stands_but_messages_move(world: World) -> None:
    world.cloud.clock.set(world.cloud.clock.now() + timedelta(days=150))
    world.cloud.send("work", '{"record_id": "mail_1"}')
    world.pump.beat()
    assert world.sweeps == []
    assert [key for key, _ in world.done] == ["mail_1"]


def test_the_nightly_rule_fires_once_when_a_night_has_passed_however_many_did(world: World) -> None:
    start = world.cloud.clock.now()
    assert (start.hour, start.minute) == (20, 30)
    for hours in (0, 5, 6, 24, 24 + 6, 24 * 9):
        world.cloud.clock.set(start + timedelta(hours=hours))
        assert world.pump.settle().errors == []
    assert world.nights == [start + timedelta(hours=hours) for hours in (6, 30, 24 * 9)]


def test_moving_the_clock_a_day_passes_one_night(world: World) -> None:
    start = world.cloud.clock.now()
    world.pump.move_to(start + timedelta(days=1))
    assert world.nights == [start + timedelta(days=1)]
