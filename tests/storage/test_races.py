"""Sixteen writers at once on DynamoDB Local: one winner, every loser told, nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.merchants import NumberSeries
from chalicelib.services.ports import Append, Insert, Update, WriteConflict
from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.store import DynamoStore
from tests.storage.records import customer, event, new_id, new_merchant, series

WRITERS = 16


@pytest.fixture(scope="module")
def store(store_config: StoreConfig) -> DynamoStore:
    found = DynamoStore(store_config)
    found.find(Customer, "cus_1")
    return found


def at_once(job: Callable[[int], bool]) -> list[bool]:
    """What the job said in each of sixteen threads that begin together."""
    start = Barrier(WRITERS)

    def run(number: int) -> bool:
        start.wait(20)
        return job(number)

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(run, range(WRITERS)))


def test_of_sixteen_inserts_of_one_record_one_wins(store: DynamoStore) -> None:
    for _ in range(5):
        merchant = new_merchant()
        record = customer(merchant)

        def insert(number: int, record: Customer = record, merchant: str = merchant) -> bool:
            told = event(merchant, actor=f"writer {number}")
            try:
                store.commit(new_id("op"), [Append(told), Insert(replace(record, name=f"writer {number}"))])
            except WriteConflict:
                return False
            return True

        won = at_once(insert)
        assert won.count(True) == 1
        (told,), _ = store.events(merchant, limit=10)
        assert store.get(Customer, record.id).name == told.actor == f"writer {won.index(True)}"


def test_of_sixteen_updates_of_one_version_one_wins(store: DynamoStore) -> None:
    merchant = new_merchant()
    store.commit(new_id("op"), [Insert(series(merchant))])
    for _ in range(5):
        read = store.get(NumberSeries, series(merchant).id)

        def update(number: int, read: NumberSeries = read) -> bool:
            try:
                store.commit(new_id("op"), [Update(replace(read, last=number))])
            except WriteConflict:
                return False
            return True

        won = at_once(update)
        after = store.get(NumberSeries, read.id)
        assert (won.count(True), after.version, after.last) == (1, read.version + 1, won.index(True))


def test_of_sixteen_repeats_of_one_operation_all_succeed_and_one_is_carried_out(store: DynamoStore) -> None:
    merchant, mine = new_merchant(), new_id("op")
    store.commit(new_id("op"), [Insert(series(merchant))])
    read, told = store.get(NumberSeries, series(merchant).id), event(merchant)

    def repeat(number: int) -> bool:
        store.commit(mine, [Update(replace(read, last=1)), Append(told)])
        return True

    assert at_once(repeat) == [True] * WRITERS
    assert store.get(NumberSeries, read.id) == series(merchant, last=1, version=2)
    assert store.events(merchant, limit=10) == ((told,), False)


def test_a_counter_that_sixteen_writers_move_loses_and_repeats_no_number(store: DynamoStore) -> None:
    merchant, each = new_merchant(), 3
    store.commit(new_id("op"), [Insert(series(merchant))])

    def take(number: int) -> bool:
        taken = 0
        while taken < each:
            read = store.get(NumberSeries, series(merchant).id)
            told = event(merchant, data={"number": read.last + 1})
            try:
                store.commit(new_id("op"), [Update(replace(read, last=read.last + 1)), Append(told)])
            except WriteConflict:
                continue
            taken += 1
        return True

    at_once(take)
    total = WRITERS * each
    assert store.get(NumberSeries, series(merchant).id) == series(merchant, last=total, version=total + 1)
    events, _ = store.events(merchant, limit=100)
    assert sorted(told.data["number"] for told in events) == list(range(1, total + 1))
