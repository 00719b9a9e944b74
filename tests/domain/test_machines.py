"""Every (state, action) pair of every machine against tables written down a second time, by state."""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from typing import Any

import pytest

from chalicelib.domain.errors import StateConflict
from chalicelib.domain.machines import (
    CHECKOUT,
    INVOICE,
    PART,
    PAYMENT,
    REFUND,
    SUBSCRIPTION,
    CheckoutAction,
    CheckoutStatus,
    InvoiceAction,
    InvoiceStatus,
    Machine,
    PartAction,
    PartState,
    PaymentAction,
    PaymentStatus,
    RefundAction,
    RefundStatus,
    SubscriptionAction,
    SubscriptionStatus,
)

REFUNDABLE = {
    "start_refund": "processing_refund",
    "refund_in_part": "partially_refunded",
    "refund_in_full": "refunded",
    "open_dispute": "disputed_action_required",
}
EXPECTED: dict[str, dict[str, dict[str, str]]] = {
    "checkout": {
        "open": {"authorise": "processing", "complete": "completed", "fail": "open", "expire": "expired"},
        "processing": {"complete": "completed", "fail": "open"},
        "completed": {},
        "expired": {"authorise": "processing", "complete": "completed"},
    },
    "invoice": {
        "draft": {"issue": "open", "void": "void"},
        "open": {"pay": "paid", "void": "void"},
        "paid": {},
        "void": {},
    },
    "part": {
        "held": {"authorise": "processing", "pay": "paid", "fail": "held", "release": "released"},
        "processing": {"pay": "paid", "fail": "held", "release": "released"},
        "paid": {},
        "released": {"authorise": "processing", "pay": "paid"},
    },
    "payment": {
        "processing": {"succeed": "succeeded", "fail": "failed"},
        "failed": {"authorise": "processing", "succeed": "succeeded"},
        "succeeded": REFUNDABLE,
        "partially_refunded": {**REFUNDABLE, "undo_refund": "succeeded"},
        "processing_refund": {**REFUNDABLE, "undo_refund": "succeeded"},
        "refunded": {
            "refund_in_part": "partially_refunded",
            "refund_in_full": "refunded",
            "undo_refund": "succeeded",
            "open_dispute": "disputed_action_required",
        },
        "disputed_action_required": {
            "refund_in_part": "disputed_action_required",
            "refund_in_full": "refunded",
            "undo_refund": "disputed_action_required",
            "answer_dispute": "disputed_awaiting_decision",
            "win_dispute": "disputed_won",
            "lose_dispute": "disputed_lost",
        },
        "disputed_awaiting_decision": {
            "refund_in_part": "disputed_awaiting_decision",
            "refund_in_full": "refunded",
            "undo_refund": "disputed_awaiting_decision",
            "open_dispute": "disputed_action_required",
            "win_dispute": "disputed_won",
            "lose_dispute": "disputed_lost",
        },
        "disputed_won": {**REFUNDABLE, "lose_dispute": "disputed_lost"},
        "disputed_lost": {"win_dispute": "disputed_won"},
    },
    "refund": {
        "pending": {"succeed": "succeeded", "fail": "failed", "cancel": "canceled"},
        "succeeded": {"fail": "failed", "cancel": "canceled"},
        "failed": {},
        "canceled": {},
    },
    "subscription": {
        "scheduled": {"activate": "active", "cancel": "canceled", "edit": "scheduled"},
        "active": {
            "fall_behind": "past_due",
            "pause": "paused",
            "cancel": "canceled",
            "expire": "expired",
            "edit": "active",
            "reactivate": "active",
        },
        "past_due": {
            "recover": "active",
            "give_up": "unpaid",
            "pause": "paused",
            "cancel": "canceled",
            "edit": "past_due",
            "reactivate": "past_due",
        },
        "unpaid": {
            "recover": "active",
            "pause": "paused",
            "cancel": "canceled",
            "edit": "unpaid",
            "reactivate": "unpaid",
        },
        "paused": {
            "resume": "active",
            "cancel": "canceled",
            "expire": "expired",
            "edit": "paused",
            "reactivate": "paused",
        },
        "canceled": {},
        "expired": {},
    },
}
MACHINES: dict[str, tuple[Machine[Any, Any], type[StrEnum], type[StrEnum]]] = {
    "checkout": (CHECKOUT, CheckoutStatus, CheckoutAction),
    "invoice": (INVOICE, InvoiceStatus, InvoiceAction),
    "part": (PART, PartState, PartAction),
    "payment": (PAYMENT, PaymentStatus, PaymentAction),
    "refund": (REFUND, RefundStatus, RefundAction),
    "subscription": (SUBSCRIPTION, SubscriptionStatus, SubscriptionAction),
}
PAIRS = [
    (name, state, action)
    for name, (_, states, actions) in MACHINES.items()
    for state, action in product(states, actions)
]


@pytest.mark.parametrize(("name", "state", "action"), PAIRS)
def test_a_state_moves_as_its_table_says_or_is_refused(name: str, state: StrEnum, action: StrEnum) -> None:
    machine = MACHINES[name][0]
    expected = EXPECTED[name][state.value].get(action.value)
    assert machine.can(state, action) is (expected is not None)
    if expected is None:
        with pytest.raises(StateConflict) as refusal:
            machine.next(state, action)
        assert refusal.value.code == "state_conflict"
        assert state.value in refusal.value.message
        assert action.value in refusal.value.message
    else:
        assert machine.next(state, action) == expected


@pytest.mark.parametrize("name", MACHINES)
def test_the_second_table_names_every_state_and_no_other(name: str) -> None:
    assert set(EXPECTED[name]) == {state.value for state in MACHINES[name][1]}


@pytest.mark.parametrize("name", MACHINES)
def test_every_action_leads_somewhere_from_some_state(name: str) -> None:
    machine, _, actions = MACHINES[name]
    assert {action for _, action in machine.table} == set(actions)


def test_a_table_cannot_be_written_to() -> None:
    with pytest.raises(TypeError):
        INVOICE.table[(InvoiceStatus.VOID, InvoiceAction.PAY)] = InvoiceStatus.PAID  # type: ignore[index]


def test_money_for_an_expired_checkout_and_a_released_part_is_booked() -> None:
    assert CHECKOUT.next(CheckoutStatus.EXPIRED, CheckoutAction.COMPLETE) is CheckoutStatus.COMPLETED
    assert PART.next(PartState.RELEASED, PartAction.PAY) is PartState.PAID


def test_a_booked_payment_never_becomes_processing_or_failed_or_booked_again() -> None:
    before_booking = {PaymentStatus.PROCESSING, PaymentStatus.FAILED}
    booked, todo = set(), [PaymentStatus.SUCCEEDED]
    while todo:
        state = todo.pop()
        booked.add(state)
        todo += [after for (before, _), after in PAYMENT.table.items() if before is state and after not in booked]
    assert booked == set(PaymentStatus) - before_booking
    assert not any(PAYMENT.can(state, PaymentAction.SUCCEED) for state in booked)
