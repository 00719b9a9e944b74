"""The kill matrix of refunds: stopped before and after each call, and resumed soon, late and twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.flows_of_refunds import FLOWS
from tests.faults.matrix import Matrix, Way, ways
from tests.faults.world import World

ROOMS = ("refunds",)
ELSEWHERE = {
    "refunds/booking.py book_refunds: commit": "Stripe tells of a refund and lists none (tests/services)",
    "refunds/shown.py refunds_shown: ports.records.newest": "a buyer's page reads",
}
"""Calls that no flow here comes to, each with the test that holds it."""


@pytest.fixture(scope="module")
def matrix(world: World) -> Matrix:
    return Matrix(world)


@pytest.mark.parametrize("way", ways(FLOWS), ids=str)
def test_what_was_stopped_comes_right(matrix: Matrix, way: Way, record_property: Callable[[str, object], None]) -> None:
    matrix.hold(way, record_property)


def test_no_call_in_these_rooms_was_left_out(matrix: Matrix) -> None:
    if not matrix.ran_all(FLOWS):
        pytest.skip("only some of the flows were run")
    left_out = [call for call in matrix.never_stopped(ROOMS) if call not in ELSEWHERE]
    assert not left_out, "\n".join(left_out)
