"""An open invoice paid by its buyer: the same claim, the same one intent and the same booking as every other charge.

A renewal that failed keeps its intent, and that very intent is confirmed here with the buyer present; the card that
pays is stored for the subscription, which the buyer agrees to on the page.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from chalicelib.domain.documents.checkouts import Consent
from chalicelib.domain.documents.invoices import Collection, Invoice
from chalicelib.domain.documents.limits import AddressTries, address_tries_id
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import NotFound
from chalicelib.domain.machines import InvoiceStatus, PartState
from chalicelib.services.billing.ladder import past_due_of
from chalicelib.services.billing.outcomes import apply_intent
from chalicelib.services.checkouts.submit import CARD_AGAIN, MOST_TRIES, NOT_STARTED, PAUSE, Ending, Submitted
from chalicelib.services.limits.addresses import TooManyTries, commit_try
from chalicelib.services.payments.intents import confirm_key, confirmed, ensure_intent, forget_canceled
from chalicelib.services.payments.running import may_be_running
from chalicelib.services.ports import (
    CardTokenRefused,
    Decline,
    Intent,
    IntentStatus,
    Ports,
    ProviderBusy,
    ProviderRefused,
    ProviderUnavailable,
    Update,
    WriteConflict,
)
from chalicelib.services.saving import commit, until_won, written

ACTOR: Final = "buyer"


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """An issued invoice with who sent it and the subscription it bills; None where it bills none, or several.

    `past_due` are the subscription's other invoices that the method which pays this one is charged for as well.
    """

    merchant: Merchant
    invoice: Invoice
    subscription: Subscription | None
    past_due: tuple[Invoice, ...] = ()

    @property
    def charged_later(self) -> Subscription | None:
        """The running subscription whose later invoices the method that pays this one would be charged for."""
        billed = self.subscription
        if billed is None or billed.has_ended or billed.collection is not Collection.AUTOMATIC:
            return None
        return billed

    @property
    def payable(self) -> bool:
        """Whether the buyer may pay it now: open, nothing of it on its way, and the merchant can take payments."""
        invoice = self.invoice
        held = bool(invoice.parts) and invoice.part.state is PartState.HELD
        return invoice.status is InvoiceStatus.OPEN and held and self.merchant.can_transact


@dataclass(frozen=True, slots=True)
class PayInvoice:
    """What the invoice's pay page sends. `expected_total` are the minor units that the buyer saw.

    `consent_words` writes the consent to later charges as the page shows it, None where the invoice bills no running
    subscription. `as_shown` tells whether lines, sums and consent are still what the buyer's page showed. `return_url`
    is absolute. `source` stands for the address that tries are counted by.
    """

    merchant_slug: str
    invoice_id: str
    invoice_secret: str
    expected_total: int
    confirmation_token: str
    return_url: str
    consent_words: Callable[[InvoiceView, datetime], str | None]
    as_shown: Callable[[InvoiceView, datetime], bool]
    address: str | None
    source: str | None = None


def open_invoice(ports: Ports, merchant_slug: str, invoice_id: str, secret: str) -> InvoiceView:
    """An issued invoice by its page's address. Raises NotFound, also for a draft and for another merchant's."""
    merchant, invoice = ports.records.find_many([(Merchant, f"mer_{merchant_slug}"), (Invoice, invoice_id)])
    if merchant is None or invoice is None or invoice.merchant_id != merchant.id:
        raise NotFound("page")
    if not hmac.compare_digest(invoice.secret.encode(), secret.encode()) or invoice.number is None:
        raise NotFound("page")
    subscription = None
    if invoice.subscription_id is not None and invoice.status is InvoiceStatus.OPEN:
        subscription = ports.records.find(Subscription, invoice.subscription_id)
    view = InvoiceView(merchant, invoice, subscription)
    if view.charged_later is None or not view.payable:
        return view
    others = [each for each in view.charged_later.past_due_invoices if each != invoice.id]
    return replace(view, past_due=tuple(past_due_of(ports, view.charged_later, others)))


def pay_invoice(ports: Ports, request: PayInvoice) -> Submitted:
    """Try to pay once. Raises NotFound, and ProviderRefused where Stripe refused the request itself."""
    view = open_invoice(ports, request.merchant_slug, request.invoice_id, request.invoice_secret)
    try:
        view = replace(view, invoice=resolve_invoice(ports, view.merchant, view.invoice, actor=ACTOR))
        ending = _ending_before(ports, view, request)
        if ending is not None:
            return ending
        return _pay(ports, view, request)
    except TooManyTries as refused:
        return Submitted(Ending.TOO_MANY_TRIES, until=refused.until)
    except (WriteConflict, ProviderUnavailable):
        # The scheduler, a webhook or another tab is at it, or nobody knows: the page waits and asks.
        return Submitted(Ending.CHECKING)


def resolve_invoice(ports: Ports, merchant: Merchant, invoice: Invoice, *, actor: str) -> Invoice:
    """The invoice after asking Stripe, where a buyer's try has no known end. Raises what PaymentProvider raises."""
    if invoice.status is not InvoiceStatus.OPEN or not invoice.parts or invoice.part.latest is None:
        return invoice
    latest = invoice.part.latest
    waiting = latest.on_session and latest.outcome is AttemptOutcome.REQUIRES_ACTION
    if not waiting and not invoice.part.in_doubt:
        return invoice
    if invoice.part.intent_id is not None:
        intent = ports.stripe.retrieve_intent(merchant.stripe_account, invoice.part.intent_id)
        invoice = apply_intent(ports, invoice.id, intent, actor=actor)
        if intent.status is IntentStatus.CANCELED and latest.on_session:
            return _without_canceled(ports, invoice.id, intent)
        if intent.status not in (IntentStatus.REQUIRES_CONFIRMATION, IntentStatus.REQUIRES_PAYMENT_METHOD):
            return invoice
    if not latest.on_session or may_be_running(invoice.part, ports.clock.now()):
        return invoice
    return _abandon(ports, invoice.id)


def _abandon(ports: Ports, invoice_id: str) -> Invoice:
    """Write down that a buyer's try did nothing, so that the next one need not wait for it."""

    def attempt() -> Invoice:
        fresh = ports.records.get(Invoice, invoice_id)
        if fresh.status is not InvoiceStatus.OPEN or not fresh.part.in_doubt:
            return fresh
        freed = fresh.with_part(fresh.part.ended(AttemptOutcome.ABANDONED))
        commit(ports, [Update(freed)])
        return written(freed)

    return until_won(ports, attempt)


def _without_canceled(ports: Ports, invoice_id: str, intent: Intent) -> Invoice:
    """Ready for another intent: Stripe cancels one by itself, after too many confirms."""

    def attempt() -> Invoice:
        fresh = _abandon(ports, invoice_id)
        return fresh if fresh.part.intent_id != intent.id else forget_canceled(ports, fresh, intent)

    return until_won(ports, attempt)


def _ending_before(ports: Ports, view: InvoiceView, request: PayInvoice) -> Submitted | None:
    invoice, now = view.invoice, ports.clock.now()
    if invoice.status is InvoiceStatus.PAID:
        return Submitted(Ending.PAID)
    if not view.payable:
        return Submitted(Ending.CHECKING if invoice.status is InvoiceStatus.OPEN and invoice.parts else Ending.CLOSED)
    if invoice.part.in_doubt:
        return Submitted(Ending.CHECKING)
    if invoice.part.amount.minor != request.expected_total or not request.as_shown(view, now):
        return Submitted(Ending.CHANGED)
    tries = [attempt for attempt in invoice.part.attempts if attempt.on_session]
    if len(tries) >= MOST_TRIES and now < tries[-1].at + PAUSE:
        return Submitted(Ending.TOO_MANY_TRIES, until=tries[-1].at + PAUSE)
    return None


def _pay(ports: Ports, view: InvoiceView, request: PayInvoice) -> Submitted:
    now = ports.clock.now()
    words = request.consent_words(view, now)
    invoice = replace(
        view.invoice.with_part(view.invoice.part.claimed(now, on_session=True)),
        consent=None if words is None else Consent(now, words, request.address),
        also_charges=() if words is None else tuple(each.id for each in view.past_due),
    )
    commit_try(
        ports,
        [Update(invoice)],
        merchant_id=invoice.merchant_id,
        owner_id=invoice.id,
        source=request.source,
        seen=_tries(ports, invoice, request.source),
    )
    invoice = written(invoice)
    try:
        intent = _confirmed(ports, replace(view, invoice=invoice), request)
    except ProviderBusy:
        _abandon(ports, invoice.id)
        return Submitted(Ending.DECLINED, Decline(NOT_STARTED))
    except CardTokenRefused:
        _abandon(ports, invoice.id)
        return Submitted(Ending.DECLINED, Decline(CARD_AGAIN))
    except ProviderRefused:
        _abandon(ports, invoice.id)
        raise
    own_try = None if invoice.part.latest is None else invoice.part.latest.number
    after = apply_intent(ports, invoice.id, intent, actor=ACTOR, own_try=own_try)
    if after.status is InvoiceStatus.PAID:
        return Submitted(Ending.PAID)
    if intent.status is IntentStatus.REQUIRES_ACTION:
        return Submitted(Ending.REQUIRES_ACTION, client_secret=intent.client_secret)
    if intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD and intent.decline is not None:
        return Submitted(Ending.DECLINED, intent.decline)
    if intent.status is IntentStatus.CANCELED:
        _without_canceled(ports, after.id, intent)
        return Submitted(Ending.DECLINED, Decline(NOT_STARTED))
    return Submitted(Ending.CHECKING)


def _tries(ports: Ports, invoice: Invoice, source: str | None) -> AddressTries | None:
    return None if source is None else ports.records.find(AddressTries, address_tries_id(invoice.merchant_id, source))


def _confirmed(ports: Ports, view: InvoiceView, request: PayInvoice) -> Intent:
    merchant, invoice = view.merchant, view.invoice
    customer_id = invoice.stripe_customer_id
    if customer_id is None and view.subscription is not None and view.subscription.method is not None:
        customer_id = view.subscription.method.stripe_customer_id
    if customer_id is None:
        buyer = None if invoice.snapshot is None else invoice.snapshot.buyer
        customer_id = ports.stripe.create_customer(
            merchant.stripe_account,
            email="" if buyer is None or buyer.email is None else buyer.email,
            name="" if buyer is None else buyer.name,
            metadata={"till_merchant": merchant.id, "till_invoice": invoice.id},
            key=f"cus-{invoice.id}",
        )
    if invoice.stripe_customer_id is None:
        invoice = replace(invoice, stripe_customer_id=customer_id)
        commit(ports, [Update(invoice)])
        invoice = written(invoice)
    invoice = ensure_intent(
        ports,
        merchant,
        invoice,
        customer_id=customer_id,
        keep_method=invoice.consent is not None,
        description=f"{merchant.name} {invoice.number}",
    )
    intent_id = invoice.part.intent_id
    if intent_id is None:
        raise ValueError("an ensured intent has an id")
    return confirmed(
        ports,
        merchant.stripe_account,
        intent_id,
        lambda: ports.stripe.confirm_with_token(
            merchant.stripe_account,
            intent_id,
            confirmation_token=request.confirmation_token,
            return_url=request.return_url,
            keep_method=invoice.consent is not None,
            key=confirm_key(intent_id, invoice.part),
        ),
    )
