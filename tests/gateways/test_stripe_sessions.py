"""What the environment may say to the client that asks Stripe: which proxy to use, and not who it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chalicelib.gateways.stripe.transport import http_client

Heard = list[tuple[str, str | None]]


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
