"""Reads the stripe package's resource annotations: which fields an object has, of which kind, and what can be expanded.

`construct_from` accepts anything, so the annotations are the only word the package has on what Stripe answers. Names
that exist for type checkers only are imported by hand, from the package's own `if TYPE_CHECKING` block.
"""

import ast
import functools
import importlib
import inspect
import sys
import threading
import typing
from dataclasses import dataclass
from typing import Any, ClassVar, Final, ForwardRef, Literal, Union

import stripe
import typing_extensions
from stripe._list_object import ListObject
from stripe._stripe_object import StripeObject, UntypedStripeObject


@dataclass(frozen=True, slots=True)
class FieldKind:
    """What a value may be: any of the parts that are set."""

    nullable: bool = False
    anything: bool = False
    scalars: tuple[type, ...] = ()
    words: tuple[Any, ...] = ()
    classes: tuple[type, ...] = ()
    item: "FieldKind | None" = None
    page_of: tuple[type, ...] = ()
    mapping_of: "FieldKind | None" = None

    @property
    def expandable(self) -> bool:
        """An id that can be asked for as the whole object."""
        return str in self.scalars and bool(self.classes)


OBJECTS: Final[dict[str, type]] = {
    "account": stripe.Account,
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "confirmation_token": stripe.ConfirmationToken,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "refund": stripe.Refund,
    "setup_attempt": stripe.SetupAttempt,
    "setup_intent": stripe.SetupIntent,
}


_READING: Final = threading.RLock()
"""CPython 3.11 counts the depth of syntax trees per interpreter, not per thread: two that read at once fail with
`SystemError: AST constructor recursion depth mismatch` (https://github.com/python/cpython/issues/106905)."""


def fields_of(resource: type) -> dict[str, FieldKind]:
    """The fields of a resource class or of a class nested in one."""
    with _READING:
        return _fields(resource)


@functools.cache
def _fields(resource: type) -> dict[str, FieldKind]:
    scope = _Scope(resource.__module__)
    found: dict[str, FieldKind] = {}
    for base in reversed(resource.__mro__):
        if not issubclass(base, StripeObject) or base in (StripeObject, ListObject):
            continue
        for name, annotation in inspect.get_annotations(base).items():
            resolved = scope.resolve(annotation)
            if typing.get_origin(resolved) is not ClassVar and not name.startswith("_"):
                found[name] = _kind(resolved, scope)
    return found


class _Scope:
    """Names as the type checker sees them in one module of the package."""

    def __init__(self, module: str) -> None:
        self._module = sys.modules[module]
        self._for_checkers = _imports_for_checkers(module)

    def resolve(self, annotation: Any) -> Any:
        while isinstance(annotation, (ForwardRef, str)):
            text = annotation if isinstance(annotation, str) else annotation.__forward_arg__
            names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
            late = {name: self._import(name) for name in names if name in self._for_checkers}
            annotation = eval(text, {**vars(self._module), **late})  # noqa: S307 - the package's own annotations
        return annotation

    def _import(self, name: str) -> Any:
        module, original = self._for_checkers[name]
        return getattr(importlib.import_module(module), original)


@functools.cache
def _imports_for_checkers(module: str) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                if isinstance(statement, ast.ImportFrom) and statement.module:
                    for alias in statement.names:
                        found[alias.asname or alias.name] = (statement.module, alias.name)
    return found


def _kind(annotation: Any, scope: _Scope) -> FieldKind:
    annotation = scope.resolve(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any or annotation is object:
        return FieldKind(anything=True)
    if annotation is type(None):
        return FieldKind(nullable=True)
    if annotation in (str, int, float, bool):
        return FieldKind(scalars=(annotation,))
    if origin in (Literal, typing_extensions.Literal):
        return FieldKind(words=arguments)
    if origin is Union or str(origin) == "<class 'types.UnionType'>":
        return _union([_kind(argument, scope) for argument in arguments])
    if origin is list:
        return FieldKind(item=_kind(arguments[0], scope))
    if origin is ListObject:
        return FieldKind(page_of=_kind(arguments[0], scope).classes)
    if origin in (UntypedStripeObject, dict):
        return FieldKind(mapping_of=_kind(arguments[-1], scope))
    if isinstance(annotation, type):
        return FieldKind(classes=(annotation,))
    raise TypeError(f"no rule for the resource annotation {annotation!r}")


def _union(kinds: list[FieldKind]) -> FieldKind:
    words = tuple(word for kind in kinds for word in kind.words)
    classes = tuple(one for kind in kinds for one in kind.classes)
    scalars = tuple(scalar for kind in kinds for scalar in kind.scalars)
    if words:
        # `Literal[...] | str` is an enumeration: the str is the package's room for values to come.
        scalars = tuple(scalar for scalar in scalars if scalar is not str)
    return FieldKind(
        nullable=any(kind.nullable for kind in kinds),
        anything=any(kind.anything for kind in kinds),
        scalars=scalars,
        words=words,
        classes=classes,
        item=next((kind.item for kind in kinds if kind.item), None),
        page_of=next((kind.page_of for kind in kinds if kind.page_of), ()),
        mapping_of=next((kind.mapping_of for kind in kinds if kind.mapping_of), None),
    )
