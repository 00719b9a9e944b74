"""Stripe is down for two hours in the middle of a billing run: nothing twice, nothing lost, no try used up."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from chalicelib.domain.documents.intake import StripeEvent
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.services.ports import ProviderRefused
from tests.gateways.stripe_worlds import SECRET_KEY
from tests.trouble.troubled_shop import CONFIRM, CREATE, OTHER_KEY, RETRIEVE, TroubledShop

BUYERS = 3
OUTAGE = timedelta(hours=2)
SWEEP = timedelta(minutes=5)
FOREVER = 1_000_000


def subscribers(shop: TroubledShop, behaves: str = "pm_card_visa") -> list[Subscription]:
    """Buyers of the monthly link, the clock at the moment when their second month is due."""
    made = [shop.subscribe(behaves) for _ in range(BUYERS)]
    shop.hear()
    [due] = {subscription.next_invoice_at for subscription in made}
    assert due is not None
    shop.until(due - timedelta(seconds=1))
    shop.clock.set(due)
    return made


def sweep_for(shop: TroubledShop, span: timedelta) -> None:
    """The scheduler, every five minutes, and Stripe's webhooks where there are any."""
    ends = shop.clock.now() + span
    while shop.clock.now() < ends:
        shop.run()
        shop.clock.set(shop.clock.now() + SWEEP)


def renewals(shop: TroubledShop) -> list[Invoice]:
    return [invoice for invoice in shop.store.all(Invoice) if invoice.period is not None and invoice.period.index == 1]


def outcomes(shop: TroubledShop) -> Counter[AttemptOutcome]:
    return Counter(attempt.outcome for invoice in renewals(shop) for attempt in invoice.part.attempts)


def assert_all_renewed_once(shop: TroubledShop) -> None:
    shop.assert_books_are_stripes()
    assert [invoice.status for invoice in renewals(shop)] == ["paid"] * BUYERS
    assert len(shop.charged()) == 2 * BUYERS
    assert {subscription.status for subscription in shop.store.all(Subscription)} == {"active"}
    assert [timer.kind for timer in shop.store.timers if timer.kind is TimerKind.CHARGE_INVOICE] == []
    # No try was anybody's fault: each invoice was declined by nobody and paid by one.
    found = outcomes(shop)
    assert (found[AttemptOutcome.SUCCEEDED], found[AttemptOutcome.DECLINED]) == (BUYERS, 0)
    assert set(found) <= {AttemptOutcome.SUCCEEDED, AttemptOutcome.ABANDONED}


@pytest.mark.parametrize(
    ("operation", "status", "effect"),
    [
        ("*", 503, False),
        ("*", 500, False),
        ("*", None, False),
        ("*", 429, False),
        ("*", 409, False),
        (CREATE, 500, True),
        (CREATE, None, True),
        (CONFIRM, 500, False),
        (CONFIRM, None, True),
    ],
)
def test_the_queue_drains_by_itself_after_two_hours_down(
    shop: TroubledShop, operation: str, status: int | None, effect: bool
) -> None:
    subscribers(shop)
    shop.trouble(operation, status, effect=effect, times=FOREVER)
    sweep_for(shop, OUTAGE)
    assert len(renewals(shop)) == BUYERS
    shop.sandbox.behave()
    # A stopped clock does not matter to Stripe's memory of keys: whatever they hold now must not keep anyone waiting.
    sweep_for(shop, timedelta(minutes=15))
    assert_all_renewed_once(shop)


def test_what_stripe_did_while_it_answered_500_is_found_and_not_done_again(shop: TroubledShop) -> None:
    subscribers(shop)
    shop.trouble(CONFIRM, 500, effect=True, times=FOREVER)
    shop.trouble(RETRIEVE, 500, times=FOREVER)
    sweep_for(shop, OUTAGE)
    # Unknown until Stripe has been asked: one try each, still open, and its one charge.
    assert outcomes(shop) == {AttemptOutcome.CLAIMED: BUYERS}
    assert len(shop.charged()) == 2 * BUYERS
    shop.sandbox.behave()
    sweep_for(shop, timedelta(minutes=10))
    assert_all_renewed_once(shop)
    assert outcomes(shop) == {AttemptOutcome.SUCCEEDED: BUYERS}


def test_a_decline_that_stripe_hid_behind_a_500_is_that_try_and_not_another(shop: TroubledShop) -> None:
    made = subscribers(shop)
    for subscription in made:
        assert subscription.method is not None
        shop.sandbox.set_behaviour(subscription.method.payment_method_id, "pm_card_chargeDeclined")
    shop.trouble(CONFIRM, 500, effect=True, times=BUYERS)
    sweep_for(shop, timedelta(minutes=20))
    assert outcomes(shop) == {AttemptOutcome.DECLINED: BUYERS}
    failed = [charge for charge in shop.sandbox.listing("charges") if charge["status"] == "failed"]
    assert len(failed) == BUYERS
    assert {subscription.status for subscription in shop.store.all(Subscription)} == {"past_due"}
    shop.assert_books_are_stripes()


def test_a_revoked_key_uses_up_no_try_and_the_run_goes_on_with_the_new_one(shop: TroubledShop) -> None:
    subscribers(shop)
    shop.use_key(OTHER_KEY)
    assert set(shop.run()) == {"issued 1"}
    for _ in range(6):
        with pytest.raises(ProviderRefused, match="api_key"):
            shop.run()
        shop.clock.set(shop.clock.now() + SWEEP)
    shop.use_key(SECRET_KEY)
    sweep_for(shop, timedelta(minutes=10))
    assert_all_renewed_once(shop)
    assert outcomes(shop) == {AttemptOutcome.SUCCEEDED: BUYERS}


def test_an_outage_longer_than_stripe_remembers_keys_charges_once_all_the_same(shop: TroubledShop) -> None:
    subscribers(shop)
    shop.trouble(CONFIRM, None, effect=True, times=FOREVER)
    shop.trouble(RETRIEVE, None, times=FOREVER)
    sweep_for(shop, timedelta(minutes=10))
    assert len(shop.charged()) == 2 * BUYERS
    shop.clock.set(shop.clock.now() + timedelta(days=4))
    shop.run()
    shop.sandbox.behave()
    sweep_for(shop, timedelta(minutes=15))
    assert_all_renewed_once(shop)


def test_events_that_came_while_stripe_could_not_be_asked_are_finished_afterwards(shop: TroubledShop) -> None:
    subscribers(shop)
    shop.trouble(CONFIRM, None, effect=True, times=FOREVER)
    shop.trouble(RETRIEVE, 503, times=FOREVER)
    sweep_for(shop, timedelta(minutes=10))
    said = shop.hear()
    assert Counter(said)["not done: ProviderUnavailable"] == 2 * BUYERS
    undone = [row for row in shop.store.all(StripeEvent) if row.state == "received"]
    assert len(undone) == 2 * BUYERS
    sweep_for(shop, OUTAGE)
    shop.sandbox.behave()
    sweep_for(shop, timedelta(hours=3))
    assert {row.state for row in shop.store.all(StripeEvent)} == {"done"}
    assert_all_renewed_once(shop)
    # Fee and net came with the events, so those too were caught up with.
    assert all(payment.settlement is not None for payment in shop.payments())
