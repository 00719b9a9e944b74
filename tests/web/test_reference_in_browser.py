"""The page of the API with all of it open: accessible in both schemes, whole on a phone, found by its addresses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.web.test_gallery_in_browser import ALL, AXE, CONTRAST, TOO_WIDE


@pytest.fixture(scope="module")
def reference(browser: Browser, gallery_origin: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 375, "height": 800}, color_scheme="light")
    page = context.new_page()
    page.goto(f"{gallery_origin}/api")
    yield page
    context.close()


def test_an_address_opens_the_operation_that_it_names(reference: Page, gallery_origin: str) -> None:
    inside = reference.locator("#create_payment_link")
    assert not inside.is_visible()
    reference.goto(f"{gallery_origin}/api#create_payment_link")
    inside.wait_for(state="visible")
    assert reference.locator("details[open]").count() == 1
    inside.get_by_role("link", name="PaymentLinkBody", exact=True).click()
    reference.locator("#type-PaymentLinkBody").wait_for(state="visible")


def inside_violations(page: Page, options: dict[str, object]) -> list[str]:
    """What is wrong within the operation; the gallery's test has looked at the rest of the page."""
    look = "options => axe.run(document.querySelector('#create_payment_link'), options)"
    found = page.evaluate(look, options)["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


def test_what_is_open_is_accessible_and_all_of_it_fits_a_phone_and_a_desk(reference: Page) -> None:
    # What is open is an operation with everything that one can have, and a type.
    reference.evaluate(AXE)
    assert inside_violations(reference, ALL) == []
    reference.emulate_media(color_scheme="dark")
    assert inside_violations(reference, CONTRAST) == []
    reference.evaluate("() => document.querySelectorAll('details').forEach(one => { one.open = true })")
    for width in (1280, 375, 320):
        reference.set_viewport_size({"width": width, "height": 800})
        assert reference.evaluate("document.documentElement.scrollWidth") == width
        assert reference.evaluate(TOO_WIDE) == []
