"""What the use cases need of a database: records by id, written in transactions, and timers by due time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from chalicelib.domain.documents.events import Event
    from chalicelib.domain.documents.timers import Timer


class Record(Protocol):
    """What every stored aggregate has. `version` is 0 until the first write and moves by one with each."""

    @property
    def id(self) -> str: ...
    @property
    def merchant_id(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def version(self) -> int: ...


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Insert:
    """Write a record that must not exist yet (`version` 0 in hand, 1 once stored)."""

    record: Record


@dataclass(frozen=True, slots=True)
class Update:
    """Write a record over the version it was read at; stored with `version` + 1."""

    record: Record


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Write nothing, but require that the record still has the version in hand."""

    record: Record


@dataclass(frozen=True, slots=True)
class Append:
    """Write an event; an event of that id must not exist."""

    event: Event


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Put a timer; its key is deterministic, so doing it twice leaves one."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class DropTimer:
    """Remove a timer, if it is there."""

    timer: Timer


Write = Insert | Update | Unchanged | Append | SetTimer | DropTimer

MAX_WRITES = 100
"""Items in one transaction (AWS: TransactWriteItems)."""


class WriteConflict(Exception):
    """A condition failed and nothing was written. `failed` are the positions in `writes` whose condition failed."""

    def __init__(self, failed: tuple[int, ...]) -> None:
        super().__init__(f"conditions failed at {failed}")
        self.failed = failed


class StoreUnavailable(Exception):
    """The store gave no answer that could be believed: it is not known whether the write happened."""


class Index(StrEnum):
    """Sparse indexes, newest first. They find candidates; what is returned is read strongly from the table."""

    BY_MERCHANT = "by_merchant"
    BY_CUSTOMER = "by_customer"
    BY_SUBSCRIPTION = "by_subscription"
    BY_INVOICE = "by_invoice"
    BY_PAYMENT_LINK = "by_payment_link"
    BY_PRODUCT = "by_product"
    BY_HELD = "by_held"
    """What waits for a person, by merchant."""


DEPLOYMENT: Final = "deployment"
"""Whose records those are in BY_MERCHANT that the deployment lists over all merchants."""


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """One page of a list; `last_id` continues it when `has_more`."""

    records: tuple[R, ...]
    has_more: bool
    last_id: str | None


class Records(Protocol):
    """Aggregates by id, read strongly; written only in transactions."""

    def find(self, kind: type[R], record_id: str) -> R | None:
        """The record, or None."""
        ...

    def get(self, kind: type[R], record_id: str) -> R:
        """The record. Raises NotFound."""
        ...

    def find_many(self, wanted: Sequence[tuple[type[Any], str]]) -> list[Any]:
        """The records in the order asked for, None for each that is missing: one round trip for up to 100."""
        ...

    def commit(self, operation_id: str, writes: Sequence[Write]) -> None:
        """All writes or none, at most MAX_WRITES, one per record.

        `operation_id` is this one intention's: a repeat of the same call with the same id, also after a lost
        reply and without any token of the database's, happens once. Raises WriteConflict, StoreUnavailable.
        """
        ...

    def newest(
        self,
        kind: type[R],
        index: Index,
        owner_id: str,
        *,
        limit: int,
        before_id: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Page[R]:
        """A page of one owner's records of one kind, newest first, below `before_id` where given."""
        ...

    def events(self, merchant_id: str, *, limit: int, before_id: str | None = None) -> tuple[tuple[Event, ...], bool]:
        """A page of a merchant's events, newest first, and whether there are more."""
        ...


class Timers(Protocol):
    """The timers table, read by the scheduler."""

    def due_before(self, shard: int, now: datetime, *, limit: int, after: str | None = None) -> list[Timer]:
        """The timers of one shard due at or before `now`, oldest first, strongly consistent, after key `after`."""
        ...

    def drop(self, timer: Timer) -> None:
        """Remove a stale timer; nothing happens where it is gone."""
        ...
