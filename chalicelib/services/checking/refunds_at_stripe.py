"""I3 for refunds: what went back is the same on both sides, refund by refund, and on the balance to the cent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.documents.intake import IntakeState, StripeEvent
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund, RefundOwner, refund_owner_id
from chalicelib.domain.machines import RefundStatus
from chalicelib.services.checking.accounts import Account
from chalicelib.services.checking.books import Books, booked
from chalicelib.services.checking.report import Finding, Undone, Violation
from chalicelib.services.checking.work import MISMATCH
from chalicelib.services.ports import LedgerRefund

REFUNDING: Final = frozenset({"pending", "requires_action", "succeeded"})
"""Statuses of a refund whose money is on its way or has gone."""

SWEPT_WITHIN: Final = timedelta(hours=50)
"""By then two nightly sweeps over Stripe's events have told of whatever a webhook did not."""

_HERE: Final = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.CANCELED,
}


def refunds_agree(books: Books, account: Account, now: datetime) -> Iterator[Finding]:
    """Everything that Stripe's list of one account's refunds says against ours."""
    yield from _refunds(books, account)
    yield from _each_refund(books, account, now)
    yield from _balance_of_refunds(books, account)


def _refunds(books: Books, account: Account) -> Iterator[Finding]:
    back: Counter[str] = Counter()
    for refund in account.refunds:
        if refund.status in REFUNDING and refund.intent_id is not None:
            back[refund.intent_id] += refund.amount.minor
    for payment in booked(books.all(Payment)):
        if payment.stripe_account != account.id:
            continue
        here = 0 if payment.refunded is None else payment.refunded.minor
        under_way = any(not _is_old_news(books, refund) for refund in account.refunds_of(payment.intent_id))
        if here > back[payment.intent_id] and not under_way:
            yield Violation("I3", payment.id, f"{here} is refunded here, {back[payment.intent_id]} at Stripe")
        elif here < back[payment.intent_id]:
            yield Undone(payment.id, f"{back[payment.intent_id]} is refunded at Stripe, {here} here")


def _is_old_news(books: Books, refund: LedgerRefund) -> bool:
    """Whether a refund is here as Stripe has it."""
    whose = books.find(RefundOwner, refund_owner_id(refund.id))
    here = None if whose is None else books.find(Refund, whose.refund_id)
    return here is not None and here.status is _HERE[refund.status]


def _each_refund(books: Books, account: Account, now: datetime) -> Iterator[Finding]:
    """Our refunds and Stripe's are the same set; what only Stripe has, or has ended, is on its way for a while."""
    listed = {refund.id: refund for refund in account.refunds}
    for refund in books.all(Refund):
        if refund.stripe_account != account.id or refund.stripe_refund_id is None:
            continue
        theirs = listed.get(refund.stripe_refund_id)
        if theirs is None or (theirs.intent_id, theirs.amount) != (refund.intent_id, refund.amount):
            yield Violation("I3", refund.id, f"{refund.stripe_refund_id} is not on Stripe's list as it is here")
        elif _HERE[theirs.status] is not refund.status:
            backwards = refund.status in (RefundStatus.FAILED, RefundStatus.CANCELED) or theirs.status == "pending"
            message = f"it is {refund.status} here, {theirs.status} at Stripe"
            yield Violation("I3", refund.id, message) if backwards else Undone(refund.id, message)
    for theirs in account.refunds:
        ours = theirs.intent_id is not None and books.owner_of(theirs.intent_id) is not None
        if not ours or books.find(RefundOwner, refund_owner_id(theirs.id)) is not None:
            continue
        told = [row for row in books.all(StripeEvent) if theirs.id == row.object_id]
        waits = any(row.state is IntakeState.RECEIVED or (row.result or "").startswith(MISMATCH) for row in told)
        if not waits and now - theirs.created_at > SWEPT_WITHIN:
            message = f"{theirs.amount.minor} {theirs.amount.currency} went back at Stripe and is not here"
            yield Violation("I3", theirs.id, message)


def _balance_of_refunds(books: Books, account: Account) -> Iterator[Finding]:
    entries = {entry.id: entry for entry in account.entries}
    for refund in books.all(Refund):
        if refund.stripe_account != account.id:
            continue
        for moved in (refund.taken, refund.given_back):
            entry = None if moved is None else entries.get(moved.id)
            if moved is not None and (
                entry is None or (entry.gross, entry.fee, entry.net) != (moved.gross, moved.fee, moved.net)
            ):
                yield Violation("I3", refund.id, f"what it did to the balance is not what {moved.id} says")
        here = {moved.id for moved in (refund.taken, refund.given_back) if moved is not None}
        for entry in account.entries:
            if (
                refund.stripe_refund_id is not None
                and entry.source_id == refund.stripe_refund_id
                and entry.id not in here
            ):
                yield Undone(refund.id, f"{entry.id} moved the balance and is not written down yet")
