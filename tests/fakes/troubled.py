"""A store that gets into trouble when a test says so: commits that are lost, and commits that somebody comes before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chalicelib.services.ports import StoreUnavailable, Write
from tests.fakes.storage import FakeStore


class TroubledStore:
    """Another store's Records, whose commits are counted and can be lost, with their effect or without it."""

    def __init__(self, store: FakeStore) -> None:
        self.commits: list[Sequence[Write]] = []
        self._store = store
        self._lost: dict[int, bool] = {}
        self._before: dict[int, Callable[[], None]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def lose_reply(self, nth: int, *, effect: bool) -> None:
        """The n-th commit from now on has no answer; `effect` says whether it happened."""
        self._lost[len(self.commits) + nth] = effect

    def before(self, nth: int, do: Callable[[], None]) -> None:
        """Somebody does something just before the n-th commit from now on."""
        self._before[len(self.commits) + nth] = do

    def commit(self, operation_id: str, writes: Sequence[Write]) -> None:
        """See Records."""
        self.commits.append(writes)
        number = len(self.commits)
        if do := self._before.pop(number, None):
            do()
        if number not in self._lost:
            self._store.commit(operation_id, writes)
            return
        if self._lost.pop(number):
            self._store.commit(operation_id, writes)
        raise StoreUnavailable("lost")
