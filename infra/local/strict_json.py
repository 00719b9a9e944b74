"""Reading a JSON object without guessing: every mistake of a caller is said, none is mended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class BadRequest(Exception):
    """The body, or a field of it, is not what was asked for; `code` is one of the app's error codes."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


def read_object(body: bytes) -> dict[str, Any]:
    """The object in a body; an empty body is an empty object. Raises BadRequest."""
    if not body.strip():
        return {}
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest("malformed_json", f"The body is not clean JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest("malformed_json", "The body must be a JSON object.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


class Fields:
    """The fields of a body, taken one by one; `done` refuses what nobody took."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._left = dict(body)

    def text(self, name: str) -> str:
        """A field that must be there. Raises BadRequest."""
        value = self.optional_text(name)
        if value is None:
            raise BadRequest("missing_field", f"{name} is missing.", name)
        return value

    def optional_text(self, name: str) -> str | None:
        """A field that may be absent or null. Raises BadRequest."""
        value = self._left.pop(name, None)
        if value is not None and not isinstance(value, str):
            raise BadRequest("wrong_type", f"{name} must be text.", name)
        if value == "":
            raise BadRequest("invalid_value", f"{name} must not be empty.", name)
        return value

    def optional_whole(self, name: str) -> int | None:
        """A whole number above zero that may be absent or null. Raises BadRequest."""
        value = self._left.pop(name, None)
        # `True` is an int to Python and not to JSON.
        if value is not None and type(value) is not int:
            raise BadRequest("wrong_type", f"{name} must be a whole number.", name)
        if value is not None and value < 1:
            raise BadRequest("out_of_range", f"{name} must be above zero.", name)
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """A field that is true or false. Raises BadRequest."""
        value = self._left.pop(name, default)
        if not isinstance(value, bool):
            raise BadRequest("wrong_type", f"{name} must be true or false.", name)
        return value

    def texts(self, name: str) -> list[str]:
        """A list of text that must be there. Raises BadRequest."""
        value = self._left.pop(name, None)
        if value is None:
            raise BadRequest("missing_field", f"{name} is missing.", name)
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise BadRequest("wrong_type", f"{name} must be a list of text.", name)
        return value

    def done(self) -> None:
        """Raises BadRequest when fields are left."""
        for name in self._left:
            raise BadRequest("unknown_field", f"{name} is not known here.", name)
