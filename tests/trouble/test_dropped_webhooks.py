"""Webhooks that never come: the sandbox's own list of events is read every night, page by page."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.intake import StripeEvent
from chalicelib.gateways.stripe import gateway
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.event_sweep import begin_sweeps, sweep_events
from chalicelib.services.merchants import create_merchant
from tests.trouble.troubled_shop import CONFIRM, TroubledShop


def pay_unheard(shop: TroubledShop, times: int) -> None:
    """Payments that Stripe made, whose answers were lost and whose webhooks were dropped."""
    shop.sandbox.set_webhook_mode("drop")
    for _ in range(times):
        shop.trouble(CONFIRM, None, effect=True, times=4)
        assert shop.press(shop.buyer(shop.one_time)).ending is Ending.CHECKING
    shop.sandbox.deliver_due()


def night(shop: TroubledShop) -> None:
    """A day passes, and the nightly job comes."""
    shop.after(hours=20)
    begin_sweeps(shop.ports)
    shop.settle()


def test_dropped_webhooks_are_booked_within_a_day_with_fee_and_net(shop: TroubledShop) -> None:
    pay_unheard(shop, 2)
    assert shop.payments() == []
    night(shop)
    assert {checkout.status for checkout in shop.store.all(Checkout)} == {"completed"}
    assert [payment.settlement is not None for payment in shop.payments()] == [True, True]
    assert {row.state for row in shop.store.all(StripeEvent)} == {"done"}
    shop.assert_books_are_stripes()


def test_the_list_is_read_over_many_pages(shop: TroubledShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "_PAGE", 2)
    pay_unheard(shop, 3)
    night(shop)
    assert len(shop.payments()) == 3
    asked = [call["parameters"].get("starting_after") for call in shop.calls_to("/events")]
    assert len(asked) == 3
    assert asked[0] is None
    assert None not in asked[1:]
    shop.assert_books_are_stripes()


def test_a_run_that_stripe_ends_in_the_middle_goes_on_there(
    shop: TroubledShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "_PAGE", 2)
    pay_unheard(shop, 3)
    shop.trouble("GET /v1/events", 503, nth=2, times=4)
    night(shop)
    booked = len(shop.payments())
    assert 0 < booked < 3
    shop.after(hours=1)
    begin_sweeps(shop.ports)
    shop.settle()
    assert len(shop.payments()) == 3
    shop.assert_books_are_stripes()


def test_only_the_kinds_that_matter_are_asked_for(shop: TroubledShop) -> None:
    pay_unheard(shop, 1)
    night(shop)
    [asked] = shop.calls_to("/events")
    assert "charge.updated" in asked["parameters"]["types"]
    assert len(asked["parameters"]["types"]) <= 20
    since = shop.clock.now() - timedelta(days=3, hours=6)
    assert asked["parameters"]["created"] == {"gte": int(since.timestamp())}


def test_an_account_that_is_not_connected_any_more_is_passed_over(shop: TroubledShop) -> None:
    merchant, _ = create_merchant(
        shop.ports, name="Gone", timezone="UTC", currency="usd", stripe_account="acct_gone", ready=True
    )
    assert sweep_events(shop.ports, merchant.id, direct_merchant_id=None).outcome == "no access"
    pay_unheard(shop, 1)
    night(shop)
    assert len(shop.payments()) == 1
