"""A pytest plugin: where the time of a run went, folder by folder, and in CI no test may be skipped.

It also puts the files that take longest first, so that a run does not end with one worker at one of them.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import PurePosixPath
from typing import Any

import pytest

LONGEST = (
    "tests/faults/test_kill_clock.py",
    "tests/journeys/test_one_checkout.py",
    "tests/faults/test_kill_refunds.py",
    "tests/local/test_machine_life.py",
    "tests/faults/test_kill_buyers.py",
    "tests/journeys/test_doors_escaping.py",
    "tests/races/test_over_http.py",
    "tests/journeys/test_one_checkout_cards.py",
    "tests/faults/test_kill_keys.py",
    "tests/journeys/test_monthly.py",
    "tests/package/test_deploy.py",
    "tests/races/test_refund_races.py",
    "tests/journeys/test_doors_scripts.py",
    "tests/races/test_renewal_races.py",
    "tests/handlers/test_api_from_its_document.py",
    "tests/web/test_gallery_in_browser.py",
    "tests/package/test_lambdas.py",
    "tests/local/test_control_plane.py",
)
"""From the longest on; those that wait a lot are beside those that compute. With what is not here a run ends."""

_seconds: dict[str, float] = defaultdict(float)
_tests: dict[str, int] = defaultdict(int)
_skipped: list[str] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files change places; within a file the order stays."""
    places = {file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONGEST)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up set-up, call and tear-down; with several workers they all report here."""
    parts = PurePosixPath(report.nodeid.partition("::")[0]).parts
    folder = "/".join(parts[:2]) if len(parts) > 2 else parts[0]
    _seconds[folder] += report.duration
    _tests[folder] += report.when == "call"
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A module that skips itself counts as well."""
    if report.skipped:
        _skipped.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """What was skipped was not checked, and a green CI would say that it was."""
    is_worker = hasattr(session.config, "workerinput")
    if _skipped and os.environ.get("CI") == "true" and not is_worker and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table, the costliest folder first."""
    terminalreporter.section("time by folder")
    for folder, seconds in sorted(_seconds.items(), key=lambda entry: -entry[1]):
        terminalreporter.write_line(f"{seconds:8.1f} s  {_tests[folder]:5d} tests  {folder}")
    if _skipped and os.environ.get("CI") == "true":
        terminalreporter.section("skipped, which is a failure in CI")
        for name in sorted(set(_skipped)):
            terminalreporter.write_line(name)
