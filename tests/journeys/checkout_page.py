"""What a buyer does on a pay page, piece by piece, and what must be true of the money afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import APIResponse, FrameLocator, Locator, Page, Request, Route, expect

from tests.journeys.console import CARD, MAIN_BUTTON, Api, Control, ask, fill_card

CHALLENGED = "4000002760003184"
NOT_CHARGED = "You have not been charged."
CONFIRM = "POST /v1/payment_intents/{id}/confirm"


def fill(page: Page, url: str, card: str = CARD) -> None:
    """Open a link and fill its form."""
    page.goto(url)
    page.get_by_role("textbox", name="Email").fill("anna@example.com")
    page.get_by_role("textbox", name="Name").fill("Anna Maier")
    fill_card(page, card)


def button(page: Page) -> Locator:
    """The one main button."""
    return page.get_by_role("button", name=MAIN_BUTTON)


def heading(page: Page, words: str) -> None:
    """The page's `h1` is this."""
    expect(page.get_by_role("heading", level=1)).to_have_text(words)


def on_receipt(page: Page) -> None:
    """The buyer is told that it is paid."""
    page.wait_for_url("**/receipt/**")
    heading(page, "Paid. Thank you, Anna")


def challenge(page: Page) -> FrameLocator:
    """The bank's question."""
    return page.frame_locator("iframe[title='3D Secure authentication']")


def paid_once(control: Control, api: Api) -> None:
    """One charge, one invoice, one payment, one mail, however it came."""
    control.settle()
    assert [(invoice["number"], invoice["status"]) for invoice in api.all("/invoices")] == [("INV-0001", "paid")]
    assert [payment["status"] for payment in api.all("/payments")] == ["succeeded"]
    assert [charge["status"] for charge in control.stripe("charges")].count("succeeded") == 1
    assert len(control.mail()) == 1
    types = [event["type"] for event in api.all("/events")]
    assert types.count("payment.succeeded") == types.count("invoice.paid") == 1


def nothing_paid(control: Control, api: Api) -> None:
    """No charge, no invoice, no mail."""
    control.settle()
    assert [charge for charge in control.stripe("charges") if charge["status"] == "succeeded"] == []
    assert api.all("/invoices") == api.all("/payments") == control.mail() == []


@contextmanager
def at_the_post(page: Page, act: Callable[[Route, Request], None]) -> Iterator[None]:
    """Stand between the page's script and the server when the form is sent."""

    def meet(route: Route, request: Request) -> None:
        if request.method == "POST":
            act(route, request)
        else:
            route.continue_()

    page.route("**/pay/**", meet)
    yield
    if not page.is_closed():
        page.unroute("**/pay/**", meet)


def answered(route: Route) -> APIResponse:
    """The server's answer, while the page still waits for it."""
    return route.fetch(timeout=30_000)


@contextmanager
def silent_stripe(control: Control) -> Iterator[None]:
    """Stripe does what it is asked, and no answer of it arrives."""
    control.post("/faults", {"service": "stripe", "operation": CONFIRM, "kind": "lost_reply", "times": 1000})
    control.post(
        "/faults",
        {"service": "stripe", "operation": "GET /v1/payment_intents/{id}", "kind": "timeout", "times": 1000},
    )
    yield
    cleared = ask("DELETE", f"{control.url}/faults", {})
    assert cleared.status == 200, cleared
