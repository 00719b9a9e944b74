"""Which scripts each page runs: Stripe's and ours on the pages that pay, ours where one waits, none elsewhere.

PCI DSS 4.0.1 wants every script of a payment page known and allowed (requirement 6.4.3). A new one fails this test, and
so does anything that a page's policy had to keep it from doing: the fixtures listen for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request, Route, expect

from tests.journeys.checkout_page import button, fill, on_receipt, silent_stripe
from tests.journeys.console import Api, Control, ask

PAY = ["/static/pay.js", "stripe /stripe.js"]
CHECKING = ["/static/checking.js"]
NONE: list[str] = []
BOUGHT = "2027-01-31T20:30:00Z"


class Watch:
    """What one page loads, connects to and frames, by where from."""

    def __init__(self, page: Page, control: Control) -> None:
        info = control.info()
        self._page = page
        self._names = {info["base_url"]: "", info["stripe_url"]: "stripe "}
        self.requests: list[tuple[str, str]] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.frame == self._page.main_frame:
            self.requests.append((request.resource_type, self.name(request.url)))

    def name(self, url: str) -> str:
        """`stripe /path` or `/path`, without the hash of a file's content; the whole address of a stranger."""
        parts = urlsplit(url)
        path = re.sub(r"\.[0-9a-f]{16}\.", ".", parts.path)
        known = self._names.get(f"{parts.scheme}://{parts.netloc}")
        return url if known is None else f"{known}{path}"

    def scripts(self) -> list[str]:
        """Every script that is in the page or was asked for, an inline one by its text."""
        written = self._page.evaluate("[...document.scripts].map((each) => each.src || `inline ${each.text}`)")
        found = {self.name(each) if each.startswith("http") else each for each in written}
        found |= {name for kind, name in self.requests if kind == "script"}
        handlers = self._page.evaluate(
            "[...document.querySelectorAll('*')].flatMap((each) => [...each.attributes]).filter("
            "({ name, value }) => name.startsWith('on') || /^\\s*javascript:/i.test(value)).map(({ name }) => name)"
        )
        return sorted(found | set(handlers))


@contextmanager
def watched(page: Page, control: Control) -> Iterator[Watch]:
    watch = Watch(page, control)
    yield watch
    page.remove_listener("request", watch._note)


def scripts_at(page: Page, control: Control, url: str, title: str) -> list[str]:
    """The scripts of the page at an address."""
    with watched(page, control) as watch:
        page.goto(url, wait_until="networkidle")
        expect(page).to_have_title(re.compile(title))
        return watch.scripts()


def test_each_page_runs_these_scripts_and_no_other(control: Control, api: Api, phone: Page) -> None:
    control.set_clock(BOUGHT)
    links = control.info()["links"]
    assert scripts_at(phone, control, links["one_time"], "^Pay ") == PAY
    assert scripts_at(phone, control, links["monthly"], "^Subscribe ") == PAY

    control.hold_webhooks()
    fill(phone, links["monthly"])
    with silent_stripe(control):
        button(phone).click()
        phone.wait_for_url("**/return/**")
        assert scripts_at(phone, control, phone.url, "^We are checking your payment") == CHECKING
    on_receipt(phone)
    control.release_webhooks()
    control.settle()
    assert scripts_at(phone, control, phone.url, "^Paid ") == NONE

    [mail] = control.mail()
    [invoice] = api.all("/invoices")
    assert scripts_at(phone, control, invoice["hosted_url"], "^Invoice INV-0001") == NONE
    cancel = re.search(r"http\S+/cancel/\S+", mail["text"])
    assert cancel is not None
    assert scripts_at(phone, control, cancel[0], "[Cc]ancel") == NONE

    [method] = {intent["payment_method"] for intent in control.stripe("payment_intents")}
    control.post(f"/stripe/payment_methods/{method}", {"behaves": "pm_card_chargeCustomerFail"})
    control.set_clock("2027-02-28T20:30:00Z")
    control.settle()
    owed = next(each for each in api.all("/invoices") if each["status"] == "open")
    assert scripts_at(phone, control, owed["hosted_url"], "^Invoice INV-0002") == NONE
    assert scripts_at(phone, control, f"{owed['hosted_url']}/pay", "^Pay ") == PAY

    phone.goto(cancel[0])
    phone.get_by_role("button", name="Cancel subscription").click()
    phone.wait_for_load_state("networkidle")
    assert scripts_at(phone, control, phone.url, "[Cc]ancel") == NONE

    for link in api.all("/payment_links"):
        assert api.post(f"/payment_links/{link['id']}/deactivate", {}).status == 200
    assert scripts_at(phone, control, links["one_time"], "^This link is closed") == NONE
    assert scripts_at(phone, control, links["one_time"][:-1], "^We cannot find this page") == NONE


def test_the_list_sees_one_script_more(control: Control, phone: Page) -> None:
    address = control.info()["links"]["one_time"]
    page = ask("GET", address)
    headers = {"Content-Type": "text/html; charset=utf-8"}
    for more, name in (
        ("<script src='/static/checking.js'></script>", "/static/checking.js"),
        ("<script>window.more = 1</script>", "inline window.more = 1"),
        ("<script src='https://evil.example/x.js'></script>", "https://evil.example/x.js"),
        ("<p onclick='more()'>x</p>", "onclick"),
        ("<a href=' javascript:more()'>x</a>", "href"),
    ):
        answers = {
            address: partial(Route.fulfill, body=page.body + more, headers=headers),
            "https://evil.example/**": partial(Route.fulfill, body="", content_type="text/javascript"),
        }
        for where, answer in answers.items():
            phone.route(where, lambda route, request, answer=answer: answer(route))
        with watched(phone, control) as watch:
            phone.goto(address, wait_until="networkidle")
            assert watch.scripts() == sorted([*PAY, name])
        phone.unroute_all()


def test_a_pay_page_talks_to_us_and_to_stripe_and_to_nobody_else(control: Control, phone: Page) -> None:
    with watched(phone, control) as watch:
        fill(phone, control.info()["links"]["one_time"])
        button(phone).click()
        on_receipt(phone)
    strangers = {name for _, name in watch.requests if name.startswith("http")}
    assert strangers == set()
    assert {kind for kind, _ in watch.requests} <= {"document", "stylesheet", "script", "image", "fetch", "other"}


def test_a_script_that_somebody_got_into_the_page_does_not_run(control: Control, phone: Page) -> None:
    page = ask("GET", control.info()["links"]["one_time"])
    policy = page.headers["content-security-policy"]
    nonces = re.findall(r"'nonce-([^']+)'", policy)
    assert len(nonces) == 1
    again = ask("GET", control.info()["links"]["one_time"]).headers["content-security-policy"]
    assert nonces[0] not in again
    injected = page.body.replace(
        "</main>",
        "<script>window.ran = 'inline'</script><img src=x onerror=\"window.ran = 'handler'\">"
        "<script src='data:text/javascript,window.ran=1'></script><a href=\"javascript:window.ran = 'link'\" id=l>x</a>"
        "<base href='https://evil.example/'><iframe src='https://evil.example/'></iframe></main>",
    )
    other = phone.context.browser
    assert other is not None
    context = other.new_context()
    victim = context.new_page()
    refused: list[str] = []
    victim.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
    address = control.info()["links"]["one_time"]
    victim.route(address, lambda route: route.fulfill(body=injected, headers=headers))
    victim.goto(address)
    victim.locator("#l").click()
    assert victim.evaluate("window.ran") is None
    assert victim.evaluate("document.baseURI") == address
    assert len(refused) >= 5, refused
    context.close()
