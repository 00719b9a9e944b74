"""The tables of one machine, made from the template that is deployed, so that the two cannot drift apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import boto3

TEMPLATE: Final = Path(__file__).resolve().parents[1] / "template.json"

_TAKEN: Final = frozenset({"AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode"})
_ONLY_IN_AWS: Final = frozenset({
    "PointInTimeRecoverySpecification", "DeletionProtectionEnabled", "Tags",
    # Nothing relies on a row being gone, so nothing need be removed on one machine.
    "TimeToLiveSpecification",
})  # fmt: skip
"""Protections and housekeeping that an emulator does not know, or that would keep a test from clearing up."""


def create_tables(
    template_path: Path, endpoint_url: str, names: Mapping[str, str], region: str, *, streams: bool = True
) -> None:
    """Make every table of the template at an emulator; `names` gives each logical id (`RecordsTable`) its name.

    Without `streams` no table has one: where nobody reads it, it costs DynamoDB Local a fifth of all its work.
    Raises KeyError for a table without a name, ValueError for a property of the template that is not known here.
    """
    client = _client(endpoint_url, region)
    for logical_id, properties in _tables(template_path).items():
        request = _as_request(logical_id, properties)
        if not streams:
            request.pop("StreamSpecification", None)
        client.create_table(TableName=names[logical_id], **request)


def drop_tables(template_path: Path, endpoint_url: str, names: Mapping[str, str], region: str) -> None:
    """Remove every table of the template, with what is in it."""
    client = _client(endpoint_url, region)
    for logical_id in _tables(template_path):
        client.delete_table(TableName=names[logical_id])


@cache
def _client(endpoint_url: str, region: str) -> Any:
    # Fixed credentials: a machine's real ones have no business at an emulator. DynamoDB Local takes letters and digits.
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def _tables(template_path: Path) -> dict[str, Mapping[str, Any]]:
    resources = json.loads(template_path.read_text(encoding="utf-8"))["Resources"]
    return {
        logical_id: resource["Properties"]
        for logical_id, resource in resources.items()
        # A Lambda that Chalice makes is only added to here, and has no type.
        if resource.get("Type") == "AWS::DynamoDB::Table"
    }


def _as_request(logical_id: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {}
    for name, value in properties.items():
        if name in _TAKEN:
            request[name] = value
        elif name == "StreamSpecification":
            # CloudFormation switches a stream on by naming its view; the API wants it said.
            request[name] = {"StreamEnabled": True, **value}
        elif name not in _ONLY_IN_AWS:
            raise ValueError(f"{logical_id}: {name} has no counterpart on one machine yet")
    return request
