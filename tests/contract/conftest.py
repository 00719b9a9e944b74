"""The stores that the contract of Records and Timers is held by: the fake, DynamoDB Local and moto."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.store import DynamoStore
from tests.conftest import make_tables
from tests.fakes.storage import FakeStore
from tests.storage.records import Store, new_merchant

MOTO_CANNOT = {
    "test_a_hundred_writes_are_one_transaction": "a big transaction takes moto seconds",
}
"""Besides these, whatever needs several threads or a repeated token is tested on DynamoDB Local alone."""


@pytest.fixture(scope="session")
def moto_store() -> Iterator[Store]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield DynamoStore(make_tables(f"http://{host}:{port}"))
    finally:
        server.stop()


@pytest.fixture(scope="module")
def dynamodb_store(store_config: StoreConfig) -> Store:
    return DynamoStore(store_config)


@pytest.fixture(params=["fake", "dynamodb", "moto"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "fake":
        return FakeStore()
    reason = MOTO_CANNOT.get(request.function.__name__)
    if request.param == "moto" and reason:
        pytest.skip(reason)
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found


@pytest.fixture
def merchant() -> str:
    return new_merchant()
