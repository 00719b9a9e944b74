"""Bad inputs: every field refuses what it cannot take, all at once, and nothing is written."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from chalicelib.domain.errors import ERROR_CODES
from tests.handlers.conftest import ApiWorld

VISA = "4242 4242 4242 4242"
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
LINE: dict[str, Any] = {"name": "Portrait", "unit_amount": 14_800, "quantity": 1}
LINK: dict[str, Any] = {"name": "Portrait session", "currency": "usd", "lines": [LINE]}
MONTHLY: dict[str, Any] = {"frequency": "monthly"}


def with_line(**changes: Any) -> dict[str, Any]:
    """The link with a changed first line; a value of ... leaves the field out."""
    body = deepcopy(LINK)
    body["lines"][0] = {name: value for name, value in {**LINE, **changes}.items() if value is not ...}
    return body


def with_recurring(**changes: Any) -> dict[str, Any]:
    """The link whose line repeats, beside one that is due today."""
    return {**LINK, "lines": [{**LINE, "recurring": {**MONTHLY, **changes}}, LINE]}


LINK_CASES: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {"name": "missing_field", "currency": "missing_field", "lines": "missing_field"}),
    ({**LINK, "nmae": "x"}, {"nmae": "unknown_field"}),
    *(
        ({**LINK, name: None}, {name: "unknown_field"})
        for name in (
            "fees", "single_use", "expires_on", "max_payments", "discount_codes_enabled", "collect", "policies",
            "payment_methods", "id", "url", "merchant", "secret",
        )
    ),
    ({**LINK, "name": ""}, {"name": "invalid_text"}),
    ({**LINK, "name": " \u00a0 "}, {"name": "invalid_text"}),
    ({**LINK, "name": "a" * 201}, {"name": "invalid_text"}),
    ({**LINK, "name": "a\x00b"}, {"name": "invalid_text"}),
    ({**LINK, "name": "a\r\nb"}, {"name": "invalid_text"}),
    ({**LINK, "name": "a\x7fb"}, {"name": "invalid_text"}),
    ({**LINK, "name": "a\u202eb"}, {"name": "invalid_text"}),
    ({**LINK, "name": "a\u2028b"}, {"name": "invalid_text"}),
    ({**LINK, "name": 7}, {"name": "wrong_type"}),
    ({**LINK, "name": ["a"]}, {"name": "wrong_type"}),
    ({**LINK, "name": f"Card {VISA}"}, {"name": "card_number_refused"}),
    ({**LINK, "currency": "USD"}, {"currency": "invalid_currency"}),
    ({**LINK, "currency": "xyz"}, {"currency": "invalid_currency"}),
    ({**LINK, "currency": "us\u0064\u0301"}, {"currency": "invalid_currency"}),
    ({**LINK, "currency": 840}, {"currency": "wrong_type"}),
    ({**LINK, "active": "true"}, {"active": "wrong_type"}),
    ({**LINK, "active": 1}, {"active": "wrong_type"}),
    ({**LINK, "lines": []}, {"lines": "out_of_range"}),
    ({**LINK, "lines": {}}, {"lines": "wrong_type"}),
    ({**LINK, "lines": [LINE] * 201}, {"lines": "out_of_range"}),
    ({**LINK, "lines": [LINE, "line"]}, {"lines.1": "wrong_type"}),
    ({**LINK, "lines": [{**LINE, "description": "é" * 1000}] * 51}, {"lines": "out_of_range"}),
    (
        with_line(price="price_1"),
        {"lines.0.price": "invalid_value", "lines.0.name": "unknown_field", "lines.0.unit_amount": "unknown_field"},
    ),
    (with_line(optional=True), {"lines.0.optional": "unknown_field"}),
    (with_line(name=...), {"lines.0.name": "missing_field"}),
    (with_line(name="a" * 251), {"lines.0.name": "invalid_text"}),
    (with_line(description="a" * 1001), {"lines.0.description": "invalid_text"}),
    (with_line(description="4242-4242-4242-4242"), {"lines.0.description": "card_number_refused"}),
    *(
        (with_line(unit_amount=value), {"lines.0.unit_amount": code})
        for value, code in (
            (..., "missing_field"), (None, "wrong_type"), ("100", "wrong_type"), (100.0, "wrong_type"),
            (1e2, "wrong_type"), (True, "wrong_type"), ([100], "wrong_type"), (-1, "out_of_range"),
            (100_000_000, "out_of_range"), (10**19, "out_of_range"), (10**300, "out_of_range"),
        )
    ),
    *(
        (with_line(quantity=value), {"lines.0.quantity": code})
        for value, code in (
            (..., "missing_field"), (0, "out_of_range"), (-1, "out_of_range"), (1_000_000, "out_of_range"),
            (1.5, "wrong_type"), ("1", "wrong_type"), (False, "wrong_type"), (None, "wrong_type"),
        )
    ),
    *(
        (with_line(discount={"percent": value}), {"lines.0.discount.percent": code})
        for value, code in (
            (10, "wrong_type"), (12.5, "wrong_type"), ("", "invalid_value"), ("1e1", "invalid_value"),
            ("1e1000000", "invalid_value"), ("١٠", "invalid_value"), ("12,5", "invalid_value"), ("-5", "invalid_value"),
            (".5", "invalid_value"), ("5.", "invalid_value"), ("1.23456", "invalid_value"), ("10 ", "invalid_value"),
            ("10\n", "invalid_value"), ("1000", "invalid_value"), ("NaN", "invalid_value"), ("0", "out_of_range"),
            ("0.0", "out_of_range"), ("100.0001", "out_of_range"), ("999", "out_of_range"),
        )
    ),
    (with_line(discount={"amount": -1}), {"lines.0.discount.amount": "out_of_range"}),
    (with_line(discount={"amount": 1.0}), {"lines.0.discount.amount": "wrong_type"}),
    (with_line(discount={}), {"lines.0.discount": "missing_field"}),
    (with_line(discount={"percent": "5", "amount": 5}), {"lines.0.discount": "invalid_value"}),
    (with_line(discount={"percent": "5", "duration": "forever"}), {"lines.0.discount.duration": "unknown_field"}),
    (with_line(discount="5"), {"lines.0.discount": "wrong_type"}),
    (with_line(tax={"percent": "100.5"}), {"lines.0.tax.percent": "out_of_range"}),
    (with_line(tax={"inclusive": True}), {"lines.0.tax.percent": "missing_field"}),
    (with_line(tax={"percent": "8", "inclusive": "no"}), {"lines.0.tax.inclusive": "wrong_type"}),
    (with_line(tax_rate="txr_1"), {"lines.0.tax_rate": "invalid_value"}),
    (with_line(tax_rate=7), {"lines.0.tax_rate": "wrong_type"}),
    (with_line(tax_rate=f"txr_{ULID}", tax={"percent": "5"}), {"lines.0.tax": "invalid_value"}),
    ({**LINK, "discount": {"percent": "5", "duration": "twice"}}, {"discount.duration": "invalid_value"}),
    ({**LINK, "discount": {"percent": "5", "duration": 2}}, {"discount.duration": "wrong_type"}),
    ({**LINK, "discount": {"percent": "5", "duration": {"periods": 0}}}, {"discount.duration": "out_of_range"}),
    ({**LINK, "discount": {"percent": "5", "duration": {"periods": True}}}, {"discount.duration": "wrong_type"}),
    ({**LINK, "discount": {"percent": "5", "duration": {"periods": 2, "x": 1}}}, {"discount.duration": "wrong_type"}),
    ({**LINK, "discount": {"percent": "5", "duration": None}}, {"discount.duration": "wrong_type"}),
    ({**LINK, "discount": {"percent": "5", "name": VISA}}, {"discount.name": "card_number_refused"}),
    (with_recurring(frequency="daily"), {"lines.0.recurring.frequency": "invalid_value"}),
    (with_recurring(frequency=["monthly"]), {"lines.0.recurring.frequency": "wrong_type"}),
    (with_recurring(term="forever"), {"lines.0.recurring.term": "invalid_value"}),
    (with_recurring(term="fixed"), {"lines.0.recurring.number_of_payments": "missing_field"}),
    (with_recurring(number_of_payments=3), {"lines.0.recurring.number_of_payments": "invalid_value"}),
    (
        with_recurring(term="fixed", number_of_payments=0),
        {"lines.0.recurring.number_of_payments": "out_of_range"},
    ),
    (
        with_recurring(term="fixed", number_of_payments=1000),
        {"lines.0.recurring.number_of_payments": "out_of_range"},
    ),
    (with_recurring(anchor_day=0), {"lines.0.recurring.anchor_day": "out_of_range"}),
    (with_recurring(anchor_day=32), {"lines.0.recurring.anchor_day": "out_of_range"}),
    (with_recurring(frequency="weekly", anchor_day=1), {"lines.0.recurring.anchor_day": "invalid_value"}),
    *(
        (with_recurring(start=start), {f"lines.0.recurring.start{field}": code})
        for start, field, code in (
            ("at_payment", "", "wrong_type"),
            ({"type": "soon"}, ".type", "invalid_value"),
            ({"type": "at_payment", "value": 1}, ".value", "invalid_value"),
            ({"type": "after_days"}, ".value", "missing_field"),
            ({"type": "after_days", "value": "7"}, ".value", "wrong_type"),
            ({"type": "after_days", "value": True}, ".value", "wrong_type"),
            ({"type": "after_days", "value": 0}, ".value", "out_of_range"),
            ({"type": "after_days", "value": 3651}, ".value", "out_of_range"),
            ({"type": "after_months", "value": 121}, ".value", "out_of_range"),
            ({"type": "after_months", "value": -1}, ".value", "out_of_range"),
            ({"type": "on_date", "value": 20270131}, ".value", "wrong_type"),
            ({"type": "on_date", "value": ""}, ".value", "invalid_date"),
            ({"type": "on_date", "value": "2027-02-30"}, ".value", "invalid_date"),
            ({"type": "on_date", "value": "20270131"}, ".value", "invalid_date"),
            ({"type": "on_date", "value": "2027-W05-7"}, ".value", "invalid_date"),
            ({"type": "on_date", "value": "2027-1-31"}, ".value", "invalid_date"),
            ({"type": "on_date", "value": "9999-12-31"}, ".value", "invalid_date"),
            ({"type": "on_date", "value": "0001-01-01"}, ".value", "invalid_date"),
            ({"type": "on_date", "value": "2027-01-31T15:30:00"}, ".value", "invalid_date"),
            ({"type": "on_date", "value": "2027-01-31T25:30:00Z"}, ".value", "invalid_date"),
            ({"type": "on_date", "value": "2027-01-31", "zone": "UTC"}, ".zone", "unknown_field"),
        )
    ),
    ({**LINK, "after_payment": {"redirect_url": "https://x.example"}}, {"after_payment.redirect_url": "unknown_field"}),
    ({**LINK, "after_payment": {"message": "a" * 2001}}, {"after_payment.message": "invalid_text"}),
    ({**LINK, "after_payment": {"message": "4242424242424242"}}, {"after_payment.message": "card_number_refused"}),
    ({**LINK, "metadata": {"": "x"}}, {"metadata": "invalid_text"}),
    ({**LINK, "metadata": {"k" * 41: "x"}}, {"metadata": "invalid_text"}),
    ({**LINK, "metadata": {"k": "x" * 501}}, {"metadata": "invalid_text"}),
    ({**LINK, "metadata": {"k": "\x00"}}, {"metadata": "invalid_text"}),
    ({**LINK, "metadata": {f"k{n}": "x" for n in range(51)}}, {"metadata": "out_of_range"}),
    ({**LINK, "metadata": {"k": 1}}, {"metadata.k": "wrong_type"}),
    ({**LINK, "metadata": {"k": {"a": "b"}}}, {"metadata.k": "wrong_type"}),
    ({**LINK, "metadata": {"k": None}}, {"metadata.k": "wrong_type"}),
    ({**LINK, "metadata": ["k"]}, {"metadata": "wrong_type"}),
    ({**LINK, "metadata": {"card": VISA}}, {"metadata": "card_number_refused"}),
    ({**LINK, "metadata": {VISA: "card"}}, {"metadata": "card_number_refused"}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "errors"), LINK_CASES)
def test_a_wrong_link_is_refused_by_field_and_nothing_is_written(
    api_world: ApiWorld, body: dict[str, Any], errors: dict[str, str]
) -> None:
    before = api_world.contents()
    answer = api_world.post("/v1/payment_links", body)
    assert (answer.status, answer.errors) == (422, errors)
    assert set(answer.errors.values()) <= ERROR_CODES
    assert answer.body["error"]["type"] == "invalid_request"
    first_param, first_code = next(iter(errors.items()))
    assert (answer.body["error"]["param"], answer.body["error"]["code"]) == (first_param, first_code)
    assert api_world.contents() == before


CUSTOMER_CASES: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {"email": "missing_field"}),
    *(
        ({"email": value}, {"email": "invalid_value"})
        for value in (
            "", "ada", "ada@", "@example.com", "ada@example", "ada@@example.com", "a@b@example.com",
            "ada@example.com,eve@example.com", "ada@example.com;eve@example.com", "Ada <ada@example.com>",
            " ada@example.com", "ada@example.com\n", "ada@example.com\r\nBcc: eve@example.com", "ada\x00@example.com",
            "a da@example.com", "ada@exa mple.com", "ada@-example.com", "ada@example-.com", "ada@.example.com",
            "ada@example..com", ".ada@example.com", "ada.@example.com", "a..da@example.com", "ada@example.c",
            '"ada"@example.com', "ada@[127.0.0.1]", "ädа@example.com", "ada@exämple.com", "ada＠example.com",
            "a" * 65 + "@example.com", "ada@" + "e" * 250 + ".com", "ada@example.com\u202e",
        )
    ),
    ({"email": ["ada@example.com"]}, {"email": "wrong_type"}),
    ({"email": "4242424242424242@example.com"}, {"email": "card_number_refused"}),
    ({"email": "ada@example.com", "phone": "call me"}, {"phone": "invalid_value"}),
    ({"email": "ada@example.com", "phone": VISA}, {"phone": "card_number_refused"}),
    ({"email": "ada@example.com", "phone": "+4242424242424242"}, {"phone": "card_number_refused"}),
    ({"email": "ada@example.com", "phone": "378282246310005"}, {"phone": "card_number_refused"}),
    ({"email": "ada@example.com", "language": "english"}, {"language": "invalid_value"}),
    ({"email": "ada@example.com", "tax_id": "x" * 51}, {"tax_id": "invalid_text"}),
    ({"email": "ada@example.com", "company": VISA}, {"company": "card_number_refused"}),
    ({"email": "ada@example.com", "billing_address": {}}, {"billing_address": "unknown_field"}),
    ({"email": "x", "name": 1, "id": "cus_1"}, {"email": "invalid_value", "name": "wrong_type", "id": "unknown_field"}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "errors"), CUSTOMER_CASES)
def test_a_wrong_customer_is_refused_by_field_and_nothing_is_written(
    api_world: ApiWorld, body: dict[str, Any], errors: dict[str, str]
) -> None:
    before = api_world.contents()
    answer = api_world.post("/v1/customers", body)
    assert (answer.status, answer.errors) == (422, errors)
    assert api_world.contents() == before


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"null", b'{"email": "a@b.example", "email": "c@d.example"}', b'{"email": NaN}', b"{" * 5000, b"\xff"],
)
@pytest.mark.parametrize("path", ["/v1/customers", "/v1/payment_links", "/v1/account"])
def test_what_is_no_clean_json_object_is_a_400_and_nothing_is_written(
    api_world: ApiWorld, path: str, raw: bytes
) -> None:
    before = api_world.contents()
    answer = api_world.send("POST", path, raw=raw, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.code, answer.errors) == (400, "malformed_json", {})
    assert api_world.contents() == before


def test_a_body_above_a_megabyte_is_a_413(api_world: ApiWorld) -> None:
    answer = api_world.post("/v1/customers", {"email": "ada@example.com", "name": "x" * 1_000_001})
    assert (answer.status, answer.code) == (413, "body_too_large")


def test_no_answer_repeats_a_card_number_or_an_endless_name(api_world: ApiWorld) -> None:
    answer = api_world.post("/v1/customers", {"email": f"{VISA}", VISA: 1, "4242424242424242": 1, "x" * 5000: 1})
    assert answer.status == 422
    text = str(answer.body)
    assert "4242" not in text
    assert len(text) < 2000
    assert answer.errors == {"email": "invalid_value", "?": "unknown_field"}


def test_texts_of_every_script_and_formula_are_kept_as_they_are(api_world: ApiWorld) -> None:
    names = ("=1+1", "@SUM(A1)", "Zoë 社長 😀", "שלום", "a\u200db", "Order 1234567890123456789", "4242 4242 4242 4241")
    for number, name in enumerate(names):
        made = api_world.post("/v1/customers", {"email": f"c{number}@example.com", "name": name})
        assert (made.status, made.body["name"]) == (201, name)


def test_an_invalid_action_body_is_refused(api_world: ApiWorld) -> None:
    link = api_world.post("/v1/payment_links", LINK).body
    before = api_world.contents()
    answer = api_world.post(f"/v1/payment_links/{link['id']}/deactivate", {"now": True})
    assert (answer.status, answer.errors) == (422, {"now": "unknown_field"})
    assert api_world.contents() == before
