"""Processes that answer a line with a line, and the charge workers among whom messages are shared out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

PATIENCE_SECONDS: Final = 120.0
"""How long nobody may answer before the run is over."""


class Peer:
    """A program that is spoken to by lines."""

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self.first = self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        said = self._process.stdout.readline().strip()
        assert said, f"{self._process.args} ended"
        return said

    def ask(self, line: str) -> Any:
        """What it answers."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def order(self, do: str, **more: Any) -> Any:
        """The same, for one that takes JSON."""
        return self.ask(json.dumps({"do": do, **more}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()


@dataclass
class Charged:
    """What the workers did: when the first message went out and the last was done, and what that took."""

    seconds: float
    cpu: float
    done: int
    again: int
    slowest: float


@dataclass
class _Worker:
    process: subprocess.Popen[str]
    in_hand: dict[str, str] = field(default_factory=dict)
    cpu: float = 0.0
    dead: bool = False


class ChargeWorkers:
    """Processes of charge workers that get messages as they have threads free.

    What a killed one had in hand comes back, as from a queue; what could not be done is handed out again as well.
    """

    def __init__(self, processes: int, threads: int, environment: Mapping[str, str]) -> None:
        self._threads = threads
        self._workers = [
            _Worker(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.bench.billing.charge_process", str(threads)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, **environment},
                )
            )
            for _ in range(processes)
        ]
        self._lock = threading.Condition()
        self._messages: deque[str] = deque()
        self._left = 0
        self._again = 0
        self._slowest = 0.0
        for worker in self._workers:
            assert worker.process.stdout is not None
            assert json.loads(worker.process.stdout.readline())["ready"]
        for worker in self._workers:
            threading.Thread(target=self._hear, args=(worker,), daemon=True).start()

    def run(self, messages: Sequence[str], kill_after: int | None) -> Charged:
        """Have all messages worked off; after so many are done one worker is killed in the middle of its work."""
        began = time.monotonic()
        with self._lock:
            self._messages.extend(messages)
            self._left = len(messages)
            for worker in self._workers:
                self._feed(worker)
            heard = self._left
            while self._left:
                if not self._lock.wait(PATIENCE_SECONDS) and heard == self._left:
                    raise AssertionError(f"{self._left} messages are not done")
                heard = self._left
                if kill_after is not None and len(messages) - self._left >= kill_after:
                    kill_after = None
                    self._kill(self._workers[0])
        seconds = time.monotonic() - began
        cpu = sum(worker.cpu for worker in self._workers)
        return Charged(seconds, cpu, len(messages), self._again, self._slowest)

    def stop(self) -> None:
        """Let them end."""
        for worker in self._workers:
            if not worker.dead:
                assert worker.process.stdin is not None
                worker.process.stdin.close()
            worker.process.wait()

    def _kill(self, worker: _Worker) -> None:
        worker.dead = True
        os.kill(worker.process.pid, signal.SIGKILL)
        self._again += len(worker.in_hand)
        self._messages.extend(worker.in_hand.values())
        worker.in_hand.clear()
        for other in self._workers:
            self._feed(other)

    def _feed(self, worker: _Worker) -> None:
        assert worker.process.stdin is not None
        while not worker.dead and self._messages and len(worker.in_hand) < self._threads:
            message = self._messages.popleft()
            worker.in_hand[json.loads(message)["record_id"]] = message
            worker.process.stdin.write(message + "\n")
            worker.process.stdin.flush()

    def _hear(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None
        for line in worker.process.stdout:
            said = json.loads(line)
            with self._lock:
                message = worker.in_hand.pop(said["id"], None)
                if message is None:
                    continue
                worker.cpu = said["cpu"]
                self._slowest = max(self._slowest, said["seconds"])
                if said["done"]:
                    self._left -= 1
                else:
                    self._again += 1
                    self._messages.append(message)
                self._feed(worker)
                self._lock.notify_all()
