"""One stack of CloudFormation: changed by change sets alone, watched until it stands, and never left unexplained."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import ClientError

POLL_SECONDS: Final = 5.0
LONGEST_SECONDS: Final = 3600.0
CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")
"""Each Lambda has a role of its own; AWS translates the template's serverless resources."""
_NO_CHANGE: Final = ("didn't contain changes", "No updates are to be performed")
"""How CloudFormation says so (https://repost.aws/knowledge-center/cloudformation-no-updates-error)."""

Say = Callable[[str], None]
Wait = Callable[[float], None]


class DeployFailed(Exception):
    """The stack did not become what was asked for; the message has CloudFormation's own reasons."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as it stands. `parameters` and `outputs` by name."""

    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]


class Stacks:
    """The stacks of an account and region."""

    def __init__(self, cloudformation: Any, say: Say, wait: Wait = time.sleep) -> None:
        self._cloudformation = cloudformation
        self._say = say
        self._wait = wait

    def find(self, name: str) -> Stack | None:
        """The stack, None where there is none, or only the shell that a change set leaves behind."""
        try:
            (found,) = self._cloudformation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        if found["StackStatus"] in {"REVIEW_IN_PROGRESS", "DELETE_COMPLETE"}:
            return None
        return Stack(
            found["StackStatus"],
            {each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", ())},
            {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs") or ()},
        )

    def change(self, name: str, template_url: str | None, said: Mapping[str, str]) -> bool:
        """Bring a stack to a template, or only to other parameters; whether anything changed.

        A parameter that is not in `said` keeps its value. Raises DeployFailed.
        """
        standing = self.find(name)
        if standing is not None and standing.status == "ROLLBACK_COMPLETE":
            raise DeployFailed(
                f"the first deployment of {name} failed and was rolled back; such a stack can only be removed: "
                f"make destroy STAGE={name.removeprefix('till-')}, then deploy again"
            )
        change_set = f"till-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
        where = {"UsePreviousTemplate": True} if template_url is None else {"TemplateURL": template_url}
        kept = {} if standing is None else {key: None for key in standing.parameters if key not in said}
        self._cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            ChangeSetType="CREATE" if standing is None else "UPDATE",
            Parameters=[_parameter(key, value) for key, value in {**kept, **said}.items()],
            Capabilities=list(CAPABILITIES),
            **where,
        )
        if not self._has_changes(name, change_set):
            return False
        began = datetime.now(UTC)
        self._cloudformation.execute_change_set(StackName=name, ChangeSetName=change_set)
        self._watch(name, began)
        return True

    def remove(self, name: str) -> None:
        """Remove a stack with all that is not to be kept. Raises DeployFailed."""
        began = datetime.now(UTC)
        self._cloudformation.delete_stack(StackName=name)
        self._watch(name, began)

    def _has_changes(self, name: str, change_set: str) -> bool:
        for _ in self._patience():
            found = self._cloudformation.describe_change_set(StackName=name, ChangeSetName=change_set)
            if found["Status"] == "FAILED":
                reason = str(found.get("StatusReason", "no reason given"))
                self._cloudformation.delete_change_set(StackName=name, ChangeSetName=change_set)
                if any(words in reason for words in _NO_CHANGE):
                    return False
                raise DeployFailed(f"the change set of {name} was refused: {reason}")
            if found["Status"] == "CREATE_COMPLETE":
                for change in found.get("Changes", ()):
                    self._say(f"  {_change(change['ResourceChange'])}")
                return True
        raise DeployFailed(f"the change set of {name} was not made within an hour")

    def _watch(self, name: str, began: datetime) -> None:
        """Say what happens until nothing does. Raises DeployFailed."""
        seen: set[str] = set()
        reasons: list[str] = []
        for _ in self._patience():
            status = self._status(name)
            for event in reversed(self._events(name, began)):
                if event["EventId"] not in seen:
                    seen.add(event["EventId"])
                    self._say(f"  {event['LogicalResourceId']} {event['ResourceStatus'].lower().replace('_', ' ')}")
                    if "FAILED" in event["ResourceStatus"] and event.get("ResourceStatusReason"):
                        reasons.append(f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}")
            if not status.endswith("_IN_PROGRESS"):
                if "ROLLBACK" in status or "FAILED" in status:
                    raise DeployFailed(f"{name} ended as {status}:\n  " + "\n  ".join(reasons or ["no reason given"]))
                return
        raise DeployFailed(f"{name} was still at work after an hour; look at it in CloudFormation's console")

    def _status(self, name: str) -> str:
        try:
            return str(self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        except ClientError as error:
            if "does not exist" in str(error):
                return "DELETE_COMPLETE"
            raise

    def _events(self, name: str, began: datetime) -> list[dict[str, Any]]:
        """The newest page of what happened since, newest first; polled often enough for that to be all."""
        try:
            events = self._cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        except ClientError as error:
            if "does not exist" in str(error):
                return []
            raise
        return [event for event in events if event["Timestamp"] >= began.replace(microsecond=0)]

    def _patience(self) -> Any:
        for _ in range(int(LONGEST_SECONDS / POLL_SECONDS)):
            yield None
            self._wait(POLL_SECONDS)


def _parameter(key: str, value: str | None) -> dict[str, Any]:
    if value is None:
        return {"ParameterKey": key, "UsePreviousValue": True}
    return {"ParameterKey": key, "ParameterValue": value}


def _change(change: Mapping[str, Any]) -> str:
    # A replacement is the one change that can lose what is stored, so it is shouted.
    replaced = ", REPLACED" if change.get("Replacement") == "True" else ""
    return f"{change['Action'].lower()} {change['LogicalResourceId']} ({change['ResourceType']}{replaced})"
