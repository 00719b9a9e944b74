"""Proration: exact shares of seconds, each line rounded once, and never more credit than what was paid."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.billing.changes import Asked, Edited, Standing, edited
from chalicelib.domain.billing.coming import Coming, coming_invoices, credit_used, next_invoice
from chalicelib.domain.billing.proration import Unused
from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.billing.schedule import Epoch, Schedule
from chalicelib.domain.documents.invoices import Collection
from chalicelib.domain.documents.lines import Discount, LineItem, Tax
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import TillError
from chalicelib.domain.machines import SubscriptionStatus
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.currency import can_be_charged
from chalicelib.domain.totals import compute_totals

NEW_YORK = "America/New_York"
CURRENCIES = ("usd", "eur", "jpy", "clp", "kwd", "bhd", "isk")


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def line(minor: int, currency: str = "usd", quantity: int = 1, **changes: Any) -> LineItem:
    return LineItem("Membership", quantity, Money(minor, currency), **changes)


def subscription(
    *lines: LineItem, start: str = "2027-03-01T00:00", zone: str = NEW_YORK, **changes: Any
) -> Subscription:
    """Monthly, its first period invoiced."""
    recurrence = Recurrence(changes.pop("frequency", Frequency.MONTHLY), changes.pop("payments", None))
    epoch = Epoch.at_wall_clock(0, wall(start), recurrence.frequency, zone)
    fields: dict[str, Any] = {
        "id": "sub_1",
        "merchant_id": "mer_1",
        "secret": "s",
        "customer_id": "cus_1",
        "currency": lines[0].currency,
        "lines": lines,
        "recurrence": recurrence,
        "schedule": Schedule((epoch,)),
        "next_index": 1,
        "collection": Collection.AUTOMATIC,
        "created_at": epoch.starts_at,
        "status": SubscriptionStatus.ACTIVE,
    }
    return Subscription(**(fields | changes))


def paid(currency: str = "usd", discount: Discount | None = None) -> Standing:
    return Standing(discount, Money.zero(currency), Money(99_999_999, currency))


def owing(minor: int, currency: str = "usd", was_paid: int = 0) -> Standing:
    return Standing(None, Money(minor, currency), Money(was_paid, currency))


def change(
    before: Subscription, *lines: LineItem, at: datetime, standing: Standing | None = None, **asked: Any
) -> Edited:
    wanted = Asked(lines=lines or None, now=True, **asked)
    return edited(before, wanted, standing or paid(before.currency), at)


def test_half_of_a_month_credits_half_of_the_old_price_and_charges_half_of_the_new() -> None:
    before = subscription(line(4_900), start="2027-04-01T00:00")
    result = change(before, line(9_900), at=utc("2027-04-16T04:00"))
    assert result.change is not None
    assert (result.change.credit.minor, result.change.charge.minor, result.change.net.minor) == (2_450, 4_950, 2_500)
    names = [(each.name, each.amount.minor, each.adjustment, each.tax) for each in result.after.adjustments]
    assert names == [
        ("Unused time: Membership", -2_450, True, None),
        ("Remaining time: Membership", 4_950, True, None),
    ]
    spans = {(each.covers_from, each.covers_to) for each in result.after.adjustments}
    assert spans == {(utc("2027-04-16T04:00"), utc("2027-05-01T04:00"))}
    coming = next_invoice(result.after)
    assert (coming.totals.total.minor, coming.due.minor, coming.after.adjustments) == (12_400, 12_400, ())


def test_a_day_of_23_hours_and_one_of_25_count_as_they_are() -> None:
    spring = subscription(line(74_300), start="2027-03-01T00:00")
    # March 2027 has an hour less in New York: 743 hours, of which 23 on the 14th.
    noon = Unused.at(spring.schedule, 0, utc("2027-03-14T05:00"))
    assert (noon.seconds, noon.whole) == ((743 - 13 * 24) * 3_600, 743 * 3_600)
    after = Unused.at(spring.schedule, 0, utc("2027-03-15T04:00"))
    assert (noon.seconds - after.seconds) // 3_600 == 23
    result = change(spring, line(0), at=utc("2027-03-15T04:00"))
    assert result.after.credit.minor == 74_300 - (14 * 24 - 1) * 100
    autumn = subscription(line(72_100), start="2027-11-01T00:00")
    before, later = (Unused.at(autumn.schedule, 0, utc(at)) for at in ("2027-11-07T04:00", "2027-11-08T05:00"))
    assert (before.whole // 3_600, (before.seconds - later.seconds) // 3_600) == (721, 25)


def test_a_short_month_and_a_long_one_each_have_their_own_seconds() -> None:
    for start, days in (("2027-02-01T00:00", 28), ("2028-02-01T00:00", 29), ("2027-04-01T00:00", 30)):
        before = subscription(line(10_000), start=start, zone="UTC")
        result = change(before, line(0), at=utc(start) + timedelta(days=7))
        assert result.after.credit.minor == round(Fraction(10_000 * (days - 7), days))


def test_discounts_and_taxes_are_inside_what_is_credited_and_the_adjustment_carries_none() -> None:
    taxed = line(10_000, discount=Discount(percent=Decimal(10)), tax=Tax(Decimal("8.875")))
    before = subscription(taxed, start="2027-04-01T00:00", discount=Discount(percent=Decimal(20), duration="forever"))
    standing = paid(discount=before.discount)
    # 10,000 less a tenth, less a fifth of the rest, and the tax on that: 7,839. Half of it comes back.
    result = change(before, line(0), at=utc("2027-04-16T04:00"), standing=standing)
    assert result.after.credit.minor == 3_920
    totals = compute_totals(
        (taxed, *change(before, line(20_000), at=utc("2027-04-16T04:00"), standing=standing).after.adjustments),
        currency="usd",
        discount=before.discount,
    )
    # 8,000 of 16,000 is charged, 3,920 credited: neither is discounted or taxed again.
    assert (totals.tax.minor, totals.discount.minor, totals.total.minor) == (639, 2_800, 7_839 + 8_000 - 3_920)


def test_what_was_not_paid_counts_only_against_the_charge_of_the_same_change() -> None:
    before = subscription(line(4_900), start="2027-04-01T00:00")
    down = change(before, line(1_900), at=utc("2027-04-16T04:00"), standing=owing(4_900))
    assert (down.after.credit.minor, down.after.adjustments) == (0, ())
    assert down.settled is not None
    assert down.settled.forgone.minor == 1_500
    up = change(before, line(9_900), at=utc("2027-04-16T04:00"), standing=owing(4_900))
    assert (up.after.credit.minor, [each.amount.minor for each in up.after.adjustments]) == (0, [-2_450, 4_950])


def test_a_later_credit_takes_back_first_what_waits_for_the_next_invoice() -> None:
    at = utc("2027-04-16T04:00")
    up = change(subscription(line(4_900), start="2027-04-01T00:00"), line(9_900), at=at)
    down = change(up.after, line(1_900), at=at)
    assert (down.after.credit.minor, down.after.adjustments) == (1_500, ())


def test_a_change_of_frequency_ends_the_period_and_the_next_begins_with_the_same_second() -> None:
    before = subscription(line(4_900), start="2027-04-01T00:00")
    at = utc("2027-04-16T04:00")
    result = change(before, line(49_000), at=at, frequency=Frequency.ANNUALLY)
    after = result.after
    assert (after.schedule.period(0).end, after.schedule.period(1).start) == (at, at)
    assert after.schedule.period(1).end == utc("2028-04-16T04:00")
    assert after.schedule.invoiced_end(0) == utc("2027-05-01T04:00")
    assert (after.acts_at, after.recurrence.frequency) == (at, Frequency.ANNUALLY)
    coming = next_invoice(after)
    assert [each.amount.minor for each in coming.lines] == [49_000, -2_450]
    assert coming.totals.total.minor == 46_550


def test_a_credit_larger_than_the_first_shorter_period_is_used_up_by_the_ones_after_it() -> None:
    before = subscription(line(48_000), start="2027-04-01T00:00", frequency=Frequency.ANNUALLY)
    result = change(before, line(4_900), at=utc("2027-04-01T04:00"), frequency=Frequency.MONTHLY)
    assert (result.after.credit.minor, result.after.adjustments) == (48_000, ())
    shown = coming_invoices(result.after, 11)
    assert [each.credited.minor for each in shown] == [4_900] * 9 + [3_900, 0]
    assert [each.due.minor for each in shown] == [0] * 9 + [1_000, 4_900]


def test_a_new_date_at_once_bills_the_days_until_it_by_their_share() -> None:
    before = subscription(line(3_000), start="2027-04-01T00:00")
    result = change(before, at=utc("2027-04-11T04:00"), next_invoice_on=wall("2027-04-21").date())
    shown = coming_invoices(result.after, 2)
    assert [each.period.start for each in shown] == [utc("2027-04-11T04:00"), utc("2027-04-21T04:00")]
    # Twenty days of thirty come back; ten of the thirty-one before 21 April are billed.
    assert [each.amount.minor for each in shown[0].lines] == [968]
    assert (shown[0].credited.minor, shown[0].due.minor) == (968, 0)
    assert (shown[1].credited.minor, shown[1].due.minor) == (1_032, 1_968)


def test_a_credit_leaves_nothing_too_small_to_charge() -> None:
    assert credit_used(Money(4_900, "usd"), Money(4_880, "usd")).minor == 4_850
    assert credit_used(Money(4_900, "usd"), Money(4_900, "usd")).minor == 4_900
    assert credit_used(Money(50, "usd"), Money(20, "usd")).minor == 0
    assert credit_used(Money(1_000, "kwd"), Money(123, "kwd")).minor == 120


def test_an_adjustment_too_small_to_be_charged_alone_waits_for_a_later_invoice() -> None:
    free = subscription(line(4_900, discount=Discount(percent=Decimal(100))), start="2027-04-01T00:00")
    small = LineItem("Remaining time: Membership", 1, Money(30, "usd"), adjustment=True)
    coming = next_invoice(replace(free, adjustments=(small,)))
    assert (coming.totals.total.minor, coming.after.adjustments) == (0, (small,))


AT = st.integers(0, 30 * 86_400 - 1).map(lambda seconds: utc("2027-04-01T04:00") + timedelta(seconds=seconds))
QUANTITIES = st.integers(1, 5)


@st.composite
def line_sets(draw: st.DrawFn, currency: str) -> tuple[LineItem, ...]:
    percents = st.none() | st.sampled_from([Decimal("12.5"), Decimal("33.3333")])
    rates = st.none() | st.builds(Tax, st.sampled_from([Decimal("8.875"), Decimal(19)]), st.booleans())
    return tuple(
        line(
            draw(st.integers(20_000, 90_000)),
            currency,
            draw(QUANTITIES),
            discount=None if (percent := draw(percents)) is None else Discount(percent=percent),
            tax=draw(rates),
        )
        for _ in range(draw(st.integers(1, 3)))
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Subscription, tuple[LineItem, ...], datetime]:
    currency = draw(st.sampled_from(CURRENCIES))
    before = subscription(*draw(line_sets(currency)), start="2027-04-01T00:00")
    return before, draw(line_sets(currency)), draw(AT)


def value_of(after: Subscription) -> int:
    """What an agreement still asks for of its running period, less what it gives back."""
    return sum(each.amount.minor for each in after.adjustments) - after.credit.minor


def in_seconds(
    before: Subscription, lines: tuple[LineItem, ...], at: datetime
) -> tuple[list[Fraction], list[Fraction]]:
    share = Fraction(int((before.schedule.period(0).end - at).total_seconds()), before.schedule.period(0).seconds)
    old, new = (compute_totals(each, currency=before.currency).lines for each in (before.lines, lines))
    return [sums.total.minor * share for sums in old], [sums.total.minor * share for sums in new]


@given(cases())
def test_every_line_is_its_share_of_seconds_rounded_once(
    case: tuple[Subscription, tuple[LineItem, ...], datetime],
) -> None:
    before, lines, at = case
    result = change(before, *lines, at=at)
    assert result.change is not None
    old, new = in_seconds(before, lines, at)
    # Half a minor unit at most for each line, and each of them once. What stays as it was is not among the lines.
    assert abs(result.change.net.minor - sum(new) + sum(old)) <= Fraction(len(old) + len(new), 2)
    assert {-each.amount.minor for each in result.change.credits} <= {half_up(value) for value in old}
    assert {each.amount.minor for each in result.change.charges} <= {half_up(value) for value in new}


def half_up(value: Fraction) -> int:
    return (value + Fraction(1, 2)).__floor__()


@given(cases(), st.integers(0, 400_000))
def test_a_credit_is_never_above_what_was_paid(
    case: tuple[Subscription, tuple[LineItem, ...], datetime], owed: int
) -> None:
    before, lines, at = case
    price = compute_totals(before.lines, currency=before.currency).total.minor
    owed = min(owed, price)
    result = change(before, *lines, at=at, standing=owing(owed, before.currency, price - owed))
    assert 0 <= result.after.credit.minor <= price - owed
    for each in coming_invoices(result.after, 3):
        assert 0 <= each.credited.minor <= each.totals.total.minor
        assert can_be_charged(each.due)


@given(cases())
def test_up_and_down_again_in_the_same_second_nets_to_zero(
    case: tuple[Subscription, tuple[LineItem, ...], datetime],
) -> None:
    before, lines, at = case
    there = change(before, *lines, at=at)
    back = change(there.after, *before.lines, at=at)
    assert value_of(back.after) == 0
    assert there.change is not None
    assert back.change is not None
    assert there.change.net + back.change.net == Money.zero(before.currency)


def _dues(shown: tuple[Coming, ...]) -> list[int]:
    return [each.due.minor for each in shown]


def test_what_stays_as_it_is_makes_no_lines() -> None:
    kept, gone = line(4_900), LineItem("Locker", 1, Money(900, "usd"))
    before = subscription(kept, gone, start="2027-04-01T00:00")
    result = change(before, kept, at=utc("2027-04-16T04:00"))
    assert result.change is not None
    assert [each.name for each in result.change.lines] == ["Unused time: Locker"]
    assert _dues(coming_invoices(result.after, 2)) == [4_450, 4_900]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"next_invoice_on": wall("2027-04-01").date()}, "invalid_date"),
        ({"next_invoice_on": wall("2027-06-01").date()}, "invalid_date"),
        ({"lines": (line(4_901),), "bill_now": True}, "below_minimum"),
        ({"lines": (line(100_000_000),)}, "above_maximum"),
        ({"lines": (line(10),)}, "below_minimum"),
    ],
)
def test_what_cannot_be_is_refused(asked: dict[str, Any], code: str) -> None:
    before = subscription(line(4_900), start="2027-04-01T00:00")
    with pytest.raises(TillError) as refused:
        edited(before, Asked(now=True, **asked), paid(), utc("2027-04-16T04:00"))
    assert refused.value.code == code
