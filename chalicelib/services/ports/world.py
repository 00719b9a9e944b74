"""Time, chance, queues and mail, as the use cases need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class Clock(Protocol):
    """The one source of the time."""

    def now(self) -> datetime:
        """Aware UTC."""
        ...


class Ids(Protocol):
    """The one source of randomness."""

    def new(self, prefix: str, at: datetime) -> str:
        """A prefixed id that sorts by `at`, monotonic within a millisecond."""
        ...

    def secret(self) -> str:
        """128 random bits as 22 characters of base64url, for a page's address."""
        ...


class Pauses(Protocol):
    """How whoever lost a race waits before trying again."""

    def after_loss(self, losses: int) -> None:
        """Wait a moment by chance, on average longer with each loss in a row; `losses` counts them from 1."""
        ...


class QueueName(StrEnum):
    """BILLING is FIFO by merchant; the others are standard queues."""

    BILLING = "billing"
    CHARGES = "charges"
    WORK = "work"


@dataclass(frozen=True, slots=True)
class Message:
    """A message; `group` and `dedupe` are used by the FIFO queue alone."""

    body: Mapping[str, Any]
    group: str | None = None
    dedupe: str | None = None


class QueueUnavailable(Exception):
    """The queue did not take the messages; the timers that asked for them stand, and the next sweep sends them."""


class Queues(Protocol):
    """Where work is handed over."""

    def send(self, queue: QueueName, messages: Sequence[Message]) -> None:
        """Send any number of messages. Raises QueueUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A mail ready to send: plain addresses, both bodies; `key` names the outbox row, for logs and headers."""

    key: str
    from_name: str
    to: str
    subject: str
    text: str
    html: str
    reply_to: str | None = None


class MailRefused(Exception):
    """SES will never take this mail (address or content)."""


class MailUnavailable(Exception):
    """SES did not answer, or not now."""


class Mailer(Protocol):
    """Sends one mail."""

    def send(self, mail: OutgoingMail) -> str:
        """The provider's message id. Raises MailRefused, MailUnavailable."""
        ...
