import http.client
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from chalice.app import Chalice, Response

from infra.local.gateway import WebServer

app = Chalice(app_name="probe")
ready = [True]


@app.route("/v1/whoami", methods=["GET"])
def whoami() -> dict[str, str]:
    return {"key": app.current_request.headers["authorization"], "again": app.current_request.headers["x-again"]}


@app.route("/v1/things", methods=["GET", "POST"], content_types=["application/json"])
def things() -> Response:
    body = app.current_request.raw_body
    return Response(body={"bytes": len(body)}, status_code=201, headers={"Content-Type": "application/json"})


@app.route("/refused", methods=["POST"], content_types=["application/x-www-form-urlencoded"])
def refused() -> Response:
    return Response(body="no\n", status_code=405, headers={"Content-Type": "text/plain"})


def render_error(code: str, request_id: str) -> Response:
    headers = {"Content-Type": "text/html; charset=utf-8"}
    return Response(body=f"<h1>{code}</h1>", status_code=404 if code == "not_found" else 400, headers=headers)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = WebServer(app, 0, healthy=lambda: ready[0], render_error=render_error)
    server.start()
    yield server.port
    server.stop()


Answer = tuple[int, dict[str, str], bytes]


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def test_eight_callers_at_once_are_never_mixed_up(port: int) -> None:
    together = Barrier(8)

    def call(n: int) -> list[tuple[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        seen = []
        for again in range(40):
            if again == 0:
                together.wait()
            connection.request("GET", "/v1/whoami", headers={"Authorization": f"Bearer {n}", "X-Again": str(again)})
            answer = json.loads(connection.getresponse().read())
            seen.append((answer["key"], answer["again"]))
        connection.close()
        return seen

    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(call, range(8)))
    assert answers == [[(f"Bearer {n}", str(again)) for again in range(40)] for n in range(8)]


def test_an_unknown_address_of_the_api_is_404_in_our_shape_and_echoes_no_key(port: int) -> None:
    status, headers, body = ask(port, "GET", "/v1/nothing", Authorization="Bearer till_test_secret")
    error = json.loads(body)["error"]
    assert status == 404
    assert (error["type"], error["code"], error["request_id"]) == ("not_found", "not_found", headers["request-id"])
    assert b"till_test_secret" not in body


def test_an_unknown_address_elsewhere_is_the_apps_page(port: int) -> None:
    status, headers, body = ask(port, "GET", "/pay/nobody/nothing")
    assert (status, body) == (404, b"<h1>not_found</h1>")
    assert headers["content-type"] == "text/html; charset=utf-8"


def test_a_method_that_the_api_does_not_take_is_405_in_our_shape(port: int) -> None:
    status, headers, body = ask(port, "DELETE", "/v1/things")
    assert status == 405
    assert json.loads(body)["error"]["code"] == "method_not_allowed"
    assert set(headers["allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "get"])
def test_a_method_that_nobody_has_heard_of_is_405_in_our_shape_too(port: int, method: str) -> None:
    status, headers, body = ask(port, method, "/v1/things")
    assert (status, set(headers["allow"].split(", "))) == (405, {"GET", "POST"})
    assert json.loads(body)["error"]["code"] == "method_not_allowed"


def test_a_content_type_that_the_api_does_not_take_is_415_in_our_shape(port: int) -> None:
    status, _, body = ask(port, "POST", "/v1/things", b"<a/>", Content_Type="text/xml")
    assert status == 415
    assert json.loads(body)["error"]["code"] == "unsupported_media_type"


def test_what_a_view_itself_refuses_is_left_alone(port: int) -> None:
    status, _, body = ask(port, "POST", "/refused", b"a=1", Content_Type="application/x-www-form-urlencoded")
    assert (status, body) == (405, b"no\n")


def test_a_body_larger_than_api_gateway_takes_is_413_and_not_read(port: int) -> None:
    status, headers, body = ask(port, "POST", "/v1/things", Content_Length=str(10 * 1024 * 1024 + 1))
    assert status == 413
    assert json.loads(body)["error"]["code"] == "body_too_large"
    assert headers["connection"] == "close"


@pytest.mark.parametrize("length", ["-1", "abc", "1_0", "٣"])
def test_a_length_that_is_no_number_is_refused(port: int, length: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("POST", "/v1/things")
    connection.putheader("Content-Length", length.encode())
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 400
    assert json.loads(response.read())["error"]["code"] == "malformed_json"
    connection.close()


def test_a_chunked_body_arrives_whole(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(
        "POST", "/v1/things", iter([b"x" * 1000, b"y" * 7]), {"Content-Type": "application/json"}, encode_chunked=True
    )
    assert json.loads(connection.getresponse().read()) == {"bytes": 1007}
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_head_request_has_no_body(port: int) -> None:
    status, _, body = ask(port, "HEAD", "/v1/nothing")
    assert (status, body) == (404, b"")


def test_healthz_follows_the_machine(port: int) -> None:
    assert ask(port, "GET", "/healthz")[0] == 200
    ready[0] = False
    try:
        assert ask(port, "GET", "/healthz")[0] == 503
    finally:
        ready[0] = True


def test_answers_on_a_kept_alive_connection_take_no_forty_milliseconds(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    times = []
    for _ in range(15):
        began = time.perf_counter()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        times.append(time.perf_counter() - began)
    connection.close()
    assert sorted(times)[7] < 0.03


def test_a_port_that_is_taken_is_an_error(port: int) -> None:
    with pytest.raises(OSError, match="Address already in use"):
        WebServer(Chalice(app_name="second"), port, healthy=lambda: True, render_error=render_error)
