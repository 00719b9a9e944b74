"""Refunds: what every Stripe behind the port does, the fake and the gateway on the sandbox alike."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.services.ports import BalanceTransaction, Intent, MadeRefund, MadeStatus, NewRefund, ProviderRefused
from tests.gateways.stripe_buyers import confirm, intent, until_answered, usd
from tests.gateways.stripe_worlds import ACCOUNT, OTHER_ACCOUNT, StripeWorld

METADATA = {"till_merchant": "mer_demo", "till_refund": "ref_1"}


def paid(world: StripeWorld, behaves: str = "pm_card_visa") -> Intent:
    return confirm(world, intent(world), behaves)


def refund(world: StripeWorld, of: Intent, minor: int = 2_000, key: str = "refund-1") -> MadeRefund:
    request = NewRefund(of.id, usd(minor), METADATA, "requested_by_customer")
    return world.provider.create_refund(ACCOUNT, request, key=key)


def listed(world: StripeWorld, of: Intent) -> list[MadeRefund]:
    return world.provider.find_refunds(ACCOUNT, intent_id=of.id)


def test_a_refund_names_what_it_was_made_of_and_what_it_took_off_the_balance(stripe_world: StripeWorld) -> None:
    payment = paid(stripe_world)
    made = refund(stripe_world, payment)
    assert payment.charge is not None
    assert made.balance is not None
    assert made == MadeRefund(
        id=made.id,
        status=MadeStatus.SUCCEEDED,
        amount=usd(2_000),
        intent_id=payment.id,
        charge_id=payment.charge.id,
        created_at=stripe_world.clock.now(),
        reason="requested_by_customer",
        balance=BalanceTransaction(made.balance.id, usd(-2_000), usd(0), usd(-2_000)),
        metadata=METADATA,
    )
    assert listed(stripe_world, payment) == [made]


def test_refunds_of_an_intent_are_listed_newest_first_whoever_made_them(stripe_world: StripeWorld) -> None:
    payment = paid(stripe_world)
    assert listed(stripe_world, payment) == []
    first = refund(stripe_world, payment)
    stripe_world.refund_in_dashboard(payment.id, 300)
    second, again = listed(stripe_world, payment)
    assert again == first
    assert (second.amount, second.metadata) == (usd(300), {})


def test_more_than_is_left_is_refused_and_nothing_is_sent_back(stripe_world: StripeWorld) -> None:
    payment = paid(stripe_world)
    refund(stripe_world, payment, 4_000)
    with pytest.raises(ProviderRefused) as too_much:
        refund(stripe_world, payment, 1_001, key="refund-2")
    assert (too_much.value.code, too_much.value.reached) == ("invalid_request_error", True)
    refund(stripe_world, payment, 1_000, key="refund-3")
    with pytest.raises(ProviderRefused) as nothing_left:
        refund(stripe_world, payment, 1, key="refund-4")
    assert (nothing_left.value.code, nothing_left.value.reached) == ("charge_already_refunded", True)
    assert [each.amount for each in listed(stripe_world, payment)] == [usd(1_000), usd(4_000)]


def test_what_did_not_succeed_cannot_be_refunded(stripe_world: StripeWorld) -> None:
    with pytest.raises(ProviderRefused):
        refund(stripe_world, intent(stripe_world))


def test_the_same_key_refunds_once_also_after_a_lost_answer(stripe_world: StripeWorld) -> None:
    payment = paid(stripe_world)
    stripe_world.lose_answer("create_refund")
    made = until_answered(lambda: refund(stripe_world, payment))
    assert refund(stripe_world, payment) == made
    assert listed(stripe_world, payment) == [made]


def test_a_key_that_is_a_day_old_refunds_again(stripe_world: StripeWorld) -> None:
    payment = paid(stripe_world)
    refund(stripe_world, payment)
    stripe_world.clock.advance(timedelta(hours=25))
    refund(stripe_world, payment)
    assert len(listed(stripe_world, payment)) == 2


def test_a_key_used_with_another_amount_is_refused(stripe_world: StripeWorld) -> None:
    payment = paid(stripe_world)
    refund(stripe_world, payment)
    with pytest.raises(ProviderRefused) as misused:
        refund(stripe_world, payment, 1_999)
    assert misused.value.code == "idempotency_error"
    assert len(listed(stripe_world, payment)) == 1


def test_another_account_has_neither_the_intent_nor_its_refunds(stripe_world: StripeWorld) -> None:
    payment = paid(stripe_world)
    with pytest.raises(ProviderRefused):
        stripe_world.provider.create_refund(OTHER_ACCOUNT, NewRefund(payment.id, usd(1), {}), key="refund-1")
    with pytest.raises(ProviderRefused):
        stripe_world.provider.find_refunds(OTHER_ACCOUNT, intent_id=payment.id)
    assert listed(stripe_world, payment) == []


def test_a_refund_may_pend_and_then_succeed(stripe_world: StripeWorld) -> None:
    payment = paid(stripe_world, "pm_card_pendingRefund")
    made = refund(stripe_world, payment)
    assert (made.status, made.balance is not None) == (MadeStatus.PENDING, True)
    stripe_world.end_refund(made.id, "succeeded")
    [now] = listed(stripe_world, payment)
    assert (now.status, now.balance, now.failure_balance) == (MadeStatus.SUCCEEDED, made.balance, None)


def test_a_refund_that_fails_later_gives_its_money_back_and_may_be_made_again(stripe_world: StripeWorld) -> None:
    payment = paid(stripe_world)
    made = refund(stripe_world, payment, 5_000)
    stripe_world.end_refund(made.id, "failed", "lost_or_stolen_card")
    [now] = listed(stripe_world, payment)
    assert (now.status, now.failure_reason) == (MadeStatus.FAILED, "lost_or_stolen_card")
    assert now.failure_balance is not None
    assert (now.failure_balance.gross, now.failure_balance.net) == (usd(5_000), usd(5_000))
    again = refund(stripe_world, payment, 5_000, key="refund-2")
    assert [each.id for each in listed(stripe_world, payment)] == [again.id, made.id]
