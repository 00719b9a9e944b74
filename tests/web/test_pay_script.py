"""The pay page's script in Chromium, against a Stripe that answers as told and a server that is one recorded route."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

STRIPE_JS = Path(__file__).with_name("gallery_stripe.js").read_text()
PAY_URL = "**/pay/pinewood-studio/01J"
RECEIPT = "/receipt-paid"
CHECKING = "**/checking/pinewood-studio/01J"


@dataclass
class Server:
    """What the page sent, and what it is answered with."""

    posts: list[dict[str, str]] = field(default_factory=list)
    accepts: list[str] = field(default_factory=list)
    answer: Callable[[Route], None] | None = None

    def answers(self, body: dict[str, Any], status: int = 200) -> None:
        self.answer = lambda route: route.fulfill(status=status, content_type="application/json", body=json.dumps(body))

    def handle(self, route: Route) -> None:
        posted = parse_qs(route.request.post_data or "", keep_blank_values=True)
        self.posts.append({name: values[0] for name, values in posted.items()})
        self.accepts.append(route.request.headers["accept"])
        if self.answer:
            self.answer(route)


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 375, "height": 900}, color_scheme="light")
    yield context
    context.close()


@pytest.fixture(scope="module")
def one_page(context: BrowserContext) -> Page:
    page = context.new_page()
    page.set_default_timeout(5000)
    return page


@pytest.fixture
def page(one_page: Page) -> Iterator[Page]:
    yield one_page
    one_page.unroute_all()
    one_page.emulate_media(color_scheme="light")


@pytest.fixture
def clocked(context: BrowserContext) -> Iterator[Page]:
    """A page of its own whose clock the test moves; a clock once installed stays."""
    page = context.new_page()
    page.set_default_timeout(5000)
    page.clock.install()
    yield page
    page.close()


def serving(page: Page) -> Server:
    server = Server()
    page.route(PAY_URL, server.handle)
    page.route(CHECKING, lambda route: route.fulfill(body="checking"))
    return server


@pytest.fixture
def server(page: Page) -> Server:
    return serving(page)


def told(page: Page, **values: Any) -> None:
    """What the stand-in for Stripe.js answers on the next page."""
    script = f"window.gallery = {json.dumps(values)};\n{STRIPE_JS}"
    page.route("**/gallery_stripe.js", lambda route: route.fulfill(content_type="text/javascript", body=script))


def opened(page: Page, origin: str, name: str = "pay-subscribe") -> None:
    page.goto(f"{origin}/{name}")
    expect(page.locator("#bars")).to_be_hidden()


def fill(page: Page) -> None:
    page.get_by_role("textbox", name="Email").fill("anna@example.com")
    page.get_by_role("textbox", name="Name").fill("Anna Kowalska")


def press(page: Page) -> None:
    page.locator("#pay").click()


def test_stripe_is_asked_for_what_the_page_says(page: Page, server: Server, gallery_origin: str) -> None:
    opened(page, gallery_origin)
    asked = page.evaluate("({stripe: gallery.stripe, elements: gallery.elements, element: gallery.element})")
    assert asked["stripe"] == {"key": "pk_test_1", "options": {"stripeAccount": "acct_1", "locale": "en"}}
    appearance = asked["elements"].pop("appearance")
    assert asked["elements"] == {
        "mode": "payment",
        "amount": 4900,
        "currency": "usd",
        "allowedPaymentMethodTypes": ["card"],
        "setupFutureUsage": "off_session",
    }
    assert asked["element"] == {
        "type": "payment",
        "wanted": {
            "layout": {"type": "accordion"},
            "fields": {"billingDetails": {"name": "never", "email": "never"}},
            "terms": {"card": "never"},
        },
    }
    assert appearance == {
        "theme": "stripe",
        "variables": {
            "colorPrimary": "#15181d",
            "colorBackground": "#ffffff",
            "colorText": "#15181d",
            "colorTextSecondary": "#565d68",
            "colorDanger": "#b42318",
            "fontFamily": 'system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif',
            "fontSizeBase": "16px",
            "borderRadius": "8px",
            "spacingUnit": "4px",
        },
        "rules": {
            ".Input": {"border": "1px solid #858c96", "boxShadow": "none"},
            ".Input:focus": {"border": "1px solid #15181d", "boxShadow": "0 0 0 1px #15181d"},
            ".Label": {"fontSize": "14px", "fontWeight": "500"},
        },
    }


def test_storing_a_method_names_no_amount(page: Page, server: Server, gallery_origin: str) -> None:
    opened(page, gallery_origin, "pay-nothing-today")
    asked = page.evaluate("gallery.elements")
    assert asked["mode"] == "setup"
    assert "amount" not in asked


def test_the_card_form_follows_a_change_of_scheme(page: Page, server: Server, gallery_origin: str) -> None:
    opened(page, gallery_origin)
    page.emulate_media(color_scheme="dark")
    # A function, not an expression: Playwright would evaluate that in the page, which the page's policy forbids.
    page.wait_for_function("() => Boolean(gallery.updated)")
    appearance = page.evaluate("gallery.updated.appearance")
    assert appearance["theme"] == "night"
    assert appearance["variables"]["colorBackground"] == "#14161a"
    assert appearance["variables"]["colorText"] == "#f2f3f5"


def test_nothing_moves_when_the_card_form_comes(page: Page, server: Server, gallery_origin: str) -> None:
    told(page, never=True)
    page.goto(f"{gallery_origin}/pay-subscribe")
    page.wait_for_function("() => Boolean(window.gallery && gallery.ready)")
    before = page.locator("#pay").bounding_box()
    assert page.locator("#bars").is_visible()
    assert page.get_by_text("$49.00 every month, starting").is_visible()
    page.evaluate("gallery.ready()")
    assert page.locator("#bars").is_hidden()
    assert page.locator("#pay").bounding_box() == before


def test_a_payment_posts_the_form_once_and_leads_to_the_receipt(
    page: Page, server: Server, gallery_origin: str
) -> None:
    server.answers({"status": "paid", "location": RECEIPT})
    opened(page, gallery_origin)
    fill(page)
    press(page)
    page.wait_for_url(f"**{RECEIPT}")
    assert server.accepts == ["application/json"]
    assert server.posts == [
        {
            "form_token": "token",
            "expected_total": "4900",
            "consent": "2027-02",
            "email": "anna@example.com",
            "name": "Anna Kowalska",
            "confirmation_token": "ctoken_1",
        }
    ]


def test_the_press_is_answered_at_once_and_further_presses_do_nothing(
    page: Page, server: Server, gallery_origin: str
) -> None:
    waiting: list[Route] = []
    server.answer = waiting.append
    opened(page, gallery_origin)
    fill(page)
    button = page.get_by_role("button", name="Subscribe and pay $49.00")
    expect(button).to_be_enabled()
    press(page)
    expect(page.locator("#pay")).to_have_text("Paying $49.00…")
    assert page.locator("#pay").get_attribute("aria-disabled") == "true"
    assert page.locator(".spinner").is_visible()
    assert page.locator("#email").get_attribute("readonly") is not None
    page.locator("#pay").click(force=True)
    page.locator("#email").press("Enter")
    assert page.evaluate("gallery.token.payment_method_data.billing_details") == {
        "name": "Anna Kowalska",
        "email": "anna@example.com",
    }
    expect(page.locator("#pay")).to_have_text("Paying $49.00…")
    assert len(server.posts) == 1
    waiting[0].fulfill(
        status=200, content_type="application/json", body=json.dumps({"status": "paid", "location": RECEIPT})
    )
    page.wait_for_url(f"**{RECEIPT}")


@pytest.mark.parametrize("status", ["declined", "too_many_tries"])
def test_a_decline_is_a_focused_alert_above_the_open_card_form(
    page: Page, server: Server, gallery_origin: str, status: str
) -> None:
    server.answers(
        {"status": status, "title": "Your bank <b>declined</b> this card.", "text": "You have not been charged."}
    )
    opened(page, gallery_origin)
    fill(page)
    press(page)
    note = page.locator("#decline")
    expect(note).to_have_text("Your bank <b>declined</b> this card. You have not been charged.")
    expect(note).to_be_focused()
    assert note.get_attribute("role") == "alert"
    expect(page.locator("#pay")).to_have_text("Subscribe and pay $49.00")
    assert page.locator("#pay").get_attribute("aria-disabled") is None
    assert page.locator("#email").input_value() == "anna@example.com"
    assert page.locator("#email").get_attribute("readonly") is None
    assert page.title() == "Error: Subscribe and pay $49.00 to Pinewood Studio"
    server.answers({"status": "paid", "location": RECEIPT})
    press(page)
    page.wait_for_url(f"**{RECEIPT}")
    assert len(server.posts) == 2


def test_what_the_server_finds_stands_in_the_summary_and_under_the_fields(
    page: Page, server: Server, gallery_origin: str
) -> None:
    message = "Enter one e-mail address without spaces or commas, like name@example.com"
    server.answers({"status": "invalid", "errors": [{"field": "email", "message": message}]})
    opened(page, gallery_origin)
    page.locator("#email").fill("anna@example")
    page.locator("#name").fill("Anna")
    press(page)
    summary = page.locator("#errors")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("heading")).to_have_text("There is 1 thing to fix")
    expect(summary.get_by_role("link")).to_have_text(message)
    expect(page.locator("#email-error")).to_have_text(message)
    assert page.locator("#email").get_attribute("aria-invalid") == "true"
    assert page.locator("#email").get_attribute("aria-describedby") == "email-error email-hint"
    summary.get_by_role("link").click()
    expect(page.locator("#email")).to_be_focused()
    assert page.locator("#email").input_value() == "anna@example"


def test_what_is_missing_is_said_at_once_and_nothing_is_sent(page: Page, server: Server, gallery_origin: str) -> None:
    told(page, submit={"error": {"type": "validation_error"}})
    opened(page, gallery_origin)
    press(page)
    expect(page.locator("#errors")).to_be_focused()
    expect(page.locator("#errors")).to_contain_text("There are 3 things to fix")
    assert page.locator("#errors a").all_text_contents() == [
        "Enter your e-mail address, so that we can send the receipt",
        "Enter your name",
        "Fill in the card form",
    ]
    page.get_by_role("link", name="Fill in the card form").click()
    expect(page.locator("#payment-element input").first).to_be_focused()
    assert server.posts == []
    assert page.evaluate("gallery.token") is None


def test_a_field_is_checked_on_leaving_only_when_filled_and_forgiven_while_typing(
    page: Page, server: Server, gallery_origin: str
) -> None:
    opened(page, gallery_origin)
    email = page.locator("#email")
    error = page.locator("#email-error")
    email.focus()
    email.blur()
    assert error.is_hidden()
    email.press_sequentially("anna")
    assert error.is_hidden()
    email.blur()
    expect(error).to_have_text("Enter an e-mail address with an @, like name@example.com")
    email.press_sequentially(".k")
    assert error.is_visible()
    email.press_sequentially("@")
    assert error.is_hidden()
    assert email.get_attribute("aria-invalid") is None


@pytest.mark.parametrize("status", ["processing", "checking", "closed", "changed"])
def test_every_other_answer_leads_where_the_server_says(
    page: Page, server: Server, gallery_origin: str, status: str
) -> None:
    server.answers({"status": status, "location": "/receipt-bank"})
    opened(page, gallery_origin)
    fill(page)
    press(page)
    page.wait_for_url("**/receipt-bank")


def test_a_challenge_that_is_met_leads_to_the_return_page(page: Page, server: Server, gallery_origin: str) -> None:
    server.answers({"status": "requires_action", "client_secret": "pi_1_secret_2", "location": RECEIPT})
    told(page, actionAnswer={"paymentIntent": {"status": "succeeded"}})
    opened(page, gallery_origin)
    fill(page)
    page.evaluate("addEventListener('pagehide', () => sessionStorage.action = JSON.stringify(gallery.action))")
    press(page)
    page.wait_for_url(f"**{RECEIPT}")
    assert json.loads(page.evaluate("sessionStorage.action")) == {"clientSecret": "pi_1_secret_2"}
    assert len(server.posts) == 1


def test_a_challenge_that_fails_leads_back_to_the_form_with_nothing_lost(
    page: Page, server: Server, gallery_origin: str
) -> None:
    server.answers({"status": "requires_action", "client_secret": "pi_1_secret_2", "location": RECEIPT})
    failure = {"code": "payment_intent_authentication_failure"}
    intent = {"status": "requires_payment_method", "last_payment_error": failure}
    told(page, actionAnswer={"error": {**failure, "payment_intent": intent}})
    opened(page, gallery_origin)
    fill(page)
    press(page)
    expect(page.locator("#decline")).to_contain_text(
        "Your bank could not confirm that it is you. You have not been charged."
    )
    assert page.locator("#name").input_value() == "Anna Kowalska"


def test_a_bank_that_declines_after_its_challenge_is_the_servers_to_explain(
    page: Page, server: Server, gallery_origin: str
) -> None:
    server.answers({"status": "requires_action", "client_secret": "pi_1_secret_2", "location": RECEIPT})
    failure = {"code": "card_declined", "decline_code": "insufficient_funds"}
    intent = {"status": "requires_payment_method", "last_payment_error": failure}
    told(page, actionAnswer={"error": {**failure, "payment_intent": intent}})
    opened(page, gallery_origin)
    fill(page)
    press(page)
    page.wait_for_url(f"**{RECEIPT}")


def test_a_form_that_is_refused_whole_is_told_on_the_page(page: Page, server: Server, gallery_origin: str) -> None:
    server.answers({"status": "refused", "title": "We could not read it.", "text": "Go back."}, status=413)
    opened(page, gallery_origin)
    fill(page)
    press(page)
    expect(page.locator("#decline")).to_contain_text("We could not read it. Go back.")


def test_a_challenge_whose_end_is_unknown_is_the_servers_to_tell(
    page: Page, server: Server, gallery_origin: str
) -> None:
    server.answers({"status": "requires_action", "client_secret": "pi_1_secret_2", "location": "/receipt-bank"})
    told(page, actionAnswer={"error": {"type": "api_connection_error"}})
    opened(page, gallery_origin)
    fill(page)
    press(page)
    page.wait_for_url("**/receipt-bank")


@pytest.mark.parametrize("how", ["lost", "broken", "unreadable", "unheard of"])
def test_an_answer_that_does_not_come_leads_to_the_checking_page(
    page: Page, server: Server, gallery_origin: str, how: str
) -> None:
    if how == "lost":
        server.answer = lambda route: route.abort()
    elif how == "broken":
        server.answers({"status": "paid", "location": RECEIPT}, status=502)
    elif how == "unreadable":
        server.answer = lambda route: route.fulfill(status=200, content_type="text/html", body="<p>")
    else:
        server.answers({"status": "of next year"})
    opened(page, gallery_origin)
    fill(page)
    press(page)
    page.wait_for_url(CHECKING)
    assert len(server.posts) == 1


def test_a_token_that_stripe_does_not_make_is_no_payment(page: Page, server: Server, gallery_origin: str) -> None:
    told(page, tokenAnswer={"error": {"type": "api_connection_error"}})
    opened(page, gallery_origin)
    fill(page)
    press(page)
    expect(page.locator("#decline")).to_have_text(
        "The card form got no answer. You have not been charged. Check your connection, then try again."
    )
    assert server.posts == []


def test_a_slow_answer_is_explained_at_eight_seconds_and_left_at_twenty_five(
    clocked: Page, gallery_origin: str
) -> None:
    page = clocked
    server = serving(page)
    server.answer = lambda _: None
    page.goto(f"{gallery_origin}/pay-subscribe")
    page.wait_for_function("() => Boolean(window.gallery && gallery.ready)")
    page.clock.run_for(100)
    fill(page)
    with page.expect_request(PAY_URL):
        press(page)
    page.clock.run_for(7900)
    expect(page.locator("#status")).to_have_text("")
    page.clock.run_for(200)
    expect(page.locator("#status")).to_have_text(
        "This is taking longer than usual. Keep this page open. You will not be charged twice."
    )
    page.clock.run_for(17500)
    page.wait_for_url(CHECKING)
    assert len(server.posts) == 1


def test_a_press_before_the_card_form_is_kept_in_mind(page: Page, server: Server, gallery_origin: str) -> None:
    told(page, never=True)
    page.goto(f"{gallery_origin}/pay-subscribe")
    page.wait_for_function("() => Boolean(window.gallery && gallery.ready)")
    fill(page)
    press(page)
    expect(page.locator("#status")).to_have_text("One moment, the card form is still loading")
    page.evaluate("gallery.ready()")
    expect(page.locator("#status")).to_have_text("")
    expect(page.locator("#payment-element input").first).to_be_focused()
    assert server.posts == []


def test_a_slow_card_form_is_announced_then_given_up_with_a_way_on(clocked: Page, gallery_origin: str) -> None:
    page = clocked
    server = serving(page)
    told(page, never=True)
    page.goto(f"{gallery_origin}/pay-subscribe")
    page.wait_for_function("() => Boolean(window.gallery && gallery.ready)")
    load = page.locator("#load")
    assert load.is_hidden()
    page.clock.run_for(3100)
    expect(load).to_contain_text("Loading the secure card form…")
    expect(load.get_by_role("button")).to_be_hidden()
    page.clock.run_for(7000)
    expect(load).to_contain_text(
        "The card form did not load. Check your connection, allow this page in your content blocker, then try again."
    )
    press(page)
    again = load.get_by_role("button", name="Try again")
    expect(again).to_be_focused()
    page.evaluate("gallery.never = false")
    again.click()
    page.clock.run_for(100)
    expect(load).to_be_hidden()
    fill(page)
    server.answers({"status": "paid", "location": RECEIPT})
    press(page)
    page.wait_for_url(f"**{RECEIPT}")


def test_stripes_script_can_be_asked_for_again(clocked: Page, gallery_origin: str) -> None:
    page = clocked
    serving(page)
    blocked = [True]

    def script(route: Route) -> None:
        if blocked[0]:
            route.abort()
        else:
            route.continue_()

    page.route("**/gallery_stripe.js", script)
    page.goto(f"{gallery_origin}/pay-subscribe")
    page.clock.run_for(10100)
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    blocked[0] = False
    again.click()
    page.wait_for_function("() => Boolean(window.gallery && gallery.ready)")
    page.clock.run_for(100)
    expect(page.locator("#load")).to_be_hidden()
    expect(page.locator("#payment-element input").first).to_be_visible()


def test_the_waiting_page_asks_at_growing_distances_for_a_minute(clocked: Page, gallery_origin: str) -> None:
    page = clocked
    page.route(
        "**/01J/status", lambda route: route.fulfill(content_type="application/json", body='{"status":"checking"}')
    )
    page.add_init_script(
        """const start = Date.now(), ask = fetch; window.asked = [];
        window.fetch = (...all) => { asked.push(Math.round((Date.now() - start) / 1000)); return ask(...all); };"""
    )
    page.goto(f"{gallery_origin}/checking")
    page.clock.run_for(120_000)
    assert page.evaluate("asked") == [1, 2, 3, 5, 8, 13, 21, 34, 55]
    assert page.url == f"{gallery_origin}/checking"


def test_the_waiting_page_leads_on_when_the_server_knows(clocked: Page, gallery_origin: str) -> None:
    answers = iter([{"status": "checking"}, {"status": "paid", "location": RECEIPT}])
    clocked.route(
        "**/01J/status",
        lambda route: route.fulfill(content_type="application/json", body=json.dumps(next(answers))),
    )
    clocked.goto(f"{gallery_origin}/checking")
    clocked.clock.run_for(1500)
    clocked.clock.run_for(1000)
    clocked.wait_for_url(f"**{RECEIPT}")


def test_the_waiting_page_ends_in_words_when_a_minute_has_passed(clocked: Page, gallery_origin: str) -> None:
    page = clocked
    page.route("**/01J/status", lambda route: route.abort())
    page.goto(f"{gallery_origin}/checking")
    page.clock.run_for(61_000)
    expect(page.get_by_role("status")).to_have_text(
        "It is taking longer than usual. You can close this page: we will write as soon as we know. You will not be "
        "charged twice."
    )
    assert page.get_by_role("link", name="Check again").is_visible()
