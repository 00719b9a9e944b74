"""A connection that is kept, and every way in which an answer can fail to come whole."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import stripe
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from chalicelib.aws import connections as connections_module
from chalicelib.aws.connections import IDLE_SECONDS, Connections, HttpAnswer, _Connection
from chalicelib.services.ports import NoAnswer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """A server that reads each request whole, and answers with the next of the bytes that it was given.

    None closes the connection without a word; an empty answer keeps silent.
    """

    def __init__(self, *answers: bytes | None, closes: bool = False) -> None:
        self._answers = list(answers)
        self._closes = closes
        self.requests: list[bytes] = []
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                opened, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(opened)
            # The other side, or `stop`, may end it at any moment.
            with suppress(OSError):
                self._serve(opened)

    def _serve(self, opened: socket.socket) -> None:
        while self._answers:
            request = _request(opened)
            if request is None:
                return
            self.requests.append(request)
            answer = self._answers.pop(0)
            if answer is None:
                break
            opened.sendall(answer)
            if self._closes:
                break
        else:
            return
        opened.close()

    def stop(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for opened in self._open:
            opened.close()
        self._thread.join()


def _request(opened: socket.socket) -> bytes | None:
    found = b""
    while b"\r\n\r\n" not in found:
        more = opened.recv(65536)
        if not more:
            return None
        found += more
    head, _, body = found.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length:
        body += opened.recv(65536)
    return head + b"\r\n\r\n" + body


Start = Callable[..., Peer]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Peer] = []

    def begin(*answers: bytes | None, closes: bool = False) -> Peer:
        started.append(Peer(*answers, closes=closes))
        return started[-1]

    yield begin
    for peer in started:
        peer.stop()


@contextmanager
def connected(url: str, read_seconds: float = 5.0, seconds: Callable[[], float] = lambda: 0.0) -> Iterator[Connections]:
    made = Connections(url, connect_seconds=5.0, read_seconds=read_seconds, seconds=seconds)
    try:
        yield made
    finally:
        made.close()


def test_one_connection_carries_request_after_request(start: Start) -> None:
    peer = start(OK, b"HTTP/1.1 400 Bad Request\r\ncontent-length:0\r\nX-Two: a\r\n\r\n", OK)
    with connected(peer.url) as connections:
        answers = [connections.post({"x-amz-target": "T.One"}, b'{"a":1}') for _ in range(3)]
    assert answers[0] == HttpAnswer(200, {"content-length": "2"}, b"ok")
    assert (answers[1].status_code, answers[1].headers["x-two"], answers[1].content) == (400, "a", b"")
    assert (peer.connections, len(peer.requests)) == (1, 3)
    host = peer.url.removeprefix("http://").encode()
    assert peer.requests[0] == (
        b"POST / HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 7\r\nx-amz-target: T.One\r\n\r\n" + b'{"a":1}'
    )


def test_an_answer_in_chunks_and_one_after_a_preliminary_one_are_whole(start: Start) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n"
    peer = start(chunked, b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"HTTP/1.1 204 Fine\r\nContent-Length: 0\r\n\r\n")
    with connected(peer.url) as connections:
        found = [connections.post({}, b"") for _ in range(3)]
    assert [(each.status_code, each.content) for each in found] == [(200, b"abcde"), (200, b"ok"), (204, b"")]
    assert peer.connections == 1


def test_a_connection_that_the_other_side_closed_is_not_used_again(start: Start) -> None:
    peer = start(OK, OK, OK, closes=True)
    with connected(peer.url) as connections:
        for _ in range(3):
            assert connections.post({}, b"x").content == b"ok"
            wait_until_readable(connections)
    assert (peer.connections, len(peer.requests)) == (3, 3)


def wait_until_readable(connections: Connections) -> None:
    """Until the end that the other side sent has arrived."""
    for connection in connections._idle:
        select.select([connection._socket], [], [], 5)


def test_who_says_that_it_closes_is_not_kept(start: Start) -> None:
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: Close\r\n\r\n")
    peer = start(closing, OK)
    with connected(peer.url) as connections:
        connections.post({}, b"")
        assert connections._idle == []


def test_a_request_says_what_it_wants_of_which_path_and_has_a_length_where_it_has_a_body(start: Start) -> None:
    peer = start(OK, OK)
    with connected(peer.url) as connections:
        connections.send("GET", "/v1/charges/ch_1?expand[]=x", {"a": "1"})
        connections.send("POST", "/v1/charges", {}, b"")
    host = b"Host: " + peer.url.removeprefix("http://").encode()
    assert peer.requests == [
        b"GET /v1/charges/ch_1?expand[]=x HTTP/1.1\r\n" + host + b"\r\na: 1\r\n\r\n",
        b"POST /v1/charges HTTP/1.1\r\n" + host + b"\r\nContent-Length: 0\r\n\r\n",
    ]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/a b", {}),
        ("/a\r\nX: y", {}),
        ("/a", {"x": "1\r\nY: 2"}),
        ("/a", {"x": "1\nY: 2"}),
        ("/a", {"x": "1\rY: 2"}),
        ("/a", {"x\r\nY": "2"}),
        ("/é", {}),
        ("/a", {"x": "é"}),
    ],
)
def test_a_request_that_would_be_another_one_is_not_sent(start: Start, path: str, headers: dict[str, str]) -> None:
    peer = start(OK)
    with connected(peer.url) as connections, pytest.raises(ValueError, match=r"line breaks|ordinal not in range"):
        connections.send("GET", path, headers)
    assert (peer.connections, peer.requests) == (0, [])


BROKEN = {
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Length: 2",
    "nothing at all": None,
    "half a status": b"HTTP/1.1 20",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "another version": b"HTTP/2 200\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "half the headers": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
    "a header without a name": b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "a line without an end": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    "headers without an end": b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(101)) + b"\r\n",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{",
    "no length": b"HTTP/1.1 200 OK\r\n\r\n{}",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    "a length in other digits": "HTTP/1.1 200 OK\r\nContent-Length: ²\r\n\r\n{}".encode("latin-1"),
    "a length beyond reason": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}",
    "a chunk beyond reason": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n{}",
    "a chunk of less than nothing": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n{}",
    "half the chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "a chunk that is too long": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "a chunk without a size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("how", BROKEN)
def test_an_answer_that_is_not_whole_is_none_and_its_connection_is_given_up(start: Start, how: str) -> None:
    peer = start(BROKEN[how], closes=True)
    with connected(peer.url) as connections:
        with pytest.raises(NoAnswer):
            connections.post({}, b"{}")
        assert connections._idle == []
    assert len(peer.requests) == 1


def test_silence_is_waited_for_so_long_and_no_longer(start: Start) -> None:
    peer = start(b"", OK)
    with connected(peer.url, read_seconds=0.05) as connections, pytest.raises(NoAnswer, match="TimeoutError"):
        connections.post({}, b"{}")
    assert len(peer.requests) == 1


def test_where_nobody_listens_there_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with connected(url) as connections, pytest.raises(NoAnswer, match="ConnectionRefusedError"):
        connections.post({}, b"{}")


def test_who_was_stopped_in_the_middle_leaves_no_half_read_answer_to_the_next(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(BaseException):
        """The process is being ended."""

    peer = start(OK, OK)
    with connected(peer.url) as connections:
        connections.post({}, b"")

        def stop(connection: object) -> bytes:
            raise Stopped

        monkeypatch.setattr(_Connection, "_line", stop)
        with pytest.raises(Stopped):
            connections.post({}, b"")
        assert connections._idle == []


def test_no_more_connections_are_kept_than_were_asked_for(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "MOST_KEPT", 0)
    with connected(start(OK).url) as connections:
        connections.post({}, b"")
        assert connections._idle == []


def test_a_connection_that_was_idle_while_the_process_was_frozen_is_not_trusted(start: Start) -> None:
    moments = [0.0]
    # One server for each connection, since it serves them one after the other.
    peer = start(OK, OK, None)
    with connected(peer.url, seconds=lambda: moments[0]) as connections:
        connections.post({}, b"")
        moments[0] += IDLE_SECONDS - 1
        connections.post({}, b"")
        (kept,) = connections._idle
        moments[0] += IDLE_SECONDS
        assert connections._take() is None
        assert kept._socket.fileno() == -1
    assert (peer.connections, len(peer.requests)) == (1, 2)


def test_what_ended_one_connection_is_expected_of_the_others(start: Start) -> None:
    peer, other = start(None), start(OK)
    with connected(other.url) as lasting, connected(peer.url) as connections:
        lasting.post({}, b"")
        connections._idle.append(lasting._idle.pop())
        kept = connections._idle[0]
        connections._idle.append(connections._open())
        with pytest.raises(NoAnswer):
            connections.post({}, b"")
        assert connections._idle == []
        assert kept._socket.fileno() == -1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and its key for localhost, in one file, that nobody trusts who is not told to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


@contextmanager
def secured(certificate: Path, answers: int) -> Iterator[int]:
    """A server with that certificate, which answers on one connection; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            plain, _ = listening.accept()
            with suppress(ssl.SSLError, ConnectionError), context.wrap_socket(plain, server_side=True) as opened:
                for _ in range(answers):
                    if _request(opened) is None:
                        return
                    opened.sendall(OK)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def test_a_host_that_is_trusted_is_spoken_to_on_one_connection(certificate: Path) -> None:
    with secured(certificate, 3) as port, connected(f"https://localhost:{port}") as connections:
        connections._context = ssl.create_default_context(cafile=str(certificate))
        assert [connections.post({}, b"x").content for _ in range(3)] == [b"ok"] * 3


def test_authorities_that_were_named_are_the_ones_that_are_trusted(certificate: Path) -> None:
    def asked(port: int, authorities: str) -> bytes:
        connections = Connections(
            f"https://localhost:{port}",
            connect_seconds=5.0,
            read_seconds=5.0,
            seconds=lambda: 0.0,
            authorities=authorities,
        )
        try:
            return connections.post({}, b"x").content
        finally:
            connections.close()

    with secured(certificate, 1) as port:
        assert asked(port, str(certificate)) == b"ok"
    with secured(certificate, 1) as port, pytest.raises(NoAnswer, match="SSLCertVerificationError"):
        asked(port, stripe.ca_bundle_path)


def test_a_host_that_nobody_vouches_for_is_told_nothing(certificate: Path) -> None:
    with (
        secured(certificate, 1) as port,
        connected(f"https://localhost:{port}") as connections,
        pytest.raises(NoAnswer, match="SSLCertVerificationError"),
    ):
        connections.post({}, b"x")


def test_a_certificate_of_another_name_is_none(certificate: Path) -> None:
    with secured(certificate, 1) as port, connected(f"https://127.0.0.1:{port}") as connections:
        connections._context = ssl.create_default_context(cafile=str(certificate))
        with pytest.raises(NoAnswer, match="SSLCertVerificationError"):
            connections.post({}, b"x")


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("https://dynamodb.eu-central-1.amazonaws.com", "dynamodb.eu-central-1.amazonaws.com", 443),
        ("http://localhost", "localhost", 80),
        ("http://127.0.0.1:8123", "127.0.0.1:8123", 8123),
    ],
)
def test_the_host_is_named_as_it_is_signed(address: str, host: str, port: int) -> None:
    with connected(address) as connections:
        assert (connections.host, connections._port) == (host, port)
