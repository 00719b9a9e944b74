"""Is a webhook Stripe's? Checked by hand on the raw bytes, since the stripe package costs a Lambda 165 ms to import.

The scheme is Stripe's (https://docs.stripe.com/webhooks#verify-manually): the header carries `t=` seconds since 1970
and one or more `v1=` values, each the HMAC-SHA256 of `{t}.{body}` in hexadecimal under one of the endpoint's secrets.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

TOLERANCE_SECONDS: Final = 300
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP: Final = re.compile(r"[0-9]{1,11}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")
_LONGEST_HEADER: Final = 4096


class SignatureInvalid(Exception):
    """The request is not Stripe's, or not of now; nothing in it may be believed."""


def verify(
    payload: bytes,
    header: str,
    secrets: Sequence[str],
    now: datetime,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> None:
    """Return when one of `secrets` signed `payload` within the tolerance of `now`, else raise SignatureInvalid.

    The tolerance holds both ways: a signature from the future is a replay that waits, or a clock that is wrong. It is
    looked at last, so that an answer about time is only given to who knows the secret.
    """
    timestamp, signatures = _parse(header)
    signed = timestamp.encode() + b"." + payload
    matches = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
        # No early end: how long the check takes tells nothing about which secret or value came close.
        for signature in signatures:
            matches |= hmac.compare_digest(expected, signature.encode())
    if not matches:
        raise SignatureInvalid("no signature fits")
    if abs(now - (_EPOCH + timedelta(seconds=int(timestamp)))) > timedelta(seconds=tolerance_seconds):
        raise SignatureInvalid("the signature is too old, or from the future")


def _parse(header: str) -> tuple[str, list[str]]:
    if len(header) > _LONGEST_HEADER:
        raise SignatureInvalid("the header is too long")
    pairs = [part.partition("=") for part in header.split(",")]
    if any(not equals for _, equals, _ in pairs):
        raise SignatureInvalid("the header is not a list of names and values")
    timestamps = [value for name, _, value in pairs if name == "t"]
    if len(timestamps) != 1 or not _TIMESTAMP.fullmatch(timestamps[0]):
        raise SignatureInvalid("the header has not one timestamp")
    # Other schemes (v0 of test mode) are none of ours, and a value that is no SHA-256 cannot fit.
    return timestamps[0], [value for name, _, value in pairs if name == "v1" and _SIGNATURE.fullmatch(value)]
