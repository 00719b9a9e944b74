"""What Stripe says of a checkout's intent, written down once, whoever brings it: submit, return page or webhook."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.parts import AttemptOutcome, Part
from chalicelib.domain.machines import CheckoutStatus
from chalicelib.services.checkouts.booking import book_checkout
from chalicelib.services.limits.breaker import COUNTED_PER_ADDRESS, count_decline
from chalicelib.services.payments.running import may_be_running
from chalicelib.services.ports import Intent, IntentStatus, Ports, Update, Write
from chalicelib.services.saving import commit, until_won, written


def apply_intent(
    ports: Ports,
    seen: Checkout,
    intent: Intent,
    *,
    actor: str,
    also: Sequence[Write] = (),
    asked_here: bool = False,
    tries_of_address: int | None = None,
) -> Checkout:
    """The checkout with the intent's state taken over; `also` is written in the same transaction.

    `seen` is the checkout as the caller last saw it, and only tells what to read. `asked_here` says that the caller
    made the try itself, so its end is not somebody else's to tell; `tries_of_address` is what was counted when it did.
    A repeated, late or reordered report changes nothing. A decline that comes after a challenge is counted against the
    link by whoever writes it down. Raises PaymentMismatch.
    """
    if intent.status is IntentStatus.SUCCEEDED:
        return book_checkout(ports, seen, intent, actor=actor, also=also)

    counts_later = tries_of_address is not None and tries_of_address <= COUNTED_PER_ADDRESS

    def attempt() -> tuple[Checkout, bool]:
        checkout = ports.records.get(Checkout, seen.id)
        changed = _after(checkout, intent, ports.clock.now(), asked_here, counts_later)
        writes: list[Write] = [] if changed is None else [Update(changed)]
        if writes or also:
            commit(ports, writes, also)
        if changed is None:
            return checkout, False
        return written(changed), _is_late_decline(checkout.part, changed.part)

    after, late_decline = until_won(ports, attempt)
    if late_decline:
        count_decline(ports, after.payment_link_id)
    return after


def _is_late_decline(before: Part, after: Part) -> bool:
    """Whether this is the one write that turns a try which waited for its bank into a declined one that counts."""
    if before.latest is None or after.latest is None:
        return False
    return before.latest.counts_later and after.latest.outcome is AttemptOutcome.DECLINED


def resolve(ports: Ports, merchant: Merchant, checkout: Checkout, *, actor: str) -> Checkout:
    """The checkout after asking Stripe, where its state cannot be known without. Raises what PaymentProvider raises."""
    if checkout.status not in (CheckoutStatus.OPEN, CheckoutStatus.PROCESSING) or not checkout.parts:
        return checkout
    part = checkout.part
    waiting = part.latest is not None and part.latest.outcome is AttemptOutcome.REQUIRES_ACTION
    if not part.in_doubt and not waiting:
        return checkout
    if part.intent_id is not None:
        intent = ports.stripe.retrieve_intent(merchant.stripe_account, part.intent_id)
        return apply_intent(ports, checkout, intent, actor=actor)
    if may_be_running(part, ports.clock.now()):
        return checkout

    def attempt() -> Checkout:
        # Nothing is confirmed before the intent's id is saved, so this try moved no money.
        fresh = ports.records.get(Checkout, checkout.id)
        if not fresh.part.in_doubt or fresh.part.intent_id is not None:
            return fresh
        changed = fresh.with_part(fresh.part.ended(AttemptOutcome.ABANDONED))
        commit(ports, [Update(changed)])
        return written(changed)

    return until_won(ports, attempt)


def _after(checkout: Checkout, intent: Intent, now: datetime, asked_here: bool, counts_later: bool) -> Checkout | None:
    if checkout.status is not CheckoutStatus.OPEN or checkout.part.intent_id != intent.id:
        return None
    part = checkout.part
    latest = part.latest
    if latest is None or latest.outcome not in (AttemptOutcome.CLAIMED, AttemptOutcome.REQUIRES_ACTION):
        return None
    if may_be_running(part, now) and not asked_here:
        return None
    ended: Part | None = None
    if intent.status is IntentStatus.REQUIRES_ACTION:
        # Who comes second, a webhook or the waiting page, must not take back what the try's own request said.
        counts_later = counts_later or latest.counts_later
        ended = part.ended(AttemptOutcome.REQUIRES_ACTION, counts_later=counts_later)
    elif intent.status is IntentStatus.REQUIRES_PAYMENT_METHOD and intent.decline is not None:
        ended = part.ended(AttemptOutcome.DECLINED, intent.decline.code, intent.decline.decline_code)
    elif intent.status in (IntentStatus.REQUIRES_PAYMENT_METHOD, IntentStatus.REQUIRES_CONFIRMATION):
        ended = part.ended(AttemptOutcome.ABANDONED)
    elif intent.status is IntentStatus.CANCELED:
        ended = part.ended(AttemptOutcome.ABANDONED).without_canceled_intent(intent.id)
    if ended is None or ended == part:
        return None
    return checkout.with_part(ended)
