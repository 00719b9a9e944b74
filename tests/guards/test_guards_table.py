"""The table of guards stays true: what it would take out is there, once, and the tests it names exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guards.table import GUARDS, Guard

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.what)
def test_each_guard_is_where_the_table_says(guard: Guard) -> None:
    text = (ROOT / guard.file).read_text()
    assert guard.removed_from(text) != text
    assert all((ROOT / test.partition("::")[0]).exists() for test in guard.tests)
