"""What a buyer and a merchant do at Stripe, in the steps that the contract suite is told in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chalicelib.domain.documents.methods import Method
from chalicelib.domain.money.amounts import Money
from chalicelib.services.ports import (
    Intent,
    IntentStatus,
    NewIntent,
    ProviderUnavailable,
)
from tests.gateways.stripe_worlds import ACCOUNT, StripeWorld

T = TypeVar("T")
VISA = Method("card", "visa", "4242")
RETURN_URL = "https://till.example/return"


def usd(minor: int) -> Money:
    return Money(minor, "usd")


def customer(world: StripeWorld, key: str = "cus-1", account: str | None = ACCOUNT) -> str:
    return world.provider.create_customer(
        account, email="ada@buyer.example", name="Ada", metadata={"till_merchant": "mer_demo"}, key=key
    )


def new_intent(customer_id: str, minor: int = 5_000, *, keep: bool = False) -> NewIntent:
    return NewIntent(usd(minor), customer_id, {"till_invoice": "inv_1", "till_part": "1"}, keep_method=keep)


def intent(world: StripeWorld, *, keep: bool = False, key: str = "pi-1") -> Intent:
    return world.provider.create_intent(ACCOUNT, new_intent(customer(world), keep=keep), key=key)


def confirm(world: StripeWorld, made: Intent, behaves: str = "pm_card_visa", key: str = "confirm-1") -> Intent:
    return world.provider.confirm_with_token(
        ACCOUNT,
        made.id,
        confirmation_token=world.confirmation_token(behaves),
        return_url=RETURN_URL,
        key=key,
    )


def until_answered(call: Callable[[], T]) -> T:
    """The gateway asks again by itself after a lost answer; the fake leaves that to its caller."""
    try:
        return call()
    except ProviderUnavailable:
        return call()


def stored_method(world: StripeWorld, behaves: str = "pm_card_visa") -> tuple[str, str]:
    """A customer and a method stored by a first payment."""
    paid = confirm(world, intent(world, keep=True), behaves)
    if paid.status is IntentStatus.REQUIRES_ACTION:
        world.answer_challenge(paid.id, passed=True)
        paid = world.provider.retrieve_intent(ACCOUNT, paid.id)
    assert paid.customer_id is not None
    assert paid.payment_method_id is not None
    return paid.customer_id, paid.payment_method_id


def second_intent(world: StripeWorld, customer_id: str) -> Intent:
    return world.provider.create_intent(ACCOUNT, new_intent(customer_id, 7_500), key="pi-2")
