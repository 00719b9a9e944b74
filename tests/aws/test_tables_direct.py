"""Our own requests beside PynamoDB's and boto3's, on DynamoDB Local: the same rows, refusals and silences."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import get_session

from chalicelib.aws.connections import HttpAnswer
from chalicelib.aws.services import to_json
from chalicelib.aws.signing import Credentials
from chalicelib.services.ports import OPEN, NoAnswer, Service
from chalicelib.storage.connection import MappedTables, connect
from chalicelib.storage.patience import Refused
from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.tables import DirectTables, Item, Tables
from tests.fakes.dynamodb_proxy import DynamoProxy, Fault, Forward, Reply, lose_reply, lose_request, refusal

KEYS = Credentials("local", "local")
IDS = ("cus_1", "cus_Zoë “Z”\n", "cus_big")
Ways = dict[str, Tables]


def ways_to(config: StoreConfig) -> Ways:
    """Both ways to read."""
    return {
        "ours": DirectTables(config, KEYS, OPEN),
        "PynamoDB's": MappedTables(connect(config), config.records_table),
    }


def row_of(record_id: str) -> dict[str, Any]:
    body = 'é"\\' * 80_000 if record_id == "cus_big" else '{"name":"Zoë “Z” \\n"}'
    return {
        "id": {"S": record_id},
        "sort": {"S": "#"},
        "version": {"N": "12345678901234567890"},
        "body": {"S": body},
    }


@pytest.fixture(scope="module")
def boto(store_config: StoreConfig) -> Any:
    client: Any = boto3.client(
        "dynamodb",
        region_name=store_config.region,
        endpoint_url=store_config.endpoint_url,
        config=Config(retries={"total_max_attempts": 1}),
    )
    for record_id in IDS:
        client.put_item(TableName=store_config.records_table, Item=row_of(record_id))
    # What belongs to a record is not the record.
    client.put_item(TableName=store_config.records_table, Item={**row_of("cus_2"), "sort": {"S": "~pace"}})
    return client


@pytest.fixture(scope="module")
def proxy(dynamodb_endpoint: str) -> Iterator[DynamoProxy]:
    with DynamoProxy(dynamodb_endpoint) as running:
        yield running


@pytest.fixture
def ways(boto: Any, proxy: DynamoProxy, store_config: StoreConfig) -> Ways:
    proxy.clear()
    return ways_to(replace(store_config, endpoint_url=proxy.url))


# --- what there is


@pytest.mark.parametrize("record_id", [*IDS, "cus_2", "cus_nobody"])
def test_a_row_is_the_one_that_boto3_reads(ways: Ways, boto: Any, store_config: StoreConfig, record_id: str) -> None:
    key = {"id": {"S": record_id}, "sort": {"S": "#"}}
    answer = boto.get_item(TableName=store_config.records_table, Key=key, ConsistentRead=True)
    assert {way: reads.row(record_id) for way, reads in ways.items()} == dict.fromkeys(ways, answer.get("Item"))


def test_rows_are_those_that_boto3_reads(ways: Ways, boto: Any, store_config: StoreConfig) -> None:
    table, ids = store_config.records_table, [*IDS, "cus_2", "cus_nobody"]
    keys = [{"id": {"S": each}, "sort": {"S": "#"}} for each in ids]
    answer = boto.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})

    def by_id(rows: Any) -> list[Any]:
        return sorted(rows, key=lambda row: str(row["id"]["S"]))

    theirs = by_id(answer["Responses"][table])
    assert [row["id"]["S"] for row in theirs] == sorted(IDS)
    for reads in ways.values():
        rows, left_out = reads.rows(ids)
        assert (by_id(rows), left_out) == (theirs, [])


def test_what_is_asked_is_what_pynamodb_asks(ways: Ways, proxy: DynamoProxy) -> None:
    asked = []
    for reads in ways.values():
        proxy.clear()
        reads.row("cus_1")
        reads.rows(list(IDS))
        # PynamoDB asks for the units that a read has used, too; nobody looks at them.
        requests = [(operation, json.loads(body)) for operation, body in proxy.calls]
        for _, request in requests:
            request.pop("ReturnConsumedCapacity", None)
        asked.append(requests)
    assert asked[0] == asked[1]
    assert [operation for operation, _ in asked[0]] == ["GetItem", "BatchGetItem"]


def test_rows_that_were_left_out_are_told_by_id(ways: Ways, proxy: DynamoProxy, store_config: StoreConfig) -> None:
    table = store_config.records_table

    def half(forward: Forward) -> Reply:
        left = {table: {"ConsistentRead": True, "Keys": [{"id": {"S": IDS[1]}, "sort": {"S": "#"}}]}}
        return Reply(200, json.dumps({"Responses": {table: [row_of("cus_1")]}, "UnprocessedKeys": left}).encode())

    def nothing(forward: Forward) -> Reply:
        left = {table: {"Keys": [{"id": {"S": each}, "sort": {"S": "#"}} for each in IDS]}}
        return Reply(200, json.dumps({"Responses": {}, "UnprocessedKeys": left}).encode())

    for reads in ways.values():
        proxy.next("BatchGetItem", half, nothing)
        assert reads.rows(list(IDS)) == ([row_of("cus_1")], [IDS[1]])
        assert reads.rows(list(IDS)) == ([], list(IDS))


# --- what is written


def put(config: StoreConfig, row: dict[str, Any]) -> Item:
    """A row that is not there yet."""
    return {
        "Put": {
            "TableName": config.records_table,
            "Item": row,
            "ConditionExpression": "attribute_not_exists (#id)",
            "ExpressionAttributeNames": {"#id": "id"},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def named(config: StoreConfig, sort: str, record_id: str, version: str) -> Item:
    """A check, a removal or a change of a row at a version."""
    request: dict[str, Any] = {
        "TableName": config.records_table,
        "Key": {"id": {"S": record_id}, "sort": {"S": "#"}},
        "ConditionExpression": "#version = :before",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":before": {"N": version}},
    }
    if sort == "Update":
        request["UpdateExpression"] = "SET #version = :after"
        request["ExpressionAttributeValues"][":after"] = {"N": "2"}
    return {sort: request}


def some(way: str, number: int) -> dict[str, Any]:
    """A row that one way alone writes, at version 1."""
    return {"id": {"S": f"cus_{way}{number} “Z”\n"}, "sort": {"S": "#"}, "version": {"N": "1"}}


def test_a_transaction_is_written_whole_and_asked_for_as_pynamodb_does(
    ways: Ways, proxy: DynamoProxy, boto: Any, store_config: StoreConfig
) -> None:
    asked = []
    for way, tables in ways.items():
        rows = [some(way, number) for number in range(4)]
        tables.transact([put(store_config, row) for row in rows[:3]], f"first-{way}")
        proxy.clear()
        ids = [row["id"]["S"] for row in rows]
        items = [
            named(store_config, "ConditionCheck", ids[0], "1"),
            named(store_config, "Delete", ids[1], "1"),
            put(store_config, rows[3]),
            named(store_config, "Update", ids[2], "1"),
        ]
        tables.transact(items, f"second-{way}")
        found = {row["id"]["S"]: row["version"]["N"] for row in tables.rows(ids)[0]}
        assert found == {ids[0]: "1", ids[2]: "2", ids[3]: "1"}
        (body,) = proxy.bodies("TransactWriteItems")
        request = json.loads(body.replace(json.dumps(way)[1:-1].encode(), b"way"))
        request.pop("ReturnConsumedCapacity", None)
        request.pop("ReturnItemCollectionMetrics", None)
        asked.append(request)
    assert asked[0] == asked[1]
    assert list(asked[0]) == ["TransactItems", "ClientRequestToken"]


def test_a_cancelled_transaction_has_the_reasons_that_boto3_sees_and_wrote_nothing(
    ways: Ways, boto: Any, store_config: StoreConfig
) -> None:
    items = [
        named(store_config, "ConditionCheck", "cus_1", "7"),
        put(store_config, some("nobody", 1)),
        put(store_config, row_of("cus_1")),
    ]
    with pytest.raises(boto.exceptions.TransactionCanceledException) as theirs:
        boto.transact_write_items(TransactItems=items)
    reasons = [(each["Code"], each.get("Item")) for each in theirs.value.response["CancellationReasons"]]
    assert reasons == [
        ("ConditionalCheckFailed", None),
        ("None", None),
        ("ConditionalCheckFailed", row_of("cus_1")),
    ]
    for way, tables in ways.items():
        with pytest.raises(Refused) as ours:
            tables.transact(items, f"third-{way}")
        assert ours.value.code == "TransactionCanceledException"
        assert [(each.code, each.row) for each in ours.value.reasons] == reasons
        assert tables.row(some("nobody", 1)["id"]["S"]) is None


def test_a_token_that_comes_again_writes_nothing_again_and_none_with_other_words(
    ways: Ways, store_config: StoreConfig
) -> None:
    for way, tables in ways.items():
        first, other = some(way, 5), some(way, 6)
        for _ in range(2):
            tables.transact([put(store_config, first)], f"fourth-{way}")
        with pytest.raises(Refused) as refused:
            tables.transact([put(store_config, other)], f"fourth-{way}")
        assert refused.value.code == "IdempotentParameterMismatchException"
        assert tables.row(other["id"]["S"]) is None


def test_a_row_of_any_table_is_found_by_its_key(ways: Ways, boto: Any, store_config: StoreConfig) -> None:
    key = {"shard": {"N": "7"}, "key": {"S": "2027-01-01T00:00:00.000000Z#x"}}
    boto.put_item(TableName=store_config.timers_table, Item={**key, "kind": {"S": "send_mail"}})
    for tables in ways.values():
        assert tables.row_at(store_config.timers_table, key) == {**key, "kind": {"S": "send_mail"}}
        assert tables.row_at(store_config.timers_table, {**key, "shard": {"N": "8"}}) is None


@pytest.mark.parametrize("what", ["throttled", "its own mistake", "no right", "the reply was lost"])
def test_what_goes_wrong_with_a_transaction_is_told_alike(
    ways: Ways, proxy: DynamoProxy, store_config: StoreConfig, what: str
) -> None:
    fault, code = FAULTS[what]
    for way, tables in ways.items():
        row = some(f"{way} {what}", 7)
        proxy.clear()
        proxy.next("TransactWriteItems", fault)
        write = partial(tables.transact, [put(store_config, row)], f"fifth-{way}-{what}"[:36])
        assert said(write) == code
        assert len(proxy.calls) == 1
        assert (tables.row(row["id"]["S"]) is not None) is (what == "the reply was lost")


def test_an_update_is_asked_for_as_pynamodb_does_and_a_failed_condition_shows_the_row(
    ways: Ways, proxy: DynamoProxy, store_config: StoreConfig
) -> None:
    asked = []
    for way, tables in ways.items():
        row = some(way, 8)
        tables.transact([put(store_config, row)], f"sixth-{way}")
        request = named(store_config, "Update", row["id"]["S"], "1")["Update"]
        request = {**request, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        proxy.clear()
        tables.update(request)
        with pytest.raises(Refused) as refused:
            tables.update(request)
        assert refused.value.code == "ConditionalCheckFailedException"
        assert [(each.code, each.row) for each in refused.value.reasons] == [
            ("ConditionalCheckFailedException", {**row, "version": {"N": "2"}})
        ]
        assert tables.row(row["id"]["S"]) == {**row, "version": {"N": "2"}}
        told = [body.replace(json.dumps(way)[1:-1].encode(), b"way") for body in proxy.bodies("UpdateItem")]
        bodies = [json.loads(body) for body in told]
        for body in bodies:
            body.pop("ReturnConsumedCapacity", None)
        asked.append(bodies)
    assert asked[0] == asked[1]
    assert len(asked[0]) == 2


@pytest.mark.parametrize("what", ["throttled", "its own mistake", "no right", "the reply was lost"])
def test_what_goes_wrong_with_an_update_is_told_alike(
    ways: Ways, proxy: DynamoProxy, store_config: StoreConfig, what: str
) -> None:
    fault, code = FAULTS[what]
    for way, tables in ways.items():
        row = some(f"{way} {what}", 9)
        tables.transact([put(store_config, row)], f"seventh-{way}-{what}"[:36])
        proxy.clear()
        proxy.next("UpdateItem", fault)
        assert said(partial(tables.update, named(store_config, "Update", row["id"]["S"], "1")["Update"])) == code
        assert len(proxy.calls) == 1
        assert tables.row(row["id"]["S"]) == {**row, "version": {"N": "2" if what == "the reply was lost" else "1"}}


def test_items_that_are_written_out_already_are_sent_as_they_are(
    ways: Ways, proxy: DynamoProxy, store_config: StoreConfig
) -> None:
    for way, tables in ways.items():
        row = some(f"{way} written", 10)
        items = [put(store_config, row)]
        tables.transact(items, f"eighth-{way}", to_json(items))
        assert tables.row(row["id"]["S"]) == row
        sent = json.loads(proxy.bodies("TransactWriteItems")[-1])
        assert (sent["TransactItems"], sent["ClientRequestToken"]) == (items, f"eighth-{way}")


# --- what goes wrong


def said(ask: Callable[[], object]) -> str:
    """The code of a refusal; empty where there was no answer."""
    try:
        ask()
    except Refused as refused:
        return refused.code
    except NoAnswer:
        return ""
    raise AssertionError("it was answered")


def page_of_a_proxy(forward: Forward) -> Reply:
    return Reply(502, b"<html>Bad gateway</html>")


FAULTS: dict[str, tuple[Fault, str]] = {
    "throttled": (refusal("ThrottlingException"), "ThrottlingException"),
    "no throughput": (refusal("ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException"),
    "limit": (refusal("RequestLimitExceeded"), "RequestLimitExceeded"),
    "its own mistake": (refusal("InternalServerError", 500), "InternalServerError"),
    "away": (refusal("ServiceUnavailable", 503), "ServiceUnavailable"),
    "expired": (refusal("ExpiredTokenException"), "ExpiredTokenException"),
    "clocks apart": (refusal("InvalidSignatureException"), "InvalidSignatureException"),
    "no right": (refusal("AccessDeniedException"), "AccessDeniedException"),
    "the request was lost": (lose_request, ""),
    "the reply was lost": (lose_reply, ""),
    "a page of a proxy": (page_of_a_proxy, "502"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_what_goes_wrong_is_told_alike_and_the_next_read_is_answered(ways: Ways, proxy: DynamoProxy, what: str) -> None:
    fault, code = FAULTS[what]
    for reads in ways.values():
        reads.row("cus_1")
        proxy.next("GetItem", fault)
        assert said(partial(reads.row, "cus_1")) == code
        assert reads.row("cus_1") == row_of("cus_1")
    # A request of ours is one request on the wire: whether it is sent again, the caller says.
    assert len(proxy.calls) == 3 * len(ways)


def test_a_missing_table_and_a_wrong_key_are_refused_in_the_words_of_boto3(
    boto: Any, store_config: StoreConfig
) -> None:
    for config in (replace(store_config, records_table="till-nowhere"), store_config):
        record_id = "cus_1" if config is not store_config else ""
        key = {"id": {"S": record_id}, "sort": {"S": "#"}}
        with pytest.raises(ClientError) as theirs:
            boto.get_item(TableName=config.records_table, Key=key, ConsistentRead=True)
        error: Any = theirs.value.response["Error"]
        with pytest.raises(Refused) as ours:
            DirectTables(config, KEYS, OPEN).row(record_id)
        assert (ours.value.code, str(ours.value)) == (error["Code"], f"{error['Code']}: {error['Message']}")


def test_an_answer_that_changed_on_the_way_is_none(ways: Ways, proxy: DynamoProxy) -> None:
    def change(forward: Forward) -> Reply:
        reply = forward()
        assert dict(reply.headers)["x-amz-crc32"] == str(zlib.crc32(reply.body))
        return Reply(200, reply.body.replace(b"Zo", b"Bo"), reply.headers)

    proxy.next("GetItem", change)
    with pytest.raises(NoAnswer, match="not what was sent"):
        ways["ours"].row("cus_1")


class Says:
    """A seam behind which somebody gives this answer."""

    def __init__(self, status: int, content: bytes) -> None:
        self._answer = HttpAnswer(status, {}, content)

    def cross(self, service: Service, operation: str, send: Callable[[], Any]) -> Any:
        return self._answer


@pytest.mark.parametrize(
    ("status", "content", "code"),
    [
        (400, b'{"__type":"com.amazon.coral.service#UnrecognizedClientException"}', "UnrecognizedClientException"),
        (400, b'{"__type":"ValidationException","message":"m"}', "ValidationException"),
        (503, b"", "503"),
        (500, b"[]", "500"),
        (500, b"\xff", "500"),
        (301, b"{}", "301"),
    ],
)
def test_a_refusal_has_the_code_that_it_came_with(
    store_config: StoreConfig, status: int, content: bytes, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        DirectTables(store_config, KEYS, Says(status, content)).row("cus_1")
    assert refused.value.code == code


@pytest.mark.parametrize("content", [b"{", b"\xff", b""])
def test_an_answer_that_is_no_json_is_none(store_config: StoreConfig, content: bytes) -> None:
    with pytest.raises(NoAnswer):
        DirectTables(store_config, KEYS, Says(200, content)).row("cus_1")


# --- many at once, and where


def test_threads_share_connections_and_never_each_others_answers(boto: Any, store_config: StoreConfig) -> None:
    reads, wrong = DirectTables(store_config, KEYS, OPEN), []

    def ask(mine: str) -> None:
        for _ in range(25):
            row = reads.row(mine)
            if row is None or row["id"]["S"] != mine:
                wrong.append((mine, row))

    threads = [threading.Thread(target=ask, args=(IDS[n % 2],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert 1 <= len(reads._database.connections._idle) <= 8


def test_each_region_is_asked_where_botocore_asks() -> None:
    session = get_session()
    regions = [
        region
        for partition in ("aws", "aws-cn", "aws-us-gov")
        for region in session.get_available_regions("dynamodb", partition)
    ]
    assert len(regions) > 30
    for region in (regions[0], *regions[-4:], "eu-central-1"):
        theirs: Any = session.create_client("dynamodb", region_name=region)
        assert StoreConfig(region, None, "r", "e", "t").address == theirs.meta.endpoint_url


def test_who_reads_directly_writes_at_the_same_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://elsewhere.example")
    config = StoreConfig("eu-central-1", None, "r", "e", "t", credentials=KEYS)
    assert connect(config).client.meta.endpoint_url == config.address == "https://dynamodb.eu-central-1.amazonaws.com"
    unknown = replace(config, credentials=None)
    assert connect(unknown).client.meta.endpoint_url == "https://elsewhere.example"
