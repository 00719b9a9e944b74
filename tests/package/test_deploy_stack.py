"""A stack that does not do what was asked for: each ending of CloudFormation's is told with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.deploy.__main__ import main
from infra.deploy.artefacts import ensure_bucket
from infra.deploy.stack import DeployFailed, Stacks

NAME = "till-prod"
URL = "https://packages.s3.us-east-1.amazonaws.com/template.json"
ADDED = {"Type": "Resource", "ResourceChange": {"Action": "Add", "LogicalResourceId": "Topic", "ResourceType": "T"}}


def gone(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "ValidationError", "Message": f"Stack {NAME} does not exist"}}, operation)


@dataclass
class Script:
    """CloudFormation with its answers laid down: the last status of each kind stays."""

    statuses: list[str | None]
    change_set: dict[str, Any] = field(default_factory=lambda: {"Status": "CREATE_COMPLETE", "Changes": [ADDED]})
    events: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def describe_stacks(self, StackName: str) -> Any:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status is None:
            raise gone("DescribeStacks")
        parameters = [{"ParameterKey": "MailFrom", "ParameterValue": "mail@till.example"}]
        return {"Stacks": [{"StackStatus": status, "Parameters": parameters}]}

    def describe_change_set(self, **asked: Any) -> Any:
        return self.change_set

    def describe_stack_events(self, StackName: str) -> Any:
        return {"StackEvents": self.events}

    def __getattr__(self, name: str) -> Any:
        def call(**asked: Any) -> None:
            self.calls.append((name, asked))

        return call

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


def event(number: int, resource: str, status: str, reason: str | None = None, *, ago: int = 0) -> dict[str, Any]:
    made = {
        "EventId": str(number),
        "LogicalResourceId": resource,
        "ResourceStatus": status,
        "Timestamp": datetime.now(UTC) + timedelta(seconds=1 - ago),
    }
    return made if reason is None else made | {"ResourceStatusReason": reason}


def stacks(script: Script) -> tuple[Stacks, list[str], list[float]]:
    said: list[str] = []
    waited: list[float] = []
    return Stacks(script, said.append, waited.append), said, waited


def test_a_new_stack_is_created_and_each_step_is_said_once() -> None:
    script = Script([None, "CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"])
    script.events = [event(2, NAME, "CREATE_COMPLETE"), event(1, "Topic", "CREATE_COMPLETE")]
    script.events += [event(0, "Topic", "CREATE_FAILED", "of the day before", ago=90_000)]
    changed, said, waited = stacks(script)
    assert changed.change(NAME, URL, {"Stage": "prod"}) is True
    assert said == ["  add Topic (T)", "  Topic create complete", "  till-prod create complete"]
    assert waited == [5.0, 5.0]
    ((_, asked), (executed, _)) = script.calls
    assert executed == "execute_change_set"
    assert (asked["ChangeSetType"], asked["TemplateURL"]) == ("CREATE", URL)
    assert asked["Parameters"] == [{"ParameterKey": "Stage", "ParameterValue": "prod"}]


def test_a_stack_that_stands_is_updated_and_keeps_what_is_not_said() -> None:
    script = Script(["UPDATE_COMPLETE"])
    changed, _, _ = stacks(script)
    assert changed.change(NAME, None, {"SecretsVersion": "2"}) is True
    asked = script.calls[0][1]
    assert (asked["ChangeSetType"], asked["UsePreviousTemplate"]) == ("UPDATE", True)
    assert asked["Parameters"] == [
        {"ParameterKey": "MailFrom", "UsePreviousValue": True},
        {"ParameterKey": "SecretsVersion", "ParameterValue": "2"},
    ]


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ],
)
def test_nothing_to_change_is_no_failure_and_nothing_is_executed(reason: str) -> None:
    script = Script(["UPDATE_COMPLETE"], {"Status": "FAILED", "StatusReason": reason})
    changed, _, _ = stacks(script)
    assert changed.change(NAME, URL, {}) is False
    assert script.names() == ["create_change_set", "delete_change_set"]


def test_a_refused_change_set_is_told_with_its_reason_and_nothing_is_executed() -> None:
    reason = "Template format error: Unresolved resource dependencies [MailsQueue]"
    script = Script(["UPDATE_COMPLETE"], {"Status": "FAILED", "StatusReason": reason})
    changed, _, _ = stacks(script)
    with pytest.raises(DeployFailed, match=r"the change set of till-prod was refused: .*\[MailsQueue\]"):
        changed.change(NAME, URL, {})
    assert script.names() == ["create_change_set", "delete_change_set"]


def test_a_rollback_is_told_with_the_reasons_of_what_failed() -> None:
    script = Script(["CREATE_COMPLETE", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"])
    script.events = [event(2, "Topic", "UPDATE_COMPLETE"), event(1, "Domain", "CREATE_FAILED", "no such certificate")]
    changed, said, _ = stacks(script)
    with pytest.raises(DeployFailed) as failed:
        changed.change(NAME, URL, {})
    assert str(failed.value) == "till-prod ended as UPDATE_ROLLBACK_COMPLETE:\n  Domain: no such certificate"
    assert said[1:] == ["  Domain create failed", "  Topic update complete"]


def test_a_first_deployment_that_failed_says_how_to_begin_again() -> None:
    script = Script(["ROLLBACK_COMPLETE"])
    changed, _, _ = stacks(script)
    with pytest.raises(DeployFailed, match="make destroy STAGE=prod, then deploy again"):
        changed.change(NAME, URL, {})
    assert script.calls == []


def test_what_is_replaced_is_shouted() -> None:
    change = {**ADDED["ResourceChange"], "Action": "Modify", "Replacement": "True"}  # type: ignore[dict-item]
    script = Script(["UPDATE_COMPLETE"], {"Status": "CREATE_COMPLETE", "Changes": [{"ResourceChange": change}]})
    changed, said, _ = stacks(script)
    changed.change(NAME, URL, {})
    assert said == ["  modify Topic (T, REPLACED)"]


def test_a_stack_that_is_still_at_work_after_an_hour_is_left_to_a_person() -> None:
    script = Script(["UPDATE_COMPLETE", "UPDATE_IN_PROGRESS"])
    changed, _, waited = stacks(script)
    with pytest.raises(DeployFailed, match="still at work after an hour"):
        changed.change(NAME, URL, {})
    assert sum(waited) == 3600.0


def test_a_removed_stack_is_gone_and_one_that_cannot_be_removed_says_why() -> None:
    script = Script(["DELETE_IN_PROGRESS", None])
    removed, _, _ = stacks(script)
    removed.remove(NAME)
    assert script.names() == ["delete_stack"]
    stuck = Script(["DELETE_FAILED"], events=[event(1, "FilesBucket", "DELETE_FAILED", "not empty")])
    removed, _, _ = stacks(stuck)
    with pytest.raises(DeployFailed, match="DELETE_FAILED:\n  FilesBucket: not empty"):
        removed.remove(NAME)


def test_a_bucket_of_somebody_else_is_not_used() -> None:
    @dataclass
    class S3:
        made: list[str] = field(default_factory=list)

        def head_bucket(self, **asked: Any) -> None:
            assert asked["ExpectedBucketOwner"] == "123456789012"
            raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadBucket")

        def create_bucket(self, **asked: Any) -> None:
            self.made.append(asked["Bucket"])

    s3 = S3()
    with pytest.raises(ClientError, match="Forbidden"):
        ensure_bucket(s3, "till-packages", "us-east-1", "123456789012")
    assert s3.made == []


def test_the_command_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy"]) == 2
    assert "deploy STAGE" in capsys.readouterr().out
