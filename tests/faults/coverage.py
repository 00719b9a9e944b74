"""Which lines of the use cases talk to the world, read from their syntax trees: each must have been stopped at."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.faults.seam import SERVICES, Site

_PORTS = {"records", "timers", "stripe", "queues"}


def calls_to_the_world(*rooms: str) -> dict[Site, tuple[int, str]]:
    """Every call of a port in these files and folders of chalicelib/services: its first line, its last, its words."""
    found: dict[Site, tuple[int, str]] = {}
    for path in _files(rooms):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and _talks(node.func):
                words = f"{_function_around(ast.parse(source), node.lineno)}: {ast.unparse(node.func)}"
                found[str(path.relative_to(SERVICES)), node.lineno] = (node.end_lineno or node.lineno, words)
    return found


def rooms_that_talk() -> set[str]:
    """Every file of chalicelib/services that has such a call."""
    return {
        str(path.relative_to(SERVICES))
        for path in Path(SERVICES).rglob("*.py")
        if calls_to_the_world(str(path.relative_to(SERVICES)))
    }


def _files(rooms: tuple[str, ...]) -> list[Path]:
    places = [Path(SERVICES) / room for room in rooms]
    return sorted(path for place in places for path in ([place] if place.suffix else place.rglob("*.py")))


def _talks(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id == "commit"
    if not isinstance(function, ast.Attribute):
        return False
    owner = function.value
    name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
    return name in _PORTS or (name, function.attr) == ("mailer", "send")


def _function_around(tree: ast.Module, line: int) -> str:
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return ".".join(node.name for node in sorted(around, key=lambda node: node.lineno))
