"""Held invoices released and a parked account unparked through the API, and the mail that tells of the parking."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from chalicelib.domain.documents.invoices import CollectionBlock, Invoice
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import InvoiceStatus
from chalicelib.handlers.mail_composer import compose
from chalicelib.services.billing.bounds import Bounds
from chalicelib.services.billing.issuing import billing_timer, issue_due
from chalicelib.services.billing.parking import unpark
from chalicelib.services.ports import Insert, Update
from chalicelib.services.saving import commit
from tests import builders as build
from tests.handlers.conftest import ApiWorld

RELEASE = "/v1/subscriptions/release_held"
UNPARK = "/v1/account/unpark"


def held(world: ApiWorld) -> Invoice:
    """An invoice of a subscription, held."""
    subscription = build.subscription(merchant_id=world.merchant.id)
    invoice = replace(
        build.invoice(merchant_id=world.merchant.id),
        subscription_id=subscription.id,
        status=InvoiceStatus.OPEN,
        paid_at=None,
        amount_paid=None,
        collection_blocked=CollectionBlock.HELD,
    )
    commit(world.ports, [Insert(subscription), Insert(invoice)])
    return world.store.get(Invoice, invoice.id)


def test_held_invoices_of_all_are_released_and_a_second_call_releases_none(api_world: ApiWorld) -> None:
    invoice = held(api_world)
    answer = api_world.post(RELEASE, {"subscription": None})
    assert (answer.status, answer.body) == (200, {"released": 1, "has_more": False})
    after = api_world.store.get(Invoice, invoice.id)
    assert (after.charge_at, after.collection_blocked) == (api_world.clock.now(), None)
    assert [timer.record_id for timer in api_world.store.timers] == [invoice.id]
    before = api_world.contents()
    assert api_world.post(RELEASE, {"subscription": invoice.subscription_id}).body["released"] == 0
    assert api_world.contents() == before


def test_the_same_key_is_answered_with_what_the_first_call_released(api_world: ApiWorld) -> None:
    held(api_world)
    headers = {"Idempotency-Key": "release-1"}
    first = api_world.send("POST", RELEASE, {"subscription": None}, headers=headers)
    again = api_world.send("POST", RELEASE, {"subscription": None}, headers=headers)
    assert (first.status, first.body, again.body) == (200, {"released": 1, "has_more": False}, first.body)


def test_what_to_release_has_to_be_said(api_world: ApiWorld) -> None:
    held(api_world)
    before = api_world.contents()
    assert api_world.post(RELEASE, {}).errors == {"subscription": "missing_field"}
    unknown = "sub_01J8ZQ0G3N7T5V9X1B2C3D4E5F"
    assert api_world.post(RELEASE, {"subscription": unknown}).status == 404
    assert api_world.contents() == before


def parked(world: ApiWorld, *, support_email: str | None = None) -> Merchant:
    """The account after a bound of no invoices at all was reached."""
    merchant = world.store.get(Merchant, world.merchant.id)
    commit(world.ports, [Update(replace(merchant, support_email=support_email))])
    customer = world.post("/v1/customers", {"email": "ada@example.com"}).body["id"]
    terms: dict[str, Any] = {
        "customer": customer,
        "currency": "usd",
        "frequency": "monthly",
        "lines": [{"name": "Studio membership", "unit_amount": 4_900, "quantity": 1}],
    }
    made = world.post("/v1/subscriptions", terms).body["id"]
    timer = billing_timer(world.store.get(Subscription, made))
    assert timer is not None
    issue_due(world.ports, world.merchant.id, [timer], bounds=Bounds(0, 0))
    return world.store.get(Merchant, world.merchant.id)


def test_a_parked_account_says_so_and_goes_on_when_it_is_unparked(api_world: ApiWorld) -> None:
    merchant = parked(api_world)
    assert merchant.parked_at is not None
    shown = api_world.get("/v1/account").body
    assert (shown["parked_at"], shown["parked_reason"]) == (
        f"{merchant.parked_at:%Y-%m-%dT%H:%M:%SZ}",
        f"more than 0 invoices were due on {merchant.parked_at:%Y-%m-%d}",
    )
    answer = api_world.post(UNPARK, None)
    assert (answer.status, answer.body["parked_at"], answer.body["parked_reason"]) == (200, None, None)
    assert api_world.store.get(Merchant, api_world.merchant.id).parked_at is None
    told = [event["type"] for event in api_world.get("/v1/events").body["data"]]
    assert told[:2] == ["account.unparked", "account.parked"]
    before = api_world.contents()
    assert api_world.post(UNPARK, {}).body["parked_at"] is None
    assert api_world.contents() == before


def test_a_key_that_may_only_read_the_account_unparks_nothing(api_world: ApiWorld) -> None:
    parked(api_world)
    narrow = api_world.key_for("account:read")
    before = api_world.store.get(Merchant, api_world.merchant.id)
    assert api_world.send("POST", UNPARK, None, key=narrow).status == 403
    assert api_world.store.get(Merchant, api_world.merchant.id) == before


def test_the_operator_reads_what_stopped_and_how_to_go_on_unless_it_goes_on_already(api_world: ApiWorld) -> None:
    merchant = parked(api_world, support_email="ops@pinewood.example")
    [mail] = [each for each in api_world.store.all(Mail) if each.kind is MailKind.PARKED]
    written = compose(api_world.ports, mail)
    assert written is not None
    assert (written.to, written.subject) == ("ops@pinewood.example", f"Billing stopped: {merchant.name}")
    assert f"because {merchant.parked_reason}" in written.text
    assert "POST /v1/account/unpark" in written.text
    assert "/docs/api" in written.text
    api_world.clock.advance(timedelta(minutes=1))
    unpark(api_world.ports, merchant.id, actor="api:test")
    assert compose(api_world.ports, mail) is None
