"""`python -m infra.local`: runs the machine until Ctrl-C or SIGTERM, and says where everything is."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from infra.local.control_server import ControlServer
from infra.local.machine import Machine

LOGS: Final = Path(__file__).resolve().parents[2] / ".cache" / "log"


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable, "") or str(default)
    if not (text.isascii() and text.isdecimal() and int(text) < 65536):
        sys.exit(f"{variable} is no port: {text}")
    return int(text)


def _explain(taken: OSError, variable: str, port: int) -> str:
    if taken.errno == errno.EADDRINUSE:
        return f"Port {port} is taken by another program. End it, or choose another: {variable}={port + 10} make run"
    return f"Port {port} cannot be used ({taken.strerror}). Choose another with {variable}."


def _log_to(path: Path) -> None:
    """Have the app's log lines go to a file, and only what is worse than information to the terminal as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger()
    to_file = logging.FileHandler(path, mode="w", encoding="utf-8")
    for terminal in root.handlers:
        to_file.setFormatter(terminal.formatter)
        terminal.setLevel(logging.WARNING)
    root.addHandler(to_file)


def _say(line: str = "") -> None:
    print(line, flush=True)


def _welcome(info: dict[str, Any], control_url: str, log: Path, note: str, seconds: float) -> None:
    _say()
    _say(f"Till is ready after {seconds:.1f} s. Everything below lives in this machine's memory and ends with it.")
    _say()
    _say(f"  A link to pay once    {info['links']['one_time']}")
    _say(f"  A monthly link        {info['links']['monthly']}")
    _say("  A card that works     4242 4242 4242 4242, any date ahead, any CVC, any postal code")
    _say()
    _say(f"  Mail that was sent    {control_url}/")
    _say(f"  API                   {info['base_url']}/v1")
    _say(f"  API key               {info['api_key']}")
    _say(f"  Control plane         {control_url}")
    _say(f"  Stripe sandbox        {info['stripe_url']}")
    _say(f"  Log                   {log}")
    _say()
    _say(f'  A month later         curl -X POST {control_url}/clock -d \'{{"advance": "P1M"}}\'')
    _say(f"  What is due, at once  curl -X POST {control_url}/settle")
    _say(f"  Back to the start     curl -X POST {control_url}/reset")
    _say()
    if note:
        _say(note)
    _say("Ctrl-C ends it.")


def main() -> int:
    """Run until told to end; the exit code, 0 after a clean end."""
    began = time.monotonic()
    web_port, control_port = _port("TILL_PORT", 8000), _port("TILL_CONTROL_PORT", 8001)
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    machine = Machine(web_port, warn=lambda line: _say(f"Warning: {line}"))
    with ExitStack() as parts:
        parts.callback(machine.stop)
        try:
            control = ControlServer(machine, control_port)
        except OSError as taken:
            sys.exit(_explain(taken, "TILL_CONTROL_PORT", control_port))
        try:
            machine.take_port()
        except OSError as taken:
            sys.exit(_explain(taken, "TILL_PORT", web_port))
        control.start()
        parts.callback(control.stop)
        log = LOGS / f"till-{web_port}.log"
        _log_to(log)
        _say("Starting DynamoDB Local, SQS, SES, S3, the Stripe sandbox and Till ...")
        machine.start()
        _welcome(machine.info(), control.url, log, machine.note, time.monotonic() - began)
        end.wait()
        _say("Ending ...")
    return 0


if __name__ == "__main__":
    sys.exit(main())
