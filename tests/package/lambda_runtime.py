"""What Lambda does around a function: AWS's own runtime client, and the small HTTP service that it asks for work."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import files
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

WAIT_SECONDS = 60
PREFIX = "/2018-06-01/runtime"
"""https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"""


@dataclass(frozen=True)
class Answered:
    """What a function answered: what it returned, or the error that Lambda was told of."""

    payload: Any
    failed: bool


class RuntimeApi:
    """The service at AWS_LAMBDA_RUNTIME_API, for one function."""

    def __init__(self) -> None:
        self._events: queue.Queue[bytes | None] = queue.Queue()
        self._answers: queue.Queue[Answered] = queue.Queue()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                assert self.path == f"{PREFIX}/invocation/next"
                event = api._events.get()
                if event is None:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", str(uuid.uuid4()))
                self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:f")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(event)))
                self.end_headers()
                self.wfile.write(event)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                api._answers.put(Answered(json.loads(body), failed=self.path.endswith("/error")))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_port}"

    def invoke(self, event: Any) -> Answered:
        """Hand an event over, and wait for what comes of it."""
        self._events.put(json.dumps(event).encode())
        return self._answers.get(timeout=WAIT_SECONDS)

    def stop(self) -> None:
        """Hand nothing over any more."""
        self._events.put(None)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


# As at AWS: the function's folder comes first, the runtime's own packages after it, and nothing else is there.
_BOOT = """
import sys
task, runtime, handler = sys.argv[1:]
sys.path[:0] = [task, runtime]
from awslambdaric.__main__ import main
main(["bootstrap", handler])
"""


class RunningFunction:
    """One function under AWS's runtime client, as a process of its own; use as a context manager."""

    def __init__(self, task: Path, runtime: Path, handler: str, environment: Mapping[str, str], log: Path) -> None:
        self._command = [sys.executable, "-I", "-S", "-c", _BOOT, str(task), str(runtime), handler]
        self._environment = environment
        self._task = task
        self._log = log

    def __enter__(self) -> Self:
        self._api = RuntimeApi()
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._task,
                env={**self._environment, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self

    def invoke(self, event: Any) -> Any:
        """What the function returned. A test fails where it raised instead."""
        answered = self.answer(event)
        if answered.failed:
            pytest.fail(f"{answered.payload}\n{self.said()}")
        return answered.payload

    def answer(self, event: Any) -> Answered:
        """What Lambda was told."""
        try:
            return self._api.invoke(event)
        except queue.Empty:
            pytest.fail(f"no answer; the function said:\n{self.said()}")

    def said(self) -> str:
        """All that it has written."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """Its log, line by line; whatever is no JSON would be a line that nobody can search."""
        return [json.loads(line) for line in self.said().splitlines()]

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._api.stop()


def runtime_folder(where: Path) -> Path:
    """A folder with AWS's runtime client alone, as `/var/runtime` has it."""
    for name in ("awslambdaric", "simplejson", "snapshot-restore-py"):
        for each in files(name) or ():
            if ".." not in each.parts and not each.parts[0].endswith(".dist-info"):
                target = where / each
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    target.symlink_to(Path(str(each.locate())))
    return where
