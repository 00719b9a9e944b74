"""`python -m tests.journeys.pictures` takes the README's pictures of a machine of its own, in Chromium."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.conftest import CHROMIUM_FLAGS
from tests.journeys.console import ROOT, RunningMachine
from tests.web.gallery import FONTS

PICTURES = ROOT / "docs" / "pictures"
SHOTS = (
    ("pay-phone", 375, 812, "light"),
    ("pay-phone-dark", 375, 812, "dark"),
    ("pay-desk", 1280, 800, "light"),
    ("pay-desk-dark", 1280, 800, "dark"),
)


def take(browser: Browser, url: str) -> None:
    """The monthly link's page at both widths, in both schemes."""
    for name, width, height, scheme in SHOTS:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
        )
        page = context.new_page()
        page.goto(url)
        page.frame_locator('iframe[title="Secure payment input frame"]').locator("[name=postalCode]").wait_for()
        page.locator("#bars").wait_for(state="hidden")
        page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
        context.close()


def main() -> None:
    """Start a machine, set its clock to a fixed day, take the pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, RunningMachine(Path(folder) / "output.txt") as machine:
        fonts = Path(folder) / "fonts.conf"
        fonts.write_text(FONTS)
        machine.control.set_clock("2027-03-14T19:30:00Z")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=list(CHROMIUM_FLAGS),
                env={**os.environ, "FONTCONFIG_FILE": str(fonts)},
            )
            take(browser, machine.control.info()["links"]["monthly"])
            browser.close()


if __name__ == "__main__":
    main()
