"""The contract of Records and Timers: one suite, on the fake, on DynamoDB Local and on moto."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import pytest
from moto.server import ThreadedMotoServer

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.merchants import NumberSeries
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.errors import NotFound
from chalicelib.services.ports import (
    Append,
    DropTimer,
    Index,
    Insert,
    Records,
    SetTimer,
    Timers,
    Unchanged,
    Update,
    Write,
    WriteConflict,
)
from chalicelib.storage.codec import CodecError
from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.store import DynamoStore
from tests.conftest import make_tables
from tests.fakes.storage import FakeStore
from tests.storage.records import (
    NOW,
    customer,
    event,
    full_checkout,
    full_invoice,
    full_subscription,
    new_id,
    new_merchant,
    payment,
    series,
    timer,
)

SECOND = timedelta(seconds=1)

MOTO_CANNOT = {
    "test_a_hundred_writes_are_one_transaction": "a big transaction takes moto seconds",
}
"""Besides these, whatever needs several threads or a repeated token is tested on DynamoDB Local alone."""


class Store(Records, Timers, Protocol):
    """Both ports in one object."""


@pytest.fixture(scope="module")
def moto_store() -> Iterator[Store]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield DynamoStore(make_tables(f"http://{host}:{port}"))
    finally:
        server.stop()


@pytest.fixture(scope="module")
def dynamodb_store(store_config: StoreConfig) -> Store:
    return DynamoStore(store_config)


@pytest.fixture(params=["fake", "dynamodb", "moto"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "fake":
        return FakeStore()
    reason = MOTO_CANNOT.get(request.function.__name__)
    if request.param == "moto" and reason:
        pytest.skip(reason)
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found


@pytest.fixture
def merchant() -> str:
    return new_merchant()


def operation() -> str:
    return new_id("op")


def put(store: Store, *writes: Write) -> None:
    store.commit(operation(), writes)


# --- records


@pytest.mark.parametrize("make", [full_invoice, full_subscription, full_checkout])
def test_an_inserted_record_is_read_back_as_it_was_with_version_one(store: Store, make) -> None:
    record = make()
    put(store, Insert(record))
    assert store.get(type(record), record.id) == replace(record, version=1)


def test_a_record_that_was_never_stored_is_none_or_not_found(store: Store) -> None:
    assert store.find(Customer, new_id("cus")) is None
    with pytest.raises(NotFound) as refusal:
        store.get(Customer, new_id("cus"))
    assert (refusal.value.code, refusal.value.message) == ("not_found", "There is no such customer.")


def test_a_record_is_not_found_under_another_kind(store: Store, merchant: str) -> None:
    record = customer(merchant)
    put(store, Insert(record))
    assert store.find(Payment, record.id) is None
    assert store.find_many([(Payment, record.id), (Customer, record.id)]) == [None, replace(record, version=1)]


def test_a_class_that_is_no_record_cannot_be_asked_for(store: Store) -> None:
    with pytest.raises(TypeError, match="int is not stored as a record"):
        store.find(int, "x")  # type: ignore[type-var]
    with pytest.raises(TypeError, match="int is not stored as a record"):
        store.find_many([(int, "x")])


def test_an_insert_over_a_record_is_refused_and_nothing_else_is_written(store: Store, merchant: str) -> None:
    record, other, told, due = customer(merchant), customer(merchant), event(merchant), timer(merchant)
    put(store, Insert(record))
    with pytest.raises(WriteConflict) as conflict:
        put(store, Insert(other), Append(told), SetTimer(due), Insert(replace(record, email="eve@example.com")))
    assert conflict.value.failed == (3,)
    assert store.get(Customer, record.id) == replace(record, version=1)
    assert store.find(Customer, other.id) is None
    assert store.events(merchant, limit=10) == ((), False)
    assert due not in store.due_before(due.shard, due.due, limit=1000)


def test_an_update_moves_the_version_by_one(store: Store, merchant: str) -> None:
    put(store, Insert(series(merchant)))
    for number in (1, 2, 3):
        put(store, Update(replace(store.get(NumberSeries, series(merchant).id), last=number)))
    assert store.get(NumberSeries, series(merchant).id) == series(merchant, last=3, version=4)


def test_an_update_over_a_version_that_has_passed_is_refused(store: Store, merchant: str) -> None:
    put(store, Insert(series(merchant)))
    read = store.get(NumberSeries, series(merchant).id)
    put(store, Update(replace(read, last=1)))
    with pytest.raises(WriteConflict) as conflict:
        put(store, Update(replace(read, last=7)))
    assert conflict.value.failed == (0,)
    assert store.get(NumberSeries, read.id).last == 1


def test_an_update_of_a_record_that_does_not_exist_is_refused(store: Store, merchant: str) -> None:
    ghost = customer(merchant, version=1)
    with pytest.raises(WriteConflict) as conflict:
        put(store, Update(ghost))
    assert conflict.value.failed == (0,)
    assert store.find(Customer, ghost.id) is None


def test_a_record_required_unchanged_lets_the_rest_through_only_at_its_version(store: Store, merchant: str) -> None:
    put(store, Insert(series(merchant)))
    read = store.get(NumberSeries, series(merchant).id)
    first, second = customer(merchant), customer(merchant)
    put(store, Unchanged(read), Insert(first))
    put(store, Update(replace(read, last=1)))
    with pytest.raises(WriteConflict) as conflict:
        put(store, Insert(second), Unchanged(read))
    assert conflict.value.failed == (1,)
    assert store.find_many([(Customer, first.id), (Customer, second.id)]) == [replace(first, version=1), None]
    assert store.get(NumberSeries, read.id).version == 2


def test_a_conflict_names_every_failed_write_by_the_callers_position(store: Store, merchant: str) -> None:
    known, told = customer(merchant), event(merchant)
    put(store, Insert(known), Insert(series(merchant)), Append(told))
    fresh = store.get(NumberSeries, series(merchant).id)
    with pytest.raises(WriteConflict) as conflict:
        put(
            store,
            SetTimer(timer(merchant)),  # 0
            Update(customer(merchant, version=3)),  # 1 fails
            Append(event(merchant)),  # 2
            Insert(known),  # 3 fails
            DropTimer(timer(merchant)),  # 4
            Unchanged(replace(fresh, version=9)),  # 5 fails
            Append(told),  # 6 fails
        )
    assert conflict.value.failed == (1, 3, 5, 6)


def test_find_many_answers_in_the_order_asked_with_gaps_and_repeats(store: Store, merchant: str) -> None:
    records = [customer(merchant) for _ in range(3)]
    put(store, *(Insert(record) for record in records))
    ids = [records[2].id, new_id("cus"), records[0].id, records[2].id]
    found = store.find_many([(Customer, record_id) for record_id in ids])
    assert [record and record.id for record in found] == [records[2].id, None, records[0].id, records[2].id]


def test_find_many_reads_more_than_a_hundred_and_none(store: Store, merchant: str) -> None:
    records = [customer(merchant) for _ in range(120)]
    for start in range(0, 120, 20):
        put(store, *(Insert(record) for record in records[start : start + 20]))
    found = store.find_many([(Customer, record.id) for record in records])
    assert [record.id for record in found] == [record.id for record in records]
    assert store.find_many([]) == []


# --- one transaction


def test_a_hundred_writes_are_one_transaction(store: Store, merchant: str) -> None:
    records = [customer(merchant) for _ in range(100)]
    put(store, *(Insert(record) for record in records))
    assert None not in store.find_many([(Customer, record.id) for record in records])


def test_lists_that_can_never_be_one_transaction_are_refused_before_anything_is_written(
    store: Store, merchant: str
) -> None:
    record, due = customer(merchant), timer(merchant)
    for writes, reason in (
        ([], "1 to 100 writes, not 0"),
        ([Insert(customer(merchant)) for _ in range(101)], "1 to 100 writes, not 101"),
        ([Insert(record), Insert(record)], "two writes of"),
        ([SetTimer(due), DropTimer(due)], "two writes of"),
        ([Insert(replace(record, version=1))], "updated, not inserted"),
        ([Update(record)], "no version to compare"),
        ([Unchanged(record)], "no version to compare"),
    ):
        with pytest.raises(ValueError, match=reason):
            store.commit(operation(), writes)
    with pytest.raises(ValueError, match="has an operation id"):
        store.commit("", [Insert(record)])
    assert store.find(Customer, record.id) is None


def test_a_value_without_a_stored_form_is_refused_before_anything_is_written(store: Store, merchant: str) -> None:
    record = customer(merchant)
    with pytest.raises(CodecError, match=r"Event\.data"):
        put(store, Insert(record), Append(event(merchant, data={"rate": 1.5})))
    assert store.find(Customer, record.id) is None


# --- the same operation again


def test_the_same_operation_repeated_happens_once(store: Store, merchant: str) -> None:
    put(store, Insert(series(merchant)))
    read, told, who, mine = store.get(NumberSeries, series(merchant).id), event(merchant), customer(merchant), "op-1"
    writes = [Update(replace(read, last=1)), Append(told), Insert(who)]
    for _ in range(3):
        store.commit(mine + merchant, writes)
    assert store.get(NumberSeries, read.id) == series(merchant, last=1, version=2)
    assert store.events(merchant, limit=10) == ((told,), False)


def test_an_operation_with_other_content_under_a_used_id_writes_nothing_and_reports_success(
    store: Store, merchant: str
) -> None:
    record, mine = customer(merchant), operation()
    store.commit(mine, [Insert(record)])
    store.commit(mine, [Insert(replace(record, name="Later"))])
    assert store.get(Customer, record.id).name is None


@pytest.mark.parametrize("with_event", [True, False], ids=["event", "insert"])
def test_a_repeat_is_recognised_after_others_have_written_over_its_updates(
    store: Store, merchant: str, with_event: bool
) -> None:
    put(store, Insert(series(merchant)))
    read, mine, who = store.get(NumberSeries, series(merchant).id), operation(), customer(merchant)
    made = Append(event(merchant)) if with_event else Insert(who)
    writes = [Update(replace(read, last=1)), made]
    store.commit(mine, writes)
    put(store, Update(replace(read, last=2, version=2)))
    if not with_event:
        put(store, Update(replace(who, name="Ada", version=1)))
    store.commit(mine, writes)
    assert store.get(NumberSeries, read.id) == series(merchant, last=2, version=3)


def test_a_repeat_of_updates_alone_that_were_written_over_writes_nothing(store: Store, merchant: str) -> None:
    put(store, Insert(series(merchant)))
    read, mine = store.get(NumberSeries, series(merchant).id), operation()
    store.commit(mine, [Update(replace(read, last=1))])
    put(store, Update(replace(read, last=2, version=2)))
    # A token still remembers it for ten minutes; the rows alone cannot, and then it is a conflict.
    with suppress(WriteConflict):
        store.commit(mine, [Update(replace(read, last=1))])
    assert store.get(NumberSeries, read.id) == series(merchant, last=2, version=3)


def test_another_operation_with_the_same_content_is_a_conflict(store: Store, merchant: str) -> None:
    record = customer(merchant)
    put(store, Insert(record))
    with pytest.raises(WriteConflict):
        put(store, Insert(record))


def test_an_operation_that_lost_may_be_decided_anew_under_its_own_id(store: Store, merchant: str) -> None:
    put(store, Insert(series(merchant)))
    read, mine = store.get(NumberSeries, series(merchant).id), operation()
    put(store, Update(replace(read, last=1)))
    with pytest.raises(WriteConflict):
        store.commit(mine, [Update(replace(read, last=1))])
    store.commit(mine, [Update(replace(read, last=2, version=2))])
    assert store.get(NumberSeries, read.id) == series(merchant, last=2, version=3)


# --- lists


def listed(store: Store, owner: str, index: Index = Index.BY_MERCHANT, **bounds) -> list[str]:
    return [record.id for record in store.newest(Customer, index, owner, **{"limit": 100, **bounds}).records]


def test_a_list_is_newest_first_and_pages_without_gap_or_repeat(store: Store, merchant: str) -> None:
    records = [customer(merchant, created_at=NOW + n * SECOND) for n in range(7)]
    put(store, *(Insert(record) for record in reversed(records)), Insert(customer(new_merchant())))
    seen: list[str] = []
    sizes = []
    before = None
    while True:
        page = store.newest(Customer, Index.BY_MERCHANT, merchant, limit=3, before_id=before)
        seen += [record.id for record in page.records]
        sizes.append((len(page.records), page.has_more))
        before = page.last_id
        if not page.has_more:
            break
    assert seen == [record.id for record in reversed(records)]
    assert sizes == [(3, True), (3, True), (1, False)]
    assert before is None


def test_a_page_that_ends_with_the_list_says_so(store: Store, merchant: str) -> None:
    records = [customer(merchant) for _ in range(3)]
    put(store, *(Insert(record) for record in records))
    page = store.newest(Customer, Index.BY_MERCHANT, merchant, limit=3)
    assert (len(page.records), page.has_more, page.last_id) == (3, False, None)
    assert store.newest(Customer, Index.BY_MERCHANT, new_merchant(), limit=3).records == ()


def test_a_list_between_two_times_excludes_both(store: Store, merchant: str) -> None:
    records = [customer(merchant, created_at=NOW + n * SECOND) for n in range(5)]
    put(store, *(Insert(record) for record in records))
    ids = [record.id for record in records]

    def at(n: int) -> datetime:
        return NOW + n * SECOND

    assert listed(store, merchant, created_after=at(1)) == ids[4:1:-1]
    assert listed(store, merchant, created_before=at(3)) == ids[2::-1]
    assert listed(store, merchant, created_after=at(0), created_before=at(4)) == ids[3:0:-1]
    assert listed(store, merchant, created_after=at(0), created_before=at(4), before_id=ids[3]) == [ids[2], ids[1]]
    assert listed(store, merchant, created_after=at(3), before_id=ids[2]) == []
    assert listed(store, merchant, created_after=at(1) - timedelta(microseconds=1)) == ids[4:0:-1]
    assert listed(store, merchant, created_before=at(1) + timedelta(microseconds=1)) == ids[1::-1]
    assert listed(store, merchant, created_after=at(4), created_before=at(0)) == []
    assert listed(store, merchant, created_before=datetime.fromisoformat("1969-01-01T00:00:00Z")) == []
    assert listed(store, merchant, created_after=datetime.fromisoformat("1969-01-01T00:00:00Z")) == ids[::-1]


def test_a_record_is_found_under_each_of_its_owners_and_no_other_kind_is(store: Store, merchant: str) -> None:
    owners = {
        Index.BY_MERCHANT: merchant,
        Index.BY_CUSTOMER: new_id("cus"),
        Index.BY_SUBSCRIPTION: new_id("sub"),
        Index.BY_INVOICE: new_id("inv"),
        Index.BY_PAYMENT_LINK: new_id("plink"),
    }
    record = payment(
        merchant,
        customer_id=owners[Index.BY_CUSTOMER],
        subscription_id=owners[Index.BY_SUBSCRIPTION],
        invoice_id=owners[Index.BY_INVOICE],
        payment_link_id=owners[Index.BY_PAYMENT_LINK],
    )
    put(store, Insert(record), Insert(customer(merchant)))
    for index, owner in owners.items():
        assert store.newest(Payment, index, owner, limit=5).records == (replace(record, version=1),)
        assert store.newest(Payment, index, new_id("nobody"), limit=5).records == ()


def test_an_update_moves_a_record_between_owners_and_out_of_an_index(store: Store, merchant: str) -> None:
    first, second, subscription = new_id("cus"), new_id("cus"), new_id("sub")
    record = payment(merchant, customer_id=first, subscription_id=subscription)
    put(store, Insert(record))
    put(store, Update(replace(record, version=1, customer_id=second, subscription_id=None)))
    moved = store.get(Payment, record.id)
    assert store.newest(Payment, Index.BY_CUSTOMER, first, limit=5).records == ()
    assert store.newest(Payment, Index.BY_CUSTOMER, second, limit=5).records == (moved,)
    assert store.newest(Payment, Index.BY_SUBSCRIPTION, subscription, limit=5).records == ()


def test_a_list_in_an_index_that_a_kind_is_not_in_is_refused(store: Store, merchant: str) -> None:
    with pytest.raises(ValueError, match="customer is not found by_invoice"):
        store.newest(Customer, Index.BY_INVOICE, merchant, limit=5)
    for limit in (0, 101):
        with pytest.raises(ValueError, match="1 to 100 records"):
            store.newest(Customer, Index.BY_MERCHANT, merchant, limit=limit)


# --- events


def test_events_are_read_newest_first_in_pages_of_one_merchant(store: Store, merchant: str) -> None:
    told = [event(merchant, NOW + n * SECOND) for n in range(5)]
    put(store, *(Append(one) for one in told), Append(event(new_merchant())))
    first, more = store.events(merchant, limit=3)
    assert (first, more) == ((told[4], told[3], told[2]), True)
    assert store.events(merchant, limit=3, before_id=first[-1].id) == ((told[1], told[0]), False)
    assert store.events(merchant, limit=5) == (tuple(reversed(told)), False)
    with pytest.raises(ValueError, match="1 to 100 events"):
        store.events(merchant, limit=0)


def test_an_event_is_never_written_over(store: Store, merchant: str) -> None:
    told = event(merchant)
    put(store, Append(told))
    with pytest.raises(WriteConflict) as conflict:
        put(store, Append(replace(told, actor="eve")))
    assert conflict.value.failed == (0,)
    assert store.events(merchant, limit=5) == ((told,), False)


# --- timers


def same_shard(merchant: str, *dues: datetime) -> list:
    """Timers of one shard, each at its time."""
    wanted = timer(merchant).shard
    found = []
    for due in dues:
        one = timer(merchant, due)
        while one.shard != wanted:
            one = timer(merchant, due)
        found.append(one)
    return found


def due_of(store: Store, merchant: str, shard: int, now: datetime, **bounds) -> list:
    found = store.due_before(shard, now, **{"limit": 1000, **bounds})
    return [one for one in found if one.merchant_id == merchant]


def test_due_timers_come_oldest_first_up_to_and_with_now(store: Store, merchant: str) -> None:
    tick = timedelta(microseconds=1)
    early, on_time, late = same_shard(merchant, NOW - SECOND, NOW, NOW + tick)
    put(store, SetTimer(late), SetTimer(on_time), SetTimer(early))
    assert due_of(store, merchant, early.shard, NOW) == [early, on_time]
    assert due_of(store, merchant, early.shard, NOW + tick) == [early, on_time, late]
    assert due_of(store, merchant, early.shard, NOW - 2 * SECOND) == []
    assert due_of(store, merchant, (early.shard + 1) % 8, NOW + SECOND) == []


def test_due_timers_are_read_on_after_a_key(store: Store, merchant: str) -> None:
    long_ago = datetime.fromisoformat("1999-01-01T00:00:00Z")
    timers = same_shard(merchant, *(long_ago + n * SECOND for n in range(5)))
    put(store, *(SetTimer(one) for one in timers))
    shard, now = timers[0].shard, long_ago + 9 * SECOND
    first = store.due_before(shard, now, limit=2, after="1999")
    rest = store.due_before(shard, now, limit=100, after=first[-1].key)
    assert [one for one in first + rest if one.merchant_id == merchant] == timers
    assert len(first) == 2
    assert due_of(store, merchant, shard, now, after=timers[3].key) == [timers[4]]
    assert due_of(store, merchant, shard, now, after="2000") == []


def test_a_timer_set_twice_is_one_and_dropped_twice_is_none(store: Store, merchant: str) -> None:
    due, other = same_shard(merchant, NOW, NOW)
    put(store, SetTimer(due), SetTimer(other))
    put(store, SetTimer(due))
    assert sorted(due_of(store, merchant, due.shard, NOW), key=lambda one: one.key) == sorted(
        [due, other], key=lambda one: one.key
    )
    for _ in range(2):
        put(store, DropTimer(due))
        store.drop(other)
    assert due_of(store, merchant, due.shard, NOW) == []
