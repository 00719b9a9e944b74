"""Everything in a FakeStore, as the checker reads it, with rows that a test declares unreadable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.timers import Timer
from chalicelib.services.ports import Unreadable
from chalicelib.storage.kinds import KINDS
from tests.fakes.storage import FakeStore


class FakeInspection:
    """The Inspection port on a FakeStore."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.unreadable: list[Unreadable] = []

    def records(self) -> Iterator[Any]:
        """See Inspection."""
        for kind in KINDS:
            yield from self._store.all(kind.type)
        yield from self.unreadable

    def events(self) -> Iterator[Event | Unreadable]:
        """See Inspection."""
        yield from self._store.all_events()

    def timers(self) -> Iterator[Timer | Unreadable]:
        """See Inspection."""
        yield from self._store.timers
