"""Tokens for calls to Stripe, leased from one counter a second: a block costs one write, however many calls it covers.

The rows stand beside the records, under a sort key of their own, and DynamoDB removes them when they are old.
"""

from __future__ import annotations

from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.connection.base import Connection
from pynamodb.constants import UPDATE_ITEM
from pynamodb.expressions.operand import Path

from chalicelib.services.ports import Allowance, StoreUnavailable
from chalicelib.storage.rows import EXPIRES, number

SORT: Final = "~pace"
"""The sort key of the counters: no aggregate is found there."""
KEPT_SECONDS: Final = 3600
"""How long a counter stays before DynamoDB may remove it; it is read in its own second alone."""

_TOTAL: Final = "total"
_CONDITION: Final = "ConditionalCheckFailedException"
_TRIES: Final = 3


def bucket_id(second: int) -> str:
    """Where a second's tokens are counted."""
    return f"pace#{second}"


class DynamoTokenLeases:
    """TokenLeases on the records table. One conditional write leases a block; a second when less than that is left."""

    def __init__(self, connection: Connection, table: str) -> None:
        self._connection = connection
        self._table = table

    def lease(self, second: int, endpoint: str, wanted: int, allowance: Allowance) -> int:
        """See TokenLeases. A lease whose answer is lost is lost: it is not asked for again."""
        for _ in range(_TRIES):
            wanted = min(wanted, allowance.endpoint, allowance.total)
            if wanted < 1:
                return 0
            taken = self._try(second, endpoint, wanted, allowance)
            if taken is None:
                return wanted
            # Somebody leased meanwhile; what they left is asked for, or nothing where nothing is left.
            wanted = min(wanted, allowance.endpoint - taken[0], allowance.total - taken[1])
        return 0

    def _try(self, second: int, endpoint: str, wanted: int, allowance: Allowance) -> tuple[int, int] | None:
        """None when the block is ours, else what has been taken: for the endpoint, and in all."""
        total, mine = Path(_TOTAL), Path(endpoint)
        request: dict[str, Any] = self._connection.get_operation_kwargs(
            self._table,
            bucket_id(second),
            SORT,
            actions=[
                total.add(number(wanted)),
                mine.add(number(wanted)),
                Path(EXPIRES).set(number(second + KEPT_SECONDS)),
            ],
            condition=(total.does_not_exist() | (total <= number(allowance.total - wanted)))
            & (mine.does_not_exist() | (mine <= number(allowance.endpoint - wanted))),
            return_values_on_condition_failure="ALL_OLD",
        )
        try:
            self._connection.dispatch(UPDATE_ITEM, request)
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION:
                raise StoreUnavailable("no tokens could be leased") from error
            row = _row_in(error)
            return _count(row, endpoint), _count(row, _TOTAL)
        except BotoCoreError as error:
            raise StoreUnavailable("no tokens could be leased") from error
        return None


def _row_in(error: ClientError) -> dict[str, Any]:
    """The row whose condition failed. PynamoDB makes an error of its own and leaves the row in botocore's."""
    response: Any = getattr(error.__cause__, "response", None) or error.response
    return dict(response.get("Item", {}))


def _count(row: dict[str, Any], name: str) -> int:
    return int(row.get(name, {"N": "0"})["N"])
