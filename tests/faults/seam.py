"""The machine's own fault seam, which also notes what line of the use cases each call was made for."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from chalicelib.services.ports import Service
from infra.local.faults import Fault, FaultKind, FaultSeam, Life

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
SERVICES = str(ROOT / "chalicelib" / "services")
# The door that all writes go through, and what hands on to the store; who knocked is the line behind them.
_PASSED_OVER = tuple(str(ROOT / "chalicelib" / "services" / name) for name in ("saving.py", "reading_ahead.py"))

_READS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan"})

Site = tuple[str, int]
"""A file below chalicelib/services, and the line that is being executed."""


class WatchedSeam(FaultSeam):
    """Knows on which sides of which calls the program was stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped_at: dict[Site, set[str]] = defaultdict(set)
        self.writes = 0
        """Goes up whenever a write to the database begins, and when it ends."""

    def cross(self, service: Service, operation: str, send: Callable[[], T]) -> T:
        """See Seam."""
        if service != "dynamodb" or operation in _READS:
            return super().cross(service, operation, send)
        self.writes += 1
        try:
            return super().cross(service, operation, send)
        finally:
            self.writes += 1

    def _suffer(self, fault: Fault, life: Life, service: Service, operation: str, send: Callable[[], T]) -> T:
        site = _site()
        if site is not None and fault.kind is FaultKind.KILL:
            self.stopped_at[site].add("after" if fault.effect else "before")
        return super()._suffer(fault, life, service, operation, send)


def _site() -> Site | None:
    frame = sys._getframe(1)
    while True:
        name = frame.f_code.co_filename
        if name.startswith(SERVICES) and name not in _PASSED_OVER:
            return str(Path(name).relative_to(SERVICES)), frame.f_lineno
        if frame.f_back is None:
            return None
        frame = frame.f_back
