"""The boundary: the only place where exceptions become answers, so that nothing internal ever reaches a caller.

A view is wrapped by exactly one of `json_api`, `html_page` and `job`. Chalice deploys a function by its `__name__`, so
every wrapper keeps the name of what it wraps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, Protocol

from chalice.app import Blueprint, Request, Response, SQSEvent

from chalicelib import wiring
from chalicelib.domain.errors import FieldError, TillError
from chalicelib.handlers.auth import Caller, authenticate
from chalicelib.observability import get_logger
from chalicelib.services.ports import (
    Ports,
    ProviderBusy,
    ProviderUnavailable,
    QueueUnavailable,
    StoreUnavailable,
    WriteConflict,
)

_LOG: Final = get_logger("till.boundary")

REQUEST_ID_HEADER: Final = "Request-Id"

STATUS_OF_CODE: Final[Mapping[str, int]] = {
    "malformed_json": 400,
    "unauthenticated": 401,
    "insufficient_scope": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "idempotency_key_reused": 409,
    "idempotency_in_progress": 409,
    "state_conflict": 409,
    "payment_in_progress": 409,
    "not_ready_to_transact": 409,
    "already_used": 409,
    "expired": 409,
    "limit_reached": 409,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "rate_limited": 429,
    "internal_error": 500,
    "provider_unavailable": 503,
}
"""The HTTP status of each code that is not about the content of a field; those are all 422."""

_TYPE_OF_STATUS: Final[Mapping[int, str]] = {
    401: "authentication",
    403: "permission",
    404: "not_found",
    409: "conflict",
    429: "rate_limit",
}

_UNAVAILABLE: Final = (StoreUnavailable, ProviderUnavailable, ProviderBusy, QueueUnavailable)


# --- the error shape --------------------------------------------------------------------------------------------------


def status_of(code: str) -> int:
    """The HTTP status that goes with an error code."""
    return STATUS_OF_CODE.get(code, 422)


def error_body(
    status: int,
    code: str,
    message: str,
    request_id: str,
    *,
    param: str | None = None,
    errors: Sequence[FieldError] = (),
) -> dict[str, Any]:
    """The one shape of every refusal, for the API and for whatever answers in front of it."""
    kind = "internal" if status >= 500 else _TYPE_OF_STATUS.get(status, "invalid_request")
    return {
        "error": {
            "type": kind,
            "code": code,
            "message": message,
            "param": param,
            "errors": [{"param": e.param, "code": e.code, "message": e.message} for e in errors],
            "request_id": request_id,
        }
    }


def _as_refusal(error: Exception) -> TillError:
    """What a caller is told of an exception: a refusal of ours as it is, of all others only whether a retry helps."""
    if isinstance(error, TillError):
        return error
    if isinstance(error, WriteConflict):
        return TillError("state_conflict", "Another request changed this meanwhile. Nothing was written: try again.")
    if isinstance(error, _UNAVAILABLE):
        return TillError(
            "provider_unavailable",
            "A service that Till depends on gave no answer, so it is not known yet whether this was done. Try again.",
        )
    return TillError(
        "internal_error", "Something went wrong on our side. Give us the request id when you ask about it."
    )


# --- requests ---------------------------------------------------------------------------------------------------------


def request_id_of(request: Request) -> str:
    """The id that the answer's header, the error and the log line share; API Gateway's, where it gives one."""
    given = request.context.get("requestId")
    return str(given or getattr(request.lambda_context, "aws_request_id", "unknown"))


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One authenticated API request as views see it: who calls, what was sent, and the ports to act through.

    `query` has every value of every key, since a repeated key is an error and not a choice.
    """

    caller: Caller
    ports: Ports
    request_id: str
    raw_body: bytes
    content_type: str | None
    query: Mapping[str, Sequence[str]]

    @property
    def merchant_id(self) -> str:
        """The merchant whose data this call may touch."""
        return self.caller.merchant_id

    @property
    def actor(self) -> str:
        """How events name this caller."""
        return f"api:{self.caller.key_prefix}"


def _query_of(request: Request) -> dict[str, list[str]]:
    return {name: request.query_params.getlist(name) for name in request.query_params} if request.query_params else {}


def _as_bytes(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.encode()


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms an API view answers: the scope that a key needs, and the status when all is well."""

    scope: str
    success: int


ApiView = Callable[..., Mapping[str, Any]]
Wrapped = Callable[..., Any]


def json_api(bp: Blueprint, *, scope: str, success: int = 200) -> Callable[[ApiView], Callable[..., Response]]:
    """Wrap an API view: `view(call: ApiCall, **path_parameters) -> JSON object`, answered with status `success`.

    The key is checked before anything of the request is read; `scope` is `resource:read` or `resource:write`. Routes
    must be declared with `content_types=[]`: Chalice's own 415 has another shape, so the body parser refuses instead.
    """

    def decorate(view: ApiView) -> Callable[..., Response]:
        @wraps(view)
        def answer(**path: str) -> Response:
            request = bp.current_request
            request_id = request_id_of(request)
            caller: Caller | None = None
            try:
                ports = wiring.ports()
                caller = authenticate(ports.records, request.headers.get("authorization"), scope)
                call = ApiCall(
                    caller=caller,
                    ports=ports,
                    request_id=request_id,
                    raw_body=_as_bytes(request.raw_body),
                    content_type=request.headers.get("content-type"),
                    query=_query_of(request),
                )
                body, status, code = view(call, **path), success, None
            except Exception as error:  # noqa: BLE001 - this is the boundary
                refusal = _as_refusal(error)
                status, code = status_of(refusal.code), refusal.code
                _log_unexpected(error, refusal, request, request_id)
                body = error_body(status, code, refusal.message, request_id, param=refusal.param, errors=refusal.errors)
            _log_request(request, request_id, status, code, caller)
            return Response(body=body, status_code=status, headers=_api_headers(request_id, status))

        answer.terms = Terms(scope, success)  # type: ignore[attr-defined] # read back for the API's document
        return answer

    return decorate


def _api_headers(request_id: str, status: int) -> dict[str, str | list[str]]:
    headers: dict[str, str | list[str]] = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        REQUEST_ID_HEADER: request_id,
    }
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


RenderError = Callable[[str, str], Response]
"""`render_error(code, request_id)`: the page, with its own status and headers, for an error code of the closed list."""


def html_page(
    bp: Blueprint, *, render_error: RenderError
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Wrap a view that answers with a page: what it raises becomes the page that `render_error` makes.

    Refusals that have words of their own (a declined card, a link that is off) are for the view to handle; what
    arrives here is `not_found`, `provider_unavailable`, `internal_error` and other codes nobody wrote a page for.
    """

    def decorate(view: Callable[..., Response]) -> Callable[..., Response]:
        @wraps(view)
        def answer(**path: str) -> Response:
            request = bp.current_request
            request_id = request_id_of(request)
            code: str | None = None
            try:
                response = view(**path)
            except Exception as error:  # noqa: BLE001 - this is the boundary
                refusal = _as_refusal(error)
                code = refusal.code
                _log_unexpected(error, refusal, request, request_id)
                response = render_error(code, request_id)
            response.headers[REQUEST_ID_HEADER] = request_id
            _log_request(request, request_id, response.status_code, code, None)
            return response

        return answer

    return decorate


def webhook_receiver(bp: Blueprint) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Wrap a view that takes a provider's notices: what it raises is a 500 or 503, so that the notice is sent again."""

    def decorate(view: Callable[..., Response]) -> Callable[..., Response]:
        @wraps(view)
        def answer(**path: str) -> Response:
            request = bp.current_request
            request_id = request_id_of(request)
            code: str | None = None
            try:
                response = view(**path)
            except Exception as error:  # noqa: BLE001 - this is the boundary
                refusal = _as_refusal(error)
                code = refusal.code
                _log_unexpected(error, refusal, request, request_id)
                # A conflict or a missing record is no answer to a provider: only "not done, come again" is.
                status = max(500, status_of(code))
                response = Response(body="not done", status_code=status, headers={"Content-Type": "text/plain"})
            response.headers[REQUEST_ID_HEADER] = request_id
            _log_request(request, request_id, response.status_code, code, None)
            return response

        return answer

    return decorate


def _log_unexpected(error: Exception, refusal: TillError, request: Request, request_id: str) -> None:
    if status_of(refusal.code) >= 500:
        _LOG.error(
            "request_failed",
            exc_info=error,
            extra={"route": request.path, "method": request.method, "request_id": request_id},
        )


def _log_request(request: Request, request_id: str, status: int, code: str | None, caller: Caller | None) -> None:
    # `path` is the route's pattern: the real path would put page tokens into the log.
    _LOG.info(
        "request",
        extra={
            "route": request.path,
            "method": request.method,
            "status": status,
            "code": code,
            "request_id": request_id,
            "merchant": caller.merchant_id if caller else None,
            "key": caller.key_prefix if caller else None,
        },
    )


# --- jobs -------------------------------------------------------------------------------------------------------------


class JobContext(Protocol):
    """What Lambda's context object has of use here."""

    aws_request_id: str


def job(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a job: one log line whatever happens, and every exception goes on, so that Lambda sees a failure.

    A job that returns a mapping has it in the log line (counts, never contents).
    """

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        outcome: dict[str, Any] = {"job": function.__name__, "outcome": "failed"}
        try:
            result = function(*args, **kwargs)
            outcome["outcome"] = "done"
            if isinstance(result, Mapping):
                outcome["result"] = dict(result)
            return result
        finally:
            _LOG.info("job", extra=outcome)

    return run


SqsBatch = SQSEvent | Mapping[str, Any]
"""A batch as Chalice hands it over, or the raw event of a plain Lambda."""

Handle = Callable[[Mapping[str, Any]], object]
"""Does the work that one message's JSON body asks for; raising means that the message must come back."""


def each_message(batch: SqsBatch, handle: Handle) -> dict[str, Any]:
    """Handle every message of a standard queue's batch and report the failed ones alone, which then come back.

    The answer's shape is AWS's partial batch response; the event source mapping must ask for it
    (`FunctionResponseTypes: ReportBatchItemFailures`), else any answer counts as success for the whole batch.
    """
    failed = [record["messageId"] for record in _records(batch) if not _handled(record, handle)]
    return _failures(failed)


def in_order(batch: SqsBatch, handle: Handle) -> dict[str, Any]:
    """Handle a FIFO queue's batch up to the first failure; that message and all after it are reported.

    Going on would do later work of a group before earlier work (AWS: Lambda with Amazon SQS, batch item failures).
    """
    records = _records(batch)
    for position, record in enumerate(records):
        if not _handled(record, handle):
            return _failures([later["messageId"] for later in records[position:]])
    return _failures([])


def _records(batch: SqsBatch) -> list[Mapping[str, Any]]:
    event = batch.to_dict() if isinstance(batch, SQSEvent) else batch
    return list(event["Records"])


def _handled(record: Mapping[str, Any], handle: Handle) -> bool:
    try:
        handle(json.loads(record["body"]))
    except Exception:  # noqa: BLE001 - this is the boundary: one poison message must not take the batch with it
        _LOG.exception("message_failed", extra={"message_id": record["messageId"]})
        return False
    return True


def _failures(message_ids: Sequence[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}
