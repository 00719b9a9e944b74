"""A merchant on DynamoDB Local and the Stripe sandbox, worked on by several processes' worth of connections at once.

Stripe is the sandbox behind the real gateway, over HTTP: it is thread-safe, keeps idempotency keys as Stripe does and
has lists of its own to be compared with. No pacer stands before it, since a race needs everybody at once.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import boto3

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.merchants import INVOICE_SERIES, NumberSeries, series_id
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import SHARDS, Timer, TimerKind
from chalicelib.domain.money.amounts import Money
from chalicelib.gateways.ids import RandomIds
from chalicelib.gateways.pauses import RandomPauses
from chalicelib.gateways.stripe.gateway import StripeGateway
from chalicelib.gateways.stripe.ledger import StripeLedger
from chalicelib.services.billing.charging import charge_invoice
from chalicelib.services.billing.issuing import billing_timer, issue_due
from chalicelib.services.checking import check_invariants
from chalicelib.services.checking.books import NOT_BOOKED
from chalicelib.services.checkouts.submit import Ending, Submit, Submitted, submit
from chalicelib.services.intake import receive
from chalicelib.services.links import NewLink, create_link
from chalicelib.services.merchants import create_merchant
from chalicelib.services.notices import Notice
from chalicelib.services.ports import Unreadable
from chalicelib.storage.inspection import DynamoInspection
from chalicelib.storage.store import DynamoStore
from infra.local.stripe_sandbox import Misbehaviour, StripeSandbox
from tests.conftest import make_tables
from tests.fakes.ports import FakePorts
from tests.fakes.world import FakeClock, FakeMailer, FakeQueues
from tests.gateways.stripe_worlds import GatewaySettings
from tests.races.at_once import THREADS

R = TypeVar("R")

ACCOUNT = "acct_races"
SECRET_KEY = "sk_test_contract_0001"
PUBLISHABLE_KEY = "pk_test_contract_0001"
BEGAN = datetime(2027, 1, 31, 20, 30, tzinfo=UTC)
RENEWS = datetime(2027, 2, 28, 20, 30, tzinfo=UTC)
BATCH = 25
"""Items in one BatchWriteItem (AWS)."""
PROCESSES = 4
"""Stores and gateways, each with connections of its own; sixteen threads share them."""


def monthly_line(term: int | None = None) -> LineItem:
    """49 dollars a month, for so many months or until cancelled."""
    return LineItem("Membership", 1, Money(4_900, "usd"), recurring=Recurrence(Frequency.MONTHLY, term))


class Floor:
    """What every race stands on: tables, processes and the sandbox, made once, since a client of AWS costs a second."""

    def __init__(self, endpoint: str) -> None:
        self.clock = FakeClock(BEGAN)
        self.sandbox = StripeSandbox(
            clock=lambda: self.clock.now(), secret_key=SECRET_KEY, publishable_key=PUBLISHABLE_KEY
        )
        self.sandbox.add_account(ACCOUNT)
        self.url = self.sandbox.start()
        self.settings = GatewaySettings(stripe_api_base=self.url)
        config = make_tables(endpoint)
        self.stores = [DynamoStore(config) for _ in range(PROCESSES)]
        self.gateways = [StripeGateway(self.settings, timeout_seconds=20.0) for _ in range(PROCESSES)]
        self.inspection = DynamoInspection(config)
        self.ledger = StripeLedger(self.settings, timeout_seconds=20.0)
        self._tables = (config.records_table, config.events_table, config.timers_table)
        self._client: Any = boto3.client("dynamodb", endpoint_url=endpoint, region_name=config.region)
        self._keys = {name: self._client.describe_table(TableName=name)["Table"]["KeySchema"] for name in self._tables}

    def sweep(self) -> None:
        """Empty tables, a Stripe that knows nobody, and the time at which all races begin."""
        self.clock = FakeClock(BEGAN)
        self.sandbox.reset()
        for name in self._tables:
            keys = [key["AttributeName"] for key in self._keys[name]]
            rows = self._client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
            gone = [{"Key": {key: row[key] for key in keys}} for page in rows for row in page["Items"]]
            for start in range(0, len(gone), BATCH):
                requests = [{"DeleteRequest": each} for each in gone[start : start + BATCH]]
                assert not self._client.batch_write_item(RequestItems={name: requests})["UnprocessedItems"]

    def stop(self) -> None:
        """Stop serving."""
        for gateway in self.gateways:
            gateway.close()
        self.sandbox.stop()


class Arena:
    """One merchant, and what people and clocks do to it from many threads."""

    def __init__(self, floor: Floor) -> None:
        self.clock, self.sandbox, self.inspection = floor.clock, floor.sandbox, floor.inspection
        self._ledger, self._url = floor.ledger, floor.url
        queues, ids, pauses = FakeQueues(self.clock), RandomIds(), RandomPauses()
        self.mailer = FakeMailer()
        self.processes = [
            FakePorts(store, store, self.clock, ids, queues, gateway, self.mailer, pauses)
            for store, gateway in zip(floor.stores, floor.gateways, strict=True)
        ]
        self.ports = self.processes[0]
        self.merchant, _ = create_merchant(
            self.ports,
            name="Pinewood Studio",
            timezone="America/New_York",
            currency="usd",
            stripe_account=ACCOUNT,
            ready=True,
            slug="pinewood",
        )
        self.one_time = self.link(LineItem("Product photography", 1, Money(14_800, "usd")))
        self.monthly = self.link(monthly_line())

    def at(self, thread: int) -> FakePorts:
        """The ports of the process that a thread belongs to."""
        return self.processes[thread % PROCESSES]

    def link(self, *lines: LineItem) -> PaymentLink:
        """A link that is on."""
        return create_link(self.ports, self.merchant.id, NewLink(lines[0].name, "usd", lines), actor="test")

    # --- buyers

    def token(self, behaves: str = "pm_card_visa") -> str:
        """What a buyer's browser got from Stripe."""
        key = base64.b64encode(f"{SECRET_KEY}:".encode()).decode()
        form = urlencode({"payment_method": behaves}).encode()
        headers = {"Authorization": f"Basic {key}", "Stripe-Account": ACCOUNT}
        asked = Request(f"{self._url}/v1/test_helpers/confirmation_tokens", form, headers)  # noqa: S310 - our own sandbox
        with urlopen(asked) as answer:  # noqa: S310 - the same
            return str(json.load(answer)["id"])

    def form(self, link: PaymentLink, behaves: str = "pm_card_visa", **changes: Any) -> Submit:
        """A buyer's form, with a checkout of their own."""
        ids = self.ports.ids
        fields: dict[str, Any] = {
            "merchant_slug": "pinewood",
            "link_id": link.id,
            "link_secret": link.secret,
            "checkout_id": ids.new("chk", self.clock.now()),
            "checkout_secret": ids.secret(),
            "email": "anna@example.com",
            "name": "Anna Kowalska",
            "expected_total": sum(line.amount.minor for line in link.lines),
            "return_url": "https://till.example/return/x",
            "consent_words": lambda page, now: "agreed" if page.link.lines[0].recurring else None,
            "as_shown": lambda page, now: True,
            "address": "203.0.113.9",
            **changes,
        }
        fields.setdefault("confirmation_token", self.token(behaves))
        return Submit(**fields)

    def press(self, thread: int, form: Submit) -> Submitted:
        """The button."""
        return submit(self.at(thread), form)

    def pay(self, link: PaymentLink, **changes: Any) -> Checkout:
        """A paid checkout."""
        form = self.form(link, **changes)
        assert self.press(0, form).ending is Ending.PAID
        return self.ports.records.get(Checkout, form.checkout_id)

    def subscribe(self, count: int = 1) -> list[Subscription]:
        """That many subscriptions, renewing at RENEWS: carts of eight, whose lines differ in how often they renew."""
        found: list[Subscription] = []
        while len(found) < count:
            terms = range(100, 100 + min(8, count - len(found)))
            checkout = self.pay(self.link(*map(monthly_line, terms)))
            found += self.ports.records.find_many([(Subscription, each) for each in checkout.subscription_ids])
        assert len(found) == count
        return found

    def lose_answers(self, operation: str) -> None:
        """From now on Stripe does what it is asked to, and its answers to an operation never come."""
        self.sandbox.misbehave(Misbehaviour(operation, status=None, effect=True, times=100))

    def drop_requests(self, operation: str) -> None:
        """From now on requests for an operation never reach Stripe."""
        self.sandbox.misbehave(Misbehaviour(operation, status=None, effect=False, times=100))

    def behave(self, subscription: Subscription, behaves: str) -> None:
        """What the card of a subscription does from now on."""
        assert subscription.method is not None
        self.sandbox.set_behaviour(subscription.method.payment_method_id, behaves)

    def answer_challenge(self, intent_id: str, outcome: str = "complete") -> None:
        """The buyer answers the bank's question; the outcome is `complete` or `fail`."""
        intent = next(each for each in self.sandbox.listing("payment_intents") if each["id"] == intent_id)
        secret = intent["next_action"]["use_stripe_sdk"]["source"]
        form = urlencode({"secret": secret, "outcome": outcome, "embedded": "yes"}).encode()
        with urlopen(Request(f"{self._url}/challenge/{intent_id}", form)):  # noqa: S310 - our own sandbox
            pass

    # --- the clock's work and Stripe's

    def due(self, subscription: Subscription) -> Timer:
        """The timer under which a subscription is billed next."""
        timer = billing_timer(subscription)
        assert timer is not None
        return timer

    def issue(self, thread: int, *subscriptions: Subscription) -> int:
        """A worker bills subscriptions; how many invoices it issued."""
        timers = [self.due(each) for each in subscriptions]
        return issue_due(self.at(thread), self.merchant.id, timers).invoices

    def renewals(self, *subscriptions: Subscription) -> list[tuple[Invoice, Timer]]:
        """The invoices of the month after, issued and waiting for their charge, and the timers that ask for that."""
        self.clock.set(RENEWS)
        assert self.issue(0, *subscriptions) == len(subscriptions)
        due = [timer for timer in self.timers() if timer.kind is TimerKind.CHARGE_INVOICE]
        return [(self.ports.records.get(Invoice, timer.record_id), timer) for timer in due]

    def charge(self, thread: int, timer: Timer) -> str:
        """A worker charges an invoice."""
        return charge_invoice(self.at(thread), timer)

    def timers(self) -> list[Timer]:
        """Everything that is due."""
        now = self.clock.now()
        return [timer for shard in range(SHARDS) for timer in self.ports.timers.due_before(shard, now, limit=200)]

    def notices(self, *types: str) -> list[Notice]:
        """What Stripe has to tell, oldest first."""
        return [
            Notice(event["id"], event["type"], event["account"], event["livemode"], event["data"]["object"])
            for event in self.sandbox.listing("events")
            if event["type"] in types
        ]

    def tell(self, thread: int, notice: Notice) -> str:
        """A delivery of an event."""
        return receive(self.at(thread), notice)

    # --- what is there

    def all(self, kind: type[R]) -> list[R]:
        """Every record of a kind, in no order."""
        return [record for record in self.inspection.records() if isinstance(record, kind)]

    def numbers(self) -> list[str]:
        """Every invoice number, sorted."""
        return sorted(invoice.number or "none" for invoice in self.all(Invoice))

    def charged(self) -> list[dict[str, Any]]:
        """The charges on Stripe's own list that took money."""
        return [charge for charge in self.sandbox.listing("charges") if charge["status"] == "succeeded"]

    def succeeded(self) -> list[dict[str, Any]]:
        """The intents on Stripe's own list that succeeded."""
        return [intent for intent in self.sandbox.listing("payment_intents") if intent["status"] == "succeeded"]

    def event_types(self) -> Counter[str]:
        """How often each kind of event was told."""
        return Counter(event.type for event in self.inspection.events() if not isinstance(event, Unreadable))

    def check(self) -> None:
        """What must be so after every race, whoever won."""
        invoices = self.all(Invoice)
        count = len(invoices)
        assert self.numbers() == [f"INV-{number:04d}" for number in range(1, count + 1)]
        assert self.ports.records.get(NumberSeries, series_id(self.merchant.id, INVOICE_SERIES)).last == count
        parts = Counter((each["metadata"]["till_invoice"], each["metadata"]["till_part"]) for each in self.succeeded())
        assert set(parts.values()) <= {1}
        assert Counter(charge["payment_intent"] for charge in self.charged()) == Counter(
            intent["id"] for intent in self.succeeded()
        )
        booked = [each.intent_id for each in self.all(Payment) if each.status not in NOT_BOOKED]
        assert sorted(booked) == sorted(intent["id"] for intent in self.succeeded())
        report = check_invariants(self.inspection, self._ledger, self.clock.now())
        assert [str(violation) for violation in report.violations] == []
        assert self.sandbox.bad_replies == []


def each_thread(job: Callable[[int], R]) -> list[Callable[[], R]]:
    """The same job for each of sixteen threads, which is told its number."""
    return [partial(job, number) for number in range(THREADS)]


def later(moment: datetime, **delta: float) -> datetime:
    """A time after another."""
    return moment + timedelta(**delta)
