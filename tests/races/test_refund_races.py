"""Sixteen at once send one payment back: never above what was paid, each refund booked once, whoever tells of it."""

from __future__ import annotations

from collections import Counter
from functools import partial

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund, RefundOwner
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.domain.errors import InvalidValue, StateConflict
from chalicelib.domain.machines import RefundStatus
from chalicelib.services.refunds.asking import AskedRefund, create_refund
from chalicelib.services.refunds.making import finish_refund
from tests.races.arena import Arena, each_thread, later
from tests.races.at_once import THREADS, at_once

CREATED = "refund.created"


def paid(arena: Arena) -> Payment:
    """148 dollars that arrived."""
    arena.pay(arena.one_time)
    [payment] = arena.all(Payment)
    return payment


def ask(arena: Arena, payment: Payment, minor: int | None, thread: int) -> Refund | str:
    """A merchant's request, and what it was told."""
    try:
        return create_refund(arena.at(thread), arena.merchant.id, AskedRefund(payment.id, minor), actor=f"api:{thread}")
    except (InvalidValue, StateConflict) as refused:
        return refused.code


def sums(arena: Arena) -> tuple[str, int, int, int]:
    """The payment's status, what is set aside and gone of it, and what its invoice says is paid."""
    [payment], [invoice] = arena.all(Payment), arena.all(Invoice)
    return str(payment.status), payment.set_aside.minor, payment.gone_back.minor, invoice.paid.minor


def went_back(arena: Arena) -> int:
    """What Stripe has sent back in all."""
    return sum(each["amount"] for each in arena.sandbox.listing("refunds") if each["status"] == "succeeded")


def test_sixteen_that_each_want_a_tenth_get_ten_tenths(arena: Arena) -> None:
    payment = paid(arena)
    said = at_once(each_thread(lambda n: ask(arena, payment, 1_480, n)))
    told = Counter(each if isinstance(each, str) else str(each.status) for each in said)
    assert told["succeeded"] == 10
    assert told["state_conflict"] + told["above_maximum"] == 6
    assert (went_back(arena), sums(arena)) == (14_800, ("refunded", 0, 14_800, 0))
    assert len(arena.all(Refund)) == len(arena.all(RefundOwner)) == len(arena.sandbox.listing("refunds")) == 10
    assert arena.event_types()["refund.succeeded"] == 10


def test_sixteen_that_want_all_of_it_send_it_back_once(arena: Arena) -> None:
    payment = paid(arena)
    said = at_once(each_thread(lambda n: ask(arena, payment, None, n)))
    assert Counter(each if isinstance(each, str) else str(each.status) for each in said) == {
        "succeeded": 1,
        "state_conflict": 15,
    }
    assert (went_back(arena), len(arena.sandbox.listing("refunds"))) == (14_800, 1)


def test_what_is_left_is_never_passed_however_the_sums_fall(arena: Arena) -> None:
    payment = paid(arena)
    wanted = [1_000 + 377 * number for number in range(THREADS)]
    said = at_once(each_thread(lambda n: ask(arena, payment, wanted[n], n)))
    made = [each for each in said if isinstance(each, Refund)]
    assert sum(each.amount.minor for each in made) == went_back(arena) <= 14_800
    # Whoever was refused asked for more than was left in the end.
    least = min(wanted[number] for number, each in enumerate(said) if isinstance(each, str))
    assert 14_800 - went_back(arena) < least


def test_the_dashboard_and_sixteen_requests_together_never_send_back_too_much(arena: Arena) -> None:
    payment = paid(arena)
    [charge] = arena.charged()

    def work(number: int) -> object:
        if number % 4 == 0:
            return arena.sandbox.create_refund(charge["id"], 500)["id"]
        return ask(arena, payment, 1_200, number)

    at_once(each_thread(work))
    assert went_back(arena) <= 14_800
    for notice in arena.notices(CREATED):
        arena.tell(0, notice)
    assert sums(arena)[1:] == (0, went_back(arena), 14_800 - went_back(arena))


def test_one_refund_is_told_by_request_worker_and_webhooks_at_once_and_booked_once(arena: Arena) -> None:
    payment = paid(arena)
    arena.lose_answers("POST /v1/refunds")
    pending = ask(arena, payment, 800, 0)
    assert isinstance(pending, Refund)
    assert pending.status is RefundStatus.PENDING
    arena.sandbox.behave()
    arena.clock.set(later(arena.clock.now(), minutes=2))
    notices = arena.notices(CREATED, "charge.refunded", "refund.updated")
    [timer] = [each for each in arena.timers() if each.kind is TimerKind.FINISH_REFUND]
    again = AskedRefund(payment.id, 800)

    def work(number: int) -> object:
        if number % 4 == 0:
            return finish_refund(arena.at(number), timer)
        if number % 4 == 1:
            return create_refund(arena.at(number), arena.merchant.id, again, actor="api", refund_id=pending.id).status
        return arena.tell(number, notices[number % len(notices)])

    at_once(each_thread(work))
    assert sums(arena) == ("partially_refunded", 0, 800, 14_000)
    assert [refund.status for refund in arena.all(Refund)] == ["succeeded"]
    assert len(arena.sandbox.listing("refunds")) == 1
    assert arena.event_types()["refund.succeeded"] == 1
    assert [each for each in arena.timers() if each.kind is TimerKind.FINISH_REFUND] == []


def test_sixteen_workers_over_a_refund_that_was_never_made_make_it_once(arena: Arena) -> None:
    payment = paid(arena)
    arena.drop_requests("POST /v1/refunds")
    assert isinstance(ask(arena, payment, 800, 0), Refund)
    arena.sandbox.behave()
    assert arena.sandbox.listing("refunds") == []
    # By now the key of the first request is forgotten.
    arena.clock.set(later(arena.clock.now(), hours=25))
    [timer] = [each for each in arena.timers() if each.kind is TimerKind.FINISH_REFUND]
    at_once(each_thread(lambda n: finish_refund(arena.at(n), timer)))
    assert (went_back(arena), sums(arena)) == (800, ("partially_refunded", 0, 800, 14_000))


def test_a_refund_made_in_the_dashboard_is_booked_once_by_sixteen_deliveries(arena: Arena) -> None:
    paid(arena)
    [charge] = arena.charged()
    arena.sandbox.create_refund(charge["id"], 800)
    notices = arena.notices(CREATED, "charge.refunded", "refund.updated")
    at_once([partial(arena.tell, number, notices[number % len(notices)]) for number in range(THREADS)])
    for notice in notices:
        arena.tell(0, notice)
    assert sums(arena) == ("partially_refunded", 0, 800, 14_000)
    assert len(arena.all(Refund)) == arena.event_types()["refund.created"] == 1
