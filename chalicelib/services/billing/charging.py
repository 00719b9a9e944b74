"""Charging an issued invoice to the stored method while the buyer is away.

One read; the one live intent made or found, unconfirmed, which moves nothing; one transaction that claims the try and
saves the intent's id; the confirm; one transaction that writes down the outcome. Who loses the claim confirms nothing.
The charge timer goes only with the outcome, so a death anywhere in between is found again by the next sweep.

The same timer comes for the steps that charge nothing: the end of an invoice's ladder, and of the day on which one that
was sent is due.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.documents.invoices import Collection, CollectionBlock, Invoice
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.methods import StoredMethod
from chalicelib.domain.documents.parts import AttemptOutcome, Part
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer
from chalicelib.domain.machines import InvoiceStatus, PartState, SubscriptionStatus
from chalicelib.services.billing.known import Known, read_for
from chalicelib.services.billing.ladder import fallen_behind, timers_moved, wants_try
from chalicelib.services.billing.making import collection_timer
from chalicelib.services.billing.outcomes import apply_intent, refuse_try
from chalicelib.services.billing.parking import leave_parked
from chalicelib.services.facts import happened
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
    return None if invoice.charge_at is None else collection_timer(invoice, invoice.charge_at)


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
        if invoice.collection is Collection.SEND and invoice.status is InvoiceStatus.OPEN:
            return _overdue(ports, known, timer, now)
        if refusal is not None and invoice.status is InvoiceStatus.OPEN and invoice.parts and invoice.part.in_doubt:
            # Begun, and not to be gone on with: what became of it is found out, and nothing more is tried.
            invoice = _found_out(ports, merchant, invoice)
            if invoice.charge_at != timer.due:
                return "found out"
            if invoice.part.in_doubt:
                return "under way"
        if refusal is CollectionBlock.PARKED:
            return leave_parked(ports, merchant, invoice)
        if invoice.collection_blocked is CollectionBlock.PARKED:
            invoice = replace(invoice, collection_blocked=None)
            known = replace(known, invoice=invoice)
        if refusal is not None or subscription is None or subscription.method is None:
            blocked = refusal if isinstance(refusal, CollectionBlock) else invoice.collection_blocked
            rest = replace(invoice, charge_at=None, asked_at=None, collection_blocked=blocked)
            commit(ports, [Update(rest), DropTimer(timer)])
            return "not collected"
        if _older_is_due(ports, known, subscription, now):
            return "waits for an older one"
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
    return None if merchant.parked_at is None else CollectionBlock.PARKED


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


def _older_is_due(ports: Ports, known: Known, subscription: Subscription, now: datetime) -> bool:
    """Whether this try was asked for along with that of an older invoice, which comes first."""
    invoice = known.invoice
    if invoice.asked_at is None or invoice.asked_at != invoice.charge_at:
        return False
    older = [each for each in subscription.past_due_invoices if each < invoice.id]
    found = ports.records.find_many([(Invoice, each) for each in older]) if older else []
    return any(
        each is not None and each.asked_at is not None and each.asked_at == each.charge_at and each.charge_at <= now
        for each in found
    )


def _overdue(ports: Ports, known: Known, timer: Timer, now: datetime) -> str:
    """A sent invoice whose day is over: unpaid, it is told to be overdue, and its subscription is past due."""
    invoice, subscription = known.invoice, known.subscription
    unpaid = _left_by_buyer(ports, known, now)
    if unpaid is None:
        return "with its buyer"
    late = replace(unpaid, charge_at=None)
    writes: list[Write] = [Update(late), DropTimer(timer)]
    writes.append(happened(ports.ids, "invoice.overdue", late, now=now, actor=ACTOR))
    if subscription is not None:
        writes += fallen_behind(ports.ids, subscription, known.customer, invoice.id, over=None, actor=ACTOR, now=now)
    commit(ports, writes)
    return "overdue"


def _left_by_buyer(ports: Ports, known: Known, now: datetime) -> Invoice | None:
    """The invoice once its buyer is known not to be paying it; None while they are, or have paid."""
    invoice = known.invoice
    if invoice.parts and invoice.part.latest is not None and invoice.part.latest.on_session:
        invoice = resolve_invoice(ports, known.merchant, invoice, actor=ACTOR)
        if invoice.status is not InvoiceStatus.OPEN or invoice.part.in_doubt or _is_with_buyer(invoice, now):
            return None
    return invoice


def _not_tried(ports: Ports, known: Known, invoice: Invoice, now: datetime) -> str:
    """What is due and is no try: the end of the ladder, or before it a method that was declined for good."""
    if invoice.gives_up_at is not None and invoice.gives_up_at > now:
        waiting = replace(invoice, charge_at=invoice.gives_up_at, asked_at=None)
        commit(ports, [Update(waiting), *timers_moved(invoice, waiting)])
        return "waits for another method"
    given_up = replace(invoice, charge_at=None, asked_at=None)
    writes: list[Write] = [Update(given_up), *timers_moved(invoice, given_up)]
    if known.subscription is not None:
        then = known.merchant.dunning.then
        writes += fallen_behind(
            ports.ids, known.subscription, known.customer, invoice.id, over=then, actor=ACTOR, now=now
        )
    commit(ports, writes)
    return "given up"


def _charge(ports: Ports, known: Known, method: StoredMethod, now: datetime) -> str:
    merchant = known.merchant
    left = _left_by_buyer(ports, known, now)
    if left is None:
        return "with its buyer"
    invoice = left
    if not wants_try(invoice, method):
        return _not_tried(ports, known, invoice, now)
    if invoice.part.intent_id is not None:
        # An intent is there already, so a run before this one may have got further than it could write down.
        intent = ports.stripe.retrieve_intent(merchant.stripe_account, invoice.part.intent_id)
        if intent.status is IntentStatus.CANCELED:
            invoice = forget_canceled(ports, invoice, intent)
        elif not _may_confirm(intent):
            return _told(ports, invoice, intent)
        elif invoice.part.in_doubt and _is_old(invoice, now) and intent.decline is not None:
            if not _was_not_tried(invoice.part, intent):
                return _told(ports, invoice, intent)
            # The decline may be that of a try before, and the key of this one is forgotten: whatever became of it, no
            # money was taken, so the step of the ladder is made by a new one.
            freed = invoice.with_part(invoice.part.ended(AttemptOutcome.ABANDONED))
            commit(ports, [Update(freed)])
            invoice = written(freed)
    try:
        known = _claimed(ports, replace(known, invoice=invoice), method)
    except ProviderRefused as refused:
        return _not_made(ports, invoice, method, refused)
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
        asked = invoice.asked_at is not None and invoice.asked_at == invoice.charge_at
        part = part.claimed(ports.clock.now(), payment_method_id=method.payment_method_id, asked=asked)
    claimed = invoice.with_part(part)
    if claimed != invoice:
        commit(ports, [Update(claimed), *writes])
        claimed = written(claimed)
    return replace(known, invoice=claimed, whose=whose)


def _not_made(ports: Ports, invoice: Invoice, method: StoredMethod, refused: ProviderRefused) -> str:
    """What it means that Stripe makes no intent for the stored method: a try that failed, though it never began."""
    if refused.code in OPERATORS_CODES:
        raise refused
    if not invoice.part.in_doubt:
        part = invoice.part.claimed(ports.clock.now(), payment_method_id=method.payment_method_id)
        claimed = invoice.with_part(part)
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
