"""Rows in the order of their sort keys, and the removal of a timer: by PynamoDB, over as many pages as it takes."""

from __future__ import annotations

from functools import partial
from typing import Any

from pynamodb.connection.base import Connection
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from chalicelib.domain.documents.timers import Timer
from chalicelib.services.ports import Index
from chalicelib.storage.connection import answer
from chalicelib.storage.patience import Patience
from chalicelib.storage.rows import Row, text
from chalicelib.storage.schema import StoreConfig


class Queries:
    """What the store asks for by other things than a record's id."""

    def __init__(self, connection: Connection, config: StoreConfig, patience: Patience) -> None:
        self._connection = connection
        self._config = config
        self._patience = patience

    def in_index(self, index: Index, key: str, lowest: str | None, highest: str | None, *, limit: int) -> list[Row]:
        """Rows of an index under one key, newest first; the bounds of their ids are inclusive."""
        condition: Condition | None = None
        if lowest is not None and highest is not None:
            condition = Path("id").between(text(lowest), text(highest))
        elif highest is not None:
            condition = Path("id") <= text(highest)
        elif lowest is not None:
            condition = Path("id") >= text(lowest)
        return self._rows(self._config.records_table, key, condition, limit=limit, newest_first=True, index=index)

    def events(self, merchant_id: str, before_id: str | None, *, limit: int) -> list[Row]:
        """A merchant's events, newest first, read strongly."""
        below = None if before_id is None else Path("id") < text(before_id)
        return self._rows(self._config.events_table, merchant_id, below, limit=limit, newest_first=True)

    def timers(self, shard: int, after: str | None, latest: str, *, limit: int) -> list[Row]:
        """Timers of a shard by their key, from `after` on and below `latest`, oldest first, read strongly."""
        due = Path("key") < text(latest) if after is None else Path("key").between(text(after), text(latest))
        return self._rows(self._config.timers_table, str(shard), due, limit=limit)

    def drop(self, timer: Timer) -> None:
        """Remove a timer, if it is there."""
        remove = partial(self._connection.delete_item, self._config.timers_table, str(timer.shard), timer.key)
        self._patience.read(partial(answer, remove))

    def _rows(
        self,
        table: str,
        hash_key: str,
        condition: Condition | None,
        *,
        limit: int,
        newest_first: bool = False,
        index: Index | None = None,
    ) -> list[Row]:
        """Rows over as many pages of 1 MB as it takes; strongly but for an index."""
        rows: list[Row] = []
        start: Any = None
        while True:
            query = partial(
                self._connection.query,
                table,
                hash_key,
                range_key_condition=condition,
                consistent_read=index is None,
                exclusive_start_key=start,
                index_name=None if index is None else index.value,
                limit=limit - len(rows),
                scan_index_forward=not newest_first,
            )
            found = self._patience.read(partial(answer, query))
            rows.extend(found["Items"])
            start = found.get("LastEvaluatedKey")
            if not start or len(rows) >= limit:
                return rows
