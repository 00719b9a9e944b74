"""Records that were read together before they were needed: good for one transaction, which decides whether they still
are what they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from chalicelib.services.ports import Record, Records, Write

R = TypeVar("R", bound=Record)

Wanted = tuple[type[Any], str]
"""A kind of record, and the id of the one that is meant."""


class ReadAhead:
    """Records of which some are in hand; whatever is not is asked of the store.

    All is forgotten with the first transaction, won or lost: a second look reads anew, as `until_won` wants it. Only
    for writes that are conditional on each record they are decided from.
    """

    def __init__(self, records: Records, found: Mapping[Wanted, Any]) -> None:
        self._records = records
        self._found = dict(found)
        self.newest = records.newest
        self.events = records.events

    def know(self, kind: type[Any], record_id: str, record: Any) -> None:
        """Take a record for read."""
        self._found[kind, record_id] = record

    def has(self, kind: type[Any], record_id: str) -> bool:
        """Whether it is in hand, be it as one that does not exist."""
        return (kind, record_id) in self._found

    def find(self, kind: type[R], record_id: str) -> R | None:
        """See Records."""
        if (kind, record_id) not in self._found:
            return self._records.find(kind, record_id)
        found: R | None = self._found[kind, record_id]
        return found

    def get(self, kind: type[R], record_id: str) -> R:
        """See Records."""
        found = self._found.get((kind, record_id))
        return self._records.get(kind, record_id) if found is None else found

    def find_many(self, wanted: Sequence[tuple[type[Any], str]]) -> list[Any]:
        """See Records."""
        asked = [each for each in wanted if each not in self._found]
        read = dict(zip(asked, self._records.find_many(asked), strict=True)) if asked else {}
        return [self._found[each] if each in self._found else read[each] for each in wanted]

    def commit(self, operation_id: str, writes: Sequence[Write]) -> None:
        """See Records."""
        self._found.clear()
        self._records.commit(operation_id, writes)
