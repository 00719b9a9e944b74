"""A call under an idempotency key happens once: its answer is written in the transaction of its effect.

A request claims the key's row before it begins, and every transaction of the call carries that row at the version that
was claimed. So a request whose lease has run out, and whose call another one has taken up, can write nothing any more;
and whoever reads the row knows whether the effect is there, since both were written at once or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from chalicelib.domain.documents.idempotency import LEASE, KeyedCall, keyed_call_id, new_keyed_call
from chalicelib.domain.errors import TillError
from chalicelib.services.ports import (
    Insert,
    Ports,
    Record,
    Records,
    StoreUnavailable,
    Update,
    Write,
    WriteConflict,
)
from chalicelib.services.saving import commit, until_won, written
from chalicelib.services.standing_in import PortsWith

R = TypeVar("R", bound=Record)
T = TypeVar("T")

PARAM: Final = "Idempotency-Key"
"""The header's name, as errors give it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is answered with: an HTTP status and the JSON text; `replayed` when it was given before.

    `hidden` names a field that lacks its end here, a secret that must not be stored: whoever sends the answer adds it.
    """

    status: int
    body: str
    replayed: bool = False
    hidden: str | None = None


class CallInProgress(TillError):
    """Another request has the key. `retry_after` is in seconds, at least 1."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "idempotency_in_progress",
            "Another request with this idempotency key is being worked on. This one did nothing: send it again.",
            PARAM,
        )
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Answering(Generic[T]):
    """How a call's answer is made: by `show`, of a record of `kind`.

    Of the records of that kind that one transaction writes, the answer is made of the one that is `final`. Until one
    was written the call is not done, and can be taken up again.
    """

    kind: type[T]
    show: Callable[[T], Answer]
    final: Callable[[T], bool] = lambda record: True


class Held:
    """A call that this request has claimed, to be done through `ports`. `answer` is there once it is written."""

    def __init__(self, ports: Ports, call: KeyedCall) -> None:
        self.ports: Ports = PortsWith(ports, lambda records: _KeyedRecords(records, self))
        self.answer: Answer | None = None
        self._world = ports
        self._call = call
        self._answering: Answering[Any] | None = None
        self._in_doubt = False

    def answer_with(self, answering: Answering[Any]) -> None:
        """Say how the answer is made, before anything is written."""
        self._answering = answering

    def effect_id(self, prefix: str) -> str:
        """The id of the record that this call makes, the same when it is taken up again."""
        return self._call.effect_id(prefix)

    def finish(self, answer: Answer) -> Answer:
        """The answer that was written; this one is, where no transaction of the call wrote any: nothing was to change.

        Raises CallInProgress when another request has taken the call up, StoreUnavailable.
        """
        if self.answer is None:
            self._write(self._world.ids.new("op", self._world.clock.now()), [], answer)
        return self.answer or answer

    def let_go(self) -> None:
        """Give the key back after a refusal or a failure, without an answer.

        Where a transaction may have been written without our hearing of it, nothing is given back: the lease runs out,
        and whoever comes next reads what became of it. Raises StoreUnavailable; then too the lease runs out.
        """
        if self.answer is not None or self._in_doubt:
            return
        try:
            commit(self._world, [Update(self._call.let_go())])
        except WriteConflict:
            # The lease had run out and another request has the call: it is no longer ours to give back.
            return

    def commit(self, operation_id: str, writes: Sequence[Write]) -> None:
        """A transaction of the call, with its row in it. Raises what Records.commit does, and CallInProgress."""
        shown = self._answer_in(writes)
        if shown is None and self.answer is not None:
            # The effect is written and answered; what comes after it is no part of it.
            self._world.records.commit(operation_id, writes)
        else:
            self._write(operation_id, writes, shown)

    def _write(self, operation_id: str, writes: Sequence[Write], shown: Answer | None) -> None:
        now = self._world.clock.now()
        call = self._call.going_on()
        if shown is not None:
            call = self._call.answered(shown.status, shown.body, shown.hidden, now)
        try:
            self._world.records.commit(operation_id, [*writes, Update(call)])
        except WriteConflict as conflict:
            if len(writes) in conflict.failed:
                # Reading anew would not help: the call is another request's now.
                raise CallInProgress(math.ceil(LEASE.total_seconds())) from conflict
            raise
        except StoreUnavailable:
            self._in_doubt = True
            raise
        self._call, self._in_doubt = written(call), False
        self.answer = shown or self.answer

    def _answer_in(self, writes: Sequence[Write]) -> Answer | None:
        if self._answering is None:
            raise ValueError("a call writes nothing before it says how its answer is made: use call.once")
        kind, final = self._answering.kind, self._answering.final
        stored = [written(write.record) for write in writes if isinstance(write, Insert | Update)]
        found = [record for record in stored if isinstance(record, kind) and final(record)]
        if len(found) > 1:
            raise ValueError(f"one transaction writes {len(found)} records that could be the answer")
        return self._answering.show(found[0]) if found else None


def begin(ports: Ports, merchant_id: str, key: str, fingerprint: str) -> Answer | Held:
    """Claim a key for a call, or the answer that the call had before.

    Raises TillError `idempotency_key_reused` where the key stands for another call, CallInProgress, StoreUnavailable.
    """

    def attempt() -> Answer | Held:
        now = ports.clock.now()
        call = ports.records.find(KeyedCall, keyed_call_id(merchant_id, key))
        if call is not None and not call.may_be_taken(now):
            return _known(ports, call, fingerprint, now)
        new = new_keyed_call(merchant_id, key, fingerprint, now)
        return _claimed(ports, new if call is None else replace(new, version=call.version))

    return until_won(ports, attempt)


def _known(ports: Ports, call: KeyedCall, fingerprint: str, now: datetime) -> Answer | Held:
    if call.fingerprint != fingerprint:
        raise TillError(
            "idempotency_key_reused",
            "This idempotency key was sent with another request before. This one did nothing: give it a new key.",
            PARAM,
        )
    if call.status is not None and call.answer is not None:
        return Answer(call.status, call.answer, replayed=True, hidden=call.hidden)
    if call.leased_until is not None and now < call.leased_until:
        raise CallInProgress(math.ceil((call.leased_until - now).total_seconds()))
    return _claimed(ports, call.taken_up(now))


def _claimed(ports: Ports, call: KeyedCall) -> Held:
    commit(ports, [Update(call) if call.version else Insert(call)])
    return Held(ports, written(call))


class _KeyedRecords:
    """Records, of which every transaction is the call's."""

    def __init__(self, records: Records, held: Held) -> None:
        self._held = held
        self.find = records.find
        self.get = records.get
        self.find_many = records.find_many
        self.newest = records.newest
        self.events = records.events

    def commit(self, operation_id: str, writes: Sequence[Write]) -> None:
        """See Records, and Held.commit."""
        self._held.commit(operation_id, writes)
