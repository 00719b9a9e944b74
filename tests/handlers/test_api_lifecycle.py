"""Pause, resume, reactivate, cancel and change through the API: every state with every action, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import InvoiceStatus, SubscriptionStatus
from chalicelib.services.billing.issuing import billing_timer, issue_due
from chalicelib.services.ports import SetTimer, Update
from tests.handlers.conftest import ApiWorld
from tests.handlers.test_api_subscriptions import everything

LINE: dict[str, Any] = {"name": "Studio membership", "unit_amount": 4_900, "quantity": 1}
DEARER: dict[str, Any] = {**LINE, "unit_amount": 9_900}
PATH = "/v1/subscriptions"
STATES = [state.value for state in SubscriptionStatus]


@pytest.fixture
def made(api_world: ApiWorld) -> str:
    """A monthly subscription from 15 January 2027, 12:00 UTC, its first invoice issued and open."""
    customer = api_world.post("/v1/customers", {"email": "ada@example.com", "name": "Ada Byron"}).body["id"]
    terms = {"customer": customer, "currency": "usd", "lines": [LINE], "frequency": "monthly"}
    subscription_id = str(api_world.post(PATH, terms).body["id"])
    bill(api_world, subscription_id)
    return subscription_id


def bill(world: ApiWorld, subscription_id: str) -> None:
    """What the scheduler does with its timer now."""
    timer = billing_timer(world.store.get(Subscription, subscription_id))
    assert timer is not None
    issue_due(world.ports, world.merchant.id, [timer])


def put_into(world: ApiWorld, subscription_id: str, state: str) -> None:
    """A subscription in a state, its timer where it belongs."""
    now, fresh = world.clock.now(), world.store.get(Subscription, subscription_id)
    ended = now if state in ("canceled", "expired") else None
    changed = replace(
        fresh,
        status=SubscriptionStatus(state),
        paused_at=now if state == "paused" else None,
        ended_at=ended,
        canceled_at=ended,
    )
    old, changed = billing_timer(fresh), replace(changed, timer_at=changed.acts_at)
    new = billing_timer(changed)
    world.store.commit(f"into-{state}", [Update(changed), *([] if new is None else [SetTimer(new)])])
    if old is not None and old != new:
        world.store.drop(old)


ACTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "edit": ("", {"lines": [DEARER]}),
    "pause": ("/pause", {"until": "2027-06-01"}),
    "resume": ("/resume", {"next_invoice_on": "2027-06-01"}),
    "reactivate": ("/reactivate", {}),
    "cancel_now": ("/cancel", {"at": "now"}),
    "cancel_later": ("/cancel", {"at": "period_end"}),
}
LIVING = {"scheduled", "active", "past_due", "unpaid", "paused"}
ALLOWED: dict[str, dict[str, str]] = {
    "edit": {state: state for state in LIVING},
    "pause": dict.fromkeys(("active", "past_due", "unpaid"), "paused"),
    "resume": {"paused": "active"},
    "reactivate": {},
    "cancel_now": dict.fromkeys(LIVING, "canceled"),
    "cancel_later": {state: state for state in LIVING},
}
"""Where each action leads from each state; what is not here is a conflict."""


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("state", STATES)
def test_each_action_in_each_state_does_what_the_table_says_or_nothing(
    api_world: ApiWorld, made: str, state: str, action: str
) -> None:
    put_into(api_world, made, state)
    before = everything(api_world)
    path, body = ACTIONS[action]
    answer = api_world.post(f"{PATH}/{made}{path}", body)
    expected = ALLOWED[action].get(state)
    if expected is None:
        assert (answer.status, answer.code) == (409, "state_conflict")
        assert everything(api_world) == before
        return
    assert (answer.status, answer.body["status"]) == (200, expected)
    stored = api_world.store.get(Subscription, made)
    standing = [timer for timer in api_world.store.timers if timer.record_id == made]
    timer = billing_timer(stored)
    assert standing == ([] if timer is None else [timer])
    assert stored.timer_at == (None if stored.has_ended else stored.acts_at)


@pytest.mark.parametrize("state", ["active", "past_due", "unpaid", "paused"])
def test_a_cancellation_at_period_end_is_taken_back_in_each_living_state(
    api_world: ApiWorld, made: str, state: str
) -> None:
    put_into(api_world, made, state)
    kept = api_world.store.get(Subscription, made).timer_at
    assert api_world.post(f"{PATH}/{made}/cancel", {"at": "period_end"}).body["cancel_at_period_end"] is True
    answer = api_world.post(f"{PATH}/{made}/reactivate")
    assert (answer.status, answer.body["cancel_at_period_end"], answer.body["status"]) == (200, False, state)
    assert api_world.store.get(Subscription, made).timer_at == kept


def test_a_pause_is_answered_with_its_times_and_what_follows_it(api_world: ApiWorld, made: str) -> None:
    answer = api_world.post(f"{PATH}/{made}/pause", {"until": "2027-04-01"})
    shown = {
        name: answer.body[name] for name in ("status", "paused_at", "resumes_at", "next_invoice_at", "next_amount")
    }
    assert shown == {
        "status": "paused",
        "paused_at": "2027-01-15T12:00:00Z",
        "resumes_at": "2027-04-01T04:00:00Z",
        "next_invoice_at": "2027-04-15T11:00:00Z",
        "next_amount": 4_900,
    }
    data = api_world.get(f"{PATH}/{made}/preview?count=2").body["data"]
    assert [each["start"] for each in data] == ["2027-04-15T11:00:00Z", "2027-05-15T11:00:00Z"]
    again = api_world.post(f"{PATH}/{made}/resume", {"next_invoice_on": "2027-03-10"}).body
    assert (again["status"], again["paused_at"], again["next_invoice_at"]) == ("active", None, "2027-03-10T05:00:00Z")


def test_an_open_ended_pause_shows_no_invoice(api_world: ApiWorld, made: str) -> None:
    for body in ({}, {"until": None}):
        answer = api_world.post(f"{PATH}/{made}/pause", body)
        assert (answer.status, answer.body["resumes_at"], answer.body["next_amount"]) == (200, None, None)
        assert api_world.get(f"{PATH}/{made}/preview").body == {"data": []}
        api_world.post(f"{PATH}/{made}/resume", {"next_invoice_on": "2027-02-15T12:00:00Z"})
    assert api_world.post(f"{PATH}/{made}/pause").status == 200


def test_a_change_shows_what_it_comes_to_before_it_is_made(api_world: ApiWorld, made: str) -> None:
    api_world.clock.set(api_world.clock.now() + timedelta(days=15, hours=12))
    invoice = api_world.store.all(Invoice)[0]
    paid = replace(invoice, status=InvoiceStatus.PAID, amount_paid=invoice.totals.total, parts=())
    api_world.store.commit("paid", [Update(paid)])
    before = everything(api_world)
    body = {"lines": [DEARER], "effective": "now"}
    shown = api_world.post(f"{PATH}/{made}", {**body, "preview": True})
    assert shown.status == 200
    assert everything(api_world) == before
    assert shown.body["change"] == {
        "at": "2027-01-31T00:00:00Z",
        "credit": 2_450,
        "charge": 4_950,
        "net": 2_500,
        "lines": [
            {"name": "Unused time: Studio membership", "amount": -2_450, "covers": COVERS},
            {"name": "Remaining time: Studio membership", "amount": 4_950, "covers": COVERS},
        ],
        "billed_now": 0,
        "added_to_next_invoice": 2_500,
        "added_to_credit_balance": 0,
    }
    assert [each["totals"]["total"] for each in shown.body["next_invoices"]] == [12_400, *[9_900] * 11]
    done = api_world.post(f"{PATH}/{made}", body).body
    extra = {"change", "next_invoices"}
    assert done == {name: value for name, value in shown.body.items() if name not in extra}
    assert done["next_amount"] == 12_400
    data = api_world.get(f"{PATH}/{made}/preview").body["data"]
    assert data == shown.body["next_invoices"]
    api_world.clock.set(datetime(2027, 2, 15, 12, tzinfo=UTC))
    bill(api_world, made)
    [newest, _] = api_world.get(f"/v1/invoices?subscription={made}").body["data"]
    assert [(each["amount"], each["adjustment"], each["period"] is None) for each in newest["lines"]] == [
        (9_900, False, False),
        (-2_450, True, True),
        (4_950, True, True),
    ]


COVERS = {"start": "2027-01-31T00:00:00Z", "end": "2027-02-15T12:00:00Z"}


def test_a_change_with_the_next_period_is_shown_as_pending(api_world: ApiWorld, made: str) -> None:
    answer = api_world.post(f"{PATH}/{made}", {"lines": [DEARER], "frequency": "annually", "metadata": {"a": "b"}})
    pending = answer.body["pending_change"]
    assert (pending["at"], pending["frequency"]) == ("2027-02-15T12:00:00Z", "annually")
    assert [each["unit_amount"] for each in pending["lines"]] == [9_900]
    assert (answer.body["frequency"], answer.body["metadata"]) == ("monthly", {"a": "b"})
    assert api_world.get(f"{PATH}/{made}/preview?count=2").body["data"][1]["start"] == "2028-02-15T12:00:00Z"


def test_under_one_key_a_change_is_made_once(api_world: ApiWorld, made: str) -> None:
    api_world.clock.set(api_world.clock.now() + timedelta(days=1))
    key = {"Idempotency-Key": "raise 1"}
    body = {"lines": [DEARER], "effective": "now", "bill_now": True}
    first = api_world.post(f"{PATH}/{made}", body, headers=key)
    assert first.status == 200
    after = everything(api_world)
    again = api_world.post(f"{PATH}/{made}", body, headers=key)
    assert (again.body, again.headers["idempotent-replayed"]) == (first.body, "true")
    assert everything(api_world) == after
    assert len(api_world.store.all(Invoice)) == 2


@pytest.mark.parametrize(
    ("path", "body", "errors"),
    [
        ("", {"frequency": "daily"}, {"frequency": "invalid_value"}),
        ("", {"lines": [{**LINE, "quantity": 1_000_000}]}, {"lines.0.quantity": "out_of_range"}),
        ("", {"lines": [{**LINE, "recurring": {"frequency": "monthly"}}]}, {"lines.0.recurring": "unknown_field"}),
        ("", {"lines": []}, {"lines": "out_of_range"}),
        ("", {"lines": [DEARER], "currency": "eur"}, {"currency": "unknown_field"}),
        ("", {"lines": [DEARER], "number_of_payments": 0}, {"number_of_payments": "unknown_field"}),
        ("", {"lines": [DEARER], "effective": "later"}, {"effective": "invalid_value"}),
        ("", {"lines": [DEARER], "bill_now": True}, {"bill_now": "invalid_value"}),
        ("", {"next_invoice_on": "2027-02-30"}, {"next_invoice_on": "invalid_date"}),
        ("", {"next_invoice_on": "2027-01-14"}, {"next_invoice_on": "invalid_date"}),
        ("", {"lines": [{**LINE, "unit_amount": 10}]}, {"lines": "below_minimum"}),
        ("/pause", {"until": "2027-01-14"}, {"until": "invalid_date"}),
        ("/pause", {"until": "soon"}, {"until": "invalid_date"}),
        ("/pause", {"until": 3}, {"until": "wrong_type"}),
        ("/pause", {"until": "9999-12-31"}, {"until": "invalid_date"}),
        ("/resume", {}, {"next_invoice_on": "missing_field"}),
        ("/resume", {"next_invoice_on": None}, {"next_invoice_on": "wrong_type"}),
        ("/reactivate", {"at": "now"}, {"at": "unknown_field"}),
    ],
)
def test_bad_input_is_told_by_its_field_and_changes_nothing(
    api_world: ApiWorld, made: str, path: str, body: dict[str, Any], errors: dict[str, str]
) -> None:
    before = everything(api_world)
    answer = api_world.post(f"{PATH}/{made}{path}", body)
    assert (answer.status, answer.errors) == (422, errors)
    assert everything(api_world) == before


@pytest.mark.parametrize("count", ["0", "121", "1000000", "x"])
def test_a_preview_of_no_sensible_number_is_refused(api_world: ApiWorld, made: str, count: str) -> None:
    answer = api_world.get(f"{PATH}/{made}/preview?count={count}")
    assert (answer.status, list(answer.errors)) == (422, ["count"])


def test_a_price_in_another_currency_or_of_another_frequency_goes_on_no_line(api_world: ApiWorld, made: str) -> None:
    product = api_world.post("/v1/products", {"name": "Membership"}).body["id"]

    def price(**terms: Any) -> str:
        return str(api_world.post("/v1/prices", {"product": product, "unit_amount": 5_000, **terms}).body["id"])

    euros = price(currency="eur", recurring={"frequency": "monthly"})
    yearly = price(currency="usd", recurring={"frequency": "annually"})
    before = everything(api_world)
    for wrong in (euros, yearly):
        answer = api_world.post(f"{PATH}/{made}", {"lines": [{"price": wrong, "quantity": 1}]})
        assert answer.status == 422
        assert next(iter(answer.errors)).startswith("lines.0")
    assert everything(api_world) == before
    changed = api_world.post(f"{PATH}/{made}", {"lines": [{"price": yearly, "quantity": 1}], "frequency": "annually"})
    assert changed.status == 200
    # Its price says how often it is paid, so the frequency alone cannot change.
    assert api_world.post(f"{PATH}/{made}", {"frequency": "weekly"}).errors == {"frequency": "invalid_value"}


def test_another_merchants_subscription_is_not_found_by_any_action(api_world: ApiWorld, made: str) -> None:
    _, key = api_world.other_merchant()
    for path, body in ACTIONS.values():
        assert api_world.post(f"{PATH}/{made}{path}", body, key=key).status == 404
