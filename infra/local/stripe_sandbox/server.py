"""The sandbox's HTTP server: loopback, a thread a connection, keep-alive, TCP_NODELAY.

Written on http.server and not on werkzeug's, which closes the connection after every answer.
"""

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from infra.local.stripe_sandbox.api import Reply, Request

_LARGEST_BODY: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """A file for browsers."""

    body: bytes
    content_type: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Answerer = Callable[[Request], Reply | Page]


class SandboxServer:
    """Serves one answerer until stopped."""

    def __init__(self, answerer: Answerer, host: str, port: int) -> None:
        if host not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("the Stripe sandbox binds loopback only")
        self._server: Final = _Server((host, port), _Handler)
        self._server.answerer = answerer
        self._thread: Final = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="stripe-sandbox")
        self._thread.daemon = True

    def start(self) -> int:
        """Begin to serve; returns the port."""
        self._thread.start()
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop, and close every connection that is still open."""
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    answerer: Answerer

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close_connections(self) -> None:
        """End keep-alive connections whose client has not gone."""
        with self._guard:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "nginx"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def do_OPTIONS(self) -> None:
        self._send(
            204, b"", "text/plain", {"Access-Control-Allow-Headers": "Content-Type", "Access-Control-Max-Age": "600"}
        )

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST_BODY:
            self.close_connection = True
            self._send(413, b"", "text/plain", {})
            return
        body = self.rfile.read(length).decode("utf-8", errors="surrogateescape")
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.answerer(Request(self.command, address.path, address.query, headers, body))
        if isinstance(answer, Page):
            self._send(answer.status, answer.body, answer.content_type, answer.headers)
        elif answer.lost:
            self.close_connection = True
        else:
            text = json.dumps(answer.body).encode()
            self._send(answer.status, text, "application/json", answer.headers)

    def _send(self, status: int, body: bytes, content_type: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-cache, no-store")
        self.send_header("Access-Control-Allow-Origin", "*")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the request log is kept by the API."""
