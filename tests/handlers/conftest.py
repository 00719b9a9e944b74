"""The API over real HTTP, on fakes: one server for the run, a world of its own for each test."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from chalice.app import Chalice

from chalicelib import wiring
from chalicelib.domain.documents.merchants import ApiKey, Merchant, api_key_id
from chalicelib.handlers.api import api
from chalicelib.handlers.api.operations import OUTSIDE
from chalicelib.services.merchants import create_api_key, create_merchant, hash_api_key
from chalicelib.services.ports import Insert, Record, Update
from chalicelib.settings import Settings
from tests.api_routes import APP, ROUTES
from tests.conformance import Conformance
from tests.fakes.ports import FakePorts
from tests.fakes.storage import FakeStore
from tests.fakes.stripe import FakeStripe
from tests.fakes.world import FakeClock, FakeIds, FakeMailer, FakeQueues

SETTINGS = Settings(
    stage="test",
    public_base_url="https://till.example",
    region="us-east-1",
    records_table="records",
    events_table="events",
    timers_table="timers",
    billing_queue_url="https://sqs.example/billing.fifo",
    charges_queue_url="https://sqs.example/charges",
    work_queue_url="https://sqs.example/work",
    mail_from="till@example.com",
    stripe_publishable_key="pk_test_12345678",
    stripe_livemode=False,
    stripe_secret_key="sk_test_12345678",
    stripe_webhook_secrets=("whsec_12345678",),
    form_secret="a form secret of more than 32 characters",
)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        """The error's code."""
        return str(self.body["error"]["code"])

    @property
    def errors(self) -> dict[str, str]:
        """The code of each field at fault."""
        return {each["param"]: each["code"] for each in self.body["error"]["errors"]}


@dataclass
class ApiWorld:
    """A merchant with a key that may do everything, and the store that the API works on."""

    port: int
    store: FakeStore
    ports: FakePorts
    merchant: Merchant
    key: str
    clock: FakeClock
    documented: Conformance = field(repr=False)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "",
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request; `key` None sends none. `raw` is sent as it is, with only the headers given.

        Every answer is held against the API's document, whatever the test asked for.
        """
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = f"Bearer {key or self.key}"
        data = raw
        if raw is None and body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            text = response.read()
            answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, json.loads(text))
        finally:
            connection.close()
        if path not in OUTSIDE:
            misfit = self.documented.wrong(method, path, answer.status, answer.body)
            assert misfit is None, misfit
        return answer

    def get(self, path: str, **options: Any) -> Answer:
        """GET."""
        return self.send("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        """POST."""
        return self.send("POST", path, body, **options)

    def put(self, *records: Record) -> None:
        """Store records as they are."""
        for record in records:
            self.store.commit(f"test-{record.id}", [Insert(record)])

    def other_merchant(self) -> tuple[Merchant, str]:
        """Another merchant and its key."""
        return create_merchant(self.ports, name="Other Shop", timezone="Europe/Berlin", currency="usd", ready=True)

    def key_for(self, *scopes: str) -> str:
        """Another key of the merchant."""
        return create_api_key(self.ports, self.merchant.id, scopes)

    def revoke(self, text: str) -> None:
        """Revoke the key of this text."""
        key = self.store.get(ApiKey, api_key_id(hash_api_key(text)))
        self.store.commit("revoke", [Update(replace(key, revoked_at=self.clock.now()))])

    def contents(self) -> dict[Any, Any]:
        """Everything stored, to compare before with after, but when a key was used last: that is noted for any use."""
        rows: dict[Any, Any] = dict(self.store._rows)
        for key in self.store.all(ApiKey):
            rows["records", key.id, ""] = replace(key, last_used_at=None, version=0)
        return rows


@pytest.fixture(scope="session")
def api_app() -> Chalice:
    """An app of the API alone."""
    return APP


@pytest.fixture(scope="session")
def documented() -> Conformance:
    """The API's document, to hold answers against."""
    return Conformance(ROUTES)


@pytest.fixture
def api_world(api_app: Chalice, api_port: int, documented: Conformance, monkeypatch: pytest.MonkeyPatch) -> ApiWorld:
    """A fresh store behind the API, with one merchant that can take payments."""
    # Another test may have imported the real app since, and taken the blueprint along.
    monkeypatch.setattr(api, "_current_app", api_app)
    # A root of its own, so that no later test runs on this one's ports.
    monkeypatch.setattr(wiring, "_root", wiring._Root())
    clock, store = FakeClock(), FakeStore()
    ports = FakePorts(store, store, clock, FakeIds(), FakeQueues(clock), FakeStripe(clock), FakeMailer())
    wiring.configure(SETTINGS, clock)
    wiring.replace_ports(ports)
    merchant, key = create_merchant(
        ports,
        name="Pinewood Studio",
        timezone="America/New_York",
        currency="usd",
        stripe_account="acct_pinewood",
        ready=True,
        support_email="hello@pinewood.example",
    )
    return ApiWorld(api_port, store, ports, merchant, key, clock, documented)
