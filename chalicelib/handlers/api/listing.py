"""Lists: the query parameters they take, checked all at once, and the page that they answer with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from chalicelib import wiring
from chalicelib.domain.errors import FieldError, TillError
from chalicelib.handlers.api.keywords import PREFIXES
from chalicelib.handlers.api.operations import BY_TIME, PAGING, TIMES, Filters
from chalicelib.handlers.calls import ApiCall
from chalicelib.handlers.cursors import CursorSeal
from chalicelib.handlers.parsing import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    record_id,
    refused,
    single_values,
    timestamp,
    whole_number,
)
from chalicelib.services.ports import Record
from chalicelib.services.reading import PageRequest, page

if TYPE_CHECKING:
    from chalicelib.handlers.api import answers

R = TypeVar("R", bound=Record)
T = TypeVar("T")


def list_answer(
    call: ApiCall,
    kind: type[R],
    name: str,
    show: Callable[[Sequence[R]], list[T]],
    filters: Filters = BY_TIME,
) -> answers.Page[T]:
    """A page of one kind of record, narrowed by the filters of its `operation`, which must be these."""
    values = single_values(call.query, frozenset((*PAGING, *filters.names)))
    seal = seal_for(call, name, values)
    found = page(call.ports, call.merchant_id, kind, _page_request(values, filters, seal))
    return page_out(show(found.records), found.last_id if found.has_more else None, seal)


def seal_for(call: ApiCall, name: str, values: Mapping[str, str]) -> CursorSeal:
    """The seal of a list's cursors for this caller and these filters."""
    filters = {key: value for key, value in values.items() if key not in PAGING}
    return CursorSeal(wiring.settings().form_secret, name, filters, call.caller.key_id)


def page_out(data: list[T], last_id: str | None, seal: CursorSeal) -> answers.Page[T]:
    """The answer of a list; `last_id` is None on the last page."""
    return {
        "data": data,
        "has_more": last_id is not None,
        "next_cursor": None if last_id is None else seal.cursor_after(last_id),
    }


class Problems:
    """Collects the errors of several checks, so that one answer has them all."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []

    def check(self, look: Callable[[], T]) -> T | None:
        """What the check returns, or None when it refused."""
        try:
            return look()
        except TillError as error:
            if not error.errors:
                raise
            self._errors.extend(error.errors)
            return None

    def add(self, param: str, code: str, message: str) -> None:
        """One more error."""
        self._errors.append(FieldError(param, code, message))

    def settle(self) -> None:
        """Raises TillError when there was any."""
        if self._errors:
            raise refused(self._errors)


def paging(values: Mapping[str, str], seal: CursorSeal, problems: Problems) -> tuple[int, str | None]:
    """The limit and the id to continue below."""
    limit = DEFAULT_LIMIT
    if "limit" in values:
        limit = problems.check(lambda: whole_number(values["limit"], "limit", least=1, most=MAX_LIMIT)) or limit
    before = problems.check(lambda: seal.last_id(values["cursor"])) if "cursor" in values else None
    return limit, before


def _page_request(values: Mapping[str, str], filters: Filters, seal: CursorSeal) -> PageRequest:
    problems = Problems()
    limit, before = paging(values, seal, problems)
    times: dict[str, datetime | None] = {
        name: problems.check(lambda name=name: timestamp(values[name], name))  # type: ignore[misc] # binds the loop's name
        for name in TIMES
        if name in values
    }
    statuses, status = filters.statuses, values.get("status")
    if statuses is not None and status is not None and status not in set(statuses):
        problems.add("status", "invalid_value", f"This is one of {', '.join(statuses)}.")
    asked = [name for name in filters.owners if name in values]
    for name in asked[1:]:
        problems.add(name, "invalid_value", f"A list is narrowed by one record at a time, here {asked[0]}.")
    problems.settle()
    owner = (asked[0], record_id(values[asked[0]], PREFIXES[asked[0]], asked[0])) if asked else None
    return PageRequest(
        limit=limit,
        before_id=before,
        owner=owner,
        status=status,
        created_after=times.get("created_after"),
        created_before=times.get("created_before"),
    )
