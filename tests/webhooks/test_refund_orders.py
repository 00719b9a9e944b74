"""A refund's events in every order and any number of times, by real HTTP: always the same end."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from chalicelib.domain.documents.intake import StripeEvent
from chalicelib.domain.documents.refunds import RefundOwner
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.ports import MadeRefund, MadeStatus
from tests.services.shop import ACCOUNT, Shop, usd
from tests.webhooks.hooks import Door, event, refund_event

TOLD = ("refund.created", "charge.refunded", "refund.updated", "refund.failed")
"""What Stripe tells of a refund that its bank turns away later."""


def name_of(type_: str) -> str:
    """The id of the one event of this type."""
    return f"evt_{type_.replace('.', '_')}"


def opened(door: Door) -> Door:
    """The same door, with a shop of its own behind it."""
    fresh = Door(door.port, Shop())
    fresh.configure()
    return fresh


def outcome(shop: Shop) -> dict[str, Any]:
    """What a person would see, without the ids that differ from shop to shop."""
    [payment] = shop.payments()
    [invoice] = shop.invoices()
    return {
        "payment": (payment.status, payment.set_aside.minor, payment.gone_back.minor, payment.net),
        "invoice": (invoice.status, invoice.paid.minor),
        "refunds": [(each.status, each.amount.minor, each.failure_reason) for each in shop.refunds()],
        "told": sorted(each for each in shop.event_types() if each.startswith("refund.")),
        "events": {row.id.removeprefix("stripe_event#"): row.state for row in shop.store.all(StripeEvent)},
        "owners": len(shop.store.all(RefundOwner)),
        "mails": len(shop.mailer.sent),
    }


@pytest.mark.parametrize("times", [1, 3])
def test_every_order_of_a_refunds_events_ends_the_same(door: Door, times: int) -> None:
    ends: list[dict[str, Any]] = []
    for order in permutations(TOLD[:3]):
        fresh = opened(door)
        payment = fresh.shop.pay()
        made = fresh.shop.stripe.refund_in_dashboard(ACCOUNT, payment.intent_id, 4_800)
        for type_ in order:
            for _ in range(times):
                assert fresh.send(refund_event(fresh.shop, made, type_, name_of(type_))) == 200
        fresh.shop.settle()
        assert fresh.shop.check().violations == ()
        ends.append(outcome(fresh.shop))
    assert ends == [ends[0]] * 6
    assert ends[0] == {
        "payment": ("partially_refunded", 0, 4_800, None),
        "invoice": ("paid", 10_000),
        "refunds": [("succeeded", 4_800, None)],
        "told": ["refund.created", "refund.succeeded"],
        "events": {"evt_charge_refunded": "done", "evt_refund_created": "done", "evt_refund_updated": "done"},
        "owners": 1,
        "mails": 2,
    }


def turned_away(shop: Shop) -> tuple[MadeRefund, MadeRefund]:
    """A refund as it was when it was made, and as it is since the bank gave it back."""
    payment = shop.pay()
    made = shop.stripe.refund_in_dashboard(ACCOUNT, payment.intent_id, 4_800)
    return made, shop.stripe.end_refund(made.id, MadeStatus.FAILED, "expired_or_canceled_card")


def test_a_failure_that_overtakes_what_was_said_before_it_is_not_undone_by_it(door: Door) -> None:
    ends: list[dict[str, Any]] = []
    for order in permutations(TOLD):
        fresh = opened(door)
        was, now = turned_away(fresh.shop)
        for type_ in order:
            # Each body says what was so when Stripe wrote it: only the last one knows of the failure.
            told = refund_event(fresh.shop, now if type_ == "refund.failed" else was, type_, name_of(type_))
            assert fresh.send(told) == 200
        fresh.shop.settle()
        assert fresh.shop.check().violations == ()
        ends.append(outcome(fresh.shop))
    assert ends == [ends[0]] * 24
    assert ends[0]["payment"] == ("succeeded", 0, 0, None)
    assert ends[0]["invoice"] == ("paid", 14_800)
    assert ends[0]["refunds"] == [("failed", 4_800, "expired_or_canceled_card")]
    assert "refund.succeeded" not in ends[0]["told"]


def test_a_refund_told_of_before_its_payment_was_booked_books_both(door: Door) -> None:
    ends: list[dict[str, Any]] = []
    for order in permutations(["payment_intent.succeeded", "charge.updated", "refund.created", "charge.refunded"]):
        fresh = opened(door)
        fresh.shop.stripe.fail("confirm_with_token", effect=True)
        assert fresh.shop.press(fresh.shop.buyer(fresh.shop.one_time)).ending is Ending.CHECKING
        [intent] = fresh.shop.stripe.intents()
        made = fresh.shop.stripe.refund_in_dashboard(ACCOUNT, intent.id, 14_800)
        [intent] = fresh.shop.stripe.intents()
        for type_ in order:
            name = name_of(type_)
            of_refund = "refund" in type_
            told = refund_event(fresh.shop, made, type_, name) if of_refund else event(intent, type_, name)
            assert fresh.send(told) == 200
        fresh.shop.settle()
        assert fresh.shop.check().violations == ()
        ends.append(outcome(fresh.shop))
    assert ends == [ends[0]] * 24
    assert ends[0]["payment"] == ("refunded", 0, 14_800, usd(-459))
    assert ends[0]["invoice"] == ("paid", 0)
    assert ends[0]["told"] == ["refund.created", "refund.succeeded"]
