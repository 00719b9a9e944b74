"""Changes of a subscription: with its next period or at once, what they credit and charge, and what stops them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.documents.edits import SubscriptionEdit
from chalicelib.domain.documents.lines import Discount, LineItem
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.domain.errors import TillError
from chalicelib.domain.machines import SubscriptionStatus
from chalicelib.services.billing.issuing import issue_due
from chalicelib.services.editing import EditOrder, edit_subscription, preview_edit
from chalicelib.services.links import NewLink, create_link
from chalicelib.services.pausing import pause
from chalicelib.services.ports import Update
from chalicelib.services.standing_in import PortsWith
from chalicelib.services.subscriptions import cancel
from chalicelib.services.upcoming import upcoming
from tests.services.shop import Shop, monthly_line, usd
from tests.services.test_pausing import at, billing_timers, everything, put_into


@pytest.fixture
def shop() -> Shop:
    return Shop(datetime(2027, 4, 1, 4, tzinfo=UTC))


@pytest.fixture
def subscription(shop: Shop) -> Subscription:
    """From 1 April 2027, 00:00 in New York, for 49.00 a month, its first month paid."""
    made = shop.subscribe()
    shop.settle()
    return made


HALF = at(4, 16, 4, 0)
"""Half of the first month is left."""


def line(minor: int) -> LineItem:
    return LineItem("Membership", 1, usd(minor))


def edit(shop: Shop, subscription: Subscription, *lines: LineItem, **order: Any) -> Subscription:
    return edit_subscription(
        shop.ports, shop.merchant.id, subscription.id, EditOrder(lines or None, **order), actor="api:key"
    )


def sums(shop: Shop) -> list[tuple[int, int, str]]:
    """Total, what was credited, and status of each invoice."""
    return [(each.totals.total.minor, each.credited.minor, str(each.status)) for each in shop.invoices()]


def taken(shop: Shop) -> list[int]:
    return sorted(intent.amount.minor for intent in shop.succeeded())


def test_other_lines_from_the_next_period_on_wait_for_it(shop: Shop, subscription: Subscription) -> None:
    shop.clock.set(HALF)
    after = edit(shop, subscription, line(9_900))
    assert after.pending is not None
    assert [each.unit_amount for each in after.lines] == [usd(4_900)]
    assert [each.totals.total.minor for each in upcoming(after, 2)] == [9_900, 9_900]
    assert [timer.due for timer in billing_timers(shop)] == [at(5, 1, 4, 0)]
    shop.until(at(5, 1, 4, 0))
    assert sums(shop) == [(4_900, 0, "paid"), (9_900, 0, "paid")]
    now = shop.subscription(subscription.id)
    assert (now.pending, [each.unit_amount for each in now.lines]) == (None, [usd(9_900)])
    assert shop.event_types().count("subscription.updated") == 2


def test_an_upgrade_at_once_stands_on_the_next_invoice(shop: Shop, subscription: Subscription) -> None:
    shop.clock.set(HALF)
    edit(shop, subscription, line(9_900), now=True)
    assert len(shop.invoices()) == 1
    shop.until(at(5, 1, 4, 0))
    assert sums(shop) == [(4_900, 0, "paid"), (12_400, 0, "paid")]
    assert [each.amount.minor for each in shop.invoices()[1].lines] == [9_900, -2_450, 4_950]
    assert shop.subscription(subscription.id).adjustments == ()
    shop.until(at(6, 1, 4, 0))
    assert sums(shop)[2:] == [(9_900, 0, "paid")]


def test_an_upgrade_billed_now_is_an_invoice_of_its_own_beside_the_periods(
    shop: Shop, subscription: Subscription
) -> None:
    shop.clock.set(HALF)
    after = edit(shop, subscription, line(9_900), now=True, bill_now=True)
    [_, invoice] = shop.invoices()
    assert (invoice.number, invoice.period, invoice.edit_number, invoice.status) == ("INV-0002", None, 1, "open")
    assert [each.amount.minor for each in invoice.lines] == [-2_450, 4_950]
    assert after.adjustment_invoices == (invoice.id,)
    assert [timer.record_id for timer in shop.store.timers if timer.kind is TimerKind.CHARGE_INVOICE] == [invoice.id]
    shop.settle()
    assert sums(shop) == [(4_900, 0, "paid"), (2_500, 0, "paid")]
    # It is a payment, and none of the periods'.
    assert shop.subscription(subscription.id).payments_made == 1
    shop.until(at(5, 1, 4, 0))
    assert sums(shop)[2:] == [(9_900, 0, "paid")]
    now = shop.subscription(subscription.id)
    assert (now.payments_made, now.adjustment_invoices) == (2, ())
    assert taken(shop) == [2_500, 4_900, 9_900]


def test_a_downgrade_is_a_credit_that_later_invoices_use_first(shop: Shop, subscription: Subscription) -> None:
    shop.clock.set(HALF)
    after = edit(shop, subscription, line(900), now=True)
    assert (after.credit.minor, after.adjustments) == (2_000, ())
    shop.until(at(7, 1, 4, 0))
    assert sums(shop)[1:] == [(900, 900, "paid"), (900, 900, "paid"), (900, 200, "paid")]
    assert [each.amount_due.minor for each in shop.invoices()] == [0, 0, 0, 0]
    assert shop.subscription(subscription.id).credit.minor == 0
    # What the credit covers whole is settled without a charge.
    assert taken(shop) == [700, 4_900]
    assert [len(each.parts) for each in shop.invoices()] == [1, 0, 0, 1]


def test_an_unpaid_period_gives_no_credit_that_could_be_kept(shop: Shop, subscription: Subscription) -> None:
    assert subscription.method is not None
    shop.stripe.behave(subscription.method.payment_method_id, "pm_card_chargeCustomerFail")
    shop.clock.set(at(5, 1, 4, 0))
    shop.settle()
    # Its next try is a day after the first.
    shop.clock.set(at(5, 1, 16, 0))
    after = edit(shop, subscription, line(900), now=True)
    assert (after.status, after.credit.minor, after.adjustments) == ("past_due", 0, ())
    [kept] = shop.store.all(SubscriptionEdit)
    assert (kept.granted.minor, kept.forgone.minor) == (0, -kept.net.minor)


def test_another_frequency_at_once_begins_its_own_period_with_what_is_left_as_credit(
    shop: Shop, subscription: Subscription
) -> None:
    shop.clock.set(HALF)
    edit(shop, subscription, line(49_000), frequency=Frequency.ANNUALLY, now=True)
    shop.settle()
    first, second = shop.invoices()
    assert second.period is not None
    assert (second.period.index, second.period.start, second.period.end) == (
        1,
        HALF,
        datetime(2028, 4, 16, 4, tzinfo=UTC),
    )
    assert (second.totals.total.minor, second.status) == (46_550, "paid")
    # What was issued stays as it was.
    assert first.period is not None
    assert first.period.end == at(5, 1, 4, 0)
    assert shop.subscription(subscription.id).schedule.period(0).end == HALF


def test_another_frequency_from_the_next_period_on_keeps_its_date(shop: Shop, subscription: Subscription) -> None:
    after = edit(shop, subscription, line(49_000), frequency=Frequency.ANNUALLY)
    assert (after.recurrence.frequency, after.next_invoice_at) == (Frequency.MONTHLY, at(5, 1, 4, 0))
    shop.until(at(5, 1, 4, 0))
    now = shop.subscription(subscription.id)
    assert (now.recurrence.frequency, now.next_invoice_at) == (Frequency.ANNUALLY, datetime(2028, 5, 1, 4, tzinfo=UTC))
    assert sums(shop)[1:] == [(49_000, 0, "paid")]


def test_another_date_moves_the_timer_in_the_same_transaction(shop: Shop, subscription: Subscription) -> None:
    after = edit(shop, subscription, next_invoice_on=date(2027, 5, 20))
    assert after.next_invoice_at == at(5, 20, 4, 0)
    assert [timer.due for timer in billing_timers(shop)] == [at(5, 20, 4, 0)]
    assert after.schedule.period(0).end == at(5, 1, 4, 0)
    shop.until(at(6, 20, 4, 0))
    assert [each.period and each.period.start for each in shop.invoices()][1:] == [at(5, 20, 4, 0), at(6, 20, 4, 0)]


def test_a_discount_that_counted_once_is_inside_what_comes_back(shop: Shop) -> None:
    wanted = NewLink("Half", "usd", (monthly_line(),), discount=Discount(amount=usd(2_400)))
    link = create_link(shop.ports, shop.merchant.id, wanted, actor="test")
    form = shop.buyer(link, expected_total=2_500)
    assert shop.press(form).ending == "paid"
    shop.settle()
    [subscription] = shop.store.all(Subscription)
    shop.clock.set(HALF)
    up = edit(shop, subscription, line(9_900), now=True)
    # 25.00 was paid, so half of that comes back, and the new price has the same discount in this period.
    assert [each.amount.minor for each in up.adjustments] == [-1_250, 3_750]
    down = edit(shop, subscription, line(4_900), now=True)
    assert (down.adjustments, down.credit.minor) == ((), 0)


def test_a_refunded_period_gives_no_credit(shop: Shop, subscription: Subscription) -> None:
    [payment] = shop.payments()
    shop.refund(payment)
    shop.settle()
    shop.clock.set(HALF)
    assert edit(shop, subscription, line(900), now=True).credit.minor == 0


def test_a_preview_of_a_change_writes_nothing_and_is_the_change(shop: Shop, subscription: Subscription) -> None:
    shop.clock.set(HALF)
    before = everything(shop)
    order = EditOrder((line(9_900),), now=True)
    shown = preview_edit(shop.ports, shop.merchant.id, subscription.id, order)
    assert everything(shop) == before
    done = edit_subscription(shop.ports, shop.merchant.id, subscription.id, order, actor="api:key")
    assert upcoming(done, 3) == upcoming(shown.after, 3)
    assert shown.change is not None
    assert (shown.change.credit.minor, shown.change.charge.minor) == (2_450, 4_950)


def refused(shop: Shop, subscription: Subscription, *lines: LineItem, **order: Any) -> str:
    """The code of a refusal that changed nothing."""
    before = everything(shop)
    with pytest.raises(TillError) as refusal:
        edit(shop, subscription, *lines, **order)
    assert everything(shop) == before
    return refusal.value.code


def test_a_change_at_once_waits_while_the_period_is_being_charged(shop: Shop, subscription: Subscription) -> None:
    shop.clock.set(at(5, 1, 4, 0))
    assert refused(shop, subscription, line(9_900), now=True) == "payment_in_progress"
    # The period is issued, and its charge is due.
    timer = billing_timers(shop)[0]
    issue_due(shop.ports, shop.merchant.id, [timer])
    assert refused(shop, subscription, line(9_900), now=True) == "payment_in_progress"
    [invoice] = [each for each in shop.invoices() if each.status == "open"]
    claimed = invoice.with_part(invoice.part.claimed(shop.clock.now()))
    shop.store.commit("claim", [Update(replace(claimed, charge_at=at(5, 2)))])
    assert refused(shop, subscription, line(9_900), now=True) == "payment_in_progress"
    shop.left_broken = "its charge was put off by hand"


@pytest.mark.parametrize("state", list(SubscriptionStatus))
def test_every_state_takes_a_change_or_refuses_it_whole(
    shop: Shop, subscription: Subscription, state: SubscriptionStatus
) -> None:
    put_into(shop, subscription, state)
    shop.clock.set(HALF)
    if state in (SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED):
        for now in (False, True):
            assert refused(shop, subscription, line(9_900), now=now) == "state_conflict"
        return
    assert edit(shop, subscription, line(9_900)).status is state
    if state is SubscriptionStatus.PAUSED:
        assert refused(shop, subscription, line(1_900), now=True) == "state_conflict"
        assert refused(shop, subscription, next_invoice_on=date(2027, 6, 1)) == "state_conflict"
    else:
        assert edit(shop, subscription, line(1_900), now=True).status is state


def test_a_change_of_lines_in_a_pause_counts_from_its_end(shop: Shop, subscription: Subscription) -> None:
    pause(shop.ports, shop.merchant.id, subscription.id, until=date(2027, 6, 10), actor="api:key")
    edit(shop, subscription, line(9_900))
    shop.until(at(7, 2))
    assert sums(shop)[1:] == [(9_900, 0, "paid")]


def test_nothing_waits_for_an_invoice_that_never_comes(shop: Shop, subscription: Subscription) -> None:
    cancel(shop.ports, shop.merchant.id, subscription.id, at="period_end", actor="api:key")
    shop.clock.set(HALF)
    assert refused(shop, subscription, line(9_900), now=True) == "invalid_value"
    assert refused(shop, subscription, line(9_900), frequency=Frequency.WEEKLY, now=True) == "state_conflict"
    edit(shop, subscription, line(9_900), now=True, bill_now=True)
    shop.settle()
    assert sums(shop)[1:] == [(2_500, 0, "paid")]


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"next_invoice_on": date(2027, 3, 31)}, "invalid_date"),
        ({"next_invoice_on": date(2027, 7, 1), "now": True}, "invalid_date"),
        ({"lines": (line(10),)}, "below_minimum"),
        ({"lines": (line(99_999_999), line(99_999_999))}, "above_maximum"),
        ({"lines": (line(4_950),), "now": True, "bill_now": True}, "below_minimum"),
    ],
)
def test_what_makes_no_sense_is_refused_whole(
    shop: Shop, subscription: Subscription, order: dict[str, Any], code: str
) -> None:
    shop.clock.set(HALF)
    lines = order.pop("lines", ())
    assert refused(shop, subscription, *lines, **order) == code


def test_two_changes_in_one_second_leave_what_one_would(shop: Shop, subscription: Subscription) -> None:
    shop.clock.set(HALF + timedelta(seconds=7))
    edit(shop, subscription, line(9_900), now=True)
    back = edit(shop, subscription, line(4_900), now=True)
    assert (back.adjustments, back.credit.minor, back.edits) == ((), 0, 2)
    shop.until(at(5, 1, 4, 0))
    assert sums(shop)[1:] == [(4_900, 0, "paid")]


def test_a_declined_invoice_of_a_change_makes_the_subscription_past_due_until_it_is_paid(
    shop: Shop, subscription: Subscription
) -> None:
    assert subscription.method is not None
    shop.stripe.behave(subscription.method.payment_method_id, "pm_card_chargeCustomerFail")
    shop.clock.set(HALF)
    edit(shop, subscription, line(9_900), now=True, bill_now=True)
    shop.settle()
    behind = shop.subscription(subscription.id)
    [_, invoice] = shop.invoices()
    assert (behind.status, behind.past_due_invoices) == ("past_due", (invoice.id,))
    assert invoice.part.attempts[0].outcome is AttemptOutcome.DECLINED
    # What of it was not paid is not given back.
    assert edit(shop, subscription, line(4_900), now=True).credit.minor == 0


class _Meanwhile:
    """Records on which something happens right before the first transaction."""

    def __init__(self, records: Any, happens: Callable[[], None]) -> None:
        self._records = records
        self._happens: list[Callable[[], None]] = [happens]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def commit(self, operation: str, writes: Any) -> None:
        while self._happens:
            self._happens.pop()()
        self._records.commit(operation, writes)


def test_a_refund_that_comes_in_between_is_seen_before_any_credit_is_given(
    shop: Shop, subscription: Subscription
) -> None:
    [payment] = shop.payments()
    shop.clock.set(HALF)

    def refunded_meanwhile() -> None:
        shop.refund(payment)
        shop.settle()

    meanwhile = _Meanwhile(shop.ports.records, refunded_meanwhile)
    ports = PortsWith(shop.ports, lambda _: meanwhile)
    order = EditOrder((line(900),), now=True)
    done = edit_subscription(ports, shop.merchant.id, subscription.id, order, actor="api:key")
    assert done.credit.minor == 0
