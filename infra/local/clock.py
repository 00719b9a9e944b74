"""The machine's clock: real time until someone sets it, then standing still, and never going backwards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime


class ClockWentBackwards(ValueError):
    """The time asked for lies before the clock's own; nothing was changed."""

    def __init__(self, now: datetime, asked: datetime) -> None:
        super().__init__(f"the clock shows {now.isoformat()}, which is after {asked.isoformat()}")


def _real_time() -> datetime:
    return datetime.now(UTC)


class LocalClock:
    """One clock for the app, the Stripe sandbox and the queues; safe to use from many threads.

    Calling it is the same as `now()`, since some of its users want a function and others an object.
    """

    def __init__(self, real_time: Callable[[], datetime] = _real_time) -> None:
        self._real_time = real_time
        self._lock = threading.Lock()
        self._stands_at: datetime | None = None

    def now(self) -> datetime:
        """Aware UTC."""
        with self._lock:
            return self._stands_at or self._real_time()

    def __call__(self) -> datetime:
        """Aware UTC."""
        return self.now()

    @property
    def standing(self) -> bool:
        """Whether someone has set the clock since it was last released."""
        with self._lock:
            return self._stands_at is not None

    def set(self, at: datetime) -> None:
        """Stand still at an aware time. Raises ClockWentBackwards, and leaves the clock as it was."""
        with self._lock:
            now = self._stands_at or self._real_time()
            if at < now:
                raise ClockWentBackwards(now, at)
            self._stands_at = at.astimezone(UTC)

    def stand(self) -> datetime:
        """Stand still at the time it is, and say which."""
        with self._lock:
            self._stands_at = self._stands_at or self._real_time()
            return self._stands_at

    def release(self) -> None:
        """Show real time again, the one way back; only for a machine that forgets everything else as well."""
        with self._lock:
            self._stands_at = None
