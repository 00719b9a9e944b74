"""Checks a form tree against compiled parameter types and converts it, with Stripe's error for the first wrong value.

Stripe's wording of these errors: https://docs.stripe.com/error-codes and https://docs.stripe.com/api/metadata
"""

import re
from typing import Any, Final

from infra.local.stripe_sandbox.faults import empty_parameter, malformed, missing_parameter, unknown_parameters
from infra.local.stripe_sandbox.forms import FormNode, FormTree, join_path
from infra.local.stripe_sandbox.parameter_types import (
    AnyOf,
    Boolean,
    Choice,
    Clear,
    Integer,
    Items,
    Keyed,
    Number,
    ParameterType,
    Shape,
    Text,
)

_INTEGER: Final = re.compile(r"^-?[0-9]+$")
_NUMBER: Final = re.compile(r"^-?[0-9]+(\.[0-9]+)?$")
_INDEX: Final = re.compile(r"^[0-9]+$")
_LONGEST_TEXT: Final = 5000
_LONGEST_INTEGER: Final = 19
_METADATA_KEYS: Final = 50
_METADATA_KEY_LENGTH: Final = 40
_METADATA_VALUE_LENGTH: Final = 500


def check_parameters(tree: FormTree, shape: Shape) -> dict[str, Any]:
    """Return the typed parameters, or raise the StripeFault that Stripe would answer with.

    Unknown names come first, then missing ones, then values, which is the order in which Stripe looks.
    """
    return _check_shape(tree, shape, "")


def _check_shape(tree: FormTree, shape: Shape, path: str) -> dict[str, Any]:
    unknown = [join_path(path, name) for name in tree if name not in shape.fields]
    if unknown:
        raise unknown_parameters(unknown)
    for name in shape.fields:
        if name in shape.required and name not in tree:
            raise missing_parameter(join_path(path, name))
    return {name: _check(node, shape.fields[name], join_path(path, name)) for name, node in tree.items()}


def _check(node: FormNode, expected: ParameterType, path: str) -> Any:
    if isinstance(expected, AnyOf):
        return _check_any(node, expected, path)
    if isinstance(expected, (Shape, Keyed, Items)):
        if isinstance(node, str):
            if node == "":
                raise empty_parameter(path)
            kind = "array" if isinstance(expected, Items) else "object"
            raise malformed(f"Invalid {kind}", param=path)
        if isinstance(expected, Shape):
            return _check_shape(node, expected, path)
        if isinstance(expected, Keyed):
            return _check_keyed(node, expected, path)
        return _check_items(node, expected, path)
    if not isinstance(node, str):
        raise malformed(f"Invalid {_noun(expected)}: {_shown(node)}", param=path, code=_code(expected))
    if node == "" and not isinstance(expected, Clear):
        raise empty_parameter(path)
    return _check_scalar(node, expected, path)


def _check_scalar(text: str, expected: ParameterType, path: str) -> Any:
    if isinstance(expected, Integer):
        # Sixty-four bits at most: Python would otherwise read numbers of any length, slowly.
        if not _INTEGER.match(text) or len(text) > _LONGEST_INTEGER:
            raise malformed(f"Invalid integer: {text[:40]}", code="parameter_invalid_integer", param=path)
        return int(text)
    if isinstance(expected, Number):
        if not _NUMBER.match(text):
            raise malformed(f"Invalid decimal: {text}", param=path)
        return float(text)
    if isinstance(expected, Boolean):
        if text not in ("true", "false"):
            raise malformed(f"Invalid boolean: {text}", param=path)
        return text == "true"
    if isinstance(expected, Choice):
        if text not in expected.words:
            raise malformed(f"Invalid {path}: must be one of {_listed(expected.words)}", param=path)
        return text
    if isinstance(expected, Clear):
        if text:
            raise malformed(f"Invalid {path}: must be an empty string", param=path)
        return ""
    if len(text) > _LONGEST_TEXT:
        raise malformed(
            f"Invalid string: {text[:10]}...{text[-5:]}; must be at most {_LONGEST_TEXT} characters", param=path
        )
    return text


def _check_any(node: FormNode, expected: AnyOf, path: str) -> Any:
    if node == "":
        if any(isinstance(option, Clear) for option in expected.options):
            return ""
        raise empty_parameter(path)
    branchy = [option for option in expected.options if isinstance(option, (Shape, Keyed, Items))]
    leafy = [option for option in expected.options if not isinstance(option, (Shape, Keyed, Items, Clear))]
    if not isinstance(node, str):
        return _check(node, branchy[0] if branchy else leafy[0], path)
    if not leafy:
        return _check(node, branchy[0], path)
    for option in leafy[:-1]:
        if _fits(node, option):
            return _check_scalar(node, option, path)
    return _check_scalar(node, leafy[-1], path)


def _fits(text: str, option: ParameterType) -> bool:
    if isinstance(option, Integer):
        return bool(_INTEGER.match(text))
    if isinstance(option, Boolean):
        return text in ("true", "false")
    if isinstance(option, Choice):
        return text in option.words
    return isinstance(option, Text)


def _check_items(node: FormTree, expected: Items, path: str) -> list[Any]:
    if not all(_INDEX.match(key) for key in node):
        raise malformed("Invalid array", param=path)
    ordered = sorted(node.items(), key=lambda entry: int(entry[0]))
    return [_check(child, expected.item, join_path(path, key)) for key, child in ordered]


def _check_keyed(node: FormTree, expected: Keyed, path: str) -> dict[str, Any]:
    if isinstance(expected.value, Text):
        return {key: _check_metadata_value(key, child, path) for key, child in node.items()}
    return {key: _check(child, expected.value, join_path(path, key)) for key, child in node.items()}


def _check_metadata_value(key: str, node: FormNode, path: str) -> str:
    if not isinstance(node, str):
        raise malformed(
            "Metadata values must be strings, but for key "
            f"'{key}' you passed in a value of type hash. You can use JSON to encode nested data.",
            param=path,
        )
    if len(key) > _METADATA_KEY_LENGTH:
        raise malformed(
            f"Metadata keys can have up to {_METADATA_KEY_LENGTH} characters, "
            f"but you passed in a key that is {len(key)} characters. Invalid key: {key}",
            param=path,
        )
    if len(node) > _METADATA_VALUE_LENGTH:
        raise malformed(
            f"Metadata values can have up to {_METADATA_VALUE_LENGTH} characters, "
            f"but you passed in a value that is {len(node)} characters. Invalid value: {node}",
            param=path,
        )
    return node


def merge_metadata(stored: dict[str, str], given: Any) -> dict[str, str]:
    """Apply metadata as Stripe does: a key replaces, an empty value removes it, `""` for all removes all.

    Raises StripeFault when more than 50 keys would be kept (https://docs.stripe.com/api/metadata).
    """
    if given is None:
        return stored
    if given == "":
        return {}
    merged = {key: value for key, value in {**stored, **given}.items() if value != ""}
    if len(merged) > _METADATA_KEYS:
        raise malformed(
            f"Metadata can have up to {_METADATA_KEYS} keys, but you passed in a hash with {len(merged)} keys.",
            param="metadata",
        )
    return merged


def _noun(expected: ParameterType) -> str:
    names = {Integer: "integer", Boolean: "boolean", Number: "decimal"}
    return names.get(type(expected), "string")


def _code(expected: ParameterType) -> str | None:
    return "parameter_invalid_integer" if isinstance(expected, Integer) else None


def _shown(node: FormTree) -> str:
    return "{" + ", ".join(f'"{key}"=>…' for key in node) + "}"


def _listed(words: tuple[str, ...]) -> str:
    if len(words) == 1:
        return words[0]
    if len(words) == 2:
        return f"{words[0]} or {words[1]}"
    return ", ".join(words[:-1]) + f", or {words[-1]}"
