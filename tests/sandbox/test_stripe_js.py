"""stripe.js in a real browser, on a page with the policy that Till's pay page has."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.sandbox.conftest import ACCOUNT, PUBLISHABLE_KEY, Bench

HOST_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Pay</title>
<link rel="stylesheet" href="/page.css"><script nonce="n0nce" src="{stripe}/stripe.js"></script></head>
<body><main><h1>Pay</h1><div id="mount"></div><button id="after">After</button></main>
<script nonce="n0nce">
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const stripe = Stripe("{key}", {{ stripeAccount: "{account}", locale: "en" }});
const elements = stripe.elements({{ mode: "payment", amount: 4900, currency: "usd", setupFutureUsage: "off_session",
  allowedPaymentMethodTypes: ["card"], appearance: {{
    variables: {{ colorPrimary: "#1d5fa6", colorBackground: dark ? "#14161a" : "#ffffff",
      colorText: dark ? "#f2f3f5" : "#15181d",
      colorTextSecondary: dark ? "#a8afba" : "#565d68", colorDanger: dark ? "#ff9c92" : "#b42318", fontSizeBase: "16px",
      borderRadius: "8px", spacingUnit: "4px" }},
    rules: {{ ".Input": {{ border: dark ? "1px solid #7a828e" : "1px solid #858c96", boxShadow: "none" }},
      ".Input:focus": {{ outline: dark ? "2px solid #f2f3f5" : "2px solid #15181d", outlineOffset: "-1px" }},
      ".Label": {{ fontSize: "14px", fontWeight: "500" }} }} }} }});
const element = elements.create("payment", {{ fields: {{ billingDetails: {{ name: "never", email: "never" }} }},
  terms: {{ card: "never" }} }});
window.seen = [];
for (const name of ["ready", "change", "loaderror"]) element.on(name, (event) => {{
  window.seen.push([name, event]);
  document.documentElement.classList.add(name);
  if (event.complete) document.documentElement.classList.add("complete");
}});
element.mount("#mount");
window.token = async () => {{
  const submitted = await elements.submit();
  if (submitted.error) return submitted;
  return stripe.createConfirmationToken({{ elements, params: {{ payment_method_data: {{
    billing_details: {{ name: "Anna Kowalska", email: "anna@example.com" }} }} }} }});
}};
</script></body></html>"""
PAGE_CSS = """body{margin:0;font:16px/24px system-ui,sans-serif;background:#fff;color:#15181d}
main{max-width:420px;margin:auto;padding:16px}@media(prefers-color-scheme:dark){body{background:#14161a;color:#f2f3f5}}"""


@pytest.fixture
def host(bench: Bench) -> Iterator[str]:
    policy = (
        f"default-src 'none'; script-src 'nonce-n0nce' {bench.url}; frame-src {bench.url}; style-src 'self'; "
        f"connect-src 'self' {bench.url}; base-uri 'none'"
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = HOST_PAGE.format(stripe=bench.url, key=PUBLISHABLE_KEY, account=ACCOUNT)
            known = {"/": ("text/html; charset=utf-8", page), "/page.css": ("text/css", PAGE_CSS)}
            kind, text = known.get(self.path.partition("?")[0], ("text/plain", ""))
            body = text.encode()
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def page(browser: Browser, host: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 375, "height": 700})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(host)
    opened.locator("html.ready").wait_for()
    yield opened
    context.close()
    assert [text for text in complaints if "402" not in text and "403" not in text] == []


def card_frame(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[title='Secure payment input frame']")


def type_card(page: Page, number: str, expiry: str = "12 / 34", cvc: str = "123", postal: str = "10001") -> None:
    frame = card_frame(page)
    frame.locator("input[name=number]").fill(number)
    frame.locator("input[name=expiry]").fill(expiry)
    frame.locator("input[name=cvc]").fill(cvc)
    frame.locator("input[name=postalCode]").fill(postal)


def intent_for(bench: Bench, token: str) -> Any:
    customer = bench.stripe.v1.customers.create({}, bench.on)
    return bench.stripe.v1.payment_intents.create(
        {
            "amount": 4900,
            "currency": "usd",
            "customer": customer.id,
            "setup_future_usage": "off_session",
            "allowed_payment_method_types": ["card"],
            "confirmation_token": token,
            "confirm": True,
        },
        bench.on,
    )


def test_a_typed_card_becomes_a_token_that_the_server_confirms_and_the_page_reads(bench: Bench, page: Page) -> None:
    frame = card_frame(page)
    frame.locator("input[name=number]").press_sequentially("4242424242424242")
    expect(frame.locator("input[name=number]")).to_have_value("4242 4242 4242 4242")
    expect(frame.locator("input[name=expiry]")).to_be_focused()
    frame.locator("input[name=expiry]").press_sequentially("1234")
    expect(frame.locator("input[name=expiry]")).to_have_value("12 / 34")
    frame.locator("input[name=cvc]").press_sequentially("123")
    frame.locator("input[name=postalCode]").press_sequentially("10001")
    page.locator("html.complete").wait_for()
    assert page.evaluate("seen.at(-1)[1]") == {
        "elementType": "payment",
        "collapsed": False,
        "value": {"type": "card"},
        "complete": True,
        "empty": False,
    }

    made = page.evaluate("token()")["confirmationToken"]

    assert made["setup_future_usage"] == "off_session"
    assert made["payment_method_preview"]["card"]["last4"] == "4242"
    details = made["payment_method_preview"]["billing_details"]
    assert (details["name"], details["address"]["postal_code"], details["address"]["country"]) == (
        "Anna Kowalska",
        "10001",
        "US",
    )
    intent = intent_for(bench, made["id"])
    assert intent.status == "succeeded"
    read = page.evaluate("secret => stripe.retrievePaymentIntent(secret)", intent.client_secret)["paymentIntent"]
    assert (read["id"], read["status"]) == (intent.id, "succeeded")
    assert "customer" not in read
    assert "metadata" not in read
    for entry in bench.sandbox.listing("requests"):
        assert "4242424242424242" not in json.dumps(entry)


def test_the_frame_refuses_what_cannot_be_right_and_grows_for_its_messages(page: Page) -> None:
    frame = card_frame(page)
    before = page.locator("iframe").bounding_box()
    assert before is not None
    assert 200 < before["height"] <= 290

    submitted = page.evaluate("token()")

    assert submitted == {
        "error": {
            "type": "validation_error",
            "code": "incomplete_number",
            "message": "Your card number is incomplete.",
        }
    }
    expect(frame.get_by_role("alert").first).to_have_text("Your card number is incomplete.")
    expect(frame.locator("input[name=number]")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("iframe")).not_to_have_css("height", f"{before['height']:g}px")
    grown = page.locator("iframe").bounding_box()
    assert grown is not None
    assert grown["height"] > before["height"] + 20
    type_card(page, "4242 4242 4242 4241")
    expect(frame.locator("#number-error")).to_have_text("Your card number is invalid.")
    type_card(page, "4242 4242 4242 4242", expiry="12 / 26")
    expect(frame.locator("#expiry-error")).to_have_text("Your card’s expiration year is in the past.")
    type_card(page, "4111 1111 1111 1111")
    assert page.evaluate("token()")["error"]["decline_code"] == "test_mode_live_card"


@pytest.mark.parametrize(
    ("press", "status", "code"),
    [
        ("Complete", "succeeded", None),
        ("Fail", "requires_payment_method", "payment_intent_authentication_failure"),
        ("Close", "requires_payment_method", "payment_intent_authentication_failure"),
    ],
)
def test_a_3d_secure_challenge_is_passed_failed_or_closed(
    bench: Bench, page: Page, press: str, status: str, code: str | None
) -> None:
    type_card(page, "4000 0027 6000 3184")
    intent = intent_for(bench, page.evaluate("token()")["confirmationToken"]["id"])
    assert (intent.status, intent.next_action.type) == ("requires_action", "use_stripe_sdk")
    page.locator("#after").focus()

    page.evaluate(
        "secret => { stripe.handleNextAction({clientSecret: secret}).then((result) => { window.result = result;"
        " document.documentElement.classList.add('over'); }); }",
        intent.client_secret,
    )
    page.frame_locator("iframe[title='3D Secure authentication']").get_by_role("button", name=press).click()
    page.locator("html.over").wait_for()

    result = page.evaluate("result")
    after = bench.stripe.v1.payment_intents.retrieve(intent.id, {}, bench.on)
    assert after.status == status
    assert (result.get("error") or {}).get("code") == code
    assert (result["error"]["payment_intent"] if code else result["paymentIntent"])["id"] == intent.id
    assert page.locator("iframe[title='3D Secure authentication']").count() == 0
    expect(page.locator("#after")).to_be_focused()
    charges = bench.sandbox.listing("charges")
    assert [charge["status"] for charge in charges] == ([] if code else ["succeeded"])
    if not code:
        assert charges[0]["payment_method_details"]["card"]["three_d_secure"]["result"] == "authenticated"


def test_misuse_of_stripe_js_throws_as_stripe_does(page: Page) -> None:
    tries = {
        "Stripe('')": "publishable key",
        "Stripe('sk_test_x')": "should not use your secret key",
        "stripe.elements({mode: 'payment', amount: 4.5, currency: 'usd'})": "positive integer",
        "stripe.elements({mode: 'payment', amount: 50, currency: 'USD'})": "lower-case currency",
        "stripe.elements({mode: 'later'})": "mode should be one of",
        "stripe.elements({mode: 'setup', paymentMethodTypes: ['card']})": "allowedPaymentMethodTypes",
        "elements.create('card')": "valid Element name",
        "elements.create('payment')": "Can only create one",
        "stripe.createConfirmationToken({elements})": "elements.submit() must be called",
        "stripe.retrievePaymentIntent('pi_1')": "client secret",
    }
    caught = {
        call: page.evaluate(
            f"(async () => {{ try {{ await {call}; return ''; }} catch (e) {{ return e.message; }} }})()"
        )
        for call in tries
    }
    assert {call: tries[call] in message for call, message in caught.items()} == dict.fromkeys(tries, True)


def test_the_frame_obeys_nobody_but_its_own_page(page: Page) -> None:
    number = card_frame(page).locator("input[name=number]")
    number.fill("4242 4242")
    frame = next(frame for frame in page.frames if "/elements/payment" in frame.url)
    frame.evaluate("new Promise((done) => { postMessage({kind: 'clear'}, '*'); setTimeout(done, 50); })")
    expect(number).to_have_value("4242 4242")
    page.evaluate("element.clear()")
    expect(number).to_have_value("")


def test_a_setup_is_authenticated_too_and_shows_its_terms(bench: Bench, page: Page) -> None:
    page.evaluate("element.destroy()")
    page.evaluate(
        "() => { window.saving = stripe.elements({mode: 'setup', currency: 'usd', locale: 'de'});"
        " const made = saving.create('payment');"
        " made.on('ready', () => document.documentElement.classList.add('saving')); made.mount('#mount'); }"
    )
    page.locator("html.saving").wait_for()
    frame = card_frame(page)
    expect(frame.get_by_label("Kartennummer")).to_be_visible()
    expect(frame.locator(".Terms")).to_contain_text("Demo merchant")
    type_card(page, "4000 0025 0000 3155")
    made = page.evaluate(
        "(async () => { await saving.submit(); return stripe.createConfirmationToken({elements: saving}); })()"
    )
    intent = bench.stripe.v1.setup_intents.create(
        {
            "confirm": True,
            "confirmation_token": made["confirmationToken"]["id"],
            "allowed_payment_method_types": ["card"],
        },
        bench.on,
    )
    assert intent.status == "requires_action"
    page.evaluate(
        "secret => { stripe.handleNextAction({clientSecret: secret}).then((result) => { window.result = result;"
        " document.documentElement.classList.add('over'); }); }",
        intent.client_secret,
    )
    page.frame_locator("iframe[title='3D Secure authentication']").get_by_role("button", name="Complete").press("Enter")
    page.locator("html.over").wait_for()
    assert page.evaluate("result.setupIntent.status") == "succeeded"


def test_the_frame_takes_the_pages_colours_and_fits_a_narrow_screen(page: Page) -> None:
    frame = card_frame(page)
    number = frame.locator("input[name=number]")
    expect(number).to_have_css("border-top-color", "rgb(133, 140, 150)")
    expect(number).to_have_css("color", "rgb(21, 24, 29)")
    page.evaluate(
        "elements.update({appearance: {variables: {colorBackground: '#14161a', colorText: '#f2f3f5'},"
        " rules: {'.Input': {borderColor: '#7a828e'}, 'body': {display: 'none'}}}})"
    )
    expect(number).to_have_css("color", "rgb(242, 243, 245)")
    expect(number).to_have_css("background-color", "rgb(20, 22, 26)")
    expect(number).to_have_css("border-top-color", "rgb(122, 130, 142)")
    page.set_viewport_size({"width": 320, "height": 700})
    inside = next(frame for frame in page.frames if "/elements/payment" in frame.url)
    assert inside.evaluate("document.documentElement.scrollWidth <= innerWidth") is True
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") is True


def test_a_frame_that_cannot_load_is_reported(page: Page) -> None:
    page.evaluate("element.destroy()")
    page.evaluate(
        "() => { const lost = Stripe('pk_test_till', {stripeAccount: 'acct_none'}).elements({mode: 'setup'})"
        ".create('payment'); lost.on('loaderror', () => document.documentElement.classList.add('lost'));"
        " lost.mount('#mount'); }"
    )
    page.locator("html.lost").wait_for()
