"""A buyer in the portal, in a browser: in by a mailed link, another card, what is owed paid, cancelled and resumed."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.journeys.checkout_page import challenge, heading
from tests.journeys.console import Api, Control, fill_card, pay
from tests.journeys.test_doors_scripts import NONE, PAY, scripts_at

BOUGHT = "2027-01-31T20:30:00Z"
RENEWS = "2027-02-28T20:30:00Z"


def sign_in(control: Control, page: Page, portal: str, email: str = "anna@example.com") -> None:
    """Ask for a link, and press the button that it leads to."""
    page.goto(portal)
    page.get_by_role("textbox", name="Email").fill(email)
    page.get_by_role("button", name="Mail me a link").click()
    heading(page, "Look into your mail.")
    control.settle()
    mail = control.mail()[-1]
    assert (mail["to"], mail["subject"]) == ([email], "Your sign-in link for Pinewood Studio")
    found = re.search(r"http\S+/open/\S+", mail["text"])
    assert found is not None
    page.goto(found[0])
    page.get_by_role("button", name="Open my account").click()
    page.wait_for_url(lambda url: "/open/" not in url)


def bought(control: Control, page: Page, email: str = "anna@example.com") -> str:
    """The monthly link paid; the portal's address, from the receipt."""
    pay(page, control.info()["links"]["monthly"], email=email)
    control.settle()
    found = re.search(r"Manage subscription: (http\S+)", control.mail()[-1]["text"])
    assert found is not None
    return found[1]


def test_a_card_that_failed_is_replaced_and_what_is_owed_is_paid_with_the_new_one(
    control: Control, api: Api, phone: Page
) -> None:
    control.set_clock(BOUGHT)
    portal = bought(control, phone)
    [method] = {intent["payment_method"] for intent in control.stripe("payment_intents")}
    control.post(f"/stripe/payment_methods/{method}", {"behaves": "pm_card_chargeCustomerFail"})
    control.set_clock(RENEWS)
    control.settle()
    assert [each["status"] for each in api.all("/subscriptions")] == ["past_due"]

    sign_in(control, phone, portal)
    heading(phone, "Your account")
    assert scripts_at(phone, control, phone.url, "^Your account") == NONE
    phone.get_by_role("link", name="Replace card and pay $49.00").click()
    expect(phone).to_have_title("Replace card and pay $49.00, Darkroom membership at Pinewood Studio")
    expect(phone.get_by_text("$49.00 now")).to_be_visible()
    assert scripts_at(phone, control, phone.url, "^Replace card") == PAY
    # The bank wants to see its customer.
    fill_card(phone, "4000002500003155")
    phone.get_by_role("button", name="Replace card and pay $49.00").click()
    challenge(phone).get_by_role("button", name="Complete").click()
    phone.wait_for_url("**/subscriptions/**?stored=1")
    expect(phone.get_by_text("Visa ending 3155 is stored.")).to_be_visible()
    control.settle()
    [subscription] = api.all("/subscriptions")
    assert (subscription["status"], subscription["payment_method"]["last4"]) == ("active", "3155")
    assert [invoice["status"] for invoice in api.all("/invoices")] == ["paid", "paid"]
    phone.reload()
    expect(phone.get_by_text("Active").first).to_be_visible()

    # The next month goes to the new card by itself.
    control.set_clock("2027-03-31T19:30:00Z")
    control.settle()
    assert [invoice["status"] for invoice in api.all("/invoices")] == ["paid", "paid", "paid"]


def test_a_subscription_is_cancelled_and_resumed_and_another_buyer_sees_nothing_of_it(
    control: Control, api: Api, desk: Page
) -> None:
    control.set_clock(BOUGHT)
    portal = bought(control, desk)
    sign_in(control, desk, portal)
    desk.get_by_role("link", name="Darkroom membership", exact=True).click()
    mine = desk.url
    desk.get_by_role("link", name="Cancel subscription").click()
    desk.get_by_role("button", name="Cancel subscription").click()
    desk.wait_for_url(mine)
    expect(desk.get_by_text("Ends 28 February 2027").first).to_be_visible()
    assert [each["cancel_at_period_end"] for each in api.all("/subscriptions")] == [True]
    desk.get_by_role("button", name="Resume subscription").click()
    expect(desk.get_by_text("Next charge: $49.00 on 28 February 2027")).to_be_visible()
    assert [each["cancel_at_period_end"] for each in api.all("/subscriptions")] == [False]
    desk.get_by_role("link", name="INV-0001").click()
    desk.wait_for_url("**/invoice/**")

    desk.goto(portal)
    desk.get_by_role("button", name="Sign out").click()
    expect(desk.get_by_role("button", name="Mail me a link")).to_be_visible()
    desk.goto(mine)
    expect(desk.get_by_role("button", name="Mail me a link")).to_be_visible()

    bought(control, desk, "bob@example.com")
    sign_in(control, desk, portal, "bob@example.com")
    expect(desk.get_by_text("bob@example.com")).to_be_visible()
    expect(desk.get_by_role("link", name="INV-0002")).to_be_visible()
    expect(desk.get_by_role("link", name="INV-0001")).to_have_count(0)
    answer = desk.goto(mine)
    assert answer is not None
    assert answer.status == 404
    heading(desk, "We cannot find this page.")


def test_the_link_that_a_merchant_has_sent_leads_to_the_card_form(control: Control, api: Api, phone: Page) -> None:
    control.set_clock(BOUGHT)
    bought(control, phone)
    [subscription] = api.all("/subscriptions")
    sent = api.post(f"/subscriptions/{subscription['id']}/payment_method_link", {})
    assert sent.status == 200
    assert sent.body["sent_to"] == "anna@example.com"
    control.settle()
    mail = control.mail()[-1]
    assert mail["to"] == ["anna@example.com"]
    found = re.search(r"Change payment method: (http\S+)", mail["text"])
    assert found is not None
    phone.goto(found[1])
    phone.get_by_role("button", name="Open my account").click()
    phone.wait_for_url(sent.body["url"])
    fill_card(phone, "5555555555554444")
    phone.get_by_role("button", name="Replace card").click()
    expect(phone.get_by_text("Mastercard ending 4444 is stored.")).to_be_visible()
    [subscription] = api.all("/subscriptions")
    assert subscription["payment_method"]["last4"] == "4444"
