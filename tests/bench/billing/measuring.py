"""The billing run measured: what is swept, issued and charged, counted and timed, by the product and beside it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import stripe

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import INVOICE_SERIES, NumberSeries, series_id
from chalicelib.domain.documents.methods import Method, StoredMethod
from chalicelib.domain.documents.timers import SHARDS, Timer, TimerKind
from chalicelib.domain.ids import derived_id
from chalicelib.domain.machines import InvoiceStatus
from chalicelib.gateways.ids import RandomIds
from chalicelib.gateways.pacing import LIVE, SharedPacer, allowance_for
from chalicelib.gateways.pauses import RandomPauses
from chalicelib.gateways.stripe.gateway import StripeGateway
from chalicelib.services.billing.bounds import Bounds
from chalicelib.services.billing.charging import charge_invoice
from chalicelib.services.billing.issuing import MOST_TOGETHER, issue_due
from chalicelib.services.billing.sweeping import sweep
from chalicelib.services.mails import timer_message, timer_of
from chalicelib.services.ports import QueueName
from chalicelib.storage.store import DynamoStore
from tests.bench.billing.book import open_book
from tests.bench.billing.meter import Consumed, Meter
from tests.bench.billing.processes import Charged, ChargeWorkers, Peer
from tests.bench.billing.stripe_process import ACCOUNT, PUBLISHABLE_KEY, SECRET_KEY
from tests.bench.figures import Line, told
from tests.bench.worlds import NOBODY
from tests.conftest import REGION, make_tables
from tests.fakes.ports import FakePorts
from tests.fakes.world import FakeClock, FakeMailer, FakeQueues
from tests.gateways.stripe_worlds import GatewaySettings

SUBSCRIPTIONS = int(os.environ.get("SUBSCRIPTIONS", "100000"))
DUE = int(os.environ.get("DUE", "10000"))
CHARGES = int(os.environ.get("CHARGES", "5000"))
SAMPLE = int(os.environ.get("SAMPLE", "190"))
WORKERS = int(os.environ.get("WORKERS", "3"))
THREADS = int(os.environ.get("THREADS", "16"))
BASELINE_CHARGES = min(CHARGES, 1_000)
NOT_DUE: Final = tuple(size for size in (1_000, 10_000, 50_000) if size <= SUBSCRIPTIONS)
SWEPT: Final = 100
UNBOUND: Final = Bounds(10**8, 10**8)
CARD: Final = Method("card", "visa", "4242")


@dataclass(frozen=True)
class Issuing:
    """What it took to issue."""

    count: int
    seconds: float
    cpu: float


class Run:
    """One merchant's book, and the product at work on it, in this process."""

    def __init__(self, endpoint: str, stripe_url: str) -> None:
        self.endpoint, self.stripe_url = endpoint, stripe_url
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.clock = FakeClock(self.now)
        self.config = make_tables(endpoint)
        store = DynamoStore(self.config)
        pacer = SharedPacer(
            store.token_leases,
            allowance_for(livemode=True, buyer_waits=False),
            patience_seconds=60.0,
            now=time.time,
            late=LIVE,
        )
        settings = GatewaySettings(stripe_api_base=stripe_url, stripe_secret_key=SECRET_KEY)
        self.gateway = StripeGateway(settings, timeout_seconds=20.0, pacer=pacer)
        self.ports = self.ports_on(store)
        self.book = open_book(self.ports, endpoint, self.config, ACCOUNT, self._method())

    def _method(self) -> StoredMethod:
        """A card that pays: one for all, as nothing here depends on whose it is."""
        client = stripe.StripeClient(SECRET_KEY, stripe_account=ACCOUNT, base_addresses={"api": self.stripe_url})
        buyer = client.v1.customers.create({"email": "anna@example.com"})
        card = client.v1.payment_methods.attach("pm_card_visa", {"customer": buyer.id})
        return StoredMethod(card.id, buyer.id, CARD)

    def ports_on(self, store: DynamoStore) -> FakePorts:
        """Everything that the product needs, on a store."""
        queues = FakeQueues(self.clock)
        return FakePorts(store, store, self.clock, RandomIds(), queues, self.gateway, FakeMailer(), RandomPauses())

    def through(self, meter: Meter) -> FakePorts:
        """The same product, seen by a meter."""
        return self.ports_on(DynamoStore(replace(self.config, endpoint_url=meter.endpoint)))

    def issue(self, ports: FakePorts) -> int:
        """Sweep, and issue what that hands over; how many."""
        sweep(ports)
        issued = 0
        for message in ports.queues.take(QueueName.BILLING):
            timers = [timer_of(each) for each in message.body["timers"]]
            issued += issue_due(ports, self.book.merchant_id, timers, bounds=UNBOUND).invoices
        ports.queues.take(QueueName.CHARGES)
        return issued

    def charges(self) -> list[Timer]:
        """The charges that are due."""
        found: list[Timer] = []
        for shard in range(SHARDS):
            after = None
            while page := self.ports.timers.due_before(shard, self.clock.now(), limit=500, after=after):
                found += [each for each in page if each.kind is TimerKind.CHARGE_INVOICE]
                after = page[-1].key
        return found

    def last_number(self) -> int:
        """The number taken last."""
        series = self.ports.records.get(NumberSeries, series_id(self.book.merchant_id, INVOICE_SERIES))
        return series.last


def note(words: str) -> None:
    """Tell whoever waits."""
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {words}\n")
    sys.stderr.flush()


# --- row 7


def swept(run: Run, peer: Peer, meter: Meter, their_meter: Meter) -> list[Line]:
    """What a sweep costs with so many due, however many are not."""
    run.book.add(SWEPT, run.now - timedelta(hours=2))
    peer.order("fill", count=SWEPT, due=True)
    ours: list[Consumed] = []
    theirs: list[Consumed] = []
    there = 0
    for size in NOT_DUE:
        run.book.add(size - there, run.now + timedelta(days=6))
        peer.order("fill", count=size - there, due=False)
        there = size
        meter.take()
        their_meter.take()
        assert sweep(run.through(meter)).due == SWEPT
        ours.append(meter.take())
        assert peer.order("scan")["due"] == SWEPT
        theirs.append(their_meter.take())
        here, there_too = ours[-1], theirs[-1]
        note(f"sweep with {size} not due: {here.calls.total()} calls, {here.reads:g} units")
        note(f"  a scan: {there_too.calls.total()} calls, {there_too.reads:g} units")
    run.book.add(SUBSCRIPTIONS - there - DUE, run.now + timedelta(days=6))

    def ratio(found: Sequence[Consumed]) -> float:
        return max(found[-1].calls.total() / found[0].calls.total(), found[-1].reads / found[0].reads)

    scan, mine = ratio(theirs), ratio(ours)
    sizes = f"{NOT_DUE[0]:,} to {NOT_DUE[-1]:,} not due"
    return [
        told(
            "7", f"a sweep of {SWEPT} due, {sizes}: cost, last to first", f"{scan:.2f} (Scan)", f"{mine:.2f}",
            "1.00", mine == 1, "1.00", mine == 1,
        ),
        told(
            "7", "calls, and read units of it",
            f"{theirs[-1].calls.total()}, {theirs[-1].reads:,.0f}", f"{ours[-1].calls.total()}, {ours[-1].reads:,.0f}",
            "told", True, "told", True,
        ),
    ]  # fmt: skip


# --- row 6


def counted(run: Run, meter: Meter) -> tuple[Consumed, Consumed]:
    """A sample, counted on the wire: what it took to issue, and to charge."""
    run.clock.advance(timedelta(seconds=1))
    timers = run.book.add(SAMPLE, run.now - timedelta(minutes=30))
    ports = run.through(meter)
    meter.take()
    chunks = [timers[start : start + MOST_TOGETHER] for start in range(0, len(timers), MOST_TOGETHER)]
    for chunk in chunks:
        assert issue_due(ports, run.book.merchant_id, chunk, bounds=UNBOUND).invoices == len(chunk)
    issue = meter.take()
    due = run.charges()[:SAMPLE]
    for timer in due:
        assert charge_invoice(ports, timer) == "paid"
    return issue, meter.take()


def issued(run: Run) -> Issuing:
    """All that is due, by one worker, since a merchant's messages come one after the other."""
    began, cpu, before = time.monotonic(), time.process_time(), run.last_number()
    count = run.issue(run.ports)
    took = Issuing(count, time.monotonic() - began, time.process_time() - cpu)
    assert run.last_number() == before + count
    return took


def with_conflicts(run: Run) -> int:
    """The same by four workers at once, each of whom has every message, in an order of its own; how many are right."""
    due = 20 * MOST_TOGETHER
    timers = run.book.add(due, run.now - timedelta(minutes=20))
    chunks = [timers[start : start + MOST_TOGETHER] for start in range(0, due, MOST_TOGETHER)]
    before = run.last_number()

    def work(number: int) -> int:
        ports = run.ports_on(DynamoStore(run.config))
        mine = chunks[number * 5 :] + chunks[: number * 5]
        return sum(issue_due(ports, run.book.merchant_id, chunk, bounds=UNBOUND).invoices for chunk in mine)

    with ThreadPoolExecutor(4) as pool:
        issued_by = list(pool.map(work, range(4)))
    note(f"with conflicts: {issued_by} of {due}")
    ids = [derived_id("inv", each.due, f"{each.record_id}#1") for each in timers]
    found = run.ports.records.find_many([(Invoice, each) for each in ids])
    numbers = sorted(int((each.number or "").rpartition("-")[2]) for each in found if each is not None)
    assert sum(issued_by) == due == run.last_number() - before, (issued_by, due, run.last_number() - before)
    assert numbers == list(range(before + 1, before + due + 1))
    return due


# --- row 8


def paced(run: Run, sandbox: Peer, due: Sequence[Timer]) -> tuple[Charged, Mapping[str, Any]]:
    """The charges, by processes that share Stripe's pace and nothing else, one of them killed in the middle."""
    environment = {
        **NOBODY,
        "TILL_STAGE": "bench",
        "TILL_PUBLIC_BASE_URL": "https://pay.example.com",
        "TILL_REGION": REGION,
        "TILL_RECORDS_TABLE": run.config.records_table,
        "TILL_EVENTS_TABLE": run.config.events_table,
        "TILL_TIMERS_TABLE": run.config.timers_table,
        **{f"TILL_{name}_QUEUE_URL": f"http://127.0.0.1:9/1/{name}" for name in ("BILLING", "CHARGES", "WORK")},
        "TILL_MAIL_FROM": "mail@till.example",
        "TILL_STRIPE_SECRET_KEY": SECRET_KEY,
        "TILL_STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
        "TILL_STRIPE_WEBHOOK_SECRETS": "whsec_bench_0001",
        "TILL_FORM_SECRET": "x" * 43,
        "TILL_DYNAMODB_ENDPOINT": run.endpoint,
        "TILL_AWS_ENDPOINT": "http://127.0.0.1:9",
        "TILL_STRIPE_API_BASE": run.stripe_url,
        "TILL_STRIPE_PACE": f"{LIVE.endpoint}/{LIVE.total}",
    }
    before = sandbox.ask("counts")
    workers = ChargeWorkers(WORKERS, THREADS, environment)
    messages = [json.dumps(dict(timer_message(timer))) for timer in due]
    took = workers.run(messages, kill_after=len(messages) // 2)
    workers.stop()
    after = sandbox.ask("counts")
    note(f"charged {took.done} in {took.seconds:.1f} s, slowest {took.slowest:.1f} s: {after}")
    note(f"  {took.again} were handed out again")
    found = run.ports.records.find_many([(Invoice, timer.record_id) for timer in due])
    paid = sum(each.status is InvoiceStatus.PAID for each in found)
    assert paid == len(due), f"{paid} of {len(due)} are paid"
    assert after["succeeded"] - before["succeeded"] == len(due)
    return took, {name: after[name] - before[name] for name in after}
