"""What the checker says: what does not hold, what is not done yet, and how much was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One record for which one invariant (`I1` to `I20`) does not hold."""

    invariant: str
    record_id: str
    message: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.record_id}: {self.message}"


@dataclass(frozen=True, slots=True)
class Undone:
    """Work that was accepted and is not finished, but is known to be: somebody or something will come back to it."""

    record_id: str
    message: str

    def __str__(self) -> str:
        return f"{self.record_id}: {self.message}"


Finding = Violation | Undone


@dataclass(frozen=True, slots=True)
class Report:
    """`counted` tells by name how many of each were looked at; `undone` is no fault, yet nothing may vanish from it."""

    violations: tuple[Violation, ...]
    undone: tuple[Undone, ...]
    counted: Mapping[str, int]

    @property
    def holds(self) -> bool:
        """Whether nothing was found to be wrong."""
        return not self.violations
