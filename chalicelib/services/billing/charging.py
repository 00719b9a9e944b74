"""Charging an issued invoice to the stored method while the buyer is away.

One read; the one live intent made or found, unconfirmed, which moves nothing; one transaction that claims the try and
saves the intent's id; the confirm; one transaction that writes down the outcome. Who loses the claim confirms nothing.
The charge timer goes only with the outcome, so a death anywhere in between is found again by the next sweep.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.documents.invoices import CollectionBlock, Invoice
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.methods import StoredMethod
from chalicelib.domain.documents.parts import AttemptOutcome, Part
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.machines import InvoiceStatus, PartState, SubscriptionStatus
from chalicelib.services.billing.known import Known, read_for
from chalicelib.services.billing.outcomes import apply_intent, refuse_try
from chalicelib.services.invoices.paying import resolve_invoice
from chalicelib.services.payments.intents import (
    KEYS_LAST,
    confirm_key,
    confirmed,
    forget_canceled,
    make_intent,
    owner_of,
)
from chalicelib.services.ports import (
    DropTimer,
    Insert,
    Intent,
    IntentStatus,
    KeySpent,
    Ports,
    ProviderRefused,
    Update,
    Write,
    WriteConflict,
)
from chalicelib.services.saving import commit, written

ACTOR: Final = "scheduler"
OPERATORS_CODES: Final = frozenset({"api_key", "account_invalid", "platform_api_key_expired", "payment_method_types"})
"""Refusals that say nothing of the buyer's method: a key, the connection or our own request must be mended."""
CHALLENGE_LASTS: Final = timedelta(hours=1)
"""How long a buyer is left alone with their bank's question before the stored method may be tried."""


def charge_timer(invoice: Invoice) -> Timer | None:
    """Where an invoice's charge timer stands."""
    if invoice.charge_at is None:
        return None
    return Timer(TimerKind.CHARGE_INVOICE, invoice.id, invoice.merchant_id, invoice.charge_at)


def charge_invoice(ports: Ports, timer: Timer) -> str:
    """Do what a charge timer asks for, if the invoice still does; says what became of it.

    Raises ProviderUnavailable and ProviderBusy (the outcome is unknown, or nothing happened: the timer stands and the
    next delivery asks Stripe before it tries again) and ProviderRefused (somebody must look).
    """
    now = ports.clock.now()
    known = read_for(ports, timer)
    if known is None or known.invoice.charge_at != timer.due:
        ports.timers.drop(timer)
        return "stale"
    if known.invoice.charge_at > now:
        return "not due"
    invoice, merchant, subscription = known.invoice, known.merchant, known.subscription
    refusal = _refusal(invoice, merchant, subscription)
    try:
        if refusal is not None and invoice.status is InvoiceStatus.OPEN and invoice.parts and invoice.part.in_doubt:
            # Begun, and not to be gone on with: what became of it is found out, and nothing more is tried.
            invoice = _found_out(ports, merchant, invoice)
            if invoice.charge_at != timer.due:
                return "found out"
            if invoice.part.in_doubt:
                return "under way"
        if refusal is not None or subscription is None or subscription.method is None:
            blocked = refusal if isinstance(refusal, CollectionBlock) else invoice.collection_blocked
            commit(ports, [Update(replace(invoice, charge_at=None, collection_blocked=blocked)), DropTimer(timer)])
            return "not collected"
        return _charge(ports, known, subscription.method, now)
    except WriteConflict:
        # Somebody else moved this invoice on; if a charge is still wanted its timer is still there.
        return "moved on by another"


def _refusal(invoice: Invoice, merchant: Merchant, subscription: Subscription | None) -> CollectionBlock | str | None:
    """Why this invoice is not to be charged now, if so."""
    if invoice.status is not InvoiceStatus.OPEN or not invoice.parts or invoice.part.state is not PartState.HELD:
        return "nothing to charge"
    if subscription is None or subscription.method is None:
        return CollectionBlock.NO_PAYMENT_METHOD
    if subscription.status is SubscriptionStatus.CANCELED:
        return "canceled"
    if not merchant.can_transact:
        return CollectionBlock.DISCONNECTED
    return None


def _found_out(ports: Ports, merchant: Merchant, invoice: Invoice) -> Invoice:
    """The invoice with the end of its try in doubt, as Stripe tells it; still in doubt while the money is under way."""
    part, intent = invoice.part, None
    if part.intent_id is not None:
        intent = ports.stripe.retrieve_intent(merchant.stripe_account, part.intent_id)
        if intent.status is IntentStatus.PROCESSING:
            return invoice
        if intent.status is not IntentStatus.CANCELED and not _was_not_tried(part, intent):
            _told(ports, invoice, intent)
            return ports.records.get(Invoice, invoice.id)
    freed = invoice.with_part(part.ended(AttemptOutcome.ABANDONED))
    commit(ports, [Update(freed)])
    freed = written(freed)
    gone = intent is not None and intent.status is IntentStatus.CANCELED
    return forget_canceled(ports, freed, intent) if gone and intent is not None else freed


def _charge(ports: Ports, known: Known, method: StoredMethod, now: datetime) -> str:
    merchant, invoice = known.merchant, known.invoice
    if invoice.part.latest is not None and invoice.part.latest.on_session:
        invoice = resolve_invoice(ports, merchant, invoice, actor=ACTOR)
        if invoice.status is not InvoiceStatus.OPEN or invoice.part.in_doubt or _is_with_buyer(invoice, now):
            return "with its buyer"
    if invoice.part.intent_id is not None:
        # An intent is there already, so a run before this one may have got further than it could write down.
        intent = ports.stripe.retrieve_intent(merchant.stripe_account, invoice.part.intent_id)
        if intent.status is IntentStatus.CANCELED:
            invoice = forget_canceled(ports, invoice, intent)
        elif not _may_confirm(intent) or (
            invoice.part.in_doubt and _is_old(invoice, now) and intent.decline is not None
        ):
            return _told(ports, invoice, intent)
    try:
        known = _claimed(ports, replace(known, invoice=invoice), method)
    except ProviderRefused as refused:
        return _not_made(ports, invoice, refused)
    invoice = known.invoice
    intent_id = invoice.part.intent_id
    if intent_id is None:
        raise ValueError("a claimed try has its intent")
    try:
        intent = confirmed(
            ports,
            merchant.stripe_account,
            intent_id,
            lambda: ports.stripe.confirm_off_session(
                merchant.stripe_account,
                intent_id,
                payment_method_id=method.payment_method_id,
                key=confirm_key(intent_id, invoice.part),
            ),
        )
    except KeySpent:
        # Stripe failed under this key and will say so for a day, so the intent itself is asked what was done.
        intent = ports.stripe.retrieve_intent(merchant.stripe_account, intent_id)
        if _was_not_tried(invoice.part, intent):
            commit(ports, [Update(invoice.with_part(invoice.part.ended(AttemptOutcome.ABANDONED)))])
            raise
    except ProviderRefused as refused:
        # A refused request (a revoked key, say) did nothing and uses up no try. Only where the key was used with
        # other parameters, as when the method was replaced in between, does the next try need a key of its own.
        if refused.code == "idempotency_error":
            commit(ports, [Update(invoice.with_part(invoice.part.ended(AttemptOutcome.ABANDONED)))])
            raise
        return _refused(ports, invoice, refused)
    return _told(ports, invoice, intent, known)


def _claimed(ports: Ports, known: Known, method: StoredMethod) -> Known:
    """With a try that is this run's alone to confirm, and the intent it is for: both saved, in one transaction.

    A try in doubt is made again under its own key: Stripe answers what it answered then, or does it now. Raises
    WriteConflict where another run was first: then nothing may be confirmed here.
    """
    merchant, invoice, part = known.merchant, known.invoice, known.invoice.part
    whose = known.whose
    writes: list[Write] = []
    if part.intent_id is None:
        intent_id = make_intent(
            ports,
            merchant,
            invoice,
            customer_id=method.stripe_customer_id,
            keep_method=False,
            description=f"{merchant.name} {invoice.number}",
        ).id
        whose = owner_of(merchant, invoice, intent_id, ports.clock.now())
        part = part.with_intent(intent_id)
        writes.append(Insert(whose))
    if not part.in_doubt:
        part = part.claimed(ports.clock.now())
    claimed = invoice.with_part(part)
    if claimed != invoice:
        commit(ports, [Update(claimed), *writes])
        claimed = written(claimed)
    return replace(known, invoice=claimed, whose=whose)


def _not_made(ports: Ports, invoice: Invoice, refused: ProviderRefused) -> str:
    """What it means that Stripe makes no intent for the stored method: a try that failed, though it never began."""
    if refused.code in OPERATORS_CODES:
        raise refused
    if not invoice.part.in_doubt:
        claimed = invoice.with_part(invoice.part.claimed(ports.clock.now()))
        commit(ports, [Update(claimed)])
        invoice = written(claimed)
    return _refused(ports, invoice, refused)


def _refused(ports: Ports, invoice: Invoice, refused: ProviderRefused) -> str:
    """What a refusal means for the invoice. Raises it again where only an operator can help, and no try is used up."""
    if refused.code in OPERATORS_CODES or invoice.part.latest is None:
        raise refused
    refuse_try(ports, invoice.id, refused.code, actor=ACTOR, own_try=invoice.part.latest.number)
    return "refused"


def _may_confirm(intent: Intent) -> bool:
    # A challenge that a buyer walked away from does not stop the stored method from being tried later.
    return intent.status in (
        IntentStatus.REQUIRES_PAYMENT_METHOD,
        IntentStatus.REQUIRES_CONFIRMATION,
        IntentStatus.REQUIRES_ACTION,
    )


def _was_not_tried(part: Part, intent: Intent) -> bool:
    """Whether an intent shows nothing of its part's newest try; a decline may be that of a try before."""
    if intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD and intent.decline is not None:
        return any(attempt.outcome is AttemptOutcome.DECLINED for attempt in part.attempts)
    return intent.status in (IntentStatus.REQUIRES_PAYMENT_METHOD, IntentStatus.REQUIRES_CONFIRMATION)


def _is_with_buyer(invoice: Invoice, now: datetime) -> bool:
    latest = invoice.part.latest
    waiting = latest is not None and latest.on_session and latest.outcome is AttemptOutcome.REQUIRES_ACTION
    return waiting and latest is not None and now - latest.at < CHALLENGE_LASTS


def _is_old(invoice: Invoice, now: datetime) -> bool:
    latest = invoice.part.latest
    return latest is not None and now - latest.at >= KEYS_LAST


def _told(ports: Ports, invoice: Invoice, intent: Intent, known: Known | None = None) -> str:
    """Write down what Stripe says of the invoice's intent; what became of the invoice, in a word."""
    own_try = None if invoice.part.latest is None else invoice.part.latest.number
    after = apply_intent(ports, invoice.id, intent, actor=ACTOR, own_try=own_try, known=known)
    latest = after.part.latest
    return str(after.status if after.status is InvoiceStatus.PAID or latest is None else latest.outcome)
