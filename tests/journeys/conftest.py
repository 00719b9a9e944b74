"""The machine, put back before each journey; a phone's and a desk's Chromium."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.journeys.console import Api, Control, RunningMachine, ask

PHONE = {"width": 375, "height": 812}
DESK = {"width": 1280, "height": 900}
_FAILED = pytest.StashKey[bool]()


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember what failed, for the picture of it."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


def _page(browser: Browser, viewport: dict[str, int], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport=viewport, locale="en-US")  # type: ignore[arg-type]  # a plain dict will do
    context.set_default_timeout(15_000)
    page = context.new_page()
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    # Chromium says on the console what a page's policy kept it from doing: nothing of ours may try.
    context.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    if request.node.stash.get(_FAILED, False):
        page.screenshot(path=tmp_path / "last.png", full_page=True)
    # Answered after all that the page said before.
    page.title()
    context.close()
    assert errors == []


@pytest.fixture
def phone(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page 375 pixels wide."""
    yield from _page(browser, PHONE, tmp_path, request)


@pytest.fixture
def desk(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page 1280 pixels wide."""
    yield from _page(browser, DESK, tmp_path, request)
