"""What one call of the store costs on the wire, and what a list makes of an index that is behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.merchants import NumberSeries
from chalicelib.domain.documents.payments import Payment
from chalicelib.services.ports import Append, Index, Insert, SetTimer, StoreUnavailable, Update
from chalicelib.storage.patience import Patience
from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.store import DynamoStore
from tests.fakes.dynamodb_proxy import DynamoProxy, Forward, Reply
from tests.storage.records import NOW, customer, event, new_id, new_merchant, payment, series, timer


@pytest.fixture(scope="module")
def counting(dynamodb_endpoint: str) -> Iterator[DynamoProxy]:
    with DynamoProxy(dynamodb_endpoint) as running:
        yield running


@pytest.fixture
def wire(counting: DynamoProxy) -> DynamoProxy:
    counting.clear()
    return counting


@pytest.fixture(scope="module")
def direct(store_config: StoreConfig) -> DynamoStore:
    return DynamoStore(store_config)


@pytest.fixture
def store(wire: DynamoProxy, store_config: StoreConfig) -> DynamoStore:
    return DynamoStore(replace(store_config, endpoint_url=wire.url), patience=Patience(sleep=lambda seconds: None))


def changed(reply: Reply, **answer: object) -> Reply:
    """The database's answer with some of it replaced."""
    return Reply(reply.status, json.dumps({**reply.json, **answer}).encode())


def test_each_call_is_one_request_and_a_list_two(wire: DynamoProxy, store: DynamoStore) -> None:
    merchant = new_merchant()
    store.commit(new_id("op"), [Insert(customer(merchant)), Append(event(merchant)), SetTimer(timer(merchant))])
    store.find(Customer, "cus_1")
    store.find_many([(Customer, "cus_1"), (NumberSeries, "series#1")])
    store.newest(Customer, Index.BY_MERCHANT, merchant, limit=10)
    store.events(merchant, limit=10)
    store.due_before(0, NOW, limit=10)
    store.drop(timer(merchant))
    assert wire.operations == [
        "TransactWriteItems",
        "GetItem",
        "BatchGetItem",
        *("Query", "BatchGetItem"),
        "Query",
        "Query",
        "DeleteItem",
    ]


def test_an_empty_list_and_an_empty_wish_cost_no_more_than_they_must(wire: DynamoProxy, store: DynamoStore) -> None:
    store.newest(Customer, Index.BY_MERCHANT, new_merchant(), limit=10)
    store.find_many([])
    assert wire.operations == ["Query"]


def test_everything_but_an_index_is_read_strongly(wire: DynamoProxy, store: DynamoStore) -> None:
    merchant = new_merchant()
    store.commit(new_id("op"), [Insert(customer(merchant))])
    wire.clear()
    store.find(Customer, "cus_1")
    store.newest(Customer, Index.BY_MERCHANT, merchant, limit=1)
    store.events(merchant, limit=1)
    store.due_before(0, NOW, limit=1)
    strong = []
    for operation, body in wire.calls:
        request = json.loads(body)
        tables = list(request["RequestItems"].values()) if operation == "BatchGetItem" else [request]
        strong += [(operation, "IndexName" in table, table.get("ConsistentRead", False)) for table in tables]
    assert strong == [
        ("GetItem", False, True),
        ("Query", True, False),
        ("BatchGetItem", False, True),
        ("Query", False, True),
        ("Query", False, True),
    ]


def test_records_that_dynamodb_left_out_are_asked_for_again(wire: DynamoProxy, store: DynamoStore) -> None:
    merchant = new_merchant()
    records = [customer(merchant) for _ in range(3)]
    store.commit(new_id("op"), [Insert(record) for record in records])

    def leave_out_two(forward: Forward) -> Reply:
        reply = forward()
        ((table, rows),) = reply.json["Responses"].items()
        keys = [{"id": row["id"], "sort": row["sort"]} for row in rows[1:]]
        left_out = {table: {"ConsistentRead": True, "Keys": keys}}
        return changed(reply, Responses={table: rows[:1]}, UnprocessedKeys=left_out)

    wire.next("BatchGetItem", leave_out_two)
    found = store.find_many([(Customer, record.id) for record in records])
    assert [record.id for record in found] == [record.id for record in records]
    asked = [next(iter(json.loads(body)["RequestItems"].values())) for body in wire.bodies("BatchGetItem")]
    assert [(len(one["Keys"]), one["ConsistentRead"]) for one in asked] == [(3, True), (2, True)]


def test_records_that_are_left_out_again_and_again_are_not_reported_missing(
    wire: DynamoProxy, store: DynamoStore
) -> None:
    def leave_out_all(forward: Forward) -> Reply:
        reply = forward()
        (table,) = reply.json["Responses"]
        keys = [{"id": {"S": "cus_1"}, "sort": {"S": "#"}}]
        return changed(reply, Responses={table: []}, UnprocessedKeys={table: {"Keys": keys}})

    wire.next("BatchGetItem", *[leave_out_all] * 5)
    with pytest.raises(StoreUnavailable, match="left out 1 records in 5 tries"):
        store.find_many([(Customer, "cus_1")])


def test_a_record_that_moved_since_the_index_heard_of_it_is_left_out_of_the_page(
    wire: DynamoProxy, store: DynamoStore, direct: DynamoStore
) -> None:
    merchant, first, second = new_merchant(), new_id("cus"), new_id("cus")
    records = [payment(merchant, customer_id=first) for _ in range(3)]
    store.commit(new_id("op"), [Insert(record) for record in records])

    def move_the_newest(forward: Forward) -> Reply:
        reply = forward()
        direct.commit(new_id("op"), [Update(replace(records[2], version=1, customer_id=second))])
        return reply

    wire.next("Query", move_the_newest)
    page = store.newest(Payment, Index.BY_CUSTOMER, first, limit=2)
    assert [record.id for record in page.records] == [records[1].id]
    assert (page.has_more, page.last_id) == (True, records[1].id)
    rest = store.newest(Payment, Index.BY_CUSTOMER, first, limit=2, before_id=page.last_id)
    assert [record.id for record in rest.records] == [records[0].id]


def test_a_page_that_loses_its_last_record_still_says_where_to_go_on(
    wire: DynamoProxy, store: DynamoStore, direct: DynamoStore
) -> None:
    merchant, first, second = new_merchant(), new_id("cus"), new_id("cus")
    records = [payment(merchant, customer_id=first) for _ in range(3)]
    store.commit(new_id("op"), [Insert(record) for record in records])

    def move_the_second(forward: Forward) -> Reply:
        reply = forward()
        direct.commit(new_id("op"), [Update(replace(records[1], version=1, customer_id=second))])
        return reply

    wire.next("Query", move_the_second)
    page = store.newest(Payment, Index.BY_CUSTOMER, first, limit=2)
    assert ([record.id for record in page.records], page.has_more) == ([records[2].id], True)
    assert page.last_id == records[1].id


def test_a_query_goes_on_where_dynamodb_cut_it_off(wire: DynamoProxy, store: DynamoStore) -> None:
    merchant = new_merchant()
    told = [event(merchant) for _ in range(4)]
    store.commit(new_id("op"), [Append(one) for one in told])

    def cut_off(forward: Forward) -> Reply:
        reply = forward()
        kept = reply.json["Items"][:1]
        last = {"merchant_id": kept[0]["merchant_id"], "id": kept[0]["id"]}
        return changed(reply, Items=kept, Count=1, ScannedCount=1, LastEvaluatedKey=last)

    wire.next("Query", cut_off)
    assert store.events(merchant, limit=4) == (tuple(reversed(told)), False)
    assert wire.operations.count("Query") == 2


def test_a_record_carries_beside_its_body_only_what_conditions_and_indexes_need(
    wire: DynamoProxy, store: DynamoStore
) -> None:
    merchant = new_merchant()
    record = series(merchant)
    store.commit("op_1", [Insert(record)])
    (put,) = json.loads(wire.bodies("TransactWriteItems")[0])["TransactItems"]
    body = put["Put"]["Item"].pop("body")
    assert put["Put"]["Item"] == {
        "id": {"S": record.id},
        "sort": {"S": "#"},
        "kind": {"S": "number_series"},
        "merchant_id": {"S": merchant},
        "version": {"N": "1"},
        "op": {"S": "op_1"},
        "first_op": {"S": "op_1"},
    }
    assert json.loads(body["S"]) == {
        "id": record.id,
        "merchant_id": merchant,
        "name": "invoice",
        "created_at": "2026-01-31T20:30:00.123456Z",
        "last": 0,
        "counted_on": None,
        "invoices_that_day": 0,
        "charges_that_day": 0,
    }
