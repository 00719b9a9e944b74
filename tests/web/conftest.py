"""The gallery, served over HTTP as the pages are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.gallery import served


@pytest.fixture(scope="session")
def gallery_origin() -> Iterator[str]:
    with served() as origin:
        yield origin
