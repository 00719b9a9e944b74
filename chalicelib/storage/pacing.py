"""Tokens for calls to Stripe, leased from one counter a second: a block costs one write, however many calls it covers.

The rows stand beside the records, under a sort key of their own, and DynamoDB removes them when they are old.
"""

from __future__ import annotations

from typing import Final

from chalicelib.services.ports import Allowance, NoAnswer, StoreUnavailable
from chalicelib.storage.patience import CONDITION, Refused
from chalicelib.storage.rows import EXPIRES, Row, number, text
from chalicelib.storage.tables import Tables

SORT: Final = "~pace"
"""The sort key of the counters: no aggregate is found there."""
KEPT_SECONDS: Final = 3600
"""How long a counter stays before DynamoDB may remove it; it is read in its own second alone."""

_TOTAL: Final = "total"
_TRIES: Final = 3


def bucket_id(second: int) -> str:
    """Where a second's tokens are counted."""
    return f"pace#{second}"


class DynamoTokenLeases:
    """TokenLeases on the records table. One conditional write leases a block; a second when less than that is left."""

    def __init__(self, tables: Tables, table: str) -> None:
        self._tables = tables
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
        """None when the block is ours, else what has been taken: for the endpoint, and in all.

        Written by hand like a transaction's items (AWS: UpdateItem); PynamoDB's expressions say the same.
        """
        # The names are given apart, since an endpoint's has characters that an expression cannot have.
        request = {
            "TableName": self._table,
            "Key": {"id": text(bucket_id(second)), "sort": text(SORT)},
            "UpdateExpression": "SET #expires = :expires ADD #total :wanted, #mine :wanted",
            "ConditionExpression": (
                "(attribute_not_exists (#total) OR #total <= :total)"
                " AND (attribute_not_exists (#mine) OR #mine <= :mine)"
            ),
            "ExpressionAttributeNames": {"#expires": EXPIRES, "#total": _TOTAL, "#mine": endpoint},
            "ExpressionAttributeValues": {
                ":expires": number(second + KEPT_SECONDS),
                ":wanted": number(wanted),
                ":total": number(allowance.total - wanted),
                ":mine": number(allowance.endpoint - wanted),
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            self._tables.update(request)
        except NoAnswer as error:
            raise StoreUnavailable("no tokens could be leased") from error
        except Refused as error:
            if error.code != CONDITION:
                raise StoreUnavailable("no tokens could be leased") from error
            row = error.reasons[0].row or {}
            return _count(row, endpoint), _count(row, _TOTAL)
        return None


def _count(row: Row, name: str) -> int:
    return int(row.get(name, {"N": "0"})["N"])
