"""`make soak`: random journeys for MINUTES, two per cent of all calls failing in every way, two schedulers, restarts.

Ends with everything settled, `check_invariants` over all of it, and no error in the logs that is not one of the faults'
own. Prints a line a minute; exit code 1 where anything does not hold.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from chalicelib import wiring
from chalicelib.domain.documents.intake import EventSweep, event_sweep_id
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import InvalidValue, StateConflict
from chalicelib.domain.machines import InvoiceStatus, SubscriptionStatus
from chalicelib.services.checking import check_invariants
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.event_sweep import sweep_events
from chalicelib.services.invoices.paying import PayInvoice, pay_invoice
from chalicelib.services.ports import Index, ProviderRefused, QueueName, Service
from chalicelib.services.refunds.asking import AskedRefund, create_refund
from chalicelib.services.subscriptions import cancel
from infra.local.dynamodb_local import DynamoDbLocal
from infra.local.faults import Fault, FaultKind, Killed
from infra.local.stripe_sandbox.faults import StripeFault
from tests.conftest import make_tables
from tests.faults.seam import WatchedSeam
from tests.faults.shop import NOT_DONE, Case, Shop
from tests.faults.world import World

T = TypeVar("T")

MINUTES = float(os.environ.get("MINUTES", "15"))
SHARE = float(os.environ.get("FAULTS", "0.02"))
SEED = int(os.environ.get("SEED", str(random.SystemRandom().randrange(1 << 32))))
START = datetime(2027, 1, 31, 20, 30, tzinfo=UTC)
KINDS = (FaultKind.KILL, FaultKind.LOST_REPLY, FaultKind.TIMEOUT, FaultKind.ERROR, FaultKind.THROTTLE)
CARDS = (
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_mastercard",
    "pm_card_pendingRefund",
    "pm_card_refundFail",
    "pm_card_chargeDeclined",
    "pm_card_chargeDeclinedInsufficientFunds",
)
GOES_BAD = ("pm_card_chargeCustomerFail", "pm_card_visa", "pm_card_visa")

MOST_UNTOLD = 100
"""Nobody buys while Stripe has more events than this to tell: the one thread that tells them would never catch up."""


class Weather(WatchedSeam):
    """A seam at which a share of all calls goes wrong, in a random way."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.share = 0.0
        self.crossed = 0
        self.met: Counter[str] = Counter()
        self._chance = chance

    def cross(self, service: Service, operation: str, send: Callable[[], T]) -> T:
        """See Seam."""
        self.crossed += 1
        if self._chance.random() < self.share:
            # What answers for SQS and SES here has no wire on which a refusal could be forged.
            kind = self._chance.choice(KINDS if service in ("dynamodb", "stripe") else KINDS[:3])
            # A call that was refused did nothing; the others may or may not have reached the other side.
            effect = kind in (FaultKind.KILL, FaultKind.LOST_REPLY, FaultKind.TIMEOUT) and self._chance.random() < 0.5
            self.met[kind] += 1
            self.add(Fault(service, operation, kind, effect=effect))
        return super().cross(service, operation, send)


class Errors(logging.Handler):
    """Keeps what was logged as an error and is none of the faults' own doing."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.unexpected: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, NOT_DONE):
            self.unexpected.append(f"{record.getMessage()}: {error!r}")


class Hours:
    """Lets the clock move only between what is being done, as an hour passes in no request and in no Lambda.

    Here it goes by a day in no time. A worker that saw two days between its reading and its asking would find that
    Stripe had forgotten the idempotency key of a try that another one made a moment ago: no Lambda lives that long.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy = 0
        self._passing = False

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Something is done in here: it begins when no hour is about to pass, and none does until its end."""
        with self._changed:
            self._changed.wait_for(lambda: not self._passing)
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """The clock may move in here: what was begun has ended, and nothing begins."""
        with self._changed:
            self._changed.wait_for(lambda: not self._passing)
            self._passing = True
            self._changed.wait_for(lambda: self._busy == 0)
        try:
            yield
        finally:
            with self._changed:
                self._passing = False
                self._changed.notify_all()


class SoakShop(Shop):
    """A shop whose every request and job keeps the clock waiting."""

    def __init__(self, world: World, hours: Hours) -> None:
        super().__init__(world)
        self._hours = hours

    def live(self, work: Callable[[], object], *plan: Fault) -> bool:
        """See Shop."""
        with self._hours.at_work():
            return super().live(work, *plan)


class Soak:
    """The people, the schedulers, Stripe and the clock, each in threads of their own."""

    def __init__(self, shop: Shop, weather: Weather, hours: Hours) -> None:
        self.shop, self.world, self.weather, self.hours = shop, shop.world, weather, hours
        self.over = threading.Event()
        self.counts: Counter[str] = Counter()
        self.broken: list[str] = []
        self.cases: list[Case] = []
        self._taking = threading.Lock()
        self._merchant = self.world.ports.records.get(Merchant, "mer_pinewood")

    def forever(self, work: Callable[[random.Random], None], seed: int) -> threading.Thread:
        """A thread that does something until the soak is over, and notes what nobody expected."""

        def run() -> None:
            chance = random.Random(seed)
            while not self.over.is_set():
                try:
                    work(chance)
                except (Killed, *NOT_DONE):
                    self.counts["cut short"] += 1
                except ProviderRefused as refused:
                    # The clock goes by days in seconds here, and a confirmation token is good for twelve hours.
                    if "confirmation_token" not in str(refused):
                        self.broken.append(f"{work.__name__}: {refused!r}")
                except Exception as error:  # noqa: BLE001 - kept, printed, and the soak fails
                    self.broken.append(f"{work.__name__}: {error!r}")

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    # --- people

    def buyer(self, chance: random.Random) -> None:
        """Opens a link and presses the button until it is paid, or goes away."""
        if len(self.shop.untold()) > MOST_UNTOLD:
            self.over.wait(0.5)
            return
        link = self.shop.monthly if chance.random() < 0.6 else self.shop.one_time
        case = self.shop.buyer(link, chance.choice(CARDS))
        for _ in range(4):
            endings: list[Ending] = []
            self.shop.live(lambda endings=endings: endings.append(self.shop.press(case).ending))
            self.counts["presses"] += 1
            if endings == [Ending.PAID]:
                self.counts["paid"] += 1
                self.cases.append(case)
                break
            if chance.random() < 0.2:
                break
            self.shop.another_card(case)
        time.sleep(0.05)

    def visitor(self, chance: random.Random) -> None:
        """Comes back to something bought before: cancels it, pays what is open, or gets a card that goes bad."""
        time.sleep(0.2)
        if not self.cases:
            return
        case = chance.choice(self.cases)
        checkout = self.shop.checkout(case)
        if not checkout.subscription_ids:
            return
        subscription = self.world.ports.records.get(Subscription, checkout.subscription_ids[0])
        what = chance.random()
        if what < 0.3 and subscription.method is not None:
            self.world.sandbox.set_behaviour(subscription.method.payment_method_id, chance.choice(GOES_BAD))
        elif what < 0.4 and subscription.status is not SubscriptionStatus.CANCELED:
            self.shop.live(lambda: self._cancel(subscription, at_once=chance.random() < 0.3))
        else:
            self._pay_open(subscription)

    def _cancel(self, subscription: Subscription, *, at_once: bool) -> None:
        try:
            at = "now" if at_once else "period_end"
            cancel(self.world.ports, subscription.merchant_id, subscription.id, at=at, actor="buyer")  # type: ignore[arg-type]
        except StateConflict:
            return
        self.counts["cancelled"] += 1

    def _pay_open(self, subscription: Subscription) -> None:
        records = self.world.ports.records
        page = records.newest(Invoice, Index.BY_SUBSCRIPTION, subscription.id, limit=5)
        for invoice in page.records:
            if invoice.status is InvoiceStatus.OPEN:
                self.shop.live(
                    lambda invoice=invoice: pay_invoice(
                        self.world.ports,
                        PayInvoice(
                            merchant_slug="pinewood",
                            invoice_id=invoice.id,
                            invoice_secret=invoice.secret,
                            expected_total=invoice.amount_due.minor,
                            confirmation_token=self.world.token(),
                            return_url="https://till.example/return/x",
                            consent_words=lambda view, now: "agreed" if view.subscription else None,
                            as_shown=lambda view, now: True,
                            address=None,
                        ),
                    )
                )
                self.counts["invoices opened by buyers"] += 1

    def merchant(self, chance: random.Random) -> None:
        """Sends money back, here or in Stripe's dashboard: some of it, all of it, or more than there is."""
        time.sleep(0.15)
        if not self.cases:
            return
        checkout = self.shop.checkout(chance.choice(self.cases))
        found = self.world.ports.records.newest(Payment, Index.BY_INVOICE, checkout.invoice_id, limit=1).records
        if not found:
            return
        payment = found[0]
        minor = chance.choice((None, 100, 800, payment.amount.minor // 2, payment.amount.minor))
        if chance.random() < 0.3 and payment.charge_id is not None:
            with suppress(StripeFault):
                self.world.sandbox.create_refund(payment.charge_id, minor)
                self.counts["refunds in the dashboard"] += 1
            return

        def ask() -> None:
            with suppress(InvalidValue, StateConflict):
                create_refund(
                    self.world.ports,
                    payment.merchant_id,
                    AskedRefund(payment.id, minor, "requested_by_customer"),
                    actor="api",
                )
                self.counts["refunds"] += 1

        self.shop.live(ask)

    # --- the world

    def clerk(self, chance: random.Random) -> None:
        """One of two schedulers, and the workers behind it."""
        self.shop.live(self.shop.sweep)
        for queue in QueueName:
            with self._taking:
                messages = self.world.queues.take(queue)
            for message in messages:
                for _ in range(chance.choice((1, 1, 1, 2))):
                    self.shop.live(lambda queue=queue, message=message: self.shop.work_on(queue, message))
        time.sleep(0.1)

    def night(self, chance: random.Random) -> None:
        """The daily look at Stripe's own list, begun anew until it has come to its end.

        The clock outruns the three days for which Stripe tells an event again.
        """
        self.over.wait(0.3)
        if self.world.clock.now() - self._caught_up_to() >= timedelta(days=1):
            ports = self.world.ports
            self.shop.live(lambda: sweep_events(ports, self._merchant.id, direct_merchant_id=None))

    def _caught_up_to(self) -> datetime:
        sweep_id = event_sweep_id(self._merchant.id, self._merchant.created_at)
        sweep = self.world.ports.records.find(EventSweep, sweep_id)
        return (sweep and sweep.swept_to) or START

    def stripe(self, chance: random.Random) -> None:
        """Tells what happened, newest first, some of it twice."""
        self.shop.hear()
        if chance.random() < 0.2:
            self.shop._taken_in.clear()
        time.sleep(0.3)

    def clock(self, chance: random.Random) -> None:
        """Goes on by hours, now and then by days; waits for a daily look that is three weeks behind.

        Stripe's list goes back a month (docs.stripe.com/api/events/list), which is gone in a minute here.
        """
        time.sleep(0.5)
        if self.world.clock.now() - self._caught_up_to() > timedelta(days=21):
            self.counts["waits for the night"] += 1
            return
        with self.hours.passing():
            self.world.clock.advance(timedelta(hours=chance.choice((1, 1, 2, 2, 3, 6, 12, 30))))

    def restart(self, chance: random.Random) -> None:
        """A new process takes over: nothing that the old one kept in memory is there any more."""
        self.over.wait(chance.uniform(5, 20))
        self.world.ports = self.world._ports(self.world.settings)
        wiring.replace_ports(self.world.ports, self.world.inspection, self.world.ledger)
        self.counts["restarts"] += 1

    def run(self, minutes: float) -> None:
        """Everything at once, for so long."""
        people = (self.buyer, self.buyer, self.buyer, self.visitor, self.merchant)
        parts = (*people, self.clerk, self.clerk, self.night, self.stripe, self.clock)
        self.weather.share = SHARE
        threads = [self.forever(part, SEED + number) for number, part in enumerate((*parts, self.restart))]
        until = time.monotonic() + minutes * 60
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(60.0, left))
            now = f"{self.world.clock.now():%Y-%m-%d}"
            print(
                f"{now}  {dict(self.counts)}  {self.weather.crossed} calls, {self.weather.met.total()} faults",
                flush=True,
            )
        self.over.set()
        for thread in threads:
            thread.join(120)

    def settle(self) -> None:
        """Fine weather: what was begun is finished, now and after the times that things wait for."""
        self.weather.share = 0.0
        self.weather.clear()
        self.shop._taken_in.clear()
        for _ in range(4):
            self.shop.settle()
            self.world.clock.advance(timedelta(hours=25))
            self.shop.catch_up()
        self.shop.settle()


def main() -> int:
    """One soak, and what it found."""
    print(f"SEED={SEED} MINUTES={MINUTES:g} FAULTS={SHARE:g}", flush=True)
    errors = Errors()
    logging.getLogger("till").addHandler(errors)
    for name, value in (("AWS_ACCESS_KEY_ID", "local"), ("AWS_SECRET_ACCESS_KEY", "local")):
        os.environ[name] = value
    with DynamoDbLocal() as endpoint:
        world = World(make_tables(endpoint), START)
        weather = Weather(random.Random(SEED))
        world.seam = weather
        world._with_tokens = world.ports = world._ports(world.settings)
        world.put_back()
        hours = Hours()
        shop = SoakShop(world, hours)
        soak = Soak(shop, weather, hours)
        soak.run(MINUTES)
        soak.settle()
        report = check_invariants(world.inspection, world.ledger, world.clock.now())
        shop.close()
        world.stop()
    print(f"{dict(report.counted)}")
    print(f"{weather.crossed} calls, faults met: {dict(weather.met)}")
    for line in [*soak.broken[:20], *errors.unexpected[:20]]:
        print(f"UNEXPECTED {line}")
    for violation in report.violations[:50]:
        print(f"VIOLATED {violation}")
    for undone in report.undone[:20]:
        print(f"undone {undone}")
    held = not (soak.broken or errors.unexpected or report.violations)
    print(f"{len(report.violations)} violations, {len(soak.broken) + len(errors.unexpected)} unexpected errors")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
