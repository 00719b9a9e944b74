"""The bounds of a day are exact for sixteen workers at once; parking happens once, and so does every release."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import INVOICE_SERIES, Merchant, NumberSeries, series_id
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.services.billing.bounds import Bounds
from chalicelib.services.billing.issuing import issue_due
from chalicelib.services.billing.parking import unpark
from chalicelib.services.billing.releasing import release_held
from chalicelib.services.ports import Update
from tests.races.arena import RENEWS, Arena, each_thread, later
from tests.races.at_once import THREADS, at_once


def renewals(arena: Arena) -> list[Invoice]:
    return [each for each in arena.all(Invoice) if each.checkout_id is None]


def test_sixteen_workers_issue_as_many_as_the_bound_and_park_once_and_unparked_the_rest_goes_on(arena: Arena) -> None:
    subscriptions = arena.subscribe(THREADS)
    arena.clock.set(RENEWS)
    bounds = Bounds(10, 10)

    def work(number: int) -> int:
        timer = arena.due(subscriptions[number])
        return issue_due(arena.at(number), arena.merchant.id, [timer], bounds=bounds).invoices

    assert sum(at_once(each_thread(work))) == 10
    assert len(renewals(arena)) == 10
    series = arena.ports.records.get(NumberSeries, series_id(arena.merchant.id, INVOICE_SERIES))
    assert (series.invoices_that_day, series.charges_that_day) == (10, 10)
    assert arena.ports.records.get(Merchant, arena.merchant.id).parked_at == RENEWS
    assert arena.event_types()["account.parked"] == 1

    at_once(each_thread(lambda n: unpark(arena.at(n), arena.merchant.id, actor="api:test")))
    assert arena.event_types()["account.unparked"] == 1
    assert sum(at_once(each_thread(work))) == 6
    charges = [timer for timer in arena.timers() if timer.kind is TimerKind.CHARGE_INVOICE]
    assert [arena.charge(0, timer) for timer in charges] == ["paid"] * THREADS
    assert {each.subscription_id for each in renewals(arena)} == {each.id for each in subscriptions}


def test_workers_that_charge_while_the_merchant_is_parked_charge_nothing_twice(arena: Arena) -> None:
    due = arena.renewals(*arena.subscribe(8))
    merchant = arena.ports.records.get(Merchant, arena.merchant.id)
    parked = replace(merchant, parked_at=arena.clock.now(), parked_reason="a test")

    def work(number: int) -> str:
        if number == 0:
            arena.ports.records.commit(arena.ports.ids.new("op", arena.clock.now()), [Update(parked)])
            return "parked"
        return arena.charge(number, due[number % 8][1])

    said = at_once([partial(work, number) for number in range(9)])
    assert set(said) <= {"paid", "parked", "moved on by another"}
    unpark(arena.ports, arena.merchant.id, actor="api:test")
    for _, timer in due:
        arena.charge(1, timer)
    assert [each.status for each in renewals(arena)] == ["paid"] * 8
    assert [each.collection_blocked for each in renewals(arena)] == [None] * 8


def test_sixteen_callers_release_what_is_held_once(arena: Arena) -> None:
    subscriptions = arena.subscribe(4)
    arena.clock.set(later(RENEWS, days=8))
    assert arena.issue(0, *subscriptions) == 4

    def work(number: int) -> int:
        wanted = subscriptions[number % 4].id if number % 2 else None
        return release_held(arena.at(number), arena.merchant.id, wanted, actor="api:test").count

    assert sum(at_once(each_thread(work))) == 4
    charges = [timer for timer in arena.timers() if timer.kind is TimerKind.CHARGE_INVOICE]
    assert len(charges) == 4
    assert [arena.charge(0, timer) for timer in charges] == ["paid"] * 4
    assert release_held(arena.ports, arena.merchant.id, None, actor="api:test").count == 0
