"""The demo link, paid on a phone with 4242."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.journeys.console import Api, Control, fill_card


def test_the_demo_link_is_paid_on_a_phone_and_everybody_learns_of_it(control: Control, api: Api, phone: Page) -> None:
    control.hold_webhooks()
    phone.goto(control.info()["links"]["one_time"])
    expect(phone).to_have_title("Pay $148.00 to Pinewood Studio")
    assert phone.evaluate("document.documentElement.scrollWidth") == 375
    phone.get_by_role("textbox", name="Email").fill("anna@example.com")
    phone.get_by_role("textbox", name="Name").fill("Anna Maier")
    fill_card(phone)
    phone.get_by_role("button", name="Pay $148.00").click()
    phone.wait_for_url("**/receipt/**")
    expect(phone.get_by_role("heading", level=1)).to_have_text("Paid. Thank you, Anna")

    [invoice] = api.all("/invoices")
    assert (invoice["number"], invoice["status"], invoice["currency"]) == ("INV-0001", "paid", "usd")
    assert (invoice["totals"]["total"], invoice["amount_paid"], invoice["amount_due"]) == (14800, 14800, 0)
    [payment] = api.all("/payments")
    assert (payment["status"], payment["amount"], payment["invoice"]) == ("succeeded", 14800, invoice["id"])
    # Stripe captures later: until `charge.updated` nobody knows the fee.
    assert (payment["fee"], payment["net"]) == (None, None)
    [charge] = control.stripe("charges")
    assert (charge["amount"], charge["_account"]) == (14800, "acct_pinewood")

    control.release_webhooks()
    control.settle()
    [payment] = api.all("/payments")
    assert (payment["fee"], payment["net"]) == (459, 14341)
    [mail] = control.mail()
    assert mail["to"] == ["anna@example.com"]
    assert mail["subject"] == "Receipt from Pinewood Studio: $148.00"
    assert "You paid $148.00" in mail["text"]
    assert len(control.stripe("charges")) == 1
