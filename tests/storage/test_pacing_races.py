"""The shared budget on DynamoDB Local: sixteen callers never take more than a second has, and few writes serve many."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import boto3
import pytest

from chalicelib.domain.money.amounts import Money
from chalicelib.gateways.pacing import SharedPacer, allowance_for
from chalicelib.gateways.stripe.gateway import StripeGateway
from chalicelib.services.ports import Allowance, NewIntent, StoreUnavailable
from chalicelib.storage.pacing import SORT, DynamoTokenLeases
from chalicelib.storage.store import DynamoStore, StoreConfig
from infra.local.stripe_sandbox import StripeSandbox
from tests.fakes.dynamodb_proxy import DynamoProxy, refusal
from tests.gateways.stripe_worlds import ACCOUNT, PUBLISHABLE_KEY, SECRET_KEY, GatewaySettings

CONFIRM = "POST /v1/payment_intents/{id}/confirm"
CREATE = "POST /v1/payment_intents"
THREADS = 16
CALLS = 4


@pytest.fixture(scope="module")
def proxy(dynamodb_endpoint: str) -> Iterator[DynamoProxy]:
    with DynamoProxy(dynamodb_endpoint) as running:
        yield running


@pytest.fixture
def watched(proxy: DynamoProxy, store_config: StoreConfig) -> StoreConfig:
    """The store through the proxy."""
    proxy.clear()
    return replace(store_config, endpoint_url=proxy.url)


def leases_on(config: StoreConfig) -> DynamoTokenLeases:
    return DynamoStore(config).token_leases


def test_a_block_is_one_write_and_what_is_left_is_a_second(proxy: DynamoProxy, watched: StoreConfig) -> None:
    leases, allowance = leases_on(watched), Allowance(endpoint=20, total=25)
    assert leases.lease(1, CONFIRM, 12, allowance) == 12
    assert proxy.operations == ["UpdateItem"]
    assert leases.lease(1, CONFIRM, 12, allowance) == 8
    assert proxy.operations == ["UpdateItem"] * 3
    assert leases.lease(1, CONFIRM, 12, allowance) == 0
    assert leases.lease(1, CREATE, 12, allowance) == 5
    assert leases.lease(1, CREATE, 1, allowance) == 0
    assert leases.lease(2, CREATE, 1, allowance) == 1


def test_a_page_may_take_what_a_worker_must_leave(store_config: StoreConfig) -> None:
    leases = leases_on(store_config)
    assert leases.lease(10, CONFIRM, 18, Allowance(18, 78)) == 18
    assert leases.lease(10, CONFIRM, 1, Allowance(18, 78)) == 0
    assert leases.lease(10, CONFIRM, 5, Allowance(20, 80)) == 2


def test_a_database_that_refuses_or_is_gone_is_told_apart_from_an_empty_second(
    proxy: DynamoProxy, watched: StoreConfig
) -> None:
    leases = leases_on(watched)
    proxy.next("UpdateItem", refusal("ProvisionedThroughputExceededException"))
    with pytest.raises(StoreUnavailable):
        leases.lease(20, CONFIRM, 1, Allowance(20, 20))
    proxy.next("UpdateItem", lambda forward: None)
    with pytest.raises(StoreUnavailable):
        leases.lease(20, CONFIRM, 1, Allowance(20, 20))
    assert leases.lease(20, CONFIRM, 20, Allowance(20, 20)) == 20


def test_sixteen_processes_never_lease_more_than_a_second_has(store_config: StoreConfig) -> None:
    allowance = Allowance(endpoint=20, total=30)
    stores = [leases_on(store_config) for _ in range(THREADS)]
    begin = threading.Barrier(THREADS)

    def grab(number: int) -> list[tuple[int, str, int]]:
        begin.wait()
        return [
            (second, endpoint, stores[number].lease(second, endpoint, 1 + (number + second) % 4, allowance))
            for second in range(100, 106)
            for endpoint in (CONFIRM, CREATE)
        ]

    with ThreadPoolExecutor(THREADS) as pool:
        got = [each for grabbed in pool.map(grab, range(THREADS)) for each in grabbed]
    by_endpoint: Counter[tuple[int, str]] = Counter()
    in_all: Counter[int] = Counter()
    for second, endpoint, tokens in got:
        by_endpoint[second, endpoint] += tokens
        in_all[second] += tokens
    assert max(by_endpoint.values()) <= 20
    # Everybody wanted more than there was, so every token of every second was handed out.
    assert set(in_all.values()) == {30}


def test_sixteen_paced_threads_of_two_processes_send_stripe_no_more_than_their_allowance(
    store_config: StoreConfig, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = StripeSandbox(clock=lambda: datetime.now(UTC), secret_key=SECRET_KEY, publishable_key=PUBLISHABLE_KEY)
    sandbox.add_account(ACCOUNT)
    url = sandbox.start()
    # Two processes of eight threads, as workers are. They wait for longer: a busy machine is no fault of the pacer.
    gateways = [
        StripeGateway(
            GatewaySettings(stripe_api_base=url),
            timeout_seconds=20.0,
            pacer=SharedPacer(
                leases_on(store_config),
                allowance_for(livemode=False, buyer_waits=False),
                patience_seconds=60.0,
                now=time.time,
            ),
        )
        for _ in range(2)
    ]
    begin = threading.Barrier(THREADS)
    try:
        customer = gateways[0].create_customer(ACCOUNT, email="a@b.example", name="A", metadata={}, key="cus")
        request = NewIntent(Money(5_000, "usd"), customer, {})

        def create(number: int) -> None:
            begin.wait()
            for each in range(CALLS):
                gateways[number % 2].create_intent(ACCOUNT, request, key=f"pi-{number}-{each}")

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(create, range(THREADS)))
        calls = [call for call in sandbox.listing("requests") if call["path"] == "/v1/payment_intents"]
    finally:
        for each in gateways:
            each.close()
        sandbox.stop()
    # What was on the wire is compared with what the table says was leased: no clock of this machine is asked.
    assert [call["status"] for call in calls] == [200] * (THREADS * CALLS)
    leased = tokens_by_second(store_config)
    assert max(leased.values()) <= 18
    assert sum(leased.values()) >= len(calls)
    assert "unpaced" not in caplog.text


def tokens_by_second(config: StoreConfig) -> Counter[str]:
    """How many tokens of each second were leased for new intents, read past Till's own code."""
    client = boto3.client("dynamodb", endpoint_url=config.endpoint_url, region_name=config.region)
    pages = client.get_paginator("scan").paginate(TableName=config.records_table, ConsistentRead=True)
    rows = [row for page in pages for row in page["Items"] if row["sort"]["S"] == SORT]
    # Other tests of this table count in seconds of their own, long ago.
    recent = [row for row in rows if CREATE in row and int(row["id"]["S"].removeprefix("pace#")) > 1_000_000]
    return Counter({row["id"]["S"]: int(row[CREATE]["N"]) for row in recent})
