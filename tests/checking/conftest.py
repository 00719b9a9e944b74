"""The shop that each test of the checker breaks."""

from __future__ import annotations

import pytest

from tests.services.shop import Shop


@pytest.fixture
def shop() -> Shop:
    return Shop()
