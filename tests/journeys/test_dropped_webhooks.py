"""No webhook ever comes: the nightly sweep over Stripe's own list catches up with what they would have told."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.journeys.console import Api, Control, pay


def test_what_dropped_webhooks_would_have_told_is_known_a_day_later(control: Control, api: Api, phone: Page) -> None:
    control.post("/stripe/webhooks", {"mode": "drop"})
    pay(phone, control.info()["links"]["one_time"])
    control.settle()
    assert [(payment["status"], payment["net"]) for payment in api.all("/payments")] == [("succeeded", None)]
    control.advance("P1D")
    assert [(payment["status"], payment["net"]) for payment in api.all("/payments")] == [("succeeded", 14341)]
    assert [event["type"] for event in api.all("/events")].count("payment.settled") == 1
