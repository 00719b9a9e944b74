"""Frozen dataclasses to JSON text and back, by their annotations, so that old and new code can read one row.

Unknown keys are ignored and missing ones take the field's default. What this rule cannot do: code that does not know
a field drops it when it writes the row, so a new field needs a default that is right for a row without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from chalicelib.domain.billing.schedule import Epoch

T = TypeVar("T")

WALL_CLOCKS: Final = frozenset({(Epoch, "wall_clock")})
"""The fields that hold a naive wall-clock time. Everywhere else a time without a zone is a mistake."""


class CodecError(ValueError):
    """A value that has no stored form, or stored text that cannot be read as its type."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How one annotation is stored: `json` is the type that its JSON has once parsed, `holds` tells its values."""

    json: type
    holds: Callable[[Any], bool]
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def to_text(value: Any, *, without: str | None = None) -> str:
    """The JSON of a dataclass, less the one field that is stored beside it. Raises CodecError."""
    kind: Any = type(value)
    shape = _form(kind).encode(value)
    if without is not None:
        del shape[without]
    return _TO_JSON(shape)


def from_text(kind: type[T], text: str, **beside: Any) -> T:
    """The dataclass in a JSON text, with the fields that were stored beside it. Raises CodecError."""
    shape = _FROM_JSON(text)
    if not isinstance(shape, dict):
        raise CodecError(f"{kind.__name__}: not an object")
    annotation: Any = kind
    result: T = _form(annotation).decode({**shape, **beside})
    return result


def plain(value: Any) -> Any:
    """A copy of a JSON value, tuples as lists. Raises CodecError for what JSON does not have, and for floats."""
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise CodecError("a key that is no text")
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    raise CodecError(f"{type(value).__name__} is not stored")


def time_text(value: datetime) -> str:
    """RFC 3339 in UTC to the microsecond, which sorts as the times do. Raises CodecError for a naive time."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise CodecError("not an aware time")
    at = value if value.tzinfo is UTC else value.astimezone(UTC)
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def time_from(text: str) -> datetime:
    """The aware time in what `time_text` wrote. Raises CodecError."""
    if not text.endswith("Z"):
        raise CodecError("not a time in UTC")
    return datetime.fromisoformat(text)


def _refuse_float(text: str) -> Any:
    raise CodecError(f"{text}: floats are not stored")


# Made once: `json.dumps` and `json.loads` make one for each call that asks for anything of its own.
_TO_JSON: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_FROM_JSON: Final = json.JSONDecoder(parse_float=_refuse_float, parse_constant=_refuse_float).decode


# A memo of a pure function: building forms for every kind at import would be paid by each cold start.
@cache
def _form(annotation: Any) -> _Form:
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _union(tuple(_form(argument) for argument in arguments))
    if origin is Literal:
        return _closed(arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _sequence(_form(arguments[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping) and arguments[0] is str:
        return _mapping(_form(arguments[1]))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return _enum(annotation)
    if isinstance(annotation, type) and is_dataclass(annotation):
        return _record(annotation)
    raise TypeError(f"{annotation!r} has no stored form")


def _scalar(kind: type, json_type: type, encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> _Form:
    def holds(value: Any) -> bool:
        # An exact type keeps bool out of int and datetime out of date.
        return type(value) is kind

    # The type is looked at in place: most of what is stored is scalars.
    def checked(value: Any) -> Any:
        if type(value) is not kind:
            raise CodecError(f"{type(value).__name__} where {kind.__name__} belongs")
        return encode(value)

    def read(shape: Any) -> Any:
        if type(shape) is not json_type:
            raise CodecError(f"{type(shape).__name__} where {json_type.__name__} belongs")
        return decode(shape)

    return _Form(json_type, holds, checked, read)


def _same(value: Any) -> Any:
    return value


def _decimal_text(value: Decimal) -> str:
    if not value.is_finite():
        raise CodecError("not a finite number")
    return str(value)


def _decimal_from(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise CodecError("not a decimal number") from error


def _wall_clock_text(value: datetime) -> str:
    if value.tzinfo is not None or value.fold:
        raise CodecError("not a wall-clock time")
    return value.isoformat(timespec="microseconds")


def _text_form() -> _Form:
    def encode(value: Any) -> str:
        if type(value) is str:
            return value
        # Members of a StrEnum are texts too, in a field that is declared as a text.
        if not isinstance(value, str):
            raise CodecError(f"{type(value).__name__} where str belongs")
        return str(value)

    return _Form(str, lambda value: isinstance(value, str), encode, _scalar(str, str, _same, _same).decode)


_WALL_CLOCK: Final = _scalar(datetime, str, _wall_clock_text, datetime.fromisoformat)
_SCALARS: Final[Mapping[Any, _Form]] = {
    NoneType: _scalar(NoneType, NoneType, _same, _same),
    bool: _scalar(bool, bool, _same, _same),
    int: _scalar(int, int, _same, _same),
    str: _text_form(),
    Decimal: _scalar(Decimal, str, _decimal_text, _decimal_from),
    datetime: _scalar(datetime, str, time_text, time_from),
    date: _scalar(date, str, date.isoformat, date.fromisoformat),
    Any: _Form(object, lambda value: True, plain, _same),
}


def _enum(kind: type[StrEnum]) -> _Form:
    return _scalar(kind, str, str, kind)


def _closed(values: tuple[Any, ...]) -> _Form:
    types = {type(value) for value in values}
    if len(types) != 1 or not types <= {str, int}:
        raise TypeError(f"{values!r} have no stored form")

    def check(value: Any) -> Any:
        if value not in values:
            raise CodecError(f"{value!r} is not one of {values!r}")
        return value

    (kind,) = types
    return _scalar(kind, kind, check, check)


def _union(arms: tuple[_Form, ...]) -> _Form:
    by_json = {arm.json: arm for arm in arms}
    if len(by_json) != len(arms) or object in by_json:
        raise TypeError("a union is stored only where JSON tells its members apart")
    optional = NoneType in by_json
    others = [arm for arm in arms if arm.json is not NoneType]

    def encode(value: Any) -> Any:
        if value is None and optional:
            return None
        for arm in others:
            if arm.holds(value):
                return arm.encode(value)
        raise CodecError(f"{type(value).__name__} is in no member of the union")

    def decode(shape: Any) -> Any:
        if shape is None and optional:
            return None
        arm = by_json.get(type(shape))
        if arm is None:
            raise CodecError(f"{type(shape).__name__} is in no member of the union")
        return arm.decode(shape)

    return _Form(object, lambda value: any(arm.holds(value) for arm in arms), encode, decode)


def _sequence(item: _Form) -> _Form:
    read = _scalar(list, list, _same, _same).decode

    def encode(value: Any) -> list[Any]:
        if type(value) is not tuple:
            raise CodecError(f"{type(value).__name__} where tuple belongs")
        return [item.encode(one) for one in value]

    return _Form(
        list,
        lambda value: type(value) is tuple,
        encode,
        lambda shape: tuple(item.decode(one) for one in read(shape)),
    )


def _mapping(item: _Form) -> _Form:
    read = _scalar(dict, dict, _same, _same).decode

    def encode(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise CodecError(f"{type(value).__name__} where a mapping from text belongs")
        return {str(key): item.encode(one) for key, one in value.items()}

    return _Form(
        dict,
        lambda value: isinstance(value, Mapping),
        encode,
        lambda shape: {key: item.decode(one) for key, one in read(shape).items()},
    )


def _record(kind: type[Any]) -> _Form:
    hints = get_type_hints(kind)
    forms = [
        (field.name, _WALL_CLOCK if (kind, field.name) in WALL_CLOCKS else _form(hints[field.name]))
        for field in fields(kind)
    ]
    required = [field.name for field in fields(kind) if _is_required(field)]
    needed = frozenset(required)
    encoders = [(name, form.encode) for name, form in forms]
    decoders = [(name, form.decode) for name, form in forms]

    def encode(value: Any) -> dict[str, Any]:
        if type(value) is not kind:
            raise CodecError(f"{type(value).__name__} where {kind.__name__} belongs")
        try:
            return {name: encode_field(getattr(value, name)) for name, encode_field in encoders}
        except ValueError:
            return {name: at_field(name, encode_field, getattr(value, name)) for name, encode_field in encoders}

    def decode(shape: Any) -> Any:
        if type(shape) is not dict:
            raise CodecError(f"{type(shape).__name__} where {kind.__name__} belongs")
        if not needed <= shape.keys():
            missing = [name for name in required if name not in shape]
            raise CodecError(f"{kind.__name__}: {', '.join(missing)} missing")
        try:
            known = {name: decode_field(shape[name]) for name, decode_field in decoders if name in shape}
        except ValueError:
            known = {
                name: at_field(name, decode_field, shape[name]) for name, decode_field in decoders if name in shape
            }
        return kind(**known)

    def at_field(name: str, convert: Callable[[Any], Any], value: Any) -> Any:
        # The path grows as the error travels outwards; without it a page of nested lines says only "int".
        try:
            return convert(value)
        except ValueError as error:
            raise CodecError(f"{kind.__name__}.{name}: {error}") from error

    return _Form(dict, lambda value: type(value) is kind, encode, decode)


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING
