"""SQS, SES and S3 on one machine: moto's server on loopback, one request at a time, its queues on our clock."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import moto.sqs.models as moto_queues
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.ses.models import ses_backends
from moto.sqs.models import sqs_backends
from werkzeug.serving import BaseWSGIServer, make_server

from infra.local.clock import LocalClock
from infra.local.mailbox import SentMail, read_call

ACCOUNT: Final = "123456789012"
"""The account that moto gives to credentials it has never seen."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """A received message that comes back unless it is deleted first."""

    queue: str
    message_id: str
    back_at: datetime


class _Handler(MotoRequestHandler):
    # Delayed acknowledgements cost 40 ms a request on a kept-alive connection.
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: the app logs its own calls."""


class _OneAtATime:
    """The moto application behind a lock, since its backends lose writes under concurrent requests.

    Mail is read off the wire here: moto keeps the HTML body alone when a mail has both.
    """

    def __init__(self, lock: threading.Lock, clock: LocalClock, accepted: list[SentMail]) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock = lock
        self._clock = clock
        self._accepted = accepted

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # Read before the lock is taken, so that a slow sender keeps nobody waiting.
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        if length:
            environ["wsgi.input"] = io.BytesIO(body)
        for_ses = "/ses/" in environ.get("HTTP_AUTHORIZATION", "")
        status: list[str] = []

        def note_status(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            status.append(line)
            return start_response(line, headers, exc_info)

        with self._lock:
            answer = [b"".join(self._app(environ, note_status))]
            if for_ses and status and status[0].startswith("200"):
                content_type = environ.get("CONTENT_TYPE", "")
                mail = read_call(environ["PATH_INFO"], content_type, body, self._clock.now())
                if mail is not None:
                    self._accepted.append(mail)
        return answer


def follow_clock(clock: LocalClock) -> None:
    """Make moto's SQS read this clock: visibility, delays, deduplication, retention and its timestamps.

    moto has no setting for it. Its queue module reads the time through two functions that it imported by name, and
    these names are replaced in that one module, so nothing else in moto or botocore sees a different time.
    """

    def seconds(dt: datetime | None = None) -> float:
        return (dt or clock.now()).timestamp()

    def milliseconds(dt: datetime | None = None) -> float:
        return seconds(dt) * 1000.0

    vars(moto_queues).update(unix_time=seconds, unix_time_millis=milliseconds)


class AwsServer:
    """Starts and stops the server, and knows what was mailed."""

    def __init__(self, clock: LocalClock, region: str) -> None:
        self._clock = clock
        self._region = region
        self._lock = threading.Lock()
        self._accepted: list[SentMail] = []
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Listen on a free port of 127.0.0.1; the endpoint's address."""
        follow_clock(self._clock)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        app = _OneAtATime(self._lock, self._clock, self._accepted)
        # Threads only hold connections open; the lock inside lets one request through at a time.
        self._server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Handler)
        self._server.daemon_threads = True  # type: ignore[attr-defined]  # socketserver's, on the threaded subclass
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="aws", daemon=True)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    def mail(self) -> list[SentMail]:
        """What SES accepted, newest last."""
        with self._lock:
            return list(self._accepted)

    def forget(self) -> None:
        """Empty every queue and the list of sent mail; queues and verified addresses stay."""
        with self._lock:
            self._accepted.clear()
            ses_backends[ACCOUNT][self._region].sent_messages.clear()
            for queue in self._queues():
                queue._messages = []
                queue._pending_messages = set()

    def in_flight(self) -> list[InFlight]:
        """Messages that were received and not deleted, soonest back first."""
        with self._lock:
            found = [
                InFlight(queue.name, message.id, datetime.fromtimestamp(message.visible_at / 1000, UTC))
                for queue in self._queues()
                for message in queue._messages
                if not message.visible
            ]
        return sorted(found, key=lambda message: message.back_at)

    def bring_back(self) -> int:
        """Make every message in flight visible at once, its count of receives kept; how many there were.

        Asking moto for a visibility timeout of zero does not do while the clock stands: it wants a later moment.
        """
        brought = 0
        with self._lock:
            for queue in self._queues():
                for message in queue._messages:
                    if not message.visible:
                        message.visible_at = 0
                        queue._pending_messages.discard(message)
                        brought += 1
        return brought

    def expire_messages(self) -> None:
        """Drop messages past their queue's retention, as SQS does by itself.

        moto only stops at the first one it meets, which would hide all behind it after a jump of the clock.
        """
        now = self._clock.now().timestamp()
        with self._lock:
            for queue in self._queues():
                oldest = (now - queue.message_retention_period) * 1000  # type: ignore[attr-defined]  # set by name
                gone = {message for message in queue._messages if (message.sent_timestamp or 0) <= oldest}
                queue._messages = [message for message in queue._messages if message not in gone]
                queue._pending_messages -= gone

    def _queues(self) -> list[moto_queues.Queue]:
        return list(sqs_backends[ACCOUNT][self._region].queues.values())
