"""What a buyer agrees to: today's sum and every later charge, which is what the scheduler then does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.billing.agreement import Plan, PlannedSubscription, plan
from chalicelib.domain.billing.charges import FirstPeriod, period_totals
from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.documents.lines import Discount, DiscountDuration, Fee, LineItem, Tax
from chalicelib.domain.errors import CurrencyMismatch, TillError
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.totals import compute_totals

NEW_YORK = "America/New_York"
AGREED = datetime(2027, 1, 31, 20, 30, 0, 500, tzinfo=UTC)  # 15:30 in New York
MONTHLY = Recurrence(Frequency.MONTHLY)
YEARLY = Recurrence(Frequency.ANNUALLY)
IN_A_WEEK = replace(MONTHLY, start=Start(StartType.AFTER_DAYS, count=7))
IN_A_MONTH = replace(YEARLY, start=Start(StartType.AFTER_MONTHS, count=1))


def usd(minor: int) -> Money:
    return Money(minor, "usd")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def line(
    unit: int, recurring: Recurrence | None = None, quantity: int = 1, discount: Discount | None = None
) -> LineItem:
    return LineItem("Item", quantity, usd(unit), discount=discount, recurring=recurring)


def agree(
    *lines: LineItem,
    discount: Discount | None = None,
    fees: tuple[Fee, ...] = (),
    first_period: FirstPeriod = FirstPeriod.PRORATED,
    agreed_at: datetime = AGREED,
) -> Plan:
    return plan(
        lines,
        currency="usd",
        discount=discount,
        fees=fees,
        agreed_at=agreed_at,
        zone=NEW_YORK,
        first_period=first_period,
    )


def only(agreed: Plan) -> PlannedSubscription:
    (subscription,) = agreed.groups
    return subscription


def later(subscription: PlannedSubscription, count: int) -> list[tuple[str, int]]:
    return [(charge.at.isoformat()[:16], charge.totals.total.minor) for charge in subscription.later_charges(count)]


def test_a_one_time_line_is_all_due_today() -> None:
    agreed = agree(line(4_900, quantity=2))
    assert (agreed.due_today.total, agreed.due_today_positions, agreed.groups) == (usd(9_800), (0,), ())
    assert agreed.first_later_charge is None


def test_a_monthly_line_is_charged_today_and_then_on_the_last_of_february() -> None:
    agreed = agree(line(2_000, MONTHLY))
    subscription = only(agreed)
    assert agreed.due_today.total == usd(2_000)
    assert (subscription.starts_at, subscription.first_invoice_index) == (utc("2027-01-31T20:30"), 1)
    assert (subscription.number_of_payments, subscription.payments_left) == (None, None)
    assert subscription.next_charge_at == utc("2027-02-28T20:30")
    assert subscription.recurring_totals.total == usd(2_000)
    assert later(subscription, 3) == [
        ("2027-02-28T20:30", 2_000),
        ("2027-03-31T19:30", 2_000),
        ("2027-04-30T19:30", 2_000),
    ]


def test_one_cart_makes_several_subscriptions_and_one_invoice() -> None:
    agreed = agree(line(5_000), line(2_000, MONTHLY), line(30_000, YEARLY), line(1_000, MONTHLY), line(700, IN_A_WEEK))
    assert agreed.due_today_positions == (0, 1, 2, 3)
    assert agreed.due_today.total == usd(38_000)
    assert [(group.positions, group.first_invoice_index) for group in agreed.groups] == [
        ((1, 3), 1),
        ((2,), 1),
        ((4,), 0),
    ]
    assert [group.next_charge_at for group in agreed.groups] == [
        utc("2027-02-28T20:30"),
        utc("2028-01-31T20:30"),
        utc("2027-02-07T20:30"),
    ]
    assert agreed.first_later_charge is not None
    assert (agreed.first_later_charge.at, agreed.first_later_charge.totals.total) == (utc("2027-02-07T20:30"), usd(700))


def test_a_delayed_start_costs_nothing_today() -> None:
    agreed = agree(line(2_000, IN_A_WEEK))
    assert (agreed.due_today.total, agreed.due_today_positions, agreed.due_today_lines) == (usd(0), (), ())
    assert only(agreed).first_invoice_index == 0
    assert later(only(agreed), 2) == [("2027-02-07T20:30", 2_000), ("2027-03-07T20:30", 2_000)]


def test_a_date_that_passed_since_the_link_was_made_means_today() -> None:
    past = replace(MONTHLY, start=Start(StartType.ON_DATE, on=date(2027, 1, 5)))
    agreed = agree(line(2_000, past))
    assert agreed.due_today.total == usd(2_000)
    assert only(agreed).starts_at == utc("2027-01-31T20:30")
    assert only(agreed).recurrence == past


def test_a_date_of_today_keeps_its_midnight() -> None:
    agreed = agree(line(2_000, replace(MONTHLY, start=Start(StartType.ON_DATE, on=date(2027, 1, 31)))))
    assert agreed.due_today.total == usd(2_000)
    assert (only(agreed).starts_at, only(agreed).next_charge_at) == (utc("2027-01-31T05:00"), utc("2027-02-28T05:00"))


def test_a_fixed_term_counts_today_s_payment() -> None:
    three = only(agree(line(2_000, replace(MONTHLY, number_of_payments=3))))
    assert (three.number_of_payments, three.payments_left, len(three.later_charges(10))) == (3, 2, 2)
    one = only(agree(line(2_000, replace(MONTHLY, number_of_payments=1))))
    assert (one.payments_left, one.next_charge, one.next_charge_at) == (0, None, None)
    delayed = only(agree(line(2_000, replace(IN_A_WEEK, number_of_payments=1))))
    assert (delayed.payments_left, delayed.next_charge_at) == (1, utc("2027-02-07T20:30"))


def test_line_discounts_repeat_and_order_discounts_and_fees_count_once() -> None:
    agreed = agree(
        line(2_000, MONTHLY, 2, Discount(percent=Decimal("10"))),
        discount=Discount(percent=Decimal("50")),
        fees=(Fee("Setup", amount=usd(500)),),
    )
    assert agreed.due_today.total == usd(2_300)
    assert later(only(agreed), 2) == [("2027-02-28T20:30", 3_600), ("2027-03-31T19:30", 3_600)]
    assert (only(agreed).discount, only(agreed).fees) == (None, ())


@pytest.mark.parametrize(
    ("duration", "amounts", "regular"),
    [
        ("once", [1_000, 2_000, 2_000, 2_000], 2_000),
        (3, [1_000, 1_000, 1_000, 2_000], 2_000),
        ("forever", [1_000] * 4, 1_000),
    ],
)
def test_an_order_discount_counts_for_as_long_as_it_says(
    duration: DiscountDuration, amounts: list[int], regular: int
) -> None:
    agreed = agree(line(2_000, MONTHLY), discount=Discount(percent=Decimal("50"), duration=duration))
    charged = [agreed.due_today.total, *(charge.totals.total for charge in only(agreed).later_charges(3))]
    assert charged == [usd(amount) for amount in amounts]
    assert only(agreed).recurring_totals.total == usd(regular)


def test_a_fixed_discount_forever_is_shared_between_subscriptions_and_never_doubled() -> None:
    forever = Discount(amount=usd(900), duration="forever")
    agreed = agree(line(5_000), line(2_000, MONTHLY), line(1_000, YEARLY), discount=forever)
    assert agreed.due_today.total == usd(7_100)
    assert [group.recurring_totals.total for group in agreed.groups] == [usd(1_400), usd(700)]
    assert [group.discount for group in agreed.groups] == [
        replace(forever, amount=usd(600)),
        replace(forever, amount=usd(300)),
    ]
    alone = agree(line(5_000), line(2_000, MONTHLY), discount=forever)
    assert only(alone).recurring_totals.total == usd(1_100)


def test_with_nothing_due_today_what_counts_once_goes_with_the_first_to_start() -> None:
    agreed = agree(
        line(30_000, IN_A_MONTH),
        line(2_000, IN_A_WEEK),
        discount=Discount(amount=usd(500)),
        fees=(Fee("Setup", amount=usd(300)),),
    )
    yearly, monthly = agreed.groups
    assert agreed.due_today.total == usd(0)
    assert later(yearly, 2) == [("2027-02-28T20:30", 30_000), ("2028-02-28T20:30", 30_000)]
    assert later(monthly, 2) == [("2027-02-07T20:30", 1_800), ("2027-03-07T20:30", 2_000)]


def test_with_something_due_today_a_delayed_start_gets_no_share_of_what_counts_once() -> None:
    agreed = agree(line(1_000), line(2_000, IN_A_WEEK), discount=Discount(percent=Decimal("50")))
    assert agreed.due_today.total == usd(500)
    assert later(only(agreed), 1) == [("2027-02-07T20:30", 2_000)]


@pytest.mark.parametrize(
    ("first_period", "today"),
    # 10 February to 1 March is 19 of 28 days: 20.20 x 19 / 28 = 13.707, less 1.00 x 19 / 28 = 0.679, each rounded once.
    [(FirstPeriod.PRORATED, 1_371 - 68), (FirstPeriod.FULL, 2_020 - 100), (FirstPeriod.FREE, 0)],
)
def test_the_way_to_an_anchor_day_costs_its_share_or_all_or_nothing(first_period: FirstPeriod, today: int) -> None:
    agreed_at = utc("2027-02-10T20:30")
    anchored = line(1_010, replace(MONTHLY, anchor_day=1), 2, Discount(amount=usd(100)))
    agreed = agree(anchored, agreed_at=agreed_at, first_period=first_period)
    assert agreed.due_today.total == usd(today)
    assert agreed.due_today_lines[0].name == "Item"
    assert later(only(agreed), 2) == [("2027-03-01T20:30", 1_920), ("2027-04-01T19:30", 1_920)]


def test_a_delayed_start_before_an_anchor_day_is_prorated_when_it_comes() -> None:
    agreed = agree(line(2_800, replace(IN_A_WEEK, anchor_day=14)))  # starts on 7 February
    assert agreed.due_today.total == usd(0)
    # 7 of the 31 days from 14 January to 14 February.
    assert later(only(agreed), 2) == [("2027-02-07T20:30", 632), ("2027-02-14T20:30", 2_800)]


def test_amounts_that_stripe_would_refuse_are_found_before_anyone_pays() -> None:
    agree(line(0), line(2_000, MONTHLY)).check_chargeable()
    for refused, code in [
        (agree(line(49)), "below_minimum"),
        (agree(line(49, IN_A_WEEK)), "below_minimum"),
        (agree(line(5_000), line(49, MONTHLY)), "below_minimum"),
        (agree(line(2_000, MONTHLY), discount=Discount(amount=usd(1_960), duration="forever")), "below_minimum"),
        (agree(line(99_999_999, IN_A_WEEK, 2)), "above_maximum"),
    ]:
        with pytest.raises(TillError) as refusal:
            refused.check_chargeable()
        assert refusal.value.code == code


def test_currencies_never_mix_in_a_cart() -> None:
    for euros in (LineItem("Item", 1, Money(100, "eur")), LineItem("Item", 1, Money(100, "eur"), recurring=IN_A_WEEK)):
        with pytest.raises(CurrencyMismatch):
            agree(line(100), euros)


RECURRENCES = st.builds(
    Recurrence,
    st.sampled_from([Frequency.WEEKLY, Frequency.MONTHLY, Frequency.ANNUALLY]),
    st.sampled_from([None, 1, 3]),
    st.sampled_from([Start(), Start(StartType.AFTER_DAYS, count=10), Start(StartType.ON_DATE, on=date(2027, 6, 30))]),
)
CARTS = st.lists(
    st.builds(
        LineItem,
        name=st.just("Item"),
        quantity=st.integers(1, 20),
        unit_amount=st.integers(0, 50_000).map(usd),
        discount=st.none() | st.integers(1, 100).map(lambda percent: Discount(percent=Decimal(percent))),
        tax=st.none() | st.builds(Tax, st.sampled_from([Decimal("8.875"), Decimal("19")]), st.booleans()),
        recurring=st.none() | RECURRENCES,
    ),
    min_size=1,
    max_size=6,
)
DISCOUNTS = st.none() | st.builds(
    Discount,
    amount=st.integers(1, 20_000).map(usd),
    duration=st.sampled_from(["once", "forever", 2]),
)
MOMENTS = st.integers(0, 4 * 365 * 86_400).map(lambda seconds: utc("2026-01-01T00:00") + timedelta(seconds=seconds))


@given(CARTS, DISCOUNTS, MOMENTS)
def test_what_is_shown_is_what_the_schedule_then_does(
    cart: list[LineItem], discount: Discount | None, agreed_at: datetime
) -> None:
    shown = plan(cart, currency="usd", discount=discount, agreed_at=agreed_at, zone=NEW_YORK)
    places = [*shown.due_today_positions]
    for subscription in shown.groups:
        charges = subscription.later_charges(4)
        assert [charge.period.index for charge in charges] == list(
            range(subscription.first_invoice_index, subscription.first_invoice_index + len(charges))
        )
        # The scheduler knows only what booking stored: lines, schedule, index and the order discount carried along.
        for charge in charges:
            done = period_totals(
                subscription.lines,
                currency="usd",
                schedule=subscription.schedule,
                index=charge.period.index,
                discount=subscription.discount,
                fees=subscription.fees,
            )
            assert (charge.at, charge.totals) == (subscription.schedule.period(charge.period.index).start, done)
            assert charge.at > agreed_at
        if subscription.first_invoice_index == 0:
            places += subscription.positions
        else:
            assert set(subscription.positions) <= set(shown.due_today_positions)
    assert sorted(places) == list(range(len(cart)))


@given(CARTS, DISCOUNTS, MOMENTS)
def test_an_order_discount_never_gives_away_more_than_itself_in_one_round(
    cart: list[LineItem], discount: Discount | None, agreed_at: datetime
) -> None:
    shown = plan(cart, currency="usd", discount=discount, agreed_at=agreed_at, zone=NEW_YORK)
    if discount is None or discount.amount is None:
        return
    plain = compute_totals(shown.due_today_lines, currency="usd")
    assert shown.due_today.discount - plain.discount <= discount.amount
    carried = [group.discount.amount for group in shown.groups if group.discount and group.discount.amount]
    assert Money.total(carried, "usd") <= discount.amount
