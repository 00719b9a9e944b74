"""A renewal that fails, step by step on a running machine: tried on days 1, 3 and 5, and then paid; or given up."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.journeys.console import Api, Control, pay

BOUGHT = "2027-01-31T20:30:00Z"
"""15:30 in New York."""
RENEWS = "2027-02-28T20:30:00Z"
STEPS = ["2027-03-01T20:30:00Z", "2027-03-03T20:30:00Z", "2027-03-05T20:30:00Z", "2027-03-07T20:30:00Z"]


def bought(control: Control, phone: Page) -> str:
    """A monthly subscription; the id of the card that is stored for it."""
    control.set_clock(BOUGHT)
    pay(phone, control.info()["links"]["monthly"])
    control.settle()
    [method] = {intent["payment_method"] for intent in control.stripe("payment_intents")}
    return str(method)


def behave(control: Control, method: str, name: str) -> None:
    control.post(f"/stripe/payment_methods/{method}", {"behaves": name})


def renewal(api: Api) -> Any:
    """The invoice of the second period."""
    return max(api.all("/invoices"), key=lambda invoice: invoice["number"])


def subjects(control: Control) -> list[str]:
    return [mail["subject"] for mail in control.mail()]


def test_it_is_tried_on_each_day_of_the_ladder_until_it_is_paid(control: Control, api: Api, phone: Page) -> None:
    method = bought(control, phone)
    behave(control, method, "pm_card_chargeDeclinedInsufficientFunds")
    control.set_clock(RENEWS)
    control.settle()
    for made, following in enumerate(STEPS[:3], start=1):
        attempts = renewal(api)["attempts"]
        assert [each["outcome"] for each in attempts] == ["declined"] * made
        assert (attempts[-1]["decline_code"], attempts[-1]["next_at"]) == ("insufficient_funds", following)
        assert api.all("/subscriptions")[0]["status"] == "past_due"
        if following == STEPS[2]:
            behave(control, method, "pm_card_visa")
        control.set_clock(following.replace(":30:00Z", ":29:59Z"))
        control.settle()
        assert len(renewal(api)["attempts"]) == made
        control.set_clock(following)
        control.settle()
    paid = renewal(api)
    assert (paid["status"], [each["at"] for each in paid["attempts"]]) == ("paid", [RENEWS, *STEPS[:3]])
    assert api.all("/subscriptions")[0]["status"] == "active"
    assert subjects(control)[1:4] == ["Payment of $49.00 to Pinewood Studio did not go through"] * 3
    assert sorted(subjects(control)[4:]) == [
        "Receipt from Pinewood Studio: $49.00",
        "Your payments to Pinewood Studio are up to date",
    ]
    succeeded = [intent for intent in control.stripe("payment_intents") if intent["status"] == "succeeded"]
    assert [intent["amount"] for intent in succeeded] == [4_900, 4_900]


def test_a_lost_card_is_given_up_after_a_week_and_a_retry_by_hand_is_refused(
    control: Control, api: Api, phone: Page
) -> None:
    method = bought(control, phone)
    assert api.post("/account", {"dunning": {"days": [1, 3, 5, 7], "then": "pause"}}).status == 200
    behave(control, method, "pm_card_chargeDeclinedLostCard")
    control.set_clock(RENEWS)
    control.settle()
    control.set_clock(STEPS[3])
    control.settle()
    [subscription] = api.all("/subscriptions")
    assert (subscription["status"], subscription["next_invoice_at"]) == ("paused", None)
    assert [each["next_at"] for each in renewal(api)["attempts"]] == [None]
    refused = api.post(f"/subscriptions/{subscription['id']}/retry", {})
    assert (refused.status, refused.body["error"]["code"]) == (409, "state_conflict")
    assert subjects(control)[1:] == ["Action needed: $49.00 to Pinewood Studio"]
    control.advance("P3M")
    assert len(api.all("/invoices")) == 2
