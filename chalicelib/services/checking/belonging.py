"""I20 and I8: what belongs together is of one merchant, and nothing is there without what it came from."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.domain.documents.catalogue import Price, Product
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import Customer, CustomerByEmail
from chalicelib.domain.documents.edits import SubscriptionEdit
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.mails import Mail
from chalicelib.domain.documents.merchants import AccountOwner, Merchant, account_owner_id
from chalicelib.domain.documents.payments import IntentOwner, Payment, intent_owner_id
from chalicelib.domain.documents.portal import MethodChange, PortalSession
from chalicelib.domain.documents.refunds import Refund, RefundOwner
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import CheckoutStatus
from chalicelib.services.checking.books import Books, periods_on
from chalicelib.services.checking.report import Finding, Violation
from chalicelib.services.ports import Record


def merchants_never_meet(books: Books) -> Iterator[Finding]:
    """I20: every record is a merchant's that exists, and refers to that merchant's records alone."""
    for record in books.by_id.values():
        if books.find(Merchant, record.merchant_id) is None:
            yield Violation("I20", record.id, f"it belongs to {record.merchant_id}, which there is not")
        for other_id in _references(record):
            other = books.by_id.get(other_id)
            if other is not None and other.merchant_id != record.merchant_id:
                message = f"it is {record.merchant_id}'s and refers to {other_id} of {other.merchant_id}"
                yield Violation("I20", record.id, message)
    for timer in books.timers:
        found = books.by_id.get(timer.record_id)
        if found is not None and found.merchant_id != timer.merchant_id:
            yield Violation("I20", timer.record_id, f"its timer {timer.kind} is of {timer.merchant_id}")
    for event in books.events:
        told = books.by_id.get(event.object_id)
        if told is not None and told.merchant_id != event.merchant_id:
            yield Violation("I20", event.id, f"it tells {event.merchant_id} of {event.object_id}")
    for merchant in books.all(Merchant):
        account = merchant.stripe_account
        owner = None if account is None else books.find(AccountOwner, account_owner_id(account))
        if account is not None and (owner is None or owner.merchant_id != merchant.id):
            yield Violation("I20", merchant.id, f"{account} is not known to be its account")


def _references(record: Record) -> set[str]:
    """The ids of the records that a record names, those that must exist and those that need not alike."""
    found: set[str | None] = set()
    match record:
        case Checkout():
            found = {record.payment_link_id, record.invoice_id, record.customer_id, *record.subscription_ids}
            found |= {intent_owner_id(part.intent_id) for part in record.parts if part.intent_id is not None}
        case Invoice():
            found = {record.customer_id, record.subscription_id, record.payment_link_id, record.checkout_id}
            found |= {subscription_id for subscription_id, _ in periods_on(record)}
            found |= {intent_owner_id(part.intent_id) for part in record.parts if part.intent_id is not None}
        case Subscription():
            found = {record.customer_id, record.payment_link_id, record.checkout_id, *record.past_due_invoices}
            found |= set(record.adjustment_invoices)
        case SubscriptionEdit():
            found = {record.subscription_id, record.invoice_id}
        case Payment():
            found = {record.invoice_id, record.customer_id, record.subscription_id, record.payment_link_id}
            found.add(intent_owner_id(record.intent_id))
        case IntentOwner():
            found = {record.owner_id, record.payment_id}
        case Refund():
            found = {record.payment_id, record.invoice_id, record.customer_id, intent_owner_id(record.intent_id)}
        case RefundOwner():
            found = {record.refund_id, record.payment_id}
        case CustomerByEmail():
            found = {record.customer_id}
        case MethodChange():
            found = {record.customer_id, record.subscription_id, *record.invoice_ids}
            found |= {intent_owner_id(record.part.intent_id)} if record.part.intent_id is not None else set()
        case PortalSession():
            found = {record.customer_id}
        case Mail():
            found = {record.about_id}
        case Price():
            found = {record.product_id}
        case Product():
            found = {record.tax_rate_id}
    if isinstance(record, PaymentLink | Checkout | Invoice | Subscription):
        for line in record.lines:
            found |= {line.price_id, line.product_id, None if line.tax is None else line.tax.rate_id}
    return {each for each in found if each is not None}


def effects_have_their_cause(books: Books) -> Iterator[Finding]:
    """I8: payments have an invoice and an owner of their intent, invoices a customer, subscriptions their checkout."""
    for payment in books.all(Payment):
        whose = books.owner_of(payment.intent_id)
        if whose is None or whose.payment_id != payment.id:
            yield Violation("I8", payment.id, f"{payment.intent_id} was never saved as what it is paid with")
        if books.find(Invoice, payment.invoice_id) is None:
            yield Violation("I8", payment.id, f"there is no {payment.invoice_id}")
    for whose in books.all(IntentOwner):
        owner = books.payable(whose.owner_id) or books.find(MethodChange, whose.owner_id)
        if owner is None:
            yield Violation("I8", whose.id, f"there is no {whose.owner_id}")
    for owner in books.payables():
        for part in owner.parts:
            saved = None if part.intent_id is None else books.owner_of(part.intent_id)
            theirs = {owner.id, owner.checkout_id} if isinstance(owner, Invoice) else {owner.id}
            if part.intent_id is not None and (saved is None or saved.owner_id not in theirs):
                yield Violation("I8", owner.id, f"{part.intent_id} on its part {part.number} was never saved as its")
    for invoice in books.all(Invoice):
        if books.find(Customer, invoice.customer_id) is None:
            yield Violation("I8", invoice.id, f"there is no {invoice.customer_id}")
        yield from _came_from(books, invoice, invoice.checkout_id)
    for subscription in books.all(Subscription):
        if books.find(Customer, subscription.customer_id) is None:
            yield Violation("I8", subscription.id, f"there is no {subscription.customer_id}")
        yield from _came_from(books, subscription, subscription.checkout_id)
    for checkout in books.all(Checkout):
        if books.find(PaymentLink, checkout.payment_link_id) is None:
            yield Violation("I8", checkout.id, f"there is no {checkout.payment_link_id}")


def _came_from(books: Books, record: Record, checkout_id: str | None) -> Iterator[Finding]:
    if checkout_id is None:
        return
    checkout = books.find(Checkout, checkout_id)
    if checkout is None or checkout.status is not CheckoutStatus.COMPLETED:
        status = "not there" if checkout is None else str(checkout.status)
        yield Violation("I8", record.id, f"it came of {checkout_id}, which is {status}")
