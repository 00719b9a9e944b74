"""Races that were lost: tried again after a pause, and given up after so many."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.gateways.pauses import RandomPauses
from chalicelib.services.ports import StoreUnavailable, WriteConflict
from chalicelib.services.saving import MOST_ROUNDS, until_won
from tests.fakes.ports import FakePorts
from tests.fakes.storage import FakeStore
from tests.fakes.stripe import FakeStripe
from tests.fakes.world import FakeClock, FakeIds, FakeMailer, FakeQueues


class CountedPauses:
    """Pauses that take no time and are written down."""

    def __init__(self) -> None:
        self.losses: list[int] = []

    def after_loss(self, losses: int) -> None:
        """See Pauses."""
        self.losses.append(losses)


class Loser:
    """Work that is beaten so many times."""

    def __init__(self, times: int) -> None:
        self.times, self.rounds = times, 0

    def __call__(self) -> str:
        self.rounds += 1
        if self.rounds <= self.times:
            raise WriteConflict((0,))
        return "won"


@pytest.fixture
def pauses() -> CountedPauses:
    return CountedPauses()


@pytest.fixture
def ports(pauses: CountedPauses) -> FakePorts:
    clock, store = FakeClock(), FakeStore()
    made = FakePorts(store, store, clock, FakeIds(), FakeQueues(clock), FakeStripe(clock), FakeMailer())
    return replace(made, pauses=pauses)


def test_who_is_not_beaten_does_not_pause(ports: FakePorts, pauses: CountedPauses) -> None:
    assert until_won(ports, Loser(0)) == "won"
    assert pauses.losses == []


def test_each_loss_is_followed_by_a_pause_that_knows_how_many_went_before(
    ports: FakePorts, pauses: CountedPauses
) -> None:
    assert until_won(ports, Loser(3)) == "won"
    assert pauses.losses == [1, 2, 3]


def test_who_is_always_beaten_gives_up_without_a_last_pause(ports: FakePorts, pauses: CountedPauses) -> None:
    loser = Loser(MOST_ROUNDS)
    with pytest.raises(StoreUnavailable):
        until_won(ports, loser)
    assert loser.rounds == MOST_ROUNDS
    assert pauses.losses == list(range(1, MOST_ROUNDS))


def test_pauses_are_any_share_of_a_bound_that_doubles_from_ten_milliseconds_to_a_fifth_of_a_second() -> None:
    slept: list[float] = []
    longest = RandomPauses(sleep=slept.append, chance=lambda: 1.0)
    for losses in range(1, 8):
        longest.after_loss(losses)
    assert slept == [0.01, 0.02, 0.04, 0.08, 0.16, 0.2, 0.2]
    RandomPauses(sleep=slept.append, chance=lambda: 0.25).after_loss(3)
    RandomPauses(sleep=slept.append, chance=lambda: 0.0).after_loss(30)
    assert slept[-2:] == [0.01, 0.0]


def test_all_rounds_together_pause_less_than_a_gateway_waits() -> None:
    slept: list[float] = []
    pauses = RandomPauses(sleep=slept.append, chance=lambda: 1.0)
    for losses in range(1, MOST_ROUNDS):
        pauses.after_loss(losses)
    assert sum(slept) < 8
