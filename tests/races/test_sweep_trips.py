"""What a sweep costs is what is due, counted on the wire: the same calls and units beside few as beside many more."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from chalicelib.gateways.ids import RandomIds
from chalicelib.services.billing.sweeping import sweep
from chalicelib.services.ports import QueueName
from chalicelib.storage.store import DynamoStore
from tests import builders as build
from tests.bench.billing.book import open_book
from tests.bench.billing.meter import Consumed, Meter
from tests.conftest import make_tables
from tests.fakes.ports import FakePorts
from tests.fakes.stripe import FakeStripe
from tests.fakes.world import FakeClock, FakeMailer, FakeQueues

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
DUE = 40


def test_a_sweep_costs_the_same_whatever_is_not_due(dynamodb_endpoint: str) -> None:
    clock, config = FakeClock(NOW), make_tables(dynamodb_endpoint)
    method = build.subscription().method
    assert method is not None
    with Meter(dynamodb_endpoint) as meter:
        store = DynamoStore(replace(config, endpoint_url=meter.endpoint))
        queues = FakeQueues(clock)
        ports = FakePorts(store, store, clock, RandomIds(), queues, FakeStripe(clock), FakeMailer())
        book = open_book(ports, dynamodb_endpoint, config, "acct_1", method)
        book.add(DUE, NOW - timedelta(hours=1))

        def cost(not_due: int) -> Consumed:
            book.add(not_due, NOW + timedelta(days=6))
            meter.take()
            assert sweep(ports).due == DUE
            assert sum(len(each.body["timers"]) for each in queues.take(QueueName.BILLING)) == DUE
            return meter.take()

        few, many = cost(50), cost(450)
    # A page of each of the eight shards, and the one merchant that has something due.
    assert few.calls == many.calls == Counter(Query=8, BatchGetItem=1)
    assert (few.reads, few.writes) == (many.reads, many.writes) == (9, 0)
