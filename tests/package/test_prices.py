"""What AWS asks for, by its list prices: an idle month is under a dollar, and units are counted as AWS counts them."""

from __future__ import annotations

import pytest

from chalicelib.services.ports import Insert, Update
from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.transaction import Transaction
from tests import builders as build
from tests.bench.billing.meter import size_of, units_of
from tests.bench.billing.prices import idle_month, thousand_renewals


def test_an_idle_month_costs_less_than_a_dollar() -> None:
    bill = {cost.what: cost.dollars for cost in idle_month()}
    assert sum(bill.values()) == pytest.approx(0.95, abs=0.01)
    assert bill["alarms"] == pytest.approx(0.5)


def test_a_thousand_renewals_cost_what_their_units_do() -> None:
    bill = {cost.what: cost for cost in thousand_renewals({"writes": 60, "reads": 6}, 0.6, 0.02)}
    assert bill["write units"].count == 60_000
    assert bill["write units"].dollars == pytest.approx(0.0375)
    assert bill["read units"].dollars == pytest.approx(0.00075)


def test_an_item_is_as_large_as_its_names_and_values() -> None:
    assert size_of({"id": {"S": "é"}, "n": {"N": "1234"}}) == 2 + 2 + 1 + 4


def test_a_transaction_writes_each_begun_kilobyte_twice_and_its_index_entries() -> None:
    config = StoreConfig("us-east-1", None, "records", "events", "timers")
    customer = build.customer(name="A" * 100)
    subscription = build.subscription()
    writes = [Insert(customer), Update(build.customer(name="A" * 3_000, version=1)), Insert(subscription)]
    made = Transaction.of(config, "op_1", writes)
    # One begun KB and its place in the merchant's list; two KB with two places (merchant and customer).
    assert [units_of({"Put": put}) for _, put in made.puts] == [2 * (1 + 1), 2 * (2 + 2)]
    assert [units_of({"Update": update}) for _, update in made.updates] == [2 * 4]
    assert units_of({"Delete": {"TableName": "timers", "Key": {"id": {"S": "x"}}}}) == 2
