"""How the fake of Stripe takes calls: it records each, replays an idempotency key, and fails where it was told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from chalicelib.services.ports import Clock, KeySpent, ProviderBusy, ProviderRefused, ProviderUnavailable

T = TypeVar("T")

KEY_LIFETIME = timedelta(hours=24)
"""How long Stripe is sure to remember an idempotency key (https://docs.stripe.com/api/idempotent_requests)."""


class Invalid(ProviderRefused):
    """Refused before anything was begun, so that nothing is saved under the key."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the port, as it was asked for; `key` is None where it only reads."""

    operation: str
    account: str | None
    arguments: Mapping[str, Any]
    key: str | None = None


@dataclass(slots=True)
class _Fault:
    operation: str
    error: BaseException
    calls_before: int
    times: int
    effect: bool
    saved: bool


@dataclass(frozen=True, slots=True)
class _Saved:
    at: datetime
    fingerprint: object
    value: Any = None
    error: BaseException | None = None


class Calls:
    """The door of the fake: one call at a time, as if each were one transaction of Stripe's.

    `calls` has every call in order, those that failed included.
    """

    def __init__(self, clock: Clock) -> None:
        self.calls: list[Call] = []
        self._clock = clock
        self._lock = threading.RLock()
        self._saved: dict[tuple[str | None, str], _Saved] = {}
        self._faults: list[_Fault] = []

    def fail(
        self,
        operation: str,
        error: BaseException | None = None,
        *,
        nth: int = 1,
        times: int = 1,
        effect: bool = False,
        saved: bool = False,
    ) -> None:
        """Let the nth call from now of an operation ("*" for any) raise, `times` in a row.

        `effect`: the call is done and only its answer is lost. `saved`: nothing is done, and Stripe keeps that 500
        under the key, so that a try under it gets KeySpent for 24 hours. The default error is ProviderUnavailable.
        """
        error = error or ProviderUnavailable("the answer was told to be lost")
        if isinstance(error, ProviderBusy) and (effect or saved):
            raise ValueError("ProviderBusy says that nothing was done and nothing was saved")
        self._faults.append(_Fault(operation, error, nth - 1, times, effect, saved))

    def calls_of(self, operation: str) -> list[Call]:
        """The calls of one operation, in order."""
        return [call for call in self.calls if call.operation == operation]

    def _read(self, operation: str, account: str | None, arguments: Mapping[str, Any], answer: Callable[[], T]) -> T:
        with self._lock:
            self.calls.append(Call(operation, account, arguments))
            fault = self._fault(operation)
            if fault:
                raise fault.error
            return answer()

    def _write(
        self, operation: str, account: str | None, arguments: Mapping[str, Any], key: str, effect: Callable[[], T]
    ) -> T:
        if not 1 <= len(key) <= 255:
            raise ValueError("an idempotency key has 1 to 255 characters")
        with self._lock:
            self.calls.append(Call(operation, account, arguments, key))
            fault = self._fault(operation)
            fingerprint = (operation, dict(arguments))
            if fault and not fault.effect:
                if fault.saved:
                    self._saved[account, key] = _Saved(self._clock.now(), fingerprint, error=fault.error)
                raise fault.error
            saved = self._saved.get((account, key))
            if saved is None or self._clock.now() - saved.at >= KEY_LIFETIME:
                saved = self._run(fingerprint, effect)
                self._saved[account, key] = saved
            elif saved.fingerprint != fingerprint:
                raise ProviderRefused("idempotency_error", "the key was first used with other parameters")
            if fault:
                raise fault.error
            if isinstance(saved.error, ProviderUnavailable):
                if operation == "create_refund" or not operation.startswith(("create_", "cancel_")):
                    raise KeySpent(str(saved.error))
                # What moves no money is made under another key, as the gateway does.
                return self._write(operation, account, arguments, f"{key}.2", effect)
            if saved.error:
                raise saved.error
            value: T = saved.value
            return value

    def _run(self, fingerprint: object, effect: Callable[[], object]) -> _Saved:
        try:
            return _Saved(self._clock.now(), fingerprint, effect())
        except Invalid:
            raise
        except ProviderRefused as refusal:
            return _Saved(self._clock.now(), fingerprint, error=refusal)

    def _fault(self, operation: str) -> _Fault | None:
        for fault in self._faults:
            if fault.operation not in (operation, "*"):
                continue
            if fault.calls_before:
                fault.calls_before -= 1
                continue
            fault.times -= 1
            if not fault.times:
                self._faults.remove(fault)
            return fault
        return None
