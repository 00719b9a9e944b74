"""Subscriptions made and looked ahead at through the API: what is answered, what comes of it, and what is refused."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.errors import ERROR_CODES
from chalicelib.services.billing.issuing import issue_due
from chalicelib.services.billing.sweeping import sweep
from chalicelib.services.mails import timer_of
from chalicelib.services.merchants import create_api_key
from chalicelib.services.ports import QueueName
from tests import builders as build
from tests.handlers.conftest import ApiWorld

LINE: dict[str, Any] = {"name": "Studio membership", "unit_amount": 4_900, "quantity": 1}
TERMS: dict[str, Any] = {"currency": "usd", "lines": [LINE], "frequency": "monthly"}
PATH = "/v1/subscriptions"
PREVIEW = "/v1/subscriptions/preview"


@pytest.fixture
def customer(api_world: ApiWorld) -> str:
    """A customer of the merchant."""
    return str(api_world.post("/v1/customers", {"email": "ada@example.com", "name": "Ada Byron"}).body["id"])


def everything(world: ApiWorld) -> tuple[Any, ...]:
    """All that could have been written or sent."""
    queued = [world.ports.queues.waiting(queue) for queue in QueueName]  # type: ignore[attr-defined] # of the fake
    return (world.contents(), list(world.store.timers), queued)


def run(world: ApiWorld, now: datetime | None = None) -> None:
    """What the scheduler does at a time: a sweep, and the invoices that are due."""
    if now is not None:
        world.clock.set(now)
    sweep(world.ports)
    for message in world.ports.queues.take(QueueName.BILLING):  # type: ignore[attr-defined] # of the fake
        timers = [timer_of(each) for each in message.body["timers"]]
        issue_due(world.ports, str(message.body["merchant_id"]), timers)


def test_what_was_made_is_answered_whole_and_billed_by_the_scheduler(api_world: ApiWorld, customer: str) -> None:
    answer = api_world.post(PATH, {**TERMS, "customer": customer, "metadata": {"order": "42"}})
    assert answer.status == 201
    expected = {
        "object": "subscription",
        "status": "active",
        "customer": customer,
        "currency": "usd",
        "timezone": "America/New_York",
        "frequency": "monthly",
        "term": "until_canceled",
        "number_of_payments": None,
        "start": {"type": "at_payment"},
        "anchor_day": None,
        "first_period": "prorated",
        "collection": "automatic",
        "due": {"on_receipt": True},
        "discount": None,
        "fees": [],
        "current_period": None,
        "next_invoice_at": "2027-01-15T12:00:00Z",
        "next_amount": 4_900,
        "payments_made": 0,
        "credit_balance": 0,
        "cancel_at_period_end": False,
        "payment_method": None,
        "collection_blocked": "no_payment_method",
        "payment_link": None,
        "checkout": None,
        "metadata": {"order": "42"},
    }
    assert {name: answer.body[name] for name in expected} == expected
    assert [line["recurring"] for line in answer.body["lines"]] == [None]
    assert api_world.get(f"{PATH}/{answer.body['id']}").body == answer.body
    types = [event["type"] for event in api_world.get("/v1/events").body["data"]]
    assert types[:2] == ["subscription.activated", "subscription.created"]

    run(api_world)
    [invoice] = api_world.get(f"/v1/invoices?subscription={answer.body['id']}").body["data"]
    shown = ("number", "status", "source", "amount_due", "due_date", "collection", "collection_blocked")
    assert [invoice[name] for name in shown] == [
        "INV-0001", "open", "subscription", 4_900, "2027-01-15", "automatic", "no_payment_method",
    ]  # fmt: skip
    assert invoice["period"] == {"index": 0, "start": "2027-01-15T12:00:00Z", "end": "2027-02-15T12:00:00Z"}
    after = api_world.get(f"{PATH}/{answer.body['id']}").body
    assert (after["current_period"], after["next_invoice_at"]) == (invoice["period"], "2027-02-15T12:00:00Z")


def test_everything_that_can_be_said_of_a_subscription_is_taken_and_shown(api_world: ApiWorld, customer: str) -> None:
    body: dict[str, Any] = {
        "customer": customer,
        "currency": "eur",
        "lines": [
            {
                "name": "Darkroom",
                "description": "Fridays",
                "unit_amount": 2_000,
                "quantity": 3,
                "discount": {"percent": "10"},
                "tax": {"percent": "8.875", "inclusive": True},
            }
        ],
        "frequency": "quarterly",
        "term": "fixed",
        "number_of_payments": 4,
        "start": {"type": "on_date", "value": "2027-03-20"},
        "anchor_day": 31,
        "first_period": "full",
        "collection": "send",
        "due": {"net_days": 30},
        "discount": {"amount": 500, "name": "Spring", "duration": {"periods": 2}},
        "fees": [{"name": "Setup", "amount": 1_000}, {"name": "Handling", "percent": "2.5"}],
        "metadata": {"a": "b"},
    }
    answer = api_world.post(PATH, body)
    assert answer.status == 201
    asked, [line] = body.pop("lines"), answer.body["lines"]
    assert {name: answer.body[name] for name in body} == body
    assert [{name: line[name] for name in each} for each in asked] == asked
    assert line["recurring"] is None
    rest = {name: answer.body[name] for name in ("status", "next_invoice_at", "next_amount", "collection_blocked")}
    assert rest == {
        "status": "scheduled",
        "next_invoice_at": "2027-03-20T04:00:00Z",
        "next_amount": 6_023,
        "collection_blocked": None,
    }


def test_under_one_key_one_subscription_is_made_and_billed_once(api_world: ApiWorld, customer: str) -> None:
    key, body = {"Idempotency-Key": "order 42"}, {**TERMS, "customer": customer}
    first = api_world.post(PATH, body, headers=key)
    api_world.clock.advance(timedelta(hours=2))
    again = api_world.post(PATH, body, headers=key)
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (201, first.body, "true")
    other = api_world.post(PATH, {**body, "frequency": "weekly"}, headers=key)
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    # A look takes no key: there is nothing that could be done twice.
    assert api_world.post(PREVIEW, TERMS, headers=key).status == 200
    run(api_world)
    run(api_world)
    assert [each["id"] for each in api_world.get(PATH).body["data"]] == [first.body["id"]]
    assert [each["number"] for each in api_world.get("/v1/invoices").body["data"]] == ["INV-0001"]


# --- of the catalogue


def price(world: ApiWorld, **fields: Any) -> str:
    """A price of a product of its own."""
    product = world.post("/v1/products", {"name": "Studio membership"}).body["id"]
    body = {"product": product, "currency": "usd", "unit_amount": 4_900, **fields}
    made = world.post("/v1/prices", body)
    assert made.status == 201, made.body
    return str(made.body["id"])


def test_a_line_may_name_a_price_of_the_same_frequency_and_copies_it(api_world: ApiWorld, customer: str) -> None:
    monthly = price(api_world, recurring={"frequency": "monthly"})
    body = {**TERMS, "lines": [{"price": monthly, "quantity": 2}, LINE]}
    shown = api_world.post(PREVIEW, body)
    assert [each["totals"]["total"] for each in shown.body["data"]] == [14_700] * 12
    made = api_world.post(PATH, {**body, "customer": customer})
    assert (made.status, made.body["next_amount"]) == (201, 14_700)
    assert [line["name"] for line in made.body["lines"]] == ["Studio membership"] * 2
    run(api_world)
    [invoice] = api_world.get("/v1/invoices").body["data"]
    assert (invoice["totals"], invoice["period"]["index"]) == (shown.body["data"][0]["totals"], 0)


def test_a_price_that_does_not_fit_is_refused_by_line_and_nothing_is_written(
    api_world: ApiWorld, customer: str
) -> None:
    cases = [
        (price(api_world, recurring={"frequency": "annually"}), "invalid_value"),
        (price(api_world), "invalid_value"),
        (price(api_world, currency="eur", recurring={"frequency": "monthly"}), "currency_mismatch"),
        ("price_01ARZ3NDEKTSV4RRFFQ69G5FAV", "invalid_value"),
    ]
    before = everything(api_world)
    for price_id, code in cases:
        body = {**TERMS, "lines": [LINE, {"price": price_id, "quantity": 1}]}
        for answer in (api_world.post(PATH, {**body, "customer": customer}), api_world.post(PREVIEW, body)):
            assert (answer.status, answer.errors) == (422, {"lines.1.price": code})
        body["lines"][1]["recurring"] = {"frequency": "monthly"}
        assert api_world.post(PREVIEW, body).errors == {"lines.1.recurring": "unknown_field"}
    assert everything(api_world) == before


# --- bad input

VALID: dict[str, Any] = {**TERMS, "customer": "cus_01ARZ3NDEKTSV4RRFFQ69G5FAV"}


def with_line(**changes: Any) -> dict[str, Any]:
    return {**TERMS, "lines": [{name: value for name, value in {**LINE, **changes}.items() if value is not ...}]}


CASES: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {"frequency": "missing_field", "currency": "missing_field", "lines": "missing_field"}),
    *(({**TERMS, name: None}, {name: "unknown_field"}) for name in ("id", "status", "price", "effective")),
    *(({**TERMS, "frequency": each}, {"frequency": "invalid_value"}) for each in ("daily", "Monthly", "")),
    ({**TERMS, "frequency": None}, {"frequency": "wrong_type"}),
    ({**TERMS, "term": "fixed"}, {"number_of_payments": "missing_field"}),
    ({**TERMS, "number_of_payments": 3}, {"number_of_payments": "invalid_value"}),
    ({**TERMS, "term": "until_canceled", "number_of_payments": 3}, {"number_of_payments": "invalid_value"}),
    *(
        ({**TERMS, "term": "fixed", "number_of_payments": value}, {"number_of_payments": code})
        for value, code in ((0, "out_of_range"), (-1, "out_of_range"), (1_000, "out_of_range"), (10**6, "out_of_range"),
                            ("3", "wrong_type"), (3.0, "wrong_type"), (True, "wrong_type"))
    ),
    *(({**TERMS, "currency": each}, {"currency": "invalid_currency"}) for each in ("USD", "xyz", "", "us")),
    (with_line(recurring={"frequency": "monthly"}), {"lines.0.recurring": "unknown_field"}),
    (with_line(recurring=None), {"lines.0.recurring": "unknown_field"}),
    *((with_line(quantity=each), {"lines.0.quantity": "out_of_range"}) for each in (0, -1, 10**6)),
    (with_line(unit_amount=100_000_000), {"lines.0.unit_amount": "out_of_range"}),
    (with_line(name=...), {"lines.0.name": "missing_field"}),
    ({**TERMS, "lines": []}, {"lines": "out_of_range"}),
    ({**TERMS, "lines": [LINE] * 201}, {"lines": "out_of_range"}),
    *(({**TERMS, "anchor_day": each}, {"anchor_day": "out_of_range"}) for each in (0, 32, -1)),
    ({**TERMS, "frequency": "biweekly", "anchor_day": 1}, {"anchor_day": "invalid_value"}),
    ({**TERMS, "anchor_day": "1"}, {"anchor_day": "wrong_type"}),
    *(({**TERMS, "first_period": each}, {"first_period": "invalid_value"}) for each in ("free", "full", "half")),
    ({**TERMS, "anchor_day": 1, "first_period": "half"}, {"first_period": "invalid_value"}),
    ({**TERMS, "collection": "charge"}, {"collection": "invalid_value"}),
    *(
        ({**TERMS, "due": due}, {"due": "invalid_value"})
        for due in ({"net_days": 30}, {"date": "2027-12-31"})
    ),
    *(
        ({**TERMS, "collection": "send", "due": due}, {f"due{field}": code})
        for due, field, code in (
            ({}, "", "missing_field"), ({"net_days": 7, "on_receipt": True}, "", "invalid_value"),
            ({"net_days": 0}, ".net_days", "out_of_range"), ({"net_days": 366}, ".net_days", "out_of_range"),
            ({"net_days": "7"}, ".net_days", "wrong_type"), ({"on_receipt": False}, ".on_receipt", "invalid_value"),
            ({"date": "31.12.2027"}, ".date", "invalid_date"), ({"date": 20271231}, ".date", "wrong_type"),
            ({"date": "2027-02-30"}, ".date", "invalid_date"), ({"date": "2027-12-31T00:00Z"}, ".date", "invalid_date"),
            ({"days": 7}, ".days", "unknown_field"), ("on_receipt", "", "wrong_type"),
        )
    ),
    ({**TERMS, "fees": [{"name": "Setup"}]}, {"fees.0": "missing_field"}),
    ({**TERMS, "fees": [{"name": "Setup", "amount": 1, "percent": "1"}]}, {"fees.0": "invalid_value"}),
    ({**TERMS, "fees": [{"amount": 100}]}, {"fees.0.name": "missing_field"}),
    ({**TERMS, "fees": [{"name": "Setup", "amount": -1}]}, {"fees.0.amount": "out_of_range"}),
    ({**TERMS, "fees": [{"name": "Setup", "percent": 2.5}]}, {"fees.0.percent": "wrong_type"}),
    ({**TERMS, "fees": [{"name": "4242 4242 4242 4242", "amount": 1}]}, {"fees.0.name": "card_number_refused"}),
    ({**TERMS, "fees": [{"name": "Setup", "amount": 1}] * 21}, {"fees": "out_of_range"}),
    ({**TERMS, "discount": {"percent": "5", "duration": {"periods": 0}}}, {"discount.duration": "out_of_range"}),
    ({**TERMS, "discount": {"percent": "5", "amount": 5}}, {"discount": "invalid_value"}),
    ({**TERMS, "metadata": {"k": 1}}, {"metadata.k": "wrong_type"}),
    *(
        ({**TERMS, "start": start}, {f"start{field}": code})
        for start, field, code in (
            ({"type": "soon"}, ".type", "invalid_value"),
            ({"type": "at_payment", "value": 1}, ".value", "invalid_value"),
            ({"type": "after_days"}, ".value", "missing_field"),
            ({"type": "after_days", "value": 0}, ".value", "out_of_range"),
            ({"type": "after_months", "value": 121}, ".value", "out_of_range"),
            ({"type": "on_date", "value": "2027-02-30"}, ".value", "invalid_date"),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("body", "errors"), CASES)
def test_a_wrong_subscription_is_refused_by_field_made_or_only_looked_at(
    api_world: ApiWorld, body: dict[str, Any], errors: dict[str, str]
) -> None:
    before = everything(api_world)
    made = api_world.post(PATH, {**body, "customer": VALID["customer"]})
    assert (made.status, made.errors) == (422, errors)
    first_param, first_code = next(iter(errors.items()))
    assert (made.body["error"]["param"], made.body["error"]["code"]) == (first_param, first_code)
    looked_at = api_world.post(PREVIEW, body)
    assert (looked_at.status, looked_at.errors) == (422, errors)
    assert set(errors.values()) <= ERROR_CODES
    assert everything(api_world) == before


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (with_line(unit_amount=49), {"lines": "below_minimum"}),
        (with_line(unit_amount=49_999_999, quantity=3), {"lines": "above_maximum"}),
        (with_line(quantity=999_999, unit_amount=99_999_999), {"lines": "above_maximum"}),
        ({**TERMS, "anchor_day": 16, "frequency": "per_five_years"}, {"lines": "below_minimum"}),
        (
            {**TERMS, "collection": "send", "due": {"date": "2027-01-14"}},
            {"due.date": "invalid_date"},
        ),
    ],
)
def test_what_makes_no_sense_together_is_refused_too(
    api_world: ApiWorld, customer: str, body: dict[str, Any], errors: dict[str, str]
) -> None:
    before = everything(api_world)
    made = api_world.post(PATH, {**body, "customer": customer})
    assert (made.status, made.errors) == (422, errors)
    looked_at = api_world.post(PREVIEW, body)
    assert (looked_at.status, looked_at.errors) == (422, errors)
    assert everything(api_world) == before


@pytest.mark.parametrize(
    ("value", "code"),
    [(0, "out_of_range"), (121, "out_of_range"), (10**6, "out_of_range"), ("12", "wrong_type"), (None, "wrong_type")],
)
def test_a_preview_shows_one_to_a_hundred_and_twenty_invoices(api_world: ApiWorld, value: Any, code: str) -> None:
    before = everything(api_world)
    answer = api_world.post(PREVIEW, {**TERMS, "count": value})
    assert (answer.status, answer.errors) == (422, {"count": code})
    assert api_world.post(PATH, {**VALID, "count": 3}).errors == {"count": "unknown_field"}
    assert api_world.post(PREVIEW, {**VALID}).errors == {"customer": "unknown_field"}
    assert everything(api_world) == before


def test_a_start_before_today_is_refused_and_only_a_preview_takes_it(api_world: ApiWorld, customer: str) -> None:
    body = {**TERMS, "start": {"type": "on_date", "value": "2027-01-14"}}
    before = everything(api_world)
    answer = api_world.post(PATH, {**body, "customer": customer})
    assert (answer.status, answer.errors) == (422, {"start.value": "invalid_date"})
    shown = api_world.post(PREVIEW, {**body, "start": {"type": "on_date", "value": "2004-02-29"}, "count": 2})
    assert [each["invoice_at"] for each in shown.body["data"]] == ["2004-02-29T05:00:00Z", "2004-03-29T05:00:00Z"]
    assert everything(api_world) == before


def test_another_merchants_customer_is_not_found_and_nothing_is_written(api_world: ApiWorld, customer: str) -> None:
    _, stranger = api_world.other_merchant()
    before = everything(api_world)
    for key, wanted in ((stranger, customer), ("", "cus_01ARZ3NDEKTSV4RRFFQ69G5FAV"), ("", ""), ("", "x" * 5_000)):
        answer = api_world.post(PATH, {**TERMS, "customer": wanted}, key=key)
        assert (answer.status, answer.code, answer.errors) == (404, "not_found", {"customer": "not_found"})
    for wrong in (4, None, ["cus_1"]):
        assert api_world.post(PATH, {**TERMS, "customer": wrong}).errors == {"customer": "wrong_type"}
    assert api_world.post(PATH, TERMS).errors == {"customer": "missing_field"}
    assert everything(api_world) == before


def test_a_merchant_that_cannot_transact_is_told_what_is_missing(api_world: ApiWorld, customer: str) -> None:
    merchant = build.merchant(id="mer_waiting", can_transact=False, stripe_account=None)
    waiting = build.customer(merchant_id=merchant.id)
    api_world.put(merchant, waiting)
    key = create_api_key(api_world.ports, merchant.id, ("*",))
    before = everything(api_world)
    answer = api_world.post(PATH, {**TERMS, "customer": waiting.id}, key=key)
    assert (answer.status, answer.code) == (409, "not_ready_to_transact")
    assert api_world.post(PREVIEW, TERMS, key=key).status == 200
    assert everything(api_world) == before


# --- looking ahead


def starts(world: ApiWorld, body: dict[str, Any], zone: str, count: int = 4) -> list[str]:
    """The local times of invoices to come."""
    answer = world.post(PREVIEW, {**deepcopy(body), "timezone": zone, "count": count})
    assert answer.status == 200, answer.body
    return [each["local"]["invoice_at"] for each in answer.body["data"]]


def from_day(value: str, frequency: str = "monthly", **more: Any) -> dict[str, Any]:
    return {**TERMS, "frequency": frequency, "start": {"type": "on_date", "value": value}, **more}


def test_month_ends_and_leap_days_come_from_the_anchor(api_world: ApiWorld) -> None:
    assert starts(api_world, from_day("2028-01-31"), "UTC") == [
        "2028-01-31T00:00:00+00:00",
        "2028-02-29T00:00:00+00:00",
        "2028-03-31T00:00:00+00:00",
        "2028-04-30T00:00:00+00:00",
    ]
    assert [each[:10] for each in starts(api_world, from_day("2028-02-29", "annually"), "UTC", 5)] == [
        "2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29",
    ]  # fmt: skip
    assert [each[:10] for each in starts(api_world, from_day("2027-02-10", anchor_day=31), "UTC")] == [
        "2027-02-10", "2027-02-28", "2027-03-31", "2027-04-30",
    ]  # fmt: skip


def test_wall_clocks_are_kept_over_both_changes_and_a_missing_hour_moves_on(api_world: ApiWorld) -> None:
    # 02:30 in New York; on 14 March 2027 clocks go from 02:00 to 03:00 there.
    body = from_day("2027-02-14T07:30:00Z")
    assert starts(api_world, body, "America/New_York", 3) == [
        "2027-02-14T02:30:00-05:00",
        "2027-03-14T03:30:00-04:00",
        "2027-04-14T02:30:00-04:00",
    ]
    # 01:30 comes twice on 7 November 2027: the first of both is meant.
    assert starts(api_world, from_day("2027-10-31T05:30:00Z", "weekly"), "America/New_York", 3) == [
        "2027-10-31T01:30:00-04:00",
        "2027-11-07T01:30:00-04:00",
        "2027-11-14T01:30:00-05:00",
    ]


@pytest.mark.parametrize(
    ("zone", "first"), [("Etc/GMT+12", "2027-06-01T12:00:00Z"), ("Pacific/Kiritimati", "2027-05-31T10:00:00Z")]
)
def test_a_plain_date_is_midnight_in_the_zone(api_world: ApiWorld, zone: str, first: str) -> None:
    body = {**from_day("2027-06-01"), "timezone": zone, "count": 1}
    [shown] = api_world.post(PREVIEW, body).body["data"]
    assert shown["invoice_at"] == first
    assert shown["local"]["invoice_at"].startswith("2027-06-01T00:00:00")


def test_an_unknown_zone_is_refused(api_world: ApiWorld) -> None:
    for zone in ("Mars/Olympus", "../etc/passwd", ""):
        answer = api_world.post(PREVIEW, {**TERMS, "timezone": zone})
        assert (answer.status, answer.errors) == (422, {"timezone": "invalid_value"})


def test_a_preview_ends_with_its_term_and_is_twelve_long_by_itself(api_world: ApiWorld) -> None:
    assert len(api_world.post(PREVIEW, TERMS).body["data"]) == 12
    assert len(api_world.post(PREVIEW, {**TERMS, "count": 120, "frequency": "per_five_years"}).body["data"]) == 120
    fixed = {**TERMS, "term": "fixed", "number_of_payments": 3}
    assert [each["index"] for each in api_world.post(PREVIEW, fixed).body["data"]] == [0, 1, 2]


@pytest.mark.parametrize(("first", "amount"), [("prorated", 1_265), ("full", 4_900), ("free", 0)])
def test_what_a_preview_shows_is_what_the_scheduler_then_issues(
    api_world: ApiWorld, customer: str, first: str, amount: int
) -> None:
    body = {
        **TERMS,
        "start": {"type": "on_date", "value": "2027-01-31"},
        "anchor_day": 8,
        "first_period": first,
        "collection": "send",
        "discount": {"percent": "50", "duration": {"periods": 2}},
    }
    shown = api_world.post(PREVIEW, {**body, "count": 4}).body["data"]
    assert [each["totals"]["subtotal"] for each in shown] == [amount, 4_900, 4_900, 4_900]
    made = api_world.post(PATH, {**body, "customer": customer}).body
    assert api_world.get(f"{PATH}/{made['id']}/preview?count=4").body["data"] == shown
    for each in shown:
        run(api_world, datetime.fromisoformat(each["invoice_at"]).astimezone(UTC))
    invoices = api_world.get(f"/v1/invoices?subscription={made['id']}").body["data"]
    assert [(each["period"]["start"], each["issued_at"], each["totals"]) for each in reversed(invoices)] == [
        (each["start"], each["invoice_at"], each["totals"]) for each in shown
    ]


def test_looking_needs_only_the_right_to_read(api_world: ApiWorld, customer: str) -> None:
    reader = api_world.key_for("subscriptions:read")
    before = everything(api_world)
    assert api_world.post(PREVIEW, TERMS, key=reader).status == 200
    refused = api_world.post(PATH, {**TERMS, "customer": customer}, key=reader)
    assert (refused.status, refused.code) == (403, "insufficient_scope")
    assert everything(api_world)[2] == before[2]


# --- changed and ended


def test_metadata_is_replaced_cleared_and_left_alone(api_world: ApiWorld, customer: str) -> None:
    made = api_world.post(PATH, {**TERMS, "customer": customer, "metadata": {"a": "1"}}).body
    path = f"{PATH}/{made['id']}"
    assert api_world.post(path, {}).body == made
    assert api_world.post(path, {"metadata": {"b": "2"}}).body == {**made, "metadata": {"b": "2"}}
    assert api_world.post(path, {"metadata": None}).body == {**made, "metadata": {}}
    before = everything(api_world)
    for wrong in ("collection", "customer", "currency", "number_of_payments"):
        assert api_world.post(path, {wrong: None}).errors == {wrong: "unknown_field"}
    for wrong in ("lines", "frequency", "next_invoice_on", "effective", "bill_now", "preview"):
        assert api_world.post(path, {wrong: None}).errors in ({wrong: "wrong_type"}, {wrong: "invalid_value"})
    assert everything(api_world) == before


@pytest.mark.parametrize("at", ["now", "period_end"])
def test_a_scheduled_one_that_is_cancelled_never_issues_anything(api_world: ApiWorld, customer: str, at: str) -> None:
    body = {**from_day("2027-02-01"), "customer": customer}
    made = api_world.post(PATH, body).body
    ended = api_world.post(f"{PATH}/{made['id']}/cancel", {"at": at})
    assert (ended.status, ended.body["status"], ended.body["next_invoice_at"]) == (200, "canceled", None)
    before = everything(api_world)
    again = api_world.post(f"{PATH}/{made['id']}/cancel", {"at": at})
    assert (again.status, again.code) == (409, "state_conflict")
    assert everything(api_world) == before
    run(api_world, datetime(2027, 3, 1, tzinfo=UTC))
    assert api_world.store.all(Invoice) == []
    assert api_world.get(f"{PATH}/{made['id']}/preview").body["data"] == []
