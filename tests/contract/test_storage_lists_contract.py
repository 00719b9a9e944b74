"""The contract of Records and Timers: lists, events and what is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.documents.catalogue import Price
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.payments import Payment
from chalicelib.services.ports import Append, DropTimer, Index, Insert, SetTimer, Update, WriteConflict
from tests.storage.records import (
    NOW,
    Store,
    customer,
    event,
    full_price,
    new_id,
    new_merchant,
    payment,
    put,
    timer,
)

SECOND = timedelta(seconds=1)


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


def test_the_prices_of_a_product_are_listed_under_it(store: Store, merchant: str) -> None:
    price = full_price(merchant)
    put(store, Insert(price), Insert(full_price(merchant)))
    found = store.newest(Price, Index.BY_PRODUCT, price.product_id, limit=5)
    assert found.records == (replace(price, version=1),)


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
