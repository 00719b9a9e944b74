"""Calls under an idempotency key on a real database: sixteen at once, and replies that are lost on the wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.idempotency import KeyedCall, keyed_call_id
from chalicelib.gateways.ids import RandomIds
from chalicelib.services.idempotency import Answer, CallInProgress, begin
from chalicelib.services.ports import Index, StoreUnavailable
from chalicelib.storage.patience import Patience
from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.store import DynamoStore
from tests.conftest import REGION
from tests.fakes.dynamodb_proxy import DynamoProxy, Fault, lose_reply, lose_request
from tests.fakes.ports import FakePorts
from tests.fakes.stripe import FakeStripe
from tests.fakes.world import FakeClock, FakeMailer, FakeQueues
from tests.keyed_calls import keyed, make
from tests.races.at_once import THREADS, at_once, told
from tests.storage.records import new_merchant

NOW = datetime(2027, 1, 31, 20, 30, 0, 500_000, tzinfo=UTC)


class Desk:
    """A merchant's requests under one key."""

    def __init__(self, store: DynamoStore) -> None:
        self.clock = FakeClock(NOW)
        self.store = store
        self.ports = self.through(store)
        self.merchant = new_merchant()

    def through(self, store: DynamoStore) -> FakePorts:
        """Ports on this desk's clock and some store."""
        clock = self.clock
        return FakePorts(store, store, clock, RandomIds(), FakeQueues(clock), FakeStripe(clock), FakeMailer())

    def ask(self, ports: FakePorts | None = None) -> Answer:
        """One request to make a customer."""
        return keyed(ports or self.ports, self.merchant, make(self.merchant))

    @property
    def customers(self) -> list[str]:
        page = self.store.newest(Customer, Index.BY_MERCHANT, self.merchant, limit=10)
        return [customer.id for customer in page.records]

    @property
    def told(self) -> list[str]:
        return [event.type for event in self.store.events(self.merchant, limit=10)[0]]


@pytest.fixture(scope="module")
def direct(store_config: StoreConfig) -> DynamoStore:
    return DynamoStore(store_config)


@pytest.fixture
def desk(direct: DynamoStore) -> Desk:
    return Desk(direct)


@pytest.fixture(scope="module")
def proxy(dynamodb_endpoint: str) -> Iterator[DynamoProxy]:
    with DynamoProxy(dynamodb_endpoint) as running:
        yield running


@pytest.fixture(params=[True, False], ids=["token", "no_token"])
def wire(request: pytest.FixtureRequest, proxy: DynamoProxy) -> DynamoProxy:
    proxy.clear()
    proxy.keep_tokens = request.param
    return proxy


def test_sixteen_requests_with_one_key_are_one_effect_and_one_answer(desk: Desk) -> None:
    said = at_once([told(CallInProgress, desk.ask) for _ in range(THREADS)])
    answers = [each for each in said if isinstance(each, Answer)]
    assert Counter(answer.replayed for answer in answers)[False] == 1
    assert {(answer.status, answer.body) for answer in [*answers, desk.ask()]} == {(201, answers[0].body)}
    assert (len(desk.customers), desk.told) == (1, ["customer.created"])


def test_sixteen_that_take_up_a_dead_call_are_one_effect(desk: Desk) -> None:
    begin(desk.ports, desk.merchant, "order 42", "one body")
    desk.clock.advance(timedelta(seconds=60))
    said = at_once([told(CallInProgress, desk.ask) for _ in range(THREADS)])
    assert [each.replayed for each in said if isinstance(each, Answer)].count(False) == 1
    assert (len(desk.customers), desk.told) == (1, ["customer.created"])


@pytest.mark.parametrize("fault", [lose_reply, lose_request])
@pytest.mark.parametrize("nth", [1, 2], ids=["claim", "effect"])
@pytest.mark.parametrize("times", [1, 2], ids=["once", "for good"])
def test_a_lost_reply_never_makes_two(
    desk: Desk, wire: DynamoProxy, store_config: StoreConfig, fault: Fault, nth: int, times: int
) -> None:
    patience = Patience(sleep=lambda seconds: None)
    ports = desk.through(DynamoStore(replace(store_config, endpoint_url=wire.url), patience=patience))
    wire.next("TransactWriteItems", *[lambda forward: forward()] * (nth - 1), *[fault] * times)
    if times == 1:
        first = desk.ask(ports)
        assert first.replayed is False
    else:
        with pytest.raises(StoreUnavailable):
            desk.ask(ports)
        desk.clock.advance(timedelta(seconds=60))
        first = desk.ask()
        assert first.replayed is (nth == 2 and fault is lose_reply)
    assert desk.ask() == replace(first, replayed=True)
    assert (len(desk.customers), desk.told) == (1, ["customer.created"])


def test_the_row_may_be_removed_a_day_after_its_answer(
    desk: Desk, store_config: StoreConfig, dynamodb_endpoint: str
) -> None:
    desk.ask()
    row_id = keyed_call_id(desk.merchant, "order 42")
    client: Any = boto3.client("dynamodb", endpoint_url=dynamodb_endpoint, region_name=REGION)
    key = {"id": {"S": row_id}, "sort": {"S": "#"}}
    item = client.get_item(TableName=store_config.records_table, Key=key)["Item"]
    # Rounded up, so that an answer is never removed before its day is over.
    assert item["expires"] == {"N": str(int((NOW + timedelta(hours=24)).timestamp()) + 1)}
    assert desk.store.get(KeyedCall, row_id).expires_at == NOW + timedelta(hours=24)
