"""The machine's seam: it sends as a deployment's does, until it is told to refuse, lose, or end the program there."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from chalicelib.services.ports import Service
from infra.local.forged import answer_of, cut_off, timed_out

T = TypeVar("T")

ANY: Final = "*"
THROTTLED: Final = 429

MisbehaveAtStripe = Callable[[str, int, bool], None]
"""`misbehave(operation, status, effect)`: have Stripe's next answer to an operation be this error.

Stripe keeps what it answered under the request's idempotency key, 500s included, and only Stripe's side can do that.
"""


class Killed(BaseException):
    """The program ended at the seam. No Exception: nothing of ours may catch it and tidy up."""


class FaultKind(StrEnum):
    """What goes wrong with a call."""

    ERROR = "error"
    TIMEOUT = "timeout"
    LOST_REPLY = "lost_reply"
    THROTTLE = "throttle"
    KILL = "kill"


@dataclass(slots=True)
class Fault:
    """What goes wrong at the `nth` matching call from now, `times` times; `effect` says whether the call happened.

    `service` and `operation` may be ANY; `code` is the HTTP status of an error.
    """

    service: str
    operation: str
    kind: FaultKind
    effect: bool = False
    nth: int = 1
    times: int = 1
    code: int = 500

    def is_for(self, service: str, operation: str) -> bool:
        """Whether a call is one of those that it counts."""
        return self.service in (ANY, service) and self.operation in (ANY, operation)


@dataclass(frozen=True, slots=True)
class Call:
    """One crossing: to whom and for what."""

    service: Service
    operation: str

    def __str__(self) -> str:
        return f"{self.service} {self.operation}"


@dataclass(slots=True)
class Life:
    """One request or one run of a job: what it asked of the world so far, and whether it was killed.

    `plan` are faults that only this life meets.
    """

    plan: list[Fault] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    killed: bool = False


_LIFE: Final[ContextVar[Life | None]] = ContextVar("till_life", default=None)


class FaultSeam:
    """A seam for many lives at once. Calls outside of any life, the machine's own, are neither counted nor hindered."""

    def __init__(self, misbehave_at_stripe: MisbehaveAtStripe | None = None) -> None:
        self._misbehave_at_stripe = misbehave_at_stripe
        self._ahead: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Have coming calls of any life go wrong."""
        with self._lock:
            self._ahead.append(fault)

    def clear(self) -> None:
        """Forget every fault that lies ahead."""
        with self._lock:
            self._ahead.clear()

    @contextlib.contextmanager
    def life(self, plan: Sequence[Fault] = ()) -> Iterator[Life]:
        """A request or a job begins and ends; Killed passes through, and the caller lets the work come back."""
        life = Life(list(plan))
        before = _LIFE.set(life)
        try:
            yield life
        finally:
            _LIFE.reset(before)

    def cross(self, service: Service, operation: str, send: Callable[[], T]) -> T:
        """See Seam. Raises Killed for the rest of a life that was killed once."""
        life = _LIFE.get()
        if life is None:
            return send()
        if life.killed:
            raise Killed(f"{service} {operation}, after the end")
        with self._lock:
            life.calls.append(Call(service, operation))
            fault = _met(life.plan, service, operation) or _met(self._ahead, service, operation)
        return send() if fault is None else self._suffer(fault, life, service, operation, send)

    def _suffer(self, fault: Fault, life: Life, service: Service, operation: str, send: Callable[[], T]) -> T:
        refuses = fault.kind in (FaultKind.ERROR, FaultKind.THROTTLE)
        status = THROTTLED if fault.kind is FaultKind.THROTTLE else fault.code
        if refuses and service == "stripe" and self._misbehave_at_stripe is not None:
            self._misbehave_at_stripe(operation, status, fault.effect)
            return send()
        if fault.effect:
            # What the world would have said is never heard.
            with contextlib.suppress(Exception):
                send()
        if fault.kind is FaultKind.KILL:
            life.killed = True
            raise Killed(f"{service} {operation}, {'after' if fault.effect else 'before'} it happened")
        if refuses:
            forged: T = answer_of(service, status, throttled=fault.kind is FaultKind.THROTTLE)
            return forged
        raise timed_out(service) if fault.kind is FaultKind.TIMEOUT else cut_off(service)


def _met(faults: list[Fault], service: str, operation: str) -> Fault | None:
    """Count one call, and say what goes wrong with it; of two that would, the later waits for the next call."""
    met: Fault | None = None
    for fault in list(faults):
        if not fault.is_for(service, operation):
            continue
        if fault.nth > 1:
            fault.nth -= 1
        elif met is None:
            met = fault
            fault.times -= 1
            if fault.times == 0:
                faults.remove(fault)
    return met
