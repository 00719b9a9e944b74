"""A batch whose transaction was cancelled: what moved is read anew, and what did not goes on with its own number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.services.billing.issuing import billing_timer, issue_due
from chalicelib.services.ports import Append, Insert, StoreUnavailable, Write
from chalicelib.services.subscriptions import cancel, change_metadata
from tests.fakes.storage import FakeStore
from tests.fakes.troubled import TroubledStore
from tests.services.shop import Shop

DUE = datetime(2027, 2, 28, 20, 30, tzinfo=UTC)


class Named(TroubledStore):
    """Keeps the operation ids too, from which the tokens are made."""

    def __init__(self, store: FakeStore) -> None:
        super().__init__(store)
        self.operations: list[str] = []

    def commit(self, operation_id: str, writes: Sequence[Write]) -> None:
        """See Records."""
        self.operations.append(operation_id)
        super().commit(operation_id, writes)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def store(shop: Shop) -> Named:
    return Named(shop.store)


def due(shop: Shop, count: int) -> list[Subscription]:
    made = [shop.subscribe() for _ in range(count)]
    shop.settle()
    shop.clock.set(DUE)
    return made


def issue(shop: Shop, store: Named, subscriptions: list[Subscription]) -> int:
    timers: list[Timer] = [timer for each in subscriptions if (timer := billing_timer(each)) is not None]
    return issue_due(replace(shop.ports, records=store), shop.merchant.id, timers).invoices


def numbers(shop: Shop) -> dict[str | None, str | None]:
    """The number of each subscription's renewal."""
    return {each.subscription_id: each.number for each in shop.invoices() if each.checkout_id is None}


def issued_in(writes: Sequence[Write]) -> list[str | None]:
    return [write.record.number for write in writes if isinstance(write, Insert) and isinstance(write.record, Invoice)]


def test_a_counter_that_moved_has_the_whole_batch_numbered_anew_under_another_operation(
    shop: Shop, store: Named
) -> None:
    subscriptions = due(shop, 3)
    store.before(1, lambda: shop.press(shop.buyer(shop.one_time)) and None)
    assert issue(shop, store, subscriptions) == 3
    assert [issued_in(each) for each in store.commits[:2]] == [
        ["INV-0004", "INV-0005", "INV-0006"],
        ["INV-0005", "INV-0006", "INV-0007"],
    ]
    assert len(set(store.operations[:2])) == 2
    assert [each.number for each in shop.invoices()] == [f"INV-{number:04d}" for number in range(1, 8)]


def test_one_subscription_that_was_cancelled_is_dropped_alone_and_the_others_go_on(shop: Shop, store: Named) -> None:
    first, gone, last = due(shop, 3)
    store.before(1, lambda: cancel(shop.ports, shop.merchant.id, gone.id, at="now", actor="buyer") and None)
    assert issue(shop, store, [first, gone, last]) == 2
    assert numbers(shop) == {first.id: "INV-0004", last.id: "INV-0005"}
    assert [each for each in shop.store.timers if each.kind is TimerKind.BILL_PERIOD and each.due <= DUE] == []


def test_one_subscription_that_another_worker_has_billed_is_not_billed_again(shop: Shop, store: Named) -> None:
    first, done, last = due(shop, 3)
    store.before(1, lambda: issue(shop, Named(shop.store), [done]) and None)
    assert issue(shop, store, [first, done, last]) == 2
    assert numbers(shop) == {done.id: "INV-0004", first.id: "INV-0005", last.id: "INV-0006"}


def test_one_subscription_that_only_changed_is_billed_as_it_is_now(shop: Shop, store: Named) -> None:
    first, changed = due(shop, 2)
    store.before(
        1, lambda: change_metadata(shop.ports, shop.merchant.id, changed.id, {"seat": "4"}, actor="api:test") and None
    )
    assert issue(shop, store, [first, changed]) == 2
    assert shop.subscription(changed.id).metadata == {"seat": "4"}
    assert numbers(shop) == {first.id: "INV-0003", changed.id: "INV-0004"}


@pytest.mark.parametrize("effect", [True, False])
def test_a_batch_whose_answer_was_lost_for_good_is_read_anew_by_who_comes_next(
    shop: Shop, store: Named, effect: bool
) -> None:
    subscriptions = due(shop, 3)
    store.lose_reply(1, effect=effect)
    with pytest.raises(StoreUnavailable):
        issue(shop, store, subscriptions)
    issue(shop, store, subscriptions)
    assert sorted(numbers(shop).values(), key=str) == ["INV-0004", "INV-0005", "INV-0006"]
    told = [write.event for each in store.commits for write in each if isinstance(write, Append)]
    issued: list[Event] = [event for event in told if event.type == "invoice.issued"]
    assert len(issued) == (3 if effect else 6)
    assert shop.event_types().count("invoice.issued") == 6
