"""What the gateway sends to Stripe, and what it makes of each kind of answer: on a scripted connection."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import stripe
from stripe._api_version import _ApiVersion

from chalicelib.domain.documents.methods import Method
from chalicelib.domain.money.amounts import Money
from chalicelib.gateways.stripe.gateway import API_VERSION, StripeGateway
from chalicelib.services.ports import (
    BalanceTransaction,
    Decline,
    Intent,
    IntentStatus,
    NewIntent,
    ProviderBusy,
    ProviderRefused,
    ProviderUnavailable,
)
from chalicelib.settings import STRIPE_JS_URL
from tests.gateways.stripe_worlds import GatewaySettings

Answer = tuple[int, Mapping[str, Any] | str, Mapping[str, str]]
LOST = stripe.APIConnectionError("the connection broke", should_retry=True)


@dataclass(frozen=True)
class Sent:
    method: str
    url: str
    headers: Mapping[str, str]
    body: str

    @property
    def params(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body or urlsplit(self.url).query, keep_blank_values=True)


class Script(stripe.HTTPClient):
    """Answers from a list, and keeps what was asked."""

    name = "script"

    def __init__(self, *answers: Answer | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.sent: list[Sent] = []

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, *, _usage: Any = None
    ) -> tuple[str, int, Mapping[str, str]]:
        self.sent.append(Sent(method, url, dict(headers), post_data or ""))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body, extra = answer
        return body if isinstance(body, str) else json.dumps(body), status, {"request-id": "req_1", **extra}

    def close(self) -> None:
        pass


def ok(body: Mapping[str, Any]) -> Answer:
    return 200, body, {}


def error(status: int, headers: Mapping[str, str] | None = None, **fields: Any) -> Answer:
    return status, {"error": {"message": "Stripe's words", **fields}}, headers or {}


BUSY = error(429, type="invalid_request_error", code="lock_timeout")
IN_FLIGHT = error(409, type="idempotency_error", code="idempotency_key_in_use")
BROKEN = error(500, type="api_error")
REVOKED = error(401, type="invalid_request_error", code="api_key_expired")


def intent_body(**changes: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 5_000,
        "currency": "usd",
        "status": "requires_payment_method",
        "livemode": False,
        "created": 1_799_928_000,
        "client_secret": "pi_1_secret_2",
        "customer": "cus_1",
        "payment_method": None,
        "payment_method_types": ["card"],
        "latest_charge": None,
        "last_payment_error": None,
        "metadata": {"till_invoice": "inv_1"},
        **changes,
    }


def charge_body(**changes: Any) -> dict[str, Any]:
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 5_000,
        "currency": "usd",
        "status": "succeeded",
        "payment_intent": "pi_1",
        "payment_method_details": {"type": "card", "card": {"brand": "amex", "last4": "0005"}},
        "balance_transaction": None,
        **changes,
    }


class Waits:
    """Records each wait instead of waiting."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def gateway(script: Script, sleep: Callable[[float], None] = lambda _: None) -> StripeGateway:
    return StripeGateway(GatewaySettings(), timeout_seconds=20.0, client=script, sleep=sleep)


def request(**changes: Any) -> NewIntent:
    return NewIntent(Money(5_000, "usd"), "cus_1", {"till_invoice": "inv_1"}, **changes)


def create(script: Script, sleep: Callable[[float], None] = lambda _: None) -> Intent:
    return gateway(script, sleep).create_intent("acct_1", request(), key="pi-1")


def confirm(script: Script) -> Intent:
    return gateway(script).confirm_off_session("acct_1", "pi_1", payment_method_id="pm_1", key="confirm-1")


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_the_pinned_version_is_the_packages_and_stripe_js_is_of_the_same_release() -> None:
    assert API_VERSION == _ApiVersion.CURRENT
    assert f"https://js.stripe.com/{_ApiVersion.CURRENT_MAJOR}/stripe.js" == STRIPE_JS_URL


def test_a_write_carries_version_key_and_account() -> None:
    script = Script(ok(intent_body()))
    create(script)
    (sent,) = script.sent
    assert (sent.method, sent.url) == ("post", "https://api.stripe.com/v1/payment_intents")
    assert sent.headers["Stripe-Version"] == API_VERSION
    assert sent.headers["Idempotency-Key"] == "pi-1"
    assert sent.headers["Stripe-Account"] == "acct_1"
    assert sent.headers["Authorization"] == "Bearer sk_test_contract_0001"


def test_direct_mode_sends_no_account() -> None:
    script = Script(ok(intent_body()))
    gateway(script).retrieve_intent(None, "pi_1")
    assert "Stripe-Account" not in script.sent[0].headers


def test_an_intent_is_made_with_exactly_these_parameters() -> None:
    script = Script(ok(intent_body()))
    create(script)
    assert sorted(script.sent[0].params) == [
        ("allowed_payment_method_types[0]", "card"),
        ("amount", "5000"),
        ("currency", "usd"),
        ("customer", "cus_1"),
        ("expand[0]", "payment_method"),
        ("expand[1]", "latest_charge.balance_transaction"),
        ("metadata[till_invoice]", "inv_1"),
    ]


def test_keeping_the_method_and_the_optional_words_are_sent_when_asked_for() -> None:
    script = Script(ok(intent_body()))
    wanted = request(keep_method=True, payment_method_id="pm_1", description="INV-0001", statement_suffix="INV-0001")
    gateway(script).create_intent("acct_1", wanted, key="pi-1")
    params = dict(script.sent[0].params)
    assert params["setup_future_usage"] == "off_session"
    assert params["payment_method"] == "pm_1"
    assert params["description"] == "INV-0001"
    assert params["statement_descriptor_suffix"] == "INV-0001"


def test_an_off_session_confirmation_says_so() -> None:
    script = Script(ok(intent_body(status="succeeded")))
    confirm(script)
    assert script.sent[0].url == "https://api.stripe.com/v1/payment_intents/pi_1/confirm"
    assert dict(script.sent[0].params)["off_session"] == "true"
    assert dict(script.sent[0].params)["payment_method"] == "pm_1"


def test_a_setup_intent_is_for_charges_without_the_buyer() -> None:
    body = {**intent_body(id="seti_1", object="setup_intent"), "last_setup_error": None}
    script = Script(ok(body))
    made = gateway(script).create_setup_intent("acct_1", customer_id="cus_1", metadata={"a": "b"}, key="seti-1")
    assert made.amount is None
    assert sorted(script.sent[0].params) == [
        ("allowed_payment_method_types[0]", "card"),
        ("customer", "cus_1"),
        ("expand[0]", "payment_method"),
        ("metadata[a]", "b"),
        ("usage", "off_session"),
    ]


def test_every_page_of_a_customers_intents_is_read() -> None:
    first = {"object": "list", "url": "/v1/payment_intents", "has_more": True, "data": [intent_body(id="pi_2")]}
    last = {"object": "list", "url": "/v1/payment_intents", "has_more": False, "data": [intent_body(id="pi_1")]}
    script = Script(ok(first), ok(last))
    found = gateway(script).find_intents("acct_1", customer_id="cus_1")
    assert [intent.id for intent in found] == ["pi_2", "pi_1"]
    assert dict(script.sent[1].params)["starting_after"] == "pi_2"
    assert dict(script.sent[1].params)["customer"] == "cus_1"


# --- what comes back --------------------------------------------------------------------------------------------------


def test_a_reply_without_the_wanted_type_is_an_error() -> None:
    with pytest.raises(ProviderRefused) as refusal:
        create(Script(ok(intent_body(payment_method_types=[]))))
    assert refusal.value.code == "payment_method_types"


def test_a_failed_latest_charge_is_not_the_intents_charge() -> None:
    body = intent_body(
        latest_charge=charge_body(status="failed"),
        last_payment_error={"type": "card_error", "code": "card_declined", "decline_code": "generic_decline"},
    )
    found = gateway(Script(ok(body))).retrieve_intent("acct_1", "pi_1")
    assert found.charge is None
    assert found.decline == Decline("card_declined", "generic_decline")


def test_a_settled_charge_carries_its_balance_in_the_accounts_currency() -> None:
    balance = {
        "id": "txn_1",
        "object": "balance_transaction",
        "amount": 4_321,
        "fee": 155,
        "net": 4_166,
        "currency": "eur",
        "exchange_rate": 0.8642,
    }
    charge = gateway(Script(ok(charge_body(balance_transaction=balance)))).retrieve_charge("acct_1", "ch_1")
    assert charge.method == Method("card", "amex", "0005")
    assert charge.balance == BalanceTransaction(
        "txn_1", Money(4_321, "eur"), Money(155, "eur"), Money(4_166, "eur"), "0.8642"
    )


def test_a_bank_account_is_named_by_its_bank() -> None:
    details = {"type": "us_bank_account", "us_bank_account": {"bank_name": "STRIPE TEST BANK", "last4": "6789"}}
    charge = gateway(Script(ok(charge_body(payment_method_details=details)))).retrieve_charge("acct_1", "ch_1")
    assert charge.method == Method("us_bank_account", "STRIPE TEST BANK", "6789")


def test_a_decline_is_read_from_the_error_without_a_second_call() -> None:
    declined = intent_body(last_payment_error={"type": "card_error", "code": "expired_card"}, latest_charge="ch_failed")
    script = Script(error(402, type="card_error", code="expired_card", payment_intent=declined))
    refused = confirm(script)
    assert refused.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert refused.decline == Decline("expired_card")
    assert len(script.sent) == 1


def test_a_decline_whose_error_carries_no_intent_is_asked_for() -> None:
    declined = intent_body(last_payment_error={"type": "card_error", "code": "expired_card"})
    script = Script(error(402, type="card_error", code="expired_card"), ok(declined))
    assert confirm(script).decline == Decline("expired_card")
    assert [(sent.method, urlsplit(sent.url).path) for sent in script.sent] == [
        ("post", "/v1/payment_intents/pi_1/confirm"),
        ("get", "/v1/payment_intents/pi_1"),
    ]


def test_cancelling_too_late_asks_for_the_intent() -> None:
    script = Script(
        error(400, type="invalid_request_error", code="payment_intent_unexpected_state"),
        ok(intent_body(status="processing")),
    )
    kept = gateway(script).cancel_intent("acct_1", "pi_1", key="cancel-1")
    assert kept.status is IntentStatus.PROCESSING


# --- errors -----------------------------------------------------------------------------------------------------------


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


def test_reads_are_tried_again_too() -> None:
    script = Script(LOST, ok(intent_body()))
    assert gateway(script).retrieve_intent("acct_1", "pi_1").id == "pi_1"
    assert len(script.sent) == 2


# --- logs, time, imports ----------------------------------------------------------------------------------------------


def test_the_log_has_path_status_and_request_id_and_no_word_of_the_bodies(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "till.stripe")
    script = Script(ok({"id": "cus_1", "object": "customer"}))
    gateway(script).create_customer("acct_1", email="ada@buyer.example", name="Ada", metadata={}, key="cus-1")
    (record,) = caplog.records
    fields = vars(record)
    assert fields["method"] == "POST"
    assert fields["path"] == "/v1/customers"
    assert fields["status"] == 200
    assert fields["stripe_request"] == "req_1"
    assert fields["stripe_account"] == "acct_1"
    written = json.dumps({name: value for name, value in fields.items() if isinstance(value, (str, int))})
    assert "ada@buyer.example" not in written
    assert "sk_test" not in written


def test_a_query_stays_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "till.stripe")
    script = Script(ok({"object": "list", "url": "/v1/payment_intents", "has_more": False, "data": []}))
    gateway(script).find_intents("acct_1", customer_id="cus_1")
    assert vars(caplog.records[0])["path"] == "/v1/payment_intents"


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_time_out_ends_the_call_and_leaves_no_time_for_another_try(silent_server: str) -> None:
    waits = Waits()
    impatient = StripeGateway(GatewaySettings(stripe_api_base=silent_server), timeout_seconds=0.2, sleep=waits)
    with pytest.raises(ProviderUnavailable):
        impatient.retrieve_intent("acct_1", "pi_1")
    impatient.close()
    assert waits.seconds == []


def test_neither_signatures_nor_wiring_import_stripe_or_boto() -> None:
    program = (
        "import sys, chalicelib.wiring, chalicelib.gateways.stripe.signatures, chalicelib.gateways.queues, "
        "chalicelib.gateways.mail, chalicelib.observability\n"
        "print([name for name in ('stripe', 'boto3', 'botocore', 'requests') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
