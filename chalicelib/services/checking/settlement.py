"""I3 and what else only Stripe knows: the same money on both sides, once, and nothing left that could still charge."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.intake import IntakeState, StripeEvent
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.parts import Part
from chalicelib.domain.documents.payments import Payment
from chalicelib.services.checking.accounts import Account
from chalicelib.services.checking.attempts import IN_FLIGHT, is_settled
from chalicelib.services.checking.books import Books, Payable, booked, part_of
from chalicelib.services.checking.refunds_at_stripe import refunds_agree
from chalicelib.services.checking.report import Finding, Undone, Violation
from chalicelib.services.checking.work import MISMATCH
from chalicelib.services.ports import (
    Intent,
    IntentStatus,
    LedgerCharge,
)

LIVE: Final = frozenset({
    IntentStatus.REQUIRES_PAYMENT_METHOD, IntentStatus.REQUIRES_CONFIRMATION, IntentStatus.REQUIRES_ACTION,
    IntentStatus.REQUIRES_CAPTURE, IntentStatus.PROCESSING,
})  # fmt: skip
"""Where an intent may still take money."""


def both_sides_agree(books: Books, account: Account, now: datetime) -> Iterator[Finding]:
    """Everything that Stripe's lists of one account say against ours."""
    ours = [intent for intent in account.intents if _is_ours(books, intent)]
    for intent in ours:
        yield from _intent(books, account, intent)
    yield from _payments(books, account)
    yield from _one_a_part(ours)
    yield from _charges(books, account, ours)
    yield from _balance(books, account)
    yield from refunds_agree(books, account, now)


def _is_ours(books: Books, intent: Intent) -> bool:
    return books.owner_of(intent.id) is not None or (
        books.find(Merchant, intent.metadata.get("till_merchant")) is not None
    )


def _intent(books: Books, account: Account, intent: Intent) -> Iterator[Finding]:
    whose = books.owner_of(intent.id)
    if whose is None:
        yield from _never_saved(intent)
        return
    merchant = books.find(Merchant, whose.merchant_id)
    if whose.stripe_account != account.id:
        yield Violation("I20", whose.id, f"it is on {account.id}, saved as on {whose.stripe_account}")
    if merchant is not None and merchant.livemode != intent.livemode:
        yield Violation("I20", whose.id, f"livemode is {intent.livemode} at Stripe, {merchant.livemode} here")
    if intent.metadata.get("till_merchant", whose.merchant_id) != whose.merchant_id:
        yield Violation("I20", whose.id, f"Stripe has it as {intent.metadata['till_merchant']}'s")
    payment = books.find(Payment, whose.payment_id)
    owner = books.payable(whose.owner_id)
    part = None if owner is None else part_of(owner, whose.part_number)
    if owner is None or part is None:
        return
    if payment is None and part.intent_id == intent.id and part.amount != intent.amount:
        yield Violation("I13", owner.id, f"{intent.id} asks for {_shown(intent)}, its part for {part.amount.minor}")
    invoice_id = owner.invoice_id if isinstance(owner, Checkout) else owner.id
    if intent.metadata.get("till_invoice", invoice_id) != invoice_id:
        yield Violation("I13", owner.id, f"{intent.id} is for {intent.metadata['till_invoice']}, here for {invoice_id}")
    if intent.status is IntentStatus.SUCCEEDED:
        if payment is None or not booked([payment]):
            yield _not_booked(books, owner, part, intent)
    elif intent.status in LIVE and is_settled(owner):
        status = owner.status
        yield Violation("I15", owner.id, f"it is {status}, {intent.id} is {intent.status} and could still charge")


def _shown(intent: Intent) -> str:
    return "nothing" if intent.amount is None else f"{intent.amount.minor} {intent.amount.currency}"


def _never_saved(intent: Intent) -> Iterator[Finding]:
    """An intent whose making was not written down may lie there, since nobody can confirm it; it must be untouched."""
    waiting = intent.status in (IntentStatus.REQUIRES_PAYMENT_METHOD, IntentStatus.REQUIRES_CONFIRMATION)
    if not (waiting and intent.decline is None) and intent.status is not IntentStatus.CANCELED:
        yield Violation("I8", intent.id, f"it is {intent.status} and was never saved as anybody's")


def _not_booked(books: Books, owner: Payable, part: Part, intent: Intent) -> Finding:
    told = [
        row for row in books.all(StripeEvent) if intent.id in (row.object_id, row.data_object.get("payment_intent"))
    ]
    known = any(row.state is IntakeState.RECEIVED or (row.result or "").startswith(MISMATCH) for row in told)
    in_flight = part.intent_id == intent.id and part.latest is not None and part.latest.outcome in IN_FLIGHT
    if known or (in_flight and not is_settled(owner)):
        return Undone(owner.id, f"{intent.id} succeeded and is not booked yet")
    return Violation("I3", owner.id, f"{intent.id} of {_shown(intent)} succeeded at Stripe and has no payment")


def _payments(books: Books, account: Account) -> Iterator[Finding]:
    intents = {intent.id: intent for intent in account.intents}
    charges = {charge.id: charge for charge in account.charges}
    for payment in booked(books.all(Payment)):
        if payment.stripe_account != account.id:
            continue
        intent = intents.get(payment.intent_id)
        if intent is None or intent.status is not IntentStatus.SUCCEEDED:
            status = "not on Stripe's list" if intent is None else str(intent.status)
            yield Violation("I3", payment.id, f"{payment.intent_id} is {status}")
        elif intent.amount != payment.amount:
            message = f"{payment.amount.minor} {payment.amount.currency} here, {_shown(intent)} at Stripe"
            yield Violation("I3", payment.id, message)
        if payment.charge_id is not None:
            charge = charges.get(payment.charge_id)
            if charge is None or not charge.succeeded or charge.intent_id != payment.intent_id:
                yield Violation("I3", payment.id, f"{payment.charge_id} is no charge of {payment.intent_id}")


def _place(intent: Intent) -> tuple[str, str] | None:
    """The invoice and the part that an intent was made for, by its own metadata."""
    invoice_id, part = intent.metadata.get("till_invoice"), intent.metadata.get("till_part")
    return None if invoice_id is None or part is None else (invoice_id, part.partition(".")[0])


def _one_a_part(ours: Sequence[Intent]) -> Iterator[Finding]:
    by_part: dict[tuple[str, str], list[Intent]] = defaultdict(list)
    for intent in ours:
        place = _place(intent)
        if place is not None:
            by_part[place].append(intent)
    for (invoice_id, part), intents in by_part.items():
        succeeded = sorted(intent.id for intent in intents if intent.status is IntentStatus.SUCCEEDED)
        usable = sorted(intent.id for intent in intents if intent.status in LIVE) + succeeded
        if len(succeeded) > 1:
            yield Violation("I1", invoice_id, f"part {part} was paid by {', '.join(succeeded)}")
        elif len(usable) > 1:
            yield Violation("I1", invoice_id, f"part {part} could be paid by each of {', '.join(usable)}")


def _charges(books: Books, account: Account, ours: Sequence[Intent]) -> Iterator[Finding]:
    """I16 from the other side: Stripe was asked for no more charges than tries were written down."""
    tried: dict[str, list[LedgerCharge]] = defaultdict(list)
    mine = {intent.id for intent in ours}
    for charge in account.charges:
        whose = books.owner_of(charge.intent_id) if charge.intent_id in mine and charge.intent_id else None
        if whose is not None:
            tried[f"{whose.owner_id}/{whose.part_number}"].append(charge)
    for place, charges in tried.items():
        owner_id, _, number = place.partition("/")
        owner = books.payable(owner_id)
        part = None if owner is None else part_of(owner, int(number))
        if part is not None and len(charges) > len(part.attempts):
            message = f"part {number} was tried {len(part.attempts)} times, Stripe has {len(charges)} charges"
            yield Violation("I16", owner_id, message)
        taken = Counter(charge.intent_id for charge in charges if charge.succeeded)
        for intent_id, count in taken.items():
            if count > 1:
                yield Violation("I1", owner_id, f"{intent_id} has {count} charges that succeeded")


def _balance(books: Books, account: Account) -> Iterator[Finding]:
    entries = {entry.id: entry for entry in account.entries}
    settled = {charge.id for charge in account.charges if charge.balance_id is not None}
    for payment in booked(books.all(Payment)):
        if payment.stripe_account != account.id:
            continue
        if payment.settlement is None:
            if payment.charge_id in settled:
                yield Undone(payment.id, "Stripe knows its fee, it is not written down yet")
            continue
        entry = entries.get(payment.settlement.balance_transaction or "")
        here = (payment.settlement.gross, payment.settlement.fee, payment.settlement.net)
        if entry is None or (entry.gross, entry.fee, entry.net) != here:
            yield Violation(
                "I3", payment.id, f"its fee and net are not those of {payment.settlement.balance_transaction}"
            )
