"""A merchant with two links, and what people, queues, Stripe and the clock do to it: again, late, twice at a time."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Self

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer
from chalicelib.domain.money.amounts import Money
from chalicelib.handlers import jobs
from chalicelib.services.checkouts.submit import Submit, Submitted, submit
from chalicelib.services.intake import receive
from chalicelib.services.links import NewLink, create_link
from chalicelib.services.merchants import create_merchant
from chalicelib.services.notices import Notice
from chalicelib.services.ports import (
    Index,
    MailUnavailable,
    Message,
    ProviderBusy,
    ProviderUnavailable,
    QueueName,
    QueueUnavailable,
    StoreUnavailable,
    WriteConflict,
)
from infra.local.faults import ANY, Fault, FaultKind, Killed
from tests.faults.world import ACCOUNT, World

TELLS_FOR = timedelta(days=3)
"""How long Stripe sends an event again that nobody took (docs.stripe.com/webhooks)."""
MOST_ROUNDS = 12
ECHOES = frozenset({"refund.updated", "charge.refund.updated"})
"""Events that nobody hears here: another one, or a timer, tells the same, and thousands of them take their time."""
RECEIVES = 5
"""How often a message is received before it goes to the dead-letter queue."""

NOT_DONE = (
    MailUnavailable,
    ProviderBusy,
    ProviderUnavailable,
    QueueUnavailable,
    StoreUnavailable,
    WriteConflict,
)
"""What a request may end with that is not done: whoever made it comes again."""

_TICK = {
    "version": "0",
    "account": "123456789012",
    "region": "us-east-1",
    "detail": {},
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "time": "2027-01-15T17:00:00Z",
    "id": "1",
    "resources": [],
}
_JOBS: Mapping[QueueName, Callable[[Any, Any], Any]] = {
    QueueName.BILLING: jobs.bill,
    QueueName.CHARGES: jobs.charge,
    QueueName.WORK: jobs.work,
}


def kill(nth: int, *, after: bool) -> Fault:
    """The program ends before, or after, its n-th call."""
    return Fault(ANY, ANY, FaultKind.KILL, effect=after, nth=nth)


@dataclass
class Case:
    """One thing that is being done while the program dies, and whatever a flow wants to remember of it."""

    number: int
    form: Submit | None = None
    checkout_id: str = ""
    subscription_id: str = ""
    notice: Notice | None = None
    queue: QueueName = QueueName.WORK
    message: Message | None = None
    invoice_id: str = ""
    secret: str = ""
    customer_id: str = ""
    payment_id: str = ""
    refund_id: str = ""
    change_id: str = ""
    link_id: str = ""


_OWN = frozenset({"world", "two", "died_again", "_pool"})
"""What no shop takes over from another."""


class Shop:
    """A merchant of a world that was just put back."""

    def __init__(self, world: World, *, two: bool = False) -> None:
        self.world = world
        self.two = self.died_again = two
        self.merchant, _ = create_merchant(
            world.ports,
            name="Pinewood Studio",
            timezone="America/New_York",
            currency="usd",
            stripe_account=ACCOUNT,
            ready=True,
            slug="pinewood",
        )
        self.one_time = self._link("Portrait session", LineItem("Portrait session", 1, Money(14_800, "usd")))
        self.monthly = self._link(
            "Membership",
            LineItem("Membership", 1, Money(4_900, "usd"), recurring=Recurrence(Frequency.MONTHLY)),
        )
        self.kept: dict[str, dict[str, Message]] = {}
        self.died_at = world.clock.now()
        self._outbox: dict[tuple[str, MailKind], Mail] = {}
        self._taken_in: set[str] = set()
        self._chance = random.Random(7)
        self._buyers = 0
        self._pool = ThreadPoolExecutor(2)

    def memory(self) -> dict[str, Any]:
        """What a shop knows of its world: for `remembering`, in that world put back."""
        return {name: deepcopy(value) for name, value in vars(self).items() if name not in _OWN}

    @classmethod
    def remembering(cls, memory: Mapping[str, Any], world: World, *, two: bool) -> Self:
        """A shop in a world that was put back to when this was remembered."""
        shop = cls.__new__(cls)
        vars(shop).update(deepcopy(dict(memory)))
        shop.world, shop.two, shop.died_again = world, two, two
        shop._pool = ThreadPoolExecutor(2)
        return shop

    def close(self) -> None:
        """End the second runner."""
        self._pool.shutdown()

    def _link(self, name: str, *lines: LineItem) -> PaymentLink:
        return create_link(self.world.ports, self.merchant.id, NewLink(name, "usd", lines), actor="test")

    # --- one request or job, and two at a time

    def live(self, work: Callable[[], object], *plan: Fault) -> bool:
        """Do something in a life of its own; whether it came to its end."""
        try:
            with self.world.seam.life(plan):
                work()
        except (Killed, *NOT_DONE):
            return False
        return True

    def come_again(self, work: Callable[[], object]) -> bool:
        """Do something that was not finished; with two runners both do it, and one of them may die on the way."""
        if not self.two:
            return self.live(work)
        plans: list[Sequence[Fault]] = [(), (kill(self._chance.randint(1, 12), after=self._chance.random() < 0.5),)]
        done = list(self._pool.map(lambda plan: self.live(work, *plan), plans))
        return any(done)

    # --- buyers

    def buyer(self, link: PaymentLink, behaves: str = "pm_card_visa") -> Case:
        """A buyer with a checkout of their own and a card at hand."""
        ports, number = self.world.ports, self.next_number()
        now = self.world.clock.now()
        form = Submit(
            merchant_slug="pinewood",
            link_id=link.id,
            link_secret=link.secret,
            checkout_id=ports.ids.new("chk", now),
            checkout_secret=ports.ids.secret(),
            email=f"buyer{number}@example.com",
            name="Anna Kowalska",
            expected_total=link.lines[0].amount.minor,
            confirmation_token=self.world.token(behaves),
            return_url="https://till.example/return/x",
            consent_words=lambda page, now: "agreed" if page.link.lines[0].recurring else None,
            as_shown=lambda page, now: True,
            address="203.0.113.9",
            # Tries are counted by address, and some callers have none.
            source=None if link is self.monthly else f"address {number}",
        )
        return Case(number, form=form, checkout_id=form.checkout_id)

    def next_number(self) -> int:
        """The number of the next case in this shop."""
        self._buyers += 1
        return self._buyers

    def another_card(self, case: Case, behaves: str = "pm_card_visa") -> None:
        """The buyer enters a card anew, as after every reload."""
        assert case.form is not None
        case.form = replace(case.form, confirmation_token=self.world.token(behaves))

    def press(self, case: Case) -> Submitted:
        """The button."""
        assert case.form is not None
        return submit(self.world.ports, case.form)

    def died_paying(self, link: PaymentLink, operation: str, *, after: bool) -> Case:
        """A buyer whose submit died at a call to Stripe."""
        case = self.buyer(link)
        assert not self.live(lambda: self.press(case), Fault("stripe", operation, FaultKind.KILL, effect=after))
        return case

    def intent_of(self, owner_id: str) -> str:
        """The id of the one intent that was made for a checkout or an invoice."""
        owners = ("till_checkout", "till_invoice")
        [found] = [
            i["id"]
            for i in self.world.at_stripe("payment_intent")
            if owner_id in [i["metadata"].get(name) for name in owners]
        ]
        return str(found)

    def subscribe(self, behaves: str = "pm_card_visa") -> Case:
        """A paid checkout of the monthly link."""
        case = self.buyer(self.monthly, behaves)
        assert self.press(case).ending == "paid"
        case.subscription_id = self.checkout(case).subscription_ids[0]
        return case

    def checkout(self, case: Case) -> Checkout:
        return self.world.ports.records.get(Checkout, case.checkout_id)

    def subscription(self, case: Case) -> Subscription:
        return self.world.ports.records.get(Subscription, case.subscription_id)

    def invoices(self, case: Case) -> list[Invoice]:
        """The invoices of a case's subscription, oldest first."""
        records = self.world.ports.records
        page = records.newest(Invoice, Index.BY_SUBSCRIPTION, case.subscription_id, limit=10)
        return list(reversed(page.records))

    def seen_invoices(self, case: Case) -> list[Invoice]:
        """The same, from one look at all that is stored for all that ask before the next write."""
        return [each for each in self.world.seen().all(Invoice) if each.subscription_id == case.subscription_id]

    def mail_about(self, record_id: str, kind: MailKind) -> Mail:
        """The one mail of a kind about a record, from one look at the outbox for all that ask."""
        if not self._outbox:
            found = (record for record in self.world.inspection.records() if isinstance(record, Mail))
            self._outbox = {(mail.about_id, mail.kind): mail for mail in found}
        return self._outbox[record_id, kind]

    def last_next_period(self) -> datetime:
        """When every subscription's next period has begun."""
        found = (record for record in self.world.inspection.records() if isinstance(record, Subscription))
        return max(each.next_invoice_at for each in found if each.next_invoice_at is not None)

    # --- Stripe tells

    def notice(self, event: Mapping[str, Any]) -> Notice:
        """An event as the webhook's handler hands it on."""
        return Notice(event["id"], event["type"], ACCOUNT, event["livemode"], event["data"]["object"])

    def event_of(self, type_: str, intent_id: str) -> Notice:
        """The newest event of a type about an intent or its charge."""
        for event in reversed(self.world.at_stripe("event")):
            about = event["data"]["object"]
            if event["type"] == type_ and intent_id in (about["id"], about.get("payment_intent")):
                return self.notice(event)
        raise AssertionError(f"Stripe has no {type_} of {intent_id}")

    def told(self, notice: Notice) -> bool:
        """Stripe sends an event, again and again until it is taken."""
        if self.come_again(lambda: receive(self.world.ports, notice)):
            self._taken_in.add(notice.event_id)
            return True
        return False

    def hear(self) -> int:
        """Everything that Stripe has to tell, newest first; how many were taken."""
        self.world.sandbox.deliver_due()
        return sum(self.told(self.notice(event)) for event in self.untold())

    def untold(self) -> list[Any]:
        """The events that Stripe still has to tell, newest first."""
        oldest = (self.world.clock.now() - TELLS_FOR).timestamp()
        return [
            event
            for event in reversed(self.world.at_stripe("event"))
            if event["id"] not in self._taken_in and event["created"] >= oldest and event["type"] not in ECHOES
        ]

    # --- the clock's work

    def sweep(self) -> object:
        """What the schedule rule starts every five minutes."""
        return jobs.sweep(_TICK, None)

    def catch_up(self) -> object:
        """What the schedule rule starts every night: Stripe's own list of events is read."""
        return jobs.catch_up(_TICK, None)

    def work_on(self, queue: QueueName, message: Message) -> None:
        """A worker gets a message. Raises StoreUnavailable where it says that the message must come back."""
        records = [{"messageId": "1", "body": json.dumps(dict(message.body))}]
        if (_JOBS[queue]({"Records": records}, None) or {}).get("batchItemFailures"):
            raise StoreUnavailable("the message was not done")

    def message_about(self, kind: str, record_id: str) -> Message:
        """The message that the schedule sends about a record, from one sweep for all that ask."""
        if kind not in self.kept:
            self.kept[kind] = self._messages_about(kind)
        return self.kept[kind][record_id]

    def _messages_about(self, kind: str) -> dict[str, Message]:
        """Sweep, and take what that sent of a kind: the messages by the record they are about."""
        self.sweep()
        found: dict[str, Message] = {}
        for queue in QueueName:
            for message in self.world.queues.take(queue):
                for timer in message.body.get("timers", [message.body]):
                    if timer["kind"] == kind:
                        body = {**message.body, "timers": [timer]} if "timers" in message.body else message.body
                        found[timer["record_id"]] = Message(body, message.group, message.dedupe)
        return found

    def drain(self) -> None:
        """Hand every message to a worker; a failed one comes back, until SQS puts it aside."""
        for queue in QueueName:
            for message in self.world.queues.take(queue):
                for _ in range(RECEIVES):
                    if self.come_again(partial(self.work_on, queue, message)):
                        break

    def ignore_bookings(self) -> None:
        """Stripe's reports of payments that are booked already never come; they would cost much and change nothing."""
        known = [event["id"] for event in self.world.at_stripe("event") if event["type"] == "payment_intent.succeeded"]
        self._taken_in.update(known)

    def settle(self) -> None:
        """Sweep, work and listen until that changes nothing any more. Where nothing is due, nobody sweeps."""
        before: set[str] | None = None
        due = self.due()
        for _ in range(MOST_ROUNDS):
            if due:
                self.come_again(self.sweep)
            self.drain()
            heard = self.hear()
            due = self.due()
            if not heard and due in (set(), before):
                return
            before = due
        raise AssertionError("something is due for ever")

    def due(self) -> set[str]:
        """The keys of the timers that are due."""
        now = self.world.clock.now()
        return {timer.key for timer in self.world.inspection.timers() if isinstance(timer, Timer) and timer.due <= now}

    def at_rest(self) -> bool:
        """Whether nothing is due, nothing waits in a queue, and Stripe has nothing to tell."""
        waiting = any(self.world.queues.waiting(queue) for queue in QueueName)
        return not (waiting or self.due() or self.untold())

    def let_pass(self, span: timedelta) -> None:
        """Nobody does anything for a while."""
        self.world.clock.advance(span)

    def until(self, when: datetime) -> None:
        """Nobody does anything until then."""
        self.world.clock.set(max(when, self.world.clock.now()).astimezone(UTC))
