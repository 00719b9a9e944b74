"""What must be right after every run, seen from outside: Stripe's side, the numbers, the mail, and what is still to do.

The project's own checker says the same of what is stored, and is asked too; these few lines do not share its code.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.intake import IntakeState, StripeEvent
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.mails import Mail, MailState
from chalicelib.domain.documents.merchants import NumberSeries
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.machines import CheckoutStatus, InvoiceStatus, RefundStatus
from chalicelib.services.checking import check_invariants
from tests.faults.world import World

MOST_MAILS = 2
"""SES has no idempotency: a death between its answer and our writing that down repeats one mail, and no more."""


class Books:
    """Everything there is at one moment."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._records: dict[type[Any], list[Any]] = defaultdict(list)
        self._read = world.seen()
        for record in self._read.records():
            self._records[type(record)].append(record)
        self.events = [event for event in self._read.events() if not hasattr(event, "reason")]
        self.timers = {timer for timer in self._read.timers() if isinstance(timer, Timer)}
        self.intents = world.succeeded()

    def all(self, kind: type[Any]) -> list[Any]:
        """Every record of a kind."""
        return self._records[kind]

    def faults(self, *, deaths_in_a_row: bool, settled: bool) -> list[str]:
        """What is not as it must be, in words.

        With `deaths_in_a_row` a mail may have been repeated more often. `settled`: Stripe's news of the fees came.
        """
        found = [
            *self._money(settled=settled),
            *self._refunds(),
            *self._periods(),
            *self._mails(most=MOST_MAILS + (2 if deaths_in_a_row else 0)),
            *self._work(),
            *self._told(),
        ]
        report = check_invariants(self._read, self.world.ledger, self.world.clock.now())
        return found + [f"checker: {violation}" for violation in report.violations]

    def _money(self, *, settled: bool) -> list[str]:
        found = []
        invoices, payments = self.all(Invoice), self.all(Payment)
        numbers = sorted(invoice.number for invoice in invoices if invoice.number)
        wanted = [f"INV-{position:04}" for position in range(1, len(numbers) + 1)]
        if numbers != wanted:
            found.append(f"numbers {numbers}")
        [series] = self.all(NumberSeries)
        if series.last != len(numbers):
            found.append(f"counter {series.last} of {len(numbers)} numbers")
        ours = Counter((p.intent_id, p.amount.minor, p.amount.currency) for p in payments)
        theirs = Counter((i["id"], i["amount_received"], i["currency"]) for i in self.intents)
        if ours != theirs:
            found.append(f"payments {ours - theirs} only with us, {theirs - ours} only at Stripe")
        charges = Counter(
            charge["payment_intent"] for charge in self.world.at_stripe("charge") if charge["status"] == "succeeded"
        )
        found += [f"{intent} charged {times} times" for intent, times in charges.items() if times != 1]
        per_part = Counter((i["metadata"]["till_invoice"], i["metadata"]["till_part"][0]) for i in self.intents)
        found += [f"part {part} paid {times} times" for part, times in per_part.items() if times != 1]
        gone: Counter[str] = Counter()
        for refund in self.world.at_stripe("refund"):
            gone[refund["payment_intent"]] += refund["amount"] if refund["status"] == "succeeded" else 0
        paid: Counter[str] = Counter()
        arrived: Counter[str] = Counter()
        for payment in payments:
            arrived[payment.invoice_id] += payment.amount.minor
            paid[payment.invoice_id] += payment.amount.minor - gone[payment.intent_id]
            if settled and payment.settlement is None:
                found.append(f"{payment.id} was never settled")
        for invoice in invoices:
            if invoice.paid.minor != paid[invoice.id]:
                found.append(f"{invoice.number} says {invoice.paid.minor}, its payments {paid[invoice.id]}")
            if (invoice.status is InvoiceStatus.PAID) != (arrived[invoice.id] == invoice.to_pay.minor):
                found.append(f"{invoice.number} is {invoice.status} with {arrived[invoice.id]}")
        return found

    def _refunds(self) -> list[str]:
        """Ours and Stripe's are the same, none is above what was paid, and each buyer was told once of what came."""
        ours = Counter((r.stripe_refund_id, r.amount.minor, str(r.status)) for r in self.all(Refund))
        theirs = Counter((r["id"], r["amount"], r["status"]) for r in self.world.at_stripe("refund"))
        refused = Counter({fact: n for fact, n in ours.items() if fact[0] is None and fact[2] == "failed"})
        found = []
        if ours - refused != theirs:
            found.append(f"refunds {ours - refused - theirs} only with us, {theirs - ours} only at Stripe")
        for charge in self.world.at_stripe("charge"):
            if charge["amount_refunded"] > charge["amount"]:
                found.append(f"{charge['id']} went back {charge['amount_refunded']} of {charge['amount']}")
        named = Counter(r["metadata"]["till_refund"] for r in self.world.at_stripe("refund") if r["metadata"])
        found += [f"{refund} was made {times} times" for refund, times in named.items() if times != 1]
        mails = Counter(mail.about_id for mail in self.all(Mail) if mail.kind == "refund")
        for refund in self.all(Refund):
            if refund.status is RefundStatus.SUCCEEDED and mails[refund.id] != 1:
                found.append(f"{refund.id} has {mails[refund.id]} mails")
        return found

    def _periods(self) -> list[str]:
        found = []
        for subscription in self.all(Subscription):
            indexes = sorted(
                invoice.period.index
                for invoice in self.all(Invoice)
                if invoice.subscription_id == subscription.id and invoice.period is not None
            )
            if indexes != list(range(subscription.next_index)):
                found.append(f"{subscription.id} has invoices of {indexes}, and bills {subscription.next_index} next")
        return found

    def _mails(self, *, most: int) -> list[str]:
        sent = Counter(mail.key for mail in self.world.mailer.sent)
        rows = {mail.id: mail for mail in self.all(Mail)}
        found = [f"mail {key} has no row" for key in sent if key not in rows]
        for mail in rows.values():
            if mail.state is MailState.REFUSED and not sent[mail.id]:
                continue
            if mail.state is not MailState.SENT or not 1 <= sent[mail.id] <= most:
                found.append(f"{mail.kind} {mail.id} is {mail.state} and went out {sent[mail.id]} times")
        receipts = Counter(mail.about_id for mail in rows.values() if mail.kind == "receipt")
        for invoice in self.all(Invoice):
            if receipts[invoice.id] != (invoice.status is InvoiceStatus.PAID):
                found.append(f"{invoice.number} is {invoice.status} and has {receipts[invoice.id]} receipts")
        return found

    def _work(self) -> list[str]:
        """What records want done, and the timers that will have it done, are the same."""
        wanted: set[Timer] = set()
        for subscription in self.all(Subscription):
            if subscription.timer_at is not None:
                wanted.add(
                    Timer(TimerKind.BILL_PERIOD, subscription.id, subscription.merchant_id, subscription.timer_at)
                )
        for invoice in self.all(Invoice):
            if invoice.charge_at is not None:
                wanted.add(Timer(TimerKind.CHARGE_INVOICE, invoice.id, invoice.merchant_id, invoice.charge_at))
        for checkout in self.all(Checkout):
            if checkout.status is CheckoutStatus.OPEN:
                wanted.add(Timer(TimerKind.EXPIRE_CHECKOUT, checkout.id, checkout.merchant_id, checkout.expires_at))
        for refund in self.all(Refund):
            if refund.status is RefundStatus.PENDING:
                wanted.add(Timer(TimerKind.FINISH_REFUND, refund.id, refund.merchant_id, refund.look_at))
        now = self.world.clock.now()
        found = [f"nothing will do {timer.key}" for timer in wanted - self.timers]
        found += [f"nobody wants {timer.key}" for timer in self.timers - wanted]
        found += [f"{timer.key} is due and was not done" for timer in self.timers if timer.due <= now]
        found += [
            f"{row.id} is still {row.state}" for row in self.all(StripeEvent) if row.state is not IntakeState.DONE
        ]
        return found

    def _told(self) -> list[str]:
        """Each fact is told once."""
        told = Counter((event.type, event.object_id) for event in self.events)
        once = (
            *("checkout.completed", "checkout.expired", "invoice.issued", "invoice.paid", "payment.succeeded"),
            *("refund.created", "refund.succeeded", "refund.failed"),
        )
        found = [
            f"{type_} of {record} told {n} times" for (type_, record), n in told.items() if type_ in once and n > 1
        ]
        for kind, status, type_ in (
            (Checkout, CheckoutStatus.COMPLETED, "checkout.completed"),
            (Checkout, CheckoutStatus.EXPIRED, "checkout.expired"),
            (Invoice, InvoiceStatus.PAID, "invoice.paid"),
            (Refund, RefundStatus.SUCCEEDED, "refund.succeeded"),
            (Refund, RefundStatus.FAILED, "refund.failed"),
        ):
            found += [
                f"{type_} of {record.id} never told"
                for record in self.all(kind)
                if record.status is status and not told[type_, record.id]
            ]
        return found
