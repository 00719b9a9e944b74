"""Compiles the stripe package's parameter TypedDicts into checkable types, so the sandbox refuses what Stripe refuses.

The package writes its annotations for type checkers: forward references inside `NotRequired`, names that exist for
checkers only, and `Literal[...] | str` for enumerations. They are resolved by hand here, and an enumeration is closed
to its literals: the `str` beside them is only the package's room for future values.
"""

import functools
import sys
import types
import typing
from dataclasses import dataclass
from typing import Any, Final, ForwardRef, Literal, Union

import typing_extensions
from stripe._request_options import RequestOptions
from stripe._stripe_object import UntypedStripeObject

REQUEST_OPTIONS: Final = frozenset(RequestOptions.__annotations__)


@dataclass(frozen=True, slots=True)
class Text:
    """Any string; the empty one only where the union also has `Clear`."""


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number, written `^-?[0-9]+$`."""


@dataclass(frozen=True, slots=True)
class Number:
    """A decimal number."""


@dataclass(frozen=True, slots=True)
class Boolean:
    """`true` or `false`."""


@dataclass(frozen=True, slots=True)
class Clear:
    """The empty string, which unsets the parameter."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the listed words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    item: "ParameterType"


@dataclass(frozen=True, slots=True)
class Keyed:
    """An object with free keys (metadata)."""

    value: "ParameterType"


@dataclass(frozen=True, slots=True)
class Shape:
    """An object with known keys."""

    fields: dict[str, "ParameterType"]
    required: frozenset[str]

    def __hash__(self) -> int:
        return hash((tuple(self.fields), self.required))


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of several types."""

    options: tuple["ParameterType", ...]


ParameterType = Text | Integer | Number | Boolean | Clear | Choice | Items | Keyed | Shape | AnyOf

_EMPTY_OBJECT: Final = Shape({}, frozenset())


@functools.cache
def shape_of(params: type) -> Shape:
    """Compile one `…Params` TypedDict. RequestOptions keys, which the package mixes in, are no parameters."""
    scope = vars(sys.modules[params.__module__])
    fields: dict[str, ParameterType] = {}
    required: set[str] = set()
    for name, annotation in params.__annotations__.items():
        if name in REQUEST_OPTIONS:
            continue
        inner, is_required = _unwrap_required(_evaluate(annotation, scope), scope)
        fields[name] = _compile(inner, scope)
        if is_required:
            required.add(name)
    return Shape(fields, frozenset(required))


def _evaluate(annotation: Any, scope: dict[str, Any]) -> Any:
    while isinstance(annotation, (ForwardRef, str)):
        text = annotation if isinstance(annotation, str) else annotation.__forward_arg__
        annotation = eval(text, scope)  # noqa: S307 - annotations of an installed package, not input
    return annotation


def _unwrap_required(annotation: Any, scope: dict[str, Any]) -> tuple[Any, bool]:
    if typing.get_origin(annotation) in (typing.NotRequired, typing_extensions.NotRequired):
        return _evaluate(typing.get_args(annotation)[0], scope), False
    return annotation, True


def _compile(annotation: Any, scope: dict[str, Any]) -> ParameterType:
    annotation = _evaluate(annotation, scope)
    plain: dict[Any, ParameterType] = {str: Text(), int: Integer(), float: Number(), bool: Boolean()}
    if annotation in plain:
        return plain[annotation]
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin in (Literal, typing_extensions.Literal):
        return Clear() if arguments == ("",) else Choice(tuple(str(word) for word in arguments))
    if origin in (Union, types.UnionType):
        return _compile_union([_compile(argument, scope) for argument in arguments])
    if origin is list:
        return Items(_compile(arguments[0], scope))
    if origin in (dict, UntypedStripeObject):
        return Keyed(_compile(arguments[-1], scope))
    if isinstance(annotation, type) and typing_extensions.is_typeddict(annotation):
        return shape_of(annotation) if annotation.__annotations__ else _EMPTY_OBJECT
    raise TypeError(f"no rule for the parameter annotation {annotation!r}")


def _compile_union(options: list[ParameterType]) -> ParameterType:
    flat: list[ParameterType] = []
    for option in options:
        flat.extend(option.options if isinstance(option, AnyOf) else [option])
    if any(isinstance(option, Choice) for option in flat):
        flat = [option for option in flat if not isinstance(option, Text)]
    unique = tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else AnyOf(unique)
