"""Writing through the store: what a record looks like once written, and how often a lost race is tried again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from chalicelib.services.ports import Ports, StoreUnavailable, Write, WriteConflict

K = TypeVar("K")
R = TypeVar("R", bound=Any)
T = TypeVar("T")

MOST_ROUNDS: Final = 40
"""Lost races before giving up: each lost one means that somebody else's write got through."""


def written(record: R) -> R:
    """The record as the store has it after a successful write."""
    result: R = replace(record, version=record.version + 1)
    return result


class AlsoBeaten(Exception):
    """What was to be written along with a change has been written by somebody else; the change itself was not made."""


def commit(ports: Ports, writes: Sequence[Write], also: Sequence[Write] = ()) -> None:
    """One transaction under an operation id of its own; `also` belongs to the caller's caller.

    Raises AlsoBeaten where nothing but `also` stood in the way: reading the change's own records anew cannot mend
    that. Raises WriteConflict otherwise, and StoreUnavailable.
    """
    try:
        ports.records.commit(ports.ids.new("op", ports.clock.now()), [*writes, *also])
    except WriteConflict as conflict:
        if all(position >= len(writes) for position in conflict.failed):
            raise AlsoBeaten from conflict
        raise


def until_won(ports: Ports, attempt: Callable[[], T]) -> T:
    """Run a read-decide-write until its write is not beaten by another. `attempt` must read anew each time.

    Losers pause before they come again, else all of them read the same row and all but one write in vain. Raises
    StoreUnavailable when it was beaten MOST_ROUNDS times: the caller's queue or Stripe will come again.
    """
    for losses in range(1, MOST_ROUNDS + 1):
        try:
            return attempt()
        except WriteConflict:
            if losses < MOST_ROUNDS:
                ports.pauses.after_loss(losses)
    raise StoreUnavailable(f"beaten {MOST_ROUNDS} times in a row")


def until_won_from(ports: Ports, in_hand: K | None, read: Callable[[], K], attempt: Callable[[K], T]) -> T:
    """As `until_won`, with what is known already instead of the first read: what was read or written just before.

    The conditions on the versions decide whether it still held; where it did not, everything is read anew.
    """
    known = [] if in_hand is None else [in_hand]
    return until_won(ports, lambda: attempt(known.pop() if known else read()))
