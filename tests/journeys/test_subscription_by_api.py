"""A subscription that the merchant makes through the API: its first invoice is paid on its page, the next by itself."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.journeys.console import Api, Control, fill_card

BEGUN = "2027-01-31T20:30:00Z"
"""15:30 in New York."""
TERMS: dict[str, Any] = {
    "currency": "usd",
    "lines": [{"name": "Studio membership", "unit_amount": 4_900, "quantity": 1}],
    "frequency": "monthly",
}


def invoices_of(api: Api, subscription: dict[str, Any]) -> list[Any]:
    """Oldest first."""
    return api.all(f"/invoices?subscription={subscription['id']}")


def test_its_first_invoice_is_paid_on_its_page_and_that_card_pays_the_next_one(
    control: Control, api: Api, phone: Page
) -> None:
    control.set_clock(BEGUN)
    customer = api.create("/customers", {"email": "ada@example.com", "name": "Ada Byron"})["id"]
    foreseen = api.post("/subscriptions/preview", {**TERMS, "count": 2}).body["data"]
    made = api.create("/subscriptions", {**TERMS, "customer": customer})
    assert (made["status"], made["collection_blocked"]) == ("active", "no_payment_method")
    control.settle()
    [first] = invoices_of(api, made)
    assert (first["status"], first["collection_blocked"], first["number"]) == ("open", "no_payment_method", "INV-0001")

    phone.goto(first["hosted_url"])
    phone.get_by_role("link", name="Pay $49.00").click()
    expect(phone.get_by_text("$49.00 every month, starting 28 February 2027")).to_be_visible()
    fill_card(phone)
    phone.get_by_role("button", name="Pay $49.00").click()
    phone.wait_for_url("**/receipt/**")
    expect(phone.get_by_text("$49.00 on 28 February 2027")).to_be_visible()
    kept = api.get(f"/subscriptions/{made['id']}")
    assert (kept["payment_method"]["last4"], kept["collection_blocked"]) == ("4242", None)

    control.set_clock(foreseen[1]["invoice_at"])
    control.settle()
    invoices = invoices_of(api, made)
    assert [(each["issued_at"], each["totals"], each["status"]) for each in invoices] == [
        (each["invoice_at"], each["totals"], "paid") for each in foreseen
    ]
    assert [intent["amount"] for intent in control.stripe("payment_intents")] == [4_900, 4_900]
    assert [mail["to"] for mail in control.mail()] == [["ada@example.com"]] * 2


def test_a_sent_one_brings_each_invoice_by_mail_with_its_terms(control: Control, api: Api) -> None:
    control.set_clock(BEGUN)
    customer = api.create("/customers", {"email": "ada@example.com"})["id"]
    terms = {**TERMS, "customer": customer, "collection": "send", "due": {"net_days": 30}}
    made = api.create("/subscriptions", terms)
    control.set_clock("2027-02-28T20:30:00Z")
    control.settle()
    assert [(each["status"], each["due_date"]) for each in invoices_of(api, made)] == [
        ("open", "2027-03-02"),
        ("open", "2027-03-30"),
    ]
    assert [mail["subject"].replace("\u00a0", " ") for mail in control.mail()] == [
        "Invoice INV-0001 from Pinewood Studio: $49.00 due 2 March",
        "Invoice INV-0002 from Pinewood Studio: $49.00 due 30 March",
    ]
    assert control.stripe("payment_intents") == []
