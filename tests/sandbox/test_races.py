"""Sixteen at once."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from infra.local.stripe_sandbox.faults import StripeFault
from infra.local.stripe_sandbox.idempotency import Answer, IdempotencyKeys
from tests.sandbox.conftest import ACCOUNT, Bench

THREADS = 16


def at_once(act: Callable[[int], Any]) -> list[Any]:
    """Run the act in 16 threads that start together; returns answers and StripeErrors."""
    gate = threading.Barrier(THREADS)
    answers: list[Any] = [None] * THREADS

    def run(index: int) -> None:
        gate.wait()
        try:
            answers[index] = act(index)
        except stripe.StripeError as error:
            answers[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_sixteen_confirmations_of_one_intent_charge_once(bench: Bench) -> None:
    made = bench.stripe.v1.payment_intents.create({"amount": 4900, "currency": "usd"}, bench.on)
    answers = at_once(
        lambda index: bench.stripe.v1.payment_intents.confirm(
            made.id, {"payment_method": "pm_card_visa", "off_session": True}, bench.keyed(f"confirm-{index}")
        )
    )
    assert [type(answer).__name__ for answer in answers].count("PaymentIntent") == 1
    assert {answer.code for answer in answers if isinstance(answer, stripe.StripeError)} == {
        "payment_intent_unexpected_state"
    }
    assert [charge["status"] for charge in bench.sandbox.listing("charges")] == ["succeeded"]
    assert bench.types().count("payment_intent.succeeded") == 1


def test_sixteen_requests_with_one_key_do_one_thing(bench: Bench) -> None:
    answers = at_once(
        lambda _index: bench.stripe.v1.payment_intents.create({"amount": 4900, "currency": "usd"}, bench.keyed("k"))
    )
    made = {answer.id for answer in answers if not isinstance(answer, stripe.StripeError)}
    conflicts = {answer.http_status for answer in answers if isinstance(answer, stripe.StripeError)}
    assert len(made) == 1
    assert conflicts <= {409}
    assert len(bench.sandbox.listing("payment_intents")) == 1


def test_a_key_in_flight_is_a_conflict_until_its_answer_is_kept() -> None:
    keys = IdempotencyKeys()
    call = (ACCOUNT, "k", "POST", "/v1/payment_intents", {"amount": "4900"}, 0)
    assert keys.begin(*call) is None
    with pytest.raises(StripeFault) as conflict:
        keys.begin(*call)
    assert (conflict.value.status, conflict.value.error["code"]) == (409, "idempotency_key_in_use")
    keys.keep(ACCOUNT, "k", Answer(200, {"id": "pi_1"}, "req_1"))
    assert keys.begin(*call) == Answer(200, {"id": "pi_1"}, "req_1")
