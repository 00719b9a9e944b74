"""Reads Stripe's form encoding (bracket notation) into a tree of strings, refusing what is not well formed."""

import re
from typing import Final
from urllib.parse import unquote_plus

from infra.local.stripe_sandbox.faults import malformed

FormTree = dict[str, "FormNode"]
FormNode = str | FormTree

_NAME: Final = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_PART: Final = re.compile(r"\[([^\[\]]*)\]")


def parse_form(encoded: str) -> FormTree:
    """Turn `a=1&b[c]=2&d[]=3&d[]=4` into `{"a": "1", "b": {"c": "2"}, "d": {"0": "3", "1": "4"}}`.

    Lists keep their indices as keys: whether a branch is a list or an object is known from the parameter's type only.
    Raises StripeFault (400) for brackets that do not close, a name used as value and as branch, or text that is not
    UTF-8.
    """
    if not encoded.isascii():
        # Bytes that were not UTF-8 arrive as lone surrogates, which no well-formed text has.
        try:
            encoded.encode()
        except UnicodeEncodeError as error:
            raise malformed("Invalid request: the body is not valid UTF-8.") from error
    tree: FormTree = {}
    for pair in encoded.split("&"):
        if not pair:
            continue
        raw_name, _, raw_value = pair.partition("=")
        try:
            name = unquote_plus(raw_name, errors="strict")
            value = unquote_plus(raw_value, errors="strict")
        except UnicodeDecodeError as error:
            raise malformed("Invalid request: the body is not valid UTF-8.") from error
        _plant(tree, name, value)
    return tree


def _plant(tree: FormTree, name: str, value: str) -> None:
    match = _NAME.match(name)
    if match is None:
        raise malformed(f"Invalid parameter name: {name}", param=name)
    keys = [match.group(1), *_PART.findall(match.group(2))]
    branch = tree
    for key in keys[:-1]:
        following = branch.setdefault(_place(branch, key), {})
        if isinstance(following, str):
            raise malformed(f"Invalid request: {name} is used both as a value and as an object.", param=name)
        branch = following
    leaf = _place(branch, keys[-1])
    if isinstance(branch.get(leaf), dict):
        raise malformed(f"Invalid request: {name} is used both as a value and as an object.", param=name)
    branch[leaf] = value


def _place(branch: FormTree, key: str) -> str:
    return key or str(len(branch))


def join_path(parent: str, key: str) -> str:
    """Name a parameter as Stripe's `param` does: `payment_method_options[card][network]`."""
    return f"{parent}[{key}]" if parent else key
