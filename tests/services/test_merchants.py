"""Making merchants and keys."""

from __future__ import annotations

import hashlib

import pytest

from chalicelib.domain.documents.merchants import (
    INVOICE_SERIES,
    AccountOwner,
    ApiKey,
    ConnectionState,
    Merchant,
    NumberSeries,
    account_owner_id,
    api_key_id,
    series_id,
)
from chalicelib.domain.errors import NotFound, StateConflict, TillError
from chalicelib.handlers.auth import authenticate
from chalicelib.services.merchants import create_api_key, create_merchant
from tests.fakes.ports import FakePorts
from tests.fakes.storage import FakeStore
from tests.fakes.stripe import FakeStripe
from tests.fakes.world import FakeClock, FakeIds, FakeMailer, FakeQueues


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def ports(store: FakeStore) -> FakePorts:
    clock = FakeClock()
    return FakePorts(store, store, clock, FakeIds(), FakeQueues(clock), FakeStripe(clock), FakeMailer())


def test_a_merchant_comes_with_its_number_series_its_account_and_a_key(ports: FakePorts, store: FakeStore) -> None:
    merchant, key = create_merchant(
        ports, name="Pinewood Studio", timezone="America/New_York", currency="usd", stripe_account="acct_1", ready=True
    )
    assert (merchant.id, merchant.slug, merchant.version) == ("mer_pinewood-studio", "pinewood-studio", 1)
    assert (merchant.connection, merchant.can_transact, merchant.can_payout) == (ConnectionState.READY, True, True)
    # The series that booking and issuing take their numbers from.
    assert store.get(NumberSeries, series_id(merchant.id, INVOICE_SERIES)).last == 0
    assert store.get(AccountOwner, account_owner_id("acct_1")).merchant_id == merchant.id
    assert authenticate(store, f"Bearer {key}", "anything:read").merchant_id == merchant.id


def test_a_key_is_recognisable_long_and_stored_as_a_hash_only(ports: FakePorts, store: FakeStore) -> None:
    merchant, key = create_merchant(ports, name="A", timezone="UTC", currency="usd")
    assert key.startswith("till_test_")
    assert len(key) == len("till_test_") + 44
    (stored,) = store.all(ApiKey)
    assert stored.id == api_key_id(hashlib.sha256(key.encode()).hexdigest())
    assert stored.prefix == key[:14]
    assert stored.scopes == ("*",)
    assert key not in repr(stored)
    _, live = create_merchant(ports, name="B", timezone="UTC", currency="usd", livemode=True)
    assert live.startswith("till_live_")
    assert merchant.connection is ConnectionState.NOT_STARTED


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Pinewood Studio", "pinewood-studio"),
        ("  Zoë's Café & Söhne!  ", "zoe-s-cafe-sohne"),
        ("社長", "merchant"),
        ("A" * 60, "a" * 40),
        ("--", "merchant"),
    ],
)
def test_a_slug_is_made_of_the_name(ports: FakePorts, name: str, slug: str) -> None:
    assert create_merchant(ports, name=name, timezone="UTC", currency="usd")[0].slug == slug


def test_a_second_merchant_of_a_name_gets_a_number_and_an_asked_slug_must_be_free(
    ports: FakePorts, store: FakeStore
) -> None:
    slugs = [create_merchant(ports, name="Shop", timezone="UTC", currency="usd")[0].slug for _ in range(3)]
    assert slugs == ["shop", "shop-2", "shop-3"]
    before = dict(store._rows)
    with pytest.raises(StateConflict):
        create_merchant(ports, name="Other", slug="shop", timezone="UTC", currency="usd")
    assert store._rows == before


def test_a_stripe_account_belongs_to_one_merchant(ports: FakePorts, store: FakeStore) -> None:
    create_merchant(ports, name="One", timezone="UTC", currency="usd", stripe_account="acct_1")
    before = dict(store._rows)
    with pytest.raises(StateConflict, match="Stripe account"):
        create_merchant(ports, name="Two", timezone="UTC", currency="usd", stripe_account="acct_1")
    assert store._rows == before


@pytest.mark.parametrize(
    ("timezone", "currency", "code"), [("Mars/Olympus", "usd", "invalid_value"), ("UTC", "USD", "invalid_currency")]
)
def test_an_unknown_zone_or_currency_makes_no_merchant(
    ports: FakePorts, store: FakeStore, timezone: str, currency: str, code: str
) -> None:
    with pytest.raises(TillError) as caught:
        create_merchant(ports, name="Shop", timezone=timezone, currency=currency)
    assert caught.value.code == code
    assert store.all(Merchant) == []


def test_a_key_has_the_scopes_it_was_made_with(ports: FakePorts, store: FakeStore) -> None:
    merchant, _ = create_merchant(ports, name="Shop", timezone="UTC", currency="usd")
    caller = authenticate(
        store, f"Bearer {create_api_key(ports, merchant.id, ['invoices:read', 'invoices:read'])}", "invoices:read"
    )
    assert caller.scopes == {"invoices:read"}
    assert not caller.may("invoices:write")


def test_no_key_is_made_without_scopes_of_the_list_or_for_nobody(ports: FakePorts, store: FakeStore) -> None:
    merchant, _ = create_merchant(ports, name="Shop", timezone="UTC", currency="usd")
    for scopes in ([], ["invoices:delete"], ["invoices:read", "everything"]):
        with pytest.raises(TillError) as caught:
            create_api_key(ports, merchant.id, scopes)
        assert caught.value.param == "scopes"
    with pytest.raises(NotFound):
        create_api_key(ports, "mer_nobody", ["*"])
    assert len(store.all(ApiKey)) == 1
