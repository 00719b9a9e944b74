"""The whole document: paths, parameters, bodies and answers of every described route."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final

from chalicelib.handlers.api.keywords import PREFIXES, id_of
from chalicelib.handlers.api.openapi.examples import answer_example, body_example
from chalicelib.handlers.api.openapi.refusals import Refusals, error_schema
from chalicelib.handlers.api.openapi.schemas import PREFIX, answer_schemas, answer_type, body_schemas
from chalicelib.handlers.api.operations import Count, DescribedRoute, Filters
from chalicelib.handlers.parsing import DEFAULT_LIMIT, MAX_LIMIT

_ABOUT: Final = """\
Payment links, checkouts, invoices and subscriptions, with Stripe moving the money.

**Keys.** Send `Authorization: Bearer till_…`. A key has scopes such as `customers:write`, and writing does not include
reading.

**Requests.** JSON objects in UTF-8 with `Content-Type: application/json`, at most a megabyte. Fields and parameters
that do not exist here are refused. Amounts are integers in the minor unit of the currency beside them; percentages are
strings. In updates, a field that is absent stays as it is, null clears it, and a list is replaced whole.

**Answers.** Times are RFC 3339 in UTC. Fields may be added at any time. Every answer has a `Request-Id`.

**Retries.** Give a POST that writes an `Idempotency-Key`: sent again with the same body it is done once, and gets the
same answer for 24 hours. While the first is under way the answer is a 409 with `Retry-After`.

**Lists** are newest first. Give `next_cursor` as `cursor` for the next page; a cursor belongs to its list, filters and
key.

**Refusals** have one shape. `code` is from a closed list, and `errors` has every field at fault at once.\
"""

_LISTED: Final = {
    "created_after": "Only what was created after this time.",
    "created_before": "Only what was created before this time.",
}
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 printable ASCII characters. The same key and body give the same answer for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    "example": "order-1042",
}


@cache
def document_json(routes: tuple[DescribedRoute, ...], base_url: str) -> str:
    """The document as it is sent."""
    return json.dumps(document(routes, base_url), ensure_ascii=False, separators=(",", ":"))


@cache
def document(routes: tuple[DescribedRoute, ...], base_url: str) -> dict[str, Any]:
    """The document; whoever asks must not change it. Raises ValueError for a type without an example, and
    for descriptions that contradict each other.
    """
    answers, answer_parts = answer_schemas({route.operation.id: answer_type(route) for route in routes})
    bodies, body_parts = body_schemas(route.operation.takes for route in routes if route.operation.takes)
    twice = answer_parts.keys() & body_parts.keys()
    if twice:
        raise ValueError(f"a body and an answer have one name: {sorted(twice)}")
    refusals = Refusals()
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        described = _operation(route, answers[route.operation.id], bodies, refusals)
        paths.setdefault(route.path, {})[route.method.lower()] = described
    tags = sorted({_tag(route) for route in routes})
    return {
        "openapi": "3.1.0",
        "info": {"title": "Till", "version": "1", "description": _ABOUT},
        "servers": [{"url": base_url.rstrip("/")}],
        "tags": [{"name": tag} for tag in tags],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key, which begins with `till_`."}
            },
            "headers": {
                "RequestId": {"schema": {"type": "string"}, "description": "Name it when you ask about this request."},
                "IdempotentReplayed": {
                    "schema": {"const": "true"},
                    "description": "There when the answer is that of an earlier call under the same idempotency key.",
                },
            },
            "parameters": {"IdempotencyKey": _IDEMPOTENCY_KEY},
            "responses": refusals.components,
            "schemas": dict(sorted({**answer_parts, **body_parts, "Error": error_schema()}.items())),
        },
    }


def _tag(route: DescribedRoute) -> str:
    return route.path.split("/")[2]


def _operation(
    route: DescribedRoute, answer: dict[str, Any], bodies: dict[str, dict[str, Any]], refusals: Refusals
) -> dict[str, Any]:
    said = route.operation
    described: dict[str, Any] = {"operationId": said.id, "tags": [_tag(route)], "summary": said.summary.rstrip(".")}
    if said.description:
        described["description"] = said.description
    described["security"] = [{"apiKey": [route.scope]}]
    parameters = [*_path_parameters(route), *_query_parameters(route)]
    if route.writes:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if parameters:
        described["parameters"] = parameters
    if said.takes:
        model = said.takes.rpartition(".")[2]
        described["requestBody"] = {
            "required": not said.body_optional,
            "content": {"application/json": {"schema": bodies[said.takes], "example": body_example(model)}},
        }
    headers: dict[str, Any] = {"Request-Id": {"$ref": "#/components/headers/RequestId"}}
    if route.writes:
        headers["Idempotent-Replayed"] = {"$ref": "#/components/headers/IdempotentReplayed"}
    described["responses"] = {
        str(route.success): {
            "description": "Done." if route.method == "POST" else "As asked.",
            "headers": headers,
            "content": {"application/json": {"schema": answer, "example": _answer_example(answer)}},
        },
        **refusals.of(route),
    }
    return described


def _answer_example(schema: dict[str, Any]) -> Any:
    # Of several answers the first is the one that usually comes.
    name = schema.get("anyOf", [schema])[0]["$ref"].removeprefix(PREFIX)
    listed = name.removesuffix("Page")
    if listed == name:
        return answer_example(name)
    return {"data": [answer_example(listed)], "has_more": False, "next_cursor": None}


def _path_parameters(route: DescribedRoute) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", **id_of(PREFIXES[name.removesuffix("_id")]).keywords},
        }
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _query_parameters(route: DescribedRoute) -> list[dict[str, Any]]:
    said = route.operation
    found = [_count(count) for count in said.counts]
    if said.lists:
        found.append(_count(Count("limit", 1, MAX_LIMIT, DEFAULT_LIMIT, "Entries on a page at most.")))
        found.append(_query("cursor", "The `next_cursor` of the page before.", {"type": "string", "minLength": 1}))
    if said.filters:
        found.extend(_filters(said.filters))
    return found


def _filters(filters: Filters) -> list[dict[str, Any]]:
    one = " One record at a time." if len(filters.owners) > 1 else ""
    found = [
        _query(name, f"Only what belongs to this record.{one}", {"type": "string", **id_of(PREFIXES[name]).keywords})
        for name in filters.owners
    ]
    if filters.statuses:
        found.append(_query("status", "Only this status.", {"type": "string", "enum": [*filters.statuses]}))
    if filters.times:
        found.extend(_query(name, words, {"type": "string", "format": "date-time"}) for name, words in _LISTED.items())
    return found


def _count(count: Count) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": count.least, "maximum": count.most, "default": count.default}
    return _query(count.name, count.words, schema)


def _query(name: str, words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": words, "schema": schema}
