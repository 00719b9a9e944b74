"""Customers and the account over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.domain.documents.customers import Customer, CustomerByEmail
from tests.handlers.conftest import ApiWorld

ADA = {
    "email": "ada@example.com",
    "name": "Ada Byron",
    "company": "Analytical Engines",
    "phone": "+1 845 555 0100",
    "language": "en-US",
    "tax_id": "US-12-3456789",
    "metadata": {"crm": "4711"},
}


def test_a_customer_is_made_read_and_listed_alike(api_world: ApiWorld) -> None:
    made = api_world.post("/v1/customers", ADA)
    assert made.status == 201
    assert made.body == {
        "id": api_world.store.all(Customer)[0].id,
        "object": "customer",
        "created_at": "2027-01-15T12:00:00Z",
        **ADA,
    }
    assert api_world.get(f"/v1/customers/{made.body['id']}").body == made.body
    assert api_world.get("/v1/customers").body == {"data": [made.body], "has_more": False, "next_cursor": None}


def test_the_same_address_in_other_letters_is_the_same_customer(api_world: ApiWorld) -> None:
    api_world.post("/v1/customers", ADA)
    before = api_world.contents()
    answer = api_world.post("/v1/customers", {"email": "ADA@Example.com"})
    assert (answer.status, answer.code, answer.errors) == (409, "state_conflict", {"email": "state_conflict"})
    assert api_world.contents() == before


def test_two_merchants_have_customers_of_the_same_address(api_world: ApiWorld) -> None:
    _, other_key = api_world.other_merchant()
    assert api_world.post("/v1/customers", ADA).status == 201
    assert api_world.post("/v1/customers", ADA, key=other_key).status == 201


def test_eight_requests_at_once_make_one_customer_of_an_address(api_world: ApiWorld) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: api_world.post("/v1/customers", ADA).status, range(8)))
    assert sorted(statuses) == [201] + [409] * 7
    assert len(api_world.store.all(Customer)) == len(api_world.store.all(CustomerByEmail)) == 1


def test_an_update_changes_clears_and_leaves(api_world: ApiWorld) -> None:
    made = api_world.post("/v1/customers", ADA).body
    path = f"/v1/customers/{made['id']}"
    changed = api_world.post(path, {"name": "Ada Lovelace", "company": None, "metadata": None})
    assert changed.status == 200
    assert changed.body == {**made, "name": "Ada Lovelace", "company": None, "metadata": {}}
    event = api_world.get("/v1/events").body["data"][0]
    assert event["type"] == "customer.updated"
    assert event["data"]["previous"] == {
        "name": "Ada Byron",
        "company": "Analytical Engines",
        "metadata": {"crm": "4711"},
    }


def test_an_update_without_changes_writes_nothing(api_world: ApiWorld) -> None:
    path = f"/v1/customers/{api_world.post('/v1/customers', ADA).body['id']}"
    before = api_world.contents()
    assert api_world.post(path, {}).status == 200
    assert api_world.post(path, {"name": "Ada Byron"}).status == 200
    assert api_world.contents() == before


def test_an_address_moves_to_a_customer_once_nobody_else_has_it(api_world: ApiWorld) -> None:
    ada = api_world.post("/v1/customers", ADA).body["id"]
    eve = api_world.post("/v1/customers", {"email": "eve@example.com"}).body["id"]
    before = api_world.contents()
    refused = api_world.post(f"/v1/customers/{eve}", {"email": "Ada@example.com"})
    assert (refused.status, refused.errors) == (409, {"email": "state_conflict"})
    assert api_world.contents() == before

    assert api_world.post(f"/v1/customers/{ada}", {"email": "countess@example.com"}).status == 200
    assert api_world.post(f"/v1/customers/{eve}", {"email": "ada@example.com"}).status == 200
    # Back to the address she had first: it is somebody else's now.
    assert api_world.post(f"/v1/customers/{ada}", {"email": "ada@example.com"}).status == 409
    owners = {row.id.rpartition("#")[2]: row.customer_id for row in api_world.store.all(CustomerByEmail)}
    assert owners == {"ada@example.com": eve, "eve@example.com": eve, "countess@example.com": ada}


def test_the_account_shows_profile_and_connection(api_world: ApiWorld) -> None:
    assert api_world.get("/v1/account").body == {
        "id": "mer_pinewood-studio",
        "object": "account",
        "created_at": "2027-01-15T12:00:00Z",
        "metadata": {},
        "name": "Pinewood Studio",
        "timezone": "America/New_York",
        "support_email": "hello@pinewood.example",
        "statement_name": None,
        "legal_name": None,
        "address_lines": [],
        "country": "US",
        "currency": "usd",
        "livemode": False,
        "connection": {"state": "ready", "can_transact": True, "can_payout": True},
        "dunning": {"days": [1, 3, 5, 7], "then": "unpaid"},
        "portal": {"cancel": True},
        "parked_at": None,
        "parked_reason": None,
    }


def test_the_account_changes_and_tells_what_it_was(api_world: ApiWorld) -> None:
    body = {
        "timezone": "Europe/Berlin",
        "statement_name": "PINEWOOD STUDIO",
        "address_lines": ["18 Pinewood Lane", "Beacon, NY 12508"],
        "support_email": None,
    }
    changed = api_world.post("/v1/account", body)
    assert changed.status == 200
    assert {name: changed.body[name] for name in body} == body
    assert api_world.get("/v1/account").body == changed.body
    (event,) = api_world.get("/v1/events").body["data"]
    assert event["type"] == "account.updated"
    assert event["data"]["previous"] == {
        "timezone": "America/New_York",
        "statement_name": None,
        "address_lines": [],
        "support_email": "hello@pinewood.example",
    }


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"timezone": "Mars/Olympus"}, {"timezone": "invalid_value"}),
        ({"timezone": "../../etc/passwd"}, {"timezone": "invalid_value"}),
        ({"timezone": "America"}, {"timezone": "invalid_value"}),
        ({"timezone": ""}, {"timezone": "invalid_value"}),
        ({"timezone": None, "name": None}, {"timezone": "wrong_type", "name": "wrong_type"}),
        ({"statement_name": "ABC"}, {"statement_name": "invalid_text"}),
        ({"statement_name": "12345"}, {"statement_name": "invalid_text"}),
        ({"statement_name": "PINE*WOOD"}, {"statement_name": "invalid_text"}),
        ({"statement_name": "PINEWOOD STUDIO AND LAB"}, {"statement_name": "invalid_text"}),
        ({"address_lines": ["a"] * 7}, {"address_lines": "out_of_range"}),
        ({"address_lines": ["Lane\n18"]}, {"address_lines.0": "invalid_text"}),
        ({"currency": "eur", "country": "DE"}, {"currency": "unknown_field", "country": "unknown_field"}),
    ],
)
def test_a_wrong_account_changes_nothing(api_world: ApiWorld, body: dict[str, Any], errors: dict[str, str]) -> None:
    before = api_world.contents()
    answer = api_world.post("/v1/account", body)
    assert (answer.status, answer.errors) == (422, errors)
    assert api_world.contents() == before
