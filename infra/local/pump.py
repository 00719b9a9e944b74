"""What AWS does between services: clock ticks, messages to workers and back, deliveries of Stripe's webhooks."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from chalice.local import LambdaContext

from infra.local.aws_server import ACCOUNT, AwsServer
from infra.local.clock import ClockWentBackwards, LocalClock
from infra.local.faults import Killed
from infra.local.queues import Queue
from infra.local.reports import Agenda, Due, Failure, Report, Webhooks

TICK: Final = timedelta(minutes=5)
"""How often the schedule rule fires, in time of the clock."""
NIGHT: Final = timedelta(hours=2)
"""When the nightly rule fires, after midnight UTC."""
BEAT_SECONDS: Final = 1.0
"""How often the pump looks by itself, in real time."""
MAX_STEPS: Final = 10_000
MAX_SECONDS: Final = 60.0
_CONFIG: Final = Path(__file__).resolve().parents[2] / ".chalice" / "config.json"
_HTTP_SECONDS: Final = 29
_IDLE_ROUNDS: Final = 1
"""Rounds that changed nothing before what is still due counts as waiting for something else."""

_LOG: Final = logging.getLogger("till.local.pump")

Job = Callable[[dict[str, Any], Any], Any]
"""A Lambda's entry point: event and context."""


class _Heard(logging.Handler):
    """Keeps what a job logs as an error in this thread, since its answer names failed messages without a reason."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._thread = threading.get_ident()
        self.of_message: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the exception, or the message where there is none."""
        if record.thread == self._thread:
            error = record.exc_info[1] if record.exc_info else None
            said = f"{type(error).__name__}: {error}" if error is not None else record.getMessage()
            self.of_message[str(getattr(record, "message_id", ""))] = said


@contextmanager
def _listening() -> Iterator[_Heard]:
    heard = _Heard()
    root = logging.getLogger("till")
    root.addHandler(heard)
    try:
        yield heard
    finally:
        root.removeHandler(heard)


class Pump:
    """Runs by itself once a second of real time, and on request until nothing is due; never both at once.

    While the clock stands the schedule does not tick by itself: no time passes, and a jump is an outage until
    someone settles. Messages and webhooks move all the same.
    """

    def __init__(
        self,
        *,
        clock: LocalClock,
        aws: AwsServer,
        sqs: Any,
        queues: Sequence[Queue],
        jobs: Callable[[str], Job],
        agenda: Agenda,
        webhooks: Webhooks,
        region: str,
        max_steps: int = MAX_STEPS,
        life: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """`life` is what each run of a job lives in."""
        self._clock = clock
        self._aws = aws
        self._sqs = sqs
        self._queues = queues
        self._jobs = jobs
        self._agenda = agenda
        self._webhooks = webhooks
        self._region = region
        self._max_steps = max_steps
        self._life = life
        self.lock = threading.RLock()
        self._stop = threading.Event()
        self._next_tick = _tick_after(clock.now())
        self._next_night = _night_after(clock.now())
        self._thread = threading.Thread(target=self._run, name="pump", daemon=True)

    # --- by itself ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the beat that is running, and begin no other."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def forget(self) -> None:
        """Begin anew after the clock went back to real time; `lock` must be held."""
        self._next_tick = _tick_after(self._clock.now())
        self._next_night = _night_after(self._clock.now())

    def _run(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            with self.lock:
                report = self.beat()
            for failure in report.errors:
                _LOG.warning("%s %s: %s", failure.where, failure.id, failure.error)

    def beat(self) -> Report:
        """One look: the schedule if its time has come, then what the queues and Stripe hold."""
        report = Report()
        now = self._clock.now()
        if not self._clock.standing and now >= self._next_tick:
            self._nightly(report)
            self._sweep(report)
            self._next_tick = _tick_after(now)
        self._drain(report, time.monotonic() + MAX_SECONDS)
        self._deliver(report)
        return report

    # --- on request ---------------------------------------------------------------------------------------------------

    def settle(self) -> Report:
        """Run schedule, queues and webhooks until nothing is due now, within `max_steps` and MAX_SECONDS.

        A failed message comes back at once instead of after its visibility, so that it succeeds or is dead when this
        returns. What stays due although round after round changed nothing is reported as waiting.
        """
        report = Report()
        with self.lock:
            deadline = time.monotonic() + MAX_SECONDS
            self._aws.expire_messages()
            self._next_tick = _tick_after(self._clock.now())
            self._nightly(report)
            idle = 0
            before: frozenset[str] | None = None
            while True:
                self._sweep(report)
                while self._drain(report, deadline) and self._within(report, deadline):
                    self._aws.bring_back()
                delivered = self._deliver(report)
                after = self._agenda.due()
                if not after and not delivered and not self._aws.in_flight():
                    break
                idle = idle + 1 if after == before and not delivered else 0
                if idle >= _IDLE_ROUNDS or not self._within(report, deadline):
                    break
                before = after
            report.waiting = self._waiting()
        return report

    def move_to(self, target: datetime) -> Report:
        """Settle at each time on the way to `target` at which something is due, and at `target` itself.

        Stops early, with the clock where it then stands, when one of the runs does. Raises ClockWentBackwards.
        """
        with self.lock:
            now = self._clock.now()
            if target < now:
                raise ClockWentBackwards(now, target)
            self._clock.stand()
            report = self.settle()
            while report.stopped is None and self._clock.now() < target:
                self._clock.set(self._next_due(target))
                report.add(self.settle())
        return report

    def _next_due(self, target: datetime) -> datetime:
        now = self._clock.now()
        times = [due.due for due in self._agenda.upcoming(now, target)[:1]]
        times += [due.due for due in self._webhooks.waiting() if now < due.due]
        times += [message.back_at for message in self._aws.in_flight() if now < message.back_at]
        return min([*times, target])

    def _waiting(self) -> list[Due]:
        now = self._clock.now()
        timers = self._agenda.upcoming(datetime.min.replace(tzinfo=UTC), now + timedelta(days=366 * 20))
        messages = [
            Due(f"message on {message.queue}", message.back_at, message.message_id) for message in self._aws.in_flight()
        ]
        return sorted([*timers, *self._webhooks.waiting(), *messages], key=lambda due: (due.due, due.key))

    def _within(self, report: Report, deadline: float) -> bool:
        if report.steps >= self._max_steps:
            report.stopped = f"stopped after {report.steps} steps with work left"
        elif time.monotonic() >= deadline:
            report.stopped = f"stopped after {MAX_SECONDS:.0f} seconds with work left"
        return report.stopped is None

    # --- the parts of a round -----------------------------------------------------------------------------------------

    def _nightly(self, report: Report) -> None:
        """Once however many nights went by: a rule does not fire for the time of an outage."""
        now = self._clock.now()
        if now >= self._next_night:
            self._next_night = _night_after(now)
            self._fire("catch_up", report)

    def _sweep(self, report: Report) -> None:
        self._fire("sweep", report)

    def _fire(self, job: str, report: Report) -> None:
        report.steps += 1
        try:
            with self._life():
                self._jobs(job)(_tick(self._clock.now(), self._region), _context(job))
        except (Exception, Killed) as error:  # noqa: BLE001 - Lambda itself ends here, whatever a job raises
            report.errors.append(Failure(job, "", f"{type(error).__name__}: {error}"))

    def _drain(self, report: Report, deadline: float) -> int:
        """Hand every visible message to its worker once; how many there were."""
        handled = 0
        for queue in self._queues:
            while self._within(report, deadline) and (messages := self._receive(queue)):
                self._invoke(queue, messages, report)
                handled += len(messages)
        return handled

    def _receive(self, queue: Queue) -> list[dict[str, Any]]:
        # Never a long poll: the server behind it takes one request at a time.
        answer = self._sqs.receive_message(
            QueueUrl=queue.url,
            MaxNumberOfMessages=queue.plan.batch_size,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            WaitTimeSeconds=0,
        )
        return list(answer.get("Messages", []))

    def _invoke(self, queue: Queue, messages: list[dict[str, Any]], report: Report) -> None:
        event = {"Records": [_record(queue, message, self._region) for message in messages]}
        report.steps += len(messages)
        with _listening() as heard:
            try:
                with self._life():
                    answer = self._jobs(queue.plan.job)(event, _context(queue.plan.job)) or {}
            except (Exception, Killed) as error:  # noqa: BLE001 - Lambda itself ends here; the whole batch comes back
                failed = {message["MessageId"]: f"{type(error).__name__}: {error}" for message in messages}
            else:
                names = [failure["itemIdentifier"] for failure in answer.get("batchItemFailures", [])]
                failed = {name: heard.of_message.get(name, "behind one that failed") for name in names}
        for message in messages:
            if message["MessageId"] not in failed:
                self._sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
        subjects = {message["MessageId"]: _subject(message["Body"]) for message in messages}
        report.errors.extend(Failure(queue.plan.name, subjects[name], error) for name, error in failed.items())

    def _deliver(self, report: Report) -> int:
        delivered = self._webhooks.deliver_due()
        report.steps += len(delivered)
        report.errors.extend(Failure(one.what, one.id, one.error) for one in delivered if one.error is not None)
        return len(delivered)


def _subject(body: str) -> str:
    """The record that a message is about, or the merchant of a batch; what the app sends is always an object."""
    said = json.loads(body)
    return str(said.get("record_id") or said.get("merchant_id"))


def _tick_after(now: datetime) -> datetime:
    """The next full five minutes of the clock."""
    return now - (now - datetime.min.replace(tzinfo=UTC)) % TICK + TICK


def _night_after(now: datetime) -> datetime:
    """The next time that the nightly rule fires."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return next(night for days in (0, 1) if (night := midnight + timedelta(days=days) + NIGHT) > now)


def _tick(now: datetime, region: str) -> dict[str, Any]:
    """A schedule rule's event (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html)."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": [],
        "detail": {},
    }


def _context(job: str) -> LambdaContext:
    seconds = _timeouts().get(job, _HTTP_SECONDS)
    return LambdaContext(function_name=f"till-local-{job}", memory_size=512, max_runtime_ms=1000 * seconds)


@cache
def _timeouts() -> dict[str, int]:
    """How long each Lambda may run, as it is deployed."""
    functions = json.loads(_CONFIG.read_text("utf-8"))["stages"]["production"]["lambda_functions"]
    return {name: int(plan["lambda_timeout"]) for name, plan in functions.items()}


def _record(queue: Queue, message: dict[str, Any], region: str) -> dict[str, Any]:
    """A message in the shape of https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": message.get("MessageAttributes", {}),
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn,
        "awsRegion": region,
    }
