"""PynamoDB's connection to the three tables: all that is asked of DynamoDB but what somebody waits for.

Importing it costs as much as the rest of a page, so it is imported where it is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.connection.base import Connection, MetaTable
from pynamodb.constants import UPDATE_ITEM
from pynamodb.exceptions import PynamoDBException, TransactWriteError

from chalicelib.crossing import USER_AGENT, cross_seam
from chalicelib.services.ports import OPEN, Index, NoAnswer, Seam
from chalicelib.storage.patience import CONDITION, Reason, Refused
from chalicelib.storage.rows import Row
from chalicelib.storage.schema import CONNECT_SECONDS, HEAD, READ_SECONDS, StoreConfig
from chalicelib.storage.tables import Item

T = TypeVar("T")

MOST_CONNECTIONS: Final = 32
"""Kept open to DynamoDB by one process: more than the threads that a process of ours has."""


class _SeamedConnection(Connection):
    """PynamoDB makes its client when it is first used, and another one when credentials were missing then; each of
    them crosses the seam."""

    def __init__(self, seam: Seam, **options: Any) -> None:
        super().__init__(**options)
        self._seam = seam
        self._crossing: Any = None

    @property
    def session(self) -> Any:
        session = super().session
        if session.get_default_client_config() is None:
            # PynamoDB writes the client's config itself; what it leaves open is taken from here.
            session.set_default_client_config(Config(user_agent=USER_AGENT))
        return session

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
        # Both ways to the tables must lead to the same ones, whatever the environment says of endpoints.
        host=config.endpoint_url if config.credentials is None else config.address,
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


def code_of(error: PynamoDBException) -> str | None:
    """The code that DynamoDB answered with; None where there was no answer.

    PynamoDB's own property fails on a broken connection: there botocore's errors have a response, and it is None.
    """
    response = getattr(error.cause, "response", None)
    return response["Error"]["Code"] if response else None


def answer(request: Callable[[], T]) -> T:
    """What a request of PynamoDB's comes back with. Raises Refused and NoAnswer."""
    try:
        return request()
    except PynamoDBException as error:
        code = code_of(error)
        if code is None:
            raise NoAnswer(str(error)) from error
        reasons = error.cancellation_reasons if isinstance(error, TransactWriteError) else ()
        told = tuple(Reason("None") if each is None else Reason(each.code, each.raw_item) for each in reasons)
        raise Refused(code, str(error), told) from error


class MappedTables:
    """Tables by PynamoDB."""

    def __init__(self, connection: Connection, table: str) -> None:
        self._connection = connection
        self._table = table

    def row(self, record_id: str) -> Row | None:
        """See Tables."""
        return self.row_at(self._table, {"id": {"S": record_id}, "sort": {"S": HEAD}})

    def rows(self, ids: Sequence[str]) -> tuple[list[Row], list[str]]:
        """See Tables."""
        keys: list[Any] = [{"id": record_id, "sort": HEAD} for record_id in ids]
        found = answer(partial(self._connection.batch_get_item, self._table, keys, consistent_read=True))
        left_out = found.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
        return list(found["Responses"].get(self._table, ())), [key["id"]["S"] for key in left_out]

    def row_at(self, table: str, key: Row) -> Row | None:
        """See Tables."""
        hash_key, range_key = (next(iter(value.values())) for value in key.values())
        found = answer(partial(self._connection.get_item, table, hash_key, range_key, consistent_read=True))
        row: Row | None = found.get("Item")
        return row

    def transact(self, items: Sequence[Item], token: str, written: str | None = None) -> None:
        """See Tables. PynamoDB sends them by sort, in just the order that they have."""

        def of(sort: str) -> list[Any]:
            return [item[sort] for item in items if sort in item]

        send = partial(
            self._connection.transact_write_items,
            of("ConditionCheck"),
            of("Delete"),
            of("Put"),
            of("Update"),
            client_request_token=token,
        )
        answer(send)

    def update(self, request: Mapping[str, Any]) -> None:
        """See Tables."""
        try:
            self._connection.dispatch(UPDATE_ITEM, dict(request))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            # PynamoDB makes an error of its own and leaves the row in botocore's.
            response: Any = getattr(error.__cause__, "response", None) or error.response
            reasons = (Reason(code, response.get("Item")),) if code == CONDITION else ()
            raise Refused(code, str(error), reasons) from error
        except BotoCoreError as error:
            raise NoAnswer(str(error)) from error
