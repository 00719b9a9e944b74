"""The shared budget on DynamoDB Local: sixteen callers never take more than a second has, and few writes serve many."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chalicelib.domain.money.amounts import Money
from chalicelib.gateways.pacing import SharedPacer, allowance_for
from chalicelib.gateways.stripe.gateway import StripeGateway
from chalicelib.services.ports import Allowance, NewIntent, StoreUnavailable
from chalicelib.storage.pacing import DynamoTokenLeases
from chalicelib.storage.store import DynamoStore, StoreConfig
from infra.local.stripe_sandbox import StripeSandbox
from tests.fakes.dynamodb_proxy import DynamoProxy, refusal
from tests.gateways.stripe_worlds import ACCOUNT, PUBLISHABLE_KEY, SECRET_KEY, GatewaySettings

CONFIRM = "POST /v1/payment_intents/{id}/confirm"
CREATE = "POST /v1/payment_intents"
THREADS = 16


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
    proxy: DynamoProxy, watched: StoreConfig
) -> None:
    sandbox = StripeSandbox(clock=lambda: datetime.now(UTC), secret_key=SECRET_KEY, publishable_key=PUBLISHABLE_KEY)
    sandbox.add_account(ACCOUNT)
    url = sandbox.start()
    # Two processes of eight threads, as workers are.
    gateways = [
        StripeGateway(
            GatewaySettings(stripe_api_base=url),
            timeout_seconds=20.0,
            pacer=SharedPacer(
                leases_on(watched),
                allowance_for(livemode=False, buyer_waits=False),
                patience_seconds=10.0,
                now=time.time,
            ),
        )
        for _ in range(2)
    ]
    try:
        customer = gateways[0].create_customer(ACCOUNT, email="a@b.example", name="A", metadata={}, key="cus")
        request = NewIntent(Money(5_000, "usd"), customer, {})
        ends = int(time.time()) + 4

        def create(number: int) -> int:
            made = 0
            while time.time() < ends - 0.3:
                gateways[number % 2].create_intent(ACCOUNT, request, key=f"pi-{number}-{made}")
                made += 1
            return made

        with ThreadPoolExecutor(THREADS) as pool:
            made = sum(pool.map(create, range(THREADS)))
        calls = [call for call in sandbox.listing("requests") if call["path"] == "/v1/payment_intents"]
    finally:
        for each in gateways:
            each.close()
        sandbox.stop()
    assert len(calls) == made
    assert {call["status"] for call in calls} == {200}
    seconds = Counter(datetime.fromisoformat(call["at"]).replace(microsecond=0) for call in calls)
    # A token of one second may reach Stripe in the next when this machine is busy, but only what is in flight can.
    assert max(seconds.values()) <= 18 + THREADS
    spanned = (max(seconds) - min(seconds)).total_seconds() + 1
    assert made <= 18 * spanned
    # How much of it a loaded machine gets to use is its own affair, but it must not stand still.
    assert made >= 18
    leased = [json.loads(body) for body in proxy.bodies("UpdateItem")]
    assert len(leased) <= made, f"{len(leased)} calls to DynamoDB for {made} to Stripe"
