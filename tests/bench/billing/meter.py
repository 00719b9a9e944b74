"""A proxy in front of DynamoDB Local that asks of each request what it consumed: operations, read and write units."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.wire import Call, Wire

TRANSACTION: Final = "TransactWriteItems"
ASKED: Final = frozenset({"BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"})
"""Operations of which the database itself says what they consumed. Of a transaction DynamoDB Local 1.25 tells the last
item alone, so those are worked out of their items' sizes."""
_WRITES: Final = frozenset({"DeleteItem", "PutItem", "UpdateItem"})
_KB: Final = 1_024
TWICE: Final = 2
"""What each KB of an item costs in a transaction, begun ones counted whole
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-capacity-handling).
The same is counted for an entry in an index (keys only, so below a KB), which is the upper bound."""
UNSEEN: Final = 120
"""Bytes of a record that an update does not name: its kind, its merchant, the operation that made it."""


@dataclass
class Consumed:
    """What was sent since the last look."""

    calls: Counter[str] = field(default_factory=Counter)
    reads: float = 0.0
    writes: float = 0.0

    def without_leases(self) -> Consumed:
        """Without the tokens of Stripe's pace, the only updates that stand alone; each is one write unit."""
        calls = Counter(self.calls)
        leases = calls.pop("UpdateItem", 0)
        return Consumed(calls, self.reads, self.writes - leases)


def size_of(item: Mapping[str, Any]) -> int:
    """Bytes of an item, or of some of its attributes: names and values
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html)."""
    return sum(len(name.encode()) + _value(value) for name, value in item.items())


def _value(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind == "N":
        return len(content) // 2 + 2
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value(inner) for name, inner in content.items())
    if kind == "L":
        return 3 + sum(1 + _value(inner) for inner in content)
    return len(content.encode()) if isinstance(content, str) else 1


def units_of(write: Mapping[str, Any]) -> int:
    """Write units of one item of a transaction."""
    [(kind, request)] = write.items()
    if kind == "Put":
        entries = sum(name.startswith("by_") for name in request["Item"])
        return TWICE * (math.ceil(size_of(request["Item"]) / _KB) + entries)
    if kind == "Update":
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        size = UNSEEN + size_of(request["Key"]) + size_of(values) + sum(len(name) for name in names.values())
        return TWICE * math.ceil(size / _KB)
    # What is dropped is a timer, and what is checked alone is read: neither is above a KB.
    return TWICE


class Meter(Wire):
    """A Wire that adds `ReturnConsumedCapacity` to what passes, and keeps the sums."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self._sums = Consumed()
        self._sums_lock = threading.Lock()

    def changed(self, operation: str, body: bytes) -> bytes:
        """See Wire."""
        if operation not in ASKED:
            return body
        return json.dumps({**json.loads(body), "ReturnConsumedCapacity": "TOTAL"}).encode()

    def answered(self, call: Call, answer: bytes) -> None:
        """See Wire."""
        if call.operation not in ASKED and call.operation != TRANSACTION:
            return
        told: Any = json.loads(answer).get("ConsumedCapacity", []) if call.status == 200 else []
        units = sum(float(each["CapacityUnits"]) for each in (told if isinstance(told, list) else [told]))
        with self._sums_lock:
            self._sums.calls[call.operation] += 1
            if call.operation == TRANSACTION:
                self._sums.writes += sum(map(units_of, call.body["TransactItems"]))
            elif call.operation in _WRITES:
                self._sums.writes += units
            else:
                self._sums.reads += units

    def take(self) -> Consumed:
        """The sums so far, which begin anew."""
        with self._sums_lock:
            taken, self._sums = self._sums, Consumed()
        self.forget()
        return taken
