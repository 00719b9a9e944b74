"""What both apps work on: the same merchant, link and payments, each side's in tables of its own at DynamoDB Local."""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any, TypeVar

import boto3
import stripe

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.money.amounts import Money
from chalicelib.gateways.ids import RandomIds
from chalicelib.gateways.pauses import RandomPauses
from chalicelib.gateways.stripe.gateway import StripeGateway
from chalicelib.services.checkouts.submit import Submit, submit
from chalicelib.services.links import NewLink, create_link
from chalicelib.services.merchants import create_merchant
from chalicelib.services.ports import Service
from chalicelib.storage.inspection import DynamoInspection
from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.store import DynamoStore
from infra.local.stripe_sandbox import StripeSandbox
from tests.bench.probing import Event, page_event, webhook_event
from tests.bench.trees import BASELINE
from tests.builders import line
from tests.conftest import REGION, make_tables
from tests.fakes.ports import FakePorts
from tests.fakes.world import FakeMailer, FakeQueues
from tests.gateways.stripe_worlds import GatewaySettings
from tests.races.visitors import Stripe

T = TypeVar("T")

ACCOUNT = "acct_bench"
SECRET_KEY = "sk_test_contract_0001"
PUBLISHABLE_KEY = "pk_test_contract_0001"
WEBHOOK_SECRET = "whsec_of_the_bench_0001"
SUCCEEDED = "payment_intent.succeeded"
CONFIRM = "POST /v1/payment_intents/{id}/confirm"
BATCH = 25
"""Items in one BatchWriteItem (AWS)."""

NOBODY: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""Credentials that mean nothing anywhere."""

Tables = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows as DynamoDB has them, by the part of the table's name that says what it holds."""


class RealTime:
    """The machine's clock, as deployments have it: stripe's own check of signatures knows no other."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)


class Died(BaseException):
    """The process ended right there."""


class _DiesAfterConfirming:
    """A seam at which Stripe does what it is asked to, and nobody is left to hear of a confirmed payment."""

    def cross(self, service: Service, operation: str, send: Callable[[], T]) -> T:
        """See Seam."""
        answer = send()
        if operation == CONFIRM:
            raise Died
        return answer


@dataclass(frozen=True)
class Side:
    """One app in one run: the environment of its process, and what it is asked."""

    environment: Mapping[str, str]
    page: Event
    webhooks: Sequence[Event] = ()


class World:
    """A merchant with one link, and payments of it that Stripe has taken and nobody has booked yet."""

    def __init__(self, endpoint: str, payments: int) -> None:
        self._endpoint = endpoint
        self._client: Any = boto3.client("dynamodb", endpoint_url=endpoint, region_name=REGION)
        self._sandbox = StripeSandbox(clock=RealTime().now, secret_key=SECRET_KEY, publishable_key=PUBLISHABLE_KEY)
        self._sandbox.add_account(ACCOUNT)
        self.stripe_url = self._sandbox.start()
        self._queue = _Queue()
        self.queue_url = self._queue.start()
        self._merchant, self._link, self._till_rows, checkouts = self._sell(payments)
        self._baseline = _baseline_module(endpoint)
        self._baseline_rows = _baseline_rows(self._baseline, self._merchant, self._link, checkouts)
        self._events = [event for event in self._sandbox.listing("events") if event["type"] == SUCCEEDED]
        assert len(self._events) == payments

    def stop(self) -> None:
        """Stop serving."""
        self._sandbox.stop()
        self._queue.stop()

    def asked_of_stripe(self) -> list[str]:
        """Every request that Stripe has had, oldest first."""
        return [f"{each['method']} {each['path']}" for each in self._sandbox.listing("requests")]

    # --- what is there before

    def _sell(self, payments: int) -> tuple[Merchant, PaymentLink, Tables, list[Checkout]]:
        config = make_tables(self._endpoint)
        store = DynamoStore(config)
        settings = GatewaySettings(stripe_api_base=self.stripe_url)
        gateway = StripeGateway(settings, timeout_seconds=20.0, seam=_DiesAfterConfirming())
        clock = RealTime()
        queues = FakeQueues(clock)
        ports = FakePorts(store, store, clock, RandomIds(), queues, gateway, FakeMailer(), RandomPauses())
        merchant, _ = create_merchant(
            ports,
            name="Pinewood Studio",
            legal_name="Pinewood Studio LLC",
            timezone="America/New_York",
            currency="usd",
            country="US",
            stripe_account=ACCOUNT,
            ready=True,
            slug="pinewood",
            support_email="hello@pinewood.example",
            statement_name="PINEWOOD STUDIO",
            address_lines=("18 Pinewood Lane", "Beacon, NY 12508"),
        )
        lines = (line("Portrait session, one hour", 14_800), line("Print, framed", 3_900, quantity=2))
        link = create_link(ports, merchant.id, NewLink("Portrait session", "usd", lines), actor="bench")
        buyers = Stripe(self.stripe_url, SECRET_KEY, WEBHOOK_SECRET)
        for number in range(payments):
            form = Submit(
                merchant_slug="pinewood",
                link_id=link.id,
                link_secret=link.secret,
                checkout_id=ports.ids.new("chk", clock.now()),
                checkout_secret=ports.ids.secret(),
                email=f"buyer{number}@example.com",
                name="Anna Kowalska",
                expected_total=Money.total((each.amount for each in lines), "usd").minor,
                return_url="https://till.example/return/x",
                consent_words=lambda page, now: None,
                as_shown=lambda page, now: True,
                address="203.0.113.9",
                confirmation_token=buyers.token(ACCOUNT),
            )
            try:
                submit(ports, form)
            except Died:
                continue
            raise AssertionError("the payment was booked already")
        gateway.close()
        rows = {
            "records": self._scan(config.records_table),
            "events": self._scan(config.events_table),
            "timers": self._scan(config.timers_table),
        }
        checkouts = [each for each in DynamoInspection(config).records() if isinstance(each, Checkout)]
        assert len(checkouts) == payments
        return merchant, link, rows, checkouts

    def _scan(self, table: str) -> list[Mapping[str, Any]]:
        pages = self._client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [row for page in pages for row in page["Items"]]

    def _fill(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(rows), BATCH):
            puts = [{"PutRequest": {"Item": row}} for row in rows[start : start + BATCH]]
            assert not self._client.batch_write_item(RequestItems={table: puts})["UnprocessedItems"]

    # --- the two sides of one round, in fresh tables

    def till(self, through: str | None = None) -> tuple[Side, StoreConfig]:
        """Till's; `through` is another way to the same database."""
        config = make_tables(self._endpoint)
        tables = {"records": config.records_table, "events": config.events_table, "timers": config.timers_table}
        for part, name in tables.items():
            self._fill(name, self._till_rows[part])
        environment = dict(NOBODY) | {
            "TILL_STAGE": "bench",
            "TILL_PUBLIC_BASE_URL": "https://pay.example.com",
            "TILL_REGION": REGION,
            **{f"TILL_{part.upper()}_TABLE": name for part, name in tables.items()},
            **{f"TILL_{name}_QUEUE_URL": f"{self.queue_url}/1/{name}" for name in ("BILLING", "CHARGES", "WORK")},
            "TILL_MAIL_FROM": "mail@till.example",
            "TILL_STRIPE_SECRET_KEY": SECRET_KEY,
            "TILL_STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "TILL_STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "TILL_FORM_SECRET": "x" * 43,
            "TILL_DYNAMODB_ENDPOINT": through or self._endpoint,
            "TILL_AWS_ENDPOINT": self.queue_url,
            "TILL_STRIPE_API_BASE": self.stripe_url,
            "TILL_STRIPE_PACE": "1000/4000",
        }
        token = f"{self._link.id.removeprefix('plink_')}{self._link.secret}"
        return Side(environment, page_event("pinewood", token), self._deliveries()), config

    def straightforward(self, through: str | None = None, *, asks: bool = False) -> tuple[Side, str]:
        """The straightforward app's, and the prefix of its tables; `asks` has its webhook ask Stripe, like Till's."""
        prefix = f"shop-{os.urandom(6).hex()}"
        for model in self._baseline.MODELS:
            part = model.Meta.table_name.removeprefix(f"{self._baseline.PREFIX}-")
            self._client.create_table(
                TableName=f"{prefix}-{part}",
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
            self._fill(f"{prefix}-{part}", self._baseline_rows.get(part, ()))
        environment = dict(NOBODY) | {
            "TABLES_REGION": REGION,
            "TABLES_HOST": through or self._endpoint,
            "TABLES_PREFIX": prefix,
            "BASE_URL": "https://pay.example.com",
            "STRIPE_SECRET_KEY": SECRET_KEY,
            "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            **({"ASK_STRIPE": "yes", "STRIPE_API": self.stripe_url} if asks else {}),
        }
        page = page_event(self._merchant.id, f"{self._link.id}-{self._link.secret}")
        return Side(environment, page, self._deliveries()), prefix

    def subscribe_at_straightforward(self, prefix: str) -> str:
        """The id of a subscription of the straightforward app's that is due, with a card that can be charged."""
        client = stripe.StripeClient(SECRET_KEY, base_addresses={"api": self.stripe_url})
        buyer = client.v1.customers.create({"email": "anna@example.com"}, {"stripe_account": ACCOUNT})
        card = client.v1.payment_methods.attach("pm_card_visa", {"customer": buyer.id}, {"stripe_account": ACCOUNT})
        app, merchant = self._baseline, self._merchant
        customer = app.Customer(
            "cus_1",
            merchant_id=merchant.id,
            email="anna@example.com",
            name="Anna Kowalska",
            created_at=merchant.created_at,
        )
        subscription = app.Subscription(
            "sub_1",
            merchant_id=merchant.id,
            customer_id=customer.id,
            currency=self._link.currency,
            lines=_baseline_lines(app, self._link),
            total=Money.total((each.amount for each in self._link.lines), self._link.currency).minor,
            stripe_customer=buyer.id,
            stripe_method=card.id,
            next_at=merchant.created_at,
        )
        self._fill(f"{prefix}-customers", [customer.serialize()])
        self._fill(f"{prefix}-subscriptions", [subscription.serialize()])
        return str(subscription.id)

    def _deliveries(self) -> list[Event]:
        at = int(time.time())
        found = []
        for event in self._events:
            body = json.dumps(event, indent=2)
            digest = hmac.new(WEBHOOK_SECRET.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
            found.append(webhook_event(body, f"t={at},v1={digest}"))
        return found

    # --- what is there afterwards

    def booked_by_till(self, config: StoreConfig) -> int:
        """Invoices that Till has paid."""
        records = DynamoInspection(config).records()
        return sum(isinstance(each, Invoice) and each.amount_paid == each.totals.total for each in records)

    def booked_by_straightforward(self, prefix: str) -> int:
        """The same of the straightforward app."""
        return len(self._scan(f"{prefix}-invoices"))


@contextmanager
def world(endpoint: str, payments: int) -> Iterator[World]:
    """A world that is stopped afterwards."""
    made = World(endpoint, payments)
    try:
        yield made
    finally:
        made.stop()


def _baseline_module(endpoint: str) -> ModuleType:
    """The straightforward app, loaded here for its models alone."""
    spec = importlib.util.spec_from_file_location("straightforward_app", BASELINE / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _baseline_lines(app: ModuleType, link: PaymentLink) -> list[Any]:
    return [app.Line(name=each.name, quantity=each.quantity, unit_amount=each.unit_amount.minor) for each in link.lines]


def _baseline_rows(app: ModuleType, merchant: Merchant, link: PaymentLink, checkouts: Sequence[Checkout]) -> Tables:
    lines = _baseline_lines(app, link)
    shop = app.Merchant(
        merchant.id,
        name=merchant.name,
        timezone=merchant.timezone,
        country=merchant.country,
        currency=merchant.currency,
        stripe_account=merchant.stripe_account,
        legal_name=merchant.legal_name,
        support_email=merchant.support_email,
        statement_name=merchant.statement_name,
        address_lines=list(merchant.address_lines),
        ready=True,
        created_at=merchant.created_at,
    )
    page = app.PaymentLink(
        link.id,
        merchant_id=merchant.id,
        secret=link.secret,
        name=link.name,
        currency=link.currency,
        lines=lines,
        created_at=link.created_at,
    )
    open_checkouts = [
        app.Checkout(
            each.id,
            merchant_id=merchant.id,
            link_id=link.id,
            secret=each.secret,
            email=each.email,
            name=each.name,
            currency=each.currency,
            lines=lines,
            total=each.totals.total.minor,
            intent_id=each.part.intent_id,
            created_at=each.created_at,
        )
        for each in checkouts
    ]
    return {
        "merchants": [shop.serialize()],
        "links": [page.serialize()],
        "checkouts": [each.serialize() for each in open_checkouts],
    }


class _Queue:
    """A queue that takes every message and hands none out."""

    def start(self) -> str:
        """Serve on loopback; the address."""

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                taken = [
                    {
                        "Id": entry["Id"],
                        "MessageId": entry["Id"],
                        # Made of the body, as SQS makes it; nothing relies on it.
                        "MD5OfMessageBody": hashlib.md5(entry["MessageBody"].encode()).hexdigest(),  # noqa: S324
                    }
                    for entry in asked["Entries"]
                ]
                body = json.dumps({"Successful": taken, "Failed": []}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
