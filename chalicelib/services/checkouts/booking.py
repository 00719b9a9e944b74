"""A paid checkout becomes an invoice, a payment and its subscriptions, in the one transaction that takes the number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from chalicelib.domain.billing.agreement import Plan, PlannedSubscription, plan
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import Customer, CustomerByEmail, customer_by_email_id
from chalicelib.domain.documents.invoices import Collection, Invoice, LinePeriod, Party, Snapshot, Source
from chalicelib.domain.documents.links import LinkUses, link_uses_id
from chalicelib.domain.documents.mails import MailKind
from chalicelib.domain.documents.merchants import INVOICE_SERIES, Merchant, NumberSeries, series_id
from chalicelib.domain.documents.methods import StoredMethod
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.documents.payments import IntentOwner, Payment, intent_owner_id
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.ids import derived_id, time_of
from chalicelib.domain.machines import (
    CheckoutAction,
    CheckoutStatus,
    InvoiceStatus,
    PartAction,
    PaymentStatus,
    SubscriptionStatus,
)
from chalicelib.domain.numbering import format_number
from chalicelib.services.facts import happened
from chalicelib.services.mails import mail_timer, new_mail, posted, queue_mail
from chalicelib.services.payments.matching import PaymentMismatch, require_match
from chalicelib.services.payments.settling import settled_event, settlement_of
from chalicelib.services.ports import DropTimer, Insert, Intent, Ports, SetTimer, Update, Write
from chalicelib.services.saving import commit, until_won


@dataclass(frozen=True, slots=True)
class _Read:
    """What a booking is decided from. Each write is conditional on the one it changes, so all may have been read some
    time before; `known` is the merchant's customer of the buyer's address."""

    checkout: Checkout
    merchant: Merchant
    series: NumberSeries
    known: CustomerByEmail | None
    uses: LinkUses | None
    whose: IntentOwner | None


@dataclass(frozen=True, slots=True)
class _Booked:
    """What the transaction leaves behind, and the mail whose sending may be hurried along."""

    checkout: Checkout
    mail: Timer | None


def seller_of(merchant: Merchant) -> Party:
    """The merchant as it is frozen onto a document."""
    return Party(merchant.name, merchant.support_email, merchant.legal_name, merchant.address_lines)


def book_checkout(ports: Ports, seen: Checkout, intent: Intent, *, actor: str, also: Sequence[Write] = ()) -> Checkout:
    """Book a succeeded intent onto its checkout; doing it again changes nothing but `also`.

    The synchronous answer, the return page, webhooks and the reconciler all end here; whoever comes second finds
    the checkout completed. `seen` is the checkout as the caller last saw it, which only tells what to read. `also` is
    written in the same transaction (a webhook's `done`). Raises PaymentMismatch.
    """

    def attempt() -> _Booked:
        read = _read(ports, seen, intent)
        checkout = read.checkout
        if checkout.status is CheckoutStatus.COMPLETED:
            if also:
                commit(ports, [], also)
            return _Booked(checkout, None)
        return _book(ports, read, intent, actor=actor, also=also)

    booked = until_won(ports, attempt)
    if booked.mail is not None:
        queue_mail(ports, booked.mail)
    return booked.checkout


def _read(ports: Ports, seen: Checkout, intent: Intent) -> _Read:
    """All that a booking is decided from, in one round."""
    merchant_id = seen.merchant_id
    email_id = customer_by_email_id(merchant_id, seen.email)
    checkout, merchant, series, known, uses, whose = ports.records.find_many(
        [
            (Checkout, seen.id),
            (Merchant, merchant_id),
            (NumberSeries, series_id(merchant_id, INVOICE_SERIES)),
            (CustomerByEmail, email_id),
            (LinkUses, link_uses_id(seen.payment_link_id)),
            (IntentOwner, intent_owner_id(intent.id)),
        ]
    )
    own_email_id = customer_by_email_id(merchant_id, checkout.email)
    if own_email_id != email_id:
        # The buyer has corrected the address since.
        known = ports.records.find(CustomerByEmail, own_email_id)
    return _Read(checkout, merchant, series, known, uses, whose)


def _book(ports: Ports, read: _Read, intent: Intent, *, actor: str, also: Sequence[Write]) -> _Booked:
    now = ports.clock.now()
    checkout, merchant, whose = read.checkout, read.merchant, read.whose
    merchant_id = checkout.merchant_id
    if whose is None or whose.owner_id != checkout.id:
        raise PaymentMismatch(f"{intent.id} was never saved as this checkout's")
    require_match(merchant, checkout.part, intent, customer_id=checkout.stripe_customer_id)
    agreed = plan(
        checkout.lines,
        currency=checkout.currency,
        agreed_at=checkout.agreed_at,
        zone=checkout.timezone or merchant.timezone,
        discount=checkout.discount,
        fees=checkout.fees,
    )
    if agreed.due_today != checkout.totals:
        raise PaymentMismatch(f"the order of {checkout.id} comes to another sum than the one that was charged")
    writes: list[Write] = []

    if read.known is None:
        email_id = customer_by_email_id(merchant_id, checkout.email)
        customer = Customer(ports.ids.new("cus", now), merchant_id, checkout.email, now, name=checkout.name)
        by_email = CustomerByEmail(email_id, merchant_id, customer.id, now)
        writes += [Insert(customer), Insert(by_email)]
        writes.append(happened(ports.ids, "customer.created", customer, now=now, actor=actor))
        customer_id = customer.id
    else:
        customer_id = read.known.customer_id

    subscriptions = _subscriptions(ports, checkout, agreed, intent, customer_id, now)
    taken = replace(read.series, last=read.series.last + 1)
    invoice = _invoice(ports, checkout, merchant, agreed, subscriptions, intent, customer_id, taken, now)
    payment = _payment(checkout, invoice, intent, whose, merchant, now)
    done = replace(
        checkout.with_part(checkout.part.ended(AttemptOutcome.SUCCEEDED).moved(PartAction.PAY)),
        customer_id=customer_id,
        subscription_ids=tuple(each.id for each in subscriptions),
        completed_at=now,
    ).moved(CheckoutAction.COMPLETE)
    what = f"receipt#{invoice.id}"
    mail = new_mail(MailKind.RECEIPT, merchant_id, checkout.email, invoice.id, what=what, now=now)

    writes += [Update(taken), Update(done), Insert(invoice), Insert(payment), *posted(mail)]
    writes.append(DropTimer(Timer(TimerKind.EXPIRE_CHECKOUT, checkout.id, merchant_id, checkout.expires_at)))
    if read.uses is None:
        writes.append(Insert(LinkUses(link_uses_id(checkout.payment_link_id), merchant_id, now, completed=1)))
    else:
        writes.append(Update(replace(read.uses, completed=read.uses.completed + 1)))
    for subscription in subscriptions:
        writes.append(Insert(subscription))
        writes.append(happened(ports.ids, "subscription.created", subscription, now=now, actor=actor))
        if subscription.timer_at is not None:
            at = subscription.timer_at
            due = Timer(TimerKind.BILL_PERIOD, subscription.id, merchant_id, at, customer_id=customer_id)
            writes.append(SetTimer(due))
    for type_, record in (
        ("invoice.issued", invoice),
        ("invoice.paid", invoice),
        ("payment.succeeded", payment),
        ("checkout.completed", done),
    ):
        writes.append(happened(ports.ids, type_, record, now=now, actor=actor))
    writes += settled_event(ports.ids, payment, now=now, actor=actor)
    commit(ports, writes, also)
    return _Booked(replace(done, version=done.version + 1), mail_timer(mail))


def _subscriptions(
    ports: Ports, checkout: Checkout, agreed: Plan, intent: Intent, customer_id: str, now: datetime
) -> list[Subscription]:
    method = None
    if intent.payment_method_id is not None and intent.customer_id is not None and intent.charge is not None:
        method = StoredMethod(intent.payment_method_id, intent.customer_id, intent.charge.method)
    return [
        _subscription(ports, checkout, place, group, method, customer_id, now)
        for place, group in enumerate(agreed.groups)
    ]


def _subscription(
    ports: Ports,
    checkout: Checkout,
    place: int,
    group: PlannedSubscription,
    method: StoredMethod | None,
    customer_id: str,
    now: datetime,
) -> Subscription:
    begun = group.first_invoice_index > 0
    made = Subscription(
        # Derived, so that a booking that is run again by somebody else can only mean the same subscription.
        id=derived_id("sub", checkout.agreed_at, f"{checkout.id}#{place}"),
        merchant_id=checkout.merchant_id,
        secret=ports.ids.secret(),
        customer_id=customer_id,
        currency=checkout.currency,
        lines=group.lines,
        recurrence=group.recurrence,
        schedule=group.schedule,
        next_index=group.first_invoice_index,
        collection=Collection.AUTOMATIC,
        created_at=checkout.agreed_at,
        status=SubscriptionStatus.ACTIVE if begun else SubscriptionStatus.SCHEDULED,
        discount=group.discount,
        fees=group.fees,
        first_period=group.first_period,
        buyer=Party(checkout.name, checkout.email),
        method=method,
        consent=checkout.consent,
        payments_made=1 if begun else 0,
        payment_link_id=checkout.payment_link_id,
        checkout_id=checkout.id,
    )
    return replace(made, timer_at=made.acts_at)


def _invoice(
    ports: Ports,
    checkout: Checkout,
    merchant: Merchant,
    agreed: Plan,
    subscriptions: Sequence[Subscription],
    intent: Intent,
    customer_id: str,
    taken: NumberSeries,
    now: datetime,
) -> Invoice:
    line_periods = tuple(
        LinePeriod(agreed.due_today_positions.index(position), subscription.id, subscription.schedule.period(0))
        for subscription, group in zip(subscriptions, agreed.groups, strict=True)
        if group.first_invoice_index > 0
        for position in group.positions
    )
    first = line_periods[0] if line_periods else None
    alone = (
        first is not None
        and len(line_periods) == len(agreed.due_today_lines)
        and all(each.subscription_id == first.subscription_id for each in line_periods)
    )
    part = checkout.part.ended(AttemptOutcome.SUCCEEDED).moved(PartAction.PAY)
    return Invoice(
        id=checkout.invoice_id,
        merchant_id=checkout.merchant_id,
        secret=ports.ids.secret(),
        customer_id=customer_id,
        currency=checkout.currency,
        lines=agreed.due_today_lines,
        totals=agreed.due_today,
        source=Source.PAYMENT_LINK,
        collection=Collection.AUTOMATIC,
        created_at=time_of(checkout.invoice_id),
        status=InvoiceStatus.PAID,
        discount=agreed.due_today_discount,
        fees=agreed.due_today_fees,
        number=format_number(merchant.invoice_prefix, taken.last),
        snapshot=Snapshot(seller_of(merchant), Party(checkout.name, checkout.email), merchant.timezone),
        issued_at=now,
        due_date=now.astimezone(ZoneInfo(merchant.timezone)).date(),
        paid_at=now,
        amount_paid=part.amount,
        parts=(part,),
        subscription_id=first.subscription_id if alone and first else None,
        period=first.period if alone and first else None,
        line_periods=line_periods,
        payment_link_id=checkout.payment_link_id,
        checkout_id=checkout.id,
        paid_with=None if intent.charge is None else intent.charge.method,
    )


def _payment(
    checkout: Checkout, invoice: Invoice, intent: Intent, whose: IntentOwner, merchant: Merchant, now: datetime
) -> Payment:
    return Payment(
        id=whose.payment_id,
        merchant_id=checkout.merchant_id,
        invoice_id=invoice.id,
        amount=checkout.part.amount,
        status=PaymentStatus.SUCCEEDED,
        source=Source.PAYMENT_LINK,
        intent_id=intent.id,
        created_at=whose.created_at,
        stripe_account=merchant.stripe_account,
        charge_id=None if intent.charge is None else intent.charge.id,
        customer_id=invoice.customer_id,
        subscription_id=invoice.subscription_id,
        payment_link_id=checkout.payment_link_id,
        method=None if intent.charge is None else intent.charge.method,
        booked_at=now,
        settlement=settlement_of(intent.charge),
    )
