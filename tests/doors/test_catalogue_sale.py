"""Prices of the catalogue sold over HTTP: made by the API, paid on the link's page, renewed, and never changed."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.handlers.api import api
from chalicelib.services.merchants import create_api_key
from tests.api_routes import APP
from tests.doors.visitors import Visitors, invoice_path, link_path, plain
from tests.services.shop import Shop

FEBRUARY = datetime(2027, 2, 28, 20, 30, tzinfo=UTC)


@dataclass
class Till:
    """A shop whose API and pages are both open."""

    visitors: Visitors
    api_port: int
    key: str

    @property
    def shop(self) -> Shop:
        """The shop."""
        return self.visitors.shop

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """One call of the API."""
        connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=20)
        try:
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            connection.request(method, f"/v1/{path}", None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call of the API, which must be done."""
        status, answer = self.send(method, path, body)
        assert status in (200, 201), answer
        return answer


@pytest.fixture
def till(visitors: Visitors, api_port: int, monkeypatch: pytest.MonkeyPatch) -> Till:
    """A shop of its own behind both doors."""
    monkeypatch.setattr(api, "_current_app", APP)
    return Till(visitors, api_port, create_api_key(visitors.shop.ports, visitors.shop.merchant.id, ["*"]))


def stock(till: Till) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Fonts by graduated tiers, taxed; seats by the month, cheaper from three on; and the fonts' product."""
    rate = till.ask("POST", "tax_rates", {"name": "Sales tax", "percent": "8.875"})
    product = till.ask("POST", "products", {"name": "Fonts", "tax_rate": rate["id"]})
    tiers = [{"up_to": 5, "unit_amount": 700}, {"up_to": 10, "unit_amount": 650}, {"up_to": None, "unit_amount": 600}]
    fonts = {"product": product["id"], "currency": "usd", "model": "graduated", "tiers": tiers}
    seats = {
        "product": till.ask("POST", "products", {"name": "Seats"})["id"],
        "currency": "usd",
        "model": "volume",
        "tiers": [{"up_to": 2, "unit_amount": 4_900}, {"up_to": None, "unit_amount": 4_500}],
        "recurring": {"frequency": "monthly"},
    }
    return till.ask("POST", "prices", fonts), till.ask("POST", "prices", seats), product


def test_tiers_and_rhythms_of_the_catalogue_are_sold_by_a_link_and_renewed_as_they_were_agreed(till: Till) -> None:
    fonts, seats, product = stock(till)
    lines = [{"price": fonts["id"], "quantity": 12}, {"price": seats["id"], "quantity": 3}]
    made = till.ask("POST", "payment_links", {"name": "Studio", "currency": "usd", "lines": lines})
    # 5 x 7.00 + 5 x 6.50 + 2 x 6.00 = 79.50 and 8.875 % of it; 3 x 45.00 a month.
    assert [(line["unit_amount"], line["amount"]) for line in made["lines"]] == [(None, 7_950), (None, 13_500)]
    assert [(line["price"], line["tax_rate"]) for line in made["lines"]] == [
        (fonts["id"], product["tax_rate"]),
        (seats["id"], None),
    ]
    assert made["lines"][0]["tiers"] == fonts["tiers"]
    assert made["lines"][1]["recurring"]["frequency"] == "monthly"
    assert (made["due_today"]["subtotal"], made["due_today"]["tax"], made["due_today"]["total"]) == (
        21_450,
        706,
        22_156,
    )
    assert made["schedule"][0] == {"on": "2027-02-28", "amount": 13_500}

    link = till.shop.store.get(PaymentLink, made["id"])
    page = till.visitors.get(link_path(link))
    assert "5 × $7.00 + 5 × $6.50 + 2 × $6.00" in plain(page.text)
    assert "3 × $45.00" in plain(page.text)
    paid = till.visitors.press(link, page.form_token, expected_total="22156", headers={"Cookie": page.cookie})
    assert paid.status == 200
    assert [intent.amount.minor for intent in till.shop.succeeded()] == [22_156]

    # Whatever becomes of the catalogue now, what was sold stays.
    till.ask("POST", f"products/{product['id']}", {"name": "Typefaces", "tax_rate": None, "active": False})
    till.ask("POST", f"prices/{seats['id']}", {"active": False})
    till.shop.until(FEBRUARY)
    first, second = till.shop.invoices()
    (subscription,) = till.ask("GET", "subscriptions")["data"]
    assert (subscription["next_amount"], subscription["payments_made"]) == (13_500, 2)
    assert [intent.amount.minor for intent in till.shop.succeeded()] == [22_156, 13_500]
    shown = till.ask("GET", f"invoices/{second.id}")["lines"][0]
    assert (shown["name"], shown["quantity"], shown["amount"], shown["price"]) == ("Seats", 3, 13_500, seats["id"])
    paper = plain(till.visitors.get(invoice_path(first)).text)
    assert "Fonts" in paper
    assert "5 × $7.00 + 5 × $6.50 + 2 × $6.00" in paper
    assert till.shop.check().violations == ()


def test_terms_of_a_line_by_price_go_with_it_and_what_is_due_later_is_said(till: Till) -> None:
    _, seats, _ = stock(till)
    setup = {"name": "Setup", "unit_amount": 5_000, "quantity": 1}
    later = {
        "price": seats["id"],
        "quantity": 1,
        "description": "One desk",
        "discount": {"percent": "10"},
        "recurring": {"frequency": "monthly", "start": {"type": "after_days", "value": 14}},
    }
    made = till.ask("POST", "payment_links", {"name": "Desk", "currency": "usd", "lines": [setup, later]})
    assert (made["due_today"]["total"], made["schedule"][0]) == (5_000, {"on": "2027-02-14", "amount": 4_410})
    line = made["lines"][1]
    assert (line["name"], line["description"], line["discount"]) == ("Seats", "One desk", {"percent": "10"})
    page = plain(till.visitors.get(link_path(till.shop.store.get(PaymentLink, made["id"]))).text)
    assert "$49.00 a month from 14 February 2027" in page


def test_a_subscription_takes_prices_of_its_own_rhythm_and_bills_their_tiers(till: Till) -> None:
    fonts, seats, _ = stock(till)
    customer = till.ask("POST", "customers", {"email": "ada@example.com", "name": "Ada Byron"})["id"]
    body = {"customer": customer, "currency": "usd", "frequency": "monthly", "collection": "send"}
    before = till.visitors.contents()
    for wrong, more in ((fonts, {}), (seats, {"frequency": "weekly"})):
        lines = [{"price": wrong["id"], "quantity": 3}]
        status, answer = till.send("POST", "subscriptions", {**body, **more, "lines": lines})
        assert (status, answer["error"]["code"], answer["error"]["param"]) == (422, "invalid_value", "lines.0.price")
    assert till.visitors.contents() == before

    made = till.ask("POST", "subscriptions", {**body, "lines": [{"price": seats["id"], "quantity": 3}]})
    assert (made["next_amount"], made["lines"][0]["price"], made["lines"][0]["unit_amount"]) == (
        13_500,
        seats["id"],
        None,
    )
    till.shop.settle()
    (invoice,) = till.shop.invoices()
    assert (invoice.totals.total.minor, invoice.lines[0].name) == (13_500, "Seats")
    assert "3 × $45.00" in plain(till.visitors.get(invoice_path(invoice)).text)
    assert till.shop.check().violations == ()


@pytest.mark.parametrize(
    ("line", "errors"),
    [
        ({"price": "price_01ARZ3NDEKTSV4RRFFQ69G5FAV"}, {"lines.1.price": "invalid_value"}),
        ({"price": "fonts"}, {"lines.1.price": "invalid_value"}),
        ({"price": None}, {"lines.1.price": "wrong_type"}),
        ({"name": "Mine"}, {"lines.1.name": "unknown_field"}),
        ({"unit_amount": 5}, {"lines.1.unit_amount": "unknown_field"}),
        ({"tax_rate": "txr_01ARZ3NDEKTSV4RRFFQ69G5FAV"}, {"lines.1.tax_rate": "invalid_value"}),
        ({"recurring": {"frequency": "weekly"}}, {"lines.1.recurring.frequency": "invalid_value"}),
        ({"recurring": {"frequency": "monthly", "anchor_day": 40}}, {"lines.1.recurring.anchor_day": "out_of_range"}),
        ({"quantity": 0}, {"lines.1.quantity": "out_of_range"}),
        ({"currency": "usd"}, {"lines.1.currency": "unknown_field"}),
        ({"optional": True}, {"lines.1.optional": "unknown_field"}),
    ],
)
def test_a_line_that_cannot_be_sold_is_named_and_nothing_is_written(
    till: Till, line: dict[str, Any], errors: dict[str, str]
) -> None:
    fonts, seats, _ = stock(till)
    link = till.ask(
        "POST", "payment_links", {"name": "A", "currency": "usd", "lines": [{"price": fonts["id"], "quantity": 1}]}
    )
    before = till.visitors.contents()
    lines = [{"price": fonts["id"], "quantity": 1}, {"price": seats["id"], "quantity": 1, **line}]
    for path in ("payment_links", f"payment_links/{link['id']}"):
        body = {"lines": lines} if "/" in path else {"name": "B", "currency": "usd", "lines": lines}
        status, answer = till.send("POST", path, body)
        assert (status, {each["param"]: each["code"] for each in answer["error"]["errors"]}) == (422, errors)
    assert till.visitors.contents() == before
    assert till.shop.store.all(Checkout) == []
