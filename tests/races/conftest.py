"""An arena of its own for each race, and the end that all races have in common."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.races.arena import Arena, Floor


@pytest.fixture(scope="session")
def floor(dynamodb_endpoint: str) -> Iterator[Floor]:
    """One for all races of a test process."""
    made = Floor(dynamodb_endpoint)
    yield made
    made.stop()


@pytest.fixture
def arena(floor: Floor, caplog: pytest.LogCaptureFixture) -> Iterator[Arena]:
    """A merchant to race for. The race ends with everything checked, and with no error in the log."""
    floor.sweep()
    running = Arena(floor)
    yield running
    running.check()
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []
