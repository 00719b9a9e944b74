"""Which lines of a document become one subscription: those that agree in every term; any difference makes another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chalicelib.domain.billing.recurrence import Recurrence
from chalicelib.domain.billing.starts import starts_today
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.errors import TillError

MOST_GROUPS: Final = 10
MOST_LINES: Final = 200


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of one subscription; `positions` count the document's lines from 0, in ascending order."""

    recurrence: Recurrence
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Every line of a document once: as one-time, or in exactly one group. Groups stand by their first line."""

    one_time: tuple[int, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class DueSplit:
    """`now` are the positions on today's invoice, ascending; the groups say which subscriptions begin when."""

    now: tuple[int, ...]
    starting_now: tuple[Group, ...]
    starting_later: tuple[Group, ...]


def group_lines(lines: Sequence[LineItem]) -> Grouping:
    """Sort a document's lines into one-time ones and subscriptions.

    Raises TillError `limit_reached` above 200 lines or 10 subscriptions.
    """
    if len(lines) > MOST_LINES:
        raise TillError("limit_reached", f"A document has at most {MOST_LINES} lines.", "lines")
    one_time: list[int] = []
    groups: dict[Recurrence, list[int]] = {}
    for position, line in enumerate(lines):
        if line.recurring is None:
            one_time.append(position)
        else:
            groups.setdefault(line.recurring, []).append(position)
    if len(groups) > MOST_GROUPS:
        raise TillError("limit_reached", f"The lines of a document make at most {MOST_GROUPS} subscriptions.", "lines")
    return Grouping(
        tuple(one_time), tuple(Group(recurrence, tuple(positions)) for recurrence, positions in groups.items())
    )


def split_due(grouping: Grouping, *, agreed_at: datetime, zone: str) -> DueSplit:
    """Part what is due with the agreement (one-time lines, first periods that start that day) from what is not."""
    now = tuple(group for group in grouping.groups if starts_today(group.recurrence.start, agreed_at, zone))
    later = tuple(group for group in grouping.groups if group not in now)
    positions = sorted([*grouping.one_time, *(position for group in now for position in group.positions)])
    return DueSplit(tuple(positions), now, later)
