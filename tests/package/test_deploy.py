"""A deployment from nothing to removed, on moto: what AWS itself would do beyond that nobody has tried yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.domain.documents.merchants import Merchant
from chalicelib.handlers.auth import authenticate
from infra.deploy.deployment import UNKNOWN_URL, Account, Deployer
from infra.deploy.first_merchant import ports_of
from infra.deploy.options import OPTIONS, NotTold, parameters
from infra.deploy.stack import Stacks
from infra.package.build import Package
from tests.package.cloudformation import ACCOUNT, CloudFormation, translate

REGION = "eu-west-1"
SECRET_KEY = "sk_test_deployed_00001"
TOLD = {
    "TILL_MAIL_FROM": "mail@till.example",
    "TILL_STRIPE_PUBLISHABLE_KEY": "pk_test_deployed_00001",
    "TILL_STRIPE_SECRET_KEY": SECRET_KEY,
    "TILL_MERCHANT_NAME": "Pinewood Studio",
    "TILL_MERCHANT_TIMEZONE": "America/New_York",
    "TILL_MERCHANT_CURRENCY": "usd",
    "TILL_MERCHANT_COUNTRY": "us",
}


def nobody(question: str) -> str:
    raise EOFError(question)


@dataclass
class Operator:
    """Somebody at a terminal, with an account of AWS."""

    cloudformation: CloudFormation
    answers: dict[str, str] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        """All that was said, as one text."""
        return "\n".join(self.heard)

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name=REGION)  # type: ignore[call-overload]

    def deployer(self) -> Deployer:
        def ask(question: str) -> str:
            return self.answers.get(question.partition(" ")[0]) or nobody(question)

        account = Account(self.client, REGION, ACCOUNT)
        stacks = Stacks(self.cloudformation, self.heard.append, wait=lambda _: None)
        return Deployer(account, stacks, self.heard.append, ask, ask)

    def deploy(self, package: Package, stage: str = "prod", **changes: str) -> Any:
        self.heard.clear()
        return self.deployer().deploy(stage, package, {**TOLD, **changes})


@pytest.fixture(scope="module")
def operator() -> Iterator[Operator]:
    with mock_aws():
        yield Operator(CloudFormation(REGION))


@pytest.fixture(scope="module")
def first(operator: Operator, package: Package) -> tuple[Any, str]:
    """The first deployment: the stack, and all that was said."""
    stack = operator.deploy(package)
    return stack, operator.said


def lambdas(operator: Operator) -> dict[str, dict[str, Any]]:
    found = operator.client("lambda").list_functions()["Functions"]
    return {each["Handler"]: each for each in found}


def test_a_first_deployment_makes_the_stack_and_tells_it_its_own_address(
    operator: Operator, first: tuple[Any, str]
) -> None:
    stack, said = first
    assert stack.parameters["PublicBaseUrl"] == stack.outputs["EndpointURL"].rstrip("/")
    assert stack.parameters["PublicBaseUrl"].startswith("https://")
    assert f"Telling the stack its address, {stack.parameters['PublicBaseUrl']}" in said
    made = lambdas(operator)
    assert len(made) == 8
    for function in made.values():
        variables = function["Environment"]["Variables"]
        assert variables["TILL_PUBLIC_BASE_URL"] == stack.parameters["PublicBaseUrl"]
        assert variables["TILL_RECORDS_TABLE"] == stack.outputs["RecordsTableName"]
        assert variables["TILL_DIRECT_MERCHANT"] == "mer_pinewood-studio"
        assert variables["TILL_SECRETS_PATH"] == "/till/prod"
    mappings = operator.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert len(mappings) == 4
    assert {tuple(each["FunctionResponseTypes"]) for each in mappings} == {("ReportBatchItemFailures",)}


def test_secrets_are_in_parameter_store_encrypted_and_nowhere_else(operator: Operator, first: tuple[Any, str]) -> None:
    ssm = operator.client("ssm")
    described = {each["Name"]: each["Type"] for each in ssm.describe_parameters()["Parameters"]}
    names = [f"/till/prod/{last}" for last in ("form-secret", "stripe-secret-key", "stripe-webhook-secrets")]
    assert described == dict.fromkeys(names, "SecureString")
    kept = ssm.get_parameters(Names=names, WithDecryption=True)["Parameters"]
    values = {each["Name"].rpartition("/")[2]: each["Value"] for each in kept}
    assert values["stripe-secret-key"] == SECRET_KEY
    assert values["stripe-webhook-secrets"].startswith("whsec_unset")
    assert len(values["form-secret"]) >= 48
    s3 = operator.client("s3")
    (bucket,) = [each for each in s3.list_buckets()["Buckets"] if each["Name"].startswith("till-packages-")]
    templates = [
        s3.get_object(Bucket=bucket["Name"], Key=each["Key"])["Body"].read().decode()
        for each in s3.list_objects_v2(Bucket=bucket["Name"])["Contents"]
        if each["Key"].endswith(".json")
    ]
    assert len(templates) == 1
    open_to_see = [first[1], json.dumps(operator.cloudformation.asked), json.dumps(lambdas(operator)), *templates]
    for value in values.values():
        assert [text for text in open_to_see if value in text] == []
    blocked = s3.get_public_access_block(Bucket=bucket["Name"])["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}


def test_the_set_up_token_is_told_once_and_is_a_key_of_the_first_merchant(
    operator: Operator, first: tuple[Any, str], package: Package
) -> None:
    stack, said = first
    tokens = [line.strip() for line in said.splitlines() if line.strip().startswith("till_test_")]
    assert len(tokens) == 1
    ports = ports_of(stack, operator.client("ssm"), REGION, {})
    caller = authenticate(ports.records, f"Bearer {tokens[0]}", "payment_links:write")
    assert caller.merchant_id == "mer_pinewood-studio"
    merchant = ports.records.get(Merchant, caller.merchant_id)
    assert (merchant.timezone, merchant.country, merchant.livemode) == ("America/New_York", "US", False)
    assert f"{stack.parameters['PublicBaseUrl']}/webhooks/stripe/mer_pinewood-studio" in said
    operator.deploy(package)
    assert "till_test_" not in operator.said


@pytest.mark.usefixtures("first")
def test_a_second_deployment_of_the_same_says_that_nothing_changes_and_sends_nothing(
    operator: Operator, package: Package
) -> None:
    s3 = operator.client("s3")
    (bucket,) = [each["Name"] for each in s3.list_buckets()["Buckets"] if each["Name"].startswith("till-packages-")]
    before = {each["Key"]: each["LastModified"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    versions = operator.client("ssm").describe_parameters()["Parameters"]
    operator.deploy(package)
    assert "Nothing to change: till-prod is this package already" in operator.said
    assert {each["Key"]: each["LastModified"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]} == before
    assert operator.client("ssm").describe_parameters()["Parameters"] == versions


@pytest.mark.usefixtures("first")
def test_what_is_not_said_again_stays_and_what_is_said_changes(operator: Operator, package: Package) -> None:
    operator.heard.clear()
    stack = operator.deployer().deploy("prod", package, {"TILL_ALARM_EMAIL": "ops@till.example"})
    assert stack.parameters["AlarmEmail"] == "ops@till.example"
    assert stack.parameters["MailFrom"] == TOLD["TILL_MAIL_FROM"]
    assert stack.parameters["DirectMerchant"] == "mer_pinewood-studio"


@pytest.mark.usefixtures("first")
def test_a_secret_taken_anew_reaches_every_lambda(operator: Operator) -> None:
    before = {each["Environment"]["Variables"]["TILL_SECRETS_VERSION"] for each in lambdas(operator).values()}
    operator.answers["New"] = "whsec_of_the_endpoint_0001"
    operator.heard.clear()
    operator.deployer().put_secret("prod", "stripe-webhook-secrets")
    after = {each["Environment"]["Variables"]["TILL_SECRETS_VERSION"] for each in lambdas(operator).values()}
    assert (before, after) == ({"1.1.1"}, {"1.1.2"})
    assert "whsec_of_the_endpoint_0001" not in operator.said
    with pytest.raises(NotTold, match="NAME is one of form-secret, stripe-secret-key, stripe-webhook-secrets"):
        operator.deployer().put_secret("prod", "password")


def test_a_stage_that_nobody_can_set_up_leaves_nothing_behind(operator: Operator, package: Package) -> None:
    said = {name: value for name, value in TOLD.items() if name != "TILL_MAIL_FROM"}
    with pytest.raises(NotTold, match="TILL_MAIL_FROM is missing"):
        operator.deployer().deploy("other", package, said)
    with pytest.raises(NotTold, match="TILL_MERCHANT_NAME is missing"):
        operator.deployer().deploy("other", package, {**TOLD, "TILL_MERCHANT_NAME": ""})
    with pytest.raises(NotTold, match="STAGE is a name of small letters"):
        operator.deployer().deploy("Other stage", package, TOLD)
    names = [each["Name"] for each in operator.client("ssm").describe_parameters()["Parameters"]]
    assert [name for name in names if name.startswith("/till/other/")] == []
    assert operator.deployer().stacks.find("till-other") is None


def test_keys_of_two_modes_are_refused_before_anything_is_changed(operator: Operator, package: Package) -> None:
    with pytest.raises(NotTold, match="of different modes"):
        operator.deployer().deploy("mixed", package, {**TOLD, "TILL_STRIPE_SECRET_KEY": "sk_live_deployed_00001"})
    assert operator.deployer().stacks.find("till-mixed") is None
    names = [each["Name"] for each in operator.client("ssm").describe_parameters()["Parameters"]]
    assert [name for name in names if name.startswith("/till/mixed/")] == []


def test_a_domain_needs_its_certificate_and_becomes_the_address() -> None:
    with pytest.raises(NotTold, match="TILL_DOMAIN_NAME needs TILL_CERTIFICATE_ARN"):
        parameters({**TOLD, "TILL_DOMAIN_NAME": "pay.till.example"}, None, nobody)
    certificate = {"TILL_CERTIFICATE_ARN": "arn:aws:acm:eu-west-1:123456789012:certificate/1"}
    said = parameters({**TOLD, "TILL_DOMAIN_NAME": "pay.till.example", **certificate}, None, nobody)
    assert said["PublicBaseUrl"] == "https://pay.till.example"


def test_aws_own_translator_takes_the_template_whole(template: dict[str, Any]) -> None:
    given = json.loads(json.dumps(template))
    for resource in given["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "packages", "Key": "package.zip"}
    told = {"Stage": "prod", "MailFrom": "mail@till.example", "StripePublishableKey": "pk_test_deployed_00001"}
    made = translate(given, told)["Resources"]
    types = [resource["Type"] for resource in made.values()]
    assert [type_ for type_ in types if type_.startswith("AWS::Serverless")] == []
    assert (types.count("AWS::Lambda::Function"), types.count("AWS::Lambda::EventSourceMapping")) == (8, 4)
    # One stage, and no role that SAM made up beside ours.
    assert (types.count("AWS::ApiGateway::Stage"), types.count("AWS::IAM::Role")) == (1, 8)
    (body,) = [each["Properties"]["Body"] for each in made.values() if each["Type"] == "AWS::ApiGateway::RestApi"]
    assert "MISSING_AUTHENTICATION_TOKEN" in body["x-amazon-apigateway-gateway-responses"]


def test_the_template_and_the_deployer_mean_the_same_by_an_address_not_known(template: dict[str, Any]) -> None:
    assert template["Parameters"]["PublicBaseUrl"]["Default"] == UNKNOWN_URL
    assert set(template["Parameters"]) == {"Stage", "SecretsVersion", *(option.parameter for option in OPTIONS)}


def test_removing_a_stage_says_what_is_kept(operator: Operator, first: tuple[Any, str]) -> None:
    """Last, since nothing is there afterwards. moto would refuse to remove a protected table, and knows no Retain."""
    stack, _ = first
    dynamodb = operator.client("dynamodb")
    for name in ("RecordsTableName", "EventsTableName", "TimersTableName"):
        dynamodb.update_table(TableName=stack.outputs[name], DeletionProtectionEnabled=False)
    operator.heard.clear()
    operator.deployer().destroy("prod")
    assert operator.deployer().stacks.find("till-prod") is None
    for name in ("RecordsTableName", "EventsTableName", "TimersTableName", "FilesBucketName"):
        assert f"  {stack.outputs[name]}" in operator.heard
    assert len(operator.client("ssm").describe_parameters()["Parameters"]) >= 3
    operator.heard.clear()
    operator.deployer().destroy("prod")
    assert operator.heard == ["There is no stack till-prod"]
