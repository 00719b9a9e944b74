"""Connections to one host over HTTP/1.1, kept open and shared by threads; a request is sent once, whatever comes of it.

Only what AWS and Stripe answer with is understood: a body that says how long it is, or comes in chunks (RFC 9112).
Anything else counts as no answer, and so does what is cut off.
"""

from __future__ import annotations

import re
import select
import socket
import threading
import weakref
from collections.abc import Callable, Mapping
from io import BufferedReader
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from chalicelib.services.ports.seam import NoAnswer

MOST_KEPT: Final = 32
"""Connections that stay open while nothing is asked: more than the threads that a process of ours has."""
IDLE_SECONDS: Final = 60.0
"""How long a connection is trusted that nobody uses. A Lambda that was frozen for longer has not heard of its end, and
would wait in vain for an answer on it."""
LONGEST_LINE: Final = 65_536
MOST_HEADERS: Final = 100
MOST_BYTES: Final = 64 << 20
"""Of one body: the 16 MB that DynamoDB answers with at most, with room for escapes in their JSON."""
_PORTS: Final = {"https": 443, "http": 80}
# `int` alone would take signs, blanks, underscores and other scripts' digits.
_LENGTH: Final = re.compile(r"[0-9]{1,15}")
_CHUNK_SIZE: Final = re.compile(r"[0-9A-Fa-f]{1,12}")


class HttpAnswer(NamedTuple):
    """An answer as it came off the wire; headers by name in lower case. Its fields are named as botocore names them."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class _Broken(Exception):
    """What came is no whole answer."""


class Connections:
    """Connections to the host of an address that has no path, for any number of threads."""

    def __init__(
        self,
        address: str,
        *,
        connect_seconds: float,
        read_seconds: float,
        seconds: Callable[[], float],
        authorities: str | None = None,
    ) -> None:
        """`read_seconds` is the longest silence. `seconds` is the time, by a clock that goes on while we are frozen.

        `authorities` is a file of certificates to trust; without it, those that the system trusts.
        """
        parts = urlsplit(address)
        self._tls = parts.scheme == "https"
        self._name = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self.host: Final = parts.netloc
        """What the `Host` header says, and so what a signature covers."""
        self._timeouts = (connect_seconds, read_seconds)
        self._seconds = seconds
        self._authorities = authorities
        self._context: Any = None
        self._idle: list[_Connection] = []
        self._lock = threading.Lock()
        # Whoever forgets a client forgets its connections too.
        weakref.finalize(self, _close_all, self._idle)

    def post(self, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """The answer to one POST to `/`. Raises NoAnswer: then nobody knows whether it arrived."""
        return self.send("POST", "/", headers, body)

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> HttpAnswer:
        """The answer to one request; `path` may have a query. Raises NoAnswer: nobody knows whether it arrived.

        Raises ValueError for what would be another request than was meant.
        """
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}"]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        lines.extend([f"{name}: {value}" for name, value in headers.items()])
        head = "\r\n".join(lines)
        if lines[0].count(" ") != 2 or head.count("\n") + 1 != len(lines) or head.count("\r") + 1 != len(lines):
            raise ValueError("a path has no blanks, and neither it nor a header has line breaks")
        request = f"{head}\r\n\r\n".encode("ascii") + (body or b"")
        answer: HttpAnswer | None = None
        connection: _Connection | None = None
        try:
            connection = self._take() or self._open()
            answer = connection.exchange(request)
        except (OSError, _Broken) as error:
            # What ended this one may have ended the others: whoever asks again begins anew.
            self.close()
            raise NoAnswer(type(error).__name__) from error
        finally:
            # Whoever was stopped in the middle leaves an answer that nobody reads: it must not be the next one's.
            if connection is not None and answer is None:
                connection.close()
        self._give_back(connection, answer)
        return answer

    def close(self) -> None:
        """Close what is open and idle."""
        with self._lock:
            _close_all(self._idle)

    def _take(self) -> _Connection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if self._seconds() - connection.used_at < IDLE_SECONDS and connection.is_quiet():
                return connection
            connection.close()

    def _give_back(self, connection: _Connection, answer: HttpAnswer) -> None:
        connection.used_at = self._seconds()
        with self._lock:
            keep = answer.headers.get("connection", "").lower() != "close" and len(self._idle) < MOST_KEPT
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()

    def _open(self) -> _Connection:
        connect_seconds, read_seconds = self._timeouts
        opened = socket.create_connection((self._name, self._port), connect_seconds)
        # Without it, delayed acknowledgements cost 40 ms a request on a kept connection.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls:
            opened = self._secured(opened)
        opened.settimeout(read_seconds)
        return _Connection(opened)

    def _secured(self, plain: socket.socket) -> socket.socket:
        # Only here: a database on one machine is spoken to without.
        import ssl

        if self._context is None:
            # Certificates and names are checked.
            self._context = ssl.create_default_context(cafile=self._authorities)
        # A handshake that fails closes the socket.
        secured: socket.socket = self._context.wrap_socket(plain, server_hostname=self._name)
        return secured


class _Connection:
    """One open connection, used by one thread at a time."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self._reader: BufferedReader = opened.makefile("rb")
        self._arrivals = select.poll()
        self._arrivals.register(opened, select.POLLIN)
        self.used_at = 0.0

    def is_quiet(self) -> bool:
        """Whether nothing has come that nobody asked for; the other side's end is such a thing."""
        return not self._arrivals.poll(0)

    def exchange(self, request: bytes) -> HttpAnswer:
        """Send, and read one answer. Raises OSError and _Broken."""
        self._socket.sendall(request)
        while True:
            status = _status(self._line())
            headers = self._headers()
            if status >= 200:
                return HttpAnswer(status, headers, self._body(headers))

    def close(self) -> None:
        """Close it."""
        self._reader.close()
        self._socket.close()

    def _line(self) -> bytes:
        line = self._reader.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise _Broken("a line was cut off")
        return line

    def _headers(self) -> dict[str, str]:
        found: dict[str, str] = {}
        read_line = self._reader.readline
        while (line := read_line(LONGEST_LINE)) not in (b"\r\n", b"\n"):
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or value[-1:] != "\n" or len(found) >= MOST_HEADERS:
                raise _Broken("not a header, or half of one")
            found[name.lower()] = value.strip()
        return found

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        length = headers.get("content-length", "")
        if _LENGTH.fullmatch(length) is None:
            raise _Broken("an answer without a length")
        return self._exactly(int(length), MOST_BYTES)

    def _chunks(self) -> bytes:
        found = b""
        while size := self._chunk_size():
            found += self._exactly(size, MOST_BYTES - len(found))
            if self._line().strip():
                raise _Broken("a chunk is longer than it says")
        self._headers()
        return found

    def _chunk_size(self) -> int:
        size = self._line().partition(b";")[0].strip().decode("latin-1")
        if _CHUNK_SIZE.fullmatch(size) is None:
            raise _Broken("not a chunk")
        return int(size, 16)

    def _exactly(self, length: int, most: int) -> bytes:
        if length > most:
            raise _Broken("an answer is too long")
        found = self._reader.read(length)
        if len(found) < length:
            raise _Broken("an answer was cut off")
        return found


def _close_all(idle: list[_Connection]) -> None:
    while idle:
        idle.pop().close()


def _status(line: bytes) -> int:
    parts = line.split(None, 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or len(parts[1]) != 3 or not parts[1].isdigit():
        raise _Broken("not an answer of HTTP/1")
    return int(parts[1])
