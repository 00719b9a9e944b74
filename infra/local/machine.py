"""The whole of Till on one machine: starts every part in order, knows them all, and puts them back or ends them."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any, Final
from zoneinfo import ZoneInfo

import boto3

from chalicelib import settings as app_settings
from chalicelib import wiring
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.services.checking import Report as CheckReport
from chalicelib.services.checking import check_lasting
from chalicelib.services.merchants import create_api_key, create_merchant
from chalicelib.services.ports import ProviderBusy, ProviderUnavailable, StoreUnavailable
from infra.local.aws_server import AwsServer
from infra.local.clock import LocalClock
from infra.local.database import TABLES, Database, Snapshot
from infra.local.due import SandboxWebhooks, TimerAgenda
from infra.local.durations import Duration, later
from infra.local.dynamodb_local import DynamoDbLocal, DynamoDbLocalUnavailable
from infra.local.faults import FaultSeam
from infra.local.gateway import WebServer
from infra.local.pump import Job, Pump
from infra.local.queues import Queue, create_queues
from infra.local.reports import Report
from infra.local.seed import ACCOUNT, TIMEZONE, Seed, sow
from infra.local.stripe_sandbox.misbehaviour import Misbehaviour
from infra.local.stripe_sandbox.sandbox import StripeSandbox

REGION: Final = "us-east-1"
MAIL_FROM: Final = "mail@till.example"
SECRET_KEY: Final = "sk_test_till_on_one_machine"
PUBLISHABLE_KEY: Final = "pk_test_till_on_one_machine"
CONNECT_SECRET: Final = "whsec_connected_accounts_of_one_machine"
PLATFORM_SECRET: Final = "whsec_platform_account_of_one_machine"
WEBHOOK_PATH: Final = "/webhooks/stripe"

# Credentials that mean nothing anywhere, and nothing read from a home directory: no call may ever reach a real account.
_AWS_ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_AWS_FORBIDDEN: Final = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL")


class NotReady(Exception):
    """The machine is starting, being put back, or ending."""


@dataclass(frozen=True, slots=True)
class _Started:
    """What exists once everything runs."""

    base_url: str
    stripe_url: str
    database: Database
    pump: Pump
    seed: Seed
    snapshot: Snapshot


def _directly(endpoint: str) -> str:
    return endpoint


class Machine:
    """One machine; `warn` is given what a newcomer should read.

    `database_through` may put something between the app and its database: given the database's endpoint, it answers
    with the one that the app is to use.
    """

    def __init__(
        self, web_port: int, *, warn: Callable[[str], None], database_through: Callable[[str], str] = _directly
    ) -> None:
        self._database_through = database_through
        self._web_port = web_port
        self._warn = warn
        self.clock = LocalClock()
        self._aws = AwsServer(self.clock, REGION)
        self.stripe = StripeSandbox(clock=self.clock, secret_key=SECRET_KEY, publishable_key=PUBLISHABLE_KEY)
        self.faults = FaultSeam(self._misbehave_at_stripe)
        self._parts = ExitStack()
        self._started: _Started | None = None
        self._accounts: set[str] = set()
        self._former_accounts: set[str] = set()
        self._ready = threading.Event()
        self.note = ""

    # --- life ---------------------------------------------------------------------------------------------------------

    def take_port(self) -> None:
        """Take the web app's port, so that nothing is started in vain. Raises OSError when another program has it."""
        app = import_module("app").app
        render_error = import_module("chalicelib.handlers.buyer").error_page
        self._web = WebServer(
            app, self._web_port, healthy=self.is_ready, render_error=render_error, life=self.faults.life
        )
        self._parts.callback(self._web.stop)

    def start(self) -> None:
        """Start and seed everything behind the port that was taken; `stop` is due whether or not this succeeds."""
        for name in _AWS_FORBIDDEN:
            os.environ.pop(name, None)
        os.environ.update(_AWS_ENVIRONMENT)
        with ThreadPoolExecutor(1, "database") as aside:
            # Java takes its second or two while Python imports.
            database_endpoint = aside.submit(self._start_dynamodb)
            aws_endpoint = self._aws.start()
            self._parts.callback(self._aws.stop)
            stripe_url = self.stripe.start()
            self._parts.callback(self.stripe.stop)
            database = Database(database_endpoint.result() or aws_endpoint, REGION)
        database.create()
        sqs = boto3.client("sqs", endpoint_url=aws_endpoint, region_name=REGION)
        queues = create_queues(sqs)
        boto3.client("ses", endpoint_url=aws_endpoint, region_name=REGION).verify_email_identity(EmailAddress=MAIL_FROM)
        base_url = f"http://127.0.0.1:{self._web.port}"
        seen_by_app = self._database_through(database.endpoint)
        environment = _environment(base_url, stripe_url, aws_endpoint, seen_by_app, queues)
        wiring.configure(app_settings.from_environment(environment), self.clock, self.faults)
        self._web.start()
        self._parts.callback(self._web.stop)
        self._connect_stripe(base_url)
        seed = sow(wiring.ports(), base_url)
        pump = Pump(
            clock=self.clock,
            aws=self._aws,
            sqs=sqs,
            queues=queues,
            jobs=_job,
            agenda=TimerAgenda(wiring.worker_ports().timers, self.clock),
            webhooks=SandboxWebhooks(self.stripe),
            region=REGION,
            life=self.faults.life,
        )
        self._started = _Started(base_url, stripe_url, database, pump, seed, database.snapshot())
        pump.start()
        self._parts.callback(pump.stop)
        self._ready.set()

    def stop(self) -> None:
        """End every part that was started, last one first."""
        self._ready.clear()
        self._parts.close()

    def _start_dynamodb(self) -> str | None:
        server = DynamoDbLocal()
        try:
            endpoint = server.start()
        except DynamoDbLocalUnavailable as missing:
            self._warn(
                f"DynamoDB Local cannot be started ({missing}). Using moto's imitation: fine for looking around, but "
                "it loses concurrent writes and slows down as its tables fill."
            )
            return None
        self._parts.callback(server.stop)
        self.note = (
            f"DynamoDB Local ({endpoint}) listens on every interface, since it cannot do less; its data are a demo's."
        )
        return endpoint

    def _connect_stripe(self, base_url: str) -> None:
        self.stripe.add_account(ACCOUNT, name="Pinewood Studio", timezone=TIMEZONE)
        self.stripe.add_webhook_endpoint(base_url + WEBHOOK_PATH, CONNECT_SECRET, connect=True)
        self.stripe.add_webhook_endpoint(base_url + WEBHOOK_PATH, PLATFORM_SECRET, connect=False)

    def _misbehave_at_stripe(self, operation: str, status: int, effect: bool) -> None:
        self.stripe.misbehave(Misbehaviour(operation, status, effect))

    def is_ready(self) -> bool:
        """Whether everything runs and the seed stands."""
        return self._ready.is_set()

    def _now_started(self) -> _Started:
        if self._started is None or not self.is_ready():
            raise NotReady("The machine is not ready yet.")
        return self._started

    # --- what the control plane asks for ------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Addresses and keys, less the control plane's own."""
        started = self._now_started()
        return {
            "base_url": started.base_url,
            "stripe_url": started.stripe_url,
            "stripe_secret_key": SECRET_KEY,
            "webhook_secret": CONNECT_SECRET,
            "merchant": started.seed.merchant_id,
            "api_key": started.seed.api_key,
            "links": {"one_time": started.seed.one_time_url, "monthly": started.seed.monthly_url},
        }

    def add_merchant(self, name: str, timezone: str, currency: str) -> tuple[str, str]:
        """A connected and ready merchant: its id and a key. Raises TillError where the app refuses it."""
        self._now_started()
        account = f"acct_{secrets.token_hex(8)}"
        merchant, api_key = create_merchant(
            wiring.ports(), name=name, timezone=timezone, currency=currency, stripe_account=account, ready=True
        )
        self.stripe.add_account(account, default_currency=currency, name=name, timezone=timezone)
        self._accounts.add(account)
        return merchant.id, api_key

    def add_key(self, merchant_id: str, scopes: list[str]) -> str:
        """A further key. Raises TillError where the app refuses it."""
        self._now_started()
        return create_api_key(wiring.ports(), merchant_id, scopes)

    def after(self, duration: Duration, merchant_id: str | None) -> datetime:
        """Stand still, and say the time that is a duration from now; months count in the merchant's zone.

        Raises TillError for an unknown merchant and OverflowError beyond the calendar, and lets the clock run on.
        """
        started = self._now_started()
        merchant: Merchant = wiring.ports().records.get(Merchant, merchant_id or started.seed.merchant_id)
        zone = ZoneInfo(merchant.timezone)
        later(self.clock.now(), duration, zone)
        # What was asked for can be, so the clock may stand: while it runs, the answer would soon lie in the past.
        return later(self.clock.stand(), duration, zone)

    def move_clock(self, target: datetime, *, step: bool) -> Report:
        """Go to a time, settling on the way, or jump there. Raises ClockWentBackwards."""
        pump = self._now_started().pump
        if step:
            return pump.move_to(target)
        with pump.lock:
            self.clock.set(target)
        return Report()

    def settle(self) -> Report:
        """Run until nothing is due."""
        return self._now_started().pump.settle()

    def check(self) -> CheckReport:
        """What the checker says, while the pump stands still. Raises NotReady where it could not read everything."""
        with self._now_started().pump.lock:
            try:
                return check_lasting(wiring.inspection(), wiring.ledger(), self.clock)
            except (StoreUnavailable, ProviderUnavailable, ProviderBusy) as error:
                raise NotReady(f"Not everything could be read: {error}") from error

    def stripe_listing(self, resource: str) -> list[dict[str, Any]]:
        """What Stripe's side knows of one kind, oldest first.

        The sandbox keeps its accounts over a reset; those of merchants that are gone are not shown.
        """
        listed = self.stripe.listing(resource)
        return [entry for entry in listed if entry.get("id") not in self._former_accounts]

    def mail(self) -> list[dict[str, Any]]:
        """What SES accepted, newest last."""
        return [mail.as_json() for mail in self._aws.mail()]

    def reset(self) -> None:
        """Seed state, the same keys, real time again."""
        started = self._now_started()
        with started.pump.lock:
            self._ready.clear()
            self.faults.clear()
            self.clock.release()
            self.stripe.reset()
            self._former_accounts |= self._accounts
            self._accounts.clear()
            self._aws.forget()
            started.database.restore(started.snapshot)
            started.pump.forget()
            self._ready.set()


def _job(name: str) -> Job:
    """A Lambda's entry point by its name."""
    function: Job = getattr(import_module("chalicelib.handlers.jobs"), name)
    return function


def _environment(
    base_url: str, stripe_url: str, aws_endpoint: str, dynamodb_endpoint: str, queues: tuple[Queue, ...]
) -> dict[str, str]:
    """What a deployment's environment would say, for this machine."""
    urls = {queue.plan.name: queue.url for queue in queues}
    return {
        "TILL_STAGE": "local",
        "TILL_PUBLIC_BASE_URL": base_url,
        "TILL_REGION": REGION,
        "TILL_RECORDS_TABLE": TABLES["RecordsTable"],
        "TILL_EVENTS_TABLE": TABLES["EventsTable"],
        "TILL_TIMERS_TABLE": TABLES["TimersTable"],
        "TILL_BILLING_QUEUE_URL": urls["billing"],
        "TILL_CHARGES_QUEUE_URL": urls["charges"],
        "TILL_WORK_QUEUE_URL": urls["work"],
        "TILL_MAIL_FROM": MAIL_FROM,
        "TILL_STRIPE_SECRET_KEY": SECRET_KEY,
        "TILL_STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
        "TILL_STRIPE_WEBHOOK_SECRETS": f"{CONNECT_SECRET},{PLATFORM_SECRET}",
        "TILL_FORM_SECRET": secrets.token_urlsafe(32),
        "TILL_DYNAMODB_ENDPOINT": dynamodb_endpoint,
        "TILL_AWS_ENDPOINT": aws_endpoint,
        "TILL_STRIPE_API_BASE": stripe_url,
        # The sandbox has no limits, and a year of renewals must not take as long here as Stripe's would.
        "TILL_STRIPE_PACE": "1000/4000",
        "TILL_STRIPE_JS_URL": f"{stripe_url}/stripe.js",
        "TILL_STRIPE_SCRIPT_ORIGINS": stripe_url,
        "TILL_STRIPE_FRAME_ORIGINS": stripe_url,
        "TILL_STRIPE_CONNECT_ORIGINS": stripe_url,
    }
