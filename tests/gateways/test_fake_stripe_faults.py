"""The fake's own handles: faults before and after the effect, slow payments, and what Stripe does by itself."""

from __future__ import annotations

import pytest

from chalicelib.domain.money.amounts import Money
from chalicelib.services.ports import (
    Decline,
    Intent,
    IntentStatus,
    KeySpent,
    NewIntent,
    PaymentProvider,
    ProviderBusy,
    ProviderUnavailable,
)
from tests.fakes.stripe import FakeStripe
from tests.fakes.world import FakeClock


@pytest.fixture
def fake() -> FakeStripe:
    made = FakeStripe(FakeClock())
    provider: PaymentProvider = made
    provider.create_customer(None, email="ada@buyer.example", name="Ada", metadata={}, key="cus-1")
    return made


def create(fake: FakeStripe, key: str = "pi-1") -> Intent:
    return fake.create_intent(None, NewIntent(Money(5_000, "usd"), fake.customers()[0].id, {}), key=key)


def confirm(fake: FakeStripe, intent: Intent, token: str, key: str = "confirm-1") -> Intent:
    return fake.confirm_with_token(
        None, intent.id, confirmation_token=token, return_url="https://till.example/return", key=key
    )


def test_a_fault_before_the_effect_leaves_nothing_and_the_next_call_works(fake: FakeStripe) -> None:
    fake.fail("create_intent")
    with pytest.raises(ProviderUnavailable):
        create(fake)
    assert fake.intents() == []
    assert create(fake).id == fake.intents()[0].id


def test_a_fault_after_the_effect_is_found_again_under_its_key(fake: FakeStripe) -> None:
    fake.fail("create_intent", effect=True)
    with pytest.raises(ProviderUnavailable):
        create(fake)
    (made,) = fake.intents()
    assert create(fake) == made
    assert fake.intents() == [made]


def test_a_saved_fault_comes_back_under_its_key_and_not_under_another(fake: FakeStripe) -> None:
    made = create(fake)
    token = fake.confirmation_token()
    fake.fail("confirm_with_token", saved=True)
    for error in (ProviderUnavailable, KeySpent):
        with pytest.raises(error):
            confirm(fake, made, token, "confirm-1")
    assert fake.intents() == [made]
    assert confirm(fake, made, token, "confirm-2").status == "succeeded"


def test_what_moves_no_money_is_made_although_its_key_is_spent(fake: FakeStripe) -> None:
    fake.fail("create_intent", saved=True)
    with pytest.raises(ProviderUnavailable):
        create(fake)
    assert fake.intents() == []
    made = create(fake)
    assert create(fake) == made
    assert fake.intents() == [made]


def test_the_nth_call_fails_as_often_as_was_asked(fake: FakeStripe) -> None:
    fake.fail("create_intent", ProviderBusy("told to"), nth=2, times=2)
    create(fake, "pi-1")
    for key in ("pi-2", "pi-3"):
        with pytest.raises(ProviderBusy):
            create(fake, key)
    create(fake, "pi-4")
    assert len(fake.intents()) == 2


def test_a_fault_of_any_operation_meets_reads_too(fake: FakeStripe) -> None:
    made = create(fake)
    fake.fail("*")
    with pytest.raises(ProviderUnavailable):
        fake.retrieve_intent(None, made.id)
    assert fake.retrieve_intent(None, made.id) == made


@pytest.mark.parametrize("when", [{"effect": True}, {"saved": True}])
def test_busy_cannot_be_told_to_have_done_something(fake: FakeStripe, when: dict[str, bool]) -> None:
    with pytest.raises(ValueError, match="nothing was done"):
        fake.fail("create_intent", ProviderBusy("told to"), **when)


def test_every_call_is_listed_with_its_key_also_when_it_failed(fake: FakeStripe) -> None:
    fake.fail("create_intent")
    with pytest.raises(ProviderUnavailable):
        create(fake)
    made = create(fake, "pi-2")
    fake.retrieve_intent(None, made.id)
    assert [(call.operation, call.key) for call in fake.calls] == [
        ("create_customer", "cus-1"),
        ("create_intent", "pi-1"),
        ("create_intent", "pi-2"),
        ("retrieve_intent", None),
    ]
    assert [call.key for call in fake.calls_of("create_intent")] == ["pi-1", "pi-2"]


def test_a_slow_payment_is_processing_until_it_settles(fake: FakeStripe) -> None:
    waiting = confirm(fake, create(fake), fake.confirmation_token("pm_usBankAccount"))
    assert waiting.status is IntentStatus.PROCESSING
    assert fake.charges() == []
    assert fake.cancel_intent(None, waiting.id, key="cancel-1") == waiting
    paid = fake.settle_processing(waiting.id)
    assert paid.status is IntentStatus.SUCCEEDED
    assert fake.charges() == [paid.charge]


def test_a_slow_payment_may_fail(fake: FakeStripe) -> None:
    waiting = confirm(fake, create(fake), fake.confirmation_token("pm_usBankAccount"))
    failed = fake.settle_processing(waiting.id, Decline("payment_method_provider_decline"))
    assert failed.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert failed.decline == Decline("payment_method_provider_decline")
    assert fake.charges() == []


def test_stripe_may_give_an_open_intent_up_and_never_a_paid_one(fake: FakeStripe) -> None:
    assert fake.give_up(create(fake).id).status is IntentStatus.CANCELED
    paid = confirm(fake, create(fake, "pi-2"), fake.confirmation_token())
    with pytest.raises(ValueError, match="succeeded"):
        fake.give_up(paid.id)


def test_settling_twice_gives_each_charge_one_balance(fake: FakeStripe) -> None:
    confirm(fake, create(fake), fake.confirmation_token())
    assert len(fake.settle()) == 1
    (settled,) = fake.charges()
    assert fake.settle() == ()
    assert fake.charges() == [settled]
    assert fake.intents()[0].charge == settled
