"""Rows read by their keys, and transactions, by requests of our own: what somebody waits for, without the library that
does the rest.

Each is one signed request on the wire, sent once; what may be sent again, and when, its caller says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from chalicelib.aws.services import JsonService, ServiceRefused, to_json
from chalicelib.aws.signing import Credentials
from chalicelib.gateways.clock import SystemClock
from chalicelib.services.ports import Seam
from chalicelib.storage.patience import CONDITION, Reason, Refused
from chalicelib.storage.schema import CONNECT_SECONDS, HEAD, READ_SECONDS, StoreConfig

if TYPE_CHECKING:
    from chalicelib.storage.rows import Row

Item = Mapping[str, Mapping[str, Any]]
"""One item of a transaction as DynamoDB takes it: `ConditionCheck`, `Delete`, `Put` or `Update`, and its request."""


class Tables(Protocol):
    """What is asked of the tables by key, read strongly, and written in one. Raises Refused and NoAnswer."""

    def row(self, record_id: str) -> Row | None:
        """One record's row, or None. One GetItem."""
        ...

    def rows(self, ids: Sequence[str]) -> tuple[list[Row], list[str]]:
        """The rows that there are of at most 100 records, in any order, and the ids that DynamoDB left out for now.

        One BatchGetItem.
        """
        ...

    def row_at(self, table: str, key: Row) -> Row | None:
        """One row of any table, or None; `key` has the hash key first. One GetItem."""
        ...

    def transact(self, items: Sequence[Item], token: str, written: str | None = None) -> None:
        """All items or none. One TransactWriteItems, with a token that tells a repeat for ten minutes.

        `written` is the JSON of the items, where that is at hand.

        Items stand in the order of checks, deletes, puts and updates. A transaction that was cancelled is Refused with
        a reason for each item.
        """
        ...

    def update(self, request: Mapping[str, Any]) -> None:
        """One UpdateItem, as DynamoDB takes it.

        One whose condition did not hold is Refused with one reason, which has the row where the request wants it.
        """
        ...


class DirectTables:
    """Tables over connections of our own, for any number of threads."""

    def __init__(self, config: StoreConfig, credentials: Credentials, seam: Seam) -> None:
        self._table = config.records_table
        self._database = JsonService(
            "dynamodb",
            config.address,
            region=config.region,
            credentials=credentials,
            connect_seconds=CONNECT_SECONDS,
            read_seconds=READ_SECONDS,
            now=SystemClock().now,
            seam=seam,
        )

    def row(self, record_id: str) -> Row | None:
        """See Tables."""
        return self.row_at(self._table, _key(record_id))

    def rows(self, ids: Sequence[str]) -> tuple[list[Row], list[str]]:
        """See Tables."""
        wanted = {"Keys": [_key(record_id) for record_id in ids], "ConsistentRead": True}
        found = self._ask("BatchGetItem", {"RequestItems": {self._table: wanted}})
        left_out = found["UnprocessedKeys"].get(self._table, {"Keys": ()})["Keys"]
        return found["Responses"].get(self._table, []), [key["id"]["S"] for key in left_out]

    def row_at(self, table: str, key: Row) -> Row | None:
        """See Tables."""
        row: Row | None = self._ask("GetItem", {"TableName": table, "Key": key, "ConsistentRead": True}).get("Item")
        return row

    def transact(self, items: Sequence[Item], token: str, written: str | None = None) -> None:
        """See Tables."""
        told = to_json(items) if written is None else written
        self._ask("TransactWriteItems", f'{{"TransactItems":{told},"ClientRequestToken":{to_json(token)}}}')

    def update(self, request: Mapping[str, Any]) -> None:
        """See Tables."""
        self._ask("UpdateItem", request)

    def _ask(self, operation: str, request: Mapping[str, Any] | str) -> dict[str, Any]:
        try:
            return self._database.ask(operation, request)
        except ServiceRefused as refused:
            raise _refusal(refused) from refused


def _key(record_id: str) -> dict[str, dict[str, str]]:
    return {"id": {"S": record_id}, "sort": {"S": HEAD}}


def _refusal(refused: ServiceRefused) -> Refused:
    said = refused.said
    message = str(said.get("message") or said.get("Message") or "")
    reasons = tuple(Reason(each["Code"], each.get("Item")) for each in said.get("CancellationReasons") or ())
    if refused.code == CONDITION:
        reasons = (Reason(refused.code, said.get("Item")),)
    return Refused(refused.code, message, reasons)
