"""The store in memory: the same conditions, refusals and replays as the real one, held to it by one contract suite."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.timers import Timer
from chalicelib.domain.errors import NotFound
from chalicelib.services.ports import (
    Append,
    DropTimer,
    Index,
    Insert,
    Page,
    Record,
    SetTimer,
    Unchanged,
    Update,
    Write,
    WriteConflict,
)
from chalicelib.storage.codec import from_text, to_text
from chalicelib.storage.kinds import kind_of
from chalicelib.storage.writes import Target, check_writes, target_of

R = TypeVar("R", bound=Record)

MAX_PAGE = 100


@dataclass(frozen=True)
class _Row:
    """A record or an event as text, so that a test never shares an object with the store, nor stores what it cannot."""

    type: type[Any]
    body: str
    version: int
    op: str
    first_op: str

    def value(self) -> Any:
        if self.type is Event:
            return from_text(Event, self.body)
        return from_text(self.type, self.body, version=self.version)


class FakeStore:
    """Records and Timers in memory, for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._rows: dict[Target, _Row] = {}
        self._timers: dict[Target, Timer] = {}

    # --- records

    def find(self, kind: type[R], record_id: str) -> R | None:
        return self.find_many([(kind, record_id)])[0]

    def get(self, kind: type[R], record_id: str) -> R:
        record = self.find(kind, record_id)
        if record is None:
            raise NotFound(kind_of(kind).word)
        return record

    def find_many(self, wanted: Sequence[tuple[type[Any], str]]) -> list[Any]:
        for kind, _ in wanted:
            kind_of(kind)
        with self._lock:
            rows = [(kind, self._rows.get(("records", record_id, ""))) for kind, record_id in wanted]
        return [row.value() if row is not None and row.type is kind else None for kind, row in rows]

    def commit(self, operation_id: str, writes: Sequence[Write]) -> None:
        check_writes(operation_id, writes)
        planned = {target_of(write): self._planned(operation_id, write) for write in writes}
        with self._lock:
            failed = tuple(at for at, write in enumerate(writes) if not self._holds(write))
            if failed:
                if any(self._is_ours(operation_id, target) for target in planned):
                    return
                raise WriteConflict(failed)
            for write, (target, row) in zip(writes, planned.items(), strict=True):
                self._apply(write, target, row)

    def _planned(self, operation_id: str, write: Write) -> _Row | None:
        match write:
            case Insert(record) | Update(record):
                kind_of(type(record))
                body = to_text(record, without="version")
                return _Row(type(record), body, record.version + 1, operation_id, operation_id)
            case Append(event):
                return _Row(Event, to_text(event), 1, operation_id, operation_id)
            case _:
                return None

    def _holds(self, write: Write) -> bool:
        row = self._rows.get(target_of(write))
        match write:
            case Insert() | Append():
                return row is None
            case Update(record) | Unchanged(record):
                return row is not None and row.version == record.version
            case _:
                return True

    def _is_ours(self, operation_id: str, target: Target) -> bool:
        row = self._rows.get(target)
        return row is not None and operation_id in (row.op, row.first_op)

    def _apply(self, write: Write, target: Target, row: _Row | None) -> None:
        if isinstance(write, SetTimer):
            self._timers[target] = write.timer
        elif isinstance(write, DropTimer):
            self._timers.pop(target, None)
        elif row is not None:
            before = self._rows.get(target)
            first_op = row.first_op if before is None else before.first_op
            self._rows[target] = _Row(row.type, row.body, row.version, row.op, first_op)

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
        known = kind_of(kind)
        if index not in known.owners:
            raise ValueError(f"{known.name} is not found {index}")
        if not 1 <= limit <= MAX_PAGE:
            raise ValueError(f"a page has 1 to {MAX_PAGE} records, not {limit}")
        with self._lock:
            records: list[R] = [row.value() for row in self._rows.values() if row.type is kind]
        found = sorted(
            (
                record
                for record in records
                if known.owners[index](record) == owner_id
                and (before_id is None or record.id < before_id)
                and (created_after is None or record.created_at > created_after)
                and (created_before is None or record.created_at < created_before)
            ),
            key=lambda record: record.id,
            reverse=True,
        )
        has_more = len(found) > limit
        return Page(tuple(found[:limit]), has_more, found[limit - 1].id if has_more else None)

    # --- events

    def events(self, merchant_id: str, *, limit: int, before_id: str | None = None) -> tuple[tuple[Event, ...], bool]:
        if not 1 <= limit <= MAX_PAGE:
            raise ValueError(f"a page has 1 to {MAX_PAGE} events, not {limit}")
        with self._lock:
            rows = [row for (part, owner, _), row in self._rows.items() if part == "events" and owner == merchant_id]
        events = sorted((row.value() for row in rows), key=lambda event: event.id, reverse=True)
        found = [event for event in events if before_id is None or event.id < before_id]
        return tuple(found[:limit]), len(found) > limit

    # --- timers

    def due_before(self, shard: int, now: datetime, *, limit: int, after: str | None = None) -> list[Timer]:
        with self._lock:
            timers = [timer for timer in self._timers.values() if timer.shard == shard and timer.due <= now]
        found = sorted((timer for timer in timers if after is None or timer.key > after), key=lambda timer: timer.key)
        return found[:limit]

    def drop(self, timer: Timer) -> None:
        with self._lock:
            self._timers.pop(target_of(DropTimer(timer)), None)

    # --- what tests may look at

    @property
    def timers(self) -> list[Timer]:
        """Every timer that stands, by due time."""
        with self._lock:
            return sorted(self._timers.values(), key=lambda timer: timer.key)

    def all(self, kind: type[R]) -> list[R]:
        """Every record of a kind, by id."""
        with self._lock:
            found: list[R] = [row.value() for row in self._rows.values() if row.type is kind]
        return sorted(found, key=lambda record: record.id)

    def all_events(self) -> list[Event]:
        """Every event of every merchant, by merchant and id."""
        with self._lock:
            targets = sorted(target for target in self._rows if target[0] == "events")
            return [self._rows[target].value() for target in targets]

    # --- what tests may break

    def overwrite(self, *records: Any) -> None:
        """Put records and events as they are, past every condition, as no program of ours could."""
        with self._lock:
            for record in records:
                if isinstance(record, Event):
                    row = _Row(Event, to_text(record), 1, "by hand", "by hand")
                    self._rows["events", record.merchant_id, record.id] = row
                else:
                    body = to_text(record, without="version")
                    self._rows["records", record.id, ""] = _Row(
                        type(record), body, record.version, "by hand", "by hand"
                    )

    def lose(self, *lost: Any) -> None:
        """Take away records, events and timers."""
        with self._lock:
            for one in lost:
                if isinstance(one, Timer):
                    self.drop(one)
                elif isinstance(one, Event):
                    del self._rows["events", one.merchant_id, one.id]
                else:
                    del self._rows["records", one.id, ""]
