"""Ids that sort by creation: a prefix and a 26-character ULID body, made from a time and 80 random bits.

Layout and alphabet after the ULID specification (github.com/ulid/spec): 48 bits of milliseconds, 80 bits of
randomness, Crockford's base 32. Nothing here reads a clock or a random source; both are arguments.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
BODY_LENGTH: Final = 26
SECRET_LENGTH: Final = 22
"""Characters of base64url that hold the 128 random bits of a page token."""


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since 1970 of an aware time, without the rounding of floats."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def ulid(at: datetime, random_bits: int) -> str:
    """The 26-character body for a time and 80 bits of randomness. Raises ValueError outside either range."""
    ms = milliseconds(at)
    if not 0 <= ms < 1 << 48:
        raise ValueError("the time does not fit into 48 bits of milliseconds")
    if not 0 <= random_bits < 1 << 80:
        raise ValueError("the randomness does not fit into 80 bits")
    value = ms << 80 | random_bits
    return "".join([_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5)])


def is_ulid(body: str) -> bool:
    """Whether the text is a ULID body as Till writes them: upper case, 26 characters, first one 0 to 7."""
    return len(body) == BODY_LENGTH and body[0] in "01234567" and all(c in _ALPHABET for c in body)


def derived_id(prefix: str, at: datetime, fact: str) -> str:
    """The one id of a business fact: its time, and the first 80 bits of SHA-256 over the fact's name.

    Two runs that mean the same fact make the same id, so a put-if-absent of it happens once.
    """
    digest = hashlib.sha256(fact.encode()).digest()
    return f"{prefix}_{ulid(at, int.from_bytes(digest[:10], 'big'))}"


def time_of(record_id: str) -> datetime:
    """The time in an id, to the millisecond. A listed record's `created_at` is this, so that both sort alike."""
    value = 0
    for character in body_of(record_id)[:10]:
        value = value << 5 | _ALPHABET.index(character)
    return _EPOCH + timedelta(milliseconds=value)


def body_of(record_id: str) -> str:
    """The ULID body of a prefixed id."""
    return record_id.rpartition("_")[2]


def page_token(record_id: str, secret: str) -> str:
    """What stands in a public page's address: the record's ULID body and its secret, unseparated."""
    return body_of(record_id) + secret


def split_page_token(prefix: str, token: str) -> tuple[str, str] | None:
    """The record id and the secret in a page token, or None where the text cannot be one."""
    body, secret = token[:BODY_LENGTH], token[BODY_LENGTH:]
    if not is_ulid(body) or len(secret) != SECRET_LENGTH:
        return None
    if not all(c.isascii() and (c.isalnum() or c in "-_") for c in secret):
        return None
    return f"{prefix}_{body}", secret
