"""The boundary: the only place where exceptions become answers, so that nothing internal ever reaches a caller.

A view is wrapped by exactly one of `json_api`, `html_page` and `job`. Chalice deploys a function by its
`__name__`, so every wrapper keeps the name of what it wraps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, Protocol

from chalice.app import Blueprint, Request, Response, SQSEvent

from chalicelib import wiring
from chalicelib.domain.errors import TillError
from chalicelib.handlers.refusals import STATUS_OF_CODE, as_refusal, error_body, json_headers, status_of
from chalicelib.observability import get_logger

if TYPE_CHECKING:
    from chalicelib.handlers.auth import Caller
    from chalicelib.handlers.calls import ApiCall
    from chalicelib.services.idempotency import Answer, Held

__all__ = [
    "REQUEST_ID_HEADER",
    "STATUS_OF_CODE",
    "each_message",
    "error_body",
    "html_page",
    "in_order",
    "job",
    "json_api",
    "request_id_of",
    "status_of",
    "webhook_receiver",
]

_LOG: Final = get_logger("till.boundary")

REQUEST_ID_HEADER: Final = "Request-Id"


def request_id_of(request: Request) -> str:
    """The id that the answer's header, the error and the log line share; API Gateway's, where it gives one."""
    given = request.context.get("requestId")
    return str(given or getattr(request.lambda_context, "aws_request_id", "unknown"))


# --- the API ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms an API view answers: the scope that a key needs, and the status when all is well."""

    scope: str
    success: int


ApiView = Callable[..., Mapping[str, Any]]


def json_api(bp: Blueprint, *, scope: str, success: int = 200) -> Callable[[ApiView], Callable[..., Response]]:
    """Wrap an API view: `view(call: ApiCall, **path_parameters) -> JSON object`, answered with status `success`.

    The key is checked before anything of the request is read; `scope` is `resource:read` or `resource:write`. Routes
    must be declared with `content_types=[]`: Chalice's own 415 has another shape, so the body parser refuses instead.
    A POST that writes takes an `Idempotency-Key`, and does what it does within `call.once`.
    """
    # What an API's call needs, a page does not: so it is imported with the first of its views.
    from chalicelib.handlers.calls import as_json, revealed
    from chalicelib.handlers.keys import fingerprint, idempotency_key
    from chalicelib.services.idempotency import Answer, begin

    def decorate(view: ApiView) -> Callable[..., Response]:
        said = getattr(view, "operation", None)  # what `operation` of `chalicelib.handlers.api.operations` left there
        takes_a_key = said is None or bool(said.writes)

        @wraps(view)
        def answer(**path: str) -> Response:
            def produce(call: ApiCall, request: Request) -> Answer:
                key = idempotency_key(request) if takes_a_key and request.method == "POST" else None
                if key is None:
                    return Answer(success, as_json(view(call, **path)))
                named = fingerprint(request, call.raw_body, call.content_type)
                held = begin(call.ports, call.merchant_id, key, named)
                if isinstance(held, Answer):
                    return revealed(held, call.merchant_id, key)
                keyed = replace(call, ports=held.ports, held=held, key=key)
                done = _finished(held, call, request, lambda: Answer(success, as_json(view(keyed, **path))))
                return revealed(done, call.merchant_id, key)

            return _answered(bp, Terms(scope, success), produce)

        answer.terms = Terms(scope, success)  # type: ignore[attr-defined] # read back for the API's document
        return answer

    return decorate


def _finished(held: Held, call: ApiCall, request: Request, work: Callable[[], Answer]) -> Answer:
    from chalicelib.services.ports import StoreUnavailable

    try:
        return held.finish(work())
    except Exception as error:
        if held.answer is not None:
            # The effect is there, and so is its answer, which every retry will get: this request gets it too.
            _log_failure(error, request, call.request_id)
            return held.answer
        try:
            held.let_go()
        except StoreUnavailable:
            # Nothing is wrong with the refusal; only the key stays taken until its lease is over.
            _LOG.warning("key_not_given_back", extra={"route": request.path, "request_id": call.request_id})
        raise


def _answered(bp: Blueprint, terms: Terms, produce: Callable[[ApiCall, Request], Answer]) -> Response:
    from chalicelib.handlers.auth import authenticate
    from chalicelib.handlers.calls import ApiCall, as_json, body_of, query_of
    from chalicelib.services.api_keys import note_use
    from chalicelib.services.idempotency import Answer, CallInProgress

    request = bp.current_request
    request_id = request_id_of(request)
    caller: Caller | None = None
    code: str | None = None
    more: dict[str, str] = {}
    try:
        ports = wiring.ports()
        caller = authenticate(ports.records, request.headers.get("authorization"), terms.scope)
        note_use(ports, caller.key)
        call = ApiCall(
            caller=caller,
            ports=ports,
            request_id=request_id,
            raw_body=body_of(request),
            content_type=request.headers.get("content-type"),
            query=query_of(request),
            success=terms.success,
        )
        answer = produce(call, request)
        if answer.replayed:
            more["Idempotent-Replayed"] = "true"
    except Exception as error:  # noqa: BLE001 - this is the boundary
        refusal = as_refusal(error)
        status, code = status_of(refusal.code), refusal.code
        _log_unexpected(error, refusal, request, request_id)
        body = error_body(status, code, refusal.message, request_id, param=refusal.param, errors=refusal.errors)
        answer = Answer(status, as_json(body))
        if isinstance(refusal, CallInProgress):
            more["Retry-After"] = str(refusal.retry_after)
    _log_request(request, request_id, answer.status, code, caller)
    headers = {**_api_headers(request_id, answer.status), **more}
    return Response(body=answer.body, status_code=answer.status, headers=headers)


def _api_headers(request_id: str, status: int) -> dict[str, str | list[str]]:
    headers: dict[str, str | list[str]] = {**json_headers(), REQUEST_ID_HEADER: request_id}
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
                refusal = as_refusal(error)
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
                refusal = as_refusal(error)
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
        _log_failure(error, request, request_id)


def _log_failure(error: Exception, request: Request, request_id: str) -> None:
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


def each_message(batch: SqsBatch, handle: Handle, *, enough_time: Callable[[], bool] = lambda: True) -> dict[str, Any]:
    """Handle every message of a standard queue's batch and report the failed ones alone, which then come back.

    The first message is always handled, so that there is always progress. Later ones for which there is not
    `enough_time` are neither handled nor reported: what they tell of has a timer, which sends another one at the next
    sweep. To report them would keep them back for the visibility time-out, and put them aside after five batches.

    The answer's shape is AWS's partial batch response; the event source mapping must ask for it
    (`FunctionResponseTypes: ReportBatchItemFailures`), else any answer counts as success for the whole batch.
    """
    failed = []
    records = _records(batch)
    for position, record in enumerate(records):
        if position and not enough_time():
            _LOG.info("left_to_the_next_sweep", extra={"messages": len(records) - position})
            break
        if not _handled(record, handle):
            failed.append(record["messageId"])
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


def until_failure(event: Mapping[str, Any], handle: Handle) -> dict[str, Any]:
    """Handle a stream's batch up to the first failure and report where that is: Lambda then begins there again.

    `handle` is given each record's part about the database. The answer's shape is AWS's for streams, where an item is
    named by its sequence number (AWS: Lambda with DynamoDB Streams, partial batch response).
    """
    for record in event["Records"]:
        try:
            handle({"eventName": record["eventName"], **record["dynamodb"]})
        except Exception:  # noqa: BLE001 - this is the boundary: what came before a poison record must not come again
            number = record["dynamodb"]["SequenceNumber"]
            _LOG.exception("stream_record_failed", extra={"sequence_number": number})
            return _failures([number])
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
