"""The template that is deployed: what Chalice wrote, with what holds for every Lambda alike."""

from __future__ import annotations

from typing import Any


def finish(template: dict[str, Any]) -> dict[str, Any]:
    """The merged template, finished."""
    return template
