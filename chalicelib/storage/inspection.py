"""Reading everything: the three tables scanned from end to end, strongly, a page of at most 1 MB at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar

from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.timers import Timer
from chalicelib.services.ports import OPEN, Record, Seam, Unreadable
from chalicelib.storage.connection import answer, connect
from chalicelib.storage.kinds import KINDS
from chalicelib.storage.patience import Patience
from chalicelib.storage.rows import Row, event_from, record_from, timer_from
from chalicelib.storage.schema import HEAD, StoreConfig

T = TypeVar("T")

SCAN_SECONDS: Final = 30.0
"""For one page of a scan: nobody waits for it, and a megabyte of rows takes longer than one."""

_KINDS: Final = {kind.name: kind for kind in KINDS}


class DynamoInspection:
    """The Inspection port. It never reads an index, so what an index has not heard of yet is there all the same."""

    def __init__(
        self, config: StoreConfig, *, patience: Patience | None = None, seam: Seam = OPEN, page: int | None = None
    ) -> None:
        """`page` is the most rows of one request; None leaves it to DynamoDB's megabyte."""
        self._config = config
        self._connection = connect(config, seam, read_seconds=SCAN_SECONDS)
        self._patience = patience or Patience()
        self._page = page

    def records(self) -> Iterator[Record | Unreadable]:
        """See Inspection."""
        for row in self._rows(self._config.records_table):
            # Under other sort keys stand counters and the like, which belong to no merchant.
            if row["sort"]["S"] == HEAD:
                yield _read(row["id"]["S"], row, _record)

    def events(self) -> Iterator[Event | Unreadable]:
        """See Inspection."""
        for row in self._rows(self._config.events_table):
            yield _read(row["id"]["S"], row, event_from)

    def timers(self) -> Iterator[Timer | Unreadable]:
        """See Inspection. A timer whose key is not its own is unreadable: nobody could ever drop it."""
        for row in self._rows(self._config.timers_table):
            yield _read(row["key"]["S"], row, _timer)

    def _rows(self, table: str) -> Iterator[Row]:
        start: Any = None
        while True:
            scan = partial(
                self._connection.scan, table, limit=self._page, exclusive_start_key=start, consistent_read=True
            )
            found = self._patience.read(partial(answer, scan))
            yield from found["Items"]
            start = found.get("LastEvaluatedKey")
            if not start:
                return


def _read(row_id: str, row: Row, read: Callable[[Row], T]) -> T | Unreadable:
    try:
        return read(row)
    except (ValueError, TypeError, KeyError) as error:
        # The message of such an error can quote what is stored; its type cannot.
        return Unreadable(row_id, type(error).__name__)


def _record(row: Row) -> Record:
    kind = _KINDS[row["kind"]["S"]].type
    record: Record | None = record_from(kind, row)
    if record is None or record.id != row["id"]["S"] or record.merchant_id != row["merchant_id"]["S"]:
        raise ValueError("the row and what is in it do not agree")
    return record


def _timer(row: Row) -> Timer:
    timer = timer_from(row)
    if (str(timer.shard), timer.key) != (row["shard"]["N"], row["key"]["S"]):
        raise ValueError("the timer stands under another's key")
    return timer
