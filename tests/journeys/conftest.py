"""The machine, put back before each journey; a phone's and a desk's Chromium."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, WebError

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


@pytest.fixture(scope="session")
def tabs(browser: Browser) -> Iterator[dict[int, Page]]:
    """One tab for each width, kept from journey to journey: a window of its own costs Chromium more than most of them.

    What a journey could leave behind in it is taken away after each; see `_cleared`.
    """
    kept: dict[int, Page] = {}
    yield kept
    for page in kept.values():
        page.context.close()


def _tab(browser: Browser, tabs: dict[int, Page], viewport: dict[str, int]) -> Page:
    page = tabs.get(viewport["width"])
    if page is None or page.is_closed():
        if page is not None:
            page.context.close()
        context = browser.new_context(viewport=viewport, locale="en-US")  # type: ignore[arg-type]  # a plain dict will do
        context.set_default_timeout(15_000)
        tabs[viewport["width"]] = page = context.new_page()
    return page


def _cleared(page: Page, viewport: dict[str, int]) -> None:
    """As new: one tab at an empty page, without routes, cookies and anything that a site has stored."""
    context = page.context
    for other in context.pages:
        if other is not page:
            other.close()
    if page.is_closed():
        return
    page.unroute_all()
    context.unroute_all()
    origins = {f"{parts.scheme}://{parts.netloc}" for parts in (urlsplit(frame.url) for frame in page.frames)}
    page.goto("about:blank")
    devtools = context.new_cdp_session(page)
    for origin in sorted(each for each in origins if each.startswith("http")):
        devtools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
    devtools.detach()
    context.clear_cookies()
    page.set_viewport_size(viewport)  # type: ignore[arg-type]  # a plain dict will do


def _page(
    browser: Browser, tabs: dict[int, Page], viewport: dict[str, int], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Page]:
    page = _tab(browser, tabs, viewport)
    context = page.context
    errors: list[str] = []

    def erred(error: WebError) -> None:
        errors.append(str(error.error))

    def spoke(said: ConsoleMessage) -> None:
        # Chromium says on the console what a page's policy kept it from doing: nothing of ours may try.
        if "Content Security Policy" in said.text:
            errors.append(said.text)

    context.on("weberror", erred)
    context.on("console", spoke)
    yield page
    if request.node.stash.get(_FAILED, False):
        page.screenshot(path=tmp_path / "last.png", full_page=True)
    if not page.is_closed():
        # Answered after all that the page said before.
        page.title()
    context.remove_listener("weberror", erred)
    context.remove_listener("console", spoke)
    _cleared(page, viewport)
    assert errors == []


@pytest.fixture
def phone(browser: Browser, tabs: dict[int, Page], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page 375 pixels wide."""
    yield from _page(browser, tabs, PHONE, tmp_path, request)


@pytest.fixture
def desk(browser: Browser, tabs: dict[int, Page], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page 1280 pixels wide."""
    yield from _page(browser, tabs, DESK, tmp_path, request)
