"""Who comes back after a death with other words is not refused for the key that the dead run left behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.documents.merchants import Merchant
from chalicelib.services.ports import Update
from chalicelib.services.saving import commit
from tests.faults import steps
from tests.faults.books import Books
from tests.faults.shop import Case, Shop
from tests.faults.world import World


@pytest.fixture
def shop(world: World) -> Iterator[Shop]:
    world.put_back()
    made = Shop(world, two=False)
    yield made
    made.close()


def rename(shop: Shop) -> None:
    records = shop.world.ports.records
    commit(shop.world.ports, [Update(replace(records.get(Merchant, shop.merchant.id), name="Oakwood Studio"))])


def come_back(shop: Shop, case: Case) -> None:
    shop.let_pass(timedelta(minutes=2))
    shop.another_card(case)
    assert shop.press(case).ending == "paid"
    shop.settle()
    assert len(shop.world.succeeded()) == 1
    assert Books(shop.world).faults(deaths_in_a_row=False, settled=True) == []


def test_a_buyer_who_corrects_the_address_can_pay(shop: Shop) -> None:
    case = shop.died_paying(shop.one_time, "POST /v1/customers", after=True)
    assert case.form is not None
    case.form = replace(case.form, email="right@example.com", name="Anna K.")
    come_back(shop, case)
    assert [customer["email"] for customer in shop.world.at_stripe("customer")][1:] == ["right@example.com"]


def test_a_merchant_who_takes_another_name_can_be_paid(shop: Shop) -> None:
    case = shop.died_paying(shop.one_time, steps.CREATE, after=True)
    rename(shop)
    come_back(shop, case)
    states = [intent["status"] for intent in shop.world.at_stripe("payment_intent")]
    assert states == ["succeeded"]
