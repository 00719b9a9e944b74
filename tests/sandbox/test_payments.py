"""The way of a payment that works: intent, token, charge, capture, events; and what is kept of it."""

from datetime import timedelta
from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import ACCOUNT, Bench


def pay(bench: Bench, amount: int = 4900, currency: str = "usd", **more: Any) -> stripe.PaymentIntent:
    return bench.stripe.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": currency,
            "payment_method": "pm_card_visa",
            "off_session": True,
            "confirm": True,
            "expand": ["latest_charge"],
            **more,
        },
        bench.on,
    )


def test_a_token_confirms_an_intent_saves_the_card_and_is_captured_afterwards(bench: Bench) -> None:
    api = bench.stripe.v1
    customer = api.customers.create({"email": "anna@example.com"}, bench.keyed("cus-1"))
    intent = api.payment_intents.create(
        {
            "amount": 4900,
            "currency": "usd",
            "customer": customer.id,
            "setup_future_usage": "off_session",
            "allowed_payment_method_types": ["card"],
            "metadata": {"invoice": "inv_1"},
        },
        bench.keyed("pi-1"),
    )
    assert (intent.status, intent.payment_method_types, intent.latest_charge) == (
        "requires_payment_method",
        ["card"],
        None,
    )
    token = api.test_helpers.confirmation_tokens.create(
        {"payment_method": "pm_card_visa", "setup_future_usage": "off_session"}, bench.on
    )
    assert token.expires_at == token.created + 12 * 3600

    paid = api.payment_intents.confirm(
        intent.id, {"confirmation_token": token.id, "expand": ["latest_charge"]}, bench.keyed("confirm-1")
    )

    charge = paid.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (paid.status, paid.amount_received, charge.status, charge.paid) == ("succeeded", 4900, "succeeded", True)
    assert charge.balance_transaction is None
    assert charge.metadata["invoice"] == "inv_1"
    assert api.payment_methods.retrieve(str(paid.payment_method), {}, bench.on).customer == customer.id
    assert api.confirmation_tokens.retrieve(token.id, {}, bench.on).payment_intent == intent.id

    assert [done.outcome for done in bench.sandbox.deliver_due()] == ["captured"]
    assert bench.sandbox.deliver_due() == []

    settled = api.payment_intents.retrieve(intent.id, {"expand": ["latest_charge.balance_transaction"]}, bench.on)
    assert isinstance(settled.latest_charge, stripe.Charge)
    movement = settled.latest_charge.balance_transaction
    assert isinstance(movement, stripe.BalanceTransaction)
    assert (movement.amount, movement.fee, movement.net) == (4900, 172, 4728)
    assert movement.source == charge.id
    assert bench.types() == [
        "customer.created",
        "payment_intent.created",
        "payment_method.attached",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ]
    updated = bench.sandbox.listing("events")[-1]
    assert updated["data"]["previous_attributes"] == {"balance_transaction": None}
    assert updated["request"] == {"id": None, "idempotency_key": None}
    assert (updated["account"], updated["livemode"], updated["api_version"]) == (
        ACCOUNT,
        False,
        stripe._api_version._ApiVersion.CURRENT,
    )


@pytest.mark.parametrize(("amount", "fee"), [(50, 31), (100, 33), (500, 45), (1500, 74), (4900, 172), (10050, 321)])
def test_the_fee_is_2_9_per_cent_rounded_half_up_and_30_cents(bench: Bench, amount: int, fee: int) -> None:
    pay(bench, amount)
    bench.sandbox.deliver_due()
    [movement] = bench.sandbox.listing("balance_transactions")
    assert (movement["fee"], movement["net"]) == (fee, amount - fee)


def test_a_payment_in_another_currency_is_settled_in_the_accounts(bench: Bench) -> None:
    pay(bench, 10000, "eur")
    bench.sandbox.deliver_due()
    [movement] = bench.sandbox.listing("balance_transactions")
    assert (movement["currency"], movement["amount"], movement["exchange_rate"]) == ("usd", 10800, 1.08)
    assert (movement["fee"], movement["net"]) == (343, 10457)
    pay(bench, 5000, "jpy")
    bench.sandbox.deliver_due()
    assert bench.sandbox.listing("balance_transactions")[1]["amount"] == 3350


def test_a_platforms_fee_stands_beside_stripes_own(bench: Bench) -> None:
    pay(bench, application_fee_amount=100)
    bench.sandbox.deliver_due()
    [movement] = bench.sandbox.listing("balance_transactions")
    assert [(detail["type"], detail["amount"]) for detail in movement["fee_details"]] == [
        ("stripe_fee", 172),
        ("application_fee", 100),
    ]
    assert (movement["fee"], movement["net"]) == (272, 4628)


def test_a_token_is_used_once_expires_and_keeps_to_what_elements_was_told(bench: Bench) -> None:
    api = bench.stripe.v1

    def token() -> str:
        return api.test_helpers.confirmation_tokens.create({"payment_method": "pm_card_visa"}, bench.on).id

    def intent() -> str:
        return api.payment_intents.create({"amount": 4900, "currency": "usd"}, bench.on).id

    first = token()
    api.payment_intents.confirm(intent(), {"confirmation_token": first}, bench.on)
    with pytest.raises(stripe.InvalidRequestError, match="already been used"):
        api.payment_intents.confirm(intent(), {"confirmation_token": first}, bench.on)
    late = token()
    bench.clock.advance(timedelta(hours=12))
    with pytest.raises(stripe.InvalidRequestError, match="No such confirmation_token"):
        api.payment_intents.confirm(intent(), {"confirmation_token": late}, bench.on)
    assert len(bench.sandbox.listing("charges")) == 1


def test_a_card_used_without_a_customer_is_never_used_again(bench: Bench) -> None:
    paid = pay(bench)
    with pytest.raises(stripe.InvalidRequestError, match="previously used"):
        pay(bench, payment_method=str(paid.payment_method))
    assert len(bench.sandbox.listing("charges")) == 1


def test_only_what_is_sent_changes_and_empty_values_unset(bench: Bench) -> None:
    api = bench.stripe.v1
    home = {"city": "Portland", "country": "US"}
    made = api.customers.create({"name": "Anna", "address": home, "metadata": {"a": "1", "b": "2"}}, bench.on)
    assert made.address is not None
    assert (made.address.city, made.address.line1) == ("Portland", None)
    changed = api.customers.update(made.id, {"address": "", "metadata": {"a": "", "c": "3"}}, bench.on)
    assert (changed.name, changed.address, changed.metadata.to_dict()) == ("Anna", None, {"b": "2", "c": "3"})
    assert api.customers.update(made.id, {"metadata": ""}, bench.on).metadata.to_dict() == {}
    events = [event for event in bench.sandbox.listing("events") if event["type"] == "customer.updated"]
    assert events[0]["data"]["previous_attributes"]["metadata"] == {"a": "1", "b": "2"}
    assert len(events) == 2


def test_an_intent_is_updated_and_cancelled_only_while_that_is_possible(bench: Bench) -> None:
    api = bench.stripe.v1
    intent = api.payment_intents.create({"amount": 4900, "currency": "usd", "metadata": {"a": "1"}}, bench.on)
    assert api.payment_intents.update(intent.id, {"amount": 5900}, bench.on).amount == 5900
    gone = api.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"}, bench.on)
    assert (gone.status, gone.cancellation_reason, gone.canceled_at) == (
        "canceled",
        "abandoned",
        int(bench.clock().timestamp()),
    )
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"}, bench.on)
    assert refused.value.json_body["error"]["payment_intent"]["status"] == "canceled"
    assert bench.types() == ["payment_intent.created", "payment_intent.canceled"]


def test_lists_run_newest_first_by_cursor_and_are_filtered(bench: Bench) -> None:
    api = bench.stripe.v1
    customer = api.customers.create({}, bench.on).id
    made = []
    for _ in range(5):
        made.append(api.payment_intents.create({"amount": 4900, "currency": "usd", "customer": customer}, bench.on).id)
        bench.clock.advance(timedelta(minutes=1))
    pay(bench)
    first = api.payment_intents.list({"customer": customer, "limit": 2}, bench.on)
    assert ([entry.id for entry in first.data], first.has_more) == ([made[4], made[3]], True)
    rest = api.payment_intents.list({"customer": customer, "limit": 3, "starting_after": made[3]}, bench.on)
    assert ([entry.id for entry in rest.data], rest.has_more) == ([made[2], made[1], made[0]], False)
    back = api.payment_intents.list({"customer": customer, "limit": 2, "ending_before": made[1]}, bench.on)
    assert ([entry.id for entry in back.data], back.has_more) == ([made[3], made[2]], True)
    second = api.payment_intents.retrieve(made[1], {}, bench.on).created
    dated = api.payment_intents.list(
        {"created": {"gte": second, "lt": second + 61}, "expand": ["data.customer"]}, bench.on
    )
    assert [entry.id for entry in dated.data] == [made[2], made[1]]
    assert isinstance(dated.data[0].customer, stripe.Customer)
    assert [entry.id for entry in api.payment_intents.list({"limit": 100}, bench.on).auto_paging_iter()][1:] == made[
        ::-1
    ]
    charge = bench.sandbox.listing("charges")[0]
    assert [entry.id for entry in api.charges.list({"payment_intent": charge["payment_intent"]}, bench.on).data] == [
        charge["id"]
    ]


def test_accounts_do_not_see_each_other(bench: Bench) -> None:
    bench.sandbox.add_account("acct_second", country="DE", default_currency="eur", name="Zweiter")
    paid = pay(bench)
    elsewhere = {"stripe_account": "acct_second"}
    with pytest.raises(stripe.InvalidRequestError) as missing:
        bench.stripe.v1.payment_intents.retrieve(paid.id, {}, elsewhere)
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    assert bench.stripe.v1.payment_intents.list({}, elsewhere).data == []
    assert bench.stripe.v1.events.list({}, {}).data == []
    account = bench.stripe.v1.accounts.retrieve("acct_second")
    assert (account.country, account.default_currency, account.charges_enabled) == ("DE", "eur", True)
    bench.sandbox.change_account("acct_second", charges_enabled=False)
    assert bench.stripe.v1.accounts.retrieve("acct_second").charges_enabled is False
    assert bench.sandbox.listing("events")[-1]["type"] == "account.updated"


def test_the_log_has_every_call_with_its_parameters_and_never_the_key(bench: Bench) -> None:
    pay(bench)
    with pytest.raises(stripe.InvalidRequestError):
        bench.stripe.v1.payment_intents.retrieve("pi_none", {}, bench.keyed("k-9"))
    first, second = bench.sandbox.listing("requests")
    assert (first["method"], first["path"], first["account"], first["status"]) == (
        "POST",
        "/v1/payment_intents",
        ACCOUNT,
        200,
    )
    assert (first["parameters"]["amount"], first["parameters"]["confirm"]) == (4900, True)
    assert (second["status"], second["error"], second["idempotency_key"]) == (404, "resource_missing", "k-9")
    assert "authorization" not in {name.lower() for name in first["headers"]}
    assert "sk_test" not in str([first, second])


def test_reset_forgets_all_but_accounts(bench: Bench) -> None:
    paid = pay(bench)
    bench.sandbox.reset()
    for kind in ("customers", "payment_intents", "charges", "events", "requests", "payment_methods"):
        assert bench.sandbox.listing(kind) == []
    assert bench.sandbox.deliver_due() == []
    assert [account["id"] for account in bench.sandbox.listing("accounts")] == ["acct_platform", ACCOUNT]
    with pytest.raises(stripe.InvalidRequestError):
        bench.stripe.v1.payment_intents.retrieve(paid.id, {}, bench.on)
