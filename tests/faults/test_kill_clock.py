"""The kill matrix of the clock and of mail: stopped before and after each call, and resumed soon, late and twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults import flows_of_api, flows_of_clock, flows_of_dunning, flows_of_lifecycle, flows_of_mail
from tests.faults.matrix import Matrix, Way, ways
from tests.faults.world import World

FLOWS = (
    *flows_of_clock.FLOWS,
    *flows_of_dunning.FLOWS,
    *flows_of_mail.FLOWS,
    *flows_of_api.FLOWS,
    *flows_of_lifecycle.FLOWS,
)
ROOMS = ("billing", "editing.py", "invoices", "mails.py", "pausing.py", "subscribing.py")
_REFUSED = "Stripe refuses a stored method for good (tests/services)"
_PARKED = "all cases have one merchant, and only the first could park it (tests/services/test_day_bounds.py)"
ELSEWHERE = {
    "billing/outcomes.py refuse_try.attempt: ports.records.get": _REFUSED,
    "billing/outcomes.py refuse_try.attempt: commit": _REFUSED,
    "invoices/paying.py _abandon.attempt: commit": "a try that did nothing (tests/services/test_invoice_paying.py)",
    "billing/charging.py _charge: commit": "a method replaced between two tries (tests/services)",
    "billing/charging.py _not_made: commit": _REFUSED,
    "billing/charging.py _not_tried: commit": "a method declined for good (tests/services/test_dunning_ladder.py)",
    "billing/parking.py park: commit": _PARKED,
    "billing/parking.py unpark.attempt: ports.records.get": _PARKED,
    "billing/parking.py unpark.attempt: commit": _PARKED,
    "editing.py _check_prices: ports.records.find_many": "a look that changes nothing",
    "editing.py _of_running_period: ports.records.get": "the same",
    "editing.py _of_running_period: ports.records.find": "the same",
    "subscribing.py preview_draft: ports.records.get": "a look that changes nothing",
    "invoices/paying.py _confirmed: ports.stripe.create_customer": "a buyer without any stored method (tests/services)",
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
