"""No room of the use cases talks to the world without standing in the kill matrix, or in this list with its reason."""

from __future__ import annotations

from tests.faults import test_kill_buyers, test_kill_clock, test_kill_keys, test_kill_portal, test_kill_refunds
from tests.faults.coverage import rooms_that_talk

OUTSIDE = {
    "account.py": "one read and one conditional write for an API caller, who is told and asks again",
    "api_keys.py": "the same",
    "customers.py": "the same",
    "catalogue": "the same",
    "links.py": "the same",
    "merchants.py": "the same",
    "reading.py": "reads only",
    "checking": "reads only, in front of the seam",
    "saving.py": "the door that every write goes through: counted where it is knocked at",
    "event_sweep.py": "goes on where it stopped, through the intake that stands here (its own tests)",
}


def test_every_room_that_talks_to_the_world_is_accounted_for() -> None:
    kills = (test_kill_buyers, test_kill_clock, test_kill_keys, test_kill_portal, test_kill_refunds)
    known = (*(room for each in kills for room in each.ROOMS), *OUTSIDE)
    assert [room for room in sorted(rooms_that_talk()) if not room.startswith(known)] == []
