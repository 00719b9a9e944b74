"""One TransactWriteItems request: built once, sent again byte for byte, and believed only on evidence.

Its items are written out here (AWS: TransactWriteItem): PynamoDB's expressions for the same cost more than all that a
record's own encoding does.

A conditional write whose answer was lost fails its own condition when it is sent again. The token of the request covers
ten minutes of that; the operation id in the rows covers it for good, so nothing here relies on the token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from chalicelib.aws.services import to_json
from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.timers import Timer
from chalicelib.services.ports import (
    Append,
    DropTimer,
    Insert,
    NoAnswer,
    Record,
    SetTimer,
    StoreUnavailable,
    Unchanged,
    Update,
    Write,
    WriteConflict,
)
from chalicelib.storage.patience import (
    BUSY_TRIES,
    UNANSWERED_TRIES,
    Patience,
    Reason,
    Refused,
    Trouble,
    trouble_of_code,
)
from chalicelib.storage.rows import Row, Value, changed_record, new_event, new_record, new_timer, number, text
from chalicelib.storage.schema import HEAD, StoreConfig
from chalicelib.storage.tables import Tables

TOKEN_LENGTH: Final = 36
"""The most characters that a ClientRequestToken may have."""
_CANCELED: Final = "TransactionCanceledException"
_CONDITION: Final = "ConditionalCheckFailed"
_NO_REASON: Final = "None"
"""What DynamoDB says of an item that did not stand in the way."""
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


def _event_key(event: Event) -> dict[str, Value]:
    return {"merchant_id": text(event.merchant_id), "id": text(event.id)}


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
    key: Row
    attribute: str


@dataclass(slots=True)
class Transaction:
    """The request of one commit: checks, deletes, puts and updates in this order, whatever the caller's.

    `positions` leads from each item as sent to the caller's write.
    """

    operation_id: str
    checks: list[tuple[int, Request]] = field(default_factory=list)
    deletes: list[tuple[int, Request]] = field(default_factory=list)
    puts: list[tuple[int, Request]] = field(default_factory=list)
    updates: list[tuple[int, Request]] = field(default_factory=list)
    witness: Witness | None = None

    @classmethod
    def of(cls, config: StoreConfig, operation_id: str, writes: Sequence[Write]) -> Transaction:
        """The request for a list of writes. Raises CodecError for a record that cannot be stored."""
        transaction = cls(operation_id)
        for position, write in enumerate(writes):
            transaction._add(config, position, write)
        return transaction

    def _add(self, config: StoreConfig, position: int, write: Write) -> None:
        match write:
            case Insert(record):
                made = Witness(config.records_table, _record_key(record), "first_op")
                self._put_if_absent(position, made, new_record(record, self.operation_id))
            case Append(event):
                made = Witness(config.events_table, _event_key(event), "op")
                self._put_if_absent(position, made, new_event(event, self.operation_id))
            case Update(record):
                self.updates.append((position, _update(config.records_table, record, self.operation_id)))
            case Unchanged(record):
                self.checks.append((position, _at_version(config.records_table, record)))
            case SetTimer(timer):
                item = {**_timer_key(timer), **new_timer(timer)}
                self.puts.append((position, {"TableName": config.timers_table, "Item": item}))
            case DropTimer(timer):
                self.deletes.append((position, {"TableName": config.timers_table, "Key": _timer_key(timer)}))

    def _put_if_absent(self, position: int, made: Witness, attributes: dict[str, Value]) -> None:
        put: Request = {
            "TableName": made.table,
            "Item": {**made.key, **attributes},
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

    def commit(self, tables: Tables, patience: Patience) -> None:
        """Send until there is an answer to believe. Raises WriteConflict, StoreUnavailable, and Refused."""
        sorts = ("ConditionCheck", "Delete", "Put", "Update")
        items = [{sort: item} for sort, group in zip(sorts, self._groups(), strict=True) for _, item in group]
        # Written out once: what the token is made of is what is sent.
        written = to_json(items)
        token = request_token(self.operation_id, written)
        tries = unanswered = 0
        while True:
            try:
                tables.transact(items, token, written)
            except (Refused, NoAnswer) as error:
                trouble = self._trouble_of(error, tables, patience)
                if trouble is None:
                    return
                tries += 1
                unanswered += trouble is Trouble.UNANSWERED
                if tries >= BUSY_TRIES or unanswered >= UNANSWERED_TRIES:
                    raise StoreUnavailable(f"no answer to {self.operation_id} in {tries} tries") from error
            else:
                return
            patience.pause(tries)

    def _trouble_of(self, error: Refused | NoAnswer, tables: Tables, patience: Patience) -> Trouble | None:
        """What a failure means: None for a success whose answer was lost. Raises WriteConflict, and refusals."""
        if isinstance(error, NoAnswer):
            return trouble_of_code(None)
        if error.code != _CANCELED:
            trouble = trouble_of_code(error.code)
        else:
            failed = [at for at, reason in enumerate(error.reasons) if reason.code == _CONDITION]
            if failed:
                if self._is_ours(error.reasons) or self._was_made(tables, patience):
                    return None
                raise WriteConflict(tuple(sorted(self.positions[at] for at in failed))) from error
            codes = {reason.code for reason in error.reasons} - {_NO_REASON}
            busy = bool(codes) and all(trouble_of_code(code) is Trouble.BUSY for code in codes)
            trouble = Trouble.BUSY if busy else Trouble.REFUSED
        if trouble is Trouble.REFUSED:
            raise error
        return trouble

    def _is_ours(self, reasons: Sequence[Reason]) -> bool:
        """Whether a row that stood in the way was written by this very operation: then all of it was."""
        mine = text(self.operation_id)
        return any(mine in (reason.row.get("op"), reason.row.get("first_op")) for reason in reasons if reason.row)

    def _was_made(self, tables: Tables, patience: Patience) -> bool:
        """Whether a row exists that only this operation makes, though others have written over its updates since."""
        if self.witness is None:
            return False
        row = patience.read(partial(tables.row_at, self.witness.table, self.witness.key)) or {}
        return bool(row.get(self.witness.attribute) == text(self.operation_id))
