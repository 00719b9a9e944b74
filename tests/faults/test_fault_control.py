"""Faults by the control plane of a running machine, over HTTP alone (`POST /faults`, `DELETE /faults`)."""

from __future__ import annotations

import base64
import html
import http.client
import json
import re
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.journeys.console import Control, RunningMachine, ask


@pytest.fixture
def control(running_machine: RunningMachine) -> Control:
    running_machine.control.post("/reset")
    return running_machine.control


def tell(control: Control, method: str, body: dict[str, Any] | None = None) -> Any:
    return ask(method, f"{control.url}/faults", body)


def get(url: str) -> int:
    """The status of a page. Raises RemoteDisconnected where the connection closes without an answer."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request("GET", address.path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_killed_request_is_not_answered_and_the_next_one_is(control: Control) -> None:
    link = control.info()["links"]["one_time"]
    made = tell(control, "POST", {"service": "dynamodb", "operation": "BatchGetItem", "nth": 2, "kind": "kill"})
    assert (made.status, made.body) == (
        201,
        {
            "service": "dynamodb",
            "operation": "BatchGetItem",
            "kind": "kill",
            "effect": False,
            "nth": 2,
            "times": 1,
            "code": 500,
        },
    )
    assert get(link) == 200
    with pytest.raises(http.client.RemoteDisconnected):
        get(link)
    assert get(link) == 200


def test_faults_that_lie_ahead_can_be_taken_back(control: Control) -> None:
    link = control.info()["links"]["one_time"]
    tell(control, "POST", {"service": "dynamodb", "kind": "error", "times": 100})
    assert get(link) == 503
    assert (tell(control, "DELETE").status, get(link)) == (200, 200)
    tell(control, "POST", {"service": "dynamodb", "kind": "kill", "times": 100})
    control.post("/reset")
    assert get(link) == 200


def pay(control: Control) -> None:
    """What the pay page's script does, without a browser."""
    info = control.info()
    form = urlencode({"payment_method": "pm_card_visa"}).encode()
    basic = base64.b64encode(f"{info['stripe_secret_key']}:".encode()).decode()
    asked = Request(  # noqa: S310 - our own loopback address
        f"{info['stripe_url']}/v1/test_helpers/confirmation_tokens",
        form,
        {"Authorization": f"Basic {basic}", "Stripe-Account": "acct_pinewood"},
    )
    with urlopen(asked) as answer:  # noqa: S310 - the same
        token = json.load(answer)["id"]
    link = info["links"]["one_time"]
    with urlopen(link) as page:  # noqa: S310 - the same
        text = page.read().decode()
    hidden = {
        found["name"]: found["value"]
        for tag in re.findall(r"<input[^>]*>", text)
        if (found := dict(re.findall(r'(\w+)="([^"]*)"', tag))).get("type") == "hidden"
    }
    typed = {"email": "ada@example.com", "name": "Ada", "confirmation_token": token}
    sent = urlencode({**{name: html.unescape(value) for name, value in hidden.items()}, **typed}).encode()
    with urlopen(Request(link, sent, {"Accept": "application/json"})) as answer:  # noqa: S310 - the same
        assert json.load(answer)["status"] == "paid"


def test_the_message_of_a_killed_job_comes_back(control: Control) -> None:
    control.post("/clock", {"advance": "PT1S"})
    tell(control, "POST", {"service": "ses", "operation": "SendEmail", "kind": "kill"})
    pay(control)
    control.post("/settle")
    # SES was never asked, but only who was killed knew that: the row is taken for being sent for a while.
    assert control.get("/mail")["data"] == []
    control.post("/clock", {"advance": "PT11M"})
    assert [mail["to"] for mail in control.get("/mail")["data"]] == [["ada@example.com"]]


def test_a_killed_job_is_reported_and_done_by_the_next_sweep(control: Control) -> None:
    control.post("/clock", {"advance": "PT1S"})
    tell(control, "POST", {"service": "dynamodb", "operation": "Query", "nth": 3, "kind": "kill"})
    report = control.post("/settle")
    assert [error["where"] for error in report["errors"]] == ["sweep"]
    assert "Killed: dynamodb Query, before it happened" in report["errors"][0]["error"]
    assert control.post("/settle")["errors"] == []


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_field", "service"),
        ({"service": "stripe"}, "missing_field", "kind"),
        ({"service": "redis", "kind": "kill"}, "invalid_value", "service"),
        ({"service": "stripe", "kind": "explode"}, "invalid_value", "kind"),
        ({"service": "stripe", "kind": "kill", "nth": 0}, "out_of_range", "nth"),
        ({"service": "stripe", "kind": "kill", "times": "2"}, "wrong_type", "times"),
        ({"service": "stripe", "kind": "error", "code": 200}, "out_of_range", "code"),
        ({"service": "stripe", "kind": "kill", "code": 500}, "unknown_field", "code"),
        ({"service": "stripe", "kind": "kill", "effect": "yes"}, "wrong_type", "effect"),
        ({"service": "stripe", "kind": "kill", "after": True}, "unknown_field", "after"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(control: Control, body: dict[str, Any], code: str, param: str) -> None:
    refused = tell(control, "POST", body)
    assert (refused.status // 100, refused.body["error"]["code"], refused.body["error"]["param"]) == (4, code, param)


@pytest.mark.parametrize("mode", ["normal", "hold", "duplicate", "shuffle", "drop"])
def test_webhooks_can_be_told_to_misbehave(control: Control, mode: str) -> None:
    assert control.post("/stripe/webhooks", {"mode": mode}) == {"mode": mode}
