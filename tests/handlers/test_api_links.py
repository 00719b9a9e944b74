"""Payment links over HTTP: what is made, what it says of itself, and what is refused without a trace."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.domain.documents.links import LinkUses, PaymentLink, link_uses_id
from chalicelib.domain.documents.merchants import ConnectionState, Merchant
from chalicelib.domain.ids import page_token
from chalicelib.services.ports import Update
from tests.handlers.conftest import ApiWorld

PORTRAIT: dict[str, Any] = {
    "name": "Portrait session",
    "currency": "usd",
    "lines": [{"name": "Portrait session, one hour", "unit_amount": 14_800, "quantity": 1}],
}
MEMBERSHIP: dict[str, Any] = {
    "name": "Membership",
    "currency": "usd",
    "lines": [
        {"name": "Membership", "unit_amount": 4_900, "quantity": 1, "recurring": {"frequency": "monthly"}},
        {"name": "Joining fee", "unit_amount": 2_000, "quantity": 1},
    ],
}


def make_not_ready(world: ApiWorld, state: ConnectionState = ConnectionState.IN_REVIEW) -> None:
    merchant = world.store.get(Merchant, world.merchant.id)
    world.store.commit("not-ready", [Update(replace(merchant, can_transact=False, connection=state))])


def test_a_one_time_link_is_on_at_once_and_says_what_it_charges(api_world: ApiWorld) -> None:
    answer = api_world.post("/v1/payment_links", {**PORTRAIT, "metadata": {"campaign": "spring"}})
    (link,) = api_world.store.all(PaymentLink)
    assert answer.status == 201
    assert answer.body == {
        "id": link.id,
        "object": "payment_link",
        "created_at": "2027-01-15T12:00:00Z",
        "metadata": {"campaign": "spring"},
        "name": "Portrait session",
        "url": f"https://till.example/pay/pinewood-studio/{page_token(link.id, link.secret)}",
        "active": True,
        "currency": "usd",
        "lines": [
            {
                "name": "Portrait session, one hour",
                "description": None,
                "quantity": 1,
                "unit_amount": 14_800,
                "amount": 14_800,
                "model": "flat",
                "tiers": None,
                "price": None,
                "product": None,
                "discount": None,
                "tax": None,
                "tax_rate": None,
                "recurring": None,
            }
        ],
        "discount": None,
        "after_payment": {"message": None},
        "completed_payments": 0,
        "due_today": {
            "subtotal": 14_800,
            "discount": 0,
            "fees": 0,
            "tax": 0,
            "rounding": 0,
            "total": 14_800,
            "currency": "usd",
            "tax_lines": [],
        },
        "schedule": [],
    }


def test_the_event_of_a_new_link_names_the_key_that_made_it(api_world: ApiWorld) -> None:
    link = api_world.post("/v1/payment_links", PORTRAIT).body
    (event,) = api_world.get("/v1/events").body["data"]
    assert (event["type"], event["actor"]) == ("payment_link.created", f"api:{api_world.key[:14]}")
    assert event["data"]["object"]["id"] == link["id"]


def test_a_monthly_link_lists_its_next_twelve_charges_by_the_merchants_days(api_world: ApiWorld) -> None:
    # 31 January, 22:00 in New York, is 1 February in UTC.
    api_world.clock.set(datetime(2027, 2, 1, 3, tzinfo=UTC))
    link = api_world.post("/v1/payment_links", MEMBERSHIP).body
    assert link["due_today"]["total"] == 6_900
    assert len(link["schedule"]) == 12
    assert link["schedule"][:3] == [
        {"on": "2027-02-28", "amount": 4_900},
        {"on": "2027-03-31", "amount": 4_900},
        {"on": "2027-04-30", "amount": 4_900},
    ]
    assert link["lines"][0]["recurring"] == {
        "frequency": "monthly",
        "term": "until_canceled",
        "number_of_payments": None,
        "start": {"type": "at_payment"},
        "anchor_day": None,
    }


def test_a_delayed_line_is_in_the_schedule_and_not_in_what_is_due_today(api_world: ApiWorld) -> None:
    trial = {
        **MEMBERSHIP["lines"][0],
        "recurring": {
            "frequency": "monthly",
            "term": "fixed",
            "number_of_payments": 2,
            "start": {"type": "after_days", "value": 14},
        },
    }
    link = api_world.post("/v1/payment_links", {**MEMBERSHIP, "lines": [trial, MEMBERSHIP["lines"][1]]}).body
    assert link["due_today"]["total"] == 2_000
    assert link["schedule"] == [{"on": "2027-01-29", "amount": 4_900}, {"on": "2027-02-28", "amount": 4_900}]
    assert link["lines"][0]["recurring"]["start"] == {"type": "after_days", "value": 14}


def test_discounts_and_taxes_go_into_the_totals(api_world: ApiWorld) -> None:
    line = {
        "name": "Prints",
        "unit_amount": 23_456,
        "quantity": 10,
        "discount": {"percent": "20"},
        "tax": {"percent": "8.875"},
    }
    body = {**PORTRAIT, "lines": [line], "discount": {"amount": 7_648, "name": "Friends", "duration": "forever"}}
    link = api_world.post("/v1/payment_links", body).body
    assert link["lines"][0]["discount"] == {"percent": "20"}
    assert link["lines"][0]["tax"] == {"percent": "8.875", "inclusive": False}
    assert link["discount"] == {"amount": 7_648, "name": "Friends", "duration": "forever"}
    assert link["due_today"] == {
        "subtotal": 234_560,
        "discount": 54_560,
        "fees": 0,
        "tax": 15_975,
        "rounding": 0,
        "total": 195_975,
        "currency": "usd",
        "tax_lines": [{"percent": "8.875", "inclusive": False, "taxable": 180_000, "amount": 15_975}],
    }


def test_a_link_with_nothing_due_today_is_refused_and_says_why(api_world: ApiWorld) -> None:
    later = {
        **MEMBERSHIP["lines"][0],
        "recurring": {"frequency": "monthly", "start": {"type": "after_days", "value": 7}},
    }
    before = api_world.contents()
    answer = api_world.post("/v1/payment_links", {**MEMBERSHIP, "lines": [later]})
    assert (answer.status, answer.code, answer.errors) == (422, "invalid_value", {"lines": "invalid_value"})
    assert "the day it is paid" in answer.body["error"]["message"]
    assert api_world.contents() == before


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([{"name": "Sticker", "unit_amount": 49, "quantity": 1}], "below_minimum"),
        ([{"name": "House", "unit_amount": 99_999_999, "quantity": 2}], "above_maximum"),
        (
            [
                {"name": "Setup", "unit_amount": 5_000, "quantity": 1},
                {"name": "Hosting", "unit_amount": 20, "quantity": 1, "recurring": {"frequency": "weekly"}},
                {
                    "name": "Backup",
                    "unit_amount": 20,
                    "quantity": 1,
                    "recurring": {"frequency": "monthly", "start": {"type": "after_months", "value": 1}},
                },
            ],
            "below_minimum",
        ),
    ],
)
def test_amounts_that_stripe_would_refuse_are_refused_when_the_link_is_made(
    api_world: ApiWorld, lines: list[dict[str, Any]], code: str
) -> None:
    before = api_world.contents()
    answer = api_world.post("/v1/payment_links", {**PORTRAIT, "lines": lines})
    assert (answer.status, answer.code) == (422, code)
    assert api_world.contents() == before


def test_more_than_ten_subscriptions_in_one_link_are_refused(api_world: ApiWorld) -> None:
    lines = [
        {**MEMBERSHIP["lines"][0], "recurring": {"frequency": "monthly", "term": "fixed", "number_of_payments": n}}
        for n in range(2, 13)
    ]
    before = api_world.contents()
    answer = api_world.post("/v1/payment_links", {**MEMBERSHIP, "lines": lines})
    assert (answer.status, answer.code) == (409, "limit_reached")
    assert api_world.contents() == before


def test_a_merchant_that_cannot_take_payments_drafts_links_that_are_off(api_world: ApiWorld) -> None:
    make_not_ready(api_world)
    answer = api_world.post("/v1/payment_links", PORTRAIT)
    assert (answer.status, answer.body["active"]) == (201, False)


@pytest.mark.parametrize(
    ("state", "who_helps"),
    [
        (ConnectionState.NOT_STARTED, "An owner of this account can connect it."),
        (ConnectionState.IN_REVIEW, "Stripe can say more."),
        (ConnectionState.RESTRICTED, "Stripe can say what."),
        (ConnectionState.DISCONNECTED, "An owner of this account can connect it again."),
    ],
)
def test_switching_on_without_being_ready_says_what_is_missing_and_who_can_help(
    api_world: ApiWorld, state: ConnectionState, who_helps: str
) -> None:
    link = api_world.post("/v1/payment_links", {**PORTRAIT, "active": False}).body
    make_not_ready(api_world, state)
    before = api_world.contents()
    switched = api_world.post(f"/v1/payment_links/{link['id']}/activate")
    made = api_world.post("/v1/payment_links", {**PORTRAIT, "active": True})
    for answer in (switched, made):
        assert (answer.status, answer.code) == (409, "not_ready_to_transact")
        assert answer.body["error"]["type"] == "conflict"
        assert who_helps in answer.body["error"]["message"]
    assert api_world.contents() == before


def test_a_link_is_switched_off_and_on_with_one_event_for_each_change(api_world: ApiWorld) -> None:
    path = f"/v1/payment_links/{api_world.post('/v1/payment_links', PORTRAIT).body['id']}"
    assert api_world.post(f"{path}/deactivate").body["active"] is False
    assert api_world.post(f"{path}/deactivate", {}).body["active"] is False
    assert api_world.get(path).body["active"] is False
    assert api_world.post(f"{path}/activate").body["active"] is True
    events = [(each["type"], each["data"].get("previous")) for each in api_world.get("/v1/events").body["data"]]
    assert events == [
        ("payment_link.updated", {"active": False}),
        ("payment_link.updated", {"active": True}),
        ("payment_link.created", None),
    ]


def test_an_update_changes_what_was_sent_clears_what_was_null_and_leaves_the_rest(api_world: ApiWorld) -> None:
    body = {
        **PORTRAIT,
        "discount": {"percent": "10"},
        "after_payment": {"message": "See you soon"},
        "metadata": {"a": "1", "b": "2"},
    }
    made = api_world.post("/v1/payment_links", body).body
    path = f"/v1/payment_links/{made['id']}"
    changed = api_world.post(path, {"name": "Portraits", "discount": None, "metadata": {"a": "3"}})
    assert changed.status == 200
    assert changed.body == {
        **made,
        "name": "Portraits",
        "discount": None,
        "metadata": {"a": "3"},
        "due_today": {**made["due_today"], "discount": 0, "total": 14_800},
    }
    lines = [{"name": "Group portrait", "unit_amount": 20_000, "quantity": 1}]
    assert api_world.post(path, {"lines": lines}).body["due_today"]["total"] == 20_000
    assert api_world.post(path, {"after_payment": None}).body["after_payment"] == {"message": None}


def test_an_update_that_changes_nothing_writes_nothing(api_world: ApiWorld) -> None:
    made = api_world.post("/v1/payment_links", PORTRAIT).body
    before = api_world.contents()
    assert api_world.post(f"/v1/payment_links/{made['id']}", {"name": "Portrait session"}).body == made
    assert api_world.contents() == before


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"currency": "eur"}, {"currency": "unknown_field"}),
        ({"active": False}, {"active": "unknown_field"}),
        ({"name": None}, {"name": "wrong_type"}),
        ({"lines": None}, {"lines": "wrong_type"}),
        ({"lines": []}, {"lines": "out_of_range"}),
        ({"lines": [{"name": "Sticker", "unit_amount": 10, "quantity": 1}]}, {"lines": "below_minimum"}),
    ],
)
def test_a_wrong_update_changes_nothing(api_world: ApiWorld, changes: dict[str, Any], errors: dict[str, str]) -> None:
    made = api_world.post("/v1/payment_links", PORTRAIT).body
    before = api_world.contents()
    answer = api_world.post(f"/v1/payment_links/{made['id']}", changes)
    assert (answer.status, answer.errors) == (422, errors)
    assert api_world.contents() == before


def test_completed_payments_are_counted_where_booking_counts_them(api_world: ApiWorld) -> None:
    made = api_world.post("/v1/payment_links", PORTRAIT).body
    api_world.put(LinkUses(link_uses_id(made["id"]), api_world.merchant.id, api_world.clock.now(), completed=3))
    assert api_world.get(f"/v1/payment_links/{made['id']}").body["completed_payments"] == 3
    assert [each["completed_payments"] for each in api_world.get("/v1/payment_links").body["data"]] == [3]
