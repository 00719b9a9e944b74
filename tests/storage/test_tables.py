"""The tables: what the template says, what the code relies on, and what one machine makes are the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from chalicelib.storage.connection import connect
from chalicelib.storage.schema import StoreConfig
from infra.local.tables import TEMPLATE, create_tables, drop_tables

TABLES = {
    name: resource
    for name, resource in json.loads(TEMPLATE.read_text(encoding="utf-8"))["Resources"].items()
    if resource.get("Type") == "AWS::DynamoDB::Table"
}
NAMES = {"RecordsTable": "rec", "EventsTable": "eve", "TimersTable": "tim"}


def by_name(definitions: list[dict[str, str]]) -> list[tuple[str, str]]:
    return sorted((one["AttributeName"], one["AttributeType"]) for one in definitions)


def test_there_are_three_tables_that_nobody_loses_by_accident() -> None:
    assert sorted(TABLES) == sorted(NAMES)
    for resource in TABLES.values():
        properties = resource["Properties"]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        assert properties["DeletionProtectionEnabled"] is True
        assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_only_events_have_a_stream() -> None:
    streams = {name: resource["Properties"].get("StreamSpecification") for name, resource in TABLES.items()}
    assert streams == {"RecordsTable": None, "EventsTable": {"StreamViewType": "NEW_IMAGE"}, "TimersTable": None}


@pytest.mark.parametrize("logical_id", NAMES)
def test_the_code_relies_on_the_keys_that_the_template_creates(logical_id: str) -> None:
    connection = connect(StoreConfig("us-east-1", None, *NAMES.values()))
    relied, created = connection.get_meta_table(NAMES[logical_id]).data, TABLES[logical_id]["Properties"]
    assert relied["KeySchema"] == created["KeySchema"]
    assert by_name(relied["AttributeDefinitions"]) == by_name(created["AttributeDefinitions"])
    indexes = created.get("GlobalSecondaryIndexes", [])
    assert relied["GlobalSecondaryIndexes"] == [
        {"IndexName": index["IndexName"], "KeySchema": index["KeySchema"]} for index in indexes
    ]
    assert all(index["Projection"] == {"ProjectionType": "KEYS_ONLY"} for index in indexes)


def described(endpoint: str, name: str) -> Any:
    client = boto3.client("dynamodb", endpoint_url=endpoint, region_name="us-east-1")
    return client.describe_table(TableName=name)["Table"]


def test_one_machine_makes_the_templates_tables_and_drops_them_again(dynamodb_endpoint: str) -> None:
    names = {logical_id: f"till-made-{name}" for logical_id, name in NAMES.items()}
    create_tables(TEMPLATE, dynamodb_endpoint, names, "us-east-1")
    for logical_id, name in names.items():
        table, template = described(dynamodb_endpoint, name), TABLES[logical_id]["Properties"]
        assert table["KeySchema"] == template["KeySchema"]
        assert by_name(table["AttributeDefinitions"]) == by_name(template["AttributeDefinitions"])
        made = sorted(index["IndexName"] for index in table.get("GlobalSecondaryIndexes", []))
        assert made == sorted(index["IndexName"] for index in template.get("GlobalSecondaryIndexes", []))
    assert described(dynamodb_endpoint, names["EventsTable"])["StreamSpecification"] == {
        "StreamEnabled": True,
        "StreamViewType": "NEW_IMAGE",
    }
    drop_tables(TEMPLATE, dynamodb_endpoint, names, "us-east-1")
    client = boto3.client("dynamodb", endpoint_url=dynamodb_endpoint, region_name="us-east-1")
    assert not set(names.values()) & set(client.list_tables()["TableNames"])


def test_who_reads_no_stream_needs_none(dynamodb_endpoint: str) -> None:
    names = {logical_id: f"till-still-{name}" for logical_id, name in NAMES.items()}
    create_tables(TEMPLATE, dynamodb_endpoint, names, "us-east-1", streams=False)
    assert "StreamSpecification" not in described(dynamodb_endpoint, names["EventsTable"])
    drop_tables(TEMPLATE, dynamodb_endpoint, names, "us-east-1")


def test_a_property_that_one_machine_would_leave_out_in_silence_is_refused(tmp_path: Path) -> None:
    template = {"Resources": {"T": {"Type": "AWS::DynamoDB::Table", "Properties": {"KinesisStreamSpecification": {}}}}}
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template), encoding="utf-8")
    with pytest.raises(ValueError, match="KinesisStreamSpecification has no counterpart"):
        create_tables(path, "http://127.0.0.1:9", {"T": "ttt"}, "us-east-1")
