"""The account's dunning setting, and a retry that is asked for, through the API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.documents.invoices import Collection, Invoice
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.methods import Method, StoredMethod
from chalicelib.domain.documents.parts import Attempt, AttemptOutcome, Part
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import InvoiceStatus, SubscriptionStatus
from tests import builders as build
from tests.handlers.conftest import ApiWorld

DEFAULT = {"days": [1, 3, 5, 7], "then": "unpaid"}


def test_the_setting_is_shown_changed_and_cleared(api_world: ApiWorld) -> None:
    assert api_world.get("/v1/account").body["dunning"] == DEFAULT
    mine = {"days": [2, 10], "then": "cancel"}
    answer = api_world.post("/v1/account", {"dunning": mine})
    assert (answer.status, answer.body["dunning"]) == (200, mine)
    assert api_world.get("/v1/account").body["dunning"] == mine
    [event] = [each for each in api_world.get("/v1/events").body["data"] if each["type"] == "account.updated"]
    assert (event["data"]["previous"], event["data"]["object"]["dunning"]) == ({"dunning": DEFAULT}, mine)
    assert api_world.post("/v1/account", {"name": "Pinewood"}).body["dunning"] == mine
    assert api_world.post("/v1/account", {"dunning": None}).body["dunning"] == DEFAULT


@pytest.mark.parametrize(
    ("dunning", "errors"),
    [
        ({"days": [], "then": "unpaid"}, {"dunning.days": "out_of_range"}),
        ({"days": [0], "then": "unpaid"}, {"dunning.days.0": "out_of_range"}),
        ({"days": [31], "then": "unpaid"}, {"dunning.days.0": "out_of_range"}),
        ({"days": list(range(1, 12)), "then": "unpaid"}, {"dunning.days": "out_of_range"}),
        ({"days": [3, 1], "then": "unpaid"}, {"dunning.days": "invalid_value"}),
        ({"days": [1, 1], "then": "unpaid"}, {"dunning.days": "invalid_value"}),
        ({"days": ["1"], "then": "unpaid"}, {"dunning.days.0": "wrong_type"}),
        ({"days": [1.5], "then": "unpaid"}, {"dunning.days.0": "wrong_type"}),
        ({"days": [True], "then": "unpaid"}, {"dunning.days.0": "wrong_type"}),
        ({"days": [1], "then": "forgive"}, {"dunning.then": "invalid_value"}),
        ({"days": [1]}, {"dunning.then": "missing_field"}),
        ({"then": "unpaid"}, {"dunning.days": "missing_field"}),
        ({**DEFAULT, "mail": True}, {"dunning.mail": "unknown_field"}),
        ([1, 3], {"dunning": "wrong_type"}),
    ],
)
def test_a_setting_that_makes_no_ladder_is_refused_and_nothing_changes(
    api_world: ApiWorld, dunning: Any, errors: dict[str, str]
) -> None:
    before = api_world.contents()
    answer = api_world.post("/v1/account", {"dunning": dunning})
    assert (answer.status, answer.errors) == (422, errors)
    assert api_world.contents() == before


def behind(world: ApiWorld, **changes: Any) -> tuple[Subscription, Invoice]:
    """A past-due subscription of the merchant with a stored card, and the invoice that it owes."""
    now = world.clock.now()
    subscription = build.subscription(
        merchant_id=world.merchant.id,
        status=SubscriptionStatus.PAST_DUE,
        collection=Collection.AUTOMATIC,
        method=StoredMethod("pm_1", "cus_stripe", Method("card", "visa", "4242")),
    )
    invoice = build.invoice(
        merchant_id=world.merchant.id,
        subscription_id=subscription.id,
        status=InvoiceStatus.OPEN,
        collection=Collection.AUTOMATIC,
    )
    failed = Attempt(
        1, now, AttemptOutcome.DECLINED, "card_declined", "insufficient_funds", next_at=now, payment_method_id="pm_1"
    )
    invoice = replace(invoice, parts=(Part(1, invoice.totals.total, attempts=(failed,)),), charge_at=None)
    subscription = replace(subscription, **{"past_due_invoices": (invoice.id,), **changes})
    world.put(subscription, invoice)
    return subscription, invoice


def test_a_retry_leaves_the_charge_to_the_scheduler_and_shows_the_subscription(api_world: ApiWorld) -> None:
    subscription, invoice = behind(api_world)
    answer = api_world.post(f"/v1/subscriptions/{subscription.id}/retry")
    assert (answer.status, answer.body["id"], answer.body["status"]) == (200, subscription.id, "past_due")
    now = api_world.clock.now()
    after = api_world.store.get(Invoice, invoice.id)
    assert (after.charge_at, after.asked_at) == (now, now)
    assert [(timer.record_id, timer.due) for timer in api_world.store.timers] == [(invoice.id, now)]
    shown = api_world.get(f"/v1/invoices/{invoice.id}").body["attempts"]
    assert [(each["decline_code"], each["next_at"]) for each in shown] == [
        ("insufficient_funds", now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    ]


def test_under_one_key_it_is_asked_for_once(api_world: ApiWorld) -> None:
    subscription, invoice = behind(api_world)
    key = {"Idempotency-Key": "retry 1"}
    first = api_world.post(f"/v1/subscriptions/{subscription.id}/retry", {}, headers=key)
    version = api_world.store.get(Invoice, invoice.id).version
    again = api_world.post(f"/v1/subscriptions/{subscription.id}/retry", {}, headers=key)
    assert (first.status, again.status, again.body) == (200, 200, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert api_world.store.get(Invoice, invoice.id).version == version


@pytest.mark.parametrize(
    "changes",
    [
        {"past_due_invoices": ()},
        {"method": None},
        {"collection": Collection.SEND},
        {"status": SubscriptionStatus.CANCELED},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_retry_of_nothing_is_refused_and_changes_nothing(api_world: ApiWorld, changes: dict[str, Any]) -> None:
    subscription, _ = behind(api_world, **changes)
    before, timers = api_world.contents(), list(api_world.store.timers)
    answer = api_world.post(f"/v1/subscriptions/{subscription.id}/retry")
    assert (answer.status, answer.code) == (409, "state_conflict")
    assert (api_world.contents(), list(api_world.store.timers)) == (before, timers)


def test_what_is_said_in_the_body_of_a_retry_is_refused(api_world: ApiWorld) -> None:
    subscription, _ = behind(api_world)
    answer = api_world.post(f"/v1/subscriptions/{subscription.id}/retry", {"force": True})
    assert (answer.status, answer.errors) == (422, {"force": "unknown_field"})
    assert api_world.store.timers == []


def test_another_merchants_account_keeps_its_own_setting(api_world: ApiWorld) -> None:
    other, key = api_world.other_merchant()
    api_world.post("/v1/account", {"dunning": {"days": [9], "then": "pause"}})
    assert api_world.get("/v1/account", key=key).body["dunning"] == DEFAULT
    assert api_world.store.get(Merchant, other.id).dunning.days == (1, 3, 5, 7)
