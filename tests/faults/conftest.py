"""One world for all runs of a process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.conftest import make_tables
from tests.faults.world import World

START = datetime(2027, 1, 15, 17, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def world(dynamodb_endpoint: str) -> Iterator[World]:
    """The whole of Till in this process; `put_back` before each group of runs."""
    made = World(make_tables(dynamodb_endpoint), START)
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def quietly() -> Iterator[None]:
    """Thousands of deaths are logged as errors, and mean nothing here."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
