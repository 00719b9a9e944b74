"""One machine for all journeys of a test process, put back before each; a phone's and a desk's Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.journeys.console import Api, Control, RunningMachine, ask

PHONE = {"width": 375, "height": 812}
DESK = {"width": 1280, "height": 900}


@pytest.fixture(scope="session")
def running_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMachine]:
    with RunningMachine(tmp_path_factory.mktemp("machine") / "output.txt") as machine:
        yield machine


@pytest.fixture
def control(running_machine: RunningMachine) -> Iterator[Control]:
    """The control plane of a machine in seed state; at the journey's end the machine's books are checked."""
    running_machine.control.post("/reset")
    yield running_machine.control
    ask("DELETE", f"{running_machine.control.url}/faults", {})
    report = running_machine.control.get("/check")
    assert report["violations"] == []
    assert report["counted"]["payment links"] >= 2


@pytest.fixture
def api(control: Control) -> Api:
    """The API as the demo merchant."""
    return control.api()


def _page(browser: Browser, viewport: dict[str, int], tmp_path: Path) -> Iterator[Page]:
    context = browser.new_context(viewport=viewport, locale="en-US")  # type: ignore[arg-type]  # a plain dict will do
    context.set_default_timeout(15_000)
    page = context.new_page()
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    # Chromium says on the console what a page's policy kept it from doing: nothing of ours may try.
    context.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    page.screenshot(path=tmp_path / "last.png", full_page=True)
    context.close()
    assert errors == []


@pytest.fixture
def phone(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page 375 pixels wide."""
    yield from _page(browser, PHONE, tmp_path)


@pytest.fixture
def desk(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page 1280 pixels wide."""
    yield from _page(browser, DESK, tmp_path)
