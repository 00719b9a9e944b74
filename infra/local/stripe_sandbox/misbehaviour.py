"""Being told to misbehave: answer an error with or without having acted, or lose the reply."""

import threading
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class Misbehaviour:
    """What goes wrong at the `nth` matching call from now, `times` times.

    `operation` is `POST /v1/payment_intents/{id}/confirm`, or `*` for all; `status` None loses the reply (the
    connection closes unanswered); `effect` says whether the endpoint acted.
    """

    operation: str
    status: int | None
    effect: bool
    nth: int = 1
    times: int = 1


class Misbehaviours:
    """The misbehaviours that still lie ahead."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._ahead: Final[list[Misbehaviour]] = []

    def add(self, misbehaviour: Misbehaviour) -> None:
        """Have one call, or several, go wrong."""
        with self._lock:
            self._ahead.append(misbehaviour)

    def clear(self) -> None:
        """Behave again."""
        with self._lock:
            self._ahead.clear()

    def meet(self, operation: str) -> Misbehaviour | None:
        """Count one call, and return what goes wrong with it."""
        with self._lock:
            met = None
            for candidate in list(self._ahead):
                if candidate.operation not in ("*", operation):
                    continue
                candidate.nth -= 1
                if candidate.nth > 0 or met is not None:
                    continue
                met = candidate
                candidate.times -= 1
                if candidate.times == 0:
                    self._ahead.remove(candidate)
            return met
