"""CloudFormation as a deployment meets it: moto's, with the two things that AWS does and moto does not.

AWS translates serverless resources, here by the translator that AWS publishes; and a change set keeps parameters that
say so. What moto cannot make is taken out before it sees the template, by name, so that the list is known.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from moto.cloudformation.models import cloudformation_backends
from samtranslator.translator.transform import transform

ACCOUNT = "123456789012"
NOT_AT_MOTO = frozenset({
    # Its RestApi does not read an API's body, so the API has no methods, which a deployment needs.
    "AWS::ApiGateway::Deployment", "AWS::ApiGateway::Stage", "AWS::ApiGateway::BasePathMapping",
    # It says so itself, and goes on without.
    "AWS::CloudWatch::Alarm", "AWS::Lambda::EventInvokeConfig", "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
})  # fmt: skip


class _NoManagedPolicies:
    """Every Lambda has a role of its own, so none is looked up."""

    def load(self) -> dict[str, str]:
        return {}


def translate(template: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    """The template without serverless resources, as AWS translates it."""
    with pytest.MonkeyPatch.context() as patch:
        # It asks boto3 for a region, only to know the partition's name.
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        translated: dict[str, Any] = transform(json.loads(json.dumps(template)), parameters, _NoManagedPolicies())
    return translated


class CloudFormation:
    """A boto3 client, less the difference."""

    def __init__(self, region: str) -> None:
        self._moto: Any = boto3.client("cloudformation", region_name=region)
        self._s3: Any = boto3.client("s3", region_name=region)
        self._region = region
        self._templates: dict[str, str] = {}
        self.asked: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._moto, name)

    def create_change_set(self, **asked: Any) -> Any:
        """The same with the template translated, and every parameter with its value."""
        self.asked.append(asked)
        name = asked["StackName"]
        backend = cloudformation_backends[ACCOUNT][self._region]
        standing = next((stack.parameters for stack in backend.stacks.values() if stack.name == name), {})
        values = {
            each["ParameterKey"]: standing[each["ParameterKey"]]
            if each.get("UsePreviousValue")
            else each["ParameterValue"]
            for each in asked.pop("Parameters")
        }
        if asked.pop("UsePreviousTemplate", False):
            body = self._templates[name]
        else:
            address = urlsplit(asked.pop("TemplateURL"))
            bucket = (address.hostname or "").partition(".s3.")[0]
            stored = self._s3.get_object(Bucket=bucket, Key=address.path.lstrip("/"))["Body"].read()
            given = json.loads(stored)
            for parameter, declared in given["Parameters"].items():
                values.setdefault(parameter, str(declared.get("Default", "")))
            translated = translate(given, values)
            translated["Resources"] = {
                key: made for key, made in translated["Resources"].items() if made["Type"] not in NOT_AT_MOTO
            }
            body = self._templates[name] = json.dumps(translated, sort_keys=True)
        pairs = [{"ParameterKey": key, "ParameterValue": value} for key, value in sorted(values.items())]
        return self._moto.create_change_set(**asked, Parameters=pairs, TemplateBody=body)

    def execute_change_set(self, **asked: Any) -> Any:
        """The same; moto leaves a stack's parameters and outputs as they were before."""
        backend = cloudformation_backends[ACCOUNT][self._region]
        change_set = backend.describe_change_set(asked["ChangeSetName"])
        assert change_set is not None
        answer = self._moto.execute_change_set(**asked)
        change_set.stack.parameters = change_set.parameters
        change_set.stack._parse_template()
        change_set.stack.output_map = change_set.stack._create_output_map()
        return answer
