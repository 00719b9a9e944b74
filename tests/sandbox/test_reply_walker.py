"""The walker that no wrong reply gets past: good replies pass, each kind of fault is named."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from infra.local.stripe_sandbox.reply_walker import faults_in_reply
from infra.local.stripe_sandbox.resource_types import OBJECTS, fields_of
from tests.sandbox.conftest import ACCOUNT, Bench
from tests.sandbox.test_payments import pay


@pytest.fixture
def paid(bench: Bench) -> dict[str, Any]:
    """An intent as the API gives it, with its charge expanded."""
    return pay(bench).to_dict(recursive=True)


def test_a_good_reply_has_no_faults(paid: dict[str, Any]) -> None:
    assert paid["latest_charge"]["object"] == "charge"
    assert faults_in_reply(paid) == []


FAULTS: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("a missing field", lambda reply: reply.pop("amount"), "payment_intent.amount is missing"),
    ("an unknown field", lambda reply: reply.update(colour="red"),
     "payment_intent.colour is unknown to PaymentIntent"),
    ("text for a number", lambda reply: reply.update(amount="4900"), "payment_intent.amount is '4900'"),
    ("a number for a boolean", lambda reply: reply.update(livemode=0), "payment_intent.livemode is 0"),
    ("null where none may be", lambda reply: reply.update(currency=None), "payment_intent.currency is None"),
    ("a word outside its list", lambda reply: reply.update(status="paid"), "payment_intent.status is 'paid'"),
    ("an object for an id", lambda reply: reply.update(customer={"id": "cus_1"}),
     "payment_intent.customer.created is missing"),
    ("a fault inside what is expanded", lambda reply: reply["latest_charge"].pop("paid"),
     "payment_intent.latest_charge.paid is missing"),
    ("a fault deep inside", lambda reply: reply["latest_charge"]["outcome"].update(type=3),
     "payment_intent.latest_charge.outcome.type is 3"),
    ("a list with a wrong entry", lambda reply: reply.update(payment_method_types=["card", 1]),
     "payment_method_types[1] is 1"),
    ("metadata that is no text", lambda reply: reply.update(metadata={"a": 1}), "payment_intent.metadata.a is 1"),
]  # fmt: skip


@pytest.mark.parametrize(("break_it", "said"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_a_fault_is_named(paid: dict[str, Any], break_it: Callable[[dict[str, Any]], Any], said: str) -> None:
    broken = copy.deepcopy(paid)
    break_it(broken)
    found = faults_in_reply(broken)
    assert any(said in fault for fault in found), found


def test_lists_and_events_are_walked_to_their_objects(bench: Bench, paid: dict[str, Any]) -> None:
    page = {"object": "list", "data": [paid], "has_more": False, "url": "/v1/payment_intents"}
    assert faults_in_reply(page) == []
    assert faults_in_reply({**page, "total": 1}) == ["the list has the unknown field total"]
    event = copy.deepcopy(bench.sandbox.listing("events")[0])
    del event["_account"]
    assert faults_in_reply(event) == []
    event["type"] = "payment_intent.paid"
    del event["data"]["object"]["status"]
    assert faults_in_reply(event) == [
        "event.type is 'payment_intent.paid', which its type does not allow",
        "event.data.object.status is missing",
    ]


def test_every_resource_of_the_package_can_be_read() -> None:
    assert {name: len(fields_of(resource)) > 10 for name, resource in OBJECTS.items()} == dict.fromkeys(OBJECTS, True)


def test_a_wrong_reply_is_a_loud_500_and_is_counted(bench: Bench) -> None:
    made = pay(bench)
    bench.sandbox._world.ledgers[ACCOUNT].shelves["payment_intent"][made.id]["status"] = "paid"
    with pytest.raises(stripe.APIError, match="what Stripe never would") as loud:
        bench.stripe.v1.payment_intents.retrieve(made.id, {}, bench.on)
    assert loud.value.http_status == 500
    assert bench.sandbox.bad_replies == ["payment_intent.status is 'paid', which its type does not allow"]
    bench.sandbox._api.bad_replies.clear()
