"""`expand[]`: ids replaced by the objects they name (https://docs.stripe.com/api/expanding_objects)."""

import copy
from collections.abc import Sequence
from typing import Any, Final

from infra.local.stripe_sandbox.faults import JsonObject, malformed
from infra.local.stripe_sandbox.resource_types import OBJECTS, FieldKind, fields_of
from infra.local.stripe_sandbox.world import KINDS, Ledger

_DEEPEST: Final = 4
_BY_PREFIX: Final = {prefix: kind for kind, (prefix, _) in KINDS.items()}


def check_expansions(paths: Sequence[str], resource: type, *, is_list: bool) -> None:
    """Raise for a path that cannot be expanded on this resource, before the endpoint runs: no POST half happens."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEEPEST:
            raise malformed(
                f"You cannot expand more than {_DEEPEST} levels of a property. Property: {path}", param="expand"
            )
        if is_list:
            if steps[0] != "data":
                raise malformed(
                    f"This property cannot be expanded ({path}). You may want to try expanding 'data.{path}' instead.",
                    param="expand",
                )
            steps = steps[1:]
        if not steps or not _leads_somewhere(steps, (resource,)):
            raise malformed(f"This property cannot be expanded ({path}).", param="expand")


def _leads_somewhere(steps: Sequence[str], classes: Sequence[type]) -> bool:
    for resource in classes:
        kind = fields_of(resource).get(steps[0])
        if kind is None:
            continue
        if len(steps) == 1:
            if kind.expandable:
                return True
        elif _leads_somewhere(steps[1:], _children(kind)):
            return True
    return False


def _children(kind: FieldKind) -> tuple[type, ...]:
    return kind.classes or kind.page_of or (kind.item.classes if kind.item else ())


def expand_reply(ledger: Ledger, reply: JsonObject, paths: Sequence[str]) -> JsonObject:
    """A copy of the reply with the paths expanded; the stored objects are never touched."""
    expanded = copy.deepcopy(reply)
    for path in paths:
        _expand(ledger, expanded, path.split("."))
    return expanded


def _expand(ledger: Ledger, holder: Any, steps: Sequence[str]) -> None:
    if isinstance(holder, list):
        for entry in holder:
            _expand(ledger, entry, steps)
        return
    if not isinstance(holder, dict) or not steps or holder.get(steps[0]) is None:
        return
    value = holder[steps[0]]
    if isinstance(value, str):
        named = _named_by(ledger, value)
        if named is None:
            return
        value = holder[steps[0]] = copy.deepcopy(named)
    _expand(ledger, value, steps[1:])


def _named_by(ledger: Ledger, identifier: str) -> JsonObject | None:
    kind = _BY_PREFIX.get(identifier.partition("_")[0] + "_")
    return ledger.find(kind, identifier) if kind is not None else None


def resource_named(name: str) -> type:
    """The stripe package's class of an object name."""
    return OBJECTS[name]
