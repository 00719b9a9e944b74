"""The synchronous answer, the return page and the webhook report one payment: it is booked once, whoever is first."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.journeys.console import Api, Control, fill_card, pay

CHALLENGED = "4000002760003184"


def fill(page: Page, url: str, card: str) -> None:
    page.goto(url)
    page.get_by_role("textbox", name="Email").fill("anna@example.com")
    page.get_by_role("textbox", name="Name").fill("Anna Maier")
    fill_card(page, card)
    page.get_by_role("button", name="Pay $148.00").click()


def challenge(page: Page, button: str) -> None:
    """Answer the bank's question."""
    page.frame_locator("iframe[title='3D Secure authentication']").get_by_role("button", name=button).click()


def booked_once(control: Control, api: Api) -> None:
    control.settle()
    assert [(invoice["number"], invoice["status"]) for invoice in api.all("/invoices")] == [("INV-0001", "paid")]
    assert [(payment["status"], payment["net"]) for payment in api.all("/payments")] == [("succeeded", 14341)]
    assert [charge["status"] for charge in control.stripe("charges")].count("succeeded") == 1
    assert len(control.mail()) == 1
    types = [event["type"] for event in api.all("/events")]
    assert types.count("payment.succeeded") == types.count("invoice.paid") == types.count("payment.settled") == 1


def test_the_answer_comes_first_and_every_webhook_twice(control: Control, api: Api, phone: Page) -> None:
    control.post("/stripe/webhooks", {"mode": "duplicate"})
    pay(phone, control.info()["links"]["one_time"])
    booked_once(control, api)


def test_a_challenge_passed_is_booked_by_the_return_page_or_the_webhook(
    control: Control, api: Api, phone: Page
) -> None:
    fill(phone, control.info()["links"]["one_time"], CHALLENGED)
    phone.wait_for_selector("iframe[title*=uthentic], dialog iframe")
    assert api.all("/invoices") == []
    challenge(phone, "Complete")
    phone.wait_for_url("**/receipt/**")
    expect(phone.get_by_role("heading", level=1)).to_have_text("Paid. Thank you, Anna")
    phone.reload()
    expect(phone.get_by_role("heading", level=1)).to_have_text("Paid. Thank you, Anna")
    booked_once(control, api)


def test_a_challenge_failed_charges_nothing_and_a_second_card_pays(control: Control, api: Api, phone: Page) -> None:
    fill(phone, control.info()["links"]["one_time"], CHALLENGED)
    phone.wait_for_selector("iframe[title*=uthentic], dialog iframe")
    challenge(phone, "Fail")
    expect(phone.get_by_role("alert").filter(has_text="Your bank could not confirm that it is you.")).to_be_visible()
    expect(phone.get_by_text("You have not been charged.").first).to_be_visible()
    assert api.all("/invoices") == []
    fill_card(phone)
    phone.get_by_role("button", name="Pay $148.00").click()
    phone.wait_for_url("**/receipt/**")
    booked_once(control, api)


def test_a_declined_card_is_explained_and_the_form_stays_open(control: Control, api: Api, phone: Page) -> None:
    fill(phone, control.info()["links"]["one_time"], "4000000000009995")
    alert = phone.get_by_role("alert").filter(has_text="Your bank declined this card.")
    expect(alert).to_be_visible()
    expect(alert).to_contain_text("You have not been charged.")
    expect(phone.get_by_role("textbox", name="Email")).to_have_value("anna@example.com")
    assert api.all("/invoices") == api.all("/payments") == []
    fill_card(phone)
    phone.get_by_role("button", name="Pay $148.00").click()
    phone.wait_for_url("**/receipt/**")
    booked_once(control, api)


def test_a_challenge_passed_in_the_banks_app_with_the_tab_closed_is_never_told_as_not_charged(
    control: Control, api: Api, phone: Page
) -> None:
    url = control.info()["links"]["one_time"]
    control.hold_webhooks()
    fill(phone, url, CHALLENGED)
    phone.wait_for_selector("iframe[title*=uthentic], dialog iframe")
    # The bank's app answers, and the page never hears of it: its way on is cut off.
    phone.route("**/return/**", lambda route: route.abort())
    challenge(phone, "Complete")
    for _ in range(200):
        if any(intent["status"] == "succeeded" for intent in control.stripe("payment_intents")):
            break
        phone.wait_for_timeout(20)
    later = phone.context.new_page()
    later.goto(url)
    later.wait_for_url("**/receipt/**")
    expect(later.get_by_role("heading", level=1)).to_have_text("Paid. Thank you, Anna")
    control.release_webhooks()
    booked_once(control, api)
