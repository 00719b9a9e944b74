"""The machine's clock: the only place in chalicelib that asks what time it is."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Real time."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)
