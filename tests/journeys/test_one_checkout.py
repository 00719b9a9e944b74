"""One checkout per buyer: whatever is pressed, reloaded, closed or lost, one charge, and the buyer hears the truth."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import Page, Route, expect

from tests.journeys.checkout_page import (
    CHALLENGED,
    NOT_CHARGED,
    answered,
    at_the_post,
    button,
    challenge,
    fill,
    heading,
    nothing_paid,
    on_receipt,
    paid_once,
    silent_stripe,
)
from tests.journeys.console import Api, Control, ask, fill_card

CHECKING = "We are checking your payment."


def link(control: Control) -> str:
    return str(control.info()["links"]["one_time"])


def test_a_double_click_sends_one_form(control: Control, api: Api, phone: Page) -> None:
    posts: list[str] = []
    phone.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    fill(phone, link(control))
    button(phone).dblclick()
    on_receipt(phone)
    ours = [url for url in posts if url.startswith(control.info()["base_url"])]
    assert ours == [link(control)]
    paid_once(control, api)


def test_two_tabs_that_press_at_once_are_one_payment(control: Control, api: Api, phone: Page) -> None:
    fill(phone, link(control))
    other = phone.context.new_page()
    fill(other, link(control), "5555555555554444")
    press = "document.getElementById('pay').click()"
    phone.evaluate(press)
    other.evaluate(press)
    on_receipt(phone)
    on_receipt(other)
    assert urlsplit(phone.url).path == urlsplit(other.url).path
    paid_once(control, api)


def test_without_cookies_two_tabs_are_two_buyers(control: Control, api: Api, phone: Page) -> None:
    fill(phone, link(control))
    phone.context.clear_cookies()
    other = phone.context.new_page()
    fill(other, link(control))
    for page in (phone, other):
        button(page).click()
        on_receipt(page)
    assert [invoice["status"] for invoice in api.all("/invoices")] == ["paid", "paid"]


def test_a_reload_before_the_answer_is_told_that_it_is_paid(control: Control, api: Api, phone: Page) -> None:
    statuses: list[int] = []

    def reload_instead(route: Route, request: object) -> None:
        statuses.append(answered(route).status)
        route.abort()

    with at_the_post(phone, reload_instead):
        fill(phone, link(control))
        with phone.expect_request_finished(lambda request: "/return/" in request.url):
            button(phone).click()
    phone.goto(link(control))
    expect(phone.locator("#paid-before")).to_contain_text("You have paid $148.00 here already")
    phone.get_by_role("link", name="See the receipt").click()
    on_receipt(phone)
    assert statuses == [200]
    paid_once(control, api)


def test_a_tab_closed_after_the_press_loses_nothing(control: Control, api: Api, phone: Page) -> None:
    tab = phone.context.new_page()

    def close(route: Route, request: object) -> None:
        answered(route)
        tab.close()

    fill(tab, link(control))
    with at_the_post(tab, close), tab.expect_event("close"):
        button(tab).click()
    paid_once(control, api)
    phone.goto(link(control))
    expect(phone.locator("#paid-before")).to_contain_text("You have paid $148.00 here already")
    paid_once(control, api)


def test_the_back_button_after_paying_says_so_and_charges_nothing(control: Control, api: Api, phone: Page) -> None:
    fill(phone, link(control))
    button(phone).click()
    on_receipt(phone)
    phone.go_back()
    expect(phone.locator("#paid-before")).to_contain_text("Paying again is a second payment.")
    phone.reload()
    expect(phone.locator("#paid-before")).to_be_visible()
    paid_once(control, api)


def test_who_pays_again_on_purpose_pays_twice(control: Control, api: Api, phone: Page) -> None:
    for _ in range(2):
        fill(phone, link(control))
        button(phone).click()
        on_receipt(phone)
    assert [invoice["number"] for invoice in api.all("/invoices")] == ["INV-0001", "INV-0002"]


def test_a_lost_answer_ends_on_the_receipt(control: Control, api: Api, phone: Page) -> None:
    def lose(route: Route, request: object) -> None:
        answered(route)
        route.abort("connectionreset")

    fill(phone, link(control))
    with at_the_post(phone, lose):
        button(phone).click()
        on_receipt(phone)
    paid_once(control, api)


def test_a_press_that_never_arrived_waits_and_then_leads_back_to_the_form(
    control: Control, api: Api, phone: Page
) -> None:
    fill(phone, link(control))
    with at_the_post(phone, lambda route, request: route.abort("connectionfailed")):
        button(phone).click()
        phone.wait_for_url("**/return/**")
        heading(phone, CHECKING)
    status = phone.locator("#checking").get_attribute("data-url")
    assert status is not None
    assert ask("GET", status).body == {"status": "checking"}
    control.advance("PT29S", step=False)
    assert ask("GET", status).body == {"status": "checking"}
    control.advance("PT2S", step=False)
    phone.wait_for_url(link(control))
    nothing_paid(control, api)
    fill_card(phone)
    phone.get_by_role("textbox", name="Email").fill("anna@example.com")
    phone.get_by_role("textbox", name="Name").fill("Anna Maier")
    button(phone).click()
    on_receipt(phone)
    paid_once(control, api)


def test_while_the_outcome_is_unknown_nothing_can_be_paid_and_then_it_resolves(
    control: Control, api: Api, phone: Page
) -> None:
    control.hold_webhooks()
    fill(phone, link(control))
    with silent_stripe(control):
        button(phone).click()
        phone.wait_for_url("**/return/**")
        heading(phone, CHECKING)
        expect(phone.get_by_text("Do not pay again.")).to_be_visible()
        status = f"{phone.url.partition('?')[0]}/status"
        assert ask("GET", status).body == {"status": "checking"}
        # The link itself, in this tab and another, now and after an hour, offers no second payment.
        other = phone.context.new_page()
        for _ in range(2):
            other.goto(link(control))
            heading(other, CHECKING)
            expect(button(other)).to_have_count(0)
            control.advance("PT1H", step=False)
        assert api.all("/invoices") == []
        heading(phone, CHECKING)
    on_receipt(phone)
    on_receipt(other)
    assert ask("GET", status).body["status"] == "paid"
    control.release_webhooks()
    paid_once(control, api)


def test_an_old_tab_that_presses_while_the_outcome_is_unknown_makes_no_second_try(
    control: Control, api: Api, phone: Page
) -> None:
    control.hold_webhooks()
    fill(phone, link(control))
    other = phone.context.new_page()
    fill(other, link(control))
    with silent_stripe(control):
        button(phone).click()
        phone.wait_for_url("**/return/**")
        button(other).click()
        other.wait_for_url("**/return/**")
        heading(other, CHECKING)
    on_receipt(other)
    on_receipt(phone)
    control.release_webhooks()
    paid_once(control, api)


def test_a_stripe_that_did_nothing_and_said_nothing_gives_the_form_back(
    control: Control, api: Api, phone: Page
) -> None:
    control.post("/faults", {"service": "stripe", "operation": "*", "kind": "timeout", "times": 1000})
    fill(phone, link(control))
    button(phone).click()
    phone.wait_for_url("**/return/**")
    heading(phone, CHECKING)
    assert ask("DELETE", f"{control.url}/faults", {}).status == 200
    control.advance("PT61S", step=False)
    phone.wait_for_url(link(control))
    nothing_paid(control, api)
    fill_card(phone)
    button(phone).click()
    on_receipt(phone)
    paid_once(control, api)


def test_the_return_page_before_the_webhook(control: Control, api: Api, phone: Page) -> None:
    control.hold_webhooks()
    fill(phone, link(control), CHALLENGED)
    button(phone).click()
    challenge(phone).get_by_role("button", name="Complete").click()
    on_receipt(phone)
    assert [invoice["status"] for invoice in api.all("/invoices")] == ["paid"]
    control.release_webhooks()
    paid_once(control, api)


def test_the_return_page_after_the_webhook(control: Control, api: Api, phone: Page) -> None:
    def webhook_first(route: Route) -> None:
        control.settle()
        assert [invoice["status"] for invoice in api.all("/invoices")] == ["paid"]
        route.continue_()

    fill(phone, link(control), CHALLENGED)
    phone.route("**/return/**", webhook_first)
    button(phone).click()
    challenge(phone).get_by_role("button", name="Complete").click()
    on_receipt(phone)
    paid_once(control, api)


def test_the_webhook_before_the_answer(control: Control, api: Api, phone: Page) -> None:
    fill(phone, link(control))
    with silent_stripe(control):
        button(phone).click()
        phone.wait_for_url("**/return/**")
        heading(phone, CHECKING)
    phone.route("**/return/**", lambda route: (control.settle(), route.continue_()))
    control.settle()
    on_receipt(phone)
    paid_once(control, api)


def test_a_challenge_that_the_buyer_closes_charges_nothing_and_another_card_pays(
    control: Control, api: Api, phone: Page
) -> None:
    fill(phone, link(control), CHALLENGED)
    button(phone).click()
    challenge(phone).get_by_role("button", name="Close").click()
    note = phone.get_by_role("alert").filter(has_text="Your bank could not confirm that it is you.")
    expect(note).to_contain_text(NOT_CHARGED)
    expect(note).to_be_focused()
    expect(phone.get_by_role("textbox", name="Email")).to_have_value("anna@example.com")
    nothing_paid(control, api)
    fill_card(phone)
    button(phone).click()
    on_receipt(phone)
    paid_once(control, api)


def test_a_challenge_left_open_in_a_closed_tab_is_told_when_the_buyer_comes_back(
    control: Control, api: Api, phone: Page
) -> None:
    tab = phone.context.new_page()
    fill(tab, link(control), CHALLENGED)
    button(tab).click()
    expect(challenge(tab).get_by_role("button", name="Complete")).to_be_visible()
    tab.close()
    phone.goto(link(control))
    expect(phone.get_by_role("alert").filter(has_text="Your bank could not confirm")).to_contain_text(NOT_CHARGED)
    nothing_paid(control, api)
    fill_card(phone)
    button(phone).click()
    on_receipt(phone)
    paid_once(control, api)
