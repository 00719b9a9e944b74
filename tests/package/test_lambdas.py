"""Every Lambda of the template under AWS's own runtime client, from the unpacked zip and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.services.mails import timer_message
from chalicelib.services.ports import SetTimer
from tests.package.cloud import WEBHOOK_SECRET, Cloud, http_event, queue_event, scheduled_event, stream_event
from tests.package.permissions import allows, needed, role_of

FUNCTION = "AWS::Serverless::Function"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def message(kind: TimerKind, record_id: str) -> dict[str, Any]:
    return dict(timer_message(Timer(kind, record_id, "mer_pinewood-studio", NOW)))


def failures(answer: dict[str, Any]) -> list[str]:
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def image(type_: str, event_id: str) -> dict[str, Any]:
    return {"merchant_id": {"S": "mer_pinewood-studio"}, "id": {"S": event_id}, "type": {"S": type_}}


def signed(payload: str) -> str:
    at = int(time.time())
    mac = hmac.new(WEBHOOK_SECRET.encode(), f"{at}.{payload}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


def not_allowed(cloud: Cloud, function: str) -> set[tuple[str, str]]:
    """Of what was called since the last `forget`: what the function's role would have been refused."""
    policy = role_of(cloud.template, function)
    asked = {each for call in (*cloud.database.calls(), *cloud.services.calls()) for each in needed(cloud, call)}
    return {each for each in asked if not allows(policy, *each)}


@pytest.fixture(scope="module")
def link_url(cloud: Cloud) -> str:
    """A payment link, made through the API of the packaged web Lambda."""
    made = cloud.function("APIHandler").invoke(
        http_event(
            "POST", "/v1/payment_links",
            headers={"Authorization": f"Bearer {cloud.api_key}", "Content-Type": "application/json"},
            body=json.dumps({
                "name": "Portrait session", "currency": "usd",
                "lines": [{"name": "Portrait session", "unit_amount": 14800, "quantity": 1}],
            }),
        )
    )  # fmt: skip
    assert made["statusCode"] == 201, made
    return str(json.loads(made["body"])["url"])


def test_a_pay_page_is_one_read_and_the_secrets_are_asked_for_once(cloud: Cloud, link_url: str) -> None:
    *_, kind, slug, token = link_url.split("/")
    assert link_url.startswith("https://pay.till.example/api/pay/")
    web = cloud.function("APIHandler")
    for _ in range(2):
        cloud.database.forget()
        page = web.invoke(http_event("GET", f"/{kind}/{{slug}}/{{token}}", {"slug": slug, "token": token}))
        assert page["statusCode"] == 200
        assert "Portrait session" in page["body"]
        assert "$148.00" in page["body"]
        assert cloud.database.operations() == ["BatchGetItem"]
    # Whatever the page loads or asks must be under the stage too, or API Gateway answers that there is nothing.
    own = re.findall(r'(?:href|src|action)="(/[^"]*|https://pay[^"]*)"', page["body"])
    assert len(own) >= 3
    assert [address for address in own if not re.match(r"(https://pay\.till\.example)?/api/", address)] == []
    assert "Path=/api/pay/" in page["headers"]["Set-Cookie"]
    stylesheet = next(address for address in own if address.endswith(".css")).rpartition("/")[2]
    assert web.invoke(http_event("GET", "/static/{name}", {"name": stylesheet}))["statusCode"] == 200
    requests = [line for line in web.lines() if line["event"] == "request"]
    assert [line["status"] for line in requests[-3:]] == [200, 200, 200]
    assert cloud.services.operations().count("GetParameters") <= len(cloud.functions)


def test_a_webhook_is_taken_when_stripe_signed_it_and_refused_otherwise(cloud: Cloud) -> None:
    web = cloud.function("APIHandler")
    event = json.dumps({
        "id": "evt_1Package", "object": "event", "type": "payment_intent.succeeded", "livemode": False,
        "account": "acct_pinewood", "data": {"object": {"id": "pi_1Package", "object": "payment_intent"}},
    })  # fmt: skip
    sent = {"Content-Type": "application/json", "Stripe-Signature": signed(event)}
    taken = web.invoke(http_event("POST", "/webhooks/stripe", headers=sent, body=event))
    assert (taken["statusCode"], taken["body"]) == (200, "received")
    forged = web.invoke(http_event("POST", "/webhooks/stripe", headers=sent, body=event.replace("1P", "2P")))
    assert (forged["statusCode"], forged["body"]) == (400, "not signed by Stripe")


def test_the_schedule_hands_what_is_due_to_its_queue(cloud: Cloud) -> None:
    due = Timer(TimerKind.SEND_MAIL, "mail_package", "mer_pinewood-studio", datetime.now(UTC) - timedelta(minutes=1))
    cloud.ports.records.commit("op_schedule", [SetTimer(due)])
    assert cloud.function("Sweep").invoke(scheduled_event()) == {"due": 1, "messages": 1}
    (sent,) = cloud.sqs.receive_message(QueueUrl=cloud.queues["work"].url)["Messages"]
    assert json.loads(sent["Body"]) == timer_message(due)
    cloud.sqs.purge_queue(QueueUrl=cloud.queues["work"].url)
    cloud.ports.timers.drop(due)


def test_of_a_standard_batch_the_poison_message_alone_comes_back(cloud: Cloud) -> None:
    gone = message(TimerKind.SEND_MAIL, "mail_nobody")
    bodies = {"one": gone, "poison": "{", "three": gone, "strange": gone | {"kind": "no such kind"}, "five": gone}
    assert failures(cloud.function("Work").invoke(queue_event(cloud.queues["work"], bodies))) == ["poison", "strange"]
    late = {name: body | {"due": "soon"} if name == "five" else body for name, body in bodies.items() if body != "{"}
    answer = cloud.function("Charge").invoke(queue_event(cloud.queues["charges"], late))
    assert failures(answer) == ["strange", "five"]


def test_of_a_fifo_batch_the_poison_message_and_all_after_it_come_back(cloud: Cloud) -> None:
    body = {"merchant_id": "mer_pinewood-studio", "timers": [message(TimerKind.BILL_PERIOD, "sub_nobody")]}
    bodies = {"one": body, "two": body, "poison": {"merchant_id": "mer_pinewood-studio"}, "four": body}
    answer = cloud.function("Bill").invoke(queue_event(cloud.queues["billing"], bodies))
    assert failures(answer) == ["poison", "four"]
    assert cloud.ports.records.find(Subscription, "sub_nobody") is None


def test_of_a_stream_batch_the_first_that_fails_is_where_lambda_begins_again(cloud: Cloud) -> None:
    observe = cloud.function("Observe")
    good, other = image("payment.succeeded", "evt_1"), image("customer.created", "evt_2")
    poison = image("no.such_event", "evt_3")
    batch = [("100", "INSERT", good), ("200", "INSERT", other), ("300", "INSERT", poison), ("400", "INSERT", good)]
    assert failures(observe.invoke(stream_event(batch))) == ["300"]
    assert failures(observe.invoke(stream_event([("400", "INSERT", good), ("500", "REMOVE", good)]))) == []
    lines = observe.lines()
    assert [line["type"] for line in lines if line["event"] == "happened"] == [
        "payment.succeeded", "customer.created", "payment.succeeded",
    ]  # fmt: skip
    counted = [line for line in lines if line["event"] == "metric"]
    assert [line.get("payments_succeeded") for line in counted] == [1, None, 1]
    assert counted[1]["event_log_changes"] == 1
    (changed,) = [line for line in lines if line["event"] == "event_log_changed"]
    assert (changed["level"], changed["what"]) == ("error", "evt_1")


def test_the_nightly_lambdas_run(cloud: Cloud) -> None:
    assert cloud.function("CatchUp").invoke(scheduled_event()) == {"accounts": 1}
    audited = cloud.function("Audit").invoke(scheduled_event())
    assert (audited["violations"], audited["counted"]["payment links"]) == (0, 1)


def test_a_lambda_that_cannot_be_set_up_says_so_and_names_no_secret(cloud: Cloud) -> None:
    from tests.package.lambda_runtime import RunningFunction

    environment = cloud.environment("Sweep")
    del environment["TILL_TIMERS_TABLE"]
    handler = cloud.template["Resources"]["Sweep"]["Properties"]["Handler"]
    with RunningFunction(cloud.task, cloud.runtime, handler, environment, cloud.scratch / "unset.log") as sweep:
        answer = sweep.answer(scheduled_event())
    assert answer.failed
    assert answer.payload["errorType"] == "SettingsError"
    assert "TILL_TIMERS_TABLE is missing" in answer.payload["errorMessage"]


# --- every route


def routes(template: dict[str, Any]) -> list[tuple[str, str]]:
    paths = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def test_every_route_answers_from_the_zip(cloud: Cloud, template: dict[str, Any]) -> None:
    web = cloud.function("APIHandler")
    cloud.database.forget()
    cloud.services.forget()
    found = {}
    for method, path in routes(template):
        parameters = {part[1:-1]: "nothing" for part in path.split("/") if part.startswith("{")}
        in_api = path.startswith("/v1")
        headers = {"Authorization": f"Bearer {cloud.api_key}", "Idempotency-Key": f"{method} {path}"} if in_api else {}
        body = None
        if method == "POST":
            kind = "application/json" if in_api or "webhooks" in path else "application/x-www-form-urlencoded"
            headers["Content-Type"], body = kind, "{}" if in_api else ""
        answer = web.invoke(http_event(method, path, parameters or None, headers=headers, body=body))
        found[method, path] = answer["statusCode"]
        assert answer["headers"].get("Request-Id"), (method, path)
    assert len(found) > 30
    assert {route: status for route, status in found.items() if status >= 500 or status in (401, 403, 405, 415)} == {}
    assert not_allowed(cloud, "APIHandler") == set()


# --- what they may do


def test_every_lambda_of_the_template_was_run_and_was_allowed_all_that_it_did(
    cloud: Cloud, template: dict[str, Any], link_url: str
) -> None:
    """Runs last in this file, on what the others did: each call that a Lambda made, its own role's policy allows."""
    every = {name for name, resource in template["Resources"].items() if resource["Type"] == FUNCTION}
    for name in sorted(every):
        cloud.database.forget()
        cloud.services.forget()
        function = cloud.function(name)
        if name == "APIHandler":
            function.invoke(http_event("GET", "/v1/invoices", headers={"Authorization": f"Bearer {cloud.api_key}"}))
        elif name in ("Sweep", "Audit", "CatchUp"):
            function.invoke(scheduled_event())
        elif name == "Observe":
            function.invoke(stream_event([("1", "INSERT", image("payment.failed", "evt_9"))]))
        else:
            kind, queue = {
                "Bill": (TimerKind.BILL_PERIOD, "billing"),
                "Charge": (TimerKind.CHARGE_INVOICE, "charges"),
                "Work": (TimerKind.SWEEP_EVENTS, "work"),
            }[name]
            body = message(kind, cloud.merchant.id)
            if name == "Bill":
                body = {"merchant_id": cloud.merchant.id, "timers": [body]}
            function.invoke(queue_event(cloud.queues[queue], {"one": body}))
        assert not_allowed(cloud, name) == set(), name
        if name != "Observe":
            assert cloud.database.calls() or cloud.services.calls(), name
    assert set(cloud.functions) == every
