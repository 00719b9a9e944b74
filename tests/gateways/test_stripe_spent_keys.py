"""A key under which Stripe failed: Stripe repeats that answer for a day, so the gateway asks what was done instead."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.services.ports import KeySpent, NewRefund, ProviderUnavailable
from infra.local.stripe_sandbox import Misbehaviour
from tests.gateways.stripe_buyers import confirm, customer, intent, new_intent, usd
from tests.gateways.stripe_script import BROKEN, Script, create, error, intent_body, ok
from tests.gateways.stripe_script import confirm as confirm_scripted
from tests.gateways.stripe_script import refund as refund_scripted
from tests.gateways.stripe_worlds import ACCOUNT, SandboxWorld

REPLAYED = error(500, {"Idempotent-Replayed": "true"}, type="api_error")
NOTHING = ok({"object": "list", "data": [], "has_more": False, "url": "/v1/payment_intents"})


@pytest.fixture
def world() -> Iterator[SandboxWorld]:
    sandbox = SandboxWorld()
    try:
        yield sandbox
    finally:
        sandbox.stop()


def keys(script: Script) -> list[str | None]:
    return [sent.headers.get("Idempotency-Key") for sent in script.sent]


def test_a_replayed_failure_of_a_confirm_is_not_tried_again() -> None:
    script = Script(BROKEN, REPLAYED)
    with pytest.raises(KeySpent):
        confirm_scripted(script)
    assert keys(script) == ["confirm-1", "confirm-1"]


def test_a_replayed_failure_of_a_refund_is_not_tried_again_nor_made_under_another_key() -> None:
    script = Script(BROKEN, REPLAYED)
    with pytest.raises(KeySpent):
        refund_scripted(script)
    assert keys(script) == ["refund-1", "refund-1"]


def test_an_intent_is_looked_for_and_then_made_under_a_fresh_key() -> None:
    script = Script(BROKEN, REPLAYED, NOTHING, ok(intent_body()))
    assert create(script).id == "pi_1"
    first, second, looked, fresh = keys(script)
    assert (first, second, looked) == ("pi-1", "pi-1", None)
    assert fresh is not None
    assert fresh.startswith("pi-1.")


def test_stripe_failing_under_a_fresh_key_too_is_down_and_the_next_call_takes_another() -> None:
    script = Script(REPLAYED, NOTHING, BROKEN, REPLAYED, REPLAYED, NOTHING, ok(intent_body()))
    with pytest.raises(ProviderUnavailable):
        create(script)
    assert create(script).id == "pi_1"
    sent = [key for key in keys(script) if key]
    assert len(sent) == 5
    assert len(set(sent)) == 3


@pytest.mark.parametrize("effect", [False, True])
def test_a_500_while_making_an_intent_leaves_one_intent(world: SandboxWorld, effect: bool) -> None:
    buyer = customer(world)
    world.sandbox.misbehave(Misbehaviour("POST /v1/payment_intents", status=500, effect=effect))
    made = world.gateway.create_intent(ACCOUNT, new_intent(buyer), key="pi-1")
    assert world.intent_ids() == [made.id]
    assert world.gateway.create_intent(ACCOUNT, new_intent(buyer), key="pi-1").id == made.id


def test_a_500_while_making_a_customer_is_made_good_at_once(world: SandboxWorld) -> None:
    world.sandbox.misbehave(Misbehaviour("POST /v1/customers", status=500, effect=False))
    made = customer(world)
    assert [each["id"] for each in world.sandbox.listing("customers")] == [made]


@pytest.mark.parametrize("effect", [False, True])
def test_a_500_of_a_confirm_is_told_and_its_key_is_of_no_more_use(world: SandboxWorld, effect: bool) -> None:
    made = intent(world)
    world.sandbox.misbehave(Misbehaviour("POST /v1/payment_intents/{id}/confirm", status=500, effect=effect))
    with pytest.raises(KeySpent):
        confirm(world, made)
    now = world.gateway.retrieve_intent(ACCOUNT, made.id)
    assert (now.status == "succeeded") is effect
    assert len(world.charge_ids()) == effect


@pytest.mark.parametrize("effect", [False, True])
def test_a_500_of_a_refund_is_told_and_its_key_is_of_no_more_use(world: SandboxWorld, effect: bool) -> None:
    paid = confirm(world, intent(world))
    sought = NewRefund(paid.id, usd(2_000), {"till_refund": "ref_1"}, None)
    world.sandbox.misbehave(Misbehaviour("POST /v1/refunds", status=500, effect=effect))
    for _ in range(2):
        with pytest.raises(KeySpent):
            world.gateway.create_refund(ACCOUNT, sought, key="refund-1")
    assert [made.amount for made in world.gateway.find_refunds(ACCOUNT, intent_id=paid.id)] == [usd(2_000)] * effect


@pytest.mark.parametrize("effect", [False, True])
def test_a_500_of_a_cancel_is_made_good_at_once(world: SandboxWorld, effect: bool) -> None:
    made = intent(world)
    world.sandbox.misbehave(Misbehaviour("POST /v1/payment_intents/{id}/cancel", status=500, effect=effect))
    assert world.gateway.cancel_intent(ACCOUNT, made.id, key="cancel-1").status == "canceled"
