"""One request of the API as views see it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from chalice.app import Request

from chalicelib.handlers.auth import Caller
from chalicelib.services.idempotency import Answer, Answering, Held
from chalicelib.services.ports import Ports

R = TypeVar("R")
A = TypeVar("A", bound=Mapping[str, Any])


def request_id_of(request: Request) -> str:
    """The id that the answer's header, the error and the log line share; API Gateway's, where it gives one."""
    given = request.context.get("requestId")
    return str(given or getattr(request.lambda_context, "aws_request_id", "unknown"))


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One authenticated API request as views see it: who calls, what was sent, and the ports to act through.

    `query` has every value of every key, since a repeated key is an error and not a choice. `success` is the status
    when all is well; `held` is there when the request has an idempotency key.
    """

    caller: Caller
    ports: Ports
    request_id: str
    raw_body: bytes
    content_type: str | None
    query: Mapping[str, Sequence[str]]
    success: int
    held: Held | None = None

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
    ) -> A:
        """Do what this call is for, and show what came of it: the one place in a view where something is written.

        Under an idempotency key the answer is made of what `work` writes, and stored in the same transaction: of the
        record of this `kind` for which `final` is true. Where one transaction writes several of the kind, or several
        transactions follow each other, `final` says which of them is the answer; before it is written a retry does the
        work again, and finds what is there already under `effect_id`. What writes no such record, because nothing was
        to change, has its answer stored at the end.
        """
        if self.held is None:
            return show(work())
        self.held.answer_with(Answering(kind, lambda made: Answer(self.success, as_json(show(made))), final))
        made = work()
        if self.held.answer is None:
            return show(made)
        written: A = json.loads(self.held.answer.body)
        return written

    def effect_id(self, prefix: str) -> str:
        """An id for the record that this call makes: the same again when the call is taken up under its key.

        Its `created_at` is the id's time (`chalicelib.domain.ids.time_of`). One record of a prefix in a call.
        """
        if self.held is not None:
            return self.held.effect_id(prefix)
        return self.ports.ids.new(prefix, self.ports.clock.now())


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
