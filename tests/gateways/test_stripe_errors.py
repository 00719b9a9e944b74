"""What the gateway makes of each kind of error, and how long it goes on: on a scripted connection."""

from __future__ import annotations

import logging

import pytest

from chalicelib.services.ports import (
    ProviderBusy,
    ProviderRefused,
    ProviderUnavailable,
)
from tests.gateways.stripe_script import (
    BROKEN,
    BUSY,
    IN_FLIGHT,
    LOST,
    REVOKED,
    Answer,
    Script,
    Waits,
    create,
    error,
    gateway,
    intent_body,
    ok,
    refund,
    refund_body,
)


@pytest.mark.parametrize("answer", [BUSY, IN_FLIGHT, error(429, type="api_error"), (429, "Too many", {})])
def test_busy_is_tried_four_times_with_the_same_key_and_bytes(answer: Answer) -> None:
    script, waits = Script(*[answer] * 4), Waits()
    with pytest.raises(ProviderBusy):
        create(script, waits)
    assert len(script.sent) == 4
    assert len({(sent.headers["Idempotency-Key"], sent.body) for sent in script.sent}) == 1
    assert len(waits.seconds) == 3
    for waited, whole in zip(waits.seconds, (0.25, 0.5, 1.0), strict=True):
        assert whole / 2 <= waited <= whole


@pytest.mark.parametrize(
    "answer",
    [LOST, BROKEN, error(503, type="api_error"), (200, "not json", {}), (502, "<html>", {}), (404, "<html>", {})],
)
def test_an_answer_that_says_nothing_leaves_the_outcome_unknown(answer: Answer | Exception) -> None:
    script = Script(*[answer] * 4)
    with pytest.raises(ProviderUnavailable):
        create(script)
    assert len(script.sent) == 4
    assert len({(sent.headers["Idempotency-Key"], sent.body) for sent in script.sent}) == 1


@pytest.mark.parametrize("first", [LOST, BROKEN, BUSY, IN_FLIGHT])
def test_a_call_that_is_answered_in_the_end_is_answered(first: Answer | Exception) -> None:
    script = Script(first, first, ok(intent_body()))
    assert create(script).id == "pi_1"
    assert len(script.sent) == 3


def test_stripes_word_that_a_retry_is_useless_is_taken() -> None:
    script = Script(error(500, {"Stripe-Should-Retry": "false"}, type="api_error"))
    with pytest.raises(ProviderUnavailable):
        create(script)
    assert len(script.sent) == 1


@pytest.mark.parametrize("last", [BUSY, IN_FLIGHT, REVOKED])
def test_after_an_unanswered_try_nothing_before_the_endpoint_says_that_nothing_happened(last: Answer) -> None:
    with pytest.raises(ProviderUnavailable):
        create(Script(LOST, *[last] * 3))


def test_after_an_unanswered_try_the_endpoints_own_refusal_counts() -> None:
    with pytest.raises(ProviderRefused) as refusal:
        create(Script(LOST, error(400, type="invalid_request_error", code="amount_too_small")))
    assert refusal.value.code == "amount_too_small"


def test_a_key_that_is_revoked_is_refused_at_once_and_reported_loudly(caplog: pytest.LogCaptureFixture) -> None:
    script = Script(REVOKED)
    with pytest.raises(ProviderRefused) as refusal:
        create(script)
    assert refusal.value.code == "api_key"
    assert len(script.sent) == 1
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR] == ["stripe_key_not_accepted"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error(400, type="invalid_request_error", code="resource_missing"), "resource_missing"),
        (error(404, type="invalid_request_error", code="resource_missing"), "resource_missing"),
        (error(403, type="invalid_request_error", code="account_invalid"), "account_invalid"),
        (error(403, type="invalid_request_error"), "permission"),
        (error(400, type="idempotency_error"), "idempotency_error"),
        (error(400, type="invalid_request_error"), "invalid_request_error"),
        (error(402, type="card_error", code="card_declined"), "card_declined"),
    ],
)
def test_a_refusal_is_not_tried_again_and_keeps_stripes_code(answer: Answer, code: str) -> None:
    script = Script(answer)
    with pytest.raises(ProviderRefused) as refusal:
        create(script)
    assert refusal.value.code == code
    assert len(script.sent) == 1


@pytest.mark.parametrize(
    ("answer", "reached"),
    [
        (REVOKED, False),
        (error(403, type="invalid_request_error"), False),
        (error(403, type="invalid_request_error", code="account_invalid"), False),
        (error(400, type="invalid_request_error", code="charge_already_refunded"), True),
        (error(400, type="invalid_request_error"), True),
        (error(404, type="invalid_request_error", code="resource_missing"), True),
    ],
)
def test_a_refusal_says_whether_the_endpoint_looked_at_what_was_asked(answer: Answer, reached: bool) -> None:
    with pytest.raises(ProviderRefused) as refusal:
        refund(Script(answer))
    assert refusal.value.reached is reached


def test_a_refund_that_has_no_status_is_done() -> None:
    assert refund(Script(ok(refund_body(status=None)))).status == "succeeded"


def test_reads_are_tried_again_too() -> None:
    script = Script(LOST, ok(intent_body()))
    assert gateway(script).retrieve_intent("acct_1", "pi_1").id == "pi_1"
    assert len(script.sent) == 2
