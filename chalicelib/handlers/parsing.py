"""The one strict reader of request bodies, queries and ids: what is not clean never reaches a validator."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from chalicelib.domain.errors import FieldError, NotFound, TillError
from chalicelib.domain.ids import is_ulid

MAX_BODY_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 32
MAX_LIMIT: Final = 100
DEFAULT_LIMIT: Final = 20

_CONTENT_TYPE: Final = re.compile(
    r'application/json\s*(;\s*charset\s*=\s*("utf-8"|utf-8)\s*)?', re.ASCII | re.IGNORECASE
)
_TIMESTAMP: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII
)  # RFC 3339, section 5.6, without its lower-case letters, leap seconds and finer fractions
_SHORT_NUMBER: Final = re.compile(r"[0-9]{1,4}", re.ASCII)
_LONGEST_INTEGER: Final = 20
# Possessive, and with a closing quote that may be missing: so no text makes it look at a character twice.
_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


# --- bodies -----------------------------------------------------------------------------------------------------------


def json_object(body: bytes, content_type: str | None) -> dict[str, Any]:
    """The JSON object in a request's body.

    Raises TillError `unsupported_media_type`, `body_too_large`, and what `parse_json_object` raises.
    """
    if content_type is None or not _CONTENT_TYPE.fullmatch(content_type.strip()):
        raise TillError("unsupported_media_type", "Send a body of JSON with Content-Type: application/json.")
    if len(body) > MAX_BODY_BYTES:
        raise TillError("body_too_large", f"The body is larger than {MAX_BODY_BYTES} bytes.")
    return parse_json_object(body)


def parse_json_object(body: bytes) -> dict[str, Any]:
    """The object in a body, whatever its type was said to be. Numbers that are no integers come as floats.

    Raises TillError `malformed_json` for whatever is not one object of clean JSON (RFC 8259) in UTF-8, and for what
    Python's parser lets pass although it is none: NaN and Infinity, a key twice, half of a surrogate pair.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed("it is not UTF-8") from error
    _check_depth(text)
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer)
    except ValueError as error:
        raise _malformed("it cannot be parsed") from error
    if not isinstance(value, dict):
        raise _malformed("it is not an object")
    # Escapes such as \ud800 make half characters out of text that was clean UTF-8, and nothing else does.
    try:
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise _malformed("it has half of a surrogate pair") from error
    return value


def optional_json_object(body: bytes, content_type: str | None) -> dict[str, Any]:
    """As `json_object`, but no body at all is an empty object: for actions that need nothing to be said."""
    return json_object(body, content_type) if body else {}


def _malformed(why: str) -> TillError:
    return TillError("malformed_json", f"The body is not one clean JSON object: {why}.")


def _check_depth(text: str) -> None:
    # Counted before parsing, since the parser recurses: brackets inside strings do not nest.
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise _malformed(f"it is nested more than {MAX_DEPTH} deep")
        elif token[0] in "]}":
            depth -= 1


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _malformed("an object has the same key twice")
    return result


def _no_constant(name: str) -> NoReturn:
    raise _malformed(f"{name} is not JSON")


def _integer(digits: str) -> int:
    # int() refuses more than 4300 digits; what is longer than any field of ours only has to stay out of range.
    return int(digits[:_LONGEST_INTEGER])


# --- queries ----------------------------------------------------------------------------------------------------------


def single_values(query: Mapping[str, Sequence[str]], allowed: frozenset[str]) -> dict[str, str]:
    """One value for each query parameter. Raises TillError for parameters unknown here and for repeated ones."""
    errors = [
        FieldError(name, "unknown_field", "This parameter does not exist here.")
        if name not in allowed
        else FieldError(name, "invalid_value", "This parameter may be given once.")
        for name, values in query.items()
        if name not in allowed or len(values) != 1
    ]
    if errors:
        raise refused(errors)
    return {name: values[0] for name, values in query.items()}


def whole_number(text: str, param: str, *, least: int, most: int) -> int:
    """An integer in ASCII digits. Raises TillError `wrong_type` or `out_of_range`."""
    if not re.fullmatch(r"-?[0-9]+", text, re.ASCII):
        raise refused([FieldError(param, "wrong_type", "This is a whole number.")])
    if not _SHORT_NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise refused([FieldError(param, "out_of_range", f"This is a number from {least} to {most}.")])
    return int(text)


def timestamp(text: str, param: str) -> datetime:
    """The aware UTC time of an RFC 3339 timestamp. Raises TillError `invalid_date`."""
    found = parse_timestamp(text)
    if found is None:
        raise refused([FieldError(param, "invalid_date", "This is a time such as 2027-01-31T15:30:00Z.")])
    return found


def parse_timestamp(text: str) -> datetime | None:
    """The aware UTC time of an RFC 3339 timestamp, None where it is none."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def refused(errors: Sequence[FieldError]) -> TillError:
    """The refusal that lists these errors; its own code and text are those of the first."""
    first = errors[0]
    return TillError(first.code, first.message, first.param, tuple(errors))


# --- ids --------------------------------------------------------------------------------------------------------------


def record_id(text: str, prefix: str, what: str) -> str:
    """An id of this kind. Raises NotFound for text that cannot be one, so that the store is never asked for it."""
    if not _is_id(text, prefix):
        raise NotFound(what)
    return text


def referred_id(text: str, prefix: str, param: str) -> str:
    """The id of another record in a body's field. Raises TillError `not_found` that names the field."""
    if not _is_id(text, prefix):
        raise TillError("not_found", f"There is no such {param}.", param)
    return text


def _is_id(text: str, prefix: str) -> bool:
    return text.startswith(f"{prefix}_") and is_ulid(text.removeprefix(f"{prefix}_"))
