"""What no field may take, found from the schema of the field: so that a new field is tried without being asked for.

A schema says of most values that they are wrong. What none can say is in here by name: floats that are whole, texts
that hide something, card numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs

from chalicelib.handlers.api.keywords import ULID

PREFIX = "#/components/schemas/"
CARDS = ("4242 4242 4242 4242", "4242-4242-4242-4242", "x 378282246310005 y", "４２４２４２４２４２４２４２４２")
HIDDEN = ("a\x00b", "a\x1bb", "a\x7fb", "a\x85b", "a\u202eb", "a\u2066b", "a\u2028b")
BREAKS = ("a\nb", "a\r\nb", "a\tb")
BLANK = ("", " ", "\u00a0", "\u3000", "\ufeff \u200b"[1:2])
POOL: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 10**19, -(10**19), 10**300, 0.5, 1.0, 1e300, "1", "true", "null", "x", [], {}, [[]]),
    *([None], [1], ["x"], {"x": 1}, {"": ""}, {"$gt": ""}, "a" * 5_001, "é" * 5_001, "😀" * 2_001, ["x"] * 500),
    *("2027-02-30", "0000-00-00", "2027-1-1", "20270131", "2027-01-31T25:00:00Z", "1e5", "NaN", "-5", "١٠", "10 "),
    *("javascript:alert(1)", "http://x.example", "https://u:p@x.example", "https://x.example\\@y", "//x.example"),
    *("ada@", "a@b@c.example", "ada@example.com\r\nBcc: eve@example.com", "Ada <ada@example.com>", "USD", "zzz"),
    *("price_1", "prod_" + "Z" * 26, "cus_01ARZ3NDEKTSV4RRFFQ69G5FAV\n", "../../etc/passwd", "America/Nowhere"),
    *CARDS,
    *HIDDEN,
    *BLANK,
)


TEXTS = (
    *(
        "=1+1",
        "+1 212",
        "-1",
        "@SUM(A1)",
        '"a, b"; c',
        "'; DROP TABLE x; --",
        "<b>x</b>",
        "{{ 7 * 7 }}",
        "../..",
        "%00",
    ),
    *("שלום", "مرحبا", "a\u200db", "e\u0301", "ﬁ", "社長", "🏳️‍🌈", "NaN", "null", "\\", "4242 4242 4242 4241", " x "),
)
"""What spreadsheets, scripts and other languages write: text like any other."""


@dataclass(frozen=True)
class Field:
    """One place in a body: its dotted name, its schema, and a body that is right but for what is put there.

    `named` is what a refusal calls it, where that is the whole value that the place is in.
    """

    param: str
    schema: Mapping[str, Any]
    body: Any
    named: str = ""

    @property
    def is_id(self) -> bool:
        """Whether it names another record: one that cannot exist is as unknown as one that does not."""
        return any(ULID in str(each.get("pattern")) for each in (self.schema, *self.schema.get("anyOf", ())))

    def is_named_in(self, params: Iterable[str]) -> bool:
        """Whether one of the names of a refusal is this place, or lies in it."""
        mine = self.named or self.param
        return any(each == mine or each.startswith(f"{mine}.") for each in params)

    def with_value(self, value: Any) -> Any:
        """The body with this value in its place."""
        steps = self.param.split(".")
        return _put(self.body, steps, value)


def _put(body: Any, steps: list[str], value: Any) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(body, list):
        return [_put(each, rest, value) if number == int(step) else each for number, each in enumerate(body)]
    return {**body, step: _put(body.get(step, {}), rest, value)}


@dataclass(frozen=True)
class Bodies:
    """The schemas of an API's document, to walk through."""

    schemas: Mapping[str, Any]

    def fields(self, model: str, example: Any) -> Iterator[Field]:
        """Every field of a body, nested ones too; what the example leaves out is filled in from the schema."""
        yield from self._within(self.schemas[model], "", example, example)

    def _within(self, schema: Mapping[str, Any], at: str, value: Any, whole: Any, named: str = "") -> Iterator[Field]:
        for name, each in schema.get("properties", {}).items():
            param = f"{at}.{name}" if at else name
            yield Field(param, each, whole, named)
            for inner in self.alternatives(each):
                yield from self._inside(inner, param, value.get(name) if isinstance(value, dict) else None, whole)

    def _inside(self, schema: Mapping[str, Any], param: str, value: Any, whole: Any) -> Iterator[Field]:
        if schema.get("type") == "array":
            for inner in self.alternatives(schema["items"]):
                filled = self.filled(inner, value[0] if value else None)
                body = Field(param, schema, whole).with_value([filled])
                yield Field(f"{param}.0", inner, body)
                yield from self._within(inner, f"{param}.0", filled, body)
        elif "properties" in schema:
            filled = self.filled(schema, value)
            # An object that is no model of its own is checked, and so named, as a whole.
            named = "" if schema in self.schemas.values() else param
            yield from self._within(schema, param, filled, Field(param, schema, whole).with_value(filled), named)

    def alternatives(self, schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """What a value can be, each without references and without null."""
        if "$ref" in schema:
            return self.alternatives(self.schemas[schema["$ref"].removeprefix(PREFIX)])
        several = schema.get("anyOf") or schema.get("oneOf")
        if several:
            return [one for each in several for one in self.alternatives(each)]
        return [] if schema.get("type") == "null" else [schema]

    def filled(self, schema: Mapping[str, Any], value: Any) -> Any:
        """A value with every field that is needed: the given ones, and the plainest for the rest."""
        if "properties" not in schema:
            return value
        given = value if isinstance(value, dict) and value.keys() <= schema["properties"].keys() else {}
        missing = [name for name in schema.get("required", ()) if name not in given]
        return {**given, **{name: self.plainest(schema["properties"][name]) for name in missing}}

    def plainest(self, schema: Mapping[str, Any]) -> Any:
        """The plainest value that a schema takes."""
        first = self.alternatives(schema)[0]
        if "enum" in first:
            return first["enum"][0]
        if first.get("examples"):
            return first["examples"][0]
        kind = first["type"]
        if kind == "object":
            return self.filled(first, {})
        if kind == "array":
            return [self.plainest(first["items"])]
        return {"string": "x" * first.get("minLength", 1), "integer": first.get("minimum", 1), "boolean": False}[kind]

    def bad_values(self, field: Field) -> Iterator[Any]:
        """What this field must refuse."""
        takes = self._takes(field.schema)
        kinds = [each for each in self.alternatives(field.schema) if each.get("type") == "string"]
        text = next((each for each in kinds if "enum" not in each), None)
        for value in POOL:
            whole_float = isinstance(value, float)
            unclean = text is not None and isinstance(value, str) and value in (*CARDS, *HIDDEN, *BLANK)
            if whole_float or unclean or not takes(value):
                yield value
        for each in self.alternatives(field.schema):
            yield from _beyond(each)
        if text is not None and "No line breaks" in str(field.schema):
            yield from BREAKS

    def good_texts(self, field: Field) -> Iterator[str]:
        """What a field of free text must take as it is; nothing for fields that are something else."""
        for each in self.alternatives(field.schema):
            free = each.get("type") == "string" and not each.keys() & {"enum", "format", "pattern"}
            if free and "maxLength" in each and each.get("minLength", 0) <= 1:
                yield from ("😀" * each["maxLength"], "é" * each["maxLength"], *TEXTS)

    def _takes(self, schema: Mapping[str, Any]) -> Any:
        document = {"components": {"schemas": self.schemas}, **_plain(schema)}
        return jsonschema_rs.Draft202012Validator(document).is_valid


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("description", "examples", "default")}


def _beyond(schema: Mapping[str, Any]) -> Iterator[Any]:
    """One step beyond each bound of a schema."""
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "maximum" in schema:
        yield schema["maximum"] + 1
    if "maxLength" in schema:
        yield "a" * (schema["maxLength"] + 1)
        yield "😀" * (schema["maxLength"] + 1)
    if schema.get("minLength", 0) > 1:
        yield "a" * (schema["minLength"] - 1)
    if "maxProperties" in schema:
        yield {f"k{number}": "x" for number in range(schema["maxProperties"] + 1)}
        yield {"k" * (schema["propertyNames"]["maxLength"] + 1): "x"}
        yield {"k": "x" * (schema["additionalProperties"]["maxLength"] + 1)}
        yield from ({"k": each} for each in (None, 1, True, [], {}, *CARDS[:1], *HIDDEN))
        yield from ({each: "x"} for each in ("", *CARDS[:1], *HIDDEN))


@cache
def raw_bodies() -> tuple[tuple[str, bytes], ...]:
    """Bodies that are no clean JSON object, by what is wrong with them."""
    return (
        ("nothing", b""),
        ("a blank", b" "),
        ("null", b"null"),
        ("an array", b"[]"),
        ("a string", b'"x"'),
        ("a number", b"1"),
        ("NaN", b'{"x": NaN}'),
        ("Infinity", b'{"x": Infinity}'),
        ("-Infinity", b'{"x": [-Infinity]}'),
        ("a key twice", b'{"x": 1, "x": 1}'),
        ("a key twice, once escaped", b'{"x": 1, "\\u0078": 1}'),
        ("a key twice, deep", b'{"y": [{"x": 1, "x": 2}]}'),
        ("half a surrogate pair", b'{"x": "\\ud800"}'),
        ("half a surrogate pair in a key", b'{"\\udfff": 1}'),
        ("a pair the wrong way round", b'{"x": "\\udc00\\ud800"}'),
        ("nested too deep", b'{"x": ' + b"[" * 33 + b"]" * 33 + b"}"),
        ("nested far too deep", b'{"x": ' * 50_000),
        ("not UTF-8", b'{"x": "\xff"}'),
        ("UTF-16", '{"x": 1}'.encode("utf-16")),
        ("a byte order mark", b'\xef\xbb\xbf{"x": 1}'),
        ("a raw control character", b'{"x": "a\x00b"}'),
        ("cut off", b'{"x": "a'),
        ("something behind it", b"{} {}"),
        ("a comment", b"{} // x"),
        ("single quotes", b"{'x': 1}"),
        ("a trailing comma", b'{"x": 1,}'),
        ("a leading zero", b'{"x": 01}'),
        ("a plus sign", b'{"x": +1}'),
        ("a form", b"x=1&y=2"),
    )
