"""What a preview shows after a history of changes is what the scheduler then does: dates, lines, totals, credit."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from chalicelib.domain.billing.coming import Coming, coming_invoices
from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.billing.schedule import months_in
from chalicelib.domain.documents.invoices import Collection, Invoice
from chalicelib.domain.documents.lines import Discount, Fee, LineItem, Tax
from chalicelib.domain.documents.methods import Method, StoredMethod
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import TillError
from chalicelib.services.account import update_account
from chalicelib.services.customers import NewCustomer, create_customer
from chalicelib.services.editing import EditOrder, edit_subscription, preview_edit
from chalicelib.services.pausing import pause, reactivate, resume
from chalicelib.services.ports import Update
from chalicelib.services.subscribing import NewSubscription, create_subscription
from chalicelib.services.subscriptions import cancel
from tests.services.shop import ACCOUNT, Shop, usd

ZONES = ("America/New_York", "Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12", "Australia/Lord_Howe", "UTC")
FIRST = datetime(2027, 1, 1, tzinfo=UTC)
SHOWN = 4

lines = st.lists(
    st.builds(
        LineItem,
        st.just("Membership"),
        st.integers(1, 4),
        st.integers(500, 90_000).map(usd),
        discount=st.none() | st.just(Discount(percent=Decimal("12.5"))),
        tax=st.none() | st.builds(Tax, st.just(Decimal("8.875")), st.booleans()),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
ahead = st.integers(0, 70)
frequencies = st.sampled_from([Frequency.WEEKLY, Frequency.MONTHLY, Frequency.QUARTERLY, Frequency.ANNUALLY])
edits = st.fixed_dictionaries(
    {
        "kind": st.just("edit"),
        "lines": st.none() | lines | lines,
        "frequency": st.none() | st.none() | st.none() | frequencies,
        "days": st.none() | st.none() | ahead,
        "now": st.booleans(),
        "bill_now": st.booleans(),
    }
)
steps = st.one_of(
    edits,
    edits,
    edits,
    edits,
    st.fixed_dictionaries({"kind": st.just("pause"), "days": st.none() | ahead}),
    st.fixed_dictionaries({"kind": st.just("resume"), "days": ahead}),
    st.fixed_dictionaries({"kind": st.sampled_from(["cancel", "reactivate"])}),
)


class History:
    """A subscription in a shop of its own, and what is done to it."""

    def __init__(self, now: datetime, zone: str, new: NewSubscription, *, pays: bool) -> None:
        self.shop = Shop(now)
        update_account(self.shop.ports, self.shop.merchant.id, {"timezone": zone}, actor="test")
        customer = create_customer(self.shop.ports, self.shop.merchant.id, NewCustomer("a@example.com"), actor="test")
        made = create_subscription(self.shop.ports, self.shop.merchant.id, customer.id, new, actor="test")
        self.id = made.id
        if pays and new.collection is Collection.AUTOMATIC:
            owner = self.shop.stripe.create_customer(ACCOUNT, email="a@example.com", name="", metadata={}, key="cus")
            method = self.shop.stripe.stored_method(owner, account=ACCOUNT)
            stored = StoredMethod(method, owner, Method("card", "visa", "4242"))
            fresh = self.now()
            self.shop.store.commit("method", [Update(_with_method(fresh, stored))])

    def now(self) -> Subscription:
        return self.shop.subscription(self.id)

    def do(self, step: dict[str, Any]) -> None:
        """One step; what is refused must not have changed anything."""
        ports, merchant = self.shop.ports, self.shop.merchant.id
        before = (dict(self.shop.store._rows), dict(self.shop.store._timers))
        day = None if step.get("days") is None else (self.shop.clock.now() + timedelta(days=step["days"])).date()
        try:
            if step["kind"] == "pause":
                pause(ports, merchant, self.id, until=day, actor="test")
            elif step["kind"] == "resume":
                assert day is not None
                resume(ports, merchant, self.id, next_invoice_on=day, actor="test")
            elif step["kind"] == "cancel":
                cancel(ports, merchant, self.id, at="period_end", actor="test")
            elif step["kind"] == "reactivate":
                reactivate(ports, merchant, self.id, actor="test")
            else:
                self._edit(EditOrder(step["lines"], step["frequency"], day, step["now"], step["bill_now"]))
        except TillError as refused:
            event(f"{step['kind']} refused: {refused.code}")
            assert (self.shop.store._rows, self.shop.store._timers) == before
        else:
            event(f"{step['kind']} done")

    def _edit(self, order: EditOrder) -> None:
        if not order.changes_billing:
            return
        shown = preview_edit(self.shop.ports, self.shop.merchant.id, self.id, order)
        done = edit_subscription(self.shop.ports, self.shop.merchant.id, self.id, order, actor="test")
        assert _essence(coming_invoices(done, SHOWN)) == _essence(coming_invoices(shown.after, SHOWN))
        assert (done.credit, done.adjustments) == (shown.after.credit, shown.after.adjustments)


def _with_method(subscription: Subscription, method: StoredMethod) -> Subscription:
    return replace(subscription, method=method, collection_blocked=None)


def _essence(shown: tuple[Coming, ...]) -> list[Any]:
    return [(each.period, each.lines, each.totals, each.credited) for each in shown]


@st.composite
def histories(draw: st.DrawFn) -> tuple[History, list[tuple[int, dict[str, Any]]]]:
    frequency = draw(frequencies)
    new = NewSubscription(
        currency="usd",
        lines=draw(lines),
        recurrence=Recurrence(
            frequency,
            draw(st.none() | st.integers(2, 6)),
            anchor_day=draw(st.none() | st.integers(1, 31)) if months_in(frequency) is not None else None,
        ),
        collection=draw(st.sampled_from(list(Collection))),
        discount=draw(
            st.none() | st.builds(Discount, st.just(usd(300)), duration=st.sampled_from(["once", "forever", 2]))
        ),
        fees=tuple(draw(st.lists(st.just(Fee("Setup", usd(700))), max_size=1))),
    )
    now = FIRST + draw(st.integers(0, 400 * 86_400)) * timedelta(seconds=1)
    history = None
    with suppress(TillError):
        history = History(now, draw(st.sampled_from(ZONES)), new, pays=draw(st.booleans()))
    assume(history is not None)
    assert history is not None
    return history, draw(st.lists(st.tuples(st.integers(0, 30 * 24), steps), min_size=1, max_size=6))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_what_is_shown_after_any_history_is_what_the_scheduler_does(
    case: tuple[History, list[tuple[int, dict[str, Any]]]],
) -> None:
    history, told = case
    shop = history.shop
    shop.settle()
    for hours, step in told:
        shop.until(shop.clock.now() + timedelta(hours=hours))
        history.do(step)
        shop.settle()
        assert [str(violation) for violation in shop.check().violations] == []
    shown = coming_invoices(history.now(), SHOWN)
    event(f"{len(shown)} shown")
    known = {invoice.id for invoice in shop.invoices()}
    for each in shown:
        shop.until(max(each.period.invoice_at - timedelta(seconds=1), shop.clock.now()))
        shop.until(max(each.period.invoice_at, shop.clock.now()))
    issued = [invoice for invoice in shop.store.all(Invoice) if invoice.id not in known]
    issued.sort(key=lambda invoice: invoice.number or "")
    assert [(each.period, each.lines, each.totals, each.credited) for each in issued] == _essence(shown)
    assert [str(violation) for violation in shop.check().violations] == []
