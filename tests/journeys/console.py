"""A stranger's view of a running machine: the API, the control plane, and what a person does in a browser."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
"""More than the 20 s that a newcomer waits at most, since tests share their machine with other tests."""


@dataclass(frozen=True)
class Answer:
    """A status, its headers in lower case, and the JSON that came, or the text where it is none."""

    status: int
    headers: Mapping[str, str]
    body: Any


def ask(method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
    """One HTTP call; refusals are answers too."""
    data = None if body is None else json.dumps(body).encode()
    given = {"Content-Type": "application/json", **(headers or {})} if data is not None else dict(headers or {})
    request = urllib.request.Request(url, data, given, method=method)  # noqa: S310 - our own loopback addresses
    try:
        with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310 - the same
            return _answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return _answer(refused.code, refused.headers, refused.read())


def _answer(status: int, headers: Any, raw: bytes) -> Answer:
    text = raw.decode()
    body = json.loads(text) if headers.get_content_type() == "application/json" else text
    return Answer(status, {name.lower(): value for name, value in headers.items()}, body)


class Api:
    """The product's API with one key."""

    def __init__(self, base_url: str, key: str) -> None:
        self.base_url = base_url
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str) -> Any:
        answer = ask("GET", f"{self.base_url}/v1{path}", headers=self._headers)
        assert answer.status == 200, answer
        return answer.body

    def post(self, path: str, body: Mapping[str, Any], **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask("POST", f"{self.base_url}/v1{path}", body, {**self._headers, **named})

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST that must make something."""
        answer = self.post(path, body)
        assert answer.status == 201, answer
        return answer.body

    def all(self, path: str) -> list[Any]:
        """Every entry of a list, oldest first, following its cursors."""
        found: list[Any] = []
        mark = "&" if "?" in path else "?"
        page = self.get(f"{path}{mark}limit=100")
        while True:
            found += page["data"]
            if not page["has_more"]:
                return found[::-1]
            page = self.get(f"{path}{mark}limit=100&cursor={page['next_cursor']}")


class Control:
    """The machine's control plane."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Any:
        answer = ask("GET", self.url + path)
        assert answer.status == 200, answer
        return answer.body

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = ask("POST", self.url + path, body or {})
        assert answer.status in (200, 201), answer
        return answer.body

    def info(self) -> Any:
        return self.get("/info")

    def api(self) -> Api:
        """The API as the demo merchant."""
        info = self.info()
        return Api(info["base_url"], info["api_key"])

    def add_merchant(self, name: str, timezone: str, currency: str) -> tuple[str, Api]:
        """A new merchant's id, and the API as that merchant."""
        made = self.post("/merchants", {"name": name, "timezone": timezone, "currency": currency})
        return made["id"], Api(self.info()["base_url"], made["api_key"])

    def set_clock(self, now: str, *, step: bool = True) -> Any:
        return self.post("/clock", {"now": now, "step": step})

    def advance(self, duration: str, *, merchant: str | None = None, step: bool = True) -> Any:
        more = {} if merchant is None else {"merchant": merchant}
        return self.post("/clock", {"advance": duration, "step": step, **more})

    def settle(self) -> Any:
        """Settle, which must end with nothing failed."""
        report = self.post("/settle")
        assert report["errors"] == [], report
        assert report["stopped"] is None, report
        return report

    def mail(self) -> list[Any]:
        return list(self.get("/mail")["data"])

    def stripe(self, resource: str) -> list[Any]:
        return list(self.get(f"/stripe/{resource}")["data"])

    def hold_webhooks(self) -> None:
        self.post("/stripe/webhooks", {"mode": "hold"})

    def release_webhooks(self) -> None:
        self.post("/stripe/webhooks", {"mode": "normal"})


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningMachine:
    """`python -m infra.local` on ports of its own, started as a newcomer would and ended by a signal."""

    def __init__(self, output: Path, **environment: str) -> None:
        self.web_port, self.control_port = free_port(), free_port()
        self.output = output
        self.command = [sys.executable, "-m", "infra.local"]
        self.folder = ROOT
        self.environment = {
            **os.environ,
            "TILL_PORT": str(self.web_port),
            "TILL_CONTROL_PORT": str(self.control_port),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.seconds_to_ready = 0.0

    @property
    def control(self) -> Control:
        return Control(f"http://127.0.0.1:{self.control_port}")

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    def start(self) -> None:
        """Start it and wait until both ports say that it is ready."""
        began = time.monotonic()
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        while not self._healthy():
            if self.process.poll() is not None or time.monotonic() - began > START_SECONDS:
                raise AssertionError(f"the machine did not become ready:\n{self.output.read_text()}")
            time.sleep(0.1)
        self.seconds_to_ready = time.monotonic() - began

    def _healthy(self) -> bool:
        try:
            return all(ask("GET", f"{url}/healthz").status == 200 for url in (self.base_url, self.control.url))
        except OSError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            code = self.stop()
            assert code == 0 or error is not None, f"exit code {code}:\n{self.output.read_text()}"


CARD = "4242424242424242"
MAIN_BUTTON = re.compile(r"^(Pay|Subscribe)\b")
"""What the one main button of a pay page begins with."""


def fill_card(page: Page, number: str = CARD, *, expiry: str = "1234", cvc: str = "123", postal: str = "12508") -> None:
    """Type a card into the Payment Element's frame."""
    frame = page.frame_locator('iframe[title="Secure payment input frame"]')
    frame.locator("[name=number]").fill(number)
    frame.locator("[name=expiry]").fill(expiry)
    frame.locator("[name=cvc]").fill(cvc)
    frame.locator("[name=postalCode]").fill(postal)


def pay(page: Page, url: str, *, email: str = "anna@example.com", name: str = "Anna Maier", card: str = CARD) -> None:
    """Open a link and pay it; back on the receipt."""
    page.goto(url)
    page.get_by_role("textbox", name="Email").fill(email)
    page.get_by_role("textbox", name="Name").fill(name)
    fill_card(page, card)
    page.get_by_role("button", name=MAIN_BUTTON).click()
    page.wait_for_url("**/receipt/**")
