"""The kill matrix of buyers and webhooks: stopped before and after each call, and resumed soon, late and twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.flows_of_buyers import FLOWS
from tests.faults.matrix import Matrix, Way, ways
from tests.faults.world import World

ROOMS = ("checkouts", "payments", "limits", "intake.py", "notices.py", "subscriptions.py")
_RACE = "written only where another writes at the same moment (tests/services, and two at a time)"
_RENEWAL = "comes with a renewal (test_kill_clock.py)"
_CARD = "comes with another card (test_kill_portal.py)"
_REFUND = "comes with a refund (test_kill_refunds.py)"
ELSEWHERE = {
    "checkouts/booking.py book_checkout.attempt: commit": _RACE,
    "checkouts/booking.py _read: ports.records.find": "an address corrected meanwhile (tests/services)",
    "checkouts/expiry.py expire_checkout.close: commit": "no card leaves money under way for a day (tests/services)",
    "intake.py apply_received: commit": "whose an event is cannot be lost again (tests/services/test_intake.py)",
    "notices.py read_for: ports.records.find": "an event whose metadata name another merchant (tests/services)",
    "intake.py _apply_intent: commit": "booked by another between two looks (tests/services)",
    "intake.py _owner: records.get": _RENEWAL,
    "intake.py _apply_setup: ports.records.get": _CARD,
    "intake.py _apply_setup: ports.stripe.retrieve_setup_intent": _CARD,
    "intake.py _apply_setup: commit": _CARD,
    "intake.py _apply_refund: commit": _REFUND,
    "intake.py _apply_refund: ports.stripe.find_refunds": _REFUND,
    "intake.py _is_no_news: ports.records.find": _REFUND,
    "notices.py _never_saved.attempt: ports.records.find": _RENEWAL,
    "intake.py _apply: commit": "a mismatch waits for a person (tests/services/test_intake.py)",
    "intake.py _apply_charge: commit": "a fee that is known, or none to come (tests/services/test_intake.py)",
    "limits/addresses.py commit_try: ports.records.find": _RACE,
    "limits/breaker.py _mail_to_operator: ports.records.get": "the decline that pauses a link (tests of limits)",
    "limits/addresses.py _unpaid: ports.records.find_many": "an address that has used up its tries (tests of limits)",
    "payments/intents.py forget_canceled: commit": _RENEWAL,
    "payments/intents.py _made_before: ports.stripe.find_intents": _RENEWAL,
    "payments/intents.py confirmed: ports.stripe.retrieve_intent": _RACE,
    "subscriptions.py change_metadata.attempt: commit": "one write for an API caller, who asks again (tests/services)",
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
