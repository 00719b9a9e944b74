"""Calls of the API that carry an idempotency key: one row for a key, with the answer once there is one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.ids import derived_id

LEASE: Final = timedelta(seconds=60)
"""How long a request has the key for itself: twice what API Gateway waits for an answer."""
KEPT: Final = timedelta(hours=24)
"""How long an answer is given again."""


@dataclass(frozen=True, slots=True)
class KeyedCall:
    """What became of the call that a key stands for. The id is `call#{merchant}#{SHA-256 of the key}`.

    `fingerprint` is the digest of method, path and body; empty where the key was given back, so that anybody may take
    it. `created_at` is when the call was begun, and stays while it is taken up again; `attempt` counts the requests
    that worked on it. `begun` says that a transaction of it has been written, but not the last one. `status` and
    `answer` (the JSON as it was sent) are None until the call is done; `hidden` names a field of it whose end, a
    secret, is not kept.
    """

    id: str
    merchant_id: str
    fingerprint: str
    created_at: datetime
    expires_at: datetime
    leased_until: datetime | None
    attempt: int = 1
    begun: bool = False
    status: int | None = None
    answer: str | None = None
    hidden: str | None = None
    version: int = 0

    def may_be_taken(self, now: datetime) -> bool:
        """Whether the key is as good as new: given back, or past its day."""
        return not self.fingerprint or now >= self.expires_at

    def taken_up(self, now: datetime) -> KeyedCall:
        """The same call, worked on by another request."""
        return replace(self, leased_until=now + LEASE, attempt=self.attempt + 1)

    def going_on(self) -> KeyedCall:
        """The same call after a transaction of its own that is not its last."""
        return replace(self, begun=True)

    def answered(self, status: int, answer: str, hidden: str | None, now: datetime) -> KeyedCall:
        """The call done; the answer's day begins now."""
        return replace(self, leased_until=None, status=status, answer=answer, hidden=hidden, expires_at=now + KEPT)

    def let_go(self) -> KeyedCall:
        """The call after a request that gave up: bound to its body where something was written, else as good as new."""
        return replace(self, leased_until=None, fingerprint=self.fingerprint if self.begun else "")

    def effect_id(self, prefix: str) -> str:
        """The id of the record that this call makes, the same however often it is taken up again.

        Its time is `created_at`. A call makes at most one record of a prefix under such an id.
        """
        return derived_id(prefix, self.created_at, f"{self.id}#{prefix}")


def new_keyed_call(merchant_id: str, key: str, fingerprint: str, now: datetime) -> KeyedCall:
    """A call that one request has just begun."""
    return KeyedCall(
        id=keyed_call_id(merchant_id, key),
        merchant_id=merchant_id,
        fingerprint=fingerprint,
        created_at=now,
        expires_at=now + KEPT,
        leased_until=now + LEASE,
    )


def keyed_call_id(merchant_id: str, key: str) -> str:
    """Where the call of a merchant's key lives; the key itself is not kept."""
    return f"call#{merchant_id}#{hashlib.sha256(key.encode()).hexdigest()}"
