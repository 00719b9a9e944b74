"""A payment's events in every order and any number of times, by real HTTP: always the same end."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.intake import StripeEvent, stripe_event_id
from chalicelib.domain.documents.payments import Payment
from chalicelib.services.ports import Index, Insert, ProviderUnavailable, Update
from chalicelib.storage.store import DynamoStore, StoreConfig
from tests.fakes.ports import FakePorts
from tests.services.shop import Shop
from tests.webhooks.hooks import Door, event

TOLD = (
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "charge.updated",
)


def end_state(shop: Shop) -> dict[str, Any]:
    """What a person would see, without the ids that differ from shop to shop."""
    [payment] = shop.payments()
    [invoice] = shop.invoices()
    [checkout] = shop.store.all(Checkout)
    settlement = payment.settlement
    assert settlement is not None
    return {
        "checkout": (checkout.status, [attempt.outcome for attempt in checkout.part.attempts]),
        "invoice": (invoice.status, invoice.number, invoice.paid),
        "payment": (payment.status, payment.amount, settlement.fee, settlement.net),
        "happened": sorted(shop.event_types()),
        "events": {row.id: row.state for row in shop.store.all(StripeEvent)},
        "mails": len(shop.mailer.sent),
    }


def one_end(door: Door, order: tuple[str, ...], times: int = 1) -> dict[str, Any]:
    [intent] = door.shop.stripe.intents()
    for type_ in order:
        for _ in range(times):
            assert door.send(event(intent, type_, f"evt_{type_.replace('.', '_')}")) == 200
    door.shop.settle()
    return end_state(door.shop)


def test_every_order_of_a_payments_events_ends_the_same(door: Door) -> None:
    ends: list[dict[str, Any]] = []
    for order in permutations(TOLD):
        shop = Shop()
        fresh = Door(door.port, shop)
        fresh.configure()
        shop.stripe.fail("confirm_with_token", effect=True)
        shop.press(shop.buyer(shop.one_time))
        shop.stripe.settle()
        ends.append(one_end(fresh, order))
        assert shop.check().violations == ()
    assert len(ends) == 120
    assert all(end == ends[0] for end in ends)
    assert ends[0]["invoice"][:2] == ("paid", "INV-0001")
    assert set(ends[0]["events"].values()) == {"done"}
    assert (ends[0]["happened"].count("invoice.paid"), ends[0]["mails"]) == (1, 1)


@pytest.mark.parametrize("order", [TOLD, TOLD[::-1]])
def test_every_event_five_times_over_ends_the_same(door: Door, order: tuple[str, ...]) -> None:
    door.shop.stripe.settle()
    end = one_end(door, order, times=5)
    assert Counter(end["happened"])["payment.succeeded"] == 1
    assert len(end["events"]) == len(TOLD)
    assert end["mails"] == 1


def test_what_could_not_be_applied_is_5xx_and_then_200_and_booked_once(door: Door) -> None:
    [intent] = door.shop.stripe.intents()
    told = event(intent, "payment_intent.succeeded")
    door.shop.stripe.fail("retrieve_intent", ProviderUnavailable("down"), times=3)
    assert [door.send(told) for _ in range(5)] == [503, 503, 503, 200, 200]
    assert len(door.shop.payments()) == 1
    assert [row.state for row in door.shop.store.all(StripeEvent)] == ["done"]


def test_an_answer_never_tells_what_went_wrong_inside(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("sk_test_secret at arn:aws:dynamodb")

    monkeypatch.setattr(door.shop.stripe, "retrieve_intent", broken)
    [intent] = door.shop.stripe.intents()
    assert door.send(event(intent, "payment_intent.succeeded")) == 500
    assert [row.state for row in door.shop.store.all(StripeEvent)] == ["received"]


class DynamoShop(Shop):
    """A shop whose store is DynamoDB Local."""

    def on(self, config: StoreConfig) -> DynamoShop:
        """This shop with everything that it has so far moved over."""
        real = DynamoStore(config)
        for row in self.store._rows.values():
            value = row.value()
            if hasattr(value, "version"):
                _insert(real, value)
        self.ports = FakePorts(real, real, self.clock, self.ids, self.queues, self.stripe, self.mailer)
        self.real = real
        return self


def _insert(store: DynamoStore, record: Any) -> None:
    store.commit(f"move-{record.id}", [Insert(replace(record, version=0))])
    for version in range(1, record.version):
        store.commit(f"move-{record.id}-{version}", [Update(replace(record, version=version))])


def test_fifty_deliveries_at_once_on_dynamodb_book_once(
    hook_port: int, behind: None, store_config: StoreConfig
) -> None:
    shop = DynamoShop()
    shop.stripe.fail("confirm_with_token", effect=True)
    shop.press(shop.buyer(shop.one_time))
    shop.on(store_config)
    door = Door(hook_port, shop)
    door.configure()
    [intent] = shop.stripe.intents()
    told = event(intent, "payment_intent.succeeded")

    def deliver(_: int) -> list[int]:
        said = [door.send(told)]
        while said[-1] != 200 and len(said) < 10:
            said.append(door.send(told))
        return said

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(deliver, range(50)))
    assert all(said[-1] == 200 for said in answers)
    assert all(status in (500, 503) for said in answers for status in said[:-1])
    row = shop.real.get(StripeEvent, stripe_event_id("evt_1"))
    assert row.state == "done"
    booked = shop.real.newest(Payment, Index.BY_MERCHANT, shop.merchant.id, limit=10)
    assert [payment.intent_id for payment in booked.records] == [intent.id]
    happened, _ = shop.real.events(shop.merchant.id, limit=100)
    assert Counter(each.type for each in happened)["invoice.paid"] == 1
