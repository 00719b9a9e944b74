"""The machine's tables: on DynamoDB Local, or on moto where no Java can be had, and back to a snapshot on request."""

from __future__ import annotations

from typing import Any, Final

import boto3

from infra.local.tables import TEMPLATE, create_tables, drop_tables

TABLES: Final = {"RecordsTable": "till-records", "EventsTable": "till-events", "TimersTable": "till-timers"}
"""The template's names and the ones used here."""

_BATCH: Final = 25
"""Items in one BatchWriteItem (AWS)."""

Snapshot = dict[str, list[dict[str, Any]]]
"""Every item of every table, as DynamoDB's own typed JSON."""


class Database:
    """Three tables behind one endpoint."""

    def __init__(self, endpoint: str, region: str) -> None:
        self.endpoint = endpoint
        self._region = region
        self._client: Any = boto3.client("dynamodb", endpoint_url=endpoint, region_name=region)

    def create(self) -> None:
        """Make the tables, empty. Without the stream: what reads it when deployed only counts for an operator."""
        create_tables(TEMPLATE, self.endpoint, TABLES, self._region, streams=False)

    def snapshot(self) -> Snapshot:
        """What the tables hold now."""
        return {
            name: [
                item
                for page in self._client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
                for item in page["Items"]
            ]
            for name in TABLES.values()
        }

    def restore(self, snapshot: Snapshot) -> None:
        """Have the tables hold exactly what they held then."""
        drop_tables(TEMPLATE, self.endpoint, TABLES, self._region)
        self.create()
        for name, items in snapshot.items():
            for start in range(0, len(items), _BATCH):
                left = {name: [{"PutRequest": {"Item": item}} for item in items[start : start + _BATCH]]}
                while left:
                    left = self._client.batch_write_item(RequestItems=left)["UnprocessedItems"]
