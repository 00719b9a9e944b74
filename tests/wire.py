"""A counting reverse proxy: what a program really sends to DynamoDB, one entry for each request on the wire."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class Call:
    """One request: the operation, such as `TransactWriteItems`, and its body."""

    operation: str
    body: Mapping[str, Any]
    status: int


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    wire: Wire


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        # One connection to the database for each of a client's, so that keep-alive behaves as without the proxy.
        target = self.server.wire.target
        self._upstream = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)

    def finish(self) -> None:
        self._upstream.close()
        super().finish()

    def do_POST(self) -> None:
        operation = (self.headers.get("X-Amz-Target") or "").rpartition(".")[2]
        body = self.server.wire.changed(operation, self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        # The Host header stays the proxy's, since the request's signature covers it.
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        self._upstream.request("POST", self.path, body, headers)
        response = self._upstream.getresponse()
        answer = response.read()
        call = Call(operation, json.loads(body or b"{}"), response.status)
        self.server.wire.note(call)
        self.server.wire.answered(call, answer)
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the calls are the record."""


class Wire:
    """Stands between a program and a database endpoint while its `with` block runs.

    >>> with Wire(dynamodb_endpoint) as wire:
    ...     start_the_app(dynamodb_endpoint=wire.endpoint)
    ...     wire.forget()
    ...     open_the_pay_page()
    ...     assert wire.operations() == ["BatchGetItem"]
    """

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self._calls: list[Call] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.wire = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="wire", daemon=True)

    @property
    def endpoint(self) -> str:
        """What to give the program as its database's address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def note(self, call: Call) -> None:
        """Count one call."""
        with self._lock:
            self._calls.append(call)

    def changed(self, operation: str, body: bytes) -> bytes:
        """The body that goes on to the database: the same."""
        return body

    def answered(self, call: Call, answer: bytes) -> None:
        """Look at an answer."""

    def forget(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self._calls.clear()

    def calls(self) -> list[Call]:
        """Every call since then, in the order they were answered."""
        with self._lock:
            return list(self._calls)

    def operations(self) -> list[str]:
        """The names of those calls."""
        return [call.operation for call in self.calls()]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
