"""The API's document as the page that people read it by: the same facts, and nothing that the document has not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

from chalicelib.handlers.api.openapi.document import document
from chalicelib.handlers.api.openapi.schemas import PREFIX
from chalicelib.handlers.api.operations import DescribedRoute
from chalicelib.web.render import render_reference_page
from chalicelib.web.views.reference import (
    FieldRow,
    OperationView,
    Piece,
    PieceKind,
    ReferencePage,
    RefusalRow,
    SectionView,
    Sentence,
    TypeView,
)

_MARKED: Final = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")
_NULL: Final = {"type": "null"}


@cache
def reference_html(routes: tuple[DescribedRoute, ...], base_url: str, document_url: str) -> str:
    """The page, made once."""
    page = reference_page(document(routes, base_url), document_url)
    return render_reference_page(page, root=urlsplit(base_url).path)


def reference_page(api: Mapping[str, Any], document_url: str) -> ReferencePage:
    """The page of a document."""
    sections: dict[str, list[OperationView]] = {tag["name"]: [] for tag in api["tags"]}
    for path, methods in api["paths"].items():
        for method, described in methods.items():
            sections[described["tags"][0]].append(_operation(api, method.upper(), path, described))
    schemas = api["components"]["schemas"]
    return ReferencePage(
        base_url=api["servers"][0]["url"],
        document_url=document_url,
        about=tuple(_sentence(" ".join(part.split())) for part in api["info"]["description"].split("\n\n")),
        sections=tuple(SectionView(name, tuple(found)) for name, found in sections.items()),
        types=tuple(_type(name, schema, schemas) for name, schema in schemas.items() if _has_a_place(schema)),
    )


def _operation(api: Mapping[str, Any], method: str, path: str, described: Mapping[str, Any]) -> OperationView:
    schemas = api["components"]["schemas"]
    parameters = [_found(api, each) for each in described.get("parameters", ())]
    body = described.get("requestBody")
    content = body["content"]["application/json"] if body else None
    model = content["schema"]["$ref"].removeprefix(PREFIX) if content else ""
    success, done = next(iter(described["responses"].items()))
    answer = done["content"]["application/json"]
    return OperationView(
        id=described["operationId"],
        method=method,
        path=path,
        summary=described["summary"],
        words=_sentence(described.get("description", "")),
        scope=described["security"][0]["apiKey"][0],
        parameters=tuple(_parameter(each, schemas) for each in parameters),
        takes=_type_words(content["schema"], schemas) if content else (),
        body_required=bool(body and body["required"]),
        body=_fields(schemas[model], schemas) if model else (),
        gives=_type_words(answer["schema"], schemas),
        success=int(success),
        refusals=tuple(
            _refusal(api, status, each) for status, each in described["responses"].items() if status[0] != "2"
        ),
        request=_request(api, method, path, parameters, content),
        answer=json.dumps(answer["example"], indent=2, ensure_ascii=False),
    )


def _found(api: Mapping[str, Any], maybe: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = maybe
    if "$ref" in maybe:
        found = api
        for step in maybe["$ref"].removeprefix("#/").split("/"):
            found = found[step]
    return dict(found)


def _parameter(said: Mapping[str, Any], schemas: Mapping[str, Any]) -> FieldRow:
    place = {"path": "In the address. ", "header": "Header. ", "query": ""}[said["in"]]
    words = f"{place}{said.get('description', '')}"
    return FieldRow(said["name"], _type_words(said["schema"], schemas), said.get("required", False), _sentence(words))


def _refusal(api: Mapping[str, Any], status: str, response: Mapping[str, Any]) -> RefusalRow:
    found = _found(api, response)
    codes = found["content"]["application/json"]["schema"]["allOf"][1]["properties"]["error"]["properties"]["code"][
        "enum"
    ]
    return RefusalRow(int(status), found["description"].partition(" Codes:")[0], tuple(codes))


def _request(
    api: Mapping[str, Any], method: str, path: str, parameters: Iterable[Mapping[str, Any]], content: Any
) -> str:
    for each in parameters:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", each["schema"]["examples"][0])
    lines = [f"curl {api['servers'][0]['url']}{path}", "-H 'Authorization: Bearer till_…'"]
    if content is not None:
        body = json.dumps(content["example"], indent=2, ensure_ascii=False).replace("'", "'\\''")
        lines += ["-H 'Content-Type: application/json'", f"-d '{body}'"]
    elif method != "GET":
        lines.append(f"-X {method}")
    return " \\\n  ".join(lines)


# --- types ------------------------------------------------------------------------------------------------------------


def _has_a_place(schema: Mapping[str, Any]) -> bool:
    # A list's page is three fields that every list has, and a closed list of words stands where it is used.
    return schema.get("type") == "object" and not {"data", "has_more"} <= schema.get("properties", {}).keys()


def _type(name: str, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> TypeView:
    return TypeView(name, _sentence(" ".join(schema.get("description", "").split())), _fields(schema, schemas))


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> tuple[FieldRow, ...]:
    required = schema.get("required", ())
    return tuple(
        FieldRow(name, _type_words(each, schemas), name in required, _sentence(_words_of(each)))
        for name, each in schema.get("properties", {}).items()
    )


def _words_of(schema: Mapping[str, Any]) -> str:
    said = [schema.get("description", "")]
    said += [_words_of(each) for each in schema.get("anyOf", ()) if "description" not in schema]
    if "default" in schema:
        said.append(f"Without it: `{json.dumps(schema['default'])}`.")
    return " ".join(each for each in said if each)


def _type_words(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Sentence:
    """What a value is, in a few words: `list of Line or null`, `string, 1 to 200 characters`."""
    if "$ref" in schema:
        return _reference(schema["$ref"].removeprefix(PREFIX), schemas)
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        return _joined(
            [_type_words(each, schemas) for each in sorted(alternatives, key=lambda each: each == _NULL)], " or "
        )
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return _joined([(Piece(str(value), PieceKind.CODE),) for value in values], ", ")
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        return (Piece(" or ".join(kind)),)
    if kind == "array":
        return (Piece(f"list{_bounds(schema, 'minItems', 'maxItems')} of "), *_type_words(schema["items"], schemas))
    if kind == "object" and "properties" in schema:
        inner = [(Piece(name, PieceKind.CODE),) for name in schema["properties"]]
        return (Piece("object with "), *_joined(inner, ", "))
    return (Piece(kind + _limits(schema)),)


def _reference(name: str, schemas: Mapping[str, Any]) -> Sentence:
    schema = schemas[name]
    if _has_a_place(schema):
        return (Piece(name, PieceKind.TYPE),)
    if schema.get("type") == "object":
        return (Piece("page of "), *_type_words(schema["properties"]["data"]["items"], schemas))
    return _type_words(schema, schemas)


def _limits(schema: Mapping[str, Any]) -> str:
    if schema.get("format"):
        return f" ({schema['format']})"
    if "minLength" in schema or "maxLength" in schema:
        return f",{_bounds(schema, 'minLength', 'maxLength')} characters"
    if "minimum" in schema:
        return f",{_bounds(schema, 'minimum', 'maximum')}"
    return f", as {schema['examples'][0]}" if schema.get("examples") else ""


def _bounds(schema: Mapping[str, Any], least: str, most: str) -> str:
    if least in schema and most in schema:
        return f" {schema[least]:,} to {schema[most]:,}"
    if most in schema:
        return f" at most {schema[most]:,}"
    return f" at least {schema[least]:,}" if least in schema else ""


def _joined(parts: Iterable[Sentence], between: str) -> Sentence:
    joined: list[Piece] = []
    for part in parts:
        if joined:
            joined.append(Piece(between))
        joined.extend(part)
    return tuple(joined)


def _sentence(text: str) -> Sentence:
    """Text with `code` and **strong** words in it, in pieces."""
    pieces, at = [], 0
    for found in _MARKED.finditer(text):
        pieces.append(Piece(text[at : found.start()]))
        pieces.append(Piece(found[1], PieceKind.CODE) if found[1] else Piece(found[2], PieceKind.STRONG))
        at = found.end()
    return tuple(piece for piece in (*pieces, Piece(text[at:])) if piece.text)
