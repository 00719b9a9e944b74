"""The store: records, events and timers behind their ports. Read strongly; written only in transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from chalicelib.domain.errors import NotFound
from chalicelib.services.ports import OPEN, Index, Page, Record, Seam, StoreUnavailable, TokenLeases, Write
from chalicelib.storage.kinds import Kind, kind_of
from chalicelib.storage.patience import BUSY_TRIES, Patience
from chalicelib.storage.rows import Row, event_from, record_from, timer_from
from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.tables import DirectTables, Tables
from chalicelib.storage.writes import check_writes

if TYPE_CHECKING:
    from pynamodb.connection.base import Connection

    from chalicelib.domain.documents.events import Event
    from chalicelib.domain.documents.timers import Timer
    from chalicelib.storage.queries import Queries

__all__ = ["MAX_BATCH", "MAX_PAGE", "DynamoStore", "StoreConfig"]

R = TypeVar("R", bound=Record)

MAX_BATCH: Final = 100
"""Keys in one BatchGetItem."""
MAX_PAGE: Final = 100
"""Records in one page of a list."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DynamoStore:
    """Records and Timers over three tables. One object serves a process, from any number of threads.

    Records are read by their keys, all is written, and tokens are leased, directly, where the configuration says who
    asks. PynamoDB does the rest, and is imported and connected by the first who needs it: a page that looks or a
    booking does not.
    """

    def __init__(self, config: StoreConfig, *, patience: Patience | None = None, seam: Seam = OPEN) -> None:
        self._config = config
        self._seam = seam
        self._patience = patience or Patience()

    @cached_property
    def _tables(self) -> Tables:
        if self._config.credentials is not None:
            return DirectTables(self._config, self._config.credentials, self._seam)
        from chalicelib.storage.connection import MappedTables

        return MappedTables(self._connection, self._config.records_table)

    @cached_property
    def _connection(self) -> Connection:
        from chalicelib.storage.connection import connect

        return connect(self._config, self._seam)

    @cached_property
    def _queries(self) -> Queries:
        from chalicelib.storage.queries import Queries

        return Queries(self._connection, self._config, self._patience)

    @cached_property
    def token_leases(self) -> TokenLeases:
        """Tokens for calls to Stripe, counted beside the records."""
        from chalicelib.storage.pacing import DynamoTokenLeases

        return DynamoTokenLeases(self._tables, self._config.records_table)

    # --- records

    def find(self, kind: type[R], record_id: str) -> R | None:
        """The record, or None. One GetItem. Raises StoreUnavailable."""
        kind_of(kind)
        row = self._patience.read(partial(self._tables.row, record_id))
        return None if row is None else record_from(kind, row)

    def get(self, kind: type[R], record_id: str) -> R:
        """The record. Raises NotFound, StoreUnavailable."""
        record = self.find(kind, record_id)
        if record is None:
            raise NotFound(kind_of(kind).word)
        return record

    def find_many(self, wanted: Sequence[tuple[type[Any], str]]) -> list[Any]:
        """The records in the order asked for, None for each that is missing. One BatchGetItem for each 100 ids."""
        for kind, _ in wanted:
            kind_of(kind)
        ids = list(dict.fromkeys(record_id for _, record_id in wanted))
        rows: dict[str, Row] = {}
        for start in range(0, len(ids), MAX_BATCH):
            rows.update(self._batch(ids[start : start + MAX_BATCH]))
        found = ((kind, rows.get(record_id)) for kind, record_id in wanted)
        return [None if row is None else record_from(kind, row) for kind, row in found]

    def _batch(self, ids: Sequence[str]) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        tries = 0
        while True:
            found, ids = self._patience.read(partial(self._tables.rows, ids))
            rows.update((row["id"]["S"], row) for row in found)
            # More than 16 MB, or too much at once: DynamoDB says what it left out.
            if not ids:
                return rows
            tries += 1
            if tries >= BUSY_TRIES:
                raise StoreUnavailable(f"DynamoDB left out {len(ids)} records in {tries} tries")
            self._patience.pause(tries)

    def commit(self, operation_id: str, writes: Sequence[Write]) -> None:
        """All writes or none, once for an operation id. Raises WriteConflict, StoreUnavailable.

        Raises ValueError for writes that can never be one transaction, CodecError for a record that has no stored form.
        A repeat is recognised for good where one of the writes is an Insert or an Append. Where all are updates that
        others have written over since, a repeat is a WriteConflict: it still writes nothing.
        """
        from chalicelib.storage.transaction import Transaction

        check_writes(operation_id, writes)
        Transaction.of(self._config, operation_id, writes).commit(self._tables, self._patience)

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
        """A page of one owner's records of one kind, newest first. One Query for ids, one BatchGetItem for the records.

        The times are exclusive. A record that the index has not heard of yet is not in the page; one that is gone, or
        belongs to another by now, leaves a gap in it, so a page may hold fewer than `limit` with more to come.
        """
        known = kind_of(kind)
        if index not in known.owners:
            raise ValueError(f"{known.name} is not found {index}")
        if not 1 <= limit <= MAX_PAGE:
            raise ValueError(f"a page has 1 to {MAX_PAGE} records, not {limit}")
        lowest, highest = _bounds(known, before_id, created_after, created_before)
        if lowest is not None and highest is not None and lowest > highest:
            return Page((), has_more=False, last_id=None)
        # One more than asked for tells whether there are more; the other may be `before_id`, as bounds are inclusive.
        rows = self._queries.in_index(index, known.index_key(owner_id), lowest, highest, limit=limit + 2)
        ids = [found for row in rows if (found := row["id"]["S"]) != before_id]
        records = [
            record
            for record in self.find_many([(kind, record_id) for record_id in ids[:limit]])
            if record is not None
            and known.owners[index](record) == owner_id
            and (created_after is None or record.created_at > created_after)
            and (created_before is None or record.created_at < created_before)
        ]
        has_more = len(ids) > limit
        return Page(tuple(records), has_more, ids[limit - 1] if has_more else None)

    # --- events

    def events(self, merchant_id: str, *, limit: int, before_id: str | None = None) -> tuple[tuple[Event, ...], bool]:
        """A page of a merchant's events, newest first, and whether there are more. One consistent Query."""
        if not 1 <= limit <= MAX_PAGE:
            raise ValueError(f"a page has 1 to {MAX_PAGE} events, not {limit}")
        found = self._queries.events(merchant_id, before_id, limit=limit + 1)
        events = tuple(event_from(row) for row in found)
        return events[:limit], len(events) > limit

    # --- timers

    def due_before(self, shard: int, now: datetime, *, limit: int, after: str | None = None) -> list[Timer]:
        """The timers of one shard due at or before `now`, oldest first, after key `after`. One consistent Query."""
        # Keys begin with the due time; "$" is the character after the "#" that follows it, so `now` itself is due.
        latest = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}$"
        if after is not None and after >= latest:
            return []
        rows = self._queries.timers(shard, after, latest, limit=limit + 1)
        timers = [timer_from(row) for row in rows if row["key"]["S"] != after]
        return timers[:limit]

    def drop(self, timer: Timer) -> None:
        """Remove a stale timer; nothing happens where it is gone. Raises StoreUnavailable."""
        self._queries.drop(timer)


def _bounds(
    kind: Kind, before_id: str | None, after: datetime | None, before: datetime | None
) -> tuple[str | None, str | None]:
    """The lowest and the highest id that can be in a page, both inclusive; the exact times are looked at later."""
    lowest = None if after is None else kind.lowest_id(max(after, _EPOCH))
    limits = [kind.highest_id(max(before, _EPOCH))] if before is not None else []
    if before_id is not None:
        limits.append(before_id)
    return lowest, min(limits, default=None)
