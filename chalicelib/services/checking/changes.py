"""I2 and I14 for changes of subscriptions: what each came to, worked out again, and where all of it went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction

from chalicelib.domain.documents.edits import SubscriptionEdit
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.lines import Discount, LineItem
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.services.checking.arithmetic import half_up, sums_of
from chalicelib.services.checking.books import Books
from chalicelib.services.checking.report import Finding, Violation


def changes_are_settled(books: Books) -> Iterator[Finding]:
    """I2: a credit balance is what changes granted less what invoices took; I14: each change is its seconds' share."""
    edits: dict[str, list[SubscriptionEdit]] = defaultdict(list)
    for edit in books.all(SubscriptionEdit):
        edits[edit.subscription_id].append(edit)
        yield from _worked_out_again(books, edit)
    invoices: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in books.all(Invoice):
        if invoice.subscription_id is not None:
            invoices[invoice.subscription_id].append(invoice)
        if not 0 <= _credited(invoice) <= invoice.totals.total.minor:
            message = f"{_credited(invoice)} of {invoice.totals.total.minor} are credited"
            yield Violation("I2", invoice.id, message)
    for subscription in books.all(Subscription):
        yield from _settled(subscription, edits.get(subscription.id, ()), invoices.get(subscription.id, ()))


def _credited(invoice: Invoice) -> int:
    return 0 if invoice.amount_credited is None else invoice.amount_credited.minor


def _worked_out_again(books: Books, edit: SubscriptionEdit) -> Iterator[Finding]:
    subscription = books.find(Subscription, edit.subscription_id)
    if subscription is None:
        yield Violation("I8", edit.id, f"there is no {edit.subscription_id}")
        return
    if not 0 <= edit.seconds <= edit.whole or edit.granted.minor < 0 or edit.forgone.minor < 0:
        yield Violation("I14", edit.id, f"{edit.seconds} of {edit.whole} seconds, {edit.granted.minor} granted")
        return
    currency, share = subscription.currency, Fraction(edit.seconds, edit.whole)
    net = _cost(edit.after, currency, edit.discount, share) - _cost(edit.before, currency, edit.discount, share)
    if net != edit.net.minor:
        yield Violation("I14", edit.id, f"its lines make {net}, it came to {edit.net.minor}")
    billed = None if edit.invoice_id is None else books.find(Invoice, edit.invoice_id)
    if edit.invoice_id is not None and (billed is None or billed.totals.total.minor < edit.net.minor):
        yield Violation("I2", edit.id, f"{edit.invoice_id} does not bill it")


def _cost(lines: Sequence[LineItem], currency: str, discount: Discount | None, share: Fraction) -> int:
    return sum(half_up(total * share) for total in sums_of(lines, currency, discount, ()).lines)


def _settled(
    subscription: Subscription, edits: Sequence[SubscriptionEdit], invoices: Sequence[Invoice]
) -> Iterator[Finding]:
    numbers = sorted(edit.number for edit in edits)
    if numbers != list(range(1, subscription.edits + 1)):
        yield Violation("I4", subscription.id, f"it counts {subscription.edits} changes, there are {numbers}")
        return
    granted = sum(edit.granted.minor for edit in edits)
    kept = 0 if subscription.credit_balance is None else subscription.credit_balance.minor
    left = granted - sum(_credited(invoice) for invoice in invoices)
    if kept != left or left < 0:
        yield Violation("I2", subscription.id, f"its changes and invoices leave a credit of {left}, it has {kept}")
    gone = granted + sum(edit.forgone.minor for edit in edits)
    billed = [line for invoice in invoices for line in invoice.lines if line.adjustment]
    placed = sum(line.amount.minor for line in (*billed, *subscription.adjustments)) - gone
    came_to = sum(edit.net.minor for edit in edits)
    if placed != came_to:
        yield Violation("I2", subscription.id, f"its changes came to {came_to}, {placed} went onto invoices and credit")
