"""The keys and indexes of the three tables, as the code relies on them; `infra/template.json` creates the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pynamodb.connection.base import Connection, MetaTable

from chalicelib.crossing import cross_seam
from chalicelib.services.ports import OPEN, Index, Seam

HEAD: Final = "#"
"""The sort key of an aggregate itself; what belongs to it may follow under other sort keys."""

CONNECT_SECONDS: Final = 1.0
READ_SECONDS: Final = 3.0
MOST_CONNECTIONS: Final = 32
"""Kept open to DynamoDB by one process: more than the threads that a process of ours has."""


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Where the tables are. `endpoint_url` is None for the region's own; credentials come from the ordinary chain."""

    region: str
    endpoint_url: str | None
    records_table: str
    events_table: str
    timers_table: str


class _SeamedConnection(Connection):
    """PynamoDB makes its client when it is first used, and another one when credentials were missing then; each of
    them crosses the seam."""

    def __init__(self, seam: Seam, **options: Any) -> None:
        super().__init__(**options)
        self._seam = seam
        self._crossing: Any = None

    @property
    def client(self) -> Any:
        client = super().client
        if client is not self._crossing:
            cross_seam(client, "dynamodb", self._seam)
            self._crossing = client
        return client


def connect(config: StoreConfig, seam: Seam = OPEN, *, read_seconds: float = READ_SECONDS) -> Connection:
    """A connection that knows the three tables, so that it never has to ask for their descriptions.

    `read_seconds` is how long one answer may take. It sends each request once: the callers say what may be sent again,
    since only they know what a lost reply means.
    """
    connection = _SeamedConnection(
        seam,
        region=config.region,
        host=config.endpoint_url,
        connect_timeout_seconds=CONNECT_SECONDS,
        read_timeout_seconds=read_seconds,
        max_retry_attempts=0,
        max_pool_connections=MOST_CONNECTIONS,
    )
    indexes = [_index(index.value, ("id", "S")) for index in Index]
    connection.add_meta_table(_table(config.records_table, ("id", "S"), ("sort", "S"), indexes))
    connection.add_meta_table(_table(config.events_table, ("merchant_id", "S"), ("id", "S")))
    connection.add_meta_table(_table(config.timers_table, ("shard", "N"), ("key", "S")))
    return connection


def _keys(hash_key: str, range_key: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": hash_key, "KeyType": "HASH"},
        {"AttributeName": range_key, "KeyType": "RANGE"},
    ]


def _index(name: str, range_key: tuple[str, str]) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": _keys(name, range_key[0])}


def _table(
    name: str, hash_key: tuple[str, str], range_key: tuple[str, str], indexes: Iterable[dict[str, Any]] = ()
) -> MetaTable:
    found = list(indexes)
    typed = [hash_key, range_key, *((index["IndexName"], "S") for index in found)]
    return MetaTable({
        "TableName": name,
        "KeySchema": _keys(hash_key[0], range_key[0]),
        "AttributeDefinitions": [{"AttributeName": one, "AttributeType": type_} for one, type_ in typed],
        "GlobalSecondaryIndexes": found,
    })  # fmt: skip
