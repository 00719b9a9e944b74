"""Money that goes back: asked for through the API, made in Stripe's dashboard, and given back by the buyer's bank."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.journeys.console import Api, Control, pay

FAILS_LATER = "4000000000005126"
"""Its refunds succeed and fail afterwards (docs.stripe.com/testing#refunds)."""


def sums(api: Api) -> tuple[Any, ...]:
    [payment] = api.all("/payments")
    [invoice] = api.all("/invoices")
    refunded = payment["refunded"], payment["net"]
    return payment["status"], *refunded, invoice["status"], invoice["amount_paid"], invoice["amount_due"]


def refunds_told(api: Api) -> list[str]:
    return [event["type"] for event in api.all("/events") if event["type"].startswith("refund.")]


def test_a_part_by_the_api_and_the_rest_in_the_dashboard_is_seen_by_all(
    control: Control, api: Api, phone: Page
) -> None:
    pay(phone, control.info()["links"]["one_time"])
    control.settle()
    [payment] = api.all("/payments")
    body = {"payment": payment["id"], "amount": 4_800, "reason": "requested_by_customer"}
    made = api.create("/refunds", body)
    assert (made["status"], made["amount"], made["invoice"]) == ("succeeded", 4_800, payment["invoice"])
    control.settle()
    assert sums(api) == ("partially_refunded", 4_800, 9_541, "paid", 10_000, 0)
    mail = control.mail()[-1]
    assert (mail["to"], mail["subject"]) == (["anna@example.com"], "Pinewood Studio refunded $48.00")
    phone.reload()
    expect(phone.get_by_text("$48.00 on ")).to_be_visible()

    [charge] = control.stripe("charges")
    control.post("/stripe/refunds", {"charge": charge["id"], "amount": 10_000})
    control.settle()
    assert sums(api) == ("refunded", 14_800, -459, "paid", 0, 0)
    # Stripe tells whole seconds, so of two in one second either may be listed first.
    told = {each["id"]: (each["status"], each["amount"]) for each in api.all("/refunds")}
    assert told.pop(made["id"]) == ("succeeded", 4_800)
    assert list(told.values()) == [("succeeded", 10_000)]
    assert refunds_told(api) == ["refund.created", "refund.succeeded"] * 2
    assert api.post("/refunds", body).body["error"]["code"] == "state_conflict"
    assert [(each["amount"], each["_account"]) for each in control.stripe("refunds")] == [
        (4_800, "acct_pinewood"),
        (10_000, "acct_pinewood"),
    ]
    [invoice] = api.all("/invoices")
    phone.goto(invoice["hosted_url"])
    expect(phone.get_by_text("$48.00 refunded on ")).to_be_visible()
    expect(phone.get_by_text("$100.00 refunded on ")).to_be_visible()
    expect(phone.get_by_role("link", name="Pay")).to_have_count(0)


def test_a_refund_that_the_bank_gives_back_later_is_the_merchants_money_again(
    control: Control, api: Api, phone: Page
) -> None:
    pay(phone, control.info()["links"]["one_time"], card=FAILS_LATER)
    control.settle()
    [payment] = api.all("/payments")
    made = api.create("/refunds", {"payment": payment["id"]})
    assert (made["status"], made["amount"]) == ("succeeded", 14_800)
    control.settle()
    assert sums(api) == ("refunded", 14_800, -459, "paid", 0, 0)
    control.advance("PT15M")
    control.settle()
    assert api.get(f"/refunds/{made['id']}")["status"] == "failed"
    assert sums(api) == ("succeeded", 0, 14_341, "paid", 14_800, 0)
    assert refunds_told(api) == ["refund.created", "refund.succeeded", "refund.failed"]
    # It may be asked for anew, and then it is another refund.
    again = api.create("/refunds", {"payment": payment["id"], "amount": 100})
    assert again["id"] != made["id"]
    assert len(control.stripe("refunds")) == 2
