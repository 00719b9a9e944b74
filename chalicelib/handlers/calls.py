"""One request of the API as views see it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from chalice.app import Request

from chalicelib.handlers.auth import Caller
from chalicelib.handlers.keys import secret_under_key
from chalicelib.services.idempotency import Answer, Answering, Held
from chalicelib.services.merchants import new_secret
from chalicelib.services.ports import Ports

R = TypeVar("R")
A = TypeVar("A", bound=Mapping[str, Any])


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One authenticated API request as views see it: who calls, what was sent, and the ports to act through.

    `query` has every value of every key, since a repeated key is an error and not a choice. `success` is the status
    when all is well; `held` and `key` are there when the request has an idempotency key.
    """

    caller: Caller
    ports: Ports
    request_id: str
    raw_body: bytes
    content_type: str | None
    query: Mapping[str, Sequence[str]]
    success: int
    held: Held | None = None
    key: str | None = None

    @property
    def merchant_id(self) -> str:
        """The merchant whose data this call may touch."""
        return self.caller.merchant_id

    @property
    def actor(self) -> str:
        """How events name this caller."""
        return f"api:{self.caller.key_prefix}"

    def once(
        self,
        kind: type[R],
        show: Callable[[R], A],
        work: Callable[[], R],
        *,
        final: Callable[[R], bool] = lambda record: True,
        hides: tuple[str, str] | None = None,
    ) -> A:
        """Do what this call is for, and show what came of it: the one place in a view where something is written.

        Under an idempotency key the answer is made of what `work` writes, and stored in the same transaction: of the
        record of this `kind` for which `final` is true. Where one transaction writes several of the kind, or several
        transactions follow each other, `final` says which of them is the answer; before it is written a retry does the
        work again, and finds what is there already under `effect_id`. What writes no such record, because nothing was
        to change, has its answer stored at the end. `hides` are a field and the secret of `secret_for` at the end of
        its text, which is answered and not stored; what has one must write.
        """
        if self.held is None:
            return show(work())
        self.held.answer_with(Answering(kind, lambda made: self._kept(show(made), hides), final))
        made = work()
        if self.held.answer is not None:
            written: A = json.loads(self.held.answer.body)
            return written
        if hides is not None:
            raise ValueError("what is made with a secret was not written")
        return show(made)

    def _kept(self, shown: Mapping[str, Any], hides: tuple[str, str] | None) -> Answer:
        if hides is None:
            return Answer(self.success, as_json(shown))
        field, secret = hides
        return Answer(self.success, as_json({**shown, field: shown[field].removesuffix(secret)}), hidden=field)

    def secret_for(self, record_id: str) -> str:
        """256 bits that nobody can guess, for a record of this call; the same again when its answer is given again."""
        return new_secret(self.ports) if self.key is None else secret_under_key(self.merchant_id, self.key, record_id)

    def effect_id(self, prefix: str) -> str:
        """An id for the record that this call makes: the same again when the call is taken up under its key.

        Its `created_at` is the id's time (`chalicelib.domain.ids.time_of`). One record of a prefix in a call.
        """
        if self.held is not None:
            return self.held.effect_id(prefix)
        return self.ports.ids.new(prefix, self.ports.clock.now())


def revealed(answer: Answer, merchant_id: str, key: str) -> Answer:
    """The answer with the secret that is not kept, where it has one."""
    if answer.hidden is None:
        return answer
    body = json.loads(answer.body)
    body[answer.hidden] += secret_under_key(merchant_id, key, body["id"])
    return replace(answer, body=as_json(body), hidden=None)


def as_json(body: Mapping[str, Any]) -> str:
    """The text that an answer is sent as, and kept as."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False)


def query_of(request: Request) -> dict[str, list[str]]:
    """Every value of every query parameter."""
    return {name: request.query_params.getlist(name) for name in request.query_params} if request.query_params else {}


def body_of(request: Request) -> bytes:
    """The body as it was sent; Chalice has text where there is none."""
    body = request.raw_body
    return body if isinstance(body, bytes) else body.encode()
