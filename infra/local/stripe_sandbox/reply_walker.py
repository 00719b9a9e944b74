"""Walks a reply against the stripe package's resource classes, so the sandbox cannot answer what Stripe would not.

Required fields are there, none is unknown, literals are in their list, ids are strings and expanded objects are whole.
"""

from typing import Any, Final

from infra.local.stripe_sandbox.faults import JsonObject
from infra.local.stripe_sandbox.resource_types import OBJECTS, FieldKind, fields_of

_LIST_FIELDS: Final = frozenset({"object", "data", "has_more", "url"})


def faults_in_reply(reply: JsonObject) -> list[str]:
    """What is wrong with a reply, a sentence a fault; empty when the package's types are met."""
    if reply.get("object") == "list":
        found = [f"the list has no {name}" for name in sorted(_LIST_FIELDS - reply.keys())]
        found += [f"the list has the unknown field {name}" for name in sorted(reply.keys() - _LIST_FIELDS)]
        for index, entry in enumerate(reply.get("data", ())):
            found += _walk_object(entry, f"data[{index}]")
        return found
    return _walk_object(reply, str(reply.get("object")))


def _walk_object(value: Any, path: str) -> list[str]:
    resource = OBJECTS.get(str(value.get("object"))) if isinstance(value, dict) else None
    if resource is None:
        return [f"{path}: {value!r:.80} is no object that the sandbox has"]
    found = _walk(value, resource, path)
    if value["object"] == "event":
        found += _walk_object(value["data"]["object"], f"{path}.data.object")
    return found


def _walk(value: JsonObject, resource: type, path: str) -> list[str]:
    fields = fields_of(resource)
    found = [f"{path}.{name} is unknown to {resource.__qualname__}" for name in sorted(value.keys() - fields.keys())]
    for name, kind in fields.items():
        if name in value:
            found += _check(value[name], kind, f"{path}.{name}")
        elif not kind.nullable and not kind.anything:
            found.append(f"{path}.{name} is missing")
    return found


def _check(value: Any, kind: FieldKind, path: str) -> list[str]:
    if kind.anything or (value is None and kind.nullable):
        return []
    if isinstance(value, dict):
        return _check_dict(value, kind, path)
    if isinstance(value, list):
        if kind.item is None:
            return [f"{path} is a list"]
        return [fault for index, entry in enumerate(value) for fault in _check(entry, kind.item, f"{path}[{index}]")]
    if any(type(value) is type(word) and value == word for word in kind.words):
        return []
    if type(value) in kind.scalars or (type(value) is int and float in kind.scalars):
        return []
    return [f"{path} is {value!r:.80}, which its type does not allow"]


def _check_dict(value: JsonObject, kind: FieldKind, path: str) -> list[str]:
    if kind.mapping_of is not None:
        return [fault for name, entry in value.items() for fault in _check(entry, kind.mapping_of, f"{path}.{name}")]
    if kind.page_of:
        return faults_in_reply(value)
    if not kind.classes:
        return [f"{path} is an object"]
    if isinstance(value.get("object"), str):
        return _walk_object(value, path)
    return _walk(value, kind.classes[0], path)
