"""A world as it was at one moment: what was stored, what Stripe knew, what waited, and what time it was.

Making the cases of a group takes longer than stopping them. Groups that begin alike begin from one photograph, each
from copies of its own.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config

from infra.local.stripe_sandbox import StripeSandbox
from tests.fakes.world import FakeClock, FakeMailer, FakeQueues

_BATCH = 25
"""Items in one BatchWriteItem (AWS: DynamoDB, BatchWriteItem)."""

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


class Tables:
    """The three tables past all of Till's own code: read whole, and filled again."""

    def __init__(self, endpoint_url: str, region: str, names: Sequence[str]) -> None:
        self._names = names
        plain = Config(parameter_validation=False, user_agent="photograph")
        self._client = boto3.client("dynamodb", endpoint_url=endpoint_url, region_name=region, config=plain)

    def read(self) -> Rows:
        """Every row, by table."""
        return {name: list(self._rows(name)) for name in self._names}

    def _rows(self, name: str) -> Iterator[Mapping[str, Any]]:
        pages = self._client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
        for page in pages:
            yield from page["Items"]

    def fill(self, rows: Rows) -> None:
        """Put the rows into tables that are empty."""
        for name, items in rows.items():
            for start in range(0, len(items), _BATCH):
                puts = [{"PutRequest": {"Item": item}} for item in items[start : start + _BATCH]]
                left = self._client.batch_write_item(RequestItems={name: puts})["UnprocessedItems"]
                assert not left, "DynamoDB Local refused rows that it had held"


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
    tables: Tables,
    sandbox: StripeSandbox,
    queues: FakeQueues,
    mailer: FakeMailer,
) -> None:
    """Make an emptied world what it was, its time too: nothing in it is older or younger than it was then."""
    tables.fill(seen.rows)
    at_stripe, waiting, mails = pickle.loads(seen.others)  # noqa: S301 - our own, of a moment ago
    sandbox._world.ledgers.update(at_stripe["ledgers"])
    sandbox._api.keys._entries.update(at_stripe["keys"])
    sandbox._api._log.extend(at_stripe["log"])
    sandbox._api.misbehaviours._ahead.extend(at_stripe["ahead"])
    queues._waiting, queues._seen = waiting["messages"], waiting["seen"]
    mailer.sent, mailer._refused = mails["sent"], mails["refused"]
    clock._now = seen.now
