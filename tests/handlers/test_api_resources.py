"""What each record looks like to a caller, and what a subscription does through the API."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.documents.invoices import CollectionBlock, LinePeriod
from chalicelib.domain.documents.parts import Attempt, AttemptOutcome, Part
from chalicelib.domain.ids import page_token
from chalicelib.domain.machines import CheckoutStatus, InvoiceStatus, PartState, SubscriptionStatus
from tests import builders as build
from tests.builders import later, usd
from tests.handlers.conftest import ApiWorld

OWNER = "mer_pinewood-studio"


def test_a_renewals_invoice_tells_its_period_its_tries_and_why_it_waits(api_world: ApiWorld) -> None:
    monthly = build.subscription(merchant_id=OWNER)
    tries = (
        Attempt(1, later(days=31), AttemptOutcome.DECLINED, "card_declined", "insufficient_funds", later(days=32)),
        Attempt(2, later(days=32)),
    )
    invoice = build.renewal(
        monthly,
        number="INV-0042",
        collection_blocked=CollectionBlock.HELD,
        parts=(Part(1, usd(4_900), PartState.HELD, attempts=tries),),
    )
    api_world.put(monthly, invoice)
    api_world.clock.set(datetime(2027, 2, 16, 4, 59, tzinfo=UTC))
    body = api_world.get(f"/v1/invoices/{invoice.id}").body
    period = {"index": 1, "start": "2027-02-15T12:00:00Z", "end": "2027-03-15T11:00:00Z"}
    expected = {
        "object": "invoice",
        "status": "open",
        "number": "INV-0042",
        "customer": monthly.customer_id,
        "currency": "usd",
        "amount_due": 4_900,
        "amount_paid": 0,
        "amount_credited": 0,
        "overdue": False,
        "partially_paid": False,
        "due_date": "2027-02-15",
        "issued_at": "2027-02-15T12:00:00Z",
        "paid_at": None,
        "hosted_url": f"https://till.example/invoice/pinewood-studio/{page_token(invoice.id, invoice.secret)}",
        "collection": "automatic",
        "collection_blocked": "held",
        "subscription": monthly.id,
        "period": period,
        "parts": [{"amount": 4_900, "state": "held"}],
        "attempts": [
            {
                "at": "2027-02-15T12:00:00Z",
                "outcome": "declined",
                "decline_code": "insufficient_funds",
                "next_at": "2027-02-16T12:00:00Z",
            },
            {"at": "2027-02-16T12:00:00Z", "outcome": "claimed", "decline_code": None, "next_at": None},
        ],
        "metadata": {},
    }
    assert {name: body[name] for name in expected} == expected
    assert (body["lines"][0]["total"], body["lines"][0]["period"]) == (4_900, period)
    # In New York the day after the due date has begun.
    api_world.clock.set(datetime(2027, 2, 16, 5, 0, tzinfo=UTC))
    assert api_world.get(f"/v1/invoices/{invoice.id}").body["overdue"] is True


def test_an_invoice_of_several_subscriptions_has_its_periods_on_its_lines(api_world: ApiWorld) -> None:
    weekly = build.line("Flowers", 2_000, recurring=Recurrence(Frequency.WEEKLY))
    one, two = build.subscription(merchant_id=OWNER), build.subscription(merchant_id=OWNER, lines=(weekly,))
    invoice = build.paid_invoice(
        merchant_id=OWNER,
        lines=(build.monthly_line(), weekly, build.line("Vase", 3_000)),
        line_periods=(
            LinePeriod(0, one.id, one.schedule.period(0)),
            LinePeriod(1, two.id, two.schedule.period(0)),
        ),
    )
    api_world.put(invoice)
    body = api_world.get(f"/v1/invoices/{invoice.id}").body
    assert (body["subscription"], body["period"], body["amount_due"], body["amount_paid"]) == (None, None, 0, 9_900)
    assert [line["subscription"] for line in body["lines"]] == [one.id, two.id, None]
    assert [line["period"] and line["period"]["end"] for line in body["lines"]] == [
        "2027-02-15T12:00:00Z",
        "2027-01-22T12:00:00Z",
        None,
    ]


def test_a_half_paid_invoice_is_open_and_says_what_is_left(api_world: ApiWorld) -> None:
    invoice = build.invoice(merchant_id=OWNER, amount_paid=usd(4_800), due_date=date(2027, 1, 10))
    api_world.put(invoice)
    body = api_world.get(f"/v1/invoices/{invoice.id}").body
    assert [body[name] for name in ("status", "amount_due", "partially_paid", "overdue")] == [
        "open",
        10_000,
        True,
        True,
    ]
    void = build.invoice(merchant_id=OWNER, status=InvoiceStatus.VOID, due_date=date(2027, 1, 10))
    api_world.put(void)
    body = api_world.get(f"/v1/invoices/{void.id}").body
    assert [body[name] for name in ("status", "amount_due", "overdue")] == ["void", 0, False]


def test_a_payment_has_no_fee_until_stripe_has_said_it(api_world: ApiWorld) -> None:
    fresh = build.payment(merchant_id=OWNER)
    settled = build.payment(merchant_id=OWNER, settlement=build.settlement(), intent_id="pi_2")
    api_world.put(fresh, settled)
    body = api_world.get(f"/v1/payments/{fresh.id}").body
    assert [body[name] for name in ("status", "amount", "currency", "fee", "net", "settlement", "refunded")] == [
        "succeeded",
        14_800,
        "usd",
        None,
        None,
        None,
        0,
    ]
    assert (body["method"], body["payment_method"]) == ("card", {"type": "card", "brand": "visa", "last4": "4242"})
    body = api_world.get(f"/v1/payments/{settled.id}").body
    assert (body["fee"], body["net"]) == (459, 14_341)
    assert body["settlement"] == {
        "currency": "usd",
        "gross": 14_800,
        "refunded": 0,
        "fee": 459,
        "net": 14_341,
        "exchange_rate": None,
    }
    assert body["stripe"] == {
        "account": "acct_pinewood",
        "payment_intent": "pi_2",
        "charge": "ch_1",
        "balance_transaction": "txn_1",
    }


def test_a_checkout_names_its_invoice_once_there_is_one(api_world: ApiWorld) -> None:
    open_one, made = build.checkout(merchant_id=OWNER), build.new_id("sub")
    done = build.checkout(
        merchant_id=OWNER, status=CheckoutStatus.COMPLETED, completed_at=later(minutes=1), subscription_ids=(made,)
    )
    api_world.put(open_one, done)
    body = api_world.get(f"/v1/checkouts/{open_one.id}").body
    assert [
        body[name] for name in ("status", "invoice", "payment_link", "customer", "subscriptions", "expires_at")
    ] == [
        "open",
        None,
        open_one.payment_link_id,
        None,
        [],
        "2027-01-16T12:00:00Z",
    ]
    body = api_world.get(f"/v1/checkouts/{done.id}").body
    assert [body[name] for name in ("status", "invoice", "subscriptions", "completed_at")] == [
        "completed",
        done.invoice_id,
        [made],
        "2027-01-15T12:01:00Z",
    ]


def test_a_subscription_shows_its_rhythm_its_period_and_its_next_invoice(api_world: ApiWorld) -> None:
    subscription = build.subscription(merchant_id=OWNER)
    api_world.put(subscription)
    body = api_world.get(f"/v1/subscriptions/{subscription.id}").body
    expected = {
        "object": "subscription",
        "status": "active",
        "customer": subscription.customer_id,
        "timezone": "America/New_York",
        "frequency": "monthly",
        "term": "until_canceled",
        "number_of_payments": None,
        "start": {"type": "at_payment"},
        "anchor_day": None,
        "current_period": {"index": 0, "start": "2027-01-15T12:00:00Z", "end": "2027-02-15T12:00:00Z"},
        "next_invoice_at": "2027-02-15T12:00:00Z",
        "next_amount": 4_900,
        "payments_made": 1,
        "credit_balance": 0,
        "cancel_at_period_end": False,
        "payment_method": {"type": "card", "brand": "visa", "last4": "4242"},
        "discount": None,
        "fees": [],
        "collection": "automatic",
        "collection_blocked": None,
    }
    assert {name: body[name] for name in expected} == expected


def test_a_preview_shows_local_times_across_daylight_saving(api_world: ApiWorld) -> None:
    subscription = build.subscription(merchant_id=OWNER)
    api_world.put(subscription)
    before = api_world.contents()
    preview = api_world.get(f"/v1/subscriptions/{subscription.id}/preview?count=2").body
    assert [each["index"] for each in preview["data"]] == [1, 2]
    second = preview["data"][1]
    assert (second["start"], second["invoice_at"], second["end"]) == (
        "2027-03-15T11:00:00Z",
        "2027-03-15T11:00:00Z",
        "2027-04-15T11:00:00Z",
    )
    assert second["local"] == {
        "start": "2027-03-15T07:00:00-04:00",
        "end": "2027-04-15T07:00:00-04:00",
        "invoice_at": "2027-03-15T07:00:00-04:00",
    }
    assert second["totals"]["total"] == 4_900
    assert len(api_world.get(f"/v1/subscriptions/{subscription.id}/preview").body["data"]) == 12
    assert len(api_world.get(f"/v1/subscriptions/{subscription.id}/preview?count=120").body["data"]) == 120
    assert api_world.contents() == before


@pytest.mark.parametrize("count", ["0", "121", "-1", "x", "1.5"])
def test_a_preview_shows_one_to_a_hundred_and_twenty(api_world: ApiWorld, count: str) -> None:
    subscription = build.subscription(merchant_id=OWNER)
    api_world.put(subscription)
    answer = api_world.get(f"/v1/subscriptions/{subscription.id}/preview?count={count}")
    assert (answer.status, list(answer.errors)) == (422, ["count"])


def test_a_preview_ends_with_the_term_and_with_a_cancellation(api_world: ApiWorld) -> None:
    fixed = build.subscription(merchant_id=OWNER, recurrence=Recurrence(Frequency.MONTHLY, number_of_payments=4))
    leaving = build.subscription(merchant_id=OWNER, cancel_at_period_end=True)
    gone = build.subscription(merchant_id=OWNER, status=SubscriptionStatus.CANCELED)
    api_world.put(fixed, leaving, gone)

    def previewed(subscription_id: str) -> list[int]:
        data = api_world.get(f"/v1/subscriptions/{subscription_id}/preview").body["data"]
        return [each["index"] for each in data]

    assert previewed(fixed.id) == [1, 2, 3]
    assert previewed(leaving.id) == previewed(gone.id) == []
    assert api_world.get(f"/v1/subscriptions/{leaving.id}").body["next_amount"] is None


def test_a_subscription_is_cancelled_at_period_end_and_then_now(api_world: ApiWorld) -> None:
    subscription = build.subscription(merchant_id=OWNER)
    api_world.put(subscription)
    path = f"/v1/subscriptions/{subscription.id}/cancel"
    later_on = api_world.post(path, {"at": "period_end"})
    assert (later_on.status, later_on.body["status"], later_on.body["cancel_at_period_end"]) == (200, "active", True)
    now = api_world.post(path, {"at": "now"})
    assert (now.status, now.body["status"], now.body["next_invoice_at"]) == (200, "canceled", None)
    before = api_world.contents()
    again = api_world.post(path, {"at": "now"})
    assert (again.status, again.code) == (409, "state_conflict")
    assert api_world.contents() == before
    actors = {event["actor"] for event in api_world.get("/v1/events").body["data"]}
    assert actors == {f"api:{api_world.key[:14]}"}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"at": "missing_field"}),
        ({"at": "later"}, {"at": "invalid_value"}),
        ({"at": None}, {"at": "wrong_type"}),
        ({"at": "now", "refund": True}, {"refund": "unknown_field"}),
    ],
)
def test_a_wrong_cancellation_changes_nothing(
    api_world: ApiWorld, body: dict[str, Any], errors: dict[str, str]
) -> None:
    subscription = build.subscription(merchant_id=OWNER)
    api_world.put(subscription)
    before = api_world.contents()
    answer = api_world.post(f"/v1/subscriptions/{subscription.id}/cancel", body)
    assert (answer.status, answer.errors) == (422, errors)
    assert api_world.contents() == before
