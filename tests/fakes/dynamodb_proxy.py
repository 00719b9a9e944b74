"""A proxy before DynamoDB Local: it counts what goes over the wire, and loses, delays or forges what it is told to."""

from __future__ import annotations

import http.client
import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Reply:
    """An HTTP answer of the database, or a forged one."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Forward = Callable[[], Reply]
Fault = Callable[[Forward], Reply | None]
"""Takes the place of one request; None closes the connection without an answer."""


def lose_request(forward: Forward) -> None:
    """The request never arrives."""


def lose_reply(forward: Forward) -> None:
    """The request is carried out, and its answer is lost."""
    forward()


def refusal(code: str, status: int = 400, **more: Any) -> Fault:
    """The request is not carried out; the database answers with an error."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected", **more}
    return lambda forward: Reply(status, json.dumps(body).encode())


def canceled(*codes: str) -> Fault:
    """The transaction is cancelled for these reasons, item by item."""
    return refusal("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


def _without_token(body: bytes) -> bytes:
    request = json.loads(body)
    request.pop("ClientRequestToken", None)
    return json.dumps(request).encode()


@dataclass
class DynamoProxy:
    """Use as a context manager; `url` is the endpoint to give to a store.

    Without `keep_tokens` the database sees no ClientRequestToken, and takes each repeat for something new, as it does
    with every repeat that comes after ten minutes.
    """

    endpoint: str
    keep_tokens: bool = True
    calls: list[tuple[str, bytes]] = field(default_factory=list)
    url: str = ""
    _faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))

    def next(self, operation: str, *faults: Fault) -> None:
        """Do these to the coming requests of an operation (`TransactWriteItems`), one each."""
        self._faults[operation].extend(faults)

    def clear(self) -> None:
        """Forget what was seen and planned, and keep tokens again."""
        self.keep_tokens = True
        self.calls.clear()
        self._faults.clear()

    @property
    def operations(self) -> list[str]:
        """The operations that were asked for, in order."""
        return [operation for operation, _ in self.calls]

    def bodies(self, operation: str) -> list[bytes]:
        """The requests of one operation as they were sent."""
        return [body for name, body in self.calls if name == operation]

    def answer(self, operation: str, path: str, headers: dict[str, str], body: bytes) -> Reply | None:
        """What the client gets."""
        self.calls.append((operation, body))

        def forward() -> Reply:
            target = urlsplit(self.endpoint)
            connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=20)
            try:
                sent = body if self.keep_tokens else _without_token(body)
                connection.request("POST", path, sent, {**headers, "Content-Length": str(len(sent))})
                got = connection.getresponse()
                kept = tuple((name, value) for name, value in got.getheaders() if name.lower().startswith("x-amz"))
                return Reply(got.status, got.read(), kept)
            finally:
                connection.close()

        planned = self._faults[operation]
        return planned.popleft()(forward) if planned else forward()

    def __enter__(self) -> DynamoProxy:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                operation = self.headers["X-Amz-Target"].rpartition(".")[2]
                reply = proxy.answer(operation, self.path, dict(self.headers), body)
                if reply is None:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
