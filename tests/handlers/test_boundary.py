"""The boundary: which answer each exception becomes, what jobs report, and that nothing internal gets out."""

from __future__ import annotations

import http.client
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from chalice.app import Blueprint, Chalice, Response, SQSEvent

from chalicelib.domain.errors import ERROR_CODES, FieldError, NotFound, TillError
from chalicelib.handlers import boundary
from chalicelib.handlers.boundary import each_message, error_body, html_page, in_order, job, status_of
from chalicelib.services.ports import (
    ProviderBusy,
    ProviderRefused,
    ProviderUnavailable,
    QueueUnavailable,
    StoreUnavailable,
    WriteConflict,
)
from infra.local.gateway import WebServer
from tests.handlers.conftest import ApiWorld

STATUSES = {
    400: {"malformed_json"},
    401: {"unauthenticated"},
    403: {"insufficient_scope"},
    404: {"not_found"},
    405: {"method_not_allowed"},
    409: {
        "idempotency_key_reused", "idempotency_in_progress", "state_conflict", "payment_in_progress",
        "not_ready_to_transact", "already_used", "expired", "limit_reached",
    },
    413: {"body_too_large"},
    415: {"unsupported_media_type"},
    422: {
        "unknown_field", "missing_field", "wrong_type", "out_of_range", "invalid_value", "invalid_currency",
        "currency_mismatch", "below_minimum", "above_maximum", "invalid_date", "invalid_url", "invalid_text",
        "card_number_refused", "invalid_cursor",
    },
    429: {"rate_limited"},
    500: {"internal_error"},
    503: {"provider_unavailable"},
}  # fmt: skip


def test_every_code_of_the_closed_list_has_its_status() -> None:
    assert {code: status_of(code) for code in ERROR_CODES} == {
        code: status for status, codes in STATUSES.items() for code in codes
    }
    assert set(boundary.STATUS_OF_CODE) <= ERROR_CODES


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request"), (401, "authentication"), (403, "permission"), (404, "not_found"),
        (405, "invalid_request"), (409, "conflict"), (413, "invalid_request"), (415, "invalid_request"),
        (422, "invalid_request"), (429, "rate_limit"), (500, "internal"), (503, "internal"),
    ],
)  # fmt: skip
def test_the_type_follows_from_the_status(status: int, kind: str) -> None:
    body = error_body(status, "not_found", "Words.", "req", param="a", errors=[FieldError("a", "not_found", "Words.")])
    assert body == {
        "error": {
            "type": kind,
            "code": "not_found",
            "message": "Words.",
            "param": "a",
            "errors": [{"param": "a", "code": "not_found", "message": "Words."}],
            "request_id": "req",
        }
    }


SECRET = "sk_live_hunter2hunter2"
RAISED: dict[str, Exception] = {
    "refusal": TillError("limit_reached", "Too many."),
    "not-found": NotFound("page"),
    "store": StoreUnavailable(SECRET),
    "provider": ProviderUnavailable(SECRET),
    "busy": ProviderBusy(SECRET),
    "queue": QueueUnavailable(SECRET),
    "refused": ProviderRefused("parameter_invalid", SECRET),
    "conflict": WriteConflict((0,)),
    "bug": KeyError(SECRET),
}
ANSWERS = {
    "refusal": (409, "limit_reached"),
    "not-found": (404, "not_found"),
    "store": (503, "provider_unavailable"),
    "provider": (503, "provider_unavailable"),
    "busy": (503, "provider_unavailable"),
    "queue": (503, "provider_unavailable"),
    "refused": (500, "internal_error"),
    "conflict": (409, "state_conflict"),
    "bug": (500, "internal_error"),
}


def render_error(code: str, request_id: str) -> Response:
    return Response(
        body=f"<h1>{code}</h1>{request_id}", status_code=status_of(code), headers={"Content-Type": "text/html"}
    )


@pytest.fixture(scope="module")
def raising_port() -> Iterator[int]:
    """An app with one page and one API view that raise what their path names."""
    bp = Blueprint(__name__)

    @bp.route("/page/{kind}", methods=["GET"])
    @html_page(bp, render_error=render_error)
    def page(kind: str) -> Response:
        if kind == "fine":
            return Response(body="<h1>Fine</h1>", headers={"Content-Type": "text/html"})
        raise RAISED[kind]

    @bp.route("/v1/raise/{kind}", methods=["GET"], content_types=[])
    @boundary.json_api(bp, scope="account:read")
    def raise_it(call: boundary.ApiCall, kind: str) -> Mapping[str, Any]:
        raise RAISED[kind]

    assert (page.__name__, raise_it.__name__) == ("page", "raise_it")
    app = Chalice("till-boundary-test", configure_logs=False)
    app.register_blueprint(bp)
    server = WebServer(app, 0, healthy=lambda: True, render_error=render_error)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def ask(port: int, path: str, key: str = "") -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("kind", sorted(RAISED))
def test_what_an_api_view_raises_becomes_json_without_what_was_inside(
    api_world: ApiWorld, raising_port: int, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="till"):
        status, headers, text = ask(raising_port, f"/v1/raise/{kind}", api_world.key)
    error = json.loads(text)["error"]
    assert (status, error["code"]) == ANSWERS[kind]
    assert SECRET not in text
    assert error["request_id"] == headers["request-id"]
    (line,) = [record for record in caplog.records if record.getMessage() == "request"]
    assert vars(line)["route"] == "/v1/raise/{kind}"
    assert (vars(line)["status"], vars(line)["code"]) == ANSWERS[kind]
    assert (vars(line)["merchant"], vars(line)["key"]) == (api_world.merchant.id, api_world.key[:14])
    stacks = [record for record in caplog.records if record.getMessage() == "request_failed"]
    assert len(stacks) == (1 if status >= 500 else 0)
    assert all(vars(stack)["request_id"] == headers["request-id"] for stack in stacks)
    assert api_world.key not in caplog.text


@pytest.mark.parametrize("kind", sorted(RAISED))
def test_what_a_page_raises_becomes_the_apps_own_page(raising_port: int, kind: str) -> None:
    status, headers, text = ask(raising_port, f"/page/{kind}")
    expected_status, code = ANSWERS[kind]
    assert (status, headers["content-type"]) == (expected_status, "text/html")
    assert text == f"<h1>{code}</h1>{headers['request-id']}"


def test_a_page_that_goes_well_carries_its_request_id(raising_port: int) -> None:
    status, headers, text = ask(raising_port, "/page/fine")
    assert (status, text) == (200, "<h1>Fine</h1>")
    assert len(headers["request-id"]) == 36


# --- jobs -------------------------------------------------------------------------------------------------------------


def batch(*bodies: str) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": f"m{number}", "receiptHandle": "r", "body": body} for number, body in enumerate(bodies)
        ]
    }


def failed(answer: Mapping[str, Any]) -> list[str]:
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def work_on(done: list[Any]) -> Any:
    def handle(body: Mapping[str, Any]) -> None:
        if body.get("poison"):
            raise ValueError("poison")
        done.append(body["n"])

    return handle


def test_of_a_standard_batch_the_poison_message_alone_comes_back() -> None:
    done: list[int] = []
    event = batch('{"n": 0}', '{"poison": true}', "not json", '{"n": 3}')
    assert failed(each_message(event, work_on(done))) == ["m1", "m2"]
    assert done == [0, 3]


def test_of_a_fifo_batch_the_first_failure_and_all_after_it_come_back() -> None:
    done: list[int] = []
    event = batch('{"n": 0}', '{"poison": true}', '{"n": 2}', '{"n": 3}')
    assert failed(in_order(event, work_on(done))) == ["m1", "m2", "m3"]
    assert done == [0]


def test_a_batch_without_failures_reports_none_in_chalices_shape_too() -> None:
    done: list[int] = []
    event = SQSEvent(batch('{"n": 0}', '{"n": 1}'), None)
    assert each_message(event, work_on(done)) == {"batchItemFailures": []}
    assert in_order(event, work_on(done)) == {"batchItemFailures": []}
    assert done == [0, 1, 0, 1]


def test_what_is_no_ordinary_exception_is_not_caught() -> None:
    def die(body: Mapping[str, Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        each_message(batch('{"n": 0}'), die)


def test_a_job_keeps_its_name_fails_loudly_and_logs_one_line(caplog: pytest.LogCaptureFixture) -> None:
    @job
    def sweep(event: dict[str, Any]) -> dict[str, int]:
        if event:
            raise StoreUnavailable("later")
        return {"sent": 3}

    assert sweep.__name__ == "sweep"
    with caplog.at_level(logging.INFO, logger="till"):
        assert sweep({}) == {"sent": 3}
        with pytest.raises(StoreUnavailable):
            sweep({"now": True})
    lines = [(vars(record)["job"], vars(record)["outcome"]) for record in caplog.records]
    assert lines == [("sweep", "done"), ("sweep", "failed")]
    assert vars(caplog.records[0])["result"] == {"sent": 3}
