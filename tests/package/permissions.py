"""What a call needs to be allowed, and what a role's policy in the template allows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.package.cloud import Cloud
from tests.wire import Call

ITEM_ACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
"""A transaction needs the permission of each of its items (https://docs.aws.amazon.com/amazondynamodb/latest/
developerguide/transaction-apis-iam.html)."""


def needed(cloud: Cloud, call: Call) -> Iterator[tuple[str, str]]:
    """Each action that a call needs, and the resource by its name in the template (`RecordsTable/index/…`)."""
    tables = {
        cloud.tables.records_table: "RecordsTable",
        cloud.tables.events_table: "EventsTable",
        cloud.tables.timers_table: "TimersTable",
    }
    if call.operation == "TransactWriteItems":
        for item in call.body["TransactItems"]:
            ((kind, what),) = item.items()
            yield f"dynamodb:{ITEM_ACTIONS[kind]}", tables[what["TableName"]]
    elif call.operation == "BatchGetItem":
        for name in call.body["RequestItems"]:
            yield "dynamodb:BatchGetItem", tables[name]
    elif call.operation in {"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan"}:
        index = f"/index/{call.body['IndexName']}" if "IndexName" in call.body else ""
        yield f"dynamodb:{call.operation}", tables[call.body["TableName"]] + index
    elif call.operation == "SendMessageBatch":
        (queue,) = [name for name, each in cloud.queues.items() if each.url == call.body["QueueUrl"]]
        yield "sqs:SendMessage", f"{queue.capitalize()}Queue"
    elif call.operation == "GetParameters":
        for name in call.body["Names"]:
            yield "ssm:GetParameters", f"parameter{name.replace('/test/', '/${Stage}/')}"
    else:
        assert "FromEmailAddress" in call.body, call
        yield "ses:SendEmail", "identity/anybody"


def role_of(template: dict[str, Any], function: str) -> dict[str, Any]:
    """The role's one policy."""
    ((_, (role, _)),) = template["Resources"][function]["Properties"]["Role"].items()
    (policy,) = template["Resources"][role]["Properties"]["Policies"]
    found: dict[str, Any] = policy["PolicyDocument"]
    return found


def allows(policy: dict[str, Any], action: str, resource: str) -> bool:
    """Whether a statement allows the action on the resource."""
    return any(
        action in statement["Action"] and any(_covers(each, resource) for each in resources_of(statement))
        for statement in policy["Statement"]
    )


def resources_of(statement: dict[str, Any]) -> list[Any]:
    """A statement's resources, always as a list."""
    given = statement["Resource"]
    return given if isinstance(given, list) else [given]


def _covers(written: dict[str, Any], resource: str) -> bool:
    ((how, what),) = written.items()
    if how == "Fn::GetAtt":
        return bool(what == [resource, "Arn"])
    plain = re.sub(r"\$\{(\w+)\.Arn\}", r"\1", str(what)).rpartition("${AWS::AccountId}:")[2]
    return re.fullmatch(re.escape(plain).replace(r"\*", ".*"), resource) is not None
