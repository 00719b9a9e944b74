"""The matrix as a table, at the end of a test run: flow, steps, runs, held."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PROPERTY = "kill_matrix"


def lines_of(reports: Iterable[Any]) -> list[str]:
    """The table's lines from the reports of all tests, also of other processes; none where no flow was run."""
    rows: dict[str, list[int]] = {}
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == PROPERTY and report.when == "call":
                flow, steps, runs, held = value
                row = rows.setdefault(flow, [steps, 0, 0])
                row[1] += runs
                row[2] += held
    if not rows:
        return []
    width = max(len(flow) for flow in rows)
    head = f"{'flow':{width}}  steps   runs   held"
    body = [f"{flow:{width}}  {steps:5}  {runs:5}  {held:5}" for flow, (steps, runs, held) in rows.items()]
    whole = [sum(row[position] for row in rows.values()) for position in range(3)]
    return [head, *body, f"{'all':{width}}  {whole[0]:5}  {whole[1]:5}  {whole[2]:5}"]
