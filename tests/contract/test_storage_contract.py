"""The contract of Records: what is written, what is refused, and what a repeat does."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.merchants import NumberSeries
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.errors import NotFound
from chalicelib.services.ports import Append, DropTimer, Insert, SetTimer, Unchanged, Update, WriteConflict
from chalicelib.storage.codec import CodecError
from tests.storage.records import (
    Store,
    customer,
    event,
    full_checkout,
    full_invoice,
    full_price,
    full_product,
    full_subscription,
    full_tax_rate,
    new_id,
    operation,
    put,
    series,
    timer,
)

# --- records


@pytest.mark.parametrize(
    "make", [full_invoice, full_subscription, full_checkout, full_product, full_price, full_tax_rate]
)
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


def test_a_timer_brings_its_hints_along_and_is_the_same_timer_with_or_without_them(store: Store, merchant: str) -> None:
    bare = timer(merchant)
    hinted = replace(bare, subscription_id="sub_of_it", customer_id="cus_of_it")
    for written in (hinted, bare):
        put(store, SetTimer(written))
        [found] = [each for each in store.due_before(bare.shard, bare.due, limit=1000) if each.key == bare.key]
        assert found == bare == hinted
        assert (found.subscription_id, found.customer_id) == (written.subscription_id, written.customer_id)
