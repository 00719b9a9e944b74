"""Reading everything: what the fake does, and DynamoDB over pages of two rows, alike."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from chalicelib.domain.documents.timers import SHARDS
from chalicelib.services.ports import (
    Allowance,
    Append,
    Insert,
    Inspection,
    SetTimer,
    StoreUnavailable,
    Unreadable,
    Update,
)
from chalicelib.storage.connection import connect
from chalicelib.storage.inspection import DynamoInspection
from chalicelib.storage.patience import Patience
from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.store import DynamoStore
from tests.conftest import make_tables
from tests.fakes.dynamodb_proxy import DynamoProxy, refusal
from tests.fakes.inspection import FakeInspection
from tests.fakes.storage import FakeStore
from tests.storage.records import NOW, Store, customer, event, new_merchant, payment, put, timer


@dataclass
class Stored:
    """A store, and everything that is in it."""

    store: Store
    inspection: Inspection


@pytest.fixture
def tables(dynamodb_endpoint: str) -> StoreConfig:
    return make_tables(dynamodb_endpoint)


@pytest.fixture(params=["fake", "dynamodb"])
def stored(request: pytest.FixtureRequest) -> Stored:
    if request.param == "fake":
        store = FakeStore()
        return Stored(store, FakeInspection(store))
    config: StoreConfig = request.getfixturevalue("tables")
    return Stored(DynamoStore(config), DynamoInspection(config, page=2))


def test_every_record_event_and_timer_of_every_merchant_is_read_once(stored: Stored) -> None:
    inspection = stored.inspection
    assert (list(inspection.records()), list(inspection.events()), list(inspection.timers())) == ([], [], [])
    merchants = [new_merchant() for _ in range(3)]
    records = [make(merchant) for merchant in merchants for make in (customer, payment)]
    told = [event(merchant) for merchant in merchants for _ in range(2)]
    due = [timer(merchants[n % 3]) for n in range(2 * SHARDS)]
    put(stored.store, *map(Insert, records), *map(Append, told), *map(SetTimer, due))
    [first, *_] = records
    put(stored.store, Update(stored.store.get(type(first), first.id)))
    read = sorted(inspection.records(), key=lambda record: record.id)  # type: ignore[union-attr]
    assert read == [stored.store.get(type(each), each.id) for each in sorted(records, key=lambda each: each.id)]
    assert sorted(inspection.events(), key=lambda each: each.id) == sorted(told, key=lambda each: each.id)  # type: ignore[union-attr]
    assert sorted(inspection.timers(), key=lambda each: each.key) == sorted(due, key=lambda each: each.key)  # type: ignore[union-attr]


@pytest.fixture
def torn(tables: StoreConfig) -> DynamoInspection:
    """Tables with one good row each, and others that no code of ours could have written."""
    merchant = new_merchant()
    store = DynamoStore(tables)
    good = customer(merchant)
    put(store, Insert(good), Append(event(merchant)), SetTimer(timer(merchant)))
    # Counters stand beside the records, and are none.
    assert store.token_leases.lease(int(NOW.timestamp()), "GET /v1/charges", 5, Allowance(20, 20)) == 5
    connection = connect(tables)

    def broken(row_id: str, **attributes: str) -> None:
        row = {"kind": "customer", "merchant_id": merchant, "version": "1", "body": "{}", **attributes}
        typed = {name: {"N" if name == "version" else "S": value} for name, value in row.items()}
        connection.put_item(tables.records_table, row_id, "#", attributes=typed)

    broken("a_body_that_is_not_json", body="secret words")
    broken("b_kind_of_the_future", kind="voucher")
    broken("c_body_without_its_fields")
    connection.put_item(tables.events_table, merchant, "evt_torn", attributes={"body": {"S": "[]"}})
    due = {"kind": {"S": "send_mail"}, "record_id": {"S": "mail_1"}, "merchant_id": {"S": merchant}}
    key = "2027-01-01T00:00:00.000000Z#send_mail#mail_2"
    connection.put_item(tables.timers_table, "0", key, attributes={**due, "due": {"S": "2027-01-01T00:00:00.000000Z"}})
    return DynamoInspection(tables, page=2)


def test_a_row_that_cannot_be_read_is_named_without_its_content(torn: DynamoInspection) -> None:
    rows = [row for row in torn.records() if isinstance(row, Unreadable)]
    assert sorted((row.row_id, row.reason) for row in rows) == [
        ("a_body_that_is_not_json", "JSONDecodeError"),
        ("b_kind_of_the_future", "KeyError"),
        ("c_body_without_its_fields", "CodecError"),
    ]
    assert len(list(torn.records())) == 4
    assert [row.row_id for row in torn.events() if isinstance(row, Unreadable)] == ["evt_torn"]
    assert [row.row_id for row in torn.timers() if isinstance(row, Unreadable)] == [
        "2027-01-01T00:00:00.000000Z#send_mail#mail_2"
    ]


def test_it_reads_strongly_through_the_seam_and_asks_again_when_throttled(tables: StoreConfig) -> None:
    crossed: list[tuple[str, str]] = []

    class Counting:
        def cross(self, service, operation, send):
            crossed.append((service, operation))
            return send()

    put(DynamoStore(tables), *(Insert(customer(new_merchant())) for _ in range(3)))
    with DynamoProxy(tables.endpoint_url or "") as proxy:
        through = replace(tables, endpoint_url=proxy.url)
        inspection = DynamoInspection(through, patience=Patience(sleep=lambda _: None), seam=Counting(), page=2)
        proxy.next("Scan", refusal("ThrottlingException"))
        assert len(list(inspection.records())) == 3
        assert proxy.operations == ["Scan"] * 3
        assert crossed == [("dynamodb", "Scan")] * 3
        assert [json.loads(body)["ConsistentRead"] for body in proxy.bodies("Scan")] == [True] * 3
        proxy.next("Scan", *(refusal("ThrottlingException") for _ in range(9)))
        with pytest.raises(StoreUnavailable):
            list(inspection.records())
