"""What a charge that failed leaves behind: the next step of its invoice's ladder, and a subscription that owes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from chalicelib.domain.billing.dunning import LadderEnd, Remedy, next_step, remedy_of, steps, within_limits
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.mails import MailKind
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.methods import StoredMethod
from chalicelib.domain.documents.parts import Attempt, AttemptOutcome, Part
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import SUBSCRIPTION, InvoiceStatus, PartState, SubscriptionAction, SubscriptionStatus
from chalicelib.services.billing.issuing import billing_timer
from chalicelib.services.billing.making import collection_timer
from chalicelib.services.facts import happened
from chalicelib.services.mails import mails_about, posted
from chalicelib.services.ports import Decline, DropTimer, Ids, Ports, SetTimer, Update, Write

MOST_ASKED: Final = 25
"""Invoices whose charge is asked for at once: three items each beside a booking stay below the 100 of a transaction."""
_ACTIONS: Final[Mapping[LadderEnd, tuple[SubscriptionAction, str]]] = {
    LadderEnd.UNPAID: (SubscriptionAction.GIVE_UP, "subscription.unpaid"),
    LadderEnd.PAUSE: (SubscriptionAction.PAUSE, "subscription.paused"),
    LadderEnd.CANCEL: (SubscriptionAction.CANCEL, "subscription.canceled"),
}


def remedy_after(attempt: Attempt) -> Remedy:
    """What a try that failed needs before it can succeed."""
    if attempt.outcome is AttemptOutcome.REQUIRES_ACTION:
        return Remedy.AUTHENTICATION
    return remedy_of(attempt.code, attempt.decline_code, attempt.advice_code)


def is_barred(part: Part, method: StoredMethod) -> bool:
    """Whether a method was declined for good in this part: it is not tried in it again."""
    return any(
        attempt.payment_method_id == method.payment_method_id and remedy_after(attempt) is Remedy.NEW_METHOD
        for attempt in part.attempts
        if attempt.failed_unattended
    )


def tries_of(part: Part, method_id: str | None) -> list[datetime]:
    """When a stored method was tried in a part: what the networks count. What never reached a bank is no try."""
    return [
        attempt.at
        for attempt in part.attempts
        if not attempt.on_session
        and attempt.payment_method_id == method_id
        and attempt.outcome is not AttemptOutcome.ABANDONED
    ]


def is_within_limits(part: Part, method: StoredMethod, at: datetime) -> bool:
    """Whether the method may be tried once more in this part, by the rules of its network."""
    return within_limits(tries_of(part, method.payment_method_id), method.method.brand, at)


def wants_try(invoice: Invoice, method: StoredMethod) -> bool:
    """Whether what is due now is a try; otherwise it is the end of the ladder, or nothing that this method can do."""
    part = invoice.part
    if part.in_doubt:
        return True
    if is_barred(part, method):
        return False
    failure = part.latest_failure
    return failure is None or invoice.charge_at in (invoice.asked_at, failure.next_at)


def after_failure(
    invoice: Invoice, merchant: Merchant, subscription: Subscription | None, decline: Decline | None, now: datetime
) -> Invoice:
    """The invoice after its newest try failed; `decline` None where the bank wants its buyer.

    `charge_at` is the next try (then it is the try's `next_at` too), or the deadline, or None where that is over.
    """
    ended = invoice.part.ended(AttemptOutcome.REQUIRES_ACTION)
    if decline is not None:
        ended = invoice.part.ended(
            AttemptOutcome.DECLINED, decline.code, decline.decline_code, advice_code=decline.advice_code
        )
    latest = ended.attempts[-1]
    first, days = invoice.failed_first_at or now, invoice.ladder or merchant.dunning.days
    ladder = steps(first, days, invoice.timezone)
    brand = None if subscription is None or subscription.method is None else subscription.method.method.brand
    step = next_step(ladder, now, remedy_after(latest), tries_of(ended, latest.payment_method_id), brand)
    charge_at = step.at
    if subscription is None or subscription.has_ended:
        # Nothing of it is collected any more; what is open stays payable on its page.
        charge_at = None
    if charge_at is not None and step.tries:
        ended = replace(ended, attempts=(*ended.attempts[:-1], replace(latest, next_at=charge_at)))
    return replace(
        invoice.with_part(ended),
        failed_first_at=first,
        ladder=days,
        gives_up_at=ladder[-1],
        charge_at=charge_at,
        asked_at=None,
    )


def timers_moved(before: Invoice, after: Invoice) -> list[Write]:
    """The invoice's timer from where it stood to where it is to stand."""
    if before.charge_at == after.charge_at:
        return []
    writes: list[Write] = []
    if before.charge_at is not None:
        writes.append(DropTimer(collection_timer(before, before.charge_at)))
    if after.charge_at is not None:
        writes.append(SetTimer(collection_timer(after, after.charge_at)))
    return writes


def fallen_behind(
    ids: Ids,
    subscription: Subscription,
    customer: Customer | None,
    invoice_id: str,
    *,
    over: LadderEnd | None,
    actor: str,
    now: datetime,
) -> list[Write]:
    """The subscription with an invoice past due; `over` says what becomes of it where that one's ladder has ended.

    Nothing is left to write where it has ended, or is all that already. Its owner is told of a cancellation.
    """
    if subscription.has_ended:
        return []
    owing, writes = subscription, list[Write]()
    if invoice_id not in owing.past_due_invoices:
        owing = replace(owing, past_due_invoices=(*owing.past_due_invoices, invoice_id))
    if SUBSCRIPTION.can(owing.status, SubscriptionAction.FALL_BEHIND):
        owing, event = _moved(ids, owing, SubscriptionAction.FALL_BEHIND, "subscription.past_due", actor, now)
        writes.append(event)
    if over is LadderEnd.PAUSE and (owing.cancel_at_period_end or owing.is_last_issued):
        # Nothing more will be issued, and a pause would keep it from ending.
        over = LadderEnd.UNPAID
    if over is not None and SUBSCRIPTION.can(owing.status, _ACTIONS[over][0]):
        owing, event = _moved(ids, owing, *_ACTIONS[over], actor, now)
        writes.append(event)
        if owing.has_ended:
            writes += posted(*mails_about(owing, customer, MailKind.SUBSCRIPTION_CANCELED, now))
    if owing == subscription:
        return []
    timer = billing_timer(subscription)
    if timer is not None and owing.timer_at != subscription.timer_at:
        writes.append(DropTimer(timer))
    return [Update(owing), *writes]


def _moved(
    ids: Ids, subscription: Subscription, action: SubscriptionAction, type_: str, actor: str, now: datetime
) -> tuple[Subscription, Write]:
    moved = subscription.moved(action)
    if moved.status is SubscriptionStatus.UNPAID:
        moved = replace(moved, untried=0)
    if moved.status is SubscriptionStatus.PAUSED:
        paused = replace(moved, paused_at=now)
        # A period that began before this is still billed.
        moved = replace(paused, timer_at=paused.acts_at)
    if moved.status is SubscriptionStatus.CANCELED:
        moved = replace(moved, canceled_at=now, ended_at=now, timer_at=None, paused_at=None, cancel_reason="unpaid")
    previous = {"status": str(subscription.status)}
    return moved, happened(ids, type_, moved, now=now, actor=actor, previous=previous)


def past_due_of(ports: Ports, subscription: Subscription, ids: Sequence[str]) -> list[Invoice]:
    """Those of these invoices that the subscription still owes and that may be tried, oldest first.

    Left out is what is being tried at this moment: how that ends is told by whoever makes it. Raises StoreUnavailable.
    """
    owed = sorted(set(ids) & set(subscription.past_due_invoices))[:MOST_ASKED]
    found = ports.records.find_many([(Invoice, each) for each in owed]) if owed else []
    return [
        invoice
        for invoice in found
        if invoice is not None
        and invoice.status is InvoiceStatus.OPEN
        and invoice.parts
        and invoice.part.state is PartState.HELD
        and not invoice.part.in_doubt
    ]


def asked_for(invoices: Sequence[Invoice], now: datetime) -> list[Write]:
    """Each invoice with its next try due now, by its own timer and claim."""
    writes: list[Write] = []
    for invoice in invoices:
        asked = replace(invoice, charge_at=now, asked_at=now, collection_blocked=None)
        writes += [Update(asked), *timers_moved(invoice, asked)]
    return writes
