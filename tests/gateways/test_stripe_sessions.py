"""How Stripe is asked on the wire, and what the environment may say: which proxy to use, and not who we are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import stripe

from chalicelib.gateways.stripe.gateway import StripeGateway
from chalicelib.gateways.stripe.transport import http_client
from chalicelib.services.ports import ProviderRefused
from tests.gateways.stripe_worlds import GatewaySettings

Heard = list[tuple[str, str | None]]
OK = b"HTTP/1.1 200 OK\r\nRequest-Id: req_1\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def heard() -> Heard:
    return []


@pytest.fixture
def address(heard: Heard) -> Iterator[str]:
    """Of somebody who notes what is asked of them, and by whom."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append((self.path, self.headers.get("Authorization")))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_netrc_does_not_take_the_place_of_stripes_key(
    address: str, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client = http_client(5.0)
    assert client.request("get", f"{address}/v1/charges", {"Authorization": "Bearer sk_test_1"})[1] == 200
    client.close()  # type: ignore[no-untyped-call]
    assert heard == [("/v1/charges", "Bearer sk_test_1")]


def test_a_proxy_of_the_environment_is_used_but_for_hosts_that_need_none(
    address: str, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", address)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    through, direct = http_client(5.0), http_client(5.0)
    assert through.request("get", "http://stripe.invalid/v1/charges", {})[1] == 200
    assert direct.request("get", f"{address}/v1/refunds", {})[1] == 200
    through.close()  # type: ignore[no-untyped-call]
    direct.close()  # type: ignore[no-untyped-call]
    assert heard == [("http://stripe.invalid/v1/charges", None), ("/v1/refunds", None)]


class Peer:
    """A server that gives one answer after the other, on as many connections as it is asked on; None hangs up."""

    def __init__(self, *answers: bytes | None) -> None:
        left = list(answers)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                peer.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                peer.requests.append((self.requestline, dict(self.headers.items()), body))
                answer = left.pop(0)
                if answer is None:
                    self.close_connection = True
                else:
                    self.wfile.write(answer)

            do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Peer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_requests_follow_each_other_on_one_connection_and_are_what_stripe_is_told() -> None:
    with Peer(OK, OK, OK) as peer:
        client = http_client(5.0)
        client.request("post", f"{peer.url}/v1/customers", {"Idempotency-Key": "k"}, "name=Zo%C3%AB&email=")
        client.request("post", f"{peer.url}/v1/payment_intents/pi_1/cancel", {}, None)
        found = client.request("get", f"{peer.url}/v1/charges/ch_1?expand[0]=balance_transaction", {"A": "b"})
        client.close()  # type: ignore[no-untyped-call]
    assert found == (b"{}", 200, {"request-id": "req_1", "content-length": "2"})
    assert [(line, body) for line, _, body in peer.requests] == [
        ("POST /v1/customers HTTP/1.1", b"name=Zo%C3%AB&email="),
        ("POST /v1/payment_intents/pi_1/cancel HTTP/1.1", b""),
        ("GET /v1/charges/ch_1?expand%5B0%5D=balance_transaction HTTP/1.1", b""),
    ]
    assert peer.requests[0][1]["Idempotency-Key"] == "k"
    assert peer.connections == 1


def answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def by_requests(seconds: float) -> stripe.HTTPClient:
    return stripe.RequestsClient(timeout=seconds)


def test_what_a_gateway_asks_is_what_requests_would_have_sent() -> None:
    # What requests says of itself, of a connection that is kept, and Stripe's report of how long the last call took.
    its_own = {"Accept", "Accept-Encoding", "Connection", "Host", "X-Stripe-Client-Telemetry"}
    made = answer(200, b'{"id":"cus_1","object":"customer"}')
    refused = answer(401, b'{"error":{"type":"invalid_request_error"}}')
    told = []
    for make in (http_client, by_requests):
        with Peer(made, refused) as peer:
            gateway = StripeGateway(
                GatewaySettings(stripe_api_base=peer.url), timeout_seconds=5.0, client=make(5.0), sleep=lambda _: None
            )
            gateway.create_customer("acct_1", email="zoë@example.com", name="Zoë", metadata={"a": "b"}, key="k")
            with pytest.raises(ProviderRefused):
                gateway.retrieve_intent("acct_1", "pi_1")
            gateway.close()
        assert {headers["Host"] for _, headers, _ in peer.requests} == {peer.url.removeprefix("http://")}
        told.append([
            (line, {name: value for name, value in headers.items() if name not in its_own}, body)
            for line, headers, body in peer.requests
        ])  # fmt: skip
    assert [line for line, *_ in told[0]] == [
        "POST /v1/customers HTTP/1.1",
        "GET /v1/payment_intents/pi_1?expand%5B0%5D=payment_method"
        "&expand%5B1%5D=latest_charge.balance_transaction HTTP/1.1",
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize("broken", [None, b"SSH-2.0\r\n"], ids=["nothing", "no HTTP"])
def test_a_broken_answer_is_a_connection_error_and_the_next_request_is_answered(broken: bytes | None) -> None:
    with Peer(OK, broken, OK) as peer:
        client = http_client(5.0)
        client.request("get", f"{peer.url}/v1/charges", {})
        with pytest.raises(stripe.APIConnectionError) as lost:
            client.request("post", f"{peer.url}/v1/charges", {}, "a=b")
        assert (lost.value.http_status, lost.value.should_retry) == (None, True)
        assert client.request("get", f"{peer.url}/v1/charges", {})[1] == 200
        client.close()  # type: ignore[no-untyped-call]
    assert [line.partition(" ")[0] for line, *_ in peer.requests] == ["GET", "POST", "GET"]


def test_a_gateway_asks_again_with_the_same_key_after_a_broken_answer() -> None:
    with Peer(None, answer(200, b'{"id":"cus_1","object":"customer"}')) as peer:
        gateway = StripeGateway(GatewaySettings(stripe_api_base=peer.url), timeout_seconds=5.0, sleep=lambda _: None)
        assert gateway.create_customer("acct_1", email="", name="", metadata={}, key="k-1") == "cus_1"
        gateway.close()
    assert [headers["Idempotency-Key"] for _, headers, _ in peer.requests] == ["k-1", "k-1"]


def test_a_key_or_an_account_with_a_line_break_is_sent_nowhere(address: str, heard: Heard) -> None:
    client = http_client(5.0)
    for headers in ({"Idempotency-Key": "k\r\nX: y"}, {"Stripe-Account": "acct_1\nX: y"}):
        with pytest.raises(ValueError, match="line breaks"):
            client.request("get", f"{address}/v1/charges", headers)
    assert heard == []
