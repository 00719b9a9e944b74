"""What each kind of webhook sends, counted on the wire: one read, one put, Stripe where there is news, one transaction.

A token of Stripe's pace is not among it: one lease brings enough for many calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.notices import Notice
from chalicelib.services.ports import ProviderUnavailable
from tests.races.arena import RENEWS, Arena, Floor
from tests.wire import Wire

READ, WRITE = "BatchGetItem", "TransactWriteItems"
INTENT = "GET /v1/payment_intents/{id}"
CHARGE = "GET /v1/charges/{id}"


@dataclass(frozen=True)
class Wired:
    """A shop, and the wire between it and its database."""

    arena: Arena
    wire: Wire

    def sent(self, notice: Notice, answer: str) -> tuple[list[str], list[str]]:
        """What taking in an event asked of the database and of Stripe, in order."""
        before = len(self.arena.sandbox.listing("requests"))
        self.wire.forget()
        assert self.arena.tell(0, notice) == answer
        asked = self.arena.sandbox.listing("requests")[before:]
        return self.wire.operations(), [f"{each['method']} {path_of(each['path'])}" for each in asked]


def path_of(path: str) -> str:
    """The path with its last part, an id, as `{id}`."""
    return f"{path.rpartition('/')[0]}/{{id}}"


@pytest.fixture(scope="module")
def floor(dynamodb_endpoint: str) -> Iterator[tuple[Floor, Wire]]:
    with Wire(dynamodb_endpoint) as wire:
        made = Floor(wire.endpoint)
        yield made, wire
        made.stop()


@pytest.fixture
def shop(floor: tuple[Floor, Wire]) -> Iterator[Wired]:
    made, wire = floor
    made.sweep()
    wired = Wired(Arena(made), wire)
    yield wired
    wired.arena.check()


def paid_at_stripe_only(arena: Arena, **changes: str) -> Notice:
    """Stripe's news of a payment that nobody has booked."""
    arena.lose_answers("POST /v1/payment_intents/{id}/confirm")
    form = arena.form(arena.one_time, **changes)
    assert arena.press(0, form).ending is Ending.CHECKING
    arena.sandbox.behave()
    return arena.notices("payment_intent.succeeded")[-1]


def test_a_new_buyers_checkout_is_booked_in_a_read_a_put_and_a_transaction(shop: Wired) -> None:
    notice = paid_at_stripe_only(shop.arena)
    assert shop.sent(notice, "applied") == ([READ, WRITE, WRITE], [INTENT])
    assert [each.status for each in shop.arena.all(Checkout)] == ["completed"]


def test_a_known_buyers_checkout_is_booked_in_no_more(shop: Wired) -> None:
    shop.arena.pay(shop.arena.one_time)
    notice = paid_at_stripe_only(shop.arena)
    assert shop.sent(notice, "applied") == ([READ, WRITE, WRITE], [INTENT])
    assert len(shop.arena.all(Invoice)) == 2


def test_an_invoice_is_booked_in_a_read_a_put_and_a_transaction(shop: Wired) -> None:
    [subscription] = shop.arena.subscribe()
    shop.arena.clock.set(RENEWS)
    assert shop.arena.issue(0, subscription) == 1
    [timer] = [each for each in shop.arena.timers() if each.kind is TimerKind.CHARGE_INVOICE]
    shop.arena.lose_answers("POST /v1/payment_intents/{id}/confirm")
    shop.arena.lose_answers(INTENT)
    with pytest.raises(ProviderUnavailable):
        shop.arena.charge(0, timer)
    shop.arena.sandbox.behave()
    notice = shop.arena.notices("payment_intent.succeeded")[-1]
    assert shop.sent(notice, "applied") == ([READ, WRITE, WRITE], [INTENT])
    assert {each.status for each in shop.arena.all(Invoice)} == {"paid"}


def test_a_fee_is_written_in_a_read_a_put_and_a_transaction(shop: Wired) -> None:
    shop.arena.pay(shop.arena.one_time)
    shop.arena.sandbox.deliver_due()
    notice = shop.arena.notices("charge.updated")[-1]
    assert shop.sent(notice, "applied") == ([READ, WRITE, WRITE], [CHARGE])
    assert [each.settlement is not None for each in shop.arena.all(Payment)] == [True]


def test_news_of_what_is_booked_costs_a_read_and_a_put_and_its_repeat_a_read(shop: Wired) -> None:
    shop.arena.pay(shop.arena.one_time)
    notice = shop.arena.notices("payment_intent.succeeded")[-1]
    assert shop.sent(notice, "known before") == ([READ, WRITE], [])
    assert shop.sent(notice, "done before") == ([READ], [])


def test_an_event_of_a_strangers_costs_a_read(shop: Wired) -> None:
    notice = Notice("evt_1", "payment_intent.succeeded", "acct_strangers", False, {"id": "pi_1", "metadata": {}})
    assert shop.sent(notice, "nobody's here") == ([READ], [])
