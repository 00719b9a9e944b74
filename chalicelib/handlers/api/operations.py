"""What a route says of itself, beside itself: the document at `/v1/openapi.json` is made of nothing else.

A route under `/v1` without `operation(...)` fails a test. The type of the answer is the view's own annotation, which
mypy holds against what the view returns; it is a name until the document is made, as is that of the body: pydantic and
the models are not loaded with the app.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import wraps
from typing import Any, Final

from chalice.app import Chalice

from chalicelib.handlers.boundary import ApiView
from chalicelib.handlers.calls import ApiCall
from chalicelib.handlers.parsing import single_values, whole_number

PAGING: Final = ("limit", "cursor")
TIMES: Final = ("created_after", "created_before")
OUTSIDE: Final = frozenset({"/v1/openapi.json"})
"""Paths under `/v1` that need no key and are not described: the description itself."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list can be narrowed by: `owners` are kinds of records, one at a time; None where it cannot be at all."""

    owners: tuple[str, ...] = ()
    statuses: type[StrEnum] | None = None
    times: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The query parameters."""
        status = ("status",) if self.statuses else ()
        return (*self.owners, *status, *(TIMES if self.times else ()))


BY_TIME: Final = Filters()


@dataclass(frozen=True, slots=True)
class Count:
    """A query parameter that is a whole number."""

    name: str
    least: int
    most: int
    default: int
    words: str

    def read(self, query: Mapping[str, Sequence[str]]) -> int:
        """The number asked for. Raises TillError `wrong_type` or `out_of_range`."""
        given = query.get(self.name)
        return whole_number(given[0], self.name, least=self.least, most=self.most) if given else self.default


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `takes` names a model within this package, as `bodies.CustomerBody`.

    `refuses` has the error codes that this route adds to those that follow from its kind.
    """

    id: str
    takes: str | None = None
    lists: bool = False
    body_optional: bool = False
    filters: Filters | None = None
    counts: tuple[Count, ...] = ()
    refuses: tuple[str, ...] = ()
    writes: bool = True
    summary: str = ""
    description: str = ""

    @property
    def query(self) -> frozenset[str]:
        """The names of all query parameters."""
        paging = PAGING if self.lists else ()
        filters = self.filters.names if self.filters else ()
        return frozenset((*paging, *filters, *(count.name for count in self.counts)))


def operation(
    id: str,
    *,
    takes: str | None = None,
    body_optional: bool = False,
    filters: Filters | None = None,
    counts: tuple[Count, ...] = (),
    refuses: tuple[str, ...] = (),
    writes: bool = True,
) -> Callable[[ApiView], ApiView]:
    """Describe an API view, right under `json_api`. Query parameters that it does not name are refused here.

    `id` is what clients call the operation by; never change one. `takes` is the model of the body, as
    `bodies.CustomerBody`; `filters` are for lists, those that answer with an `answers.Page[...]`. `refuses` are codes
    beyond those of every route like it. `writes=False` is for a POST that only computes. Summary and description are
    the docstring's.
    """

    def decorate(view: ApiView) -> ApiView:
        summary, _, more = (view.__doc__ or "").strip().partition("\n")
        lists = str(view.__annotations__.get("return")).startswith("answers.Page[")
        said = Operation(
            id=id,
            takes=takes,
            lists=lists,
            body_optional=body_optional,
            filters=(filters or BY_TIME) if lists else None,
            counts=counts,
            refuses=refuses,
            writes=writes,
            summary=summary,
            description=" ".join(more.split()),
        )

        @wraps(view)
        def described(call: ApiCall, **path: str) -> Mapping[str, Any]:
            single_values(call.query, said.query)
            return view(call, **path)

        described.operation = said  # type: ignore[attr-defined] # read back by `described_routes`
        return described

    return decorate


@dataclass(frozen=True, slots=True)
class DescribedRoute:
    """A registered route with what it says of itself."""

    method: str
    path: str
    scope: str
    success: int
    operation: Operation
    view: Callable[..., Any]

    @property
    def writes(self) -> bool:
        """Whether it changes anything, and so takes an Idempotency-Key."""
        return self.method == "POST" and self.operation.writes


def described_routes(app: Chalice) -> tuple[DescribedRoute, ...]:
    """Every API route of the app, in the order of paths. Raises ValueError for one that says nothing of itself."""
    found = []
    for path, methods in app.routes.items():
        if not path.startswith("/v1/") or path in OUTSIDE:
            continue
        for method, entry in methods.items():
            view = entry.view_function
            said, terms = getattr(view, "operation", None), getattr(view, "terms", None)
            if not isinstance(said, Operation) or terms is None:
                raise ValueError(
                    f"{method} {path} has no description: put @operation(...) of chalicelib.handlers.api.operations "
                    "under its @json_api(...)"
                )
            method_said = replace(said, writes=said.writes and method != "GET")
            found.append(DescribedRoute(method, path, terms.scope, terms.success, method_said, view))
    return tuple(sorted(found, key=lambda route: (route.path, route.method)))
