"""Events on their way out: signed at the sandbox's time, tried again for three days, and in the modes a test needs."""

import hashlib
import hmac
import itertools
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
import stripe

from infra.local.stripe_sandbox import WebhookMode
from tests.sandbox.conftest import ACCOUNT, Bench, Receiver
from tests.sandbox.test_payments import pay

SECRET = "whsec_connect"


@pytest.fixture
def listening(bench: Bench, receiver: Receiver) -> Callable[[], list[str]]:
    """Registers the receiver for connected accounts; the call returns the types that came since the last one."""
    bench.sandbox.add_webhook_endpoint(receiver.url, SECRET, connect=True)

    def came() -> list[str]:
        types = [json.loads(body)["type"] for body, _ in receiver.got]
        receiver.got.clear()
        return types

    return came


def test_a_delivery_is_signed_over_its_raw_bytes_at_the_sandboxs_time(
    bench: Bench, receiver: Receiver, listening: Callable[[], list[str]]
) -> None:
    pay(bench)
    delivered = bench.sandbox.deliver_due()
    assert {done.outcome for done in delivered} == {"captured", "delivered"}
    body, header = receiver.got[0]
    timestamp = int(bench.clock().timestamp())
    expected = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert header == f"t={timestamp},v1={expected}"
    assert stripe.WebhookSignature.verify_header(body.decode(), header, SECRET) is True
    event = json.loads(body)
    assert (event["account"], event["object"], event["data"]["object"]["object"]) == (
        ACCOUNT,
        "event",
        "payment_intent",
    )
    assert listening() == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "charge.updated"]
    assert bench.sandbox.deliver_due() == []
    assert {event["pending_webhooks"] for event in bench.sandbox.listing("events")} == {0}


def test_platform_and_connect_endpoints_hear_of_their_own(bench: Bench, receiver: Receiver) -> None:
    bench.sandbox.add_webhook_endpoint(
        receiver.url, "whsec_account", connect=False, enabled_events=["customer.created", "charge.*"]
    )
    pay(bench)
    bench.stripe.v1.customers.create({})
    bench.stripe.v1.payment_intents.create({"amount": 4900, "currency": "usd"})
    bench.sandbox.deliver_due()
    assert [json.loads(body)["type"] for body, _ in receiver.got] == ["customer.created"]
    assert "account" not in json.loads(receiver.got[0][0])


def test_a_failing_receiver_is_tried_again_with_growing_gaps_for_three_days(
    bench: Bench, receiver: Receiver, listening: Callable[[], list[str]]
) -> None:
    receiver.answers = 500
    bench.stripe.v1.customers.create({}, bench.on)
    started = bench.clock()
    [first] = bench.sandbox.deliver_due()
    assert (first.outcome, first.status) == ("failed", 500)
    assert bench.sandbox.deliver_due() == []
    tries = [timedelta(0)]
    while waiting := bench.sandbox.waiting():
        assert waiting[0]["what"].startswith("webhook customer.created evt_")
        bench.clock.now = bench.clock.now.fromisoformat(waiting[0]["due"])
        [again] = bench.sandbox.deliver_due()
        tries.append(bench.clock() - started)
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert gaps == sorted(gaps)
    assert gaps[0] == timedelta(minutes=1)
    assert timedelta(days=2) < tries[-1] <= timedelta(days=3)
    assert again.outcome == "given_up"
    stamps = [header.split(",")[0] for _, header in receiver.got]
    assert len(set(stamps)) == len(stamps) == len(tries)
    assert bench.stripe.v1.events.list({"delivery_success": False}, bench.on).data[0].type == "customer.created"


def test_a_receiver_that_comes_back_gets_what_it_missed(
    bench: Bench, receiver: Receiver, listening: Callable[[], list[str]]
) -> None:
    receiver.answers = 503
    bench.stripe.v1.customers.create({}, bench.on)
    bench.sandbox.deliver_due()
    receiver.answers = 200
    receiver.got.clear()
    bench.clock.advance(timedelta(days=150))
    assert [done.outcome for done in bench.sandbox.deliver_due()] == ["delivered"]
    assert listening() == ["customer.created"]
    assert bench.sandbox.waiting() == []


def test_nobody_listening_is_a_failure_without_a_status(bench: Bench) -> None:
    bench.sandbox.add_webhook_endpoint("http://127.0.0.1:9/", SECRET, connect=True)
    bench.stripe.v1.customers.create({}, bench.on)
    [tried] = bench.sandbox.deliver_due()
    assert (tried.outcome, tried.status) == ("failed", None)
    assert tried.error is not None
    assert "refused" in tried.error


@pytest.mark.parametrize(("mode", "count"), [("normal", 3), ("duplicate", 6), ("shuffle", 3), ("drop", 0), ("hold", 0)])
def test_the_modes_change_how_events_come(
    bench: Bench, listening: Callable[[], list[str]], mode: WebhookMode, count: int
) -> None:
    bench.sandbox.set_webhook_mode(mode)
    for _ in range(3):
        bench.stripe.v1.customers.create({}, bench.on)
    bench.sandbox.deliver_due()
    assert len(listening()) == count
    bench.sandbox.set_webhook_mode("normal")
    bench.sandbox.deliver_due()
    assert len(listening()) == (3 if mode == "hold" else 0)


def test_events_are_listed_by_type_and_for_thirty_days(bench: Bench) -> None:
    pay(bench)
    api = bench.stripe.v1
    assert [event.type for event in api.events.list({"type": "charge.*"}, bench.on).data] == ["charge.succeeded"]
    both = api.events.list({"types": ["payment_intent.created", "charge.succeeded"]}, bench.on)
    assert [event.type for event in both.data] == ["charge.succeeded", "payment_intent.created"]
    found = api.events.retrieve(both.data[0].id, {}, bench.on)
    assert found.request is not None
    assert str(found.request.id).startswith("req_")
    bench.clock.advance(timedelta(days=31))
    assert api.events.list({}, bench.on).data == []
    with pytest.raises(stripe.InvalidRequestError):
        api.events.retrieve(found.id, {}, bench.on)
