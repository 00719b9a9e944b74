"""Signature Version 4, for POST requests to `/` without a query.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html; a test holds it against
botocore's own signatures.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """Who asks. The session token comes with the passing credentials of a role."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key!r}, …)"


class Signer:
    """Signs requests to one service in one region."""

    def __init__(
        self, credentials: Credentials, *, service: str, region: str, host: str, now: Callable[[], datetime]
    ) -> None:
        self._credentials = credentials
        self._scope = (region, service, "aws4_request")
        self._host = host
        self._now = now
        self._key = ("", b"")

    def signed(self, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """The headers, named in lower case, and those that sign the request; the host is covered and not among them."""
        moment = self._now().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        day = moment[:8]
        found = {**headers, "x-amz-date": moment}
        if self._credentials.session_token is not None:
            found["x-amz-security-token"] = self._credentials.session_token
        covered = sorted([*found.items(), ("host", self._host)])
        names = ";".join(name for name, _ in covered)
        lines = "".join(f"{name}:{value}\n" for name, value in covered)
        request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = "/".join((day, *self._scope))
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(day), text.encode(), "sha256").hex()
        found["authorization"] = (
            f"{_ALGORITHM} Credential={self._credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return found

    def _key_of(self, day: str) -> bytes:
        # It is the same all day. Two threads at midnight both make it, which costs nothing.
        kept, key = self._key
        if kept != day:
            key = f"AWS4{self._credentials.secret_key}".encode()
            for part in (day, *self._scope):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = (day, key)
        return key
