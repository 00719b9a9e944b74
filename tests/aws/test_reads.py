"""Our reads beside PynamoDB's and boto3's, on DynamoDB Local: the same rows, the same refusals, the same silences."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import get_session

from chalicelib.aws.connections import HttpAnswer
from chalicelib.aws.signing import Credentials
from chalicelib.services.ports import OPEN, NoAnswer, Service
from chalicelib.storage.connection import MappedReads, connect
from chalicelib.storage.patience import Refused
from chalicelib.storage.reads import DirectReads, Reads
from chalicelib.storage.schema import StoreConfig
from tests.fakes.dynamodb_proxy import DynamoProxy, Fault, Forward, Reply, lose_reply, lose_request, refusal

KEYS = Credentials("local", "local")
IDS = ("cus_1", "cus_Zoë “Z”\n", "cus_big")
Ways = dict[str, Reads]


def ways_to(config: StoreConfig) -> Ways:
    """Both ways to read."""
    return {
        "ours": DirectReads(config, KEYS, OPEN),
        "PynamoDB's": MappedReads(connect(config), config.records_table),
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


# --- what goes wrong


def said(reads: Reads) -> str:
    """The code of a refusal; empty where there was no answer."""
    try:
        reads.row("cus_1")
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
        assert said(reads) == code
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
            DirectReads(config, KEYS, OPEN).row(record_id)
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
        DirectReads(store_config, KEYS, Says(status, content)).row("cus_1")
    assert refused.value.code == code


@pytest.mark.parametrize("content", [b"{", b"\xff", b""])
def test_an_answer_that_is_no_json_is_none(store_config: StoreConfig, content: bytes) -> None:
    with pytest.raises(NoAnswer):
        DirectReads(store_config, KEYS, Says(200, content)).row("cus_1")


# --- many at once, and where


def test_threads_share_connections_and_never_each_others_answers(boto: Any, store_config: StoreConfig) -> None:
    reads, wrong = DirectReads(store_config, KEYS, OPEN), []

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
    assert 1 <= len(reads._connections._idle) <= 8


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
