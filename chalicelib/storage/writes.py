"""What a list of writes must be before it is sent: DynamoDB would refuse the same, but not in our words."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.services.ports import (
    MAX_WRITES,
    Append,
    DropTimer,
    Insert,
    SetTimer,
    Unchanged,
    Update,
    Write,
)

Target = tuple[str, str, str]
"""Which row a write is about: the table's part of the store, and both keys."""


def target_of(write: Write) -> Target:
    """The row that a write is about."""
    match write:
        case Insert(record) | Update(record) | Unchanged(record):
            return "records", record.id, ""
        case Append(event):
            return "events", event.merchant_id, event.id
        case SetTimer(timer) | DropTimer(timer):
            return "timers", str(timer.shard), timer.key


def check_writes(operation_id: str, writes: Sequence[Write]) -> None:
    """Raises ValueError for writes that can never be one transaction, or that contradict what was read."""
    if not operation_id:
        raise ValueError("a transaction has an operation id")
    if not 1 <= len(writes) <= MAX_WRITES:
        raise ValueError(f"a transaction has 1 to {MAX_WRITES} writes, not {len(writes)}")
    targets: set[Target] = set()
    for write in writes:
        target = target_of(write)
        if target in targets:
            raise ValueError(f"two writes of {target[1]} {target[2]}".strip())
        targets.add(target)
        if isinstance(write, Insert) and write.record.version != 0:
            raise ValueError(f"{target[1]} has been stored before: it is updated, not inserted")
        if isinstance(write, Update | Unchanged) and write.record.version < 1:
            raise ValueError(f"{target[1]} has not been stored yet: there is no version to compare")
