"""In-memory stand-ins for the clock, ids, queues and mail: each keeps its port's promises and shows what it got."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from chalicelib.domain.ids import ulid
from chalicelib.services.ports import (
    MailRefused,
    MailUnavailable,
    Message,
    OutgoingMail,
    QueueName,
    QueueUnavailable,
)

DEDUPE_WINDOW = timedelta(minutes=5)
"""How long a FIFO queue remembers a deduplication id (AWS: SQS, exactly-once processing)."""


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = datetime(2027, 1, 15, 12, tzinfo=UTC)) -> None:
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        """Aware UTC."""
        return self._now

    def set(self, now: datetime) -> None:
        """Stand at another time; aware, and never earlier than the present one."""
        moved = now.astimezone(UTC)
        if now.tzinfo is None or moved < self._now:
            raise ValueError(f"the clock cannot go from {self._now} to {now}")
        self._now = moved

    def advance(self, by: timedelta) -> datetime:
        """Move on; the new time."""
        self.set(self._now + by)
        return self._now


class FakeIds:
    """Ids and secrets in a fixed order: the n-th call gives the same in every run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def new(self, prefix: str, at: datetime) -> str:
        """A prefixed id whose random part counts up."""
        return f"{prefix}_{ulid(at, self._next())}"

    def secret(self) -> str:
        """22 characters of base64url that count up."""
        return base64.urlsafe_b64encode(self._next().to_bytes(16, "big")).decode().rstrip("=")

    def _next(self) -> int:
        with self._lock:
            self._count += 1
            return self._count


class NoPauses:
    """Nobody waits: in one thread, whoever won has finished."""

    def after_loss(self, losses: int) -> None:
        """See Pauses."""


class FakeQueues:
    """Queues that keep what they were given until a test takes it."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._waiting: dict[QueueName, list[Message]] = {name: [] for name in QueueName}
        self._seen: dict[str, datetime] = {}
        self._failures = 0

    def send(self, queue: QueueName, messages: Sequence[Message]) -> None:
        """Send any number of messages. Raises QueueUnavailable, and ValueError for a FIFO message without its ids."""
        if queue is QueueName.BILLING and any(not message.group or not message.dedupe for message in messages):
            raise ValueError("a message of a FIFO queue needs its group and its deduplication id")
        if self._failures:
            self._failures -= 1
            raise QueueUnavailable("the queue was told to fail")
        for message in messages:
            if queue is QueueName.BILLING and not self._is_new(message.dedupe or ""):
                continue
            # Through JSON, as on the wire, so that a tuple or a date in a body shows here and not in production.
            body = json.loads(json.dumps(dict(message.body), allow_nan=False))
            self._waiting[queue].append(Message(body, message.group, message.dedupe))

    def waiting(self, queue: QueueName) -> list[Message]:
        """What was sent and not yet taken, oldest first."""
        return list(self._waiting[queue])

    def bodies(self, queue: QueueName) -> list[dict[str, object]]:
        """The bodies of what is waiting."""
        return [dict(message.body) for message in self._waiting[queue]]

    def take(self, queue: QueueName, limit: int | None = None) -> list[Message]:
        """Remove and return the oldest messages."""
        taken = self._waiting[queue][:limit]
        self._waiting[queue] = self._waiting[queue][len(taken) :]
        return taken

    def fail_next(self, times: int = 1) -> None:
        """Let the next sends raise QueueUnavailable, with nothing sent."""
        self._failures = times

    def _is_new(self, dedupe: str) -> bool:
        now = self._clock.now()
        seen = self._seen.get(dedupe)
        if seen is not None and now - seen < DEDUPE_WINDOW:
            return False
        self._seen[dedupe] = now
        return True


class FakeMailer:
    """A mailer that keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[OutgoingMail] = []
        self._refused: set[str] = set()
        self._failures: list[bool] = []

    def send(self, mail: OutgoingMail) -> str:
        """The provider's message id. Raises MailRefused, MailUnavailable."""
        _refuse_bad_headers(mail)
        if mail.to in self._refused:
            raise MailRefused("the address was told to be refused")
        sent_all_the_same = self._failures.pop(0) if self._failures else None
        if sent_all_the_same is not False:
            self.sent.append(mail)
        if sent_all_the_same is not None:
            raise MailUnavailable("the mailer was told to fail")
        return f"mail-{len(self.sent)}"

    def forget(self) -> None:
        """As new: nothing sent, nothing told."""
        self.sent.clear()
        self._refused.clear()
        self._failures.clear()

    def refuse(self, address: str) -> None:
        """Refuse every mail to an address from now on."""
        self._refused.add(address)

    def fail_next(self, times: int = 1, *, sent: bool = False) -> None:
        """Let the next sends raise MailUnavailable; with `sent` the mail went out and only the answer was lost."""
        self._failures = [sent] * times


def _refuse_bad_headers(mail: OutgoingMail) -> None:
    headers = (mail.from_name, mail.to, mail.subject, mail.reply_to or "", mail.key)
    if any(character in header for header in headers for character in "\r\n\0"):
        raise MailRefused("a header has a line break or a NUL")
    for address in (mail.to, *([mail.reply_to] if mail.reply_to is not None else [])):
        local, at, domain = address.rpartition("@")
        if not (local and at and domain) or any(character in address for character in ' ,;<>"') or "@" in local:
            raise MailRefused("not one plain address")
