"""Every class of decline that Stripe's test cards have, in the page's own words, and a second card that pays.

Cards: https://docs.stripe.com/testing. One page and one machine for all of them, since each is a checkout of its own.
"""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.journeys.checkout_page import CHALLENGED, button, challenge, fill, on_receipt, paid_once
from tests.journeys.console import Api, Control, fill_card

NOT_TOLD = (
    "This card was declined, and we were not told why.",
    "You have not been charged. Use another card, or ask your bank.",
)
LIMIT = (
    "Your bank declined this card.",
    "There is not enough money available on it, or it has reached a limit. You have not been charged. "
    "Use another card.",
)
DECLINES = {
    "4000000000000002": NOT_TOLD,
    "4000000000009995": LIMIT,
    "4000000000006975": LIMIT,
    # Whoever holds a lost or stolen card, or one that Radar blocks, must learn nothing from us.
    "4000000000009987": NOT_TOLD,
    "4000000000009979": NOT_TOLD,
    "4100000000000019": NOT_TOLD,
    "4000000000000069": (
        "This card has expired, or the date is not right.",
        "You have not been charged. Check the date, or use another card.",
    ),
    "4000000000000127": (
        "The security code is not right.",
        "You have not been charged. Check the 3 digits on the back (American Express: 4 on the front) and try again.",
    ),
    "4000000000000119": (
        "Your bank did not answer.",
        "You have not been charged. Wait a minute and try again, or use another card.",
    ),
    # Attaching it works, charging it does not.
    "4000000000000341": NOT_TOLD,
}


def test_every_decline_has_its_words_and_a_second_card_pays_the_same_checkout_once(
    control: Control, api: Api, phone: Page
) -> None:
    url = control.info()["links"]["one_time"]
    for number, (title, text) in DECLINES.items():
        phone.context.clear_cookies()
        fill(phone, url, number)
        button(phone).click()
        note = phone.locator("#decline")
        expect(note.locator("strong"), number).to_have_text(title)
        expect(note.locator("span"), number).to_have_text(text)
        expect(note, number).to_be_focused()
        expect(phone, number).to_have_title("Error: Pay $148.00 to Pinewood Studio")
        expect(phone.get_by_role("textbox", name="Email"), number).to_have_value("anna@example.com")
        fill_card(phone)
        button(phone).click()
        on_receipt(phone)
    control.settle()
    many = len(DECLINES)
    invoices = api.all("/invoices")
    assert [invoice["status"] for invoice in invoices] == ["paid"] * many
    assert {invoice["number"] for invoice in invoices} == {f"INV-{number:04d}" for number in range(1, many + 1)}
    assert [payment["status"] for payment in api.all("/payments")] == ["succeeded"] * many
    charges = [charge["status"] for charge in control.stripe("charges")]
    assert (charges.count("succeeded"), charges.count("failed")) == (many, many)
    assert [intent["status"] for intent in control.stripe("payment_intents")] == ["succeeded"] * many
    assert len(control.mail()) == many


def test_a_card_that_is_always_asked_for_pays_once_its_bank_is_satisfied(
    control: Control, api: Api, phone: Page
) -> None:
    fill(phone, control.info()["links"]["monthly"], CHALLENGED)
    button(phone).click()
    challenge(phone).get_by_role("button", name="Complete").click()
    on_receipt(phone)
    paid_once(control, api)
    assert [subscription["status"] for subscription in api.all("/subscriptions")] == ["active"]


def test_a_bank_that_is_satisfied_and_then_declines_is_told_in_its_own_words(
    control: Control, api: Api, phone: Page
) -> None:
    fill(phone, control.info()["links"]["one_time"], "4000008260003178")
    button(phone).click()
    challenge(phone).get_by_role("button", name="Complete").click()
    note = phone.locator("#decline")
    expect(note).to_be_visible()
    expect(note.locator("strong")).to_have_text(LIMIT[0])
    expect(note.locator("span")).to_have_text(LIMIT[1])
    fill_card(phone)
    button(phone).click()
    on_receipt(phone)
    paid_once(control, api)


def test_a_payment_that_is_disputed_later_stays_booked_and_breaks_nothing(
    control: Control, api: Api, phone: Page
) -> None:
    fill(phone, control.info()["links"]["one_time"], "4000000000000259")
    button(phone).click()
    on_receipt(phone)
    paid_once(control, api)
    assert [charge["disputed"] for charge in control.stripe("charges")] == [True]
    assert any(event["type"] == "charge.dispute.created" for event in control.stripe("events"))
    phone.reload()
    on_receipt(phone)
