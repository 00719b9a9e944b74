"""Sixteen at once on DynamoDB Local: no address has more tries than it may, and a link is paused by one decline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.limits import AddressTries, LinkDeclines
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.services.checkouts.submit import Ending, Submitted
from chalicelib.services.limits.addresses import MOST_UNPAID
from chalicelib.services.limits.breaker import FEWEST_DECLINES, note_decline
from chalicelib.services.ports import Insert
from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.store import DynamoStore
from tests.conftest import make_tables
from tests.fakes.ports import FakePorts
from tests.services.shop import Shop

THREADS = 16


class DynamoShop(Shop):
    """The shop with its records in DynamoDB Local."""

    def __init__(self, config: StoreConfig) -> None:
        super().__init__()
        self.database = DynamoStore(config)
        seed = [row.value() for row in self.store._rows.values() if row.type is not Event]
        self.database.commit("seed", [Insert(replace(record, version=0)) for record in seed])
        self.ports = FakePorts(
            self.database, self.database, self.clock, self.ids, self.queues, self.stripe, self.mailer
        )


@pytest.fixture
def shop(dynamodb_endpoint: str) -> DynamoShop:
    return DynamoShop(make_tables(dynamodb_endpoint))


def at_once(jobs: list[Callable[[], Submitted | bool]]) -> list[Submitted | bool]:
    """What each job said; all begin together."""
    start = Barrier(len(jobs))

    def run(job: Callable[[], Submitted | bool]) -> Submitted | bool:
        start.wait(20)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def test_sixteen_cards_at_a_time_from_one_address_are_no_more_than_its_tries(shop: DynamoShop) -> None:
    ended: Counter[str] = Counter()
    for _ in range(3):
        forms = [
            shop.buyer(shop.one_time, confirmation_token=shop.token("pm_card_chargeDeclined"), source="eve")
            for _ in range(THREADS)
        ]
        told = at_once([lambda form=form: shop.press(form) for form in forms])
        ended.update(str(each.ending) for each in told if isinstance(each, Submitted))
    assert ended == {"declined": MOST_UNPAID, "too_many_tries": 3 * THREADS - MOST_UNPAID}
    assert len(shop.stripe.calls_of("confirm_with_token")) == MOST_UNPAID
    count = shop.database.get(AddressTries, f"tries#{shop.merchant.id}#eve")
    assert len(count.owners) == len(set(count.owners)) == MOST_UNPAID
    for owner_id in count.owners:
        assert shop.database.get(Checkout, owner_id).part.latest is not None


def test_sixteen_buyers_at_one_address_all_pay(shop: DynamoShop) -> None:
    forms = [shop.buyer(shop.one_time, source="office", email=f"{n}@example.com") for n in range(THREADS)]
    told = at_once([lambda form=form: shop.press(form) for form in forms])
    assert [each.ending for each in told if isinstance(each, Submitted)] == [Ending.PAID] * THREADS
    assert len(shop.succeeded()) == THREADS


def test_of_sixteen_declines_at_once_one_pauses_the_link_and_none_is_lost(shop: DynamoShop) -> None:
    for _ in range(FEWEST_DECLINES - THREADS):
        assert note_decline(shop.ports, shop.one_time.id, 1) is False
    told = at_once([lambda: note_decline(shop.ports, shop.one_time.id, 1)] * THREADS)
    assert told.count(True) == 1
    assert shop.database.get(LinkDeclines, f"declines#{shop.one_time.id}").declines == FEWEST_DECLINES
    assert shop.database.get(PaymentLink, shop.one_time.id).paused_until is not None
    events, _ = shop.database.events(shop.merchant.id, limit=100)
    assert [event.type for event in events].count("payment_link.updated") == 1


def test_one_form_pressed_sixteen_times_at_once_is_one_try_and_one_payment(shop: DynamoShop) -> None:
    form = shop.buyer(shop.one_time, source="anna")
    told = at_once([lambda: shop.press(form)] * THREADS)
    endings = Counter(str(each.ending) for each in told if isinstance(each, Submitted))
    assert set(endings) <= {"paid", "checking"}
    assert endings["paid"] >= 1
    assert len(shop.stripe.calls_of("confirm_with_token")) == len(shop.succeeded()) == 1
    assert len(shop.database.get(AddressTries, f"tries#{shop.merchant.id}#anna").owners) == 1
