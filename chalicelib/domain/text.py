"""What no text that Till keeps may hold: characters that break documents and headers, and card numbers."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_DIGIT_GROUPS: Final = re.compile(r"[0-9]+(?:[ \-]+[0-9]+)*")
_FEWEST_DIGITS, _MOST_DIGITS = 13, 19
"""The lengths of card numbers (ISO/IEC 7812-1)."""

# Line and paragraph separators break lines like control characters do; the embeddings, overrides and isolates of
# writing direction can make a document read differently from what it says (Unicode TR 36, section 3.3).
_MISLEADING: Final = frozenset("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_clean(text: str, *, lines: bool = False) -> bool:
    """Whether a text has no control characters and none that mislead; with `lines` it may have line breaks and tabs."""
    allowed = "\n\t" if lines else ""
    return all(
        char in allowed or (unicodedata.category(char) not in ("Cc", "Cs") and char not in _MISLEADING) for char in text
    )


def holds_card_number(text: str) -> bool:
    """Whether 13 to 19 digits that pass Luhn's check stand in a text, written together or in groups.

    Groups are separated by spaces or dashes, and a number begins and ends with a group: so a card number with its
    date behind it is found, while an unbroken longer number is not searched for accidents.
    """
    folded = unicodedata.normalize("NFKC", text)
    return any(_some_groups_pass(re.findall(r"[0-9]+", run.group())) for run in _DIGIT_GROUPS.finditer(folded))


def _some_groups_pass(groups: list[str]) -> bool:
    for first in range(len(groups)):
        digits = ""
        # Every group has a digit at least, so no number has more groups than it may have digits.
        for group in groups[first : first + _MOST_DIGITS]:
            digits += group
            if len(digits) > _MOST_DIGITS:
                break
            if len(digits) >= _FEWEST_DIGITS and _passes_luhn(digits):
                return True
    return False


def _passes_luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
