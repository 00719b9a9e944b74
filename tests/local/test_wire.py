from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.local.conftest import Cloud
from tests.wire import Wire

KEY = {"id": {"S": "a"}}


@pytest.fixture
def wire(cloud: Cloud) -> Iterator[Wire]:
    with Wire(cloud.endpoint) as counting:
        yield counting


@pytest.fixture
def dynamodb(wire: Wire) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=wire.endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def test_each_request_is_counted_by_its_operation_and_passes_unchanged(wire: Wire, dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName="things",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    wire.forget()
    dynamodb.put_item(TableName="things", Item={**KEY, "n": {"N": "7"}})
    assert dynamodb.get_item(TableName="things", Key=KEY, ConsistentRead=True)["Item"] == {**KEY, "n": {"N": "7"}}
    assert wire.operations() == ["PutItem", "GetItem"]
    assert wire.calls()[1].body == {"TableName": "things", "Key": KEY, "ConsistentRead": True}
    dynamodb.delete_table(TableName="things")


def test_a_refusal_is_counted_too(wire: Wire, dynamodb: Any) -> None:
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.get_item(TableName="nothing", Key=KEY)
    assert [(call.operation, call.status) for call in wire.calls()] == [("GetItem", 400)]
