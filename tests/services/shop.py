"""A whole shop on the fakes: a merchant, its links, buyers that press the button, and a scheduler."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.mails import Mail
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.money.amounts import Money
from chalicelib.services.billing.charging import charge_invoice
from chalicelib.services.billing.issuing import issue_due
from chalicelib.services.billing.sweeping import sweep
from chalicelib.services.checking import Report, check_invariants
from chalicelib.services.checkouts.expiry import expire_checkout
from chalicelib.services.checkouts.submit import Submit, Submitted, submit
from chalicelib.services.event_sweep import sweep_events
from chalicelib.services.intake import apply_received, receive
from chalicelib.services.links import NewLink, create_link
from chalicelib.services.mails import send_mail, timer_of
from chalicelib.services.merchants import create_merchant
from chalicelib.services.notices import Notice
from chalicelib.services.ports import (
    Intent,
    MadeRefund,
    MadeStatus,
    OutgoingMail,
    ProviderBusy,
    ProviderUnavailable,
    QueueName,
    StoreUnavailable,
)
from chalicelib.services.refunds.asking import AskedRefund, create_refund
from chalicelib.services.refunds.making import finish_refund
from tests.fakes.inspection import FakeInspection
from tests.fakes.ledger import FakeLedger
from tests.fakes.ports import FakePorts
from tests.fakes.storage import FakeStore
from tests.fakes.stripe import FakeStripe
from tests.fakes.world import FakeClock, FakeIds, FakeMailer, FakeQueues

ACCOUNT = "acct_1Pinewood00000000"
NEW_YORK = "America/New_York"


def usd(minor: int) -> Money:
    """Dollars, in cents."""
    return Money(minor, "usd")


class Shop:
    """Everything a use case needs, in memory, and shorthands for what people do."""

    def __init__(self, now: datetime = datetime(2027, 1, 31, 20, 30, tzinfo=UTC)) -> None:
        self.clock = FakeClock(now)
        self.store = FakeStore()
        self.stripe = FakeStripe(self.clock)
        self.queues = FakeQueues(self.clock)
        self.mailer = FakeMailer()
        self.ids = FakeIds()
        self.ports = FakePorts(
            records=self.store,
            timers=self.store,
            clock=self.clock,
            ids=self.ids,
            queues=self.queues,
            stripe=self.stripe,
            mailer=self.mailer,
        )
        self.inspection = FakeInspection(self.store)
        self.ledger = FakeLedger(self.stripe)
        self.left_broken: str | None = None
        """Why the books are wrong at a test's end on purpose; None has them checked."""
        self.merchant, _ = create_merchant(
            self.ports,
            name="Pinewood Studio",
            timezone=NEW_YORK,
            currency="usd",
            stripe_account=ACCOUNT,
            ready=True,
            slug="pinewood",
        )
        self.one_time = self.link("Product photography", LineItem("Product photography", 1, usd(14_800)))
        self.monthly = self.link("Membership", monthly_line())

    def link(self, name: str, *lines: LineItem) -> PaymentLink:
        """A link that is on."""
        return create_link(self.ports, self.merchant.id, NewLink(name, "usd", lines), actor="test")

    # --- buyers

    def token(self, behaves: str = "pm_card_visa") -> str:
        """What the buyer's browser got from Stripe."""
        return self.stripe.confirmation_token(behaves, ACCOUNT)

    def buyer(self, link: PaymentLink, **changes: Any) -> Submit:
        """A buyer's form, with a checkout of their own."""
        amount = link.lines[0].amount.minor
        fields: dict[str, Any] = {
            "merchant_slug": "pinewood",
            "link_id": link.id,
            "link_secret": link.secret,
            "checkout_id": self.ids.new("chk", self.clock.now()),
            "checkout_secret": self.ids.secret(),
            "email": "anna@example.com",
            "name": "Anna Kowalska",
            "expected_total": amount,
            "confirmation_token": self.token(),
            "return_url": "https://till.example/return/x",
            "consent_words": lambda page, now: "agreed" if page.link.lines[0].recurring else None,
            "as_shown": lambda page, now: True,
            "address": "203.0.113.9",
        }
        return Submit(**(fields | changes))

    def press(self, form: Submit) -> Submitted:
        """The button."""
        return submit(self.ports, form)

    def subscribe(self, behaves: str = "pm_card_visa") -> Subscription:
        """A paid checkout of the monthly link; the subscription it made."""
        form = self.buyer(self.monthly, confirmation_token=self.token(behaves))
        assert self.press(form).ending == "paid"
        return self.subscription(self.store.get(Checkout, form.checkout_id).subscription_ids[0])

    def pay(self, behaves: str = "pm_card_visa") -> Payment:
        """A paid checkout of the one-time link, its receipt sent; its payment."""
        assert self.press(self.buyer(self.one_time, confirmation_token=self.token(behaves))).ending == "paid"
        self.settle()
        return max(self.payments(), key=lambda payment: payment.id)

    def refund(self, payment: Payment, minor: int | None = None, refund_id: str | None = None) -> Refund:
        """The merchant asks for a refund."""
        asked = AskedRefund(payment.id, minor, "requested_by_customer")
        return create_refund(self.ports, self.merchant.id, asked, actor="api:test", refund_id=refund_id)

    # --- what is there

    def subscription(self, subscription_id: str) -> Subscription:
        return self.store.get(Subscription, subscription_id)

    def invoices(self) -> list[Invoice]:
        """Every invoice, in the order of their numbers."""
        return sorted(self.store.all(Invoice), key=lambda invoice: invoice.number or "")

    def payments(self) -> list[Payment]:
        return self.store.all(Payment)

    def payment(self, payment_id: str) -> Payment:
        return self.store.get(Payment, payment_id)

    def invoice_of(self, payment: Payment) -> Invoice:
        return self.store.get(Invoice, payment.invoice_id)

    def refunds(self) -> list[Refund]:
        """Every refund, oldest first."""
        return sorted(self.store.all(Refund), key=lambda refund: refund.id)

    def succeeded(self) -> list[Intent]:
        """What Stripe calls paid."""
        return [intent for intent in self.stripe.intents() if intent.status == "succeeded"]

    def event_types(self) -> list[str]:
        """Every event of the merchant, oldest first."""
        events, more = self.store.events(self.merchant.id, limit=100)
        assert not more
        return [event.type for event in reversed(events)]

    def check(self) -> Report:
        """Everything that must always hold, asked of the store and of Stripe."""
        return check_invariants(self.inspection, self.ledger, self.clock.now())

    # --- Stripe tells

    def notice(self, type_: str, intent: Intent, event_id: str = "evt_1", **changes: Any) -> Notice:
        """An event of Stripe's about an intent or its charge."""
        data: dict[str, Any] = {"id": intent.id, "metadata": dict(intent.metadata)}
        if type_.startswith("charge."):
            assert intent.charge is not None
            data = {"id": intent.charge.id, "payment_intent": intent.id, "metadata": dict(intent.metadata)}
        fields = {"account": ACCOUNT, "livemode": False, "object": data} | changes
        return Notice(event_id, type_, **fields)

    def refund_notice(self, type_: str, made: MadeRefund, event_id: str = "evt_1", **changes: Any) -> Notice:
        """An event of Stripe's about a refund, or about the charge that it is of."""
        data: dict[str, Any] = {"payment_intent": made.intent_id}
        if type_ == "charge.refunded":
            given_up = (MadeStatus.FAILED, MadeStatus.CANCELED)
            mine = (each for each in self.stripe.refunds.of_account(ACCOUNT) if each.intent_id == made.intent_id)
            back = sum(each.amount.minor for each in mine if each.status not in given_up)
            data |= {"id": made.charge_id, "metadata": {}, "amount_refunded": back}
        else:
            data |= {"id": made.id, "metadata": dict(made.metadata), "status": str(made.status)}
        fields = {"account": ACCOUNT, "livemode": False, "object": data} | changes
        return Notice(event_id, type_, **fields)

    def tell(self, notice: Notice) -> str:
        return receive(self.ports, notice)

    # --- the clock's work

    def run(self) -> list[str]:
        """One sweep and everything it handed over; what each piece of work said."""
        sweep(self.ports)
        said = []
        for message in self.queues.take(QueueName.BILLING):
            timers = [timer_of(each) for each in message.body["timers"]]
            issued = issue_due(self.ports, str(message.body["merchant_id"]), timers)
            said.append(f"issued {issued.invoices}")
        said += [
            self._tried(lambda body=message.body: charge_invoice(self.ports, timer_of(body)))
            for message in self.queues.take(QueueName.CHARGES)
        ]
        said += [
            self._tried(lambda body=message.body: self._work(timer_of(body)))
            for message in self.queues.take(QueueName.WORK)
        ]
        return said

    def settle(self) -> None:
        """Run until nothing more is due."""
        for _ in range(200):
            if not self.run():
                return
        raise AssertionError("something is due for ever")

    def until(self, when: datetime) -> None:
        """Move the clock from due time to due time, doing what is due at each, up to `when`."""
        while True:
            due = [timer.due for timer in self.store.timers if timer.due <= when]
            if not due:
                break
            self.clock.set(max(self.clock.now(), min(due)))
            self.settle()
        self.clock.set(when)

    def after(self, **delta: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(**delta))

    def _tried(self, work: Callable[[], str]) -> str:
        try:
            return work()
        except (ProviderUnavailable, ProviderBusy, StoreUnavailable) as error:
            return f"not done: {error}"

    def _work(self, timer: Timer) -> str:
        if timer.kind is TimerKind.SEND_MAIL:
            return send_mail(self.ports, self.mailer, plain_mail, timer.record_id)
        if timer.kind is TimerKind.FINISH_REFUND:
            return finish_refund(self.ports, timer)
        if timer.kind is TimerKind.SWEEP_EVENTS:
            return sweep_events(self.ports, timer.record_id, direct_merchant_id=None).outcome
        if timer.kind is TimerKind.EXPIRE_CHECKOUT:
            return str(expire_checkout(self.ports, timer.record_id, actor="scheduler"))
        return apply_received(self.ports, timer.record_id)


def monthly_line(**changes: Any) -> LineItem:
    """49 dollars a month until cancelled."""
    return LineItem("Membership", 1, usd(4_900), recurring=Recurrence(Frequency.MONTHLY, **changes))


def plain_mail(ports: object, mail: Mail) -> OutgoingMail:
    """A mail whose words do not matter."""
    return OutgoingMail(mail.id, "Pinewood Studio", mail.to, "Receipt", "Thank you.", "<p>Thank you.</p>")
