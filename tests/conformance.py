"""Answers held against the API's own document: the status is one that the operation has, and the body fits, closed."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import jsonschema_rs

from chalicelib.handlers.api.openapi.document import document
from chalicelib.handlers.api.operations import DescribedRoute

BASE = "https://till.example"


def closed(schema: Any) -> Any:
    """The schema with no room for fields that it does not name: the document leaves room for those of tomorrow."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: value if key in ("example", "examples", "enum") else closed(value) for key, value in schema.items()}
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found


@dataclass
class Conformance:
    """The document of these routes, ready to judge answers."""

    routes: tuple[DescribedRoute, ...] = field(repr=False)
    document: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.document = closed(copy.deepcopy(document(self.routes, BASE)))
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}
        self._patterns = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in self.document["paths"]]
        # A path without parameters is itself before it is an example of one with some.
        self._patterns.sort(key=lambda each: each[1].count("{"))

    def wrong(self, method: str, address: str, status: int, body: Any) -> str | None:
        """What is not as documented about an answer, None when all is."""
        path = address.partition("?")[0]
        pattern = next((pattern for found, pattern in self._patterns if found.fullmatch(path)), None)
        operation = self.document["paths"].get(pattern, {}).get(method.lower())
        if operation is None:
            return self._misfit("#/components/schemas/Error", body)
        if str(status) not in operation["responses"]:
            return f"{operation['operationId']} does not document {status}: {body}"
        named = quote(pattern.replace("/", "~1"))
        pointer = f"#/paths/{named}/{method.lower()}/responses/{status}"
        response = operation["responses"][str(status)]
        if "$ref" in response:
            pointer = response["$ref"]
        return self._misfit(f"{pointer}/content/application~1json/schema", body)

    def fits(self, name: str, value: Any) -> str | None:
        """What is wrong with a value of a component, None when nothing is."""
        return self._misfit(f"#/components/schemas/{name}", value)

    def _misfit(self, pointer: str, body: Any) -> str | None:
        validator = self._validators.get(pointer)
        if validator is None:
            schema = {"$ref": f"urn:api{pointer}"}
            registry = jsonschema_rs.Registry([("urn:api", self.document)], draft=jsonschema_rs.Draft202012)
            validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True, registry=registry)
            self._validators[pointer] = validator
        problems = [f"{each.instance_path}: {each.message}" for each in validator.iter_errors(body)]
        return "; ".join(problems) or None
