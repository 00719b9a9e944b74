"""Rows of the three tables: a JSON body, and beside it only what conditions, indexes and streams need.

`op` names the write that a row shows, `first_op` the one that made it and stays: so a writer whose answer was lost
can tell its own write from another's, even after others have written since.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeVar

from chalicelib.services.ports import Record
from chalicelib.storage.codec import from_text, time_from, time_text, to_text
from chalicelib.storage.kinds import kind_of

if TYPE_CHECKING:
    from chalicelib.domain.documents.events import Event
    from chalicelib.domain.documents.timers import Timer

R = TypeVar("R", bound=Record)

Value = dict[str, str]
"""A value as DynamoDB types it: `{"S": text}` or `{"N": digits}`."""
Row = Mapping[str, Value]

FIRST_VERSION: Final = 1
EXPIRES: Final = "expires"
"""By this attribute DynamoDB removes rows, some time after (`TimeToLiveSpecification` in `infra/template.json`)."""


def text(value: str) -> Value:
    """A string value."""
    return {"S": value}


def number(value: int) -> Value:
    """A number value, which travels as digits."""
    return {"N": str(value)}


def new_record(record: Record, operation_id: str) -> dict[str, Value]:
    """What is stored beside the key when a record is inserted."""
    kind = kind_of(type(record))
    keys = {name: text(key) for name, key in kind.index_keys(record).items() if key is not None}
    return {
        "kind": text(kind.name),
        "merchant_id": text(record.merchant_id),
        "first_op": text(operation_id),
        **_changing(record, operation_id, FIRST_VERSION),
        **keys,
    }


def changed_record(record: Record, operation_id: str) -> tuple[dict[str, Value], list[str]]:
    """What an update sets, and the index keys that it removes."""
    keys = kind_of(type(record)).index_keys(record)
    kept = {name: text(key) for name, key in keys.items() if key is not None}
    removed = [name for name, key in keys.items() if key is None]
    return {**_changing(record, operation_id, record.version + 1), **kept}, removed


def _changing(record: Record, operation_id: str, version: int) -> dict[str, Value]:
    expires = kind_of(type(record)).expires
    return {
        "version": number(version),
        "op": text(operation_id),
        "body": text(to_text(record, without="version")),
        # Whole seconds since 1970, rounded up: nothing is removed while it still counts.
        **({} if expires is None else {EXPIRES: number(math.ceil(expires(record).timestamp()))}),
    }


def record_from(kind: type[R], row: Row) -> R | None:
    """The record in a row; None where the row is of another kind. Raises CodecError."""
    if row["kind"]["S"] != kind_of(kind).name:
        return None
    return from_text(kind, row["body"]["S"], version=int(row["version"]["N"]))


def new_event(event: Event, operation_id: str) -> dict[str, Value]:
    """What is stored beside an event's key."""
    return {"type": text(event.type), "op": text(operation_id), "body": text(to_text(event, without="id"))}


def event_from(row: Row) -> Event:
    """The event in a row of the table, or in the new image of its stream. Raises CodecError."""
    from chalicelib.domain.documents.events import Event

    return from_text(Event, row["body"]["S"], id=row["id"]["S"])


def new_timer(timer: Timer) -> dict[str, Value]:
    """What is stored beside a timer's key."""
    row = {
        "kind": text(timer.kind),
        "record_id": text(timer.record_id),
        "merchant_id": text(timer.merchant_id),
        "due": text(time_text(timer.due)),
    }
    for name, hint in (("subscription_id", timer.subscription_id), ("customer_id", timer.customer_id)):
        if hint is not None:
            row[name] = text(hint)
    return row


def timer_from(row: Row) -> Timer:
    """The timer in a row. Raises ValueError for a kind that this code does not know."""
    from chalicelib.domain.documents.timers import Timer, TimerKind

    return Timer(
        kind=TimerKind(row["kind"]["S"]),
        record_id=row["record_id"]["S"],
        merchant_id=row["merchant_id"]["S"],
        due=time_from(row["due"]["S"]),
        subscription_id=row["subscription_id"]["S"] if "subscription_id" in row else None,
        customer_id=row["customer_id"]["S"] if "customer_id" in row else None,
    )
