"""A shop that only ever did what it should: nothing is wrong, and what is not done is said to be so."""

from __future__ import annotations

import pytest

from chalicelib.domain.documents.intake import StripeEvent
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.services.checking import check_invariants, check_lasting
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.ports import ProviderRefused, ProviderUnavailable
from chalicelib.services.subscriptions import cancel
from tests.checking.broken import at, declined, expired, in_doubt, issued, paid, renewed, undone, wrong
from tests.services.shop import ACCOUNT, Shop, monthly_line, usd


def test_an_empty_shop_holds(shop: Shop) -> None:
    report = shop.check()
    assert (report.holds, report.violations, report.undone) == (True, (), ())
    assert report.counted["merchants"] == report.counted["stripe accounts"] == 1
    assert report.counted["payment links"] == 2


@pytest.mark.parametrize("flow", [paid, renewed, issued, declined, in_doubt, expired])
def test_each_flow_leaves_books_that_hold(shop: Shop, flow) -> None:
    flow(shop)
    assert wrong(shop) == set()


def test_a_year_of_everything_holds_at_every_step(shop: Shop) -> None:
    good, bad, other = shop.subscribe(), shop.subscribe(), shop.subscribe()
    declined(shop)
    paid(shop)
    term = shop.link("Course", LineItem("Fee", 3, usd(1_999)), monthly_line(number_of_payments=3))
    assert shop.press(shop.buyer(term, expected_total=5_997 + 4_900)).ending is Ending.PAID
    assert bad.method is not None
    shop.stripe.behave(bad.method.payment_method_id, "pm_card_chargeCustomerFail")
    for month in range(2, 8):
        shop.until(at(month, 3))
        shop.stripe.settle()
        for number, intent in enumerate(shop.succeeded()):
            shop.tell(shop.notice("charge.updated", intent, event_id=f"evt_{month}_{number}"))
        assert wrong(shop) == set()
    shop.clock.set(at(11, 3))
    shop.settle()
    assert wrong(shop) == set()
    cancel(shop.ports, shop.merchant.id, good.id, at="period_end", actor="test")
    assert (shop.subscription(bad.id).status, shop.subscription(other.id).status) == ("paused", "active")
    cancel(shop.ports, shop.merchant.id, bad.id, at="now", actor="test")
    shop.until(at(12, 31))
    report = shop.check()
    assert report.violations == ()
    assert report.counted["invoices"] == len(shop.invoices()) > 20
    assert report.counted["stripe intents"] == len(shop.stripe.intents())
    assert report.counted["stripe balance transactions"] == len([each for each in shop.payments() if each.settlement])


def test_without_stripe_only_what_is_stored_is_checked(shop: Shop) -> None:
    paid(shop)
    shop.stripe.tamper(shop.payments()[0].intent_id, amount=usd(1))
    report = check_invariants(shop.inspection, None, shop.clock.now())
    assert report.holds
    assert "stripe intents" not in report.counted
    assert not shop.check().holds


# --- what is not done is said, and is no violation


def test_money_in_flight_is_undone_until_it_is_booked(shop: Shop) -> None:
    checkout = in_doubt(shop)
    [intent] = shop.succeeded()
    assert wrong(shop) == set()
    assert undone(shop) == {
        (checkout.id, "try 1 of part 1 is claimed"),
        (checkout.id, f"{intent.id} succeeded and is not booked yet"),
    }
    shop.tell(shop.notice("payment_intent.succeeded", intent))
    shop.settle()
    assert (wrong(shop), undone(shop)) == (set(), set())


def test_an_event_that_waits_and_a_mail_that_waits_are_undone(shop: Shop) -> None:
    in_doubt(shop)
    [intent] = shop.succeeded()
    shop.stripe.fail("retrieve_intent", ProviderUnavailable("down"))
    with pytest.raises(ProviderUnavailable):
        shop.tell(shop.notice("payment_intent.succeeded", intent))
    [row] = shop.store.all(StripeEvent)
    assert (row.id, "payment_intent.succeeded was received and is not applied") in undone(shop)
    assert shop.tell(shop.notice("payment_intent.succeeded", intent)) == "applied"
    [(_, message)] = undone(shop)
    assert message == "the receipt mail is queued"
    assert wrong(shop) == set()


def test_what_nobody_worked_off_for_a_quarter_of_an_hour_is_undone(shop: Shop) -> None:
    subscription = shop.subscribe()
    shop.settle()
    shop.clock.set(at(2, 28, 20, 45))
    assert undone(shop) == set()
    shop.after(seconds=1)
    assert undone(shop) == {(subscription.id, "bill_period has been due since 2027-02-28T20:30:00Z")}
    assert wrong(shop) == set()


def test_invoices_that_wait_for_a_person_are_undone(shop: Shop) -> None:
    shop.subscribe()
    shop.settle()
    shop.clock.set(at(4, 1))
    shop.settle()
    held = shop.invoices()[1]
    assert (held.id, "it is not collected: held") in undone(shop)
    assert wrong(shop) == set()


def test_a_refund_made_at_stripe_is_undone_here(shop: Shop) -> None:
    paid(shop)
    [charge] = shop.ledger.charges(ACCOUNT)
    shop.ledger.refund(ACCOUNT, charge, 4_000)
    shop.ledger.refund(ACCOUNT, charge, 999, status="failed")
    [payment] = shop.payments()
    assert undone(shop) == {(payment.id, "4000 is refunded at Stripe, 0 here")}
    assert wrong(shop) == set()


def test_a_fee_that_stripe_knows_and_we_do_not_is_undone(shop: Shop) -> None:
    paid(shop)
    assert undone(shop) == set()
    shop.stripe.settle()
    [payment] = shop.payments()
    assert undone(shop) == {(payment.id, "Stripe knows its fee, it is not written down yet")}


def test_an_account_that_stripe_does_not_show_is_undone_and_the_others_are_checked(shop: Shop) -> None:
    paid(shop)
    shop.ledger.closed.add(ACCOUNT)
    other = Merchant("mer_other", "other", "Other", "UTC", "US", "usd", shop.clock.now(), can_transact=True)
    shop.store.overwrite(other)
    report = shop.check()
    assert [(each.record_id, each.message) for each in report.undone] == [
        (ACCOUNT, "Stripe does not let us see this account")
    ]
    assert report.counted["stripe accounts"] == 1
    with pytest.raises(ProviderRefused):
        list(shop.ledger.intents(ACCOUNT))


# --- at a second look


class Wavering:
    """An inspection in which the first reading misses a timer that the next ones have."""

    def __init__(self, shop: Shop, readings: int) -> None:
        self._shop = shop
        self._left = readings

    def records(self):
        return self._shop.inspection.records()

    def events(self):
        return self._shop.inspection.events()

    def timers(self):
        self._left -= 1
        return iter(()) if self._left >= 0 else self._shop.inspection.timers()


def test_what_looked_wrong_once_is_believed_only_if_it_still_does(shop: Shop) -> None:
    subscription = shop.subscribe()
    shop.settle()
    assert not check_invariants(Wavering(shop, 1), shop.ledger, shop.clock.now()).holds
    assert check_lasting(Wavering(shop, 1), shop.ledger, shop.clock).holds
    lasting = check_lasting(Wavering(shop, 2), shop.ledger, shop.clock)
    assert [(each.invariant, each.record_id) for each in lasting.violations] == [("I5", subscription.id)]
