"""The template that is deployed: what must be so for money to be safe, and nobody be allowed more than needed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chalicelib.handlers.boundary import STATUS_OF_CODE, error_body
from infra.package.build import Package
from infra.package.template import TemplateIncomplete, finish
from tests.package.permissions import resources_of, role_of

FUNCTION = "AWS::Serverless::Function"
QUEUE = "AWS::SQS::Queue"


def of_type(template: dict[str, Any], type_: str) -> dict[str, dict[str, Any]]:
    return {name: found["Properties"] for name, found in template["Resources"].items() if found["Type"] == type_}


def sources(template: dict[str, Any], type_: str) -> dict[str, dict[str, Any]]:
    """The event sources of one type, by their function."""
    return {
        name: event["Properties"]
        for name, function in of_type(template, FUNCTION).items()
        for event in function.get("Events", {}).values()
        if event["Type"] == type_
    }


def test_cfn_lint_finds_nothing(package: Package) -> None:
    lint = [str(Path(sys.executable).parent / "cfn-lint"), "--include-checks", "I", "--", str(package.template)]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_every_lambda_has_its_own_role_and_its_own_log_group_with_an_end(template: dict[str, Any]) -> None:
    functions = of_type(template, FUNCTION)
    assert set(functions) == {"APIHandler", "Audit", "Bill", "CatchUp", "Charge", "Observe", "Sweep", "Work"}
    roles = {json.dumps(function["Role"]) for function in functions.values()}
    assert len(roles) == len(functions)
    for name, function in functions.items():
        logs = template["Resources"][function["LoggingConfig"]["LogGroup"]["Ref"]]
        assert logs["Properties"]["RetentionInDays"] == {"Ref": "LogDays"}
        (writes, *_) = role_of(template, name)["Statement"]
        assert writes["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
        assert writes["Resource"] == {"Fn::GetAtt": [f"{name}Logs", "Arn"]}
        assert function["Runtime"] == f"python{sys.version_info.major}.{sys.version_info.minor}"


WILDCARDS = {
    "${RecordsTable.Arn}/index/*": "lists go by five indexes, and each new one must work at once",
    "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*": (
        "in its sandbox SES asks for the recipient's identity too; the condition allows one sender alone"
    ),
}
"""Every resource of a policy that is written with a star, and why."""


def test_no_policy_has_a_star_but_for_a_reason(template: dict[str, Any]) -> None:
    found = set()
    for name in of_type(template, FUNCTION):
        for statement in role_of(template, name)["Statement"]:
            assert statement["Effect"] == "Allow"
            assert isinstance(statement["Action"], list)
            assert [action for action in statement["Action"] if "*" in action] == []
            for resource in resources_of(statement):
                # An attribute is one resource of this very stack.
                if "Fn::GetAtt" in resource:
                    continue
                ((_, written),) = resource.items()
                if "*" in written:
                    found.add(written)
    assert found == set(WILDCARDS)
    assert "AWS::IAM::Policy" not in {each["Type"] for each in template["Resources"].values()}


def test_the_event_log_can_be_added_to_and_by_no_lambda_changed(template: dict[str, Any]) -> None:
    for name in of_type(template, FUNCTION):
        for statement in role_of(template, name)["Statement"]:
            if {"Fn::GetAtt": ["EventsTable", "Arn"]} in resources_of(statement):
                assert set(statement["Action"]) <= {"dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan"}, name


def test_only_those_that_need_a_secret_may_read_one(template: dict[str, Any]) -> None:
    readers = {
        name
        for name in of_type(template, FUNCTION)
        if any("ssm:GetParameters" in each["Action"] for each in role_of(template, name)["Statement"])
    }
    assert readers == {"APIHandler", "Audit", "Charge", "Work"}
    written = json.dumps(template)
    assert re.search(r"(sk|rk)_(live|test)_[A-Za-z0-9]|whsec_[A-Za-z0-9]", written) is None


def test_tables_outlive_the_stack_and_can_be_put_back_to_any_second(template: dict[str, Any]) -> None:
    tables = of_type(template, "AWS::DynamoDB::Table")
    assert set(tables) == {"RecordsTable", "EventsTable", "TimersTable"}
    for name, table in tables.items():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["DeletionProtectionEnabled"] is True
        resource = template["Resources"][name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert tables["EventsTable"]["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}


def test_every_source_of_batches_is_told_which_of_them_failed(template: dict[str, Any]) -> None:
    batches = {**sources(template, "SQS"), **sources(template, "DynamoDB")}
    assert set(batches) == {"Bill", "Charge", "Work", "Observe"}
    for name, source in batches.items():
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name


def test_queues_wait_six_times_the_workers_time_and_give_up_into_a_queue_of_their_own(template: dict[str, Any]) -> None:
    queues, functions = of_type(template, QUEUE), of_type(template, FUNCTION)
    fed = {name: source["Queue"]["Fn::GetAtt"][0] for name, source in sources(template, "SQS").items()}
    assert fed == {"Bill": "BillingQueue", "Charge": "ChargesQueue", "Work": "WorkQueue"}
    for name, queue_name in fed.items():
        queue = queues[queue_name]
        assert queue["VisibilityTimeout"] >= 6 * functions[name]["Timeout"]
        assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
        dead = queues[queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]]
        assert dead.get("FifoQueue") == queue.get("FifoQueue")
        assert dead["MessageRetentionPeriod"] == 14 * 86400
    assert queues["BillingQueue"]["FifoQueue"] is True
    assert {name for name, queue in queues.items() if not queue["SqsManagedSseEnabled"]} == set()


def test_a_record_that_no_one_can_read_does_not_stop_the_stream(template: dict[str, Any]) -> None:
    (stream,) = sources(template, "DynamoDB").values()
    assert stream["Stream"] == {"Fn::GetAtt": ["EventsTable", "StreamArn"]}
    assert (stream["BisectBatchOnFunctionError"], stream["MaximumRetryAttempts"]) == (True, 5)
    assert stream["StartingPosition"] == "TRIM_HORIZON"
    failed = {"Type": "SQS", "Destination": {"Fn::GetAtt": ["EventsDeadQueue", "Arn"]}}
    assert stream["DestinationConfig"] == {"OnFailure": failed}


def test_the_clock_ticks_every_five_minutes_and_a_lambda_that_fails_its_hour_is_kept(template: dict[str, Any]) -> None:
    schedules = {name: source["Schedule"] for name, source in sources(template, "Schedule").items()}
    assert schedules == {
        "Sweep": "rate(5 minutes)",
        "CatchUp": "cron(0 2 * * ? *)",
        "Audit": "cron(0 3 * * ? *)",
    }
    for name in schedules:
        asynchronous = of_type(template, FUNCTION)[name]["EventInvokeConfig"]
        failed = {"Type": "SQS", "Destination": {"Fn::GetAtt": ["ScheduleDeadQueue", "Arn"]}}
        assert asynchronous["DestinationConfig"] == {"OnFailure": failed}


def test_somebody_is_told(template: dict[str, Any]) -> None:
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    dead = {name for name in of_type(template, QUEUE) if name.endswith("DeadQueue")}
    watched = {
        alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for alarm in alarms.values()
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    }
    assert watched == dead
    told = {(alarm["Namespace"], alarm["MetricName"]) for alarm in alarms.values()}
    assert told >= {
        ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/ApiGateway", "5XXError"),
        ("Till", "invariant_violations"),
        ("Till", "event_log_changes"),
    }
    assert {json.dumps(alarm["AlarmActions"]) for alarm in alarms.values()} == {'[{"Ref": "AlarmTopic"}]'}
    assert template["Resources"]["AlarmMail"]["Condition"] == "HasAlarmEmail"


def test_files_are_private_encrypted_and_exports_go_after_a_month(template: dict[str, Any]) -> None:
    (bucket,) = of_type(template, "AWS::S3::Bucket").values()
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert {rule["Id"]: rule["Status"] for rule in bucket["LifecycleConfiguration"]["Rules"]} == {
        "unfinished": "Enabled",
        "exports": "Enabled",
    }


# --- what API Gateway answers by itself


def gateway_responses(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    body = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    found: dict[str, dict[str, Any]] = body["x-amazon-apigateway-gateway-responses"]
    return found


EXPECTED = {
    "MISSING_AUTHENTICATION_TOKEN": "not_found",
    "RESOURCE_NOT_FOUND": "not_found",
    "INVALID_SIGNATURE": "not_found",
    "EXPIRED_TOKEN": "not_found",
    "ACCESS_DENIED": "not_found",
    "UNAUTHORIZED": "not_found",
    "INVALID_API_KEY": "not_found",
    "REQUEST_TOO_LARGE": "body_too_large",
    "UNSUPPORTED_MEDIA_TYPE": "unsupported_media_type",
    "THROTTLED": "rate_limited",
    "QUOTA_EXCEEDED": "rate_limited",
    "BAD_REQUEST_BODY": "malformed_json",
    "BAD_REQUEST_PARAMETERS": "malformed_json",
    "INTEGRATION_TIMEOUT": "provider_unavailable",
    "DEFAULT_4XX": "malformed_json",
    "DEFAULT_5XX": "internal_error",
}


@pytest.mark.parametrize("type_", EXPECTED)
def test_what_the_gateway_answers_itself_has_our_shape_and_repeats_nothing(
    template: dict[str, Any], type_: str
) -> None:
    given = gateway_responses(template)[type_]
    body = json.loads(given["responseTemplates"]["application/json"])
    code = EXPECTED[type_]
    message = body["error"]["message"]
    assert int(given["statusCode"]) == STATUS_OF_CODE[code]
    assert body == error_body(STATUS_OF_CODE[code], code, message, "$context.requestId")
    # The default bodies repeat the Authorization header; of ours the request's id is all that is filled in.
    for text in given["responseTemplates"].values():
        assert re.findall(r"\$[\w.]+", text) == ["$context.requestId"]
    headers = {
        name.removeprefix("gatewayresponse.header."): value.strip("'")
        for name, value in given["responseParameters"].items()
    }
    # A value stands in single quotes here, so a policy that needs some itself, as 'none' does, cannot be written.
    assert headers == {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": "max-age=31536000",
        "Content-Security-Policy": "sandbox",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Request-Id": "context.requestId",
    }


def test_no_type_of_answer_was_forgotten(template: dict[str, Any]) -> None:
    assert set(gateway_responses(template)) == set(EXPECTED)


def test_the_api_has_one_stage_and_no_other_by_accident(template: dict[str, Any]) -> None:
    api = template["Resources"]["RestAPI"]["Properties"]
    # Without it SAM makes a second stage called Stage.
    assert (api["StageName"], api["OpenApiVersion"]) == ("api", "2.0")


# --- the finishing itself


def test_a_job_that_was_renamed_is_no_template() -> None:
    renamed = {"Resources": {"Sweep": {"Properties": {}}}}
    with pytest.raises(TemplateIncomplete, match="Sweep"):
        finish(renamed)


def test_a_queue_that_nobody_makes_is_no_template() -> None:
    event = {"Type": "SQS", "Properties": {"Queue": {"Fn::Sub": "arn:x:sqs:::mails"}}}
    function = {"Type": FUNCTION, "Properties": {"Events": {"Mails": event}}}
    with pytest.raises(TemplateIncomplete, match="MailsQueue"):
        finish({"Resources": {"Mails": function}})
