"""What Stripe says of an invoice's intent, written down once, whoever brings it: the worker, a page or a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.domain.billing.dunning import Remedy
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import CollectionBlock, Invoice
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.methods import StoredMethod
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.errors import NotFound
from chalicelib.domain.machines import (
    SUBSCRIPTION,
    InvoiceAction,
    InvoiceStatus,
    PartAction,
    PaymentStatus,
    SubscriptionAction,
)
from chalicelib.services.billing.known import Known, read_around
from chalicelib.services.billing.ladder import (
    after_failure,
    asked_for,
    fallen_behind,
    past_due_of,
    remedy_after,
    timers_moved,
)
from chalicelib.services.facts import happened
from chalicelib.services.mails import mail_timer, new_mail, posted, queue_mail
from chalicelib.services.payments.matching import PaymentMismatch, require_match
from chalicelib.services.payments.running import may_be_running
from chalicelib.services.payments.settling import settled_event, settlement_of
from chalicelib.services.ports import Decline, DropTimer, Insert, Intent, IntentStatus, Ports, SetTimer, Update, Write
from chalicelib.services.saving import commit, until_won, written


@dataclass(frozen=True, slots=True)
class _Written:
    """The invoice as it stands now, and the mails whose sending may be hurried along."""

    invoice: Invoice
    mails: tuple[Mail, ...] = ()


def apply_intent(
    ports: Ports,
    invoice_id: str,
    intent: Intent,
    *,
    actor: str,
    also: Sequence[Write] = (),
    own_try: int | None = None,
    known: Known | None = None,
) -> Invoice:
    """The invoice with the intent's state taken over; `also` is written in the same transaction.

    `own_try` is the number of the try that the caller made itself: how a running one failed is nobody else's to tell.
    `known` is what the caller has just read or written, from which the first attempt goes on without reading.
    A repeated, late or reordered report changes nothing but `also`. Raises PaymentMismatch.
    """

    def attempt(known: Known | None) -> _Written:
        invoice = ports.records.get(Invoice, invoice_id) if known is None else known.invoice
        now = ports.clock.now()
        if intent.status is IntentStatus.SUCCEEDED:
            result, writes = _book(ports, invoice, known, intent, actor, now)
        elif _is_news(invoice, intent, now, own_try):
            asks = intent.status is IntentStatus.REQUIRES_ACTION
            decline = None if asks else intent.decline
            result, writes = _store_failure(ports, invoice, known, decline, asks, actor, now)
        else:
            result, writes = _Written(invoice), []
        if writes or also:
            commit(ports, writes, also)
        return result

    # Whoever is beaten has nothing in hand any more and reads.
    in_hand = [] if known is None else [known]
    done = until_won(ports, lambda: attempt(in_hand.pop() if in_hand else None))
    for mail in done.mails:
        queue_mail(ports, mail_timer(mail))
    return done.invoice


def _is_news(invoice: Invoice, intent: Intent, now: datetime, own_try: int | None) -> bool:
    """Whether this is the end of the try that the invoice is waiting for."""
    if invoice.status is not InvoiceStatus.OPEN or not invoice.parts or invoice.part.intent_id != intent.id:
        return False
    latest = invoice.part.latest
    if latest is None or latest.outcome not in (AttemptOutcome.CLAIMED, AttemptOutcome.REQUIRES_ACTION):
        return False
    if latest.number != own_try and (not latest.on_session or may_be_running(invoice.part, now)):
        # What the intent shows may be the decline of a try before this one. A buyer's try is left to its request for
        # a minute; a worker's to the worker, whose timer stands until it has stored an end.
        return False
    if intent.status is IntentStatus.REQUIRES_ACTION:
        return latest.outcome is AttemptOutcome.CLAIMED
    return intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD and intent.decline is not None


def _book(
    ports: Ports, invoice: Invoice, known: Known | None, intent: Intent, actor: str, now: datetime
) -> tuple[_Written, list[Write]]:
    if invoice.status is InvoiceStatus.PAID:
        return _Written(invoice), []
    around = read_around(ports, invoice, intent_id=intent.id, known=known)
    merchant, whose, subscription = around.merchant, around.whose, around.subscription
    if around.customer is None:
        raise NotFound("customer")
    if whose is None or whose.owner_id not in (invoice.id, invoice.checkout_id):
        raise PaymentMismatch(f"{intent.id} was never saved as this invoice's")
    expected = invoice.stripe_customer_id
    if expected is None and subscription is not None and subscription.method is not None:
        expected = subscription.method.stripe_customer_id
    require_match(merchant, invoice.part, intent, customer_id=expected)

    part = invoice.part.ended(AttemptOutcome.SUCCEEDED).moved(PartAction.PAY)
    charge = intent.charge
    paid = replace(
        invoice.with_part(part),
        amount_paid=invoice.paid + part.amount,
        paid_at=now,
        charge_at=None,
        asked_at=None,
        collection_blocked=None,
        paid_with=None if charge is None else charge.method,
    ).moved(InvoiceAction.PAY)
    payment = Payment(
        id=whose.payment_id,
        merchant_id=invoice.merchant_id,
        invoice_id=invoice.id,
        amount=part.amount,
        status=PaymentStatus.SUCCEEDED,
        source=invoice.source,
        intent_id=intent.id,
        created_at=whose.created_at,
        stripe_account=merchant.stripe_account,
        charge_id=None if charge is None else charge.id,
        customer_id=invoice.customer_id,
        subscription_id=invoice.subscription_id,
        payment_link_id=invoice.payment_link_id,
        method=None if charge is None else charge.method,
        booked_at=now,
        settlement=settlement_of(charge),
    )
    mails = [_mail(MailKind.RECEIPT, f"receipt#{invoice.id}", paid, around.customer, now)]
    writes: list[Write] = [Update(paid), Insert(payment)]
    if invoice.charge_at is not None:
        writes.append(DropTimer(Timer(TimerKind.CHARGE_INVOICE, invoice.id, invoice.merchant_id, invoice.charge_at)))
    writes.append(happened(ports.ids, "invoice.paid", paid, now=now, actor=actor, previous={"status": "open"}))
    writes.append(happened(ports.ids, "payment.succeeded", payment, now=now, actor=actor))
    writes += settled_event(ports.ids, payment, now=now, actor=actor)
    if subscription is not None:
        kept = _with_new_method(subscription, invoice, intent)
        if invoice.edit_number is None:
            kept = replace(kept, payments_made=kept.payments_made + 1)
        writes += _paid_up(ports, kept, invoice.id, actor, now)
        if kept.method is not subscription.method:
            writes += asked_for(past_due_of(ports, kept, invoice.also_charges), now)
        if _recovers(kept, invoice.id):
            mails.append(_mail(MailKind.RECOVERED, f"recovered#{invoice.id}", paid, around.customer, now))
    return _Written(written(paid), tuple(mails)), [*writes, *posted(*mails)]


def _with_new_method(subscription: Subscription, invoice: Invoice, intent: Intent) -> Subscription:
    """The subscription with the card that its buyer has just paid with, where they agreed to have it kept."""
    charge = intent.charge
    if invoice.consent is None or charge is None or intent.payment_method_id is None or intent.customer_id is None:
        return subscription
    kept = StoredMethod(intent.payment_method_id, intent.customer_id, charge.method)
    blocked = subscription.collection_blocked
    if blocked is CollectionBlock.NO_PAYMENT_METHOD:
        blocked = None
    return replace(subscription, method=kept, consent=invoice.consent, collection_blocked=blocked)


def _recovers(subscription: Subscription, invoice_id: str) -> bool:
    """Whether nothing is past due any more once this invoice is paid."""
    still_owed = any(each != invoice_id for each in subscription.past_due_invoices)
    return not still_owed and SUBSCRIPTION.can(subscription.status, SubscriptionAction.RECOVER)


def _paid_up(ports: Ports, subscription: Subscription, invoice_id: str, actor: str, now: datetime) -> list[Write]:
    still_owed = tuple(each for each in subscription.past_due_invoices if each != invoice_id)
    paid = replace(subscription, past_due_invoices=still_owed)
    if _recovers(subscription, invoice_id):
        paid = replace(paid.moved(SubscriptionAction.RECOVER), untried=0)
    writes: list[Write] = []
    if paid.timer_at is None and paid.acts_at is not None and (paid.is_paid_up or not paid.is_last_issued):
        # A fixed term whose last payment was owed had no end by date; now that it is paid, it has one again.
        due = max(now, paid.acts_at)
        paid = replace(paid, timer_at=due)
        timer = Timer(TimerKind.BILL_PERIOD, paid.id, paid.merchant_id, due, customer_id=paid.customer_id)
        writes.append(SetTimer(timer))
    if paid.status is not subscription.status:
        previous = {"status": str(subscription.status)}
        writes.append(happened(ports.ids, "subscription.recovered", paid, now=now, actor=actor, previous=previous))
    return [Update(paid), *writes]


def refuse_try(ports: Ports, invoice_id: str, code: str, *, actor: str, own_try: int) -> Invoice:
    """Write down that Stripe refused a worker's try for good: nothing moved, and only another method will help.

    Told like a decline, since that is what it is to the buyer: the stored method cannot be charged any more.
    """

    def attempt() -> _Written:
        invoice = ports.records.get(Invoice, invoice_id)
        latest = invoice.part.latest if invoice.parts else None
        if invoice.status is not InvoiceStatus.OPEN or latest is None or latest.number != own_try:
            return _Written(invoice)
        if not invoice.part.in_doubt:
            return _Written(invoice)
        result, writes = _store_failure(ports, invoice, None, Decline(code), False, actor, ports.clock.now())
        commit(ports, writes)
        return result

    done = until_won(ports, attempt)
    for mail in done.mails:
        queue_mail(ports, mail_timer(mail))
    return done.invoice


def _store_failure(
    ports: Ports,
    invoice: Invoice,
    known: Known | None,
    decline: Decline | None,
    asks_action: bool,
    actor: str,
    now: datetime,
) -> tuple[_Written, list[Write]]:
    buyer_is_there = invoice.part.latest is not None and invoice.part.latest.on_session
    if buyer_is_there:
        # The page tells them, and they may try another card: nothing that the schedule knows has changed.
        part = invoice.part.ended(AttemptOutcome.REQUIRES_ACTION)
        if not asks_action:
            code, reason = (None, None) if decline is None else (decline.code, decline.decline_code)
            part = invoice.part.ended(AttemptOutcome.DECLINED, code, reason)
        tried = invoice.with_part(part)
        return _Written(written(tried)), [Update(tried)]
    around = read_around(ports, invoice, known=known)
    merchant, subscription = around.merchant, around.subscription
    failed = after_failure(invoice, merchant, subscription, None if asks_action else decline, now)
    writes: list[Write] = [Update(failed), *timers_moved(invoice, failed)]
    writes.append(happened(ports.ids, "invoice.payment_failed", failed, now=now, actor=actor))
    mails = [] if around.customer is None else [_failure_mail(around.customer, failed, now)]
    if subscription is not None:
        over = merchant.dunning.then if failed.charge_at is None else None
        writes += fallen_behind(ports.ids, subscription, around.customer, invoice.id, over=over, actor=actor, now=now)
    return _Written(written(failed), tuple(mails)), [*writes, *posted(*mails)]


def _failure_mail(customer: Customer, failed: Invoice, now: datetime) -> Mail:
    """The mail about a failure, written with what it tells of, so never before it is known."""
    latest = failed.part.attempts[-1]
    kind = MailKind.RETRYING
    if latest.next_at is None:
        kind = MailKind.CONFIRM if remedy_after(latest) is Remedy.AUTHENTICATION else MailKind.NEEDS_YOU
    return _mail(kind, f"failed#{failed.id}#{latest.number}", failed, customer, now)


def _mail(kind: MailKind, what: str, invoice: Invoice, customer: Customer, now: datetime) -> Mail:
    return new_mail(kind, invoice.merchant_id, customer.email, invoice.id, what=what, now=now)
