"""The whole of Till in one process on the real storage and the real Stripe gateway, put back before each group of runs.

Queues and mail are kept in memory, since moto takes 10 and 35 ms for one message: what is sent to them crosses the seam
all the same, under the names and with the errors that their adapters have (tests/faults/test_seam.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError

from chalicelib import wiring
from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.timers import Timer
from chalicelib.gateways.stripe.gateway import StripeGateway
from chalicelib.gateways.stripe.ledger import StripeLedger
from chalicelib.services.ports import (
    Inspection,
    MailUnavailable,
    Message,
    OutgoingMail,
    PaymentProvider,
    QueueName,
    QueueUnavailable,
    Record,
    Seam,
    Unreadable,
)
from chalicelib.settings import Settings
from chalicelib.storage.inspection import DynamoInspection
from chalicelib.storage.patience import Patience
from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.store import DynamoStore
from infra.local.stripe_sandbox import StripeSandbox
from infra.local.tables import TEMPLATE, create_tables, drop_tables
from tests.fakes.dynamodb_proxy import DynamoProxy
from tests.fakes.world import FakeClock, FakeMailer, FakeQueues
from tests.faults import photograph
from tests.faults.photograph import Photograph, Tables
from tests.faults.seam import WatchedSeam

R = TypeVar("R", bound=Record)

ACCOUNT = "acct_pinewood"
SECRET_KEY = "sk_test_kill_matrix_0001"
PUBLISHABLE_KEY = "pk_test_kill_matrix_0001"
STRIPE_SECONDS = 20.0


def no_sleep(_: float) -> None:
    """Back-off takes no time here."""


class Seen:
    """All that is stored at one moment, to be looked at many times: an Inspection."""

    def __init__(self, inspection: Inspection) -> None:
        self._records, self._events = tuple(inspection.records()), tuple(inspection.events())
        self._timers = tuple(inspection.timers())
        self._by_kind: dict[type[Any], dict[str, Any]] = defaultdict(dict)
        for record in self._records:
            if not isinstance(record, Unreadable):
                self._by_kind[type(record)][record.id] = record

    def records(self) -> Iterator[Record | Unreadable]:
        """See Inspection."""
        return iter(self._records)

    def events(self) -> Iterator[Event | Unreadable]:
        """See Inspection."""
        return iter(self._events)

    def timers(self) -> Iterator[Timer | Unreadable]:
        """See Inspection."""
        return iter(self._timers)

    def all(self, kind: type[R]) -> list[R]:
        """Every record of a kind, oldest first."""
        return sorted(self._by_kind[kind].values(), key=lambda record: record.id)

    def get(self, kind: type[R], record_id: str) -> R:
        """One record."""
        found: R = self._by_kind[kind][record_id]
        return found


class SeamedQueues:
    """Queues in memory, behind the seam."""

    def __init__(self, kept: FakeQueues, seam: Seam) -> None:
        self._kept = kept
        self._seam = seam

    def send(self, queue: QueueName, messages: Sequence[Message]) -> None:
        """See Queues."""
        for start in range(0, len(messages), 10):
            send = partial(self._kept.send, queue, messages[start : start + 10])
            try:
                self._seam.cross("sqs", "SendMessageBatch", send)
            except BotoCoreError as error:
                raise QueueUnavailable(str(error)) from error


class SeamedMailer:
    """SES in memory, behind the seam."""

    def __init__(self, kept: FakeMailer, seam: Seam) -> None:
        self._kept = kept
        self._seam = seam

    def send(self, mail: OutgoingMail) -> str:
        """See Mailer."""
        try:
            return self._seam.cross("ses", "SendEmail", lambda: self._kept.send(mail))
        except BotoCoreError as error:
            raise MailUnavailable(str(error)) from error


class Ports(wiring.Wired):
    """What a deployment wires, less its pace, its pauses, and what World says."""

    def __init__(
        self, settings: Settings, clock: FakeClock, seam: Seam, queues: FakeQueues, mailer: FakeMailer
    ) -> None:
        super().__init__(settings, clock, buyer_waits=False, seam=seam)
        self._kept = (queues, mailer)

    @cached_property
    def _store(self) -> DynamoStore:
        return DynamoStore(self._tables, patience=Patience(sleep=no_sleep), seam=self._seam)

    @cached_property
    def stripe(self) -> PaymentProvider:
        """The gateway, asking again at once."""
        return StripeGateway(self._settings, timeout_seconds=STRIPE_SECONDS, sleep=no_sleep, seam=self._seam)

    @cached_property
    def queues(self) -> SeamedQueues:
        """In memory."""
        return SeamedQueues(self._kept[0], self._seam)

    @cached_property
    def mailer(self) -> SeamedMailer:
        """In memory."""
        return SeamedMailer(self._kept[1], self._seam)


class World:
    """Everything outside of Till, on one clock that stands."""

    def __init__(self, config: StoreConfig, start: datetime) -> None:
        self.clock = FakeClock(start)
        self.seam = WatchedSeam()
        self.queues = FakeQueues(self.clock)
        self.mailer = FakeMailer()
        self.sandbox = StripeSandbox(
            clock=self.clock.now, secret_key=SECRET_KEY, publishable_key=PUBLISHABLE_KEY, confirmation_limit=30
        )
        self.sandbox.add_account(ACCOUNT)
        self.tables = config
        assert config.endpoint_url is not None
        keys = {
            config.records_table: ("id", "sort"),
            config.events_table: ("merchant_id", "id"),
            config.timers_table: ("shard", "key"),
        }
        self._rows = Tables(config.endpoint_url, config.region, keys)
        self._proxy = DynamoProxy(config.endpoint_url, keep_tokens=False)
        self._proxy.__enter__()
        self.settings = _settings(config, self.sandbox.start())
        self._with_tokens = self._ports(self.settings)
        self._without_tokens = self._ports(replace(self.settings, dynamodb_endpoint=self._proxy.url))
        self.ports = self._with_tokens
        self.inspection = DynamoInspection(config)
        self._seen: tuple[int, Seen] | None = None
        self.ledger = StripeLedger(self.settings, timeout_seconds=STRIPE_SECONDS)
        self.stripe = StripeGateway(self.settings, timeout_seconds=STRIPE_SECONDS)

    def _ports(self, settings: Settings) -> Ports:
        return Ports(settings, self.clock, self.seam, self.queues, self.mailer)

    def stop(self) -> None:
        """End what was started, and see that Stripe's side never had to answer what Stripe would not."""
        self.stripe.close()
        self.sandbox.stop()
        self._proxy.__exit__(None, None, None)
        assert self.sandbox.bad_replies == []

    def seen(self) -> Seen:
        """All that is stored, read anew where anything was written since the last time."""
        writes = self.seam.writes
        if self._seen is None or self._seen[0] != writes:
            self._seen = writes, Seen(self.inspection)
        return self._seen[1]

    def photograph(self) -> Photograph:
        """Everything as it is now, to be put back later."""
        return photograph.take(self.clock, self._rows, self.sandbox, self.queues, self.mailer)

    def put_back(self, seen: Photograph | None = None, *, tokens: bool = True) -> None:
        """Everything as it was seen; without that nothing stored, sent or known at Stripe, and time goes on."""
        self._seen = None
        if seen is None:
            self._empty()
        else:
            self._rows.make(seen.rows, self._empty)
        self._proxy.calls.clear()
        self.sandbox.reset()
        for queue in QueueName:
            self.queues.take(queue)
        self.mailer.forget()
        self.seam.clear()
        if seen is None:
            self.clock.advance(timedelta(days=1))
        else:
            photograph.put_back(seen, self.clock, self.sandbox, self.queues, self.mailer)
        self.ports = self._with_tokens if tokens else self._without_tokens
        wiring.configure(self.settings, self.clock, self.seam)
        wiring.replace_ports(self.ports, self.inspection, self.ledger)

    def _empty(self) -> None:
        """The tables as they were at first; it takes no longer with much in them."""
        names = {
            "RecordsTable": self.tables.records_table,
            "EventsTable": self.tables.events_table,
            "TimersTable": self.tables.timers_table,
        }
        drop_tables(TEMPLATE, self.tables.endpoint_url or "", names, self.tables.region)
        create_tables(TEMPLATE, self.tables.endpoint_url or "", names, self.tables.region, streams=False)

    def token(self, behaves: str = "pm_card_visa") -> str:
        """What a buyer's browser got from Stripe for a card."""
        made = self.stripe._client.v1.test_helpers.confirmation_tokens.create(
            {"payment_method": behaves}, {"stripe_account": ACCOUNT}
        )
        return str(made.id)

    def at_stripe(self, kind: str) -> list[Mapping[str, Any]]:
        """What Stripe has of a kind, oldest first: no copies, since a group would need many thousands."""
        ledger = self.sandbox._world.ledgers[ACCOUNT]
        with self.sandbox._world.lock:
            return list(ledger.shelves[kind].values())

    def succeeded(self) -> list[Mapping[str, Any]]:
        """The intents that Stripe calls paid."""
        return [intent for intent in self.at_stripe("payment_intent") if intent["status"] == "succeeded"]


def _settings(config: StoreConfig, stripe_url: str) -> Settings:
    return Settings(
        stage="test",
        public_base_url="https://till.example",
        region=config.region,
        records_table=config.records_table,
        events_table=config.events_table,
        timers_table=config.timers_table,
        billing_queue_url="https://sqs.invalid/1/billing.fifo",
        charges_queue_url="https://sqs.invalid/1/charges",
        work_queue_url="https://sqs.invalid/1/work",
        mail_from="mail@till.example",
        stripe_publishable_key=PUBLISHABLE_KEY,
        stripe_livemode=False,
        stripe_secret_key=SECRET_KEY,
        stripe_webhook_secrets=("whsec_kill_matrix_0001",),
        form_secret="f" * 32,
        dynamodb_endpoint=config.endpoint_url,
        stripe_api_base=stripe_url,
    )
