"""API Gateway on one machine: Chalice's threaded local server, with our own answers for what reaches no view.

Chalice's local gateway answers an unknown path with 403 and repeats the Authorization header in the body; the deployed
one is told by gateway responses in the template to do neither, so this one must not either.
"""

from __future__ import annotations

import contextlib
import functools
import json
import threading
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from chalice.app import Chalice, Response
from chalice.config import Config
from chalice.local import ChaliceRequestHandler, LocalDevServer, LocalGateway, create_local_server

from chalicelib.handlers.boundary import REQUEST_ID_HEADER, error_body, status_of
from chalicelib.handlers.refusals import json_headers
from infra.local.faults import Killed

HEALTH_PATH: Final = "/healthz"
API_PREFIX: Final = "/v1"
LARGEST_BODY: Final = 10 * 1024 * 1024
"""Bytes that API Gateway takes (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html)."""

Life = Callable[[], AbstractContextManager[object]]
"""What a request lives in, from its first byte read to its answer."""
RenderError = Callable[[str, str], Response]
"""`render_error(code, request_id)`: the app's own page for an address that no view answers."""

_MESSAGES: Final = {
    "not_found": "There is nothing at this address.",
    "method_not_allowed": "This address does not take that method.",
    "unsupported_media_type": "This address does not take that content type.",
    "body_too_large": "The body is larger than this address takes.",
    "malformed_json": "The length of the body cannot be read.",
}
_CODE_OF_CHALICE: Final = {
    "MethodNotAllowedError": "method_not_allowed",
    "UnsupportedMediaType": "unsupported_media_type",
}


class Gateway(LocalGateway):
    """Routes a request to its view, or answers itself in the shape that the caller's side of the site speaks."""

    def __init__(
        self, app: Chalice, config: Config, *, healthy: Callable[[], bool], render_error: RenderError, life: Life
    ) -> None:
        super().__init__(app, config)
        self.life = life
        self._healthy = healthy
        self._render_error = render_error

    def handle_request(
        self, method: str, path: str, headers: dict[str, list[str]], body: bytes | None
    ) -> dict[str, Any]:
        """The answer as Lambda gives it: statusCode, headers, multiValueHeaders and body.

        `headers` has all values of each, by its name in lower case.
        """
        address = path.partition("?")[0]
        if address == HEALTH_PATH:
            ready = self._healthy()
            return _json_answer(200 if ready else 503, {"status": "ready" if ready else "starting"})
        try:
            self.event_converter.create_lambda_event(method=method, path=path, headers={}, body=None)
        except ValueError:
            return self.refusal("not_found", address)
        answer: dict[str, Any] = super().handle_request(method, path, headers, body)
        code = _chalice_code(answer)
        if code is None:
            return answer
        refusal = self.refusal(code, address)
        refusal["headers"].update({name: value for name, value in answer["headers"].items() if name == "Allow"})
        return refusal

    def _generate_lambda_event(
        self, method: str, path: str, headers: dict[str, Any], body: bytes | None
    ) -> dict[str, Any]:
        """The event as API Gateway makes it: of a header that was sent twice, the last value and all of them."""
        last = {name: values[-1] for name, values in headers.items()}
        event: dict[str, Any] = super()._generate_lambda_event(method, path, last, body)
        event["multiValueHeaders"] = headers
        return event

    def refusal(self, code: str, address: str) -> dict[str, Any]:
        """An error of ours: JSON for API callers, the app's page for everyone else."""
        request_id = str(uuid.uuid4())
        if address == API_PREFIX or address.startswith(f"{API_PREFIX}/"):
            status = status_of(code)
            answer = _json_answer(status, error_body(status, code, _MESSAGES[code], request_id))
        else:
            page = self._render_error(code, request_id)
            answer = dict(page.to_dict())
        answer["headers"][REQUEST_ID_HEADER] = request_id
        return answer


def _json_answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": status, "headers": json_headers(), "multiValueHeaders": {}, "body": json.dumps(body)}


def _chalice_code(answer: dict[str, Any]) -> str | None:
    """Our code for a refusal that Chalice's dispatcher made before any view ran, None for an answer of a view."""
    if answer["statusCode"] not in (405, 415) or not answer["body"]:
        return None
    try:
        said = json.loads(answer["body"])
    except ValueError:
        return None
    return _CODE_OF_CHALICE.get(str(said.get("Code"))) if isinstance(said, dict) else None


class _BodyRefused(Exception):
    """The body was not read; the connection cannot be used again."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Handler(ChaliceRequestHandler):
    # Delayed acknowledgements cost 40 ms a request on a kept-alive connection.
    disable_nagle_algorithm = True
    server_version = "Till"
    sys_version = ""

    def __init__(self, *args: Any, gateway: Gateway) -> None:
        self.local_gateway: Gateway = gateway
        # Chalice's own initialiser would build a gateway, with its table of routes, for every connection.
        BaseHTTPRequestHandler.__init__(self, *args)

    def handle(self) -> None:
        # A browser that closes a connection early is no event worth a stack trace.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the app logs routes; the address would put page tokens into the log."""

    def _parse_payload(self) -> tuple[dict[str, Any], bytes | None]:
        names = {name.lower() for name in self.headers}
        return {name: self.headers.get_all(name) for name in names}, self._read_body()

    def _read_body(self) -> bytes | None:
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return self._read_chunks()
        length = self.headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()):
            raise _BodyRefused("malformed_json")
        if int(length) > LARGEST_BODY:
            raise _BodyRefused("body_too_large")
        return self.rfile.read(int(length)) or None

    def _read_chunks(self) -> bytes:
        body = b""
        while True:
            size_line = self.rfile.readline(64).partition(b";")[0].strip()
            try:
                size = int(size_line, 16)
            except ValueError:
                raise _BodyRefused("malformed_json") from None
            if size < 0 or len(body) + size > LARGEST_BODY:
                raise _BodyRefused("malformed_json" if size < 0 else "body_too_large")
            if size == 0:
                while self.rfile.readline(8192).strip():
                    pass
                return body
            body += self.rfile.read(size)
            self.rfile.readline(8)

    def _answer(self) -> None:
        try:
            headers, body = self._parse_payload()
        except _BodyRefused as refused:
            self.close_connection = True
            answer = self.local_gateway.refusal(refused.code, self.path.partition("?")[0])
            answer["headers"]["Connection"] = "close"
        else:
            try:
                with self.local_gateway.life():
                    answered = self.local_gateway.handle_request(
                        method=self.command, path=self.path, headers=headers, body=body
                    )
            except Killed:
                # A Lambda that died has no answer.
                self.close_connection = True
                return
            answer = self._handle_binary(answered)
        self._send_http_response(
            answer["statusCode"], {**answer["headers"], **answer["multiValueHeaders"]}, answer["body"]
        )

    # BaseHTTPRequestHandler finds the method of a request by these names.
    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = _answer

    def __getattr__(self, name: str) -> Any:
        # Any other word is a method too, and is refused like one: Python's own answer would be a 501 in HTML.
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _send_http_response_with_body(self, code: int, headers: dict[str, Any], body: str | bytes) -> None:
        encoded = body if isinstance(body, bytes) else body.encode()
        self.send_response(code)
        content_type = headers.pop("Content-Type", "application/json")
        self.send_header("Content-Type", content_type[0] if isinstance(content_type, list) else content_type)
        self.send_header("Content-Length", str(len(encoded)))
        self._send_headers(headers)
        if self.command != "HEAD":
            self.wfile.write(encoded)


class WebServer:
    """The web app on a port of 127.0.0.1; many requests at a time, each with its own `current_request`."""

    def __init__(
        self,
        app: Chalice,
        port: int,
        *,
        healthy: Callable[[], bool],
        render_error: RenderError,
        life: Life = contextlib.nullcontext,
    ) -> None:
        """Takes the port. Raises OSError when another program has it."""
        config = Config.create(chalice_app=app)
        # Only this factory makes `current_request` thread-local; the server class alone mixes up callers.
        self._served: LocalDevServer = create_local_server(app, config, "127.0.0.1", port)
        gateway = Gateway(app, config, healthy=healthy, render_error=render_error, life=life)
        self._served.server.RequestHandlerClass = functools.partial(_Handler, gateway=gateway)
        # Chalice listens with a queue of five, which a page's parallel requests overflow.
        self._served.server.socket.listen(128)
        self._thread = threading.Thread(target=self._served.server.serve_forever, args=(0.1,), name="web", daemon=True)

    @property
    def port(self) -> int:
        """The port, also when 0 was asked for."""
        return int(self._served.server.server_port)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, and give the port back."""
        if self._thread.is_alive():
            self._served.server.shutdown()
            self._thread.join()
        self._served.server.server_close()
