"""The control plane of a running machine, over HTTP alone."""

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.journeys.console import Api, Control, RunningMachine, ask

# What a shell of someone who works with AWS may hold; none of it may be used.
REAL_AWS = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_PROFILE": "production",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMachine]:
    with RunningMachine(tmp_path_factory.mktemp("machine") / "output.txt", **REAL_AWS) as running:
        yield running


@pytest.fixture
def control(machine: RunningMachine) -> Control:
    machine.control.post("/reset")
    return machine.control


def now_of(control: Control) -> datetime:
    return datetime.fromisoformat(control.get("/clock")["now"])


def refusal(control: Control, path: str, body: Any, method: str = "POST") -> tuple[int, str, str | None]:
    answer = ask(method, control.url + path, body)
    error = answer.body["error"]
    return answer.status, error["code"], error["param"]


def test_it_says_where_everything_is(machine: RunningMachine) -> None:
    info, said = machine.control.info(), machine.output.read_text()
    for value in (info["base_url"], info["control_url"], info["api_key"], *info["links"].values(), info["stripe_url"]):
        assert value in said
    assert "4242 4242 4242 4242" in said
    assert "Warning" not in said


def test_its_servers_listen_on_loopback_alone(machine: RunningMachine) -> None:
    assert machine.process is not None
    addresses = listening_addresses(machine.process.pid)
    # The web app, the control plane, the Stripe sandbox and moto; DynamoDB Local is a process of its own.
    assert len(addresses) == 4
    assert {address for address, _ in addresses} == {"0100007F"}


def listening_addresses(pid: int) -> set[tuple[str, str]]:
    """Address and port, in the kernel's hexadecimal, of every socket that the process itself listens on."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                found.add((address, port))
    return found


def test_both_ports_say_that_it_is_ready(machine: RunningMachine) -> None:
    assert ask("GET", f"{machine.base_url}/healthz").status == 200
    assert ask("GET", f"{machine.control.url}/healthz").status == 200


def test_info_has_what_a_stranger_needs(control: Control) -> None:
    info = control.info()
    assert set(info) == {
        "base_url", "control_url", "stripe_url", "stripe_secret_key", "webhook_secret", "merchant", "api_key", "links",
    }  # fmt: skip
    assert info["merchant"] == "mer_pinewood-studio"
    assert control.api().get("/account")["timezone"] == "America/New_York"
    links = control.api().all("/payment_links")
    assert [(link["due_today"]["total"], link["url"]) for link in links] == [
        (14800, info["links"]["one_time"]),
        (4900, info["links"]["monthly"]),
    ]


def test_a_new_merchant_is_ready_to_sell_at_once(control: Control) -> None:
    merchant, api = control.add_merchant("Kiefer GmbH", "Europe/Berlin", "eur")
    assert merchant == "mer_kiefer-gmbh"
    line = {"name": "Pass", "unit_amount": 900, "quantity": 1}
    link = api.create("/payment_links", {"name": "Pass", "currency": "eur", "lines": [line]})
    page = ask("GET", link["url"])
    assert page.status == 200
    assert "Kiefer GmbH" in page.body


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"name": "A", "timezone": "Mars/Base", "currency": "usd"}, "invalid_value", "timezone"),
        ({"name": "A", "timezone": "Europe/Berlin", "currency": "xxx"}, "invalid_currency", "currency"),
        ({"name": "A", "timezone": "Europe/Berlin"}, "missing_field", "currency"),
        ({"name": "A", "timezone": "Europe/Berlin", "currency": "usd", "slug": "a"}, "unknown_field", "slug"),
    ],
)
def test_a_merchant_that_cannot_be_is_refused_and_not_made(
    control: Control, body: dict[str, str], code: str, param: str
) -> None:
    accounts = control.stripe("accounts")
    assert refusal(control, "/merchants", body)[1:] == (code, param)
    assert control.stripe("accounts") == accounts


def test_a_key_can_do_what_its_scopes_say_and_no_more(control: Control) -> None:
    info = control.info()
    made = control.post("/keys", {"merchant": info["merchant"], "scopes": ["invoices:read"]})
    api = Api(info["base_url"], made["api_key"])
    assert api.get("/invoices")["data"] == []
    assert api.post("/customers", {"email": "a@example.com"}).status == 403


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"merchant": "mer_nobody", "scopes": ["invoices:read"]}, 404, "not_found"),
        ({"merchant": "mer_pinewood-studio", "scopes": ["invoices:eat"]}, 422, "invalid_value"),
        ({"merchant": "mer_pinewood-studio", "scopes": []}, 422, "invalid_value"),
        ({"merchant": "mer_pinewood-studio", "scopes": "*"}, 422, "wrong_type"),
    ],
)
def test_a_key_that_cannot_be_is_refused(control: Control, body: dict[str, Any], status: int, code: str) -> None:
    assert refusal(control, "/keys", body)[:2] == (status, code)


def test_the_clock_runs_until_it_is_set_and_then_stands(control: Control) -> None:
    first = control.get("/clock")
    assert first["standing"] is False
    control.set_clock("2031-01-31T20:30:00Z")
    assert control.get("/clock") == {"now": "2031-01-31T20:30:00Z", "standing": True}
    assert control.get("/clock")["now"] == "2031-01-31T20:30:00Z"


def test_months_count_in_the_zone_of_the_merchant_that_is_named(control: Control) -> None:
    tokyo, _ = control.add_merchant("Matsu", "Asia/Tokyo", "jpy")
    # 31 January 22:00 in New York, and already 1 February noon in Tokyo.
    control.set_clock("2031-02-01T03:00:00Z", step=False)
    assert control.advance("P1M", step=False)["now"] == "2031-03-01T03:00:00Z"
    control.post("/reset")
    tokyo, _ = control.add_merchant("Matsu", "Asia/Tokyo", "jpy")
    control.set_clock("2031-01-31T03:00:00Z", step=False)
    assert control.advance("P1M", merchant=tokyo, step=False)["now"] == "2031-02-28T03:00:00Z"


def test_advancing_by_nothing_makes_the_clock_stand(control: Control) -> None:
    first = control.advance("PT0S")
    assert first["standing"] is True
    assert control.get("/clock")["now"] == first["now"]


def test_the_clock_is_never_set_back(control: Control) -> None:
    control.set_clock("2031-01-31T20:30:00Z", step=False)
    for step in (True, False):
        refused = refusal(control, "/clock", {"now": "2031-01-31T20:29:59Z", "step": step})
        assert refused[:2] == (409, "state_conflict")
    assert control.get("/clock")["now"] == "2031-01-31T20:30:00Z"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"now": "2031-01-31T20:30:00Z", "advance": "P1M"}, "missing_field"),
        ({"now": "2031-01-31"}, "invalid_date"),
        ({"now": "2031-01-31T20:30:00"}, "invalid_date"),
        ({"now": "2031-02-30T20:30:00Z"}, "invalid_date"),
        ({"now": 1}, "wrong_type"),
        ({"advance": "1 month"}, "invalid_value"),
        ({"advance": "P9999Y"}, "invalid_value"),
        ({"advance": "P1M", "merchant": "mer_nobody"}, "not_found"),
        ({"advance": "P1M", "step": "no"}, "wrong_type"),
        ({"now": "2031-01-31T20:30:00Z", "merchant": "mer_pinewood-studio"}, "unknown_field"),
    ],
)
def test_a_time_that_cannot_be_is_refused_and_the_clock_runs_on(
    control: Control, body: dict[str, Any], code: str
) -> None:
    assert refusal(control, "/clock", body)[1] == code
    assert control.get("/clock")["standing"] is False


def test_settling_an_idle_machine_does_nothing_and_says_so(control: Control) -> None:
    assert control.post("/settle") == {"steps": 1, "errors": [], "waiting": [], "stopped": None}


def test_reset_leaves_the_seed_and_nothing_else(control: Control) -> None:
    info = control.info()
    _, api = control.add_merchant("Second", "Europe/Berlin", "eur")
    control.api().create("/customers", {"email": "anna@example.com", "name": "Anna"})
    control.set_clock("2031-01-31T20:30:00Z")
    control.post("/stripe/webhooks", {"mode": "hold"})
    assert control.post("/reset")["standing"] is False
    assert control.info() == info
    assert abs((now_of(control) - datetime.now(UTC)).total_seconds()) < 5
    assert control.api().all("/customers") == []
    assert len(control.api().all("/payment_links")) == 2
    assert api.post("/customers", {"email": "a@example.com"}).status == 401
    assert control.mail() == []
    assert [account["id"] for account in control.stripe("accounts")] == ["acct_platform", "acct_pinewood"]
    for resource in ("customers", "payment_intents", "charges", "refunds", "events", "requests"):
        assert control.stripe(resource) == []


def test_eight_callers_with_eight_keys_are_never_mixed_up(control: Control) -> None:
    callers = [control.add_merchant(f"Merchant {n}", "Europe/Berlin", "eur") for n in range(8)]
    together = Barrier(8)

    def call(caller: tuple[str, Api]) -> set[str]:
        merchant, api = caller
        together.wait()
        return {api.get("/account")["id"] for _ in range(20)} - {merchant}

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(call, callers)) == [set()] * 8


def stripe(control: Control, path: str, **parameters: str) -> Any:
    info = control.info()
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        info["stripe_url"] + path,
        urlencode(parameters).encode(),
        {
            "Authorization": f"Bearer {info['stripe_secret_key']}",
            "Stripe-Account": "acct_pinewood",
            "Idempotency-Key": f"{path} {sorted(parameters.items())}",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - the same
        return json.loads(response.read())


def test_a_refund_in_stripes_dashboard_is_made_on_stripes_side(control: Control) -> None:
    customer = stripe(control, "/v1/customers", email="anna@example.com")["id"]
    intent = stripe(
        control,
        "/v1/payment_intents",
        amount="14800",
        currency="usd",
        customer=customer,
        payment_method="pm_card_visa",
        confirm="true",
        off_session="true",
    )
    assert intent["status"] == "succeeded"
    refund = control.post("/stripe/refunds", {"charge": intent["latest_charge"], "amount": 800})
    assert (refund["object"], refund["amount"]) == ("refund", 800)
    assert [entry["id"] for entry in control.stripe("refunds")] == [refund["id"]]
    too_much = refusal(control, "/stripe/refunds", {"charge": intent["latest_charge"], "amount": 14001})
    assert too_much == (422, "invalid_value", "amount")
    assert len(control.stripe("refunds")) == 1


def test_a_stored_card_can_be_told_to_be_declined(control: Control) -> None:
    customer = stripe(control, "/v1/customers", email="anna@example.com")["id"]
    method = stripe(control, "/v1/payment_methods/pm_card_visa/attach", customer=customer)["id"]
    control.post(f"/stripe/payment_methods/{method}", {"behaves": "pm_card_chargeDeclined"})
    with pytest.raises(urllib.error.HTTPError) as declined:
        stripe(
            control,
            "/v1/payment_intents",
            amount="100",
            currency="usd",
            customer=customer,
            payment_method=method,
            confirm="true",
            off_session="true",
        )
    with declined.value as answer:
        assert json.loads(answer.read())["error"]["code"] == "card_declined"
    assert refusal(control, f"/stripe/payment_methods/{method}", {"behaves": "pm_card_nice"})[:2] == (404, "not_found")


def test_stripes_side_takes_orders_and_refuses_what_it_does_not_know(control: Control) -> None:
    for mode in ("hold", "duplicate", "shuffle", "drop", "normal"):
        assert control.post("/stripe/webhooks", {"mode": mode}) == {"mode": mode}
    assert refusal(control, "/stripe/webhooks", {"mode": "lose"}) == (422, "invalid_value", "mode")
    unknown = refusal(control, "/stripe/payment_methods/pm_1", {"behaves": "pm_card_chargeDeclined"})
    assert unknown[:2] == (404, "not_found")
    assert refusal(control, "/stripe/refunds", {"charge": "ch_1"})[:2] == (404, "not_found")
    assert refusal(control, "/stripe/refunds", {"charge": "ch_1", "amount": 0}) == (422, "out_of_range", "amount")
    assert refusal(control, "/stripe/balloons", None, "GET")[:2] == (404, "not_found")


def test_what_the_control_plane_does_not_have_is_said(control: Control) -> None:
    assert refusal(control, "/nothing", None, "GET")[:2] == (404, "not_found")
    assert refusal(control, "/faults", {"service": "stripe"})[:2] == (422, "missing_field")
    assert refusal(control, "/info", {})[:2] == (405, "method_not_allowed")
    assert refusal(control, "/reset", {"hard": True}) == (422, "unknown_field", "hard")


def raw(control: Control, method: str, path: str, body: bytes, **headers: str) -> tuple[int, str]:
    host = control.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())["error"]["code"]
    connection.close()
    return answer


def test_pages_of_other_sites_cannot_drive_it(control: Control) -> None:
    assert raw(control, "POST", "/reset", b"", Origin="https://evil.example") == (403, "insufficient_scope")
    assert raw(control, "POST", "/reset", b"", Origin="null") == (403, "insufficient_scope")
    assert raw(control, "POST", "/reset", b"", Host="evil.example") == (403, "insufficient_scope")


def test_a_body_that_is_not_clean_is_refused(control: Control) -> None:
    assert raw(control, "POST", "/clock", b'{"advance": "P1M", "advance": "P2M"}') == (400, "malformed_json")
    assert raw(control, "POST", "/clock", b"[]") == (400, "malformed_json")
    assert raw(control, "POST", "/clock", b" " * 65_537) == (413, "body_too_large")
    assert control.get("/clock")["standing"] is False


def test_a_person_finds_the_sent_mail_at_the_root(control: Control) -> None:
    page = ask("GET", f"{control.url}/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "No mail has been sent yet." in page.body
