"""A world as it was at one moment: what was stored, what Stripe knew, what waited, and what time it was.

Making the cases of a group takes longer than stopping them. Groups that begin alike begin from one photograph, each
from copies of its own.
"""

from __future__ import annotations

import http.client
import json
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from infra.local.stripe_sandbox import StripeSandbox
from tests.fakes.world import FakeClock, FakeMailer, FakeQueues

_BATCH = 25
"""Items in one BatchWriteItem (AWS: DynamoDB, BatchWriteItem)."""
_SIGNED = "AWS4-HMAC-SHA256 Credential=local/20270115/{region}/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
"""DynamoDB Local wants a signature and does not look at it."""

Item = Mapping[str, Any]
Rows = Mapping[str, Sequence[Item]]


class Tables:
    """The three tables past all of Till's own code, and past boto3, which takes longer over a row than the database:
    read whole, and made what they were.
    """

    def __init__(self, endpoint_url: str, region: str, keys: Mapping[str, Sequence[str]]) -> None:
        """`keys` gives each table's name the attributes that a row is found by."""
        self._address = urlsplit(endpoint_url)
        self._signed = _SIGNED.format(region=region)
        self._keys = keys

    def read(self) -> Rows:
        """Every row, by table."""
        return {name: list(self._rows(name)) for name in self._keys}

    def make(self, rows: Rows, empty: Callable[[], None]) -> None:
        """Make the tables hold these rows and no others: only what differs is written, unless that is more than all.

        Then they are emptied first, by `empty`.
        """
        changes = {name: list(self._changes(name, items)) for name, items in rows.items()}
        if sum(map(len, changes.values())) >= sum(map(len, rows.values())):
            empty()
            changes = {name: [{"PutRequest": {"Item": item}} for item in items] for name, items in rows.items()}
        for name, requests in changes.items():
            for start in range(0, len(requests), _BATCH):
                asked = {"RequestItems": {name: requests[start : start + _BATCH]}}
                assert not self._ask("BatchWriteItem", asked)["UnprocessedItems"], "a row was refused that was held"

    def _changes(self, name: str, wanted: Sequence[Item]) -> Iterator[Mapping[str, Any]]:
        """What has to be written for a table to hold what is wanted."""
        here = {self._key(name, item): item for item in self._rows(name)}
        for item in wanted:
            if here.pop(self._key(name, item), None) != item:
                yield {"PutRequest": {"Item": item}}
        for item in here.values():
            yield {"DeleteRequest": {"Key": {part: item[part] for part in self._keys[name]}}}

    def _key(self, name: str, item: Item) -> tuple[str, ...]:
        return tuple(value for part in self._keys[name] for value in item[part].values())

    def _rows(self, name: str) -> Iterator[Item]:
        asked: dict[str, Any] = {"TableName": name, "ConsistentRead": True}
        while True:
            found = self._ask("Scan", asked)
            yield from found["Items"]
            if "LastEvaluatedKey" not in found:
                return
            asked["ExclusiveStartKey"] = found["LastEvaluatedKey"]

    def _ask(self, operation: str, asked: Mapping[str, Any]) -> Any:
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=60)
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "Authorization": self._signed,
        }
        try:
            connection.request("POST", "/", json.dumps(asked), headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, content
        return json.loads(content)


@dataclass(frozen=True)
class Photograph:
    """What `take` saw. Nothing in it is ever handed out but as a copy."""

    now: datetime
    rows: Rows
    others: bytes
    """Pickled, which is many times faster than copying: what Stripe knew, what waited, and what was mailed."""


def take(
    clock: FakeClock, tables: Tables, sandbox: StripeSandbox, queues: FakeQueues, mailer: FakeMailer
) -> Photograph:
    """The world at this moment. No request may be under way, and Stripe may have nothing to deliver."""
    assert not sandbox.waiting(), "a photograph holds no deliveries"
    at_stripe = {
        "ledgers": sandbox._world.ledgers,
        "keys": sandbox._api.keys._entries,
        "log": sandbox._api._log,
        "ahead": sandbox._api.misbehaviours._ahead,
    }
    waiting = {"messages": queues._waiting, "seen": queues._seen}
    mails = {"sent": mailer.sent, "refused": mailer._refused}
    return Photograph(clock.now(), tables.read(), pickle.dumps((at_stripe, waiting, mails)))


def put_back(
    seen: Photograph,
    clock: FakeClock,
    sandbox: StripeSandbox,
    queues: FakeQueues,
    mailer: FakeMailer,
) -> None:
    """Make a world what it was but for its tables, its time too: nothing in it is older or younger than it was then.

    Nothing may be known at Stripe, wait or have been sent.
    """
    at_stripe, waiting, mails = pickle.loads(seen.others)  # noqa: S301 - our own, of a moment ago
    sandbox._world.ledgers.update(at_stripe["ledgers"])
    sandbox._api.keys._entries.update(at_stripe["keys"])
    sandbox._api._log.extend(at_stripe["log"])
    sandbox._api.misbehaviours._ahead.extend(at_stripe["ahead"])
    queues._waiting, queues._seen = waiting["messages"], waiting["seen"]
    mailer.sent, mailer._refused = mails["sent"], mails["refused"]
    clock._now = seen.now
