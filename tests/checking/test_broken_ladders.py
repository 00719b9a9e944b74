"""I16 of ladders, I7 of sent invoices and I4 of who owes: each broken by hand, each found, and nothing else with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.parts import Attempt, AttemptOutcome
from chalicelib.domain.machines import SubscriptionStatus
from chalicelib.services.billing.charging import charge_timer
from chalicelib.services.ports import SetTimer
from tests.checking.broken import messages, wrong
from tests.services.shop import Shop
from tests.services.test_dunning_ladder import DUE, LADDER, LOST, fails, owed
from tests.services.test_past_due import OVERDUE, sent


def on_its_ladder(shop: Shop, behaves: str = "pm_card_chargeCustomerFail", until: datetime = LADDER[0]) -> Invoice:
    """A renewal that was declined and waits for its next step."""
    fails(shop, behaves)
    shop.until(until)
    assert wrong(shop) == set()
    return owed(shop)


def moved(shop: Shop, invoice: Invoice) -> None:
    """The invoice as changed by hand, with its timer where it says."""
    before = charge_timer(owed(shop))
    if before is not None:
        shop.store.lose(before)
    shop.store.overwrite(invoice)
    after = charge_timer(invoice)
    if after is not None:
        shop.store.commit(f"by hand {after.key}", [SetTimer(after)])


def with_attempt(invoice: Invoice, position: int, **changes: object) -> Invoice:
    attempts = list(invoice.part.attempts)
    attempts[position] = replace(attempts[position], **changes)  # type: ignore[arg-type] # of the test's own
    return invoice.with_part(replace(invoice.part, attempts=tuple(attempts)))


def with_another(invoice: Invoice, at: datetime, **changes: object) -> Invoice:
    latest = invoice.part.attempts[-1]
    fields = {"next_at": None, "outcome": AttemptOutcome.DECLINED, "number": latest.number + 1, "at": at, **changes}
    again = replace(latest, **fields)  # type: ignore[arg-type] # the same
    return invoice.with_part(replace(invoice.part, attempts=(*invoice.part.attempts, again)))


def test_a_deadline_that_is_not_the_last_day_of_the_ladder(shop: Shop) -> None:
    invoice = on_its_ladder(shop)
    moved(shop, replace(invoice, gives_up_at=LADDER[2]))
    assert wrong(shop) == {("I16", invoice.id)}


@pytest.mark.parametrize(
    "changes", [{"failed_first_at": None}, {"ladder": ()}, {"failed_first_at": DUE - timedelta(1)}]
)
def test_a_failure_without_a_ladder_or_with_one_that_began_before_it(shop: Shop, changes: dict[str, object]) -> None:
    invoice = on_its_ladder(shop)
    moved(shop, replace(invoice, **changes))  # type: ignore[arg-type] # of the test's own
    assert wrong(shop) == {("I16", invoice.id)}


def test_a_next_try_that_is_no_step(shop: Shop) -> None:
    invoice = on_its_ladder(shop)
    beside = LADDER[1] + timedelta(hours=1)
    moved(shop, replace(with_attempt(invoice, -1, next_at=beside), charge_at=beside))
    assert messages(shop) == [f"try 2 leads to {beside}, no step of its ladder"]


def test_a_timer_where_nothing_of_the_ladder_is(shop: Shop) -> None:
    invoice = on_its_ladder(shop)
    moved(shop, replace(invoice, charge_at=LADDER[1] + timedelta(hours=1)))
    assert wrong(shop) == {("I16", invoice.id)}


def test_a_step_that_will_never_be_made(shop: Shop) -> None:
    invoice = on_its_ladder(shop)
    moved(shop, replace(invoice, charge_at=None))
    assert wrong(shop) == {("I16", invoice.id)}
    assert messages(shop) == [f"it was to be tried again at {LADDER[1]} and is not"]


def test_a_try_between_two_steps_that_nobody_asked_for(shop: Shop) -> None:
    invoice = on_its_ladder(shop)
    early = with_another(invoice, LADDER[0] + timedelta(hours=1), next_at=LADDER[1])
    moved(shop, early)
    assert messages(shop) == ["try 3 was made when none was due"]
    moved(shop, with_attempt(early, -1, asked=True))
    assert wrong(shop) == set()


def test_a_hard_decline_that_leads_to_a_try(shop: Shop) -> None:
    invoice = on_its_ladder(shop, LOST, DUE)
    moved(shop, replace(with_attempt(invoice, 0, next_at=LADDER[0]), charge_at=LADDER[0]))
    assert messages(shop) == ["try 1 was declined for good and leads to another one"]


def test_a_try_with_a_method_that_was_declined_for_good(shop: Shop) -> None:
    invoice = on_its_ladder(shop, LOST, DUE)
    moved(shop, with_another(invoice, DUE + timedelta(hours=1), asked=True))
    assert messages(shop) == ["try 2 is with a method that was declined for good"]
    moved(shop, with_another(invoice, DUE + timedelta(hours=1), asked=True, payment_method_id="pm_another"))
    assert wrong(shop) == set()


def test_more_tries_than_the_network_allows(shop: Shop) -> None:
    invoice = on_its_ladder(shop)
    latest = invoice.part.attempts[-1]
    more: tuple[Attempt, ...] = tuple(
        replace(latest, number=2 + n, at=latest.at + timedelta(minutes=n), asked=True) for n in range(1, 14)
    )
    most = invoice.with_part(replace(invoice.part, attempts=(*invoice.part.attempts, *more)))
    moved(shop, most)
    assert wrong(shop) == set()
    moved(shop, with_another(most, latest.at + timedelta(hours=1), asked=True, next_at=LADDER[1]))
    assert wrong(shop) == {("I16", invoice.id)}


def test_what_was_sent_and_will_never_be_overdue_or_on_another_day(shop: Shop) -> None:
    sent(shop)
    [invoice] = shop.invoices()
    timer = charge_timer(invoice)
    assert timer is not None
    shop.store.lose(timer)
    shop.store.overwrite(replace(invoice, charge_at=None))
    assert wrong(shop) == {("I7", invoice.id)}
    late = replace(invoice, charge_at=OVERDUE + timedelta(hours=1))
    shop.store.overwrite(late)
    again = charge_timer(late)
    assert again is not None
    shop.store.commit("by hand", [SetTimer(again)])
    assert wrong(shop) == {("I7", invoice.id)}
    assert "overdue from" in messages(shop)[0]


def test_who_is_past_due_owing_nothing_and_who_is_active_owing(shop: Shop) -> None:
    on_its_ladder(shop)
    [subscription] = [shop.subscription(each.subscription_id or "") for each in shop.invoices()[1:]]
    shop.store.overwrite(replace(subscription, past_due_invoices=()))
    assert wrong(shop) == {("I4", subscription.id)}
    shop.store.overwrite(replace(subscription, status=SubscriptionStatus.ACTIVE))
    assert ("I4", subscription.id) in wrong(shop)
