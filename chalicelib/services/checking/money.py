"""I14, I1 and I2: totals are what the lines make, no more is asked for than is owed, and paid is what payments say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.links import LinkUses, link_uses_id
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import TillError
from chalicelib.domain.machines import CheckoutStatus, InvoiceStatus, PartState
from chalicelib.domain.totals import Totals, compute_totals
from chalicelib.services.checking.arithmetic import STEPS, sums_of
from chalicelib.services.checking.books import Books, Payable, booked
from chalicelib.services.checking.report import Finding, Violation


def totals_are_right(books: Books) -> Iterator[Finding]:
    """I14: every document's totals add up, and an invoice's are what its lines make, computed a second way."""
    for owner in books.payables():
        wrong = _does_not_add_up(owner.totals)
        if not wrong and isinstance(owner, Invoice):
            wrong = _is_not_what_lines_make(owner)
        if wrong:
            yield Violation("I14", owner.id, wrong)


def _does_not_add_up(totals: Totals) -> str:
    currencies = {
        amount.currency
        for amount in (totals.subtotal, totals.discount, totals.fees, totals.tax, totals.rounding, totals.total)
    }
    if len(currencies) != 1:
        return f"its totals are in {', '.join(sorted(currencies))}"
    exclusive = sum(line.amount.minor for line in totals.tax_lines if not line.inclusive)
    made = totals.subtotal.minor - totals.discount.minor + totals.fees.minor + exclusive + totals.rounding.minor
    if made != totals.total.minor:
        return f"its sums make {made}, its total is {totals.total.minor}"
    parts = sum(line.total.minor for line in totals.lines) + totals.rounding.minor
    parts += sum(fee.amount.minor for fee in totals.fee_lines if not fee.spread)
    if parts != totals.total.minor:
        return f"its lines make {parts}, its total is {totals.total.minor}"
    if totals.total.minor % STEPS.get(totals.currency, 1):
        return f"{totals.total.minor} is no amount that can be charged in {totals.currency}"
    return ""


def _is_not_what_lines_make(invoice: Invoice) -> str:
    if {line.currency for line in invoice.lines} - {invoice.currency}:
        return f"its lines are not all in {invoice.currency}"
    try:
        again = compute_totals(invoice.lines, currency=invoice.currency, discount=invoice.discount, fees=invoice.fees)
    except TillError as refused:
        return f"its lines make no totals: {refused.message}"
    sums = sums_of(invoice.lines, invoice.currency, invoice.discount, invoice.fees)
    totals = invoice.totals
    for name in ("subtotal", "discount", "fees", "tax", "exclusive_tax", "rounding", "total"):
        stored, counted = getattr(totals, name).minor, getattr(sums, name)
        if stored != counted:
            return f"its lines make {counted} as {name}, stored is {stored}"
    if tuple(line.total.minor for line in totals.lines) != sums.lines:
        return "the totals of its lines are not what they make"
    return "" if again == totals else "its totals are not what the one function makes of its lines"


def no_more_is_held_than_owed(books: Books) -> Iterator[Finding]:
    """I1: held, processing and paid parts are never above the total, and a part is paid by one intent."""
    for owner in books.payables():
        live = [part.amount.minor for part in owner.parts if part.state is not PartState.RELEASED]
        if sum(live) > _to_pay(owner):
            yield Violation("I1", owner.id, f"its parts make {sum(live)}, its total is {_to_pay(owner)}")
        numbers = [part.number for part in owner.parts]
        if numbers != list(range(1, len(numbers) + 1)):
            yield Violation("I1", owner.id, f"its parts are numbered {numbers}")
    for invoice in books.all(Invoice):
        owners = [books.owner_of(payment.intent_id) for payment in booked(books.payments_of.get(invoice.id, ()))]
        by_part = Counter(whose.part_number for whose in owners if whose is not None)
        for number, count in by_part.items():
            if count > 1:
                yield Violation("I1", invoice.id, f"part {number} was paid {count} times")


def paid_is_what_payments_say(books: Books) -> Iterator[Finding]:
    """I2: an invoice's amount paid is its payments less their refunds; counts of payments are counts of payments."""
    for invoice in books.all(Invoice):
        yield from _paid(books, invoice)
    intents = Counter(payment.intent_id for payment in books.all(Payment))
    for payment in books.all(Payment):
        if intents[payment.intent_id] > 1:
            yield Violation("I2", payment.id, f"{payment.intent_id} has {intents[payment.intent_id]} payments")
        if (payment in booked([payment])) != (payment.booked_at is not None):
            yield Violation("I2", payment.id, f"it is {payment.status}, booked at {payment.booked_at}")
        if payment.refunded is not None and not 0 <= payment.refunded.minor <= payment.amount.minor:
            yield Violation("I2", payment.id, f"{payment.refunded.minor} of {payment.amount.minor} are refunded")
    for subscription in books.all(Subscription):
        paid = {
            each.period.index
            for each in books.billed_of.get(subscription.id, ())
            if each.invoice.status is InvoiceStatus.PAID
        }
        if subscription.payments_made != len(paid):
            message = f"it counts {subscription.payments_made} payments, {len(paid)} of its periods are paid"
            yield Violation("I2", subscription.id, message)
    yield from _counts_of_links(books)


def _paid(books: Books, invoice: Invoice) -> Iterator[Finding]:
    payments = booked(books.payments_of.get(invoice.id, ()))
    odd = {payment.amount.currency for payment in payments} - {invoice.currency}
    if odd:
        yield Violation("I2", invoice.id, f"it was paid in {', '.join(sorted(odd))}")
        return
    kept = sum(payment.amount.minor - (payment.refunded.minor if payment.refunded else 0) for payment in payments)
    if kept != invoice.paid.minor:
        yield Violation("I2", invoice.id, f"its payments make {kept}, its amount paid is {invoice.paid.minor}")
    gross = sum(payment.amount.minor for payment in payments)
    parts = sum(part.amount.minor for part in invoice.parts if part.state is PartState.PAID)
    if gross != parts:
        yield Violation("I2", invoice.id, f"payments of {gross} arrived, parts of {parts} are paid")
    covered = gross >= _to_pay(invoice)
    if invoice.status in (InvoiceStatus.OPEN, InvoiceStatus.PAID) and covered != (invoice.status is InvoiceStatus.PAID):
        yield Violation("I2", invoice.id, f"it is {invoice.status}, {gross} of {_to_pay(invoice)} arrived")


def _counts_of_links(books: Books) -> Iterator[Finding]:
    completed = Counter(
        link_uses_id(checkout.payment_link_id)
        for checkout in books.all(Checkout)
        if checkout.status is CheckoutStatus.COMPLETED
    )
    counts = {uses.id: uses.completed for uses in books.all(LinkUses)}
    for uses_id in sorted(completed.keys() | counts.keys()):
        if counts.get(uses_id, 0) != completed[uses_id]:
            message = f"it counts {counts.get(uses_id, 0)} payments, {completed[uses_id]} checkouts are completed"
            yield Violation("I2", uses_id, message)


def amounts_asked_for_are_owed(books: Books) -> Iterator[Finding]:
    """I13: what a document's one part asks for is its total less what is credited; it comes from nowhere else."""
    for owner in books.payables():
        owed = replace(owner.totals.total, minor=_to_pay(owner))
        if len(owner.parts) == 1 and owner.parts[0].amount != owed:
            yield Violation("I13", owner.id, _asked(owner))


def _to_pay(owner: Payable) -> int:
    """What payments have to come to: the total, less what a credit balance took over."""
    credited = owner.amount_credited if isinstance(owner, Invoice) else None
    return owner.totals.total.minor - (0 if credited is None else credited.minor)


def _asked(owner: Payable) -> str:
    amount = owner.parts[0].amount
    return f"its part asks for {amount.minor} {amount.currency}, its total is {_to_pay(owner)}"
