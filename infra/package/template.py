"""The template that is deployed: what Chalice wrote, merged with ours, and what holds for every Lambda alike."""

from __future__ import annotations

from typing import Any, Final

FUNCTION: Final = "AWS::Serverless::Function"
BATCHES: Final = frozenset({"SQS", "DynamoDB", "Kinesis"})
"""Event sources whose Lambda is handed several at once, and answers which of them failed."""
_WEB: Final = ("APIHandler", "web")
"""Chalice's name for the Lambda behind the API, and what its logs are called."""


class TemplateIncomplete(Exception):
    """`infra/template.json` speaks of a resource that neither it nor Chalice makes: a job was renamed, most likely."""


def finish(template: dict[str, Any]) -> dict[str, Any]:
    """The merged template with a log group for every Lambda. Raises TemplateIncomplete."""
    orphans = [name for name, resource in template["Resources"].items() if "Type" not in resource]
    if orphans:
        raise TemplateIncomplete(f"not made by anybody: {', '.join(sorted(orphans))}")
    resources = dict(template["Resources"])
    for name, resource in template["Resources"].items():
        if resource["Type"] == FUNCTION:
            logs = f"{name}Logs"
            resources[logs] = _log_group(name)
            properties = _properties(resource["Properties"], logs)
            resources[name] = {**resource, "Properties": properties}
            for event in properties.get("Events", {}).values():
                _finish_event(event, resources)
    return {**template, "Resources": dict(sorted(resources.items()))}


def _log_group(function: str) -> dict[str, Any]:
    # Of our own naming: a group named after the function would need the function first, whose role needs the group.
    short = _WEB[1] if function == _WEB[0] else _snake(function)
    name = {"Fn::Sub": f"/till/${{Stage}}/{short}"}
    return {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {"LogGroupName": name, "RetentionInDays": {"Ref": "LogDays"}},
    }


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _properties(given: dict[str, Any], logs: str) -> dict[str, Any]:
    return {**given, "LoggingConfig": {"LogGroup": {"Ref": logs}}, "Tags": {"till": {"Ref": "Stage"}}}


def _finish_event(event: dict[str, Any], resources: dict[str, Any]) -> None:
    properties = event["Properties"]
    if event["Type"] in BATCHES:
        # Chalice has no word for it, and without it any answer means that the whole batch was done.
        properties["FunctionResponseTypes"] = ["ReportBatchItemFailures"]
    if event["Type"] == "SQS":
        properties["Queue"] = {"Fn::GetAtt": [_queue_of(properties["Queue"], resources), "Arn"]}
        # Chalice writes zero, its default; a FIFO queue knows no such window at all.
        if properties["MaximumBatchingWindowInSeconds"] == 0:
            del properties["MaximumBatchingWindowInSeconds"]


def _queue_of(written: dict[str, str], resources: dict[str, Any]) -> str:
    """The stack's own queue behind the name in the decorator: `billing.fifo` is `BillingQueue`."""
    name = written["Fn::Sub"].rpartition(":")[2]
    logical_id = f"{name.partition('.')[0].capitalize()}Queue"
    if resources.get(logical_id, {}).get("Type") != "AWS::SQS::Queue":
        raise TemplateIncomplete(f"there is no {logical_id} for the queue {name}")
    return logical_id
