"""Stripe's own list of events, a page at a time: what it would have told us, whether or not a webhook came.

It goes back 30 days (https://docs.stripe.com/api/events/list).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import stripe

from chalicelib.services.ports import EventPage, ListedEvent

if TYPE_CHECKING:
    # A megabyte of types that nothing needs at run time; the package leaves them out.
    from stripe.params import EventListParams


def page_params(created_after: datetime, types: Sequence[str], cursor: str | None, limit: int) -> EventListParams:
    """What asks for the events of these types from a time on, newest first, behind an event."""
    params: EventListParams = {
        "created": {"gte": int(created_after.timestamp())},
        "types": list(types),
        "limit": limit,
    }
    if cursor is not None:
        params["starting_after"] = cursor
    return params


def event_page(page: stripe.ListObject[stripe.Event], account: str | None) -> EventPage:
    """A page of the list. An event on an account's own list does not name the account, so the asker does."""
    events = tuple(
        ListedEvent(
            id=event.id,
            type=event.type,
            account=account,
            livemode=event.livemode,
            created_at=datetime.fromtimestamp(event.created, UTC),
            object=event.data.object if isinstance(event.data.object, dict) else event.data.object.to_dict(),
        )
        for event in page.data
    )
    return EventPage(events, cursor=events[-1].id if page.has_more and events else None)
