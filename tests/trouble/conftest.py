"""The shop of the trouble tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.trouble.troubled_shop import TroubledShop


@pytest.fixture
def shop() -> Iterator[TroubledShop]:
    """A fresh shop on a fresh sandbox."""
    troubled = TroubledShop()
    try:
        yield troubled
    finally:
        troubled.close()
