"""JSON Schemas (2020-12) of bodies and answers, made by pydantic from the types themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Final, get_type_hints

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from chalicelib.handlers.api import answers
from chalicelib.handlers.api.operations import DescribedRoute

PREFIX: Final = "#/components/schemas/"
_PACKAGE: Final = "chalicelib.handlers.api"
_NO_DEFAULTS: Final[tuple[Any, ...]] = (None, "", [])
"""What a model holds for a field that was not sent: how a body is read, not what leaving it out means."""


class _Schemas(GenerateJsonSchema):
    """Pydantic's own, without what only repeats names."""

    def default_schema(self, schema: Any) -> dict[str, Any]:
        found = super().default_schema(schema)
        if "default" in found and found["default"] in _NO_DEFAULTS:
            del found["default"]
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def body_model(name: str) -> type[BaseModel]:
    """The model that an operation names, as `bodies.CustomerBody`."""
    module, _, model = name.rpartition(".")
    found: type[BaseModel] = getattr(import_module(f"{_PACKAGE}.{module}"), model)
    return found


def answer_type(route: DescribedRoute) -> Any:
    """The type that a view is annotated to answer with."""
    return get_type_hints(route.view, localns={"answers": answers})["return"]


def body_schemas(names: Iterable[str]) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The schema of each body by name, and the components that they refer to; all of these end in Body or Update."""
    wanted = [(name, TypeAdapter(body_model(name))) for name in sorted(set(names))]
    schemas, components = _schemas(
        wanted, "validation", lambda name: name if re.search("(Body|Update)$", name) else f"{name}Body"
    )
    for name in components:
        if name.endswith("Update"):
            # What is absent stays as it is, whatever the model holds for it.
            for field in components[name].get("properties", {}).values():
                field.pop("default", None)
    return schemas, components


def answer_schemas(wanted: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The schema of each answer by its key, and the components that they refer to."""
    adapters = [(key, TypeAdapter(type_)) for key, type_ in wanted.items()]
    return _schemas(adapters, "serialization", lambda name: re.sub(r"^Page_(\w+)_$", r"\1Page", name))


def _schemas(
    wanted: list[tuple[str, TypeAdapter[Any]]], mode: Any, rename: Any
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    by_key, defined = TypeAdapter.json_schemas(
        [(key, mode, adapter) for key, adapter in wanted], ref_template=PREFIX + "{model}", schema_generator=_Schemas
    )
    definitions = defined.get("$defs", {})
    names = {name: rename(name) for name in definitions}
    if len(set(names.values())) != len(names):
        raise ValueError(f"two types have one name: {sorted(names)}")
    components = {names[name]: _named(schema, names) for name, schema in definitions.items()}
    return {key: _named(schema, names) for (key, _), schema in by_key.items()}, components


def _named(schema: Any, names: Mapping[str, str]) -> Any:
    """A schema whose references have the new names, and that has no title: a type's name is its component's."""
    if isinstance(schema, list):
        return [_named(each, names) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key == "$ref":
            kept[key] = PREFIX + names[value.removeprefix(PREFIX)]
        elif key == "properties":
            kept[key] = {name: _named(each, names) for name, each in value.items()}
        elif key in ("enum", "examples", "default", "const"):
            kept[key] = value
        else:
            kept[key] = _named(value, names)
    return kept
