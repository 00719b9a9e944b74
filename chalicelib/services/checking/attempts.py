"""I16 and I15: tries are counted, end before the next begins and stop with the money; what is settled is let alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.parts import AttemptOutcome, Part
from chalicelib.domain.machines import CheckoutStatus, InvoiceStatus, PartState
from chalicelib.services.checking.books import Books, Payable
from chalicelib.services.checking.report import Finding, Undone, Violation

IN_FLIGHT: Final = frozenset({AttemptOutcome.CLAIMED, AttemptOutcome.PROCESSING, AttemptOutcome.REQUIRES_ACTION})
"""How a try looks whose end only Stripe can tell."""


def is_settled(owner: Payable) -> bool:
    """Whether nothing may be charged for it any more."""
    if isinstance(owner, Checkout):
        return owner.status in (CheckoutStatus.COMPLETED, CheckoutStatus.EXPIRED)
    return owner.status in (InvoiceStatus.PAID, InvoiceStatus.VOID)


def tries_are_in_order(books: Books) -> Iterator[Finding]:
    """I16: numbered from 1, at most the last in flight, none after the one that succeeded."""
    for owner in books.payables():
        for part in owner.parts:
            yield from _tries(owner, part)


def _tries(owner: Payable, part: Part) -> Iterator[Finding]:
    numbers = [attempt.number for attempt in part.attempts]
    if numbers != list(range(1, len(numbers) + 1)):
        yield Violation("I16", owner.id, f"the tries of part {part.number} are numbered {numbers}")
    times = [attempt.at for attempt in part.attempts]
    if times != sorted(times):
        yield Violation("I16", owner.id, f"the tries of part {part.number} are not in the order of their times")
    for attempt in part.attempts[:-1]:
        # A buyer may leave a challenge unanswered and try another way: that try ended with the next one.
        if attempt.outcome in (AttemptOutcome.CLAIMED, AttemptOutcome.PROCESSING):
            yield Violation("I16", owner.id, f"try {attempt.number} of part {part.number} had no end before the next")
        if attempt.outcome is AttemptOutcome.SUCCEEDED:
            yield Violation("I16", owner.id, f"part {part.number} was tried again after try {attempt.number} succeeded")
    succeeded = part.latest is not None and part.latest.outcome is AttemptOutcome.SUCCEEDED
    if succeeded != (part.state is PartState.PAID):
        ending = "no try" if part.latest is None else f"a try that {part.latest.outcome}"
        yield Violation("I16", owner.id, f"part {part.number} is {part.state} after {ending}")


def settled_is_let_alone(books: Books) -> Iterator[Finding]:
    """I15: what is paid, void, completed or expired has no charge to come, no held part and no open try."""
    for owner in books.payables():
        if not is_settled(owner):
            for part in owner.parts:
                if part.latest is not None and part.latest.outcome in IN_FLIGHT:
                    yield Undone(owner.id, f"try {part.latest.number} of part {part.number} is {part.latest.outcome}")
            continue
        if isinstance(owner, Invoice) and owner.charge_at is not None:
            yield Violation("I15", owner.id, f"it is {owner.status} and to be charged at {owner.charge_at}")
        for part in owner.parts:
            if part.state in (PartState.HELD, PartState.PROCESSING):
                yield Violation("I15", owner.id, f"it is {owner.status}, its part {part.number} is {part.state}")
