"""What the gateway sends to Stripe, and what it makes of each kind of answer: on a scripted connection."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from stripe._api_version import _ApiVersion

from chalicelib.domain.documents.methods import Method
from chalicelib.domain.money.amounts import Money
from chalicelib.gateways.stripe.gateway import API_VERSION, StripeGateway
from chalicelib.services.ports import (
    BalanceTransaction,
    Decline,
    IntentStatus,
    ProviderRefused,
    ProviderUnavailable,
)
from chalicelib.settings import STRIPE_JS_URL
from tests.gateways.stripe_script import (
    Script,
    Waits,
    charge_body,
    confirm,
    create,
    error,
    gateway,
    intent_body,
    ok,
    request,
)
from tests.gateways.stripe_worlds import GatewaySettings

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
