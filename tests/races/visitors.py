"""Buyers without a browser: the page, its form as it stands there, and what comes back of a press; from any thread."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import re
from base64 import b64encode
from dataclasses import dataclass, field, replace
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

SECONDS = 60
_HIDDEN = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
_ACCOUNT = re.compile(r'data-account="([^"]*)"')


@dataclass(frozen=True)
class Said:
    """A status, the headers in lower case, and JSON, or the text of a page."""

    status: int
    headers: dict[str, str]
    body: Any


def send(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Said:
    """One request on a connection of its own; redirects are answers."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=SECONDS)
    try:
        connection.request(method, address.path + (f"?{address.query}" if address.query else ""), body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    found = {name.lower(): value for name, value in answer.getheaders()}
    is_json = found.get("content-type", "").startswith("application/json")
    return Said(answer.status, found, json.loads(text) if is_json else text)


@dataclass(frozen=True)
class Stripe:
    """Where the sandbox is, and the keys of the machine's."""

    url: str
    secret_key: str
    webhook_secret: str

    def token(self, account: str, card: str = "pm_card_visa") -> str:
        """What the card form of a page hands over."""
        key = b64encode(f"{self.secret_key}:".encode()).decode()
        headers = {
            "Authorization": f"Basic {key}",
            "Stripe-Account": account,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = urlencode({"payment_method": card}).encode()
        return str(send("POST", f"{self.url}/v1/test_helpers/confirmation_tokens", form, headers).body["id"])

    def deliver(self, url: str, event: dict[str, Any], at: int) -> Said:
        """An event, signed as Stripe signs it at that second (https://docs.stripe.com/webhooks#verify-manually)."""
        body = json.dumps(event, indent=2).encode()
        digest = hmac.new(self.webhook_secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return send("POST", url, body, {"Content-Type": "application/json", "Stripe-Signature": f"t={at},v1={digest}"})

    def answer_challenge(self, intent: dict[str, Any]) -> None:
        """Convince the bank."""
        secret = intent["next_action"]["use_stripe_sdk"]["source"]
        form = urlencode({"secret": secret, "outcome": "complete", "embedded": "yes"}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert send("POST", f"{self.url}/challenge/{intent['id']}", form, headers).status < 400


@dataclass(frozen=True)
class Visit:
    """A pay page as a buyer has it open: its form, the cookie that came with it, and whose account its card form is."""

    url: str
    stripe: Stripe
    cookie: str | None
    account: str
    fields: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, url: str, stripe: Stripe, cookie: str | None = None) -> Visit:
        """The page, opened."""
        page = send("GET", url, headers={} if cookie is None else {"Cookie": cookie})
        assert page.status == 200, page
        account = _ACCOUNT.search(page.body)
        assert account is not None
        set_cookie = page.headers.get("set-cookie", "").partition(";")[0]
        fields = {name: unescape(value) for name, value in _HIDDEN.findall(page.body)}
        return cls(url, stripe, set_cookie or cookie, account[1], fields)

    def filled(self, email: str = "anna@example.com", name: str = "Anna Maier", card: str = "pm_card_visa") -> Visit:
        """With contact and card typed in."""
        typed = {"email": email, "name": name, "confirmation_token": self.stripe.token(self.account, card)}
        return replace(self, fields={**self.fields, **typed})

    def press(self) -> Said:
        """The button, as the page's script sends it."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if self.cookie is not None:
            headers["Cookie"] = self.cookie
        return send("POST", self.url, urlencode(self.fields).encode(), headers)
