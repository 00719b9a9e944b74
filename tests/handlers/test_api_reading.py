"""Lists, their filters and their cursors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from chalicelib.domain.billing.schedule import Period
from chalicelib.domain.documents.invoices import LinePeriod
from chalicelib.domain.documents.subscriptions import Subscription
from tests import builders as build
from tests.builders import NOW, later
from tests.handlers.conftest import ApiWorld

OWNER = "mer_pinewood-studio"


def ids(answer_body: dict[str, Any]) -> list[str]:
    return [each["id"] for each in answer_body["data"]]


def test_a_list_is_walked_newest_first_without_gap_or_repeat(api_world: ApiWorld) -> None:
    customers = [build.customer(merchant_id=OWNER, id=build.new_id("cus", later(hours=n))) for n in range(7)]
    api_world.put(*customers)
    seen: list[str] = []
    path = "/v1/customers?limit=3"
    for size in (3, 3, 1):
        page = api_world.get(path).body
        assert len(page["data"]) == size
        seen += ids(page)
        path = f"/v1/customers?limit=3&cursor={page['next_cursor']}"
    assert (page["has_more"], page["next_cursor"]) == (False, None)
    assert seen == [customer.id for customer in reversed(customers)]


def test_a_list_shows_twenty_unless_asked_for_more(api_world: ApiWorld) -> None:
    api_world.put(*(build.customer(merchant_id=OWNER) for _ in range(25)))
    assert len(api_world.get("/v1/customers").body["data"]) == 20
    assert len(api_world.get("/v1/customers?limit=100").body["data"]) == 25


def test_a_cursor_works_only_for_its_list_filters_and_key_and_only_untouched(api_world: ApiWorld) -> None:
    customers = [build.customer(merchant_id=OWNER) for _ in range(3)]
    api_world.put(*customers)
    cursor = api_world.get("/v1/customers?limit=1").body["next_cursor"]
    assert customers[2].id not in cursor
    other_key = api_world.key_for("*")
    _, others = api_world.other_merchant()

    def refused(path: str, key: str = "") -> bool:
        answer = api_world.get(path, key=key)
        return (answer.status, answer.code, answer.errors) == (422, "invalid_cursor", {"cursor": "invalid_cursor"})

    assert api_world.get(f"/v1/customers?limit=2&cursor={cursor}").status == 200
    assert refused(f"/v1/invoices?cursor={cursor}")
    assert refused(f"/v1/events?cursor={cursor}")
    assert refused(f"/v1/customers?cursor={cursor}&created_after=2020-01-01T00:00:00Z")
    assert refused(f"/v1/customers?cursor={cursor}", other_key)
    assert refused(f"/v1/customers?cursor={cursor}", others)
    for position in range(len(cursor)):
        swapped = "B" if cursor[position] == "A" else "A"
        assert refused(f"/v1/customers?cursor={cursor[:position]}{swapped}{cursor[position + 1 :]}")
    for wrong in ("", cursor[:-1], f"{cursor}A", f"{cursor}=", "%00", quote("é"), "x" * 5000, customers[2].id):
        assert refused(f"/v1/customers?cursor={wrong}")


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("limit=0", {"limit": "out_of_range"}),
        ("limit=101", {"limit": "out_of_range"}),
        ("limit=ten", {"limit": "wrong_type"}),
        ("limit=5&limit=6", {"limit": "invalid_value"}),
        ("page=2&order=asc", {"page": "unknown_field", "order": "unknown_field"}),
        ("status=unpaid", {"status": "invalid_value"}),
        (
            "limit=0&status=x&created_after=yesterday&created_before=2027-01-01",
            {
                "limit": "out_of_range",
                "status": "invalid_value",
                "created_after": "invalid_date",
                "created_before": "invalid_date",
            },
        ),
        ("customer=cus_1&payment_link=plink_1", {"payment_link": "invalid_value"}),
        ("invoice=inv_1", {"invoice": "unknown_field"}),
    ],
)
def test_a_wrong_query_is_refused_with_all_its_errors(api_world: ApiWorld, query: str, errors: dict[str, str]) -> None:
    answer = api_world.get(f"/v1/invoices?{query}")
    assert (answer.status, answer.errors) == (422, errors)


def test_single_records_take_no_query(api_world: ApiWorld) -> None:
    customer = build.customer(merchant_id=OWNER)
    api_world.put(customer)
    answer = api_world.get(f"/v1/customers/{customer.id}?expand=invoices")
    assert (answer.status, answer.errors) == (422, {"expand": "unknown_field"})


def test_lists_are_narrowed_by_owner_time_and_status(api_world: ApiWorld) -> None:
    customer, link = build.customer(merchant_id=OWNER), build.link(merchant_id=OWNER)
    monthly = build.subscription(merchant_id=OWNER, customer_id=customer.id, payment_link_id=link.id)
    first = build.paid_invoice(
        merchant_id=OWNER, customer_id=customer.id, payment_link_id=link.id, id=build.new_id("inv", NOW)
    )
    second = build.renewal(monthly, id=build.new_id("inv", later(days=31)), created_at=later(days=31))
    stranger = build.invoice(merchant_id=OWNER, id=build.new_id("inv", later(days=40)), created_at=later(days=40))
    paid = build.payment(merchant_id=OWNER, invoice_id=first.id, customer_id=customer.id, payment_link_id=link.id)
    tried = build.checkout(merchant_id=OWNER, payment_link_id=link.id)
    api_world.put(customer, link, monthly, first, second, stranger, paid, tried)

    def found(path: str) -> list[str]:
        return ids(api_world.get(path).body)

    assert found("/v1/invoices") == [stranger.id, second.id, first.id]
    assert found(f"/v1/invoices?customer={customer.id}") == [second.id, first.id]
    assert found(f"/v1/invoices?subscription={monthly.id}") == [second.id]
    assert found(f"/v1/invoices?payment_link={link.id}") == [first.id]
    assert found("/v1/invoices?created_after=2027-02-01T00:00:00Z") == [stranger.id, second.id]
    assert found("/v1/invoices?created_before=2027-02-01T00:00:00%2B01:00") == [first.id]
    assert found(f"/v1/subscriptions?customer={customer.id}&status=active") == [monthly.id]
    assert found(f"/v1/subscriptions?payment_link={link.id}&status=canceled") == []
    assert found(f"/v1/payments?invoice={first.id}") == [paid.id]
    assert found(f"/v1/payments?customer={customer.id}&status=succeeded") == [paid.id]
    assert found(f"/v1/checkouts?payment_link={link.id}&status=open") == [tried.id]
    # The status narrows what was read: a page can be empty and still have more behind it.
    page = api_world.get("/v1/invoices?limit=1&status=paid").body
    assert (page["data"], page["has_more"]) == ([], True)


def test_a_list_is_never_narrowed_by_another_merchants_record(api_world: ApiWorld) -> None:
    customer = build.customer(merchant_id=OWNER)
    api_world.put(customer, build.invoice(merchant_id=OWNER, customer_id=customer.id))
    _, others = api_world.other_merchant()
    for unknown in (customer.id, build.new_id("cus"), "cus_x", ""):
        answer = api_world.get(f"/v1/invoices?customer={unknown}", key=others)
        assert (answer.status, answer.code) == (404, "not_found")
    assert api_world.get("/v1/invoices", key=others).body["data"] == []
    assert api_world.get("/v1/customers", key=others).body["data"] == []


def test_events_are_paged_newest_first(api_world: ApiWorld) -> None:
    for number in range(3):
        api_world.clock.advance(timedelta(minutes=1))
        api_world.post("/v1/customers", {"email": f"c{number}@example.com"})
    first = api_world.get("/v1/events?limit=2").body
    rest = api_world.get(f"/v1/events?limit=2&cursor={first['next_cursor']}").body
    emails = [event["data"]["object"]["email"] for event in first["data"] + rest["data"]]
    assert emails == ["c2@example.com", "c1@example.com", "c0@example.com"]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    event = rest["data"][0]
    assert (event["object"], event["occurred_at"], event["created_at"]) == (
        "event",
        "2027-01-15T12:01:00Z",
        "2027-01-15T12:01:00Z",
    )


def test_the_first_invoice_of_several_subscriptions_is_on_the_list_of_each(api_world: ApiWorld) -> None:
    checkout = build.checkout(merchant_id=OWNER)
    one = build.subscription(merchant_id=OWNER, checkout_id=checkout.id)
    two = build.subscription(merchant_id=OWNER, checkout_id=checkout.id)
    period = Period(0, NOW, NOW + timedelta(days=31))
    periods = (LinePeriod(0, one.id, period), LinePeriod(1, two.id, period))
    lines = (build.line(), build.line())
    first = build.invoice(merchant_id=OWNER, id=checkout.invoice_id, lines=lines, line_periods=periods)
    next_month = NOW + timedelta(days=31)
    renewal = build.invoice(
        merchant_id=OWNER, id=build.new_id("inv", next_month), created_at=next_month, subscription_id=one.id
    )
    lone = build.subscription(merchant_id=OWNER)
    api_world.put(checkout, one, two, lone, first, renewal)

    def listed(subscription: Subscription, query: str = "") -> tuple[list[str], str | None]:
        body = api_world.get(f"/v1/invoices?subscription={subscription.id}{query}").body
        assert body["has_more"] is (body["next_cursor"] is not None)
        return [invoice["id"] for invoice in body["data"]], body["next_cursor"]

    assert listed(one) == ([renewal.id, first.id], None)
    assert listed(two) == ([first.id], None)
    assert listed(lone) == ([], None)
    newest, cursor = listed(one, "&limit=1")
    assert newest == [renewal.id]
    oldest, end = listed(one, f"&limit=1&cursor={cursor}")
    assert (oldest, end) == ([first.id], None)
    assert listed(one, "&created_after=2027-01-16T00:00:00Z") == ([renewal.id], None)
    assert listed(one, "&created_before=2027-01-16T00:00:00Z") == ([first.id], None)
    assert listed(one, "&status=void") == ([], None)


def test_the_payment_of_an_invoice_of_several_subscriptions_is_on_the_list_of_each(api_world: ApiWorld) -> None:
    checkout = build.checkout(merchant_id=OWNER)
    one, two, later = (build.subscription(merchant_id=OWNER, checkout_id=checkout.id) for _ in range(3))
    period = Period(0, NOW, NOW + timedelta(days=31))
    first = build.invoice(
        merchant_id=OWNER,
        id=checkout.invoice_id,
        lines=(build.line(), build.line()),
        line_periods=(LinePeriod(0, one.id, period), LinePeriod(1, two.id, period)),
    )
    paid = build.payment(merchant_id=OWNER, invoice_id=first.id)
    next_month = NOW + timedelta(days=31)
    renewed = build.payment(
        merchant_id=OWNER, id=build.new_id("pay", next_month), created_at=next_month, subscription_id=one.id
    )
    api_world.put(checkout, one, two, later, first, paid, renewed)

    def listed(subscription: Subscription, query: str = "") -> list[str]:
        body = api_world.get(f"/v1/payments?subscription={subscription.id}{query}").body
        return [payment["id"] for payment in body["data"]]

    assert listed(one) == [renewed.id, paid.id]
    assert listed(two) == [paid.id]
    # It begins later, so that nothing of it was paid with the others.
    assert listed(later) == []
    assert listed(one, "&created_before=2027-01-16T00:00:00Z") == [paid.id]
    assert listed(one, "&created_after=2027-01-16T00:00:00Z") == [renewed.id]
    page = api_world.get(f"/v1/payments?subscription={one.id}&limit=1").body
    assert [payment["id"] for payment in page["data"]] == [renewed.id]
    assert listed(one, f"&limit=1&cursor={page['next_cursor']}") == [paid.id]
