"""Ids, secrets and time, from the operating system and from the fakes."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain.ids import body_of, is_ulid, page_token, split_page_token
from chalicelib.gateways.clock import SystemClock
from chalicelib.gateways.ids import RandomIds
from chalicelib.services.ports import Clock, Ids
from tests.fakes.world import FakeClock, FakeIds

AT = datetime(2027, 1, 15, 12, 0, 0, 123_000, tzinfo=UTC)
LATER = AT + timedelta(milliseconds=1)


@pytest.fixture(params=[RandomIds, FakeIds])
def ids(request: pytest.FixtureRequest) -> Ids:
    made: Ids = request.param()
    return made


def test_an_id_is_a_prefix_and_a_ulid(ids: Ids) -> None:
    made = ids.new("inv", AT)
    assert made.startswith("inv_")
    assert is_ulid(body_of(made))


def test_ids_of_one_millisecond_sort_in_the_order_they_were_made(ids: Ids) -> None:
    made = [ids.new("inv", AT) for _ in range(1_000)]
    assert made == sorted(made)
    assert len(set(made)) == 1_000


def test_ids_sort_by_their_time(ids: Ids) -> None:
    first, second = ids.new("inv", AT), ids.new("inv", LATER)
    assert first < second


def test_threads_never_share_an_id(ids: Ids) -> None:
    made: list[str] = []

    def work() -> None:
        made.extend([ids.new("inv", AT) for _ in range(500)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 4_000


def test_a_secret_makes_a_page_token(ids: Ids) -> None:
    record, secret = ids.new("lnk", AT), ids.secret()
    assert split_page_token("lnk", page_token(record, secret)) == (record, secret)
    assert ids.secret() != secret


def test_two_processes_do_not_make_the_same_ids() -> None:
    assert RandomIds().new("inv", AT) != RandomIds().new("inv", AT)


def test_the_fake_ids_are_the_same_in_every_run() -> None:
    ids = FakeIds()
    assert ids.new("inv", AT) == "inv_01MCCKG2KV0000000000000001"
    assert ids.secret() == "AAAAAAAAAAAAAAAAAAAAAg"


def test_the_systems_clock_is_aware_utc() -> None:
    clock: Clock = SystemClock()
    now = clock.now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


def test_the_fake_clock_stands_until_it_is_moved_and_never_goes_back() -> None:
    clock = FakeClock(AT)
    assert clock.now() == AT
    assert clock.advance(timedelta(days=31)) == AT + timedelta(days=31)
    with pytest.raises(ValueError, match="cannot go"):
        clock.set(AT)
    with pytest.raises(ValueError, match="cannot go"):
        clock.set(datetime(2030, 1, 1))  # noqa: DTZ001 - the point of the test
    assert clock.now() == AT + timedelta(days=31)
