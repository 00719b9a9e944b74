"""Idempotency keys (https://docs.stripe.com/api/idempotent_requests): 24 hours, per account, first answer replayed.

An answer is kept once the endpoint has begun its work, declines and 500s included; refusals before that, 401 and 429
are not kept. The same key with other parameters, or at another address, is an error; while in flight, a conflict.
"""

import hashlib
import json
import threading
from dataclasses import dataclass
from typing import Any, Final

from infra.local.stripe_sandbox.faults import JsonObject, StripeFault, malformed

KEPT_SECONDS: Final = 24 * 3600
_LONGEST_KEY: Final = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body, and the request that was first given them."""

    status: int
    body: JsonObject
    request_id: str


@dataclass(slots=True)
class _Entry:
    place: str
    fingerprint: str
    created: int
    answer: Answer | None = None


class IdempotencyKeys:
    """The keys seen. `begin` before the endpoint runs, then `keep` or `drop`."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._entries: Final[dict[tuple[str, str], _Entry]] = {}

    def begin(self, account: str, key: str, method: str, path: str, params: Any, now: int) -> Answer | None:
        """Claim the key, or return the answer to replay. Raises StripeFault for misuse and for a key in flight."""
        if len(key) > _LONGEST_KEY:
            raise malformed(
                f"Invalid idempotency key: keys can have up to {_LONGEST_KEY} characters, but yours has {len(key)}."
            )
        place = f"{method} {path}"
        fingerprint = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
        with self._lock:
            entry = self._entries.get((account, key))
            if entry is not None and entry.answer is not None and now - entry.created >= KEPT_SECONDS:
                entry = None
            if entry is None:
                self._entries[(account, key)] = _Entry(place, fingerprint, now)
                return None
            if entry.place != place:
                first = entry.place.partition(" ")[2]
                raise _misuse(
                    "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                    f"('{first}' vs '{path}'). Try using a key other than '{key}' if you meant to execute a different "
                    "request."
                )
            if entry.fingerprint != fingerprint:
                raise _misuse(
                    "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                    f"Try using a key other than '{key}' if you meant to execute a different request."
                )
            if entry.answer is None:
                raise StripeFault(
                    409,
                    "idempotency_error",
                    "There is currently another in-progress request using this Idempotent Key (that probably means you "
                    "submitted twice, and the other request is still going through). Please try again later.",
                    code="idempotency_key_in_use",
                    before_execution=True,
                )
            return entry.answer

    def keep(self, account: str, key: str, answer: Answer) -> None:
        """Store the answer of the request that claimed the key."""
        with self._lock:
            self._entries[(account, key)].answer = answer

    def drop(self, account: str, key: str) -> None:
        """Give the key back: nothing was begun."""
        with self._lock:
            self._entries.pop((account, key), None)

    def forget(self) -> None:
        """Forget every key."""
        with self._lock:
            self._entries.clear()


def _misuse(message: str) -> StripeFault:
    return StripeFault(400, "idempotency_error", message, before_execution=True)
