"""The addresses that browsers use: pages, scripts, the frame's own calls, and the 3-D Secure challenge."""

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from infra.local.stripe_sandbox.api import Reply, Request
from infra.local.stripe_sandbox.browser.card_entry import token_from_entry
from infra.local.stripe_sandbox.calls import Call
from infra.local.stripe_sandbox.currencies import spoken
from infra.local.stripe_sandbox.faults import JsonObject, StripeFault
from infra.local.stripe_sandbox.payment_confirmation import finish_authentication
from infra.local.stripe_sandbox.server import Page
from infra.local.stripe_sandbox.setup_intents import finish_setup_authentication
from infra.local.stripe_sandbox.world import Ledger, Origin, World, new_id

_STATIC: Final = Path(__file__).parent / "static"
_FILES: Final = {
    "/stripe.js": ("stripe.js", "text/javascript; charset=utf-8"),
    "/v3/stripe.js": ("stripe.js", "text/javascript; charset=utf-8"),
    "/elements/payment.js": ("payment.js", "text/javascript; charset=utf-8"),
    "/elements/payment.css": ("payment.css", "text/css; charset=utf-8"),
    "/elements/appearance.js": ("appearance.js", "text/javascript; charset=utf-8"),
    "/elements/brands.js": ("brands.js", "text/javascript; charset=utf-8"),
    "/elements/messages.js": ("messages.js", "text/javascript; charset=utf-8"),
    "/challenge.js": ("challenge.js", "text/javascript; charset=utf-8"),
    "/challenge.css": ("challenge.css", "text/css; charset=utf-8"),
}
_FRAME_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'"
)
_CHALLENGE: Final = re.compile(r"^/challenge/((?:pi|seti)_[A-Za-z0-9]+)$")
_ORIGIN: Final = re.compile(r"^https?://[A-Za-z0-9.\-]+(:[0-9]+)?$")


class BrowserDoors:
    """Answers everything outside `/v1`."""

    def __init__(self, world: World, *, publishable_key: str, platform: str, settle: Callable[[], None]) -> None:
        self._world: Final = world
        self._publishable_key: Final = publishable_key
        self._platform: Final = platform
        self._settle: Final = settle

    def answer(self, request: Request) -> Reply | Page:
        """Answer one browser request; 404 for what is not here."""
        if request.method == "GET" and request.path in _FILES:
            name, kind = _FILES[request.path]
            return Page((_STATIC / name).read_bytes(), kind)
        try:
            if (request.method, request.path) == ("GET", "/elements/payment"):
                return self._payment_frame(request)
            if (request.method, request.path) == ("POST", "/elements/confirmation_tokens"):
                return self._make_token(request)
            if request.method == "GET" and request.path.startswith("/receipts/"):
                return self._receipt(request.path.removeprefix("/receipts/"))
            challenge = _CHALLENGE.match(request.path)
            if challenge is not None:
                return self._challenge(request, challenge.group(1))
        except StripeFault as fault:
            return Reply(fault.status, {"error": fault.error})
        return Page(b"Not found", "text/plain; charset=utf-8", 404)

    def _ledger(self, account: str | None) -> Ledger:
        ledger = self._world.ledgers.get(account or self._platform)
        if ledger is None:
            raise StripeFault(403, "invalid_request_error", f"No such account: '{account}'", code="account_invalid")
        return ledger

    def _payment_frame(self, request: Request) -> Page:
        query = {name: values[-1] for name, values in parse_qs(request.query).items()}
        parent = query.get("parent", "")
        if not _ORIGIN.match(parent):
            raise StripeFault(400, "invalid_request_error", "The frame needs its parent's origin.", param="parent")
        ledger = self._ledger(query.get("account"))
        facts = {
            "parent": parent,
            "now": str(self._world.now()),
            "country": ledger.country,
            "business": str(ledger.profile["business_profile"]["name"]),
        }
        attributes = " ".join(f'data-{name}="{html.escape(value)}"' for name, value in facts.items())
        page = (_STATIC / "payment.html").read_text(encoding="utf-8").replace("data-facts", attributes)
        return Page(page.encode(), "text/html; charset=utf-8", headers={"Content-Security-Policy": _FRAME_POLICY})

    def _make_token(self, request: Request) -> Reply:
        given = _json_body(request)
        if given.get("key") != self._publishable_key:
            raise StripeFault(401, "invalid_request_error", "Invalid API Key provided.")
        ledger = self._ledger(given.get("account"))
        with self._world.lock:
            return Reply(200, token_from_entry(self._call(ledger), given))

    def _call(self, ledger: Ledger) -> Call:
        return Call(self._world, ledger, {}, {}, Origin(new_id("req_", 14), None))

    def _receipt(self, charge_id: str) -> Page:
        with self._world.lock:
            for ledger in self._world.ledgers.values():
                charge = ledger.find("charge", charge_id)
                if charge is not None:
                    business = ledger.profile["business_profile"]["name"]
                    paid = f"{spoken(charge['amount'], charge['currency'])} {charge['currency'].upper()}"
                    text = f"Stripe sandbox receipt\n\n{business}\nPaid {paid}\n{charge_id}\n"
                    return Page(text.encode(), "text/plain; charset=utf-8")
        return Page(b"Not found", "text/plain; charset=utf-8", 404)

    def _challenge(self, request: Request, intent_id: str) -> Reply | Page:
        encoded = request.query if request.method == "GET" else request.body
        fields = {name: values[-1] for name, values in parse_qs(encoded).items()}
        with self._world.lock:
            ledger, intent = self._challenged(intent_id, fields.get("secret", ""))
            if request.method == "GET":
                return self._challenge_page(ledger, intent, fields)
            action = ledger.actions[intent_id]
            passed = fields.get("outcome") == "complete"
            finish = finish_authentication if intent["object"] == "payment_intent" else finish_setup_authentication
            try:
                finish(self._call(ledger), intent, passed=passed)
            finally:
                self._settle()
            if fields.get("embedded") == "yes":
                return Reply(200, {"status": intent["status"]})
            return _redirect_back(intent, action.return_url)

    def _challenged(self, intent_id: str, secret: str) -> tuple[Ledger, JsonObject]:
        for ledger in self._world.ledgers.values():
            action = ledger.actions.get(intent_id)
            if action is not None and action.secret == secret:
                kind = "payment_intent" if intent_id.startswith("pi_") else "setup_intent"
                return ledger, ledger.get(kind, intent_id, param="intent")
        raise StripeFault(404, "invalid_request_error", "This challenge is over.", code="resource_missing")

    def _challenge_page(self, ledger: Ledger, intent: JsonObject, fields: dict[str, str]) -> Page:
        parent = fields.get("parent", "")
        facts = {
            "data-parent": parent if _ORIGIN.match(parent) else "",
            "data-intent": intent["id"],
            "data-secret": fields["secret"],
            "data-business": str(ledger.profile["business_profile"]["name"]),
        }
        attributes = " ".join(f'{name}="{html.escape(value)}"' for name, value in facts.items())
        page = (_STATIC / "challenge.html").read_text(encoding="utf-8").replace("data-facts", attributes)
        return Page(page.encode(), "text/html; charset=utf-8", headers={"Content-Security-Policy": _FRAME_POLICY})


def _json_body(request: Request) -> dict[str, Any]:
    try:
        given = json.loads(request.body)
    except ValueError as error:
        raise StripeFault(400, "invalid_request_error", "The frame's call is no JSON.") from error
    if not isinstance(given, dict):
        raise StripeFault(400, "invalid_request_error", "The frame's call is no object.")
    return given


def _redirect_back(intent: JsonObject, return_url: str | None) -> Reply | Page:
    """Back to `return_url` with the parameters Stripe adds (https://docs.stripe.com/payments/accept-a-payment)."""
    if return_url is None:
        return Page(b"You can close this page.", "text/plain; charset=utf-8")
    noun = intent["object"]
    added = urlencode(
        {
            noun: intent["id"],
            f"{noun}_client_secret": intent["client_secret"],
            "redirect_status": "succeeded" if intent["status"] == "succeeded" else "failed",
        }
    )
    glue = "&" if "?" in return_url else "?"
    return Page(b"", "text/plain; charset=utf-8", 303, {"Location": f"{return_url}{glue}{added}"})
