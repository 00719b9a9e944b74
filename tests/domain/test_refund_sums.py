"""What a payment keeps of its refunds: never more set aside than is left, and a status that says where the money is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.documents.invoices import Source
from chalicelib.domain.documents.payments import Payment, Settlement
from chalicelib.domain.documents.refunds import LONGEST_WAIT, Refund
from chalicelib.domain.errors import CurrencyMismatch, InvalidValue, StateConflict
from chalicelib.domain.machines import REFUND, PaymentStatus, RefundAction, RefundStatus
from chalicelib.domain.money.amounts import Money

NOW = datetime(2027, 1, 31, 20, 30, tzinfo=UTC)
PENDING, SUCCEEDED, FAILED = RefundStatus.PENDING, RefundStatus.SUCCEEDED, RefundStatus.FAILED


def usd(minor: int) -> Money:
    return Money(minor, "usd")


def paid(status: PaymentStatus = PaymentStatus.SUCCEEDED, **changes: object) -> Payment:
    made = Payment("pay_1", "mer_1", "inv_1", usd(1_000), status, Source.PAYMENT_LINK, "pi_1", NOW)
    return replace(made, **changes)  # type: ignore[arg-type]


def sums(payment: Payment) -> tuple[str, int, int, int]:
    return str(payment.status), payment.set_aside.minor, payment.gone_back.minor, payment.left.minor


def test_a_refund_is_set_aside_and_then_gone() -> None:
    asked = paid().reserving(usd(400))
    assert sums(asked) == ("processing_refund", 400, 0, 600)
    done = asked.with_refund(usd(400), PENDING, SUCCEEDED)
    assert sums(done) == ("partially_refunded", 0, 400, 600)
    rest = done.reserving(usd(600)).with_refund(usd(600), PENDING, SUCCEEDED)
    assert sums(rest) == ("refunded", 0, 1_000, 0)


def test_a_refund_that_comes_to_nothing_leaves_what_was_there_before() -> None:
    assert sums(paid().reserving(usd(400)).with_refund(usd(400), PENDING, FAILED)) == ("succeeded", 0, 0, 1_000)
    half = paid().with_refund(usd(500), None, SUCCEEDED)
    assert sums(half.reserving(usd(1)).with_refund(usd(1), PENDING, FAILED)) == ("partially_refunded", 0, 500, 500)


def test_a_refund_that_fails_after_it_had_succeeded_gives_back_what_it_took() -> None:
    whole = paid().with_refund(usd(700), None, SUCCEEDED).with_refund(usd(300), None, SUCCEEDED)
    assert sums(whole) == ("refunded", 0, 1_000, 0)
    some = whole.with_refund(usd(300), SUCCEEDED, FAILED)
    assert sums(some) == ("partially_refunded", 0, 700, 300)
    assert sums(some.with_refund(usd(700), SUCCEEDED, FAILED)) == ("succeeded", 0, 0, 1_000)


def test_while_one_is_under_way_another_one_done_does_not_hide_it() -> None:
    two = paid().reserving(usd(300)).reserving(usd(200))
    assert sums(two.with_refund(usd(300), PENDING, SUCCEEDED)) == ("processing_refund", 200, 300, 500)


@pytest.mark.parametrize(
    ("before", "asked", "code"),
    [
        (paid(), 1_001, "above_maximum"),
        (paid().reserving(usd(600)), 401, "above_maximum"),
        (paid().with_refund(usd(999), None, SUCCEEDED), 2, "above_maximum"),
        (paid().reserving(usd(1_000)), 1, "state_conflict"),
        (paid().with_refund(usd(1_000), None, SUCCEEDED), 1, "state_conflict"),
        # The dashboard took what was set aside here.
        (paid().reserving(usd(700)).with_refund(usd(600), None, SUCCEEDED), 1, "state_conflict"),
    ],
)
def test_no_more_is_set_aside_than_is_left(before: Payment, asked: int, code: str) -> None:
    with pytest.raises((InvalidValue, StateConflict)) as refused:
        before.reserving(usd(asked))
    assert refused.value.code == code
    assert refused.value.param == ("amount" if code == "above_maximum" else None)


REFUNDABLE = {"succeeded", "partially_refunded", "processing_refund", "disputed_won"}


@pytest.mark.parametrize("status", PaymentStatus)
def test_only_money_that_arrived_and_is_not_disputed_can_be_sent_back(status: PaymentStatus) -> None:
    if status in REFUNDABLE:
        assert paid(status).reserving(usd(1)).status is PaymentStatus.PROCESSING_REFUND
    else:
        with pytest.raises(StateConflict):
            paid(status).reserving(usd(1))


DISPUTED = [
    PaymentStatus.DISPUTED_ACTION_REQUIRED,
    PaymentStatus.DISPUTED_AWAITING_DECISION,
    PaymentStatus.DISPUTED_LOST,
]


@pytest.mark.parametrize("status", DISPUTED)
@pytest.mark.parametrize(("before", "after"), [(None, PENDING), (None, SUCCEEDED), (SUCCEEDED, FAILED)])
def test_a_fact_about_a_disputed_payment_moves_its_sums_and_leaves_the_dispute_to_be_seen(
    status: PaymentStatus, before: RefundStatus | None, after: RefundStatus
) -> None:
    disputed = paid(status, refunded=usd(300))
    moved = disputed.with_refund(usd(200), before, after)
    assert moved.status is status
    assert moved.amount - moved.left == usd(500 if before is None else 100)


def test_fee_and_net_count_every_movement_and_are_unknown_until_the_charge_is_captured() -> None:
    back = paid().with_movement(usd(-400), usd(0), usd(-400))
    assert (back.fee, back.net) == (None, None)
    known = replace(back, settlement=Settlement(usd(1_000), usd(59), usd(941)))
    assert (known.fee, known.net) == (usd(59), usd(541))
    whole = known.with_movement(usd(-600), usd(5), usd(-605))
    assert (whole.fee, whole.net) == (usd(64), usd(-64))
    assert paid(settlement=known.settlement).net == usd(941)
    with pytest.raises(CurrencyMismatch):
        known.with_movement(Money(-1, "eur"), Money(0, "eur"), Money(-1, "eur"))


STEPS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["ask", *RefundAction]), st.integers(1, 600)), max_size=30
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_whatever_happens_the_sums_are_those_of_the_refunds(steps: list[tuple[int, str, int]]) -> None:
    payment, refunds = paid(), list[tuple[int, RefundStatus]]()
    for which, what, minor in steps:
        if what == "ask":
            try:
                payment = payment.reserving(usd(minor))
            except (InvalidValue, StateConflict):
                assert minor > payment.left.minor
                continue
            refunds.append((minor, PENDING))
        elif which < len(refunds) and REFUND.can(refunds[which][1], RefundAction(what)):
            amount, before = refunds[which]
            refunds[which] = (amount, REFUND.next(before, RefundAction(what)))
            payment = payment.with_refund(usd(amount), before, refunds[which][1])
        pending = sum(amount for amount, status in refunds if status is PENDING)
        gone = sum(amount for amount, status in refunds if status is SUCCEEDED)
        assert (payment.set_aside.minor, payment.gone_back.minor) == (pending, gone)
        assert 0 <= pending + gone <= 1_000
        seen = "processing_refund" if pending else "refunded" if gone == 1_000 else "partially_refunded"
        assert payment.status == (seen if pending or gone else "succeeded")


def test_a_refund_is_looked_at_ever_more_rarely_and_no_more_once_it_has_ended() -> None:
    refund = Refund("ref_1", "mer_1", "pay_1", "inv_1", "pi_1", usd(100), NOW)
    waits = []
    for _ in range(20):
        refund = refund.looked_at(NOW)
        assert refund.look_at is not None
        waits.append(refund.look_at - NOW)
    assert waits[:3] == [timedelta(minutes=2), timedelta(minutes=4), timedelta(minutes=8)]
    assert waits[-1] == LONGEST_WAIT == timedelta(hours=6)
    assert refund.timer is not None
    assert (refund.timer.kind, refund.timer.record_id) == ("finish_refund", "ref_1")
    ended = refund.moved(RefundAction.FAIL, NOW)
    assert (ended.status, ended.look_at, ended.ended_at, ended.timer) == (FAILED, None, NOW, None)
    with pytest.raises(StateConflict):
        ended.moved(RefundAction.SUCCEED, NOW)
