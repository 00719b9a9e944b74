"""I9, and I2, I7, I8 for refunds: what is gone and set aside is what the refunds say, and none is left lying.

The sums are made here a second time from the refunds themselves; the payment's own are believed in nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from chalicelib.domain.documents.intake import IntakeState, StripeEvent
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund, RefundOwner, refund_owner_id
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.machines import PaymentStatus, RefundStatus
from chalicelib.services.checking.books import Books
from chalicelib.services.checking.report import Finding, Undone, Violation
from chalicelib.services.checking.work import MISMATCH

IN_DISPUTE = frozenset({
    PaymentStatus.DISPUTED_ACTION_REQUIRED, PaymentStatus.DISPUTED_AWAITING_DECISION,
    PaymentStatus.DISPUTED_WON, PaymentStatus.DISPUTED_LOST,
})  # fmt: skip
"""Where a payment shows its dispute, and not how much of it was refunded."""


def refunds_are_never_above_what_was_paid(books: Books) -> Iterator[Finding]:
    """I9: gone and set aside are the sums of the refunds, at most what was paid, and the payment's status says so."""
    for payment in books.all(Payment):
        refunds = books.refunds_of.get(payment.id, ())
        gone, aside = _sum(refunds, RefundStatus.SUCCEEDED), _sum(refunds, RefundStatus.PENDING)
        here = 0 if payment.refunded is None else payment.refunded.minor
        reserved = 0 if payment.reserved is None else payment.reserved.minor
        if (here, reserved) != (gone, aside):
            message = f"its refunds make {gone} gone and {aside} set aside, it says {here} and {reserved}"
            yield Violation("I9", payment.id, message)
        odd = {refund.amount.currency for refund in refunds} - {payment.amount.currency}
        if odd:
            yield Violation("I9", payment.id, f"it was refunded in {', '.join(sorted(odd))}")
        above = gone + aside > payment.amount.minor
        # Stripe's dashboard asks nobody here: what it took is a fact, and what was set aside is then refused by Stripe.
        if above and (gone > payment.amount.minor or not any(refund.from_stripe for refund in refunds)):
            yield Violation("I9", payment.id, f"{gone} gone and {aside} set aside of {payment.amount.minor}")
        yield from _status(payment, gone, aside)
        yield from _net(payment, refunds)


def _sum(refunds: Sequence[Refund], status: RefundStatus) -> int:
    return sum(refund.amount.minor for refund in refunds if refund.status is status)


def _status(payment: Payment, gone: int, aside: int) -> Iterator[Finding]:
    if payment.status in IN_DISPUTE or payment.booked_at is None:
        return
    if aside:
        due = PaymentStatus.PROCESSING_REFUND
    elif gone >= payment.amount.minor:
        due = PaymentStatus.REFUNDED
    else:
        due = PaymentStatus.PARTIALLY_REFUNDED if gone else PaymentStatus.SUCCEEDED
    if payment.status is not due:
        yield Violation("I9", payment.id, f"it is {payment.status} with {gone} gone and {aside} set aside")


def _net(payment: Payment, refunds: Sequence[Refund]) -> Iterator[Finding]:
    moved = [each for refund in refunds for each in (refund.taken, refund.given_back) if each is not None]
    here = payment.returned
    sums = tuple(sum(getattr(each, name).minor for each in moved) for name in ("gross", "fee", "net"))
    told = (0, 0, 0) if here is None else (here.gross.minor, here.fee.minor, here.net.minor)
    if sums != told:
        yield Violation("I9", payment.id, f"its refunds moved the balance by {sums}, it says {told}")


def refunds_have_their_payment(books: Books) -> Iterator[Finding]:
    """I8: a refund has its payment, and a refund of Stripe's exactly one here, which knows it."""
    for refund in books.all(Refund):
        payment = books.find(Payment, refund.payment_id)
        if payment is None or (payment.invoice_id, payment.intent_id) != (refund.invoice_id, refund.intent_id):
            yield Violation("I8", refund.id, f"there is no {refund.payment_id} of {refund.intent_id}")
        if refund.stripe_refund_id is not None:
            whose = books.find(RefundOwner, refund_owner_id(refund.stripe_refund_id))
            if whose is None or whose.refund_id != refund.id:
                yield Violation("I8", refund.id, f"{refund.stripe_refund_id} was never saved as what it is")
    for whose in books.all(RefundOwner):
        refund_here = books.find(Refund, whose.refund_id)
        if refund_here is None or refund_owner_id(refund_here.stripe_refund_id or "") != whose.id:
            yield Violation("I8", whose.id, f"{whose.refund_id} does not know of it")


def refunds_come_to_an_end(books: Books) -> Iterator[Finding]:
    """I7: what is under way has its timer, what has ended has none, and a buyer hears once of money that came back."""
    told = Counter(mail.about_id for mail in books.all(Mail) if mail.kind is MailKind.REFUND)
    for refund in books.all(Refund):
        pending = refund.status is RefundStatus.PENDING
        if pending:
            known = "Stripe has it" if refund.stripe_refund_id else "nobody knows whether Stripe made it"
            yield Undone(refund.id, f"the refund is pending, {known}")
        if pending != (refund.look_at is not None) or pending != (refund.ended_at is None):
            yield Violation("I7", refund.id, f"it is {refund.status}, to be looked at {refund.look_at}")
        if refund.look_at is not None:
            timer = Timer(TimerKind.FINISH_REFUND, refund.id, refund.merchant_id, refund.look_at)
            if not books.stands(timer):
                yield Violation("I7", refund.id, f"it is {refund.status} and has no timer at {refund.look_at}")
        least = 1 if refund.status is RefundStatus.SUCCEEDED else 0
        # One that failed later was told of before.
        most = 0 if pending or refund.stripe_refund_id is None else 1
        if refund.customer_id is not None and not least <= told[refund.id] <= most:
            yield Violation("I7", refund.id, f"it is {refund.status} and has {told[refund.id]} mails")


def reports_of_refunds_are_taken_over(books: Books) -> Iterator[Finding]:
    """I6: an applied report of a refund left that refund here, in whatever order it came."""
    for row in books.all(StripeEvent):
        about_refund = row.type.startswith("refund.") or row.type == "charge.refund.updated"
        if not about_refund or row.state is not IntakeState.DONE or (row.result or "").startswith(MISMATCH):
            continue
        if books.find(RefundOwner, refund_owner_id(row.object_id)) is None:
            yield Violation("I6", row.id, f"{row.object_id} was reported and is not here")
