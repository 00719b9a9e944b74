"""The operating system's randomness: the only place in chalicelib that ids and secrets come from."""

from __future__ import annotations

import secrets
import threading
from datetime import datetime
from typing import Final

from chalicelib.domain.ids import milliseconds, ulid

SECRET_BYTES: Final = 16
_FRESH_BITS: Final = 79
"""One bit less than there is room for, so that counting up within a millisecond cannot run over."""


class RandomIds:
    """Ids that sort by creation; within one process and millisecond each is larger than the one before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = -1
        self._bits = 0

    def new(self, prefix: str, at: datetime) -> str:
        """A prefixed id whose ULID body carries the time `at` to the millisecond."""
        now = milliseconds(at)
        with self._lock:
            self._bits = self._bits + 1 if now == self._millisecond else secrets.randbits(_FRESH_BITS)
            self._millisecond = now
            return f"{prefix}_{ulid(at, self._bits)}"

    def secret(self) -> str:
        """128 random bits as 22 characters of base64url."""
        return secrets.token_urlsafe(SECRET_BYTES)
