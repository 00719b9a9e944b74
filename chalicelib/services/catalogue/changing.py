"""Making and changing an entry of the catalogue: one write and one event, and nothing where nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from chalicelib.domain.documents.catalogue import Price, Product, TaxRate
from chalicelib.services.facts import changed, describe, happened
from chalicelib.services.ports import Insert, Ports, Update
from chalicelib.services.reading import read
from chalicelib.services.saving import commit, until_won, written

E = TypeVar("E", Product, Price, TaxRate)


def add(ports: Ports, entry: E, *, actor: str) -> E:
    """The new entry, stored, and `….created` told. Its `created_at` is the time of both."""
    told = happened(ports.ids, f"{_word(entry)}.created", entry, now=entry.created_at, actor=actor)
    commit(ports, [Insert(entry), told])
    return written(entry)


def change(
    ports: Ports,
    merchant_id: str,
    kind: type[E],
    entry_id: str,
    changes: Mapping[str, Any],
    *,
    actor: str,
    check: Callable[[E, E], None] = lambda before, after: None,
) -> E:
    """The merchant's entry with the changes, and `….updated` told with what was before. Documents keep their copies.

    `check` sees the entry before and after and may refuse. Raises NotFound.
    """

    def attempt() -> E:
        before = read(ports, merchant_id, kind, entry_id)
        after = replace(before, **changes)
        if after == before:
            return before
        check(before, after)
        type_ = f"{_word(after)}.updated"
        told = changed(ports.ids, type_, before, after, now=ports.clock.now(), actor=actor)
        commit(ports, [Update(after), told])
        return written(after)

    return until_won(ports, attempt)


def _word(entry: Product | Price | TaxRate) -> str:
    return str(describe(entry)["object"])
