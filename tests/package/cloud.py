"""What the stack's Lambdas meet: tables, queues, parameters, mail and Stripe, and an environment from the template."""

from __future__ import annotations

import json
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from chalicelib.services.merchants import create_merchant
from chalicelib.settings import SECRETS, Settings, from_environment
from chalicelib.wiring import Wired
from infra.local.aws_server import AwsServer
from infra.local.clock import LocalClock
from infra.local.queues import Queue, create_queues
from infra.local.stripe_sandbox import StripeSandbox
from tests.conftest import REGION, make_tables
from tests.package.lambda_runtime import RunningFunction, runtime_folder
from tests.wire import Wire

STAGE = "test"
SECRET_KEY = "sk_test_package_000001"
PUBLISHABLE_KEY = "pk_test_package_000001"
WEBHOOK_SECRET = "whsec_package_0000001"
MAIL_FROM = "mail@till.example"
ACCOUNT = "acct_pinewood"
KEPT = {
    "TILL_STRIPE_SECRET_KEY": SECRET_KEY,
    "TILL_STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    "TILL_FORM_SECRET": "f" * 40,
}
"""What Parameter Store holds, by the variables that name it elsewhere."""


@dataclass
class Cloud:
    """Use `function` for each Lambda that a test needs; all end with the cloud."""

    template: dict[str, Any]
    task: Path
    scratch: Path
    dynamodb_endpoint: str
    parts: ExitStack = field(default_factory=ExitStack)
    functions: dict[str, RunningFunction] = field(default_factory=dict)

    def start(self) -> None:
        """Everything but the Lambdas."""
        clock = LocalClock()
        aws = AwsServer(clock, REGION)
        aws_endpoint = aws.start()
        self.parts.callback(aws.stop)
        self.stripe = StripeSandbox(clock=clock, secret_key=SECRET_KEY, publishable_key=PUBLISHABLE_KEY)
        self.stripe_url = self.stripe.start()
        self.parts.callback(self.stripe.stop)
        self.stripe.add_account(ACCOUNT, name="Pinewood Studio", timezone="America/New_York")
        self.tables = make_tables(self.dynamodb_endpoint)
        self.sqs: Any = boto3.client("sqs", endpoint_url=aws_endpoint, region_name=REGION)
        self.queues = {queue.plan.name: queue for queue in create_queues(self.sqs)}
        ses = boto3.client("ses", endpoint_url=aws_endpoint, region_name=REGION)
        ses.verify_email_identity(EmailAddress=MAIL_FROM)
        ssm = boto3.client("ssm", endpoint_url=aws_endpoint, region_name=REGION)
        for variable, value in KEPT.items():
            ssm.put_parameter(Name=f"/till/{STAGE}/{SECRETS[variable]}", Value=value, Type="SecureString")
        self.database = self.parts.enter_context(Wire(self.dynamodb_endpoint))
        self.services = self.parts.enter_context(Wire(aws_endpoint))
        self.runtime = runtime_folder(self.scratch / "runtime")
        self.ports = Wired(self.settings, buyer_waits=True)
        self.merchant, self.api_key = create_merchant(
            self.ports, name="Pinewood Studio", timezone="America/New_York", currency="usd", stripe_account=ACCOUNT,
            ready=True,
        )  # fmt: skip

    @property
    def settings(self) -> Settings:
        """What the stack's environment says, with the secrets, for use in the test's own process."""
        plain = {**self.environment("APIHandler"), "TILL_DYNAMODB_ENDPOINT": self.dynamodb_endpoint}
        return from_environment({**plain, **KEPT})

    def environment(self, function: str) -> dict[str, str]:
        """What Lambda would set: the template's own variables, and beside them only other endpoints."""
        variables = {
            **self.template["Globals"]["Function"]["Environment"]["Variables"],
            **self.template["Resources"][function]["Properties"].get("Environment", {}).get("Variables", {}),
        }
        resolved = {name: self._resolve(value) for name, value in variables.items()}
        return {name: value for name, value in resolved.items() if value is not None} | {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
            "LAMBDA_TASK_ROOT": str(self.task),
            "HOME": str(self.scratch),
            "TZ": ":UTC",
            "TILL_DYNAMODB_ENDPOINT": self.database.endpoint,
            "TILL_AWS_ENDPOINT": self.services.endpoint,
            "TILL_STRIPE_API_BASE": self.stripe_url,
        }

    def _resolve(self, value: Any) -> str | None:
        given: dict[str, str | None] = {
            "Stage": STAGE,
            # As at API Gateway's own address, where the stage is part of every path.
            "PublicBaseUrl": "https://pay.till.example/api",
            "MailFrom": MAIL_FROM,
            "StripePublishableKey": PUBLISHABLE_KEY,
            "SecretsVersion": "1",
            "RecordsTable": self.tables.records_table,
            "EventsTable": self.tables.events_table,
            "TimersTable": self.tables.timers_table,
            "BillingQueue": self.queues["billing"].url,
            "ChargesQueue": self.queues["charges"].url,
            "WorkQueue": self.queues["work"].url,
            "AWS::NoValue": None,
        }
        if isinstance(value, str):
            return value
        ((how, what),) = value.items()
        if how == "Ref":
            return given[what]
        if how == "Fn::Sub":
            return str(what).replace("${Stage}", STAGE)
        assert how == "Fn::If"
        # Every condition is one of an optional parameter, which is not given.
        return self._resolve(what[2])

    def function(self, name: str) -> RunningFunction:
        """The Lambda of that name in the template, running."""
        if name not in self.functions:
            handler = self.template["Resources"][name]["Properties"]["Handler"]
            log = self.scratch / f"{name}.log"
            running = RunningFunction(self.task, self.runtime, handler, self.environment(name), log)
            self.functions[name] = self.parts.enter_context(running)
        return self.functions[name]


def http_event(
    method: str, resource: str, parameters: dict[str, str] | None = None, *, headers: dict[str, str] | None = None,
    body: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html#apigateway-example-event"""
    path = resource
    for name, value in (parameters or {}).items():
        path = path.replace(f"{{{name}}}", value)
    sent = {"Host": "pay.till.example", **(headers or {})}
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": parameters,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": method,
            "path": f"/api{path}",
            "stage": "api",
            "requestId": str(uuid.uuid4()),
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "test"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def scheduled_event() -> dict[str, Any]:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html"""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/a-rule"],
        "detail": {},
    }


def queue_event(queue: Queue, bodies: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html: message ids, and what the messages say."""
    return {
        "Records": [
            {
                "messageId": message_id,
                "receiptHandle": f"handle-{message_id}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": queue.arn,
                "awsRegion": REGION,
            }
            for message_id, body in bodies.items()
        ]
    }


def stream_event(records: list[tuple[str, str, dict[str, Any]]]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html: sequence numbers, what was done, the new image."""
    return {
        "Records": [
            {
                "eventID": sequence_number,
                "eventName": name,
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": REGION,
                "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/events/stream/2026-01-01T00:00:00.000",
                "dynamodb": {
                    "ApproximateCreationDateTime": 1767225600,
                    "Keys": {key: image[key] for key in ("merchant_id", "id")},
                    "NewImage": image,
                    "SequenceNumber": sequence_number,
                    "SizeBytes": 100,
                    "StreamViewType": "NEW_IMAGE",
                },
            }
            for sequence_number, name, image in records
        ]
    }
