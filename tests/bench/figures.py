"""The figures that Till is held to, and the table in which they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Line:
    """One figure of both apps, and what Till's must be at least. `met` and `aimed` say whether it is."""

    row: str
    figure: str
    straightforward: str
    till: str
    quotient: str
    must: str
    met: bool
    aim: str
    aimed: bool


def by_quotient(
    row: str,
    figure: str,
    baseline: Sequence[float],
    till: Sequence[float],
    unit: str,
    must: float,
    aim: float,
) -> Line:
    """A figure that must be so many times less than the straightforward app's; medians of what each round took."""
    theirs, ours = median(baseline), median(till)
    quotient = theirs / ours
    return Line(
        row,
        figure,
        f"{theirs:,.0f} {unit}",
        f"{ours:,.0f} {unit}",
        f"{quotient:.1f} x less",
        f"{must:g} x less",
        quotient >= must,
        f"{aim:g} x less",
        quotient >= aim,
    )


def at_most(row: str, figure: str, baseline: float, till: float, unit: str, must: float, aim: float) -> Line:
    """A figure that must be at most so large."""

    def shown(value: float) -> str:
        digits = 0 if float(value).is_integer() else 1
        return f"{value:,.{digits}f}{f' {unit}' if unit else ''}"

    return Line(
        row,
        figure,
        shown(baseline),
        shown(till),
        f"{baseline / till:.1f} x less" if till else "",
        f"at most {shown(must)}",
        till <= must,
        f"at most {shown(aim)}",
        till <= aim,
    )


def told(row: str, figure: str, baseline: str, till: str, must: str, met: bool, aim: str, aimed: bool) -> Line:
    """A figure in words."""
    return Line(row, figure, baseline, till, "", must, met, aim, aimed)


HEADS = ("row", "figure", "straightforward", "Till", "", "first must", "met", "aim", "met")


def table(lines: Sequence[Line]) -> str:
    """The lines as a table of Markdown, its columns lined up."""
    rows = [HEADS]
    for each in lines:
        rows.append((
            each.row, each.figure, each.straightforward, each.till, each.quotient,
            each.must, "yes" if each.met else "NO", each.aim, "yes" if each.aimed else "no",
        ))  # fmt: skip
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADS))]
    shown = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown)
