"""Whatever a merchant or a buyer calls things: every page, title and mail shows it as text, runs nothing of it and
keeps its width at 320 pixels."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.checkout_page import button, fill, heading
from tests.journeys.console import Answer, Api, Control, fill_card

LONG = "Fotografieausrüstungsversicherungsbedingungen" * 5
NAMES = {
    "long": LONG[:200],
    "long-words": ("Brand photography with retouching, licensing and delivery " * 4)[:200].strip(),
    "right-to-left": "סטודיו אורן לצילום (2027) – استوديو التصوير",
    "markup": """<script>window.ran=1</script><img src=x onerror="window.ran=2"></title></p>--><svg/onload=ran()>""",
    "quotes": """a" onmouseover="window.ran=3" x='1' `${window.ran=4}` &quot;&#34;&lt;b&gt; \\u003cb\\u003e \\""",
    "templates": "{{ 7 * 7 }} {% raw %} ${7*7} #{7*7} <%= 7*7 %> %s %(name)s {0} {merchant}",
    "emoji": "👩🏽‍🎨 Studio 🏳️‍🌈 ✨ é̷̡̛ Ω≈ç ﷽ 中文 ไทย",
}
NARROW = {"width": 320, "height": 640}


def looks_right(page: Page, name: str, where: str) -> None:
    """The name is on the page as it is, nothing ran, nothing sticks out."""
    assert page.evaluate("window.ran") is None, where
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], where
    text = page.evaluate("document.body.innerText")
    assert " ".join(name.split()) in " ".join(text.split()), where
    assert page.evaluate("[...document.querySelectorAll('main script, main [onerror], main [onload]')].length") == 0


def title_of(page: Page) -> str:
    """The title, without the marks that keep a name's direction to itself."""
    return "".join(each for each in page.title() if each not in "\u2068\u2069")


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_is_text_wherever_it_is_shown(control: Control, phone: Page, kind: str) -> None:
    name = NAMES[kind]
    dialogs: list[str] = []
    phone.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    phone.set_viewport_size(NARROW)  # type: ignore[arg-type]  # a plain dict will do
    _, api = control.add_merchant(name, "America/New_York", "usd")
    lines = [
        {"name": name, "description": name, "unit_amount": 1000, "quantity": 2},
        {"name": name, "unit_amount": 4900, "quantity": 1, "recurring": {"frequency": "monthly"}},
    ]
    link = api.create(
        "/payment_links",
        {
            "name": name,
            "currency": "usd",
            "lines": lines,
            "discount": {"name": name[:100].strip(), "amount": 100},
            "after_payment": {"message": name},
        },
    )
    fill(phone, link["url"])
    looks_right(phone, name, "pay")
    assert name in title_of(phone)
    buyer = name[:150].strip()
    phone.get_by_role("textbox", name="Name").fill(buyer)
    button(phone).click()
    phone.wait_for_url("**/receipt/**")
    looks_right(phone, name, "receipt")
    assert name in title_of(phone)
    [invoice] = api.all("/invoices")
    phone.goto(invoice["hosted_url"])
    looks_right(phone, name, "invoice")
    looks_right(phone, buyer, "invoice's buyer")

    control.settle()
    [mail] = control.mail()
    assert name in mail["text"]
    assert "\n" not in mail["subject"]
    assert mail["from"].isascii() or name[:5] in mail["from"]
    phone.goto("about:blank")
    phone.set_content(mail["html"])
    assert phone.evaluate("window.ran") is None
    assert phone.evaluate("document.scripts.length") == 0
    assert " ".join(name.split()) in " ".join(phone.evaluate("document.body.textContent").split())
    [subscription] = api.all("/subscriptions")
    assert subscription["status"] == "active"
    assert dialogs == []


@pytest.mark.parametrize(
    "bad",
    [
        "a\u0000b",
        "a\u0007b",
        "a\u001bb",
        "a\u007fb",
        "a\u0085b",
        "a\u2028b",
        "a\u202eb",
        "a\u2066b",
        "a\r\nBcc: eve@x.y",
    ],
    ids=lambda text: ascii(text),
)
def test_a_name_with_control_characters_is_refused(api: Api, bad: str) -> None:
    before = api.all("/payment_links"), api.all("/customers"), api.all("/events")
    line = {"name": "Book", "unit_amount": 2500, "quantity": 1}
    refused: dict[str, Answer] = {
        "name": api.post("/payment_links", {"name": bad, "currency": "usd", "lines": [line]}),
        "lines.0.name": api.post("/payment_links", {"name": "A", "currency": "usd", "lines": [{**line, "name": bad}]}),
    }
    for param, answer in refused.items():
        assert (answer.status, answer.body["error"]["code"]) == (422, "invalid_text")
        assert answer.body["error"]["param"] == param
    customer = api.post("/customers", {"name": bad, "email": "anna@example.com"})
    assert (customer.status, customer.body["error"]["code"]) == (422, "invalid_text")
    assert (api.all("/payment_links"), api.all("/customers"), api.all("/events")) == before


def test_what_a_buyer_typed_comes_back_as_text_after_a_decline(control: Control, api: Api, phone: Page) -> None:
    typed = """Ann" autofocus onfocus="window.ran=1" <b>"""
    fill(phone, control.info()["links"]["one_time"], "4000000000000002")
    phone.get_by_role("textbox", name="Name").fill(typed)
    button(phone).click()
    expect(phone.locator("#decline")).to_be_visible()
    phone.reload()
    expect(phone.get_by_role("textbox", name="Name")).to_have_value(typed)
    assert phone.evaluate("window.ran") is None
    fill_card(phone)
    button(phone).click()
    phone.wait_for_url("**/receipt/**")
    heading(phone, 'Paid. Thank you, Ann"')
    assert phone.evaluate("window.ran") is None
