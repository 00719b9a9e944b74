"""Lists, newest first, by cursor (https://docs.stripe.com/api/pagination)."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from infra.local.stripe_sandbox.calls import Call
from infra.local.stripe_sandbox.faults import JsonObject, exclusive_parameters, malformed, no_such
from infra.local.stripe_sandbox.world import KINDS

_DEFAULT_LIMIT: Final = 10
_MOST: Final = 100
_EVENT_RETENTION_SECONDS: Final = 30 * 24 * 3600


def _page(call: Call, kind: str, url: str, found: Iterable[JsonObject]) -> JsonObject:
    limit = call.given("limit", _DEFAULT_LIMIT)
    if limit < 1 or limit > _MOST:
        bound = "greater than or equal to 1" if limit < 1 else f"less than or equal to {_MOST}"
        raise malformed(f"This value must be {bound}.", code="parameter_invalid_integer", param="limit")
    after, before = call.given("starting_after"), call.given("ending_before")
    if after and before:
        raise exclusive_parameters("starting_after", "ending_before")
    newest_first = list(found)[::-1]
    for name, cursor in (("starting_after", after), ("ending_before", before)):
        if cursor and call.ledger.find(kind, cursor) is None:
            raise no_such(KINDS[kind][1], cursor, param=name)
    if before:
        newer = _until(newest_first, before)
        page, has_more = newer[-limit:], len(newer) > limit
    else:
        older = newest_first[len(_until(newest_first, after)) + 1 :] if after else newest_first
        page, has_more = older[:limit], len(older) > limit
    return {"object": "list", "data": page, "has_more": has_more, "url": url}


def _until(entries: list[JsonObject], cursor: str) -> list[JsonObject]:
    names = [entry["id"] for entry in entries]
    return entries[: names.index(cursor)] if cursor in names else entries


def created_within(given: Any) -> Callable[[JsonObject], bool]:
    """A filter for `created`, an exact second or `gt`, `gte`, `lt`, `lte`."""
    if given is None:
        return lambda _entry: True
    if isinstance(given, int):
        return lambda entry: bool(entry["created"] == given)
    return lambda entry: (
        entry["created"] > given.get("gt", -1)
        and entry["created"] >= given.get("gte", 0)
        and entry["created"] < given.get("lt", float("inf"))
        and entry["created"] <= given.get("lte", float("inf"))
    )


def list_of(kind: str, url: str, *filters: str) -> Callable[[Call], JsonObject]:
    """An endpoint that lists one kind, narrowed by fields of the same name and by `created`."""

    def endpoint(call: Call) -> JsonObject:
        for name in filters:
            # A filter by an object that is not there is an error, not an empty list.
            if name in KINDS and name in call.params:
                call.ledger.get(name, call.params[name], param=name)
        in_span = created_within(call.given("created"))
        found = [
            entry
            for entry in call.ledger.shelves[kind].values()
            if in_span(entry) and all(name not in call.params or entry[name] == call.params[name] for name in filters)
        ]
        return _page(call, kind, url, found)

    return endpoint


def list_customers_payment_methods(call: Call) -> JsonObject:
    """GET /v1/customers/{customer}/payment_methods."""
    customer = call.path["customer"]
    call.ledger.get("customer", customer, param="customer", in_path=True)
    found = [
        entry
        for entry in call.ledger.shelves["payment_method"].values()
        if entry["customer"] == customer and call.given("type", entry["type"]) == entry["type"]
    ]
    return _page(call, "payment_method", f"/v1/customers/{customer}/payment_methods", found)


def list_events(call: Call) -> JsonObject:
    """GET /v1/events: the last 30 days (https://docs.stripe.com/api/events/list)."""
    if call.given("type") and call.given("types"):
        raise exclusive_parameters("type", "types")
    oldest = call.world.now() - _EVENT_RETENTION_SECONDS
    in_span = created_within(call.given("created"))
    wanted = call.given("types") or ([call.given("type")] if call.given("type") else None)
    delivered = call.given("delivery_success")
    found = [
        entry
        for entry in call.ledger.shelves["event"].values()
        if entry["created"] >= oldest
        and in_span(entry)
        and (wanted is None or any(matches_type(entry["type"], pattern) for pattern in wanted))
        and (delivered is None or (entry["pending_webhooks"] == 0) == delivered)
    ]
    return _page(call, "event", "/v1/events", found)


def matches_type(kind: str, pattern: str) -> bool:
    """Whether an event type is the one asked for; `charge.*` and `*` ask for several."""
    return pattern == "*" or kind == pattern or (pattern.endswith(".*") and kind.startswith(pattern[:-1]))


def retrieve_event(call: Call) -> JsonObject:
    """GET /v1/events/{id}: events older than 30 days are gone."""
    found = call.ledger.get("event", call.path["id"], param="id", in_path=True)
    if found["created"] < call.world.now() - _EVENT_RETENTION_SECONDS:
        raise no_such("event", call.path["id"], param="id", in_path=True)
    return found
