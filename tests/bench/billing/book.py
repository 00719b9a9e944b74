"""A merchant with subscriptions by the ten thousand: rows as the product writes them, put in by BatchWriteItem."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.documents.methods import StoredMethod
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer
from chalicelib.gateways.ids import RandomIds
from chalicelib.services.billing.issuing import billing_timer
from chalicelib.services.merchants import create_merchant
from chalicelib.services.ports import Insert, Ports, SetTimer
from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.transaction import Transaction
from tests import builders as build

BATCH: Final = 25
"""Items in one BatchWriteItem (AWS)."""
WEEK: Final = timedelta(days=7)
HEADERS: Final = {
    "Content-Type": "application/x-amz-json-1.0",
    # DynamoDB Local reads the key's name, and believes every signature.
    "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, "
    "Signature=0",
}
Put = tuple[str, dict[str, Any]]
"""A table and an item."""


@dataclass(frozen=True)
class Book:
    """One merchant's tables at a database."""

    endpoint: str
    config: StoreConfig
    merchant_id: str
    method: StoredMethod

    def subscriptions(self, count: int, due: datetime) -> Iterator[Subscription]:
        """New ones, each of a customer of its own, whose second week begins then."""
        ids = RandomIds()
        line = build.line("Membership", 4_900, recurring=Recurrence(Frequency.WEEKLY))
        pattern = build.subscription(
            merchant_id=self.merchant_id,
            lines=(line,),
            recurrence=Recurrence(Frequency.WEEKLY),
            agreed_at=due - WEEK,
            zone="Etc/UTC",
            method=self.method,
        )
        assert pattern.timer_at == due
        for _ in range(count):
            customer_id = ids.new("cus", due - WEEK)
            yield replace(pattern, id=ids.new("sub", due - WEEK), secret=ids.secret(), customer_id=customer_id)

    def add(self, count: int, due: datetime) -> list[Timer]:
        """Put so many subscriptions there, with their customers and timers; the timers."""
        timers: list[Timer] = []

        def puts() -> Iterator[Put]:
            for number, subscription in enumerate(self.subscriptions(count, due)):
                timer = billing_timer(subscription)
                assert timer is not None
                timers.append(timer)
                customer = build.customer(
                    id=subscription.customer_id,
                    merchant_id=self.merchant_id,
                    email=f"customer{number}@example.com",
                    created_at=subscription.created_at,
                )
                writes = [Insert(customer), Insert(subscription), SetTimer(timer)]
                for _, put in Transaction.of(self.config, "op_bench", writes).puts:
                    yield put["TableName"], put["Item"]

        fill(self.endpoint, puts())
        return timers


def fill(endpoint: str, puts: Iterable[Put]) -> None:
    """Write items, 25 in a request, four requests at a time."""

    def send(batches: Sequence[tuple[Put, ...]]) -> None:
        place = urlsplit(endpoint)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        for batch in batches:
            tables: dict[str, list[dict[str, Any]]] = {}
            for table, item in batch:
                tables.setdefault(table, []).append({"PutRequest": {"Item": item}})
            headers = {**HEADERS, "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem"}
            connection.request("POST", "/", json.dumps({"RequestItems": tables}), headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            assert answer.status == 200, said
            assert not said.get("UnprocessedItems")
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        waiting = iter(puts)
        while round_ := list(islice(waiting, 100 * BATCH)):
            batches = [tuple(round_[start : start + BATCH]) for start in range(0, len(round_), BATCH)]
            list(pool.map(send, [batches[start::4] for start in range(4)]))


def open_book(ports: Ports, endpoint: str, config: StoreConfig, account: str, method: StoredMethod) -> Book:
    """A merchant that can take money, and nothing else yet."""
    merchant, _ = create_merchant(
        ports, name="Pinewood Studio", timezone="Etc/UTC", currency="usd", stripe_account=account, ready=True
    )
    return Book(endpoint, config, merchant.id, method)
