"""Runs a command and ends it once standard input closes: no child outlives the process that started it.

The kernel closes the pipe also when that process is killed, which no exit handler would notice.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

GRACE_SECONDS = 5


def _leave_with(child: subprocess.Popen[bytes]) -> None:
    # os._exit, since the main thread is blocked in a read that nothing interrupts.
    os._exit(child.wait())


def main(command: list[str]) -> None:
    """Start `command` and stay until it ends or standard input does."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_leave_with, args=(child,), daemon=True).start()
    while sys.stdin.buffer.read(4096):
        pass
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    main(sys.argv[1:])
