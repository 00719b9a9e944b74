"""Document numbers: a merchant's prefix and a counter that never skips and never repeats."""

from __future__ import annotations

import re
from typing import Final

from chalicelib.domain.errors import InvalidValue

_PREFIX: Final = re.compile(r"[A-Z0-9-]{1,12}", re.ASCII)
_DIGITS: Final = 4


def check_prefix(prefix: str, param: str | None = None) -> None:
    """A prefix is 1 to 12 of A-Z, 0-9 and the hyphen. Raises InvalidValue; `param` names the field."""
    if _PREFIX.fullmatch(prefix) is None:
        raise InvalidValue("A number's prefix is 1 to 12 of A-Z, 0-9 and the hyphen.", param)


def format_number(prefix: str, counter: int) -> str:
    """The number of the `counter`-th document of a series, from 1: `INV-` and 1 give INV-0001, and 12345 INV-12345.

    The prefix stands as it is; a hyphen between is part of it. Raises InvalidValue for a wrong prefix.
    """
    check_prefix(prefix)
    if counter < 1:
        raise ValueError("a series counts from 1")
    return f"{prefix}{counter:0{_DIGITS}d}"
