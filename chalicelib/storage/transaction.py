"""One TransactWriteItems request: built once, sent again byte for byte, and believed only on evidence.

Its items are written out here (AWS: TransactWriteItem): PynamoDB's expressions for the same cost more than all that a
record's own encoding does.

A conditional write whose answer was lost fails its own condition when it is sent again. The token of the request covers
ten minutes of that; the operation id in the rows covers it for good, so nothing here relies on the token.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from pynamodb.connection.base import Connection
from pynamodb.exceptions import CancellationReason, TransactWriteError

from chalicelib.domain.documents.timers import Timer
from chalicelib.services.ports import (
    Append,
    DropTimer,
    Insert,
    Record,
    SetTimer,
    StoreUnavailable,
    Unchanged,
    Update,
    Write,
    WriteConflict,
)
from chalicelib.storage.connection import answer, code_of
from chalicelib.storage.patience import (
    BUSY_TRIES,
    UNANSWERED_TRIES,
    Patience,
    Trouble,
    trouble_of_code,
)
from chalicelib.storage.rows import Value, changed_record, new_event, new_record, new_timer, number, text
from chalicelib.storage.schema import HEAD, StoreConfig

TOKEN_LENGTH: Final = 36
"""The most characters that a ClientRequestToken may have."""
_CANCELED: Final = "TransactionCanceledException"
_CONDITION: Final = "ConditionalCheckFailed"
_OLD: Final = "ALL_OLD"
_ON_FAILURE: Final = "ReturnValuesOnConditionCheckFailure"

Request = dict[str, Any]


def request_token(operation_id: str, request: str) -> str:
    """The same for the same request of the same operation, and for no other.

    DynamoDB refuses a token that comes again with another request, but an operation that lost a race may well be
    decided anew.
    """
    return hashlib.sha256(f"{operation_id}\n{request}".encode()).hexdigest()[:TOKEN_LENGTH]


def _record_key(record: Record) -> dict[str, Value]:
    return {"id": text(record.id), "sort": text(HEAD)}


def _timer_key(timer: Timer) -> dict[str, Value]:
    return {"shard": number(timer.shard), "key": text(timer.key)}


def _at_version(table: str, record: Record) -> Request:
    return {
        "TableName": table,
        "Key": _record_key(record),
        "ConditionExpression": "#version = :before",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":before": number(record.version)},
    }


def _update(table: str, record: Record, operation_id: str) -> Request:
    """The update of a record over the version that it was read at."""
    values, removed = changed_record(record, operation_id)
    request = _at_version(table, record)
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
    if removed:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in removed)
    request["UpdateExpression"] = expression
    request["ExpressionAttributeNames"] |= {f"#{name}": name for name in (*values, *removed)}
    request["ExpressionAttributeValues"] |= {f":{name}": value for name, value in values.items()}
    request[_ON_FAILURE] = _OLD
    return request


@dataclass(frozen=True, slots=True)
class Witness:
    """A row that only this operation can have made, and the attribute that says so."""

    table: str
    hash_key: str
    range_key: str
    attribute: str


@dataclass(slots=True)
class Transaction:
    """The request of one commit. PynamoDB sends checks, deletes, puts and updates in this order, whatever the caller's.

    `positions` leads from each item as sent to the caller's write.
    """

    connection: Connection
    operation_id: str
    checks: list[tuple[int, Request]] = field(default_factory=list)
    deletes: list[tuple[int, Request]] = field(default_factory=list)
    puts: list[tuple[int, Request]] = field(default_factory=list)
    updates: list[tuple[int, Request]] = field(default_factory=list)
    witness: Witness | None = None

    @classmethod
    def of(cls, connection: Connection, config: StoreConfig, operation_id: str, writes: Sequence[Write]) -> Transaction:
        """The request for a list of writes. Raises CodecError for a record that cannot be stored."""
        transaction = cls(connection, operation_id)
        for position, write in enumerate(writes):
            transaction._add(config, position, write)
        return transaction

    def _add(self, config: StoreConfig, position: int, write: Write) -> None:
        match write:
            case Insert(record):
                made = Witness(config.records_table, record.id, HEAD, "first_op")
                item = {"id": text(record.id), "sort": text(HEAD), **new_record(record, self.operation_id)}
                self._put_if_absent(position, made, item)
            case Append(event):
                made = Witness(config.events_table, event.merchant_id, event.id, "op")
                item = {
                    "merchant_id": text(event.merchant_id),
                    "id": text(event.id),
                    **new_event(event, self.operation_id),
                }
                self._put_if_absent(position, made, item)
            case Update(record):
                self.updates.append((position, _update(config.records_table, record, self.operation_id)))
            case Unchanged(record):
                self.checks.append((position, _at_version(config.records_table, record)))
            case SetTimer(timer):
                item = {**_timer_key(timer), **new_timer(timer)}
                self.puts.append((position, {"TableName": config.timers_table, "Item": item}))
            case DropTimer(timer):
                self.deletes.append((position, {"TableName": config.timers_table, "Key": _timer_key(timer)}))

    def _put_if_absent(self, position: int, made: Witness, item: dict[str, Value]) -> None:
        put: Request = {
            "TableName": made.table,
            "Item": item,
            "ConditionExpression": "attribute_not_exists (#id)",
            "ExpressionAttributeNames": {"#id": "id"},
            _ON_FAILURE: _OLD,
        }
        self.puts.append((position, put))
        self.witness = self.witness or made

    @property
    def positions(self) -> list[int]:
        """The caller's position of each item, in the order sent."""
        return [position for group in self._groups() for position, _ in group]

    def _groups(self) -> tuple[list[tuple[int, Request]], ...]:
        return self.checks, self.deletes, self.puts, self.updates

    def commit(self, patience: Patience) -> None:
        """Send until there is an answer to believe. Raises WriteConflict, StoreUnavailable."""
        checks, deletes, puts, updates = ([request for _, request in group] for group in self._groups())
        token = request_token(self.operation_id, json.dumps([checks, deletes, puts, updates]))
        tries = unanswered = 0
        while True:
            try:
                self.connection.transact_write_items(checks, deletes, puts, updates, client_request_token=token)
            except TransactWriteError as error:
                trouble = self._trouble_of(error, patience)
                if trouble is None:
                    return
                tries += 1
                unanswered += trouble is Trouble.UNANSWERED
                if tries >= BUSY_TRIES or unanswered >= UNANSWERED_TRIES:
                    raise StoreUnavailable(f"no answer to {self.operation_id} in {tries} tries") from error
            else:
                return
            patience.pause(tries)

    def _trouble_of(self, error: TransactWriteError, patience: Patience) -> Trouble | None:
        """What a failure means: None for a success whose answer was lost. Raises WriteConflict, and refusals."""
        code = code_of(error)
        if code != _CANCELED:
            trouble = trouble_of_code(code)
        else:
            reasons = error.cancellation_reasons
            failed = [at for at, reason in enumerate(reasons) if reason is not None and reason.code == _CONDITION]
            if failed:
                if self._is_ours(reasons) or self._was_made(patience):
                    return None
                raise WriteConflict(tuple(sorted(self.positions[at] for at in failed))) from error
            codes = {reason.code for reason in reasons if reason is not None}
            busy = bool(codes) and all(trouble_of_code(code) is Trouble.BUSY for code in codes)
            trouble = Trouble.BUSY if busy else Trouble.REFUSED
        if trouble is Trouble.REFUSED:
            raise error
        return trouble

    def _is_ours(self, reasons: Sequence[CancellationReason | None]) -> bool:
        """Whether a row that stood in the way was written by this very operation: then all of it was."""
        mine = text(self.operation_id)
        rows = [reason.raw_item for reason in reasons if reason is not None and reason.raw_item]
        return any(mine in (row.get("op"), row.get("first_op")) for row in rows)

    def _was_made(self, patience: Patience) -> bool:
        """Whether a row exists that only this operation makes, though others have written over its updates since."""
        if self.witness is None:
            return False
        seen = self.witness
        look = partial(self.connection.get_item, seen.table, seen.hash_key, seen.range_key, consistent_read=True)
        row = patience.read(partial(answer, look)).get("Item", {})
        return bool(row.get(seen.attribute) == text(self.operation_id))
