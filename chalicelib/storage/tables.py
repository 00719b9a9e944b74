"""Rows read by their keys, and transactions, by requests of our own: what somebody waits for, without the library that
does the rest.

Each is one signed request on the wire, sent once; what may be sent again, and when, its caller says.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from chalicelib.aws.connections import Connections, HttpAnswer
from chalicelib.aws.signing import Credentials, Signer
from chalicelib.gateways.clock import SystemClock
from chalicelib.services.ports import NoAnswer, Seam
from chalicelib.storage.patience import Reason, Refused
from chalicelib.storage.schema import CONNECT_SECONDS, HEAD, READ_SECONDS, StoreConfig

if TYPE_CHECKING:
    from chalicelib.storage.rows import Row

_VERSION: Final = "DynamoDB_20120810"

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

    def transact(self, items: Sequence[Item], token: str) -> None:
        """All items or none. One TransactWriteItems, with a token that tells a repeat for ten minutes.

        Items stand in the order of checks, deletes, puts and updates. A transaction that was cancelled is Refused with
        a reason for each item.
        """
        ...


class DirectTables:
    """Tables over connections of our own, for any number of threads."""

    def __init__(self, config: StoreConfig, credentials: Credentials, seam: Seam) -> None:
        # The machine's own clock: AWS refuses what was not signed about now.
        clock = SystemClock()
        self._table = config.records_table
        self._seam = seam
        self._connections = Connections(
            config.address,
            connect_seconds=CONNECT_SECONDS,
            read_seconds=READ_SECONDS,
            seconds=lambda: clock.now().timestamp(),
        )
        self._signer = Signer(
            credentials, service="dynamodb", region=config.region, host=self._connections.host, now=clock.now
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

    def transact(self, items: Sequence[Item], token: str) -> None:
        """See Tables."""
        self._ask("TransactWriteItems", {"TransactItems": items, "ClientRequestToken": token})

    def _ask(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(request, separators=(",", ":")).encode("ascii")
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"{_VERSION}.{operation}"}

        def send() -> HttpAnswer:
            # Signed anew each time: a signature is good for minutes.
            return self._connections.post(self._signer.signed(headers, body), body)

        answer = self._seam.cross("dynamodb", operation, send)
        checksum = answer.headers.get("x-amz-crc32")
        if checksum is not None and checksum != str(zlib.crc32(answer.content)):
            raise NoAnswer("the answer is not what was sent")
        if answer.status_code != 200:
            raise _refusal(answer)
        try:
            found: dict[str, Any] = json.loads(answer.content)
        except ValueError as error:
            raise NoAnswer("the answer cannot be read") from error
        return found


def _key(record_id: str) -> dict[str, dict[str, str]]:
    return {"id": {"S": record_id}, "sort": {"S": HEAD}}


def _refusal(answer: HttpAnswer) -> Refused:
    """What DynamoDB says no with. Where somebody before it said so, there is the bare status."""
    try:
        said = json.loads(answer.content)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        said = {}
    # `com.amazonaws.dynamodb.v20120810#ThrottlingException`
    code = str(said.get("__type", answer.status_code)).rpartition("#")[2]
    message = str(said.get("message") or said.get("Message") or "")
    reasons = tuple(Reason(each["Code"], each.get("Item")) for each in said.get("CancellationReasons") or ())
    return Refused(code, message, reasons)
