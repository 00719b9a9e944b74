"""What a preview shows is what the scheduler then does, for whatever subscription."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from chalicelib.domain.billing.charges import FirstPeriod
from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.billing.schedule import months_in
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Collection
from chalicelib.domain.documents.lines import Discount, Fee, LineItem, Tax
from chalicelib.domain.errors import TillError
from chalicelib.services.account import update_account
from chalicelib.services.customers import NewCustomer, create_customer
from chalicelib.services.subscribing import NewSubscription, create_subscription, preview_draft
from chalicelib.services.upcoming import Upcoming, upcoming
from tests.services.shop import Shop, usd

ZONES = ("America/New_York", "Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12", "Australia/Lord_Howe", "UTC")
FIRST = datetime(2027, 1, 1, tzinfo=UTC)
SHOWN = 5

percents = st.sampled_from([Decimal(text) for text in ("2.5", "12.5", "33.3333", "100")])
discounts = st.builds(
    lambda off, duration: Discount(**off, duration=duration),
    st.one_of(
        st.builds(lambda minor: {"amount": usd(minor)}, st.integers(1, 3_000)),
        st.builds(lambda percent: {"percent": percent}, percents),
    ),
    st.sampled_from(["once", "forever", 2, 3]),
)
fees = st.builds(Fee, st.just("Setup"), st.integers(1, 2_000).map(usd))
taxes = st.builds(Tax, st.sampled_from([Decimal("8.875"), Decimal("19")]), st.booleans())
lines = st.lists(
    st.builds(
        LineItem,
        st.just("Membership"),
        st.integers(1, 4),
        st.integers(500, 90_000).map(usd),
        discount=st.none() | st.builds(Discount, percent=percents),
        tax=st.none() | taxes,
    ),
    min_size=1,
    max_size=3,
).map(tuple)
moments = st.integers(0, 456 * 864_000).map(lambda tenths: FIRST + tenths * timedelta(milliseconds=100))


@st.composite
def subscriptions(draw: st.DrawFn) -> tuple[datetime, str, NewSubscription]:
    """A time, a zone, and a subscription that is agreed to then and starts then or within the following year."""
    now, zone = draw(moments), draw(st.sampled_from(ZONES))
    ahead = st.integers(2, 400)
    start = draw(
        st.one_of(
            st.just(Start()),
            ahead.map(lambda n: Start(StartType.AFTER_DAYS, n)),
            st.integers(1, 12).map(lambda n: Start(StartType.AFTER_MONTHS, n)),
            ahead.map(lambda n: Start(StartType.ON_DATE, on=(now + timedelta(days=n)).date())),
            ahead.map(lambda n: Start(StartType.ON_DATE, at=now + timedelta(days=n))),
        )
    )
    frequency = draw(st.sampled_from(list(Frequency)))
    anchor = draw(st.none() | st.integers(1, 31)) if months_in(frequency) is not None else None
    payments = draw(st.none() | st.integers(1, SHOWN + 1))
    new = NewSubscription(
        currency="usd",
        lines=draw(lines),
        recurrence=Recurrence(frequency, payments, start, anchor),
        collection=draw(st.sampled_from(list(Collection))),
        discount=draw(st.none() | discounts),
        fees=tuple(draw(st.lists(fees, max_size=1))),
        first_period=draw(st.sampled_from(list(FirstPeriod))),
    )
    return now, zone, new


def looked_at(shop: Shop, new: NewSubscription) -> list[Upcoming] | str:
    """What a preview shows, or the code that it is refused with."""
    try:
        return preview_draft(shop.ports, shop.merchant.id, new, SHOWN)
    except TillError as error:
        return error.code


def run_through(shop: Shop, shown: list[Upcoming]) -> None:
    """The scheduler at each time that was shown and a second before, as long as it would do anything."""
    for each in shown:
        for when in (each.period.invoice_at - timedelta(seconds=1), each.period.invoice_at):
            shop.clock.set(max(when, shop.clock.now()))
            shop.settle()


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(subscriptions())
def test_dates_periods_and_totals_are_those_that_were_shown(case: tuple[datetime, str, NewSubscription]) -> None:
    now, zone, new = case
    shop = Shop(now)
    update_account(shop.ports, shop.merchant.id, {"timezone": zone}, actor="test")
    customer: Customer = create_customer(shop.ports, shop.merchant.id, NewCustomer("ada@example.com"), actor="test")
    before: Any = (dict(shop.store._rows), dict(shop.store._timers))
    shown = looked_at(shop, new)
    assert (shop.store._rows, shop.store._timers) == before
    event("refused" if isinstance(shown, str) else "made")
    if isinstance(shown, str):
        with pytest.raises(TillError) as refused:
            create_subscription(shop.ports, shop.merchant.id, customer.id, new, actor="test")
        assert refused.value.code == shown
        return
    made = create_subscription(shop.ports, shop.merchant.id, customer.id, new, actor="test")
    assert upcoming(made, SHOWN) == shown
    assert [each.totals.total.minor for each in shown if 0 < each.totals.total.minor < 50] == []
    run_through(shop, shown)
    issued = [(each.issued_at, each.created_at, each.period, each.totals) for each in shop.invoices()]
    assert issued == [
        # One that starts at once is issued a fraction of a second after the second that it starts in.
        (max(now, each.period.invoice_at), each.period.invoice_at, each.period, each.totals)
        for each in shown
    ]
    assert upcoming(shop.subscription(made.id), 1) == _next_of(shop, made.id, len(shown))
    assert [str(violation) for violation in shop.check().violations] == []


def _next_of(shop: Shop, subscription_id: str, index: int) -> list[Upcoming]:
    subscription = shop.subscription(subscription_id)
    term = subscription.recurrence.number_of_payments
    if term is not None and index >= term:
        return []
    zone = subscription.schedule.epochs[-1].zone
    return [Upcoming(subscription.schedule.period(index), subscription.totals_at(index), zone)]


def test_a_preview_takes_a_past_start_and_shows_it_by_the_same_rules() -> None:
    shop = Shop(datetime(2027, 1, 31, 20, 30, tzinfo=UTC))
    past = Recurrence(Frequency.MONTHLY, start=Start(StartType.ON_DATE, on=date(2024, 2, 10)), anchor_day=31)
    new = NewSubscription("usd", (LineItem("Membership", 1, usd(4_900)),), past)
    shown = preview_draft(shop.ports, shop.merchant.id, new, 3, timezone="Europe/Berlin")
    assert [each.period.start for each in shown] == [
        datetime(2024, 2, 9, 23, tzinfo=UTC),
        datetime(2024, 2, 28, 23, tzinfo=UTC),
        datetime(2024, 3, 30, 23, tzinfo=UTC),
    ]
    # 19 of the 29 days from 31 January to 29 February.
    assert [each.totals.total.minor for each in shown] == [3_210, 4_900, 4_900]
