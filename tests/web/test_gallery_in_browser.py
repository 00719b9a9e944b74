"""Every page and state in Chromium, with its real headers: accessible in both schemes, nothing cut, nothing blocked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from tests.web.gallery import exhibits

AXE = (Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js").read_text()
PAGES = [name for name, exhibit in exhibits().items() if not exhibit.mail]
MAILS = [name for name, exhibit in exhibits().items() if exhibit.mail]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ALL = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}
# A mail is read inside the mailbox's own page, which brings headings and landmarks.
IN_A_MAILBOX = ALL | {
    "rules": {rule: {"enabled": False} for rule in ("region", "landmark-one-main", "page-has-heading-one")}
}

# A block of code scrolls by itself: what counts is the block.
TOO_WIDE = """() => {
  const wide = document.documentElement.clientWidth;
  return [...document.querySelectorAll('body *')]
    .filter(one => !one.closest('.unseen, [hidden], noscript, pre > code'))
    .filter(one => one.getBoundingClientRect().right > wide + 1)
    .map(one => one.outerHTML.slice(0, 80));
}"""
SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), textarea, summary')]
  .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 24)
  .filter(one => getComputedStyle(one).display !== 'inline')
  .map(one => one.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 375, "height": 800}, color_scheme="light")
    yield context
    context.close()


@pytest.fixture(scope="module")
def page(context: BrowserContext) -> Page:
    return context.new_page()


def violations(page: Page, options: dict[str, object]) -> list[str]:
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    return [f"{each['id']}: {node['html']} {node['failureSummary']}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_whole_and_blocked_in_nothing(page: Page, gallery_origin: str, name: str) -> None:
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "/status" not in message.location["url"]:
            complaints.append(message.text)

    page.on("console", note)
    page.set_viewport_size({"width": 375, "height": 800})
    page.emulate_media(color_scheme="light")
    page.goto(f"{gallery_origin}/{name}")
    page.remove_listener("console", note)
    assert complaints == []
    page.evaluate(AXE)
    assert violations(page, ALL) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page, CONTRAST) == []
    assert page.evaluate(SMALL_TARGETS) == []
    for width in (375, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(TOO_WIDE) == []


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_is_accessible_and_fits_a_phone(page: Page, gallery_origin: str, name: str) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    page.emulate_media(color_scheme="light")
    page.goto(f"{gallery_origin}/{name}")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.evaluate(AXE)
    assert violations(page, IN_A_MAILBOX) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page, CONTRAST) == []


def test_the_amount_due_is_the_largest_text_and_stands_once(page: Page, gallery_origin: str) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(f"{gallery_origin}/pay-cart")
    sizes = page.evaluate(
        """() => Object.entries([...document.querySelectorAll('body *')]
          .filter(one => one.checkVisibility() && [...one.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
          .reduce((sizes, one) => {
            const size = parseFloat(getComputedStyle(one).fontSize);
            (sizes[size] ||= []).push(one.firstChild.textContent.trim());
            return sizes;
          }, {}))"""
    )
    largest, texts = max(sizes, key=lambda entry: float(entry[0]))
    assert (float(largest), texts) == (34, ["$182.36"])


def test_all_amounts_of_a_column_end_at_one_line(page: Page, gallery_origin: str) -> None:
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{gallery_origin}/pay-cart")
        ends = page.evaluate(
            """() => [...document.querySelectorAll('.sums td')].filter(one => one.checkVisibility())
              .map(one => Math.round(one.getBoundingClientRect().right))"""
        )
        assert len(ends) == (8 if width == 375 else 12)
        assert len(set(ends)) == 1


def test_the_form_is_420_wide_beside_the_summary_and_as_wide_as_a_phone(page: Page, gallery_origin: str) -> None:
    for width, form_width in ((1280, 420), (375, 343)):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{gallery_origin}/pay-subscribe")
        for selector in ("form", "#pay", "#email", "#element"):
            box = page.locator(selector).bounding_box()
            assert box is not None
            assert box["width"] == form_width
        button = page.locator("#pay").bounding_box()
        assert button is not None
        assert button["height"] >= 48


def test_lines_fold_on_a_phone_without_script_and_are_always_open_on_a_wide_screen(
    browser: Browser, gallery_origin: str
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 375, "height": 800})
    page = context.new_page()
    page.goto(f"{gallery_origin}/pay-cart")
    line = page.get_by_text("Prints, 20 x 30 cm")
    assert not line.is_visible()
    assert page.get_by_text("Due today (USD)").is_visible()
    page.get_by_text("Details of 4 items").click()
    assert line.is_visible()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.reload()
    assert line.is_visible()
    assert not page.get_by_text("Details of 4 items").is_visible()
    assert page.locator("noscript p").is_visible()
    assert page.get_by_role("button", name="Subscribe and pay $182.36").is_visible()
    context.close()


def test_the_focus_ring_is_three_pixels_of_ink(page: Page, gallery_origin: str) -> None:
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(f"{gallery_origin}/pay-subscribe")
    for _ in range(2):
        page.keyboard.press("Tab")
        ring = page.evaluate(
            "() => { const css = getComputedStyle(document.activeElement);"
            " return [css.outlineWidth, css.outlineStyle, css.outlineColor, css.outlineOffset] }"
        )
        assert ring == ["3px", "solid", "rgb(21, 24, 29)", "2px"]


def test_the_invoice_puts_the_box_first_on_a_phone_and_beside_the_paper_on_a_wide_screen(
    page: Page, gallery_origin: str
) -> None:
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{gallery_origin}/invoice-open")
        box = page.locator(".box").bounding_box()
        paper = page.locator(".paper").bounding_box()
        assert box is not None
        assert paper is not None
        if width == 375:
            assert box["y"] + box["height"] < paper["y"]
        else:
            assert (box["width"], box["y"]) == (320, paper["y"])
            assert box["x"] > paper["x"] + paper["width"]


def test_only_the_paper_is_printed(page: Page, gallery_origin: str) -> None:
    page.goto(f"{gallery_origin}/invoice-open")
    page.emulate_media(media="print", color_scheme="dark")
    try:
        assert page.locator(".paper").is_visible()
        assert not page.locator(".box").is_visible()
        assert not page.locator("footer").is_visible()
        colours = page.locator(".paper").evaluate(
            "one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]"
        )
        assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    finally:
        page.emulate_media(media="screen")


def test_keeping_and_cancelling_are_equally_large(page: Page, gallery_origin: str) -> None:
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{gallery_origin}/cancel")
        cancel = page.get_by_role("button", name="Cancel subscription").bounding_box()
        keep = page.get_by_role("link", name="Keep it").bounding_box()
        assert cancel is not None
        assert keep is not None
        assert (cancel["width"], cancel["height"]) == (keep["width"], keep["height"])
