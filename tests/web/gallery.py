"""Every page and state with sample data, to look at: `python -m tests.web.gallery OUT [--pictures [PART-OF-NAME]]`.

The files need no server for reading; pictures are taken in Chromium over loopback, with each page's real headers,
at 375 and 1280 wide, light and dark.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from chalicelib.web import render, render_mails
from chalicelib.web.headers import PageKind, StripeOrigins, page_headers
from chalicelib.web.static_files import asset_url, static_file
from tests.web import portal_samples as portal
from tests.web import samples

STRIPE_JS = "/gallery_stripe.js"
# A bare Linux draws system-ui with whatever comes first; pictures prefer a face like those on phones and desktops.
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include>
<match target="pattern"><edit name="family" mode="prepend_first" binding="strong">
<string>Inter</string><string>Roboto</string><string>Noto Sans</string><string>Liberation Sans</string></edit></match>
</fontconfig>"""
WIDTHS = (375, 1280)
SCHEMES = ("light", "dark")
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One page of the gallery: its HTML, the headers it is served with, and whether it is a mail."""

    html: str
    kind: PageKind
    mail: bool = False

    def headers(self, origin: str) -> dict[str, str]:
        if self.mail:
            return {"Content-Type": "text/html; charset=utf-8"}
        nonce = samples.NONCE if self.kind is PageKind.PAY else None
        return page_headers(self.kind, nonce, StripeOrigins((origin,), (origin,), (origin,)))


def exhibits() -> dict[str, Exhibit]:
    """All of them, by file name without suffix."""
    pay = {
        "pay-once": samples.ONE_TIME,
        "pay-subscribe": samples.SUBSCRIBE,
        "pay-cart": samples.CART,
        "pay-nothing-today": samples.NOTHING_TODAY,
        "pay-long": samples.LONG,
        "pay-vat": samples.VAT,
        "pay-errors": samples.FIELD_ERRORS,
        "pay-declined": samples.DECLINED,
        "pay-changed": samples.CHANGED,
        "pay-timed-out": samples.TIMED_OUT,
        "pay-paid-before": samples.PAID_BEFORE,
    }
    found: dict[str, Exhibit] = {}
    for name, view in pay.items():
        here = replace(view, stripe=replace(view.stripe, js_url=STRIPE_JS))
        found[name] = Exhibit(render.render_pay_page(here), PageKind.PAY)
    receipts = {
        "receipt-paid": samples.PAID,
        "receipt-once": samples.PAID_ONCE,
        "receipt-refunded": samples.PAID_AND_REFUNDED,
        "receipt-stored": samples.STORED,
        "receipt-bank": samples.ON_ITS_WAY,
    }
    found |= {name: Exhibit(render.render_receipt_page(view), PageKind.PLAIN) for name, view in receipts.items()}
    found["checking"] = Exhibit(render.render_checking_page(samples.CHECKING), PageKind.CHECKING)
    invoices = {
        "invoice-open": samples.INVOICE,
        "invoice-overdue": samples.OVERDUE,
        "invoice-part-paid": samples.PART_PAID,
        "invoice-adjusted": samples.ADJUSTED,
        "invoice-paid": samples.INVOICE_PAID,
        "invoice-on-its-way": samples.INVOICE_ON_ITS_WAY,
        "invoice-void": samples.INVOICE_VOID,
    }
    found |= {name: Exhibit(render.render_invoice_page(view), PageKind.PLAIN) for name, view in invoices.items()}
    found["api"] = Exhibit(render.render_reference_page(samples.api_reference()), PageKind.PLAIN)
    found["cancel"] = Exhibit(render.render_cancel_page(samples.CANCEL), PageKind.FORM)
    found["cancelled"] = Exhibit(render.render_cancelled_page(samples.CANCELLED), PageKind.PLAIN)
    found |= portal_exhibits()
    for name, state in samples.STATES.items():
        found[f"state-{name}"] = Exhibit(render.render_state_page(state), PageKind.PLAIN)
    mails = {
        "mail-receipt": samples.RECEIPT_MAIL,
        "mail-cart": samples.CART_MAIL,
        "mail-bank": samples.BANK_MAIL,
        "mail-stored": samples.STORED_MAIL,
    }
    for name, mail in mails.items():
        found[name] = Exhibit(render_mails.render_receipt_mail(mail).html, PageKind.PLAIN, mail=True)
    found["mail-invoice"] = Exhibit(
        render_mails.render_invoice_mail(samples.INVOICE_MAIL).html, PageKind.PLAIN, mail=True
    )
    failed = {
        "mail-retrying": samples.RETRYING_MAIL,
        "mail-needs-you": samples.FAILED_MAIL,
        "mail-confirm": samples.CONFIRM_MAIL,
    }
    for name, mail_about in failed.items():
        found[name] = Exhibit(render_mails.render_failed_charge_mail(mail_about).html, PageKind.PLAIN, mail=True)
    recovered = render_mails.render_recovered_mail(samples.RECOVERED_MAIL)
    found["mail-recovered"] = Exhibit(recovered.html, PageKind.PLAIN, mail=True)
    found["mail-refund"] = Exhibit(render_mails.render_refund_mail(samples.REFUND_MAIL).html, PageKind.PLAIN, mail=True)
    for name, news in samples.SUBSCRIPTION_MAILS.items():
        html = render_mails.render_subscription_mail(news).html
        found[f"mail-subscription-{name}"] = Exhibit(html, PageKind.PLAIN, mail=True)
    return found


def portal_exhibits() -> dict[str, Exhibit]:
    """The portal's, by file name without suffix."""
    doors = {
        "portal-sign-in": portal.SIGN_IN,
        "portal-sign-in-error": portal.SIGN_IN_ERROR,
        "portal-sign-in-too-many": portal.SIGN_IN_TOO_MANY,
        "portal-sign-in-again": portal.SIGN_IN_AGAIN,
        "portal-open": portal.OPEN,
    }
    found = {name: Exhibit(render.render_sign_in_page(view), PageKind.FORM) for name, view in doors.items()}
    found["portal-sent"] = Exhibit(render.render_sign_in_page(portal.SENT), PageKind.PLAIN)
    homes = {
        "portal-home": portal.HOME,
        "portal-home-behind": portal.HOME_BEHIND,
        "portal-home-overdue": portal.HOME_OVERDUE,
        "portal-home-no-method": portal.HOME_NO_METHOD,
        "portal-home-empty": portal.HOME_EMPTY,
        "portal-home-long": portal.HOME_LONG,
    }
    found |= {name: Exhibit(render.render_home_page(view), PageKind.FORM) for name, view in homes.items()}
    subscriptions = {
        "portal-subscription": portal.SUBSCRIPTION,
        "portal-subscription-behind": portal.SUBSCRIPTION_BEHIND,
        "portal-subscription-ending": portal.SUBSCRIPTION_ENDING,
        "portal-subscription-ended": portal.SUBSCRIPTION_ENDED,
        "portal-subscription-stored": portal.SUBSCRIPTION_STORED,
        "portal-subscription-charging": portal.SUBSCRIPTION_CHARGING,
        "portal-subscription-again": portal.SUBSCRIPTION_AGAIN,
    }
    for name, page in subscriptions.items():
        found[name] = Exhibit(render.render_subscription_page(page), PageKind.FORM)
    methods = {
        "portal-method": portal.METHOD,
        "portal-method-owed": portal.METHOD_OWED,
        "portal-method-first": portal.METHOD_FIRST,
        "portal-method-declined": portal.METHOD_DECLINED,
        "portal-method-changed": portal.METHOD_CHANGED,
        "portal-method-timed-out": portal.METHOD_TIMED_OUT,
    }
    for name, method in methods.items():
        here = replace(method, stripe=replace(method.stripe, js_url=STRIPE_JS))
        found[name] = Exhibit(render.render_pay_page(here), PageKind.PAY)
    found["portal-method-checking"] = Exhibit(render.render_checking_page(portal.METHOD_CHECKING), PageKind.CHECKING)
    for name, mail in {"mail-portal": portal.SIGN_IN_MAIL, "mail-portal-method": portal.METHOD_MAIL}.items():
        found[name] = Exhibit(render_mails.render_sign_in_mail(mail).html, PageKind.PLAIN, mail=True)
    return found


def write(out: Path) -> None:
    """All pages as files, with their style sheet and scripts beside them."""
    (out / "static").mkdir(parents=True, exist_ok=True)
    for name in ("till.css", "reference.css", "portal.css", "pay.js", "checking.js", "icon.svg"):
        stem, suffix = name.rsplit(".", 1)
        file = static_file(f"{stem}.x.{suffix}")
        assert file is not None
        (out / "static" / name).write_bytes(file.content)
    stub = Path(__file__).with_name("gallery_stripe.js").read_bytes()
    (out / "gallery_stripe.js").write_bytes(stub)
    for name, exhibit in exhibits().items():
        html = exhibit.html.replace(f'"{STRIPE_JS}"', '"gallery_stripe.js"')
        for asset in ("till.css", "reference.css", "portal.css", "pay.js", "checking.js", "icon.svg"):
            html = html.replace(asset_url(asset), f"static/{asset}")
        (out / f"{name}.html").write_text(html)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, pages: dict[str, Exhibit], *rest: Any) -> None:
        self.pages = pages
        super().__init__(*rest)

    def do_GET(self) -> None:
        name = self.path.lstrip("/").partition("?")[0]
        if name in self.pages:
            exhibit = self.pages[name]
            return self._answer(exhibit.html.encode(), exhibit.headers(f"http://{self.headers['Host']}"))
        if self.path == STRIPE_JS:
            stub = Path(__file__).with_name("gallery_stripe.js").read_bytes()
            return self._answer(stub, {"Content-Type": "text/javascript"})
        file = static_file(name.removeprefix("static/")) if name.startswith("static/") else None
        if file:
            return self._answer(file.content, {"Content-Type": file.content_type})
        self.send_error(404)
        return None

    def _answer(self, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the pictures are the output."""


@contextmanager
def served() -> Iterator[str]:
    """The gallery on loopback, each page with the headers it has in production; yields its origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, exhibits()))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def take_pictures(out: Path, only: str = "") -> None:
    """Every page (or those whose name holds `only`) at both widths in both schemes."""
    from playwright.sync_api import sync_playwright

    out.mkdir(parents=True, exist_ok=True)
    fonts = out / "fonts.conf"
    fonts.write_text(FONTS)
    with served() as origin, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=list(CHROMIUM_FLAGS),
            env={**os.environ, "FONTCONFIG_FILE": str(fonts.resolve())},
        )
        for scheme in SCHEMES:
            for width in WIDTHS:
                page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
                for name in exhibits():
                    if only in name:
                        page.goto(f"{origin}/{name}", wait_until="load")
                        page.screenshot(path=out / f"{name}-{width}-{scheme}.png", full_page=True)
                page.close()
        browser.close()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write(target)
    if "--pictures" in sys.argv:
        take_pictures(target / "pictures", sys.argv[3] if len(sys.argv) > 3 else "")
