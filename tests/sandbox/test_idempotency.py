"""Keys: the first answer again for 24 hours, whatever it was; never another request's answer."""

from datetime import timedelta

import pytest
import stripe

from infra.local.stripe_sandbox import Misbehaviour
from tests.sandbox.conftest import Bench

PAYMENT = {"amount": 4900, "currency": "usd"}


def test_a_key_replays_for_24_hours_and_then_makes_another(bench: Bench) -> None:
    api = bench.stripe.v1
    first = api.payment_intents.create({**PAYMENT}, bench.keyed("pi-1"))
    bench.clock.advance(timedelta(hours=23, minutes=59))
    again = api.payment_intents.create({**PAYMENT}, bench.keyed("pi-1"))
    assert again.id == first.id
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert first.last_response is not None
    assert again.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    assert again.last_response.headers["Request-Id"] != first.last_response.headers["Request-Id"]
    bench.clock.advance(timedelta(minutes=1))
    assert api.payment_intents.create({**PAYMENT}, bench.keyed("pi-1")).id != first.id
    assert len(bench.sandbox.listing("payment_intents")) == 2


def test_a_decline_is_replayed_although_the_card_would_work_now(bench: Bench) -> None:
    api = bench.stripe.v1
    made = api.payment_intents.create({**PAYMENT}, bench.on)
    answers = []
    for key in ("confirm-1", "confirm-1", "confirm-2"):
        try:
            card = "pm_card_visa" if key == "confirm-2" else "pm_card_visa_chargeDeclined"
            confirmed = api.payment_intents.confirm(
                made.id, {"payment_method": card, "return_url": "https://a.example/"}, bench.keyed(key)
            )
            answers.append(confirmed.status)
        except stripe.CardError as error:
            answers.append(error.json_body["error"]["charge"])
    assert answers[0] == answers[1]
    assert answers[2] == "succeeded"
    assert [charge["status"] for charge in bench.sandbox.listing("charges")] == ["failed", "succeeded"]


def test_a_key_with_other_parameters_or_at_another_address_is_an_error(bench: Bench) -> None:
    api = bench.stripe.v1
    api.payment_intents.create({**PAYMENT}, bench.keyed("k"))
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        api.payment_intents.create({**PAYMENT, "amount": 5000}, bench.keyed("k"))
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        api.customers.create({}, bench.keyed("k"))
    assert len(bench.sandbox.listing("payment_intents")) == 1


def test_keys_belong_to_an_account(bench: Bench) -> None:
    bench.sandbox.add_account("acct_second")
    api = bench.stripe.v1
    first = api.payment_intents.create({**PAYMENT}, bench.keyed("k"))
    other = api.payment_intents.create({**PAYMENT}, {"stripe_account": "acct_second", "idempotency_key": "k"})
    assert first.id != other.id


def test_what_was_refused_before_it_began_keeps_no_answer(bench: Bench) -> None:
    api = bench.stripe.v1
    with pytest.raises(stripe.InvalidRequestError):
        api.payment_intents.create({"amount": 1, "currency": "usd"}, bench.keyed("k"))
    assert api.payment_intents.create({**PAYMENT}, bench.keyed("k")).status == "requires_payment_method"


@pytest.mark.parametrize("effect", [True, False])
def test_a_500_is_replayed_whether_it_had_an_effect_or_not(bench: Bench, effect: bool) -> None:
    api = bench.stripe.v1
    bench.sandbox.misbehave(Misbehaviour("POST /v1/payment_intents", 500, effect))
    for _ in range(2):
        with pytest.raises(stripe.APIError) as broken:
            api.payment_intents.create({**PAYMENT}, bench.keyed("k"))
        assert broken.value.http_status == 500
    assert len(bench.sandbox.listing("payment_intents")) == (1 if effect else 0)
    assert api.payment_intents.create({**PAYMENT}, bench.keyed("k2")).status == "requires_payment_method"


def test_a_429_keeps_no_answer(bench: Bench) -> None:
    bench.sandbox.misbehave(Misbehaviour("*", 429, effect=False, nth=2))
    api = bench.stripe.v1
    api.customers.create({}, bench.on)
    with pytest.raises(stripe.RateLimitError):
        api.payment_intents.create({**PAYMENT}, bench.keyed("k"))
    assert api.payment_intents.create({**PAYMENT}, bench.keyed("k")).status == "requires_payment_method"


def test_a_lost_reply_is_found_again_by_its_key(bench: Bench) -> None:
    api = bench.stripe.v1
    bench.sandbox.misbehave(Misbehaviour("POST /v1/payment_intents", None, effect=True))
    with pytest.raises(stripe.APIConnectionError):
        api.payment_intents.create({**PAYMENT}, bench.keyed("k"))
    [made] = bench.sandbox.listing("payment_intents")
    assert api.payment_intents.create({**PAYMENT}, bench.keyed("k")).id == made["id"]
    assert len(bench.sandbox.listing("payment_intents")) == 1
