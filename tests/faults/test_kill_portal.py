"""The kill matrix of the portal: stopped before and after each call, and resumed soon, late and twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.flows_of_portal import FLOWS
from tests.faults.matrix import Matrix, Way, ways
from tests.faults.world import World

ROOMS = ("portal",)
_NO_METHOD = "a subscription without any method (tests/services/test_portal_method.py)"
ELSEWHERE = {
    "portal/changing_method.py _with_customer: ports.stripe.create_customer": _NO_METHOD,
    "portal/changing_method.py _with_customer: commit": _NO_METHOD,
    "portal/changing_method.py _abandon.attempt: commit": "a try that did nothing (tests/services)",
    "portal/changing_method.py _confirmed: ports.stripe.retrieve_setup_intent": "another tab was first",
    "portal/owed.py owed_invoices: ports.records.find_many": "one that is behind by more than a page of invoices",
    "portal/signing_in.py find_merchant: ports.records.find": "a look that changes nothing",
    "portal/signing_in.py ask_for_link.attempt: commit": "an e-mail that was asked for too often (tests/services)",
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
