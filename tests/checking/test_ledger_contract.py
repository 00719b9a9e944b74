"""Stripe's lists: what the fake gives, and the adapter over pages of two from the sandbox, alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from chalicelib.gateways.stripe.ledger import StripeLedger
from chalicelib.services.ports import (
    IntentStatus,
    Ledger,
    LedgerRefund,
    NewIntent,
    ProviderRefused,
    ProviderUnavailable,
)
from infra.local.stripe_sandbox import Misbehaviour
from tests.fakes.ledger import FakeLedger
from tests.gateways.stripe_buyers import confirm, usd
from tests.gateways.stripe_worlds import ACCOUNT, OTHER_ACCOUNT, FakeWorld, GatewaySettings, SandboxWorld, StripeWorld

PAID = [1_000, 2_000, 3_000]


@dataclass
class Side:
    """A Stripe with something on its lists, and the ledger that reads them."""

    world: StripeWorld
    ledger: Ledger
    refund: Callable[[str, int], None]


@pytest.fixture
def sandbox_side() -> Iterator[Side]:
    world = SandboxWorld()
    settings = GatewaySettings(stripe_api_base=world.url)
    ledger = StripeLedger(settings, timeout_seconds=8.0, sleep=lambda _: None, page=2)
    try:
        yield Side(world, ledger, lambda charge_id, minor: world.sandbox.create_refund(charge_id, minor) and None)
    finally:
        ledger.close()
        world.stop()


@pytest.fixture(params=["fake", "sandbox"])
def side(request: pytest.FixtureRequest) -> Side:
    if request.param == "sandbox":
        found: Side = request.getfixturevalue("sandbox_side")
        return found
    world = FakeWorld()
    ledger = FakeLedger(world.fake)

    def refund(charge_id: str, minor: int) -> None:
        charge = next(each for each in ledger.charges(ACCOUNT) if each.id == charge_id)
        ledger.refund(ACCOUNT, charge, minor)

    return Side(world, ledger, refund)


def pay(world: StripeWorld, minor: int, behaves: str = "pm_card_visa", account: str = ACCOUNT) -> str:
    customer_id = world.provider.create_customer(
        account, email="ada@buyer.example", name="Ada", metadata={}, key=f"cus-{account}-{minor}"
    )
    request = NewIntent(usd(minor), customer_id, {"till_invoice": f"inv_{minor}", "till_part": "1.1"})
    made = world.provider.create_intent(account, request, key=f"pi-{account}-{minor}")
    if account == ACCOUNT:
        confirm(world, made, behaves, key=f"confirm-{minor}")
    return made.id


def test_an_account_without_anything_has_empty_lists(side: Side) -> None:
    ledger = side.ledger
    lists = (ledger.intents, ledger.charges, ledger.refunds, ledger.balance_transactions)
    assert [list(each(ACCOUNT)) for each in lists] == [[], [], [], []]


def test_every_intent_of_one_account_is_listed_newest_first_over_all_pages(side: Side) -> None:
    ids = [pay(side.world, minor) for minor in PAID]
    open_id = pay(side.world, 4_000, "pm_card_chargeDeclined")
    elsewhere = pay(side.world, 5_000, account=OTHER_ACCOUNT)
    listed = list(side.ledger.intents(ACCOUNT))
    assert [intent.id for intent in listed] == [open_id, *reversed(ids)]
    assert [intent.id for intent in side.ledger.intents(OTHER_ACCOUNT)] == [elsewhere]
    newest, paid = listed[0], listed[1]
    assert (newest.status, newest.decline is not None) == (IntentStatus.REQUIRES_PAYMENT_METHOD, True)
    assert (paid.status, paid.amount, paid.livemode) == (IntentStatus.SUCCEEDED, usd(3_000), False)
    assert paid.metadata == {"till_invoice": "inv_3000", "till_part": "1.1"}
    assert (paid.method, paid.charge) == (None, None)


def test_charges_carry_their_intent_and_their_balance_once_there_is_one(side: Side) -> None:
    ids = [pay(side.world, minor) for minor in PAID]
    before = list(side.ledger.charges(ACCOUNT))
    assert [(charge.intent_id, charge.amount, charge.succeeded, charge.balance_id) for charge in before] == [
        (intent_id, usd(minor), True, None) for intent_id, minor in reversed(list(zip(ids, PAID, strict=True)))
    ]
    assert list(side.ledger.balance_transactions(ACCOUNT)) == []
    side.world.settle()
    after = list(side.ledger.charges(ACCOUNT))
    entries = list(side.ledger.balance_transactions(ACCOUNT))
    assert {charge.id: charge.balance_id for charge in after} == {entry.source_id: entry.id for entry in entries}
    [largest] = [entry for entry in entries if entry.gross == usd(3_000)]
    assert (largest.kind, largest.fee, largest.net) == ("charge", usd(117), usd(2_883))
    assert list(side.ledger.charges(OTHER_ACCOUNT)) == []


def test_refunds_carry_what_they_give_back(side: Side) -> None:
    intent_id = pay(side.world, 2_000)
    side.world.settle()
    [charge] = side.ledger.charges(ACCOUNT)
    side.refund(charge.id, 700)
    [refund] = side.ledger.refunds(ACCOUNT)
    assert refund == LedgerRefund(refund.id, charge.id, intent_id, usd(700), "succeeded", side.world.clock.now())


# --- the adapter alone


def test_a_declined_charge_is_on_stripes_list_too(sandbox_side: Side) -> None:
    intent_id = pay(sandbox_side.world, 2_000, "pm_card_chargeDeclined")
    [charge] = sandbox_side.ledger.charges(ACCOUNT)
    assert (charge.intent_id, charge.amount, charge.succeeded, charge.balance_id) == (
        intent_id,
        usd(2_000),
        False,
        None,
    )


def test_an_account_that_is_not_ours_is_refused(sandbox_side: Side) -> None:
    with pytest.raises(ProviderRefused):
        list(sandbox_side.ledger.intents("acct_strangers"))


def test_a_page_that_fails_is_asked_for_again_and_a_stripe_that_is_down_is_not_an_empty_list(
    sandbox_side: Side,
) -> None:
    for minor in PAID:
        pay(sandbox_side.world, minor)
    assert isinstance(sandbox_side.world, SandboxWorld)
    sandbox = sandbox_side.world.sandbox
    sandbox.misbehave(Misbehaviour("GET /v1/payment_intents", status=429, effect=False, nth=2))
    assert len(list(sandbox_side.ledger.intents(ACCOUNT))) == 3
    sandbox.misbehave(Misbehaviour("GET /v1/payment_intents", status=500, effect=False, times=9))
    with pytest.raises(ProviderUnavailable):
        list(sandbox_side.ledger.intents(ACCOUNT))
