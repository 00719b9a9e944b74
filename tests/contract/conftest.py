"""The stores that the contract of Records and Timers is held by: the fake, DynamoDB Local and moto."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from moto.server import ThreadedMotoServer

from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.store import DynamoStore
from tests.conftest import make_tables
from tests.fakes.storage import FakeStore
from tests.storage.records import Store, new_merchant

STORES = ("fake", "dynamodb", "moto")
MOTO_CANNOT = frozenset({"test_a_hundred_writes_are_one_transaction"})
"""A big transaction takes moto seconds. Whatever needs threads or a repeated token is for DynamoDB Local alone."""


@pytest.fixture(scope="session")
def moto_store() -> Iterator[Store]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        # Without credentials of its own, the store reads by PynamoDB: so both ways of reading are held by the contract.
        yield DynamoStore(replace(make_tables(f"http://{host}:{port}"), credentials=None))
    finally:
        server.stop()


@pytest.fixture(scope="module")
def dynamodb_store(store_config: StoreConfig) -> Store:
    return DynamoStore(store_config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test of the contract once for each store, less what the list says of moto."""
    if "store" in metafunc.fixturenames:
        less = {"moto"} if metafunc.function.__name__ in MOTO_CANNOT else set()
        metafunc.parametrize("store", [name for name in STORES if name not in less], indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "fake":
        return FakeStore()
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found


@pytest.fixture
def merchant() -> str:
    return new_merchant()
