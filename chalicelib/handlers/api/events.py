"""/v1/events, to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.listing import Problems, page_out, paging, seal_for
from chalicelib.handlers.api.operations import PAGING, Filters, operation
from chalicelib.handlers.api.resources import event_out
from chalicelib.handlers.boundary import json_api
from chalicelib.handlers.calls import ApiCall
from chalicelib.handlers.parsing import single_values
from chalicelib.services.reading import events

if TYPE_CHECKING:
    from chalicelib.handlers.api import answers

_FILTERS: Final = Filters(times=False)


@api.route("/v1/events", methods=["GET"], content_types=[])
@json_api(api, scope="events:read")
@operation("list_events", filters=_FILTERS)
def list_events(call: ApiCall) -> answers.Page[answers.Event]:
    """The events, newest first."""
    values = single_values(call.query, frozenset(PAGING))
    seal, problems = seal_for(call, "events", values), Problems()
    limit, before = paging(values, seal, problems)
    problems.settle()
    found, has_more = events(call.ports, call.merchant_id, limit=limit, before_id=before)
    return page_out([event_out(event) for event in found], found[-1].id if has_more else None, seal)
