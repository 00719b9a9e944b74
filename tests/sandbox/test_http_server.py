"""The server under the sandbox: loopback, keep-alive, and a clean end."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from infra.local.stripe_sandbox import StripeSandbox
from tests.sandbox.conftest import ACCOUNT, PUBLISHABLE_KEY, SECRET_KEY, Bench, StandingClock

HEADERS = {"Authorization": f"Bearer {SECRET_KEY}", "Stripe-Account": ACCOUNT}


def test_one_connection_carries_many_requests_errors_included(bench: Bench) -> None:
    connection = http.client.HTTPConnection(str(urlsplit(bench.url).hostname), urlsplit(bench.url).port)
    statuses = []
    sockets = set()
    for method, path, body in (
        ("POST", "/v1/customers", "email=anna@example.com"),
        ("POST", "/v1/customers", "colour=red"),
        ("GET", "/v1/customers/cus_none", None),
        ("GET", "/nowhere", None),
        ("OPTIONS", "/v1/customers", None),
        ("GET", "/v1/customers", None),
    ):
        connection.request(method, path, body, HEADERS)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
        sockets.add(connection.sock)
        assert answer.version == 11
    connection.close()
    assert statuses == [200, 400, 404, 404, 204, 200]
    assert len(sockets) == 1


def test_the_key_may_come_as_a_user_name(bench: Bench) -> None:
    connection = http.client.HTTPConnection(str(urlsplit(bench.url).hostname), urlsplit(bench.url).port)
    connection.request("GET", "/v1/account", headers={"Authorization": "Basic c2tfdGVzdF90aWxsOg=="})
    body = json.load(connection.getresponse())
    connection.close()
    assert (body["id"], body["object"]) == ("acct_platform", "account")


def test_it_binds_loopback_only_and_starts_again_after_a_stop() -> None:
    sandbox = StripeSandbox(clock=StandingClock(), secret_key=SECRET_KEY, publishable_key=PUBLISHABLE_KEY)
    with pytest.raises(ValueError, match="loopback"):
        sandbox.start("0.0.0.0")  # noqa: S104 - refused, which is the point
    for _ in range(2):
        assert sandbox.start().startswith("http://127.0.0.1:")
        sandbox.stop()
    sandbox.stop()


def test_a_charges_receipt_can_be_read(bench: Bench) -> None:
    intent = bench.stripe.v1.payment_intents.create(
        {
            "amount": 4900,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "off_session": True,
            "confirm": True,
            "expand": ["latest_charge"],
        },
        bench.on,
    )
    receipt = urlsplit(intent.latest_charge.receipt_url)
    connection = http.client.HTTPConnection(str(receipt.hostname), receipt.port)
    connection.request("GET", receipt.path)
    text = connection.getresponse().read().decode()
    connection.close()
    assert "Paid $49.00 USD" in text
