"""The control plane's own port: loopback only, and not for pages of other sites."""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from chalicelib.handlers.boundary import error_body, status_of
from infra.local.control_plane import Answer, ControlPlane
from infra.local.machine import Machine

_LARGEST_BODY: Final = 64 * 1024
_OWN_NAMES: Final = frozenset({"127.0.0.1", "localhost"})
# Mail is shown in frames that run nothing; its pictures may come from the web app on this machine.
_CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src http://127.0.0.1:* data:; frame-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    plane: ControlPlane


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Delayed acknowledgements cost 40 ms a request on a kept-alive connection.
    disable_nagle_algorithm = True
    server_version = "Till-control"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def handle(self) -> None:
        # A client that closes a connection early is no event worth a stack trace.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what happened can be asked for."""

    def _serve(self) -> None:
        request_id = str(uuid.uuid4())
        refused = self._refused_unread()
        if refused is not None:
            # The body was left on the wire, so the connection cannot be used again.
            self.close_connection = True
            code, message = refused
            self._send((status_of(code), error_body(status_of(code), code, message, request_id)))
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._send(self.server.plane.answer(self.command, urlsplit(self.path).path, body, request_id))

    def _refused_unread(self) -> tuple[str, str] | None:
        """A code and a message for a request whose body is not even read.

        A page on the web can have a browser send requests here, by address or by a name that it points at loopback;
        both show in the headers.
        """
        origin = urlsplit(self.headers.get("Origin") or "")
        host = urlsplit(f"//{self.headers.get('Host') or ''}")
        if host.hostname not in _OWN_NAMES or ((origin.netloc or origin.path) and origin.netloc != host.netloc):
            return "insufficient_scope", "The control plane is for this machine, not for other sites' pages."
        length = self.headers.get("Content-Length") or "0"
        if self.headers.get("Transfer-Encoding") or not (length.isascii() and length.isdecimal()):
            return "malformed_json", "Send the body with its Content-Length."
        if int(length) > _LARGEST_BODY:
            return "body_too_large", f"The body is larger than {_LARGEST_BODY} bytes."
        return None

    def _send(self, answer: Answer) -> None:
        status, content = answer
        is_page = isinstance(content, str)
        body = content.encode() if isinstance(content, str) else json.dumps(content, indent=2).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8" if is_page else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if is_page:
            self.send_header("Content-Security-Policy", _CSP)
        self.end_headers()
        self.wfile.write(body)


class ControlServer:
    """Serves a machine's control plane on a port of 127.0.0.1."""

    def __init__(self, machine: Machine, port: int) -> None:
        """Takes the port. Raises OSError when another program has it."""
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.plane = ControlPlane(machine, lambda: self.url)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="control", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, and give the port back."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
