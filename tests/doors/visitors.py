"""Who knocks at the buyers' doors: requests over real HTTP against the real views, with everything else in memory."""

from __future__ import annotations

import html
import http.client
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.ids import page_token
from chalicelib.services.ports import QueueName
from chalicelib.settings import Settings
from tests.services.shop import Shop

BASE = "https://till.example"
FORM = "application/x-www-form-urlencoded"

SETTINGS = Settings(
    stage="test",
    public_base_url=BASE,
    region="us-east-1",
    records_table="records",
    events_table="events",
    timers_table="timers",
    billing_queue_url="https://sqs.example/billing.fifo",
    charges_queue_url="https://sqs.example/charges",
    work_queue_url="https://sqs.example/work",
    mail_from="till@example.com",
    stripe_publishable_key="pk_test_12345678",
    stripe_livemode=False,
    stripe_secret_key="sk_test_12345678",
    stripe_webhook_secrets=("whsec_12345678",),
    form_secret="a form secret of more than 32 characters",
)


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def heading(self) -> str:
        """The words of the page's `h1`."""
        found = re.search(r"<h1>(.*?)</h1>", self.text, re.DOTALL)
        assert found is not None, self.text
        return plain(found[1])

    @property
    def cookie(self) -> str:
        """Name and value of the cookie that was set, as a browser sends them back."""
        return self.headers["set-cookie"].partition(";")[0]

    @property
    def form_token(self) -> str:
        """What the page's form would post."""
        found = re.search(r'name="form_token" value="([^"]*)"', self.text)
        assert found is not None, self.text
        return html.unescape(found[1])


def plain(markup: str) -> str:
    """The text of some HTML, with ordinary spaces."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).replace("\u00a0", " ").strip()


@dataclass
class Visitors:
    """A shop behind its doors."""

    port: int
    shop: Shop
    headers: dict[str, str] = field(default_factory=dict)

    def send(
        self,
        method: str,
        path: str,
        fields: dict[str, str] | None = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request; `raw` is sent as it is, with only the headers given."""
        sent = {**self.headers, **(headers or {})}
        body = raw
        if fields is not None:
            body = urlencode(fields).encode()
            sent = {"Content-Type": FORM, "Origin": BASE, **sent}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path.removeprefix(BASE), body, {k: v for k, v in sent.items() if v})
            response = connection.getresponse()
            text = response.read().decode()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, text)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return self.send("GET", path, headers=headers)

    def press(
        self,
        link: PaymentLink,
        form_token: str | None = None,
        behaves: str = "pm_card_visa",
        *,
        headers: dict[str, str] | None = None,
        **changes: str,
    ) -> Answer:
        """The button, as the page's script sends it; a fresh page's form unless its token is given."""
        path = link_path(link)
        fields = {
            "form_token": self.get(path).form_token if form_token is None else form_token,
            "expected_total": str(link.lines[0].amount.minor),
            "email": "anna@example.com",
            "name": "Anna Kowalska",
            "confirmation_token": self.shop.token(behaves),
        }
        return self.send("POST", path, fields | changes, headers={"Accept": "application/json", **(headers or {})})

    def overdue_invoices(self, many: int = 1) -> list[Invoice]:
        """Renewals that were declined and wait for their buyers, on their pages."""
        shop = self.shop
        for subscription in [shop.subscribe() for _ in range(many)]:
            assert subscription.method is not None
            shop.stripe.behave(subscription.method.payment_method_id, "pm_card_chargeCustomerFail")
        shop.until(datetime(2027, 2, 28, 20, 30, tzinfo=UTC))
        return [invoice for invoice in shop.invoices() if invoice.status == "open"]

    def contents(self) -> tuple[Any, ...]:
        """Everything stored, asked of Stripe, queued and mailed, to compare before with after."""
        shop = self.shop
        return (
            dict(shop.store._rows),
            dict(shop.store._timers),
            len(shop.stripe.calls),
            sum(len(shop.queues.waiting(queue)) for queue in QueueName),
            len(shop.mailer.sent),
        )


def link_path(link: PaymentLink, slug: str = "pinewood") -> str:
    """Where a link's page is."""
    return f"/pay/{slug}/{page_token(link.id, link.secret)}"


def invoice_path(invoice: Invoice, slug: str = "pinewood", more: str = "") -> str:
    """Where an invoice's pages are."""
    return f"/invoice/{slug}/{page_token(invoice.id, invoice.secret)}{more}"


def cancel_path(subscription: Subscription, slug: str = "pinewood") -> str:
    """Where a subscription is ended."""
    return f"/cancel/{slug}/{page_token(subscription.id, subscription.secret)}"
