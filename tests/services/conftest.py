"""After every test on a shop, all that must always hold is checked: see `Shop.left_broken` for the exceptions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.shop import Shop


@pytest.fixture(autouse=True)
def invariants_hold(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test did to its shop, the books are right at its end."""
    shop = request.getfixturevalue("shop") if "shop" in request.fixturenames else None
    yield
    if isinstance(shop, Shop) and shop.left_broken is None:
        assert [str(violation) for violation in shop.check().violations] == []
