"""The examples in the document: one for each model of a body and each type of an answer, by its name.

A test holds every example against its schema, so an answer that changed its shape has to change its example.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def _examples() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("examples.json").read_text("utf-8"))
    return found


def body_example(model: str) -> Any:
    """The body that one could send, as `CustomerBody`."""
    return _find("bodies", model)


def answer_example(name: str) -> Any:
    """The answer that one could get, as `Customer`."""
    return _find("answers", name)


def _find(kind: str, name: str) -> Any:
    try:
        return _examples()[kind][name]
    except KeyError:
        raise ValueError(
            f'{name} has no example: add one to "{kind}" in {Path(__file__).parent}/examples.json'
        ) from None
