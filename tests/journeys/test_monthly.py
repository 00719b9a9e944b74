"""A monthly link from 31 January: the right days, the right hour, never early, and the truth after an outage."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.journeys.console import Api, Control, fill_card, pay

BOUGHT = "2027-01-31T20:30:00Z"
"""15:30 in New York."""


def issued(api: Api) -> list[tuple[str, str, str]]:
    """Number, status and time of issue of every invoice, in order."""
    invoices = sorted(api.all("/invoices"), key=lambda invoice: invoice["number"])
    return [(invoice["number"], invoice["status"], invoice["issued_at"]) for invoice in invoices]


def succeeded_amounts(control: Control) -> list[int]:
    return [intent["amount"] for intent in control.stripe("payment_intents") if intent["status"] == "succeeded"]


def test_it_bills_on_28_february_31_march_and_30_april_at_the_same_local_hour(
    control: Control, api: Api, phone: Page
) -> None:
    control.set_clock(BOUGHT)
    phone.goto(control.info()["links"]["monthly"])
    expect(phone.get_by_text("due today. Then $49.00 a month from 28 February 2027.")).to_be_visible()
    expect(phone.get_by_text("$49.00 every month, starting 28 February 2027")).to_be_visible()
    pay(phone, control.info()["links"]["monthly"])
    expect(phone.get_by_text("$49.00 on 28 February 2027")).to_be_visible()

    [subscription] = api.all("/subscriptions")
    assert (subscription["status"], subscription["timezone"]) == ("active", "America/New_York")
    preview = api.get(f"/subscriptions/{subscription['id']}/preview?count=3")["data"]
    foreseen = [each["invoice_at"] for each in preview]
    assert foreseen == ["2027-02-28T20:30:00Z", "2027-03-31T19:30:00Z", "2027-04-30T19:30:00Z"]

    expected = [("INV-0001", "paid", BOUGHT)]
    for number, due in enumerate(foreseen, start=2):
        eve = due.replace(":30:00Z", ":29:59Z")
        control.set_clock(eve)
        control.settle()
        assert issued(api) == expected
        control.set_clock(due)
        control.settle()
        expected.append((f"INV-{number:04d}", "paid", due))
        assert issued(api) == expected
    assert succeeded_amounts(control) == [4900, 4900, 4900, 4900]
    payments = api.all("/payments")
    assert [(payment["status"], payment["fee"], payment["net"]) for payment in payments] == [
        ("succeeded", 172, 4728)
    ] * 4
    assert [mail["subject"] for mail in control.mail()] == ["Receipt from Pinewood Studio: $49.00"] * 4


def test_after_five_months_of_outage_the_newest_is_charged_and_the_older_ones_wait(
    control: Control, api: Api, phone: Page
) -> None:
    control.set_clock(BOUGHT)
    pay(phone, control.info()["links"]["monthly"])
    control.settle()
    control.advance("P5M", step=False)
    assert len(issued(api)) == 1
    control.settle()
    invoices = sorted(api.all("/invoices"), key=lambda invoice: invoice["number"])
    assert [invoice["number"] for invoice in invoices] == [f"INV-{n:04d}" for n in range(1, 7)]
    assert [invoice["period"]["index"] for invoice in invoices] == [0, 1, 2, 3, 4, 5]
    assert [(invoice["status"], invoice["collection_blocked"]) for invoice in invoices] == [
        ("paid", None),
        ("open", "held"),
        ("open", "held"),
        ("open", "held"),
        ("open", "held"),
        ("paid", None),
    ]
    assert succeeded_amounts(control) == [4900, 4900]
    control.settle()
    assert len(issued(api)) == 6

    phone.goto(invoices[2]["hosted_url"])
    expect(phone.get_by_role("heading", name="Invoice INV-0003")).to_be_visible()


def test_the_receipts_cancel_link_ends_it_when_the_paid_month_is_over(control: Control, api: Api, phone: Page) -> None:
    control.set_clock(BOUGHT)
    pay(phone, control.info()["links"]["monthly"])
    control.settle()
    [mail] = control.mail()
    found = re.search(r"http\S+/cancel/\S+", mail["text"])
    assert found is not None
    phone.goto(found[0])
    keep = phone.get_by_role("link", name="Keep it")
    end = phone.get_by_role("button", name="Cancel subscription")
    assert keep.bounding_box() is not None
    assert (keep.bounding_box() or {})["height"] == (end.bounding_box() or {})["height"]
    expect(phone.get_by_text("28 February 2027").first).to_be_visible()
    end.click()
    expect(phone.get_by_role("heading", level=1)).to_contain_text("cancel")
    [subscription] = api.all("/subscriptions")
    assert (subscription["status"], subscription["cancel_at_period_end"], subscription["next_invoice_at"]) == (
        "active",
        True,
        None,
    )
    phone.reload()
    control.advance("P6M")
    [subscription] = api.all("/subscriptions")
    assert subscription["status"] == "canceled"
    assert len(issued(api)) == 1
    assert succeeded_amounts(control) == [4900]


def test_a_renewal_that_fails_is_mended_on_the_invoices_page_with_another_card(
    control: Control, api: Api, phone: Page
) -> None:
    control.set_clock(BOUGHT)
    pay(phone, control.info()["links"]["monthly"])
    control.settle()
    [method] = {intent["payment_method"] for intent in control.stripe("payment_intents")}
    control.post(f"/stripe/payment_methods/{method}", {"behaves": "pm_card_chargeCustomerFail"})
    control.set_clock("2027-02-28T20:30:00Z")
    control.settle()
    [subscription] = api.all("/subscriptions")
    assert subscription["status"] == "past_due"
    mail = control.mail()[-1]
    assert mail["subject"] == "Payment of $49.00 to Pinewood Studio did not go through"
    assert "You have not been charged." in mail["text"]
    assert "We will try again on 1 March 2027." in mail["text"].replace("\u00a0", " ")
    found = re.search(r"Replace card: (http\S+/pay)", mail["text"])
    assert found is not None

    phone.goto(found[1])
    expect(phone).to_have_title("Pay $49.00 to Pinewood Studio")
    fill_card(phone)
    phone.get_by_role("button", name="Pay $49.00").click()
    phone.wait_for_url("**/receipt/**")
    expect(phone.get_by_role("heading", level=1)).to_have_text("Paid. Thank you, Anna")
    control.settle()
    [subscription] = api.all("/subscriptions")
    assert subscription["status"] == "active"
    assert succeeded_amounts(control) == [4900, 4900]

    control.set_clock("2027-03-31T19:30:00Z")
    control.settle()
    assert [status for _, status, _ in issued(api)] == ["paid", "paid", "paid"]
    assert succeeded_amounts(control) == [4900, 4900, 4900]
    # The old link leads to the truth: there is nothing to pay any more.
    phone.goto(found[1])
    phone.wait_for_url("**/invoice/**")
    expect(phone.get_by_role("button", name="Pay")).to_have_count(0)
