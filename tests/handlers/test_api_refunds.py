"""/v1/refunds over HTTP: whole and in part, what is refused, and what callers are told while nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund
from chalicelib.services.merchants import create_api_key
from chalicelib.services.ports import MadeStatus, ProviderRefused, ProviderUnavailable, StoreUnavailable
from tests import builders as build
from tests.handlers.conftest import ApiWorld
from tests.services.shop import ACCOUNT, Shop

OWNER = "mer_pinewood-studio"
Ask = Callable[..., Any]


@pytest.fixture
def shop(api_world: ApiWorld) -> Shop:
    """A shop with payments, behind the same API."""
    opened = Shop()
    wiring.replace_ports(opened.ports)
    return opened


@pytest.fixture
def paid(shop: Shop) -> Payment:
    return shop.pay()


@pytest.fixture
def api(api_world: ApiWorld, shop: Shop) -> ApiWorld:
    """The API with a key of the shop's merchant."""
    api_world.store = shop.store
    api_world.key = create_api_key(shop.ports, shop.merchant.id, ["*"])
    return api_world


def test_a_part_goes_back_and_then_the_rest(api: ApiWorld, shop: Shop, paid: Payment) -> None:
    first = api.post(
        "/v1/refunds", {"payment": paid.id, "amount": 4_800, "reason": "duplicate", "metadata": {"t": "1"}}
    )
    assert first.status == 201
    refund = first.body
    assert refund["id"].startswith("ref_")
    assert {name: refund[name] for name in ("object", "status", "amount", "currency", "payment", "reason")} == {
        "object": "refund",
        "status": "succeeded",
        "amount": 4_800,
        "currency": "usd",
        "payment": paid.id,
        "reason": "duplicate",
    }
    assert (refund["invoice"], refund["customer"]) == (paid.invoice_id, paid.customer_id)
    assert (refund["metadata"], refund["failure_reason"], refund["made_at"]) == ({"t": "1"}, None, "api")
    assert refund["stripe"]["refund"] == shop.stripe.refunds.of_account(ACCOUNT)[0].id
    assert refund["ended_at"] == "2027-01-31T20:30:00Z"
    assert api.get(f"/v1/refunds/{refund['id']}").body == refund
    rest = api.post("/v1/refunds", {"payment": paid.id, "amount": None})
    assert (rest.status, rest.body["amount"], rest.body["reason"]) == (201, 10_000, None)
    payment = api.get(f"/v1/payments/{paid.id}").body
    assert (payment["status"], payment["refunded"]) == ("refunded", 14_800)
    invoice = api.get(f"/v1/invoices/{paid.invoice_id}").body
    assert (invoice["status"], invoice["amount_paid"], invoice["amount_due"]) == ("paid", 0, 0)
    told = [event["type"] for event in api.get("/v1/events").body["data"]]
    assert told[:4] == ["refund.succeeded", "refund.created"] * 2


def test_net_falls_by_what_went_back_and_the_fee_stays(api: ApiWorld, shop: Shop, paid: Payment) -> None:
    api.post("/v1/refunds", {"payment": paid.id, "amount": 800})
    shop.tell(shop.notice("charge.updated", shop.stripe.intents()[0]))
    payment = api.get(f"/v1/payments/{paid.id}").body
    assert (payment["status"], payment["fee"], payment["net"]) == ("partially_refunded", 459, 13_541)
    assert payment["settlement"] == {
        "currency": "usd",
        "gross": 14_800,
        "refunded": 800,
        "fee": 459,
        "net": 13_541,
        "exchange_rate": None,
    }


@pytest.mark.parametrize(
    ("amount", "status", "code", "param"),
    [
        (14_801, 422, "above_maximum", "amount"),
        (99_999_999, 422, "above_maximum", "amount"),
        (100_000_000, 422, "out_of_range", "amount"),
        (0, 422, "out_of_range", "amount"),
        (-1, 422, "out_of_range", "amount"),
        (1.5, 422, "wrong_type", "amount"),
        ("100", 422, "wrong_type", "amount"),
        (True, 422, "wrong_type", "amount"),
    ],
)
def test_an_amount_that_cannot_go_back_is_refused_and_nothing_is_sent(
    api: ApiWorld, shop: Shop, paid: Payment, amount: object, status: int, code: str, param: str
) -> None:
    before = api.contents()
    answer = api.post("/v1/refunds", {"payment": paid.id, "amount": amount})
    assert (answer.status, answer.code, answer.errors) == (status, code, {param: code})
    assert api.contents() == before
    assert shop.stripe.calls_of("create_refund") == []


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"payment": "missing_field"}),
        ({"payment": "pay_1", "amount": 1}, {"payment": "invalid_value"}),
        ({"payment": 7, "reason": "because"}, {"payment": "wrong_type", "reason": "invalid_value"}),
        ({"payment": "pay_1", "charge": "ch_1"}, {"payment": "invalid_value", "charge": "unknown_field"}),
    ],
)
def test_every_field_at_fault_is_named_at_once(api: ApiWorld, body: dict[str, Any], errors: dict[str, str]) -> None:
    answer = api.post("/v1/refunds", body)
    assert (answer.status, answer.errors) == (422, errors)


def test_a_payment_that_is_unknown_or_anothers_is_told_in_the_same_words(api: ApiWorld, shop: Shop) -> None:
    theirs = build.payment(merchant_id="mer_other")
    shop.store.overwrite(theirs)
    shop.left_broken = "the payment belongs to nobody"
    said = [api.post("/v1/refunds", {"payment": id}).body["error"] for id in (theirs.id, build.new_id("pay"))]
    assert [each["code"] for each in said] == ["invalid_value"] * 2
    assert said[0]["message"] == said[1]["message"]
    assert shop.store.all(Refund) == []


def test_what_is_gone_already_cannot_go_back_again(api: ApiWorld, shop: Shop, paid: Payment) -> None:
    api.post("/v1/refunds", {"payment": paid.id})
    for amount in (None, 1):
        answer = api.post("/v1/refunds", {"payment": paid.id, "amount": amount})
        assert (answer.status, answer.code) == (409, "state_conflict")
    assert len(shop.stripe.calls_of("create_refund")) == 1


def test_while_nobody_knows_the_answer_is_pending(api: ApiWorld, shop: Shop, paid: Payment) -> None:
    shop.stripe.fail("create_refund", ProviderUnavailable("lost"), effect=True)
    answer = api.post("/v1/refunds", {"payment": paid.id})
    assert (answer.status, answer.body["status"], answer.body["stripe"]["refund"]) == (201, "pending", None)
    assert answer.body["ended_at"] is None
    assert api.get(f"/v1/payments/{paid.id}").body["status"] == "processing_refund"
    shop.after(minutes=1)
    shop.settle()
    assert api.get(f"/v1/refunds/{answer.body['id']}").body["status"] == "succeeded"


def test_what_stripe_refuses_has_failed_with_its_reason(api: ApiWorld, shop: Shop, paid: Payment) -> None:
    shop.stripe.fail("create_refund", ProviderRefused("charge_disputed", "charged back"))
    answer = api.post("/v1/refunds", {"payment": paid.id})
    assert (answer.status, answer.body["status"], answer.body["failure_reason"]) == (201, "failed", "charge_disputed")


def test_a_stripe_account_that_is_gone_refunds_nothing_and_says_so_each_time(
    api: ApiWorld, shop: Shop, paid: Payment
) -> None:
    shop.stripe.fail("create_refund", ProviderRefused("account_invalid", "no", reached=False))
    for _ in range(2):
        answer = api.post("/v1/refunds", {"payment": paid.id}, headers={"Idempotency-Key": "one"})
        assert (answer.status, answer.code) == (409, "not_ready_to_transact")
    assert len(shop.refunds()) == 1
    assert api.get(f"/v1/payments/{paid.id}").body["status"] == "succeeded"


@pytest.mark.parametrize("effect", [True, False])
def test_the_same_key_refunds_once_whatever_became_of_the_first_request(
    api: ApiWorld, shop: Shop, paid: Payment, effect: bool
) -> None:
    shop.stripe.fail("create_refund", StoreUnavailable("the program broke here"), effect=effect)
    asked: dict[str, Any] = {"headers": {"Idempotency-Key": "refund of order 7"}}
    body = {"payment": paid.id, "amount": 800}
    assert api.post("/v1/refunds", body, **asked).status == 503
    shop.after(seconds=61)
    done = api.post("/v1/refunds", body, **asked)
    assert (done.status, done.body["status"]) == (201, "succeeded")
    again = api.post("/v1/refunds", body, **asked)
    assert (again.status, again.body) == (201, done.body)
    assert [refund.id for refund in shop.refunds()] == [done.body["id"]]
    assert [made.amount.minor for made in shop.stripe.refunds.of_account(ACCOUNT)] == [800]
    assert api.post("/v1/refunds", {**body, "amount": 801}, **asked).code == "idempotency_key_reused"


def test_under_a_key_the_answer_is_the_refund_asked_for_and_not_one_found_on_the_way(
    api: ApiWorld, shop: Shop, paid: Payment
) -> None:
    shop.stripe.refund_in_dashboard(ACCOUNT, paid.intent_id, 10_000)
    answer = api.post("/v1/refunds", {"payment": paid.id}, headers={"Idempotency-Key": "all of it"})
    assert (answer.status, answer.body["status"], answer.body["made_at"]) == (201, "failed", "api")
    assert api.post("/v1/refunds", {"payment": paid.id}, headers={"Idempotency-Key": "all of it"}).body == answer.body
    rest = api.post("/v1/refunds", {"payment": paid.id}, headers={"Idempotency-Key": "the rest"})
    assert (rest.body["status"], rest.body["amount"]) == ("succeeded", 4_800)


def test_while_nobody_knows_the_same_key_gives_the_same_answer(api: ApiWorld, shop: Shop, paid: Payment) -> None:
    shop.stripe.fail("create_refund", ProviderUnavailable("lost"), effect=True)
    asked: dict[str, Any] = {"headers": {"Idempotency-Key": "one"}}
    first = api.post("/v1/refunds", {"payment": paid.id}, **asked)
    assert (first.status, first.body["status"]) == (201, "pending")
    assert api.post("/v1/refunds", {"payment": paid.id}, **asked).body == first.body
    assert len(shop.stripe.calls_of("create_refund")) == 1


def test_a_refund_that_fails_later_is_told_with_its_reason(api: ApiWorld, shop: Shop, paid: Payment) -> None:
    refund = api.post("/v1/refunds", {"payment": paid.id}).body
    made = shop.stripe.end_refund(refund["stripe"]["refund"], MadeStatus.FAILED, "expired_or_canceled_card")
    shop.tell(shop.refund_notice("refund.failed", made))
    now = api.get(f"/v1/refunds/{refund['id']}").body
    assert (now["status"], now["failure_reason"]) == ("failed", "expired_or_canceled_card")
    assert now["stripe"]["failure_balance_transaction"] is not None
    assert api.get(f"/v1/payments/{paid.id}").body["status"] == "succeeded"
    assert api.get(f"/v1/invoices/{paid.invoice_id}").body["amount_paid"] == 14_800


def test_refunds_are_listed_newest_first_and_narrowed_by_payment_invoice_customer_and_status(
    api: ApiWorld, shop: Shop, paid: Payment
) -> None:
    other = shop.pay("pm_card_pendingRefund")
    first = api.post("/v1/refunds", {"payment": paid.id, "amount": 100}).body["id"]
    second = api.post("/v1/refunds", {"payment": other.id, "amount": 100}).body["id"]
    third = api.post("/v1/refunds", {"payment": paid.id, "amount": 100}).body["id"]

    def listed(query: str) -> list[str]:
        return [refund["id"] for refund in api.get(f"/v1/refunds{query}").body["data"]]

    assert listed("") == [third, second, first]
    assert listed(f"?payment={paid.id}") == [third, first]
    assert listed(f"?invoice={other.invoice_id}") == [second]
    assert listed(f"?customer={paid.customer_id}") == [third, second, first]
    assert listed("?status=pending") == [second]
    page = api.get("/v1/refunds?limit=2").body
    assert (page["has_more"], listed(f"?limit=2&cursor={page['next_cursor']}")) == (True, [first])


def test_a_payments_refunds_do_not_show_those_of_another_payment_of_its_invoice(api: ApiWorld, shop: Shop) -> None:
    mine = build.payment(merchant_id=shop.merchant.id)
    beside = build.payment(merchant_id=shop.merchant.id, invoice_id=mine.invoice_id, intent_id="pi_2")
    made = [
        build.refund(merchant_id=shop.merchant.id, payment_id=each.id, invoice_id=mine.invoice_id)
        for each in (mine, beside)
    ]
    api.put(mine, beside, *made)
    shop.left_broken = "records were put in by hand"
    found = api.get(f"/v1/refunds?payment={beside.id}").body["data"]
    assert [refund["id"] for refund in found] == [made[1].id]


def test_a_refund_made_in_stripes_dashboard_is_listed_too(api: ApiWorld, shop: Shop, paid: Payment) -> None:
    made = shop.stripe.refund_in_dashboard(ACCOUNT, paid.intent_id, 500)
    shop.tell(shop.refund_notice("refund.created", made))
    [refund] = api.get("/v1/refunds").body["data"]
    assert (refund["made_at"], refund["amount"], refund["stripe"]["refund"]) == ("stripe", 500, made.id)
