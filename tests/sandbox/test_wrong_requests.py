"""A table of wrong requests: what Stripe answers to each, with the page that says so."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from tests.sandbox.conftest import ACCOUNT, PUBLISHABLE_KEY, SECRET_KEY, Bench

CODES = "https://docs.stripe.com/error-codes"
ERRORS = "https://docs.stripe.com/api/errors"
AMOUNTS = "https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts"
CREATE = "https://docs.stripe.com/api/payment_intents/create"
CONFIRM = "https://docs.stripe.com/api/payment_intents/confirm"
LIFECYCLE = "https://docs.stripe.com/payments/paymentintents/lifecycle"
SETUP = "https://docs.stripe.com/api/setup_intents/create"
METADATA = "https://docs.stripe.com/api/metadata"
PAGES = "https://docs.stripe.com/api/pagination"
EXPAND = "https://docs.stripe.com/api/expanding_objects"
KEYS = "https://docs.stripe.com/keys"
AUTH = "https://docs.stripe.com/api/authentication"
CONNECT = "https://docs.stripe.com/connect/authentication"
ENDIVE = (
    "https://docs.stripe.com/changelog/endive/2026-09-30/"
    "removes-the-payment-method-types-parameter-from-payment-intents-and-setup-intents"
)
ALLOWED = "https://docs.stripe.com/changelog/dahlia/2026-07-29/allowed-payment-method-types-parameter"
TOKENS = "https://docs.stripe.com/payments/finalize-payments-on-the-server"
REFUNDS = "https://docs.stripe.com/api/refunds/create"
METHODS = "https://docs.stripe.com/api/payment_methods/attach"
DESCRIPTORS = "https://docs.stripe.com/get-started/account/statement-descriptors"
FEES = "https://docs.stripe.com/connect/direct-charges#collect-fees"
EVENTS = "https://docs.stripe.com/api/events/list"
VERSIONS = "https://docs.stripe.com/api/versioning"
TESTING = "https://docs.stripe.com/testing"

PI = "/v1/payment_intents"
SI = "/v1/setup_intents"
GOOD = "amount=4900&currency=usd"
INVALID = "invalid_request_error"


@dataclass(frozen=True)
class Wrong:
    """One wrong request. `{name}` in path and form stands for an object that `world` made."""

    name: str
    source: str
    line: str
    form: str
    status: int = 400
    code: str | None = None
    param: str | None = None
    kind: str = INVALID
    says: str = ""
    headers: tuple[tuple[str, str], ...] = ()


TABLE = [
    # What the parameters are called.
    Wrong("an unknown parameter", CODES, f"POST {PI}", f"{GOOD}&colour=red", code="parameter_unknown",
          param="colour"),
    Wrong("two unknown parameters", CODES, f"POST {PI}", f"{GOOD}&a=1&b=2", code="parameter_unknown", param="a",
          says="a, b"),
    Wrong("an unknown nested parameter", CODES, f"POST {PI}", f"{GOOD}&automatic_payment_methods[on]=true",
          code="parameter_unknown", param="automatic_payment_methods[on]"),
    Wrong("an option of the client sent as a parameter", CODES, f"POST {PI}", f"{GOOD}&idempotency_key=k",
          code="parameter_unknown", param="idempotency_key"),
    Wrong("another option of the client", CODES, "POST /v1/customers", "stripe_account=acct_1",
          code="parameter_unknown", param="stripe_account"),
    Wrong("an unknown parameter on a read", CODES, "GET /v1/customers/{customer}", "deep=true",
          code="parameter_unknown", param="deep"),
    Wrong("confirm's parameter on update", CODES, f"POST {PI}/{{intent}}", "off_session=true",
          code="parameter_unknown", param="off_session"),
    Wrong("create's parameter on confirm", CODES, f"POST {PI}/{{intent}}/confirm", "amount=1",
          code="parameter_unknown", param="amount"),
    Wrong("a missing amount", CODES, f"POST {PI}", "currency=usd", code="parameter_missing", param="amount"),
    Wrong("a missing currency", CODES, f"POST {PI}", "amount=4900", code="parameter_missing", param="currency"),
    Wrong("a missing nested parameter", CODES, f"POST {PI}",
          f"{GOOD}&automatic_payment_methods[allow_redirects]=never",
          code="parameter_missing", param="automatic_payment_methods[enabled]"),
    Wrong("payment_method_types, which Endive took away", ENDIVE, f"POST {PI}", f"{GOOD}&payment_method_types[]=card",
          code="payment_method_types_no_longer_supported", param="payment_method_types"),
    Wrong("payment_method_types on confirm", ENDIVE, f"POST {PI}/{{intent}}/confirm", "payment_method_types[]=card",
          code="payment_method_types_no_longer_supported", param="payment_method_types"),
    Wrong("payment_method_types on a SetupIntent", ENDIVE, f"POST {SI}", "payment_method_types[0]=card",
          code="payment_method_types_no_longer_supported", param="payment_method_types"),
    # Of which type they are.
    Wrong("an amount with a decimal point", CODES, f"POST {PI}", "amount=49.00&currency=usd",
          code="parameter_invalid_integer", param="amount", says="Invalid integer: 49.00"),
    Wrong("an amount with an exponent", CODES, f"POST {PI}", "amount=1e3&currency=usd",
          code="parameter_invalid_integer", param="amount"),
    Wrong("an amount with a sign Python takes", CODES, f"POST {PI}", "amount=%2B500&currency=usd",
          code="parameter_invalid_integer", param="amount"),
    Wrong("an amount with underscores Python takes", CODES, f"POST {PI}", "amount=5_000&currency=usd",
          code="parameter_invalid_integer", param="amount"),
    Wrong("an amount in other digits", CODES, f"POST {PI}", f"amount={quote('٥٠٠')}&currency=usd",
          code="parameter_invalid_integer", param="amount"),
    Wrong("an amount of 5,000 digits", CODES, f"POST {PI}", f"amount={'9' * 5000}&currency=usd",
          code="parameter_invalid_integer", param="amount"),
    Wrong("an empty amount", CODES, f"POST {PI}", "amount=&currency=usd", code="parameter_invalid_empty",
          param="amount"),
    Wrong("an object for an amount", CODES, f"POST {PI}", "amount[a]=1&currency=usd",
          code="parameter_invalid_integer", param="amount"),
    Wrong("a boolean written True", ERRORS, f"POST {PI}", f"{GOOD}&confirm=True", param="confirm",
          says="Invalid boolean: True"),
    Wrong("a boolean written 1", ERRORS, f"POST {PI}", f"{GOOD}&confirm=1", param="confirm"),
    Wrong("a word that is no choice", ERRORS, f"POST {PI}", f"{GOOD}&setup_future_usage=always",
          param="setup_future_usage", says="must be one of off_session or on_session"),
    Wrong("a capture method that is none", ERRORS, f"POST {PI}", f"{GOOD}&capture_method=later",
          param="capture_method"),
    Wrong("a payment method type that is none", ERRORS, f"POST {PI}", f"{GOOD}&allowed_payment_method_types[]=gold",
          param="allowed_payment_method_types[0]"),
    Wrong("a cancellation reason that is none", ERRORS, f"POST {PI}/{{intent}}/cancel", "cancellation_reason=bored",
          param="cancellation_reason"),
    Wrong("text for an object", ERRORS, f"POST {PI}", f"{GOOD}&shipping=home", param="shipping",
          says="Invalid object"),
    Wrong("text for a list", ERRORS, f"POST {PI}", f"{GOOD}&expand=latest_charge", param="expand",
          says="Invalid array"),
    Wrong("words for the indices of a list", ERRORS, f"POST {PI}", f"{GOOD}&expand[first]=latest_charge",
          param="expand"),
    Wrong("text longer than 5,000", ERRORS, "POST /v1/customers", f"name={'n' * 5001}", param="name"),
    Wrong("an empty text that cannot be unset", CODES, f"POST {PI}", f"{GOOD}&customer=",
          code="parameter_invalid_empty", param="customer"),
    Wrong("a bracket that does not close", ERRORS, f"POST {PI}", f"{GOOD}&metadata[a=1", param="metadata[a"),
    Wrong("a name that is value and object", ERRORS, f"POST {PI}", f"{GOOD}&metadata=1&metadata[a]=2",
          param="metadata[a]"),
    Wrong("bytes that are not UTF-8", ERRORS, "POST /v1/customers", "name=%ff"),
    # Which values they may have.
    Wrong("an amount of nothing", CREATE, f"POST {PI}", "amount=0&currency=usd",
          code="parameter_invalid_integer", param="amount", says="greater than or equal to 1"),
    Wrong("a negative amount", CREATE, f"POST {PI}", "amount=-500&currency=usd",
          code="parameter_invalid_integer", param="amount"),
    Wrong("49 cents", AMOUNTS, f"POST {PI}", "amount=49&currency=usd",
          code="amount_too_small", param="amount", says="Amount must be at least $0.50 usd"),
    Wrong("49 yen", AMOUNTS, f"POST {PI}", "amount=49&currency=jpy", code="amount_too_small", param="amount",
          says="¥50"),
    Wrong("an amount of nine digits", CREATE, f"POST {PI}", "amount=100000000&currency=usd",
          code="amount_too_large", param="amount", says="$999,999.99"),
    Wrong("a three-decimal amount not in tens", "https://docs.stripe.com/currencies#three-decimal", f"POST {PI}",
          "amount=5001&currency=kwd", param="amount"),
    Wrong("half a unit of a whole-unit currency", "https://docs.stripe.com/currencies#special-cases", f"POST {PI}",
          "amount=50050&currency=isk", param="amount"),
    Wrong("a currency that is none", "https://docs.stripe.com/currencies", f"POST {PI}", "amount=4900&currency=zzz",
          param="currency", says="Invalid currency: zzz"),
    Wrong("an amount too small on update", AMOUNTS, f"POST {PI}/{{intent}}", "amount=10",
          code="amount_too_small", param="amount"),
    Wrong("a return address that is none", CODES, f"POST {PI}/{{intent}}/confirm", "return_url=home",
          code="url_invalid", param="return_url"),
    Wrong("a descriptor suffix of 23 letters", DESCRIPTORS, f"POST {PI}",
          f"{GOOD}&statement_descriptor_suffix={'A' * 23}",
          param="statement_descriptor_suffix"),
    Wrong("a descriptor suffix with a star", DESCRIPTORS, f"POST {PI}", f"{GOOD}&statement_descriptor_suffix=A*B",
          param="statement_descriptor_suffix"),
    Wrong("51 metadata keys", METADATA, f"POST {PI}", GOOD + "".join(f"&metadata[k{n}]=v" for n in range(51)),
          param="metadata"),
    Wrong("a metadata key of 41 letters", METADATA, f"POST {PI}", f"{GOOD}&metadata[{'k' * 41}]=v", param="metadata"),
    Wrong("an address without a domain", CODES, "POST /v1/customers", "email=anna",
          code="email_invalid", param="email"),
    Wrong("an address outside of ASCII", CODES, "POST /v1/customers", "email=anna@b%C3%BCcher.example",
          code="email_invalid", param="email"),
    Wrong("a metadata value of 501 letters", METADATA, "POST /v1/customers", f"metadata[k]={'v' * 501}",
          param="metadata"),
    Wrong("metadata in metadata", METADATA, "POST /v1/customers", "metadata[k][deep]=v", param="metadata"),
    Wrong("a fee above the amount", FEES, f"POST {PI}", f"{GOOD}&application_fee_amount=4901",
          param="application_fee_amount"),
    Wrong("a page of none", PAGES, f"GET {PI}", "limit=0", code="parameter_invalid_integer", param="limit"),
    Wrong("a page of 101", PAGES, f"GET {PI}", "limit=101", code="parameter_invalid_integer", param="limit"),
    Wrong("an unknown cursor", PAGES, f"GET {PI}", "starting_after=pi_none",
          code="resource_missing", param="starting_after"),
    Wrong("an unknown path to expand", EXPAND, f"GET {PI}/{{intent}}", "expand[]=charges", param="expand"),
    Wrong("a path that is no object", EXPAND, f"GET {PI}/{{intent}}", "expand[]=amount", param="expand"),
    Wrong("a list's path without data", EXPAND, f"GET {PI}", "expand[]=customer", param="expand",
          says="data.customer"),
    Wrong("five levels", EXPAND, f"GET {PI}/{{intent}}",
          "expand[]=latest_charge.payment_intent.latest_charge.payment_intent.customer", param="expand"),
    # Which of them go together.
    Wrong("allowed types beside automatic ones", ALLOWED, f"POST {PI}",
          f"{GOOD}&allowed_payment_method_types[]=card&automatic_payment_methods[enabled]=true",
          code="parameters_exclusive"),
    Wrong("allowed types beside excluded ones", ALLOWED, f"POST {SI}",
          "allowed_payment_method_types[]=card&excluded_payment_method_types[]=klarna", code="parameters_exclusive"),
    Wrong("types that the account does not have", ALLOWED, f"POST {PI}",
          f"{GOOD}&allowed_payment_method_types[]=klarna",
          says="No valid payment method types"),
    Wrong("a token and a method", CONFIRM, f"POST {PI}/{{intent}}/confirm",
          "payment_method=pm_card_visa&confirmation_token={token}",
          code="parameters_exclusive"),
    Wrong("off_session without confirm", CREATE, f"POST {PI}", f"{GOOD}&off_session=true", param="off_session",
          says="confirm=true"),
    Wrong("return_url without confirm", CREATE, f"POST {PI}", f"{GOOD}&return_url=https://a.example/",
          param="return_url"),
    Wrong("error_on_requires_action without confirm", CREATE, f"POST {PI}", f"{GOOD}&error_on_requires_action=true",
          param="error_on_requires_action"),
    Wrong("a token without confirm", CREATE, f"POST {PI}", f"{GOOD}&confirmation_token={{token}}",
          param="confirmation_token"),
    Wrong("a SetupIntent's return_url without confirm", SETUP, f"POST {SI}", "return_url=https://a.example/",
          param="return_url"),
    Wrong("automatic methods, confirmed with no way back", CONFIRM, f"POST {PI}",
          f"{GOOD}&confirm=true&payment_method=pm_card_visa", says="you must provide a `return_url`"),
    Wrong("both cursors", PAGES, f"GET {PI}", "starting_after={intent}&ending_before={intent}",
          code="parameters_exclusive"),
    Wrong("type and types of events", EVENTS, "GET /v1/events", "type=charge.failed&types[]=charge.updated",
          code="parameters_exclusive"),
    Wrong("a refund of a charge and an intent", REFUNDS, "POST /v1/refunds", "charge=ch_1&payment_intent=pi_1",
          code="parameters_exclusive"),
    Wrong("a refund of nothing", REFUNDS, "POST /v1/refunds", "amount=100", code="parameter_missing"),
    # What they name.
    Wrong("an intent that is not there", CODES, f"GET {PI}/pi_none", "", 404, "resource_missing", "intent",
          says="No such payment_intent: 'pi_none'"),
    Wrong("the charges of an intent that is not there", CODES, "GET /v1/charges", "payment_intent=pi_none", 400,
          "resource_missing", "payment_intent"),
    Wrong("a customer that is not there", CODES, "GET /v1/customers/cus_none", "", 404, "resource_missing", "id"),
    Wrong("an intent for a customer that is not there", CODES, f"POST {PI}", f"{GOOD}&customer=cus_none", 400,
          "resource_missing", "customer"),
    Wrong("a payment method that is not there", CODES, f"POST {PI}/{{intent}}/confirm",
          "payment_method=pm_none&off_session=true",
          400, "resource_missing", "payment_method"),
    Wrong("a test card that is none", TESTING, "POST /v1/payment_methods/pm_card_gold/attach", "customer={customer}",
          404,
          "resource_missing", "payment_method"),
    Wrong("a token that is not there", TOKENS, f"POST {PI}/{{intent}}/confirm", "confirmation_token=ctoken_none", 400,
          "resource_missing", "confirmation_token"),
    Wrong("a customer's method that is another's", METHODS, f"POST {PI}/{{intent}}/confirm",
          "payment_method={others_method}&off_session=true", param="payment_method",
          says="does not have a payment method"),
    Wrong("a saved method without its customer", CREATE, f"POST {PI}", f"{GOOD}&payment_method={{others_method}}",
          param="payment_method", says="belongs to"),
    Wrong("a method that was used up", METHODS, "POST /v1/payment_methods/{spent_method}/attach",
          "customer={customer}",
          says="previously used"),
    # What the object is ready for.
    Wrong("confirming with nothing to pay with", LIFECYCLE, f"POST {PI}/{{intent}}/confirm", "",
          code="payment_intent_unexpected_state", says="missing a payment method"),
    Wrong("confirming what succeeded", LIFECYCLE, f"POST {PI}/{{paid}}/confirm", "payment_method=pm_card_visa",
          code="payment_intent_unexpected_state", says="already succeeded"),
    Wrong("cancelling what succeeded", LIFECYCLE, f"POST {PI}/{{paid}}/cancel", "",
          code="payment_intent_unexpected_state", says="status of succeeded"),
    Wrong("confirming what was cancelled", LIFECYCLE, f"POST {PI}/{{canceled}}/confirm",
          "payment_method=pm_card_visa",
          code="payment_intent_unexpected_state", says="status of canceled"),
    Wrong("another amount for what succeeded", LIFECYCLE, f"POST {PI}/{{paid}}", "amount=5000",
          code="payment_intent_unexpected_state"),
    Wrong("another customer for an intent", CREATE, f"POST {PI}/{{intent}}", "customer={other}", param="customer"),
    Wrong("confirming an empty SetupIntent", LIFECYCLE, f"POST {SI}/{{setup}}/confirm", "",
          code="setup_intent_unexpected_state"),
    Wrong("refunding more than was paid", REFUNDS, "POST /v1/refunds", "payment_intent={paid}&amount=4901",
          param="amount",
          says="($49.01) is greater than unrefunded amount on charge ($49.00)"),
    Wrong("refunding what did not succeed", REFUNDS, "POST /v1/refunds", "payment_intent={intent}",
          param="payment_intent"),
    Wrong("refunding nothing of it", REFUNDS, "POST /v1/refunds", "payment_intent={paid}&amount=0",
          code="parameter_invalid_integer", param="amount"),
    Wrong("refunding less than nothing", REFUNDS, "POST /v1/refunds", "payment_intent={paid}&amount=-100",
          code="parameter_invalid_integer", param="amount"),
    Wrong("refunding a part of a cent", REFUNDS, "POST /v1/refunds", "payment_intent={paid}&amount=1.5",
          code="parameter_invalid_integer", param="amount"),
    Wrong("a reason of one's own", REFUNDS, "POST /v1/refunds", "payment_intent={paid}&reason=did_not_like_it",
          param="reason"),
    Wrong("an unknown parameter of a refund", CODES, "POST /v1/refunds", "payment_intent={paid}&colour=red",
          code="parameter_unknown", param="colour"),
    Wrong("refunding a charge that is not there", REFUNDS, "POST /v1/refunds", "charge=ch_none",
          code="resource_missing", param="charge"),
    Wrong("refunding an intent that is not there", REFUNDS, "POST /v1/refunds", "payment_intent=pi_none",
          code="resource_missing", param="payment_intent"),
    Wrong("a refund's metadata value of 501 letters", METADATA, "POST /v1/refunds",
          f"payment_intent={{paid}}&metadata[k]={'v' * 501}", param="metadata"),
    Wrong("refunding what was refunded", CODES, "POST /v1/refunds", "payment_intent={refunded}",
          code="charge_already_refunded", says="has already been refunded"),
    Wrong("refunding what the bank took back", CODES, "POST /v1/refunds", "payment_intent={disputed}",
          code="charge_disputed", says="has been charged back"),
    Wrong("refunding between the steps of a currency", "https://docs.stripe.com/currencies#three-decimal",
          "POST /v1/refunds", "payment_intent={dinars}&amount=1005", param="amount", says="must be 0"),
    Wrong("changing the amount of a refund", "https://docs.stripe.com/api/refunds/update",
          "POST /v1/refunds/{refund}", "amount=100", code="parameter_unknown", param="amount"),
    Wrong("changing a refund that is not there", CODES, "POST /v1/refunds/re_none", "metadata[a]=1", 404,
          "resource_missing", "id"),
    Wrong("a refund that is not there", CODES, "GET /v1/refunds/re_none", "", 404, "resource_missing", "id",
          says="No such refund: 're_none'"),
    Wrong("the refunds of a charge that is not there", CODES, "GET /v1/refunds", "charge=ch_none",
          code="resource_missing", param="charge"),
    Wrong("a refund's path that is no object", EXPAND, "GET /v1/refunds/{refund}", "expand[]=amount", param="expand"),
    Wrong("detaching what is not attached", METHODS, "POST /v1/payment_methods/{loose_method}/detach", "",
          param="payment_method"),
    # Who asks, and for whom.
    Wrong("no key", AUTH, f"GET {PI}", "", 401, headers=(("Authorization", ""),)),
    Wrong("a wrong key", AUTH, f"GET {PI}", "", 401, headers=(("Authorization", "Bearer sk_test_wrong_one"),),
          says="Invalid API Key provided"),
    Wrong("a publishable key", KEYS, f"POST {PI}", GOOD, 401, "secret_key_required",
          headers=(("Authorization", f"Bearer {PUBLISHABLE_KEY}"),)),
    Wrong("an account that is not connected", CONNECT, f"GET {PI}", "", 403, "account_invalid",
          headers=(("Stripe-Account", "acct_other"),)),
    Wrong("another API version", VERSIONS, f"GET {PI}", "", headers=(("Stripe-Version", "2020-08-27"),),
          says="2020-08-27"),
    Wrong("an address that is no endpoint", ERRORS, "GET /v1/invoices", "", 404,
          says="Unrecognized request URL (GET: /v1/invoices)"),
    Wrong("a method the endpoint has not", ERRORS, "POST /v1/events", "", 404),
    Wrong("an idempotency key of 256 letters", "https://docs.stripe.com/api/idempotent_requests", f"POST {PI}", GOOD,
          headers=(("Idempotency-Key", "k" * 256),)),
]  # fmt: skip


@pytest.fixture
def world(bench: Bench) -> dict[str, str]:
    """Objects in the states that the table speaks of."""
    api, on = bench.stripe.v1, bench.on
    customer = api.customers.create({}, on).id
    other = api.customers.create({}, on).id
    intent = api.payment_intents.create({"amount": 4900, "currency": "usd", "customer": customer}, on).id
    paid = api.payment_intents.create(
        {"amount": 4900, "currency": "usd", "payment_method": "pm_card_visa", "off_session": True, "confirm": True}, on
    )
    canceled = api.payment_intents.create({"amount": 4900, "currency": "usd"}, on).id
    api.payment_intents.cancel(canceled, {}, on)
    loose = api.payment_intents.create({"amount": 4900, "currency": "usd", "payment_method": "pm_card_visa"}, on)
    refunded, disputed, dinars = (
        api.payment_intents.create(
            {"amount": 49_000, "currency": currency, "payment_method": card, "off_session": True, "confirm": True}, on
        ).id
        for currency, card in (("usd", "pm_card_visa"), ("usd", "pm_card_createDispute"), ("kwd", "pm_card_visa"))
    )
    bench.sandbox.deliver_due()
    return {
        "customer": customer,
        "other": other,
        "intent": intent,
        "paid": paid.id,
        "canceled": canceled,
        "spent_method": str(paid.payment_method),
        "loose_method": str(loose.payment_method),
        "others_method": api.payment_methods.attach("pm_card_visa", {"customer": other}, on).id,
        "refunded": refunded,
        "refund": api.refunds.create({"payment_intent": refunded}, on).id,
        "disputed": disputed,
        "dinars": dinars,
        "setup": api.setup_intents.create({}, on).id,
        "token": api.test_helpers.confirmation_tokens.create({"payment_method": "pm_card_visa"}, on).id,
    }


def send(bench: Bench, line: str, form: str, headers: tuple[tuple[str, str], ...] = ()) -> tuple[int, Any]:
    """One raw request, so that nothing is tidied on the way."""
    method, path = line.split(" ")
    address = bench.url + path + (f"?{form}" if method == "GET" and form else "")
    request = urllib.request.Request(  # noqa: S310 - our own server on loopback
        address, method=method, data=form.encode() if method == "POST" else None
    )
    request.add_header("Authorization", f"Bearer {SECRET_KEY}")
    request.add_header("Stripe-Account", ACCOUNT)
    for name, value in headers:
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - the same
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_each_wrong_request_gets_stripes_answer_and_changes_nothing(bench: Bench, world: dict[str, str]) -> None:
    assert len(TABLE) >= 60
    assert len({wrong.name for wrong in TABLE}) == len(TABLE)
    kinds = ("customers", "payment_intents", "charges", "refunds", "setup_intents", "events")
    before = {kind: bench.sandbox.listing(kind) for kind in kinds}
    surprises = []
    for wrong in TABLE:
        status, body = send(bench, wrong.line.format(**world), wrong.form.format(**world), wrong.headers)
        error = body.get("error", {})
        got = (status, error.get("type"), error.get("code"))
        expected = (wrong.status, wrong.kind, wrong.code)
        right_param = wrong.param in (None, error.get("param"))
        if got != expected or not right_param or wrong.says not in error.get("message", ""):
            surprises.append(f"{wrong.name}: {got} param {error.get('param')}: {error.get('message')}")
    assert surprises == []
    assert {kind: bench.sandbox.listing(kind) for kind in kinds} == before


def test_what_stripe_takes_and_the_sandbox_does_not_model_is_refused_loudly(bench: Bench) -> None:
    status, body = send(bench, f"POST {PI}", f"{GOOD}&on_behalf_of=acct_1")
    assert (status, body["error"]["code"]) == (501, "sandbox_not_modelled")
    assert "on_behalf_of" in body["error"]["message"]
    assert bench.sandbox.listing("payment_intents") == []
