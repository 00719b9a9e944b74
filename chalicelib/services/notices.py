"""Whose an event of Stripe's is, and what its effects are decided from: one round of reads.

Whose it is, Till's own records say; its metadata find an intent whose id was never saved, and hint at what to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import Customer, CustomerByEmail, customer_by_email_id
from chalicelib.domain.documents.intake import StripeEvent, stripe_event_id
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import AccountOwner, Merchant, account_owner_id
from chalicelib.domain.documents.payments import IntentOwner, intent_owner_id
from chalicelib.services.payments import hints
from chalicelib.services.payments.intents import save_intent
from chalicelib.services.ports import Ports
from chalicelib.services.reading_ahead import ReadAhead, Wanted
from chalicelib.services.saving import until_won

SUCCEEDED: Final = "payment_intent.succeeded"
INTENT_EVENTS: Final = frozenset({
    SUCCEEDED,
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.canceled",
})  # fmt: skip
CHARGE_EVENTS: Final = frozenset({"charge.updated"})
CHARGE_REFUNDED: Final = "charge.refunded"
REFUND_EVENTS: Final = frozenset({
    "refund.created",
    "refund.updated",
    "refund.failed",
    CHARGE_REFUNDED,
    "charge.refund.updated",
})  # fmt: skip
"""Several tell of one refund, and of some the charge alone does (docs.stripe.com/api/events/types)."""
SETUP_EVENTS: Final = frozenset({"setup_intent.succeeded", "setup_intent.setup_failed", "setup_intent.canceled"})
"""What becomes of a method that a buyer stores (docs.stripe.com/api/events/types)."""
ALLOWED: Final = INTENT_EVENTS | CHARGE_EVENTS | REFUND_EVENTS | SETUP_EVENTS


@dataclass(frozen=True, slots=True)
class Notice:
    """A verified event as it came in. `direct_merchant_id` is set when it came by a direct merchant's own path."""

    event_id: str
    type: str
    account: str | None
    livemode: bool
    object: Mapping[str, Any]
    direct_merchant_id: str | None = None


def intent_id_of(type_: str, data: Mapping[str, Any]) -> str | None:
    """The intent that an event of this type is about, if its object names one."""
    found = data.get("id") if type_ in INTENT_EVENTS | SETUP_EVENTS else data.get("payment_intent")
    return found if isinstance(found, str) else None


def _metadata(notice: Notice) -> Mapping[str, Any]:
    found = notice.object.get("metadata")
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one round of reads says of an event: whose it is, its row, and what its effects are decided from."""

    merchant: Merchant | None
    whose: IntentOwner | None
    row: StripeEvent | None
    ahead: ReadAhead


def read_for(ports: Ports, notice: Notice) -> Reading:
    """Whose an event is, by Till's own records. Saves the id of an intent of ours that was never saved."""
    metadata = _metadata(notice)
    intent_id = intent_id_of(notice.type, notice.object) or ""
    first: list[Wanted] = [
        (AccountOwner, account_owner_id(notice.account or "")),
        (IntentOwner, intent_owner_id(intent_id)),
        (StripeEvent, stripe_event_id(notice.event_id)),
        (Merchant, hints.hinted(metadata, hints.MERCHANT, "mer_") or "mer_"),
    ]
    hinted = _hinted(notice.type, metadata)
    account, whose, row, merchant, *rest = ports.records.find_many([*first, *hinted])
    ahead = ReadAhead(ports.records, dict(zip(hinted, rest, strict=True)))
    merchant_id = notice.direct_merchant_id or (None if account is None else account.merchant_id)
    if merchant_id is None or not intent_id:
        return Reading(None, None, row, ahead)
    if merchant is None or merchant.id != merchant_id:
        merchant = ports.records.find(Merchant, merchant_id)
    if merchant is None or merchant.stripe_account != notice.account:
        return Reading(None, None, row, ahead)
    if whose is None:
        whose = _never_saved(ports, merchant, intent_id, metadata)
        ahead = ReadAhead(ports.records, {})
    elif whose.merchant_id != merchant.id:
        whose = None
    else:
        _know_who_books(ahead, merchant, whose, metadata)
    return Reading(merchant, whose, row, ahead)


def _hinted(type_: str, metadata: Mapping[str, Any]) -> list[Wanted]:
    """What the effects of an event will ask for, as far as its metadata tell."""
    if type_ == SUCCEEDED:
        return [*hints.owner_in(metadata), *hints.needed_to_book(metadata)]
    return hints.owner_in(metadata) if type_ in INTENT_EVENTS else hints.payment_in(metadata)


def _know_who_books(ahead: ReadAhead, merchant: Merchant, whose: IntentOwner, metadata: Mapping[str, Any]) -> None:
    """Add what was read first to what a booking asks for, and what both say of the buyer's customer.

    A customer who has an address is the one that the address leads to. Where no customer was known when the intent was
    made there is still none, or the booking fails on its row of the address and reads anew.
    """
    ahead.know(Merchant, merchant.id, merchant)
    ahead.know(IntentOwner, whose.id, whose)
    if hints.hinted(metadata, hints.LINK, "plink_") is None or not ahead.has(Checkout, whose.owner_id):
        return
    checkout = ahead.get(Checkout, whose.owner_id)
    address = customer_by_email_id(merchant.id, checkout.email)
    customer_id = hints.hinted(metadata, hints.CUSTOMER, "cus_")
    if customer_id is None:
        ahead.know(CustomerByEmail, address, None)
        return
    customer = ahead.find(Customer, customer_id)
    if customer is not None and customer_by_email_id(customer.merchant_id, customer.email) == address:
        by_email = CustomerByEmail(address, merchant.id, customer.id, customer.created_at)
        ahead.know(CustomerByEmail, address, by_email)


def _never_saved(ports: Ports, merchant: Merchant, intent_id: str, metadata: Mapping[str, Any]) -> IntentOwner | None:
    """Save the id of an intent that was made by a run which died before it could; metadata serves for this alone."""
    checkout_id, invoice_id = metadata.get("till_checkout"), metadata.get("till_invoice")

    def attempt() -> IntentOwner | None:
        owner: Checkout | Invoice | None = None
        if isinstance(checkout_id, str):
            owner = ports.records.find(Checkout, checkout_id)
        elif isinstance(invoice_id, str):
            owner = ports.records.find(Invoice, invoice_id)
        if owner is None or owner.merchant_id != merchant.id or not owner.parts:
            return None
        if owner.part.intent_id is None:
            if metadata.get("till_part") != f"{owner.part.number}.{owner.part.generation}":
                return None
            if isinstance(owner, Checkout):
                save_intent(ports, merchant, owner, intent_id, ports.clock.now())
            else:
                save_intent(ports, merchant, owner, intent_id, ports.clock.now())
        elif owner.part.intent_id != intent_id:
            return None
        # Another delivery of the same news may have been the one that saved it.
        return ports.records.get(IntentOwner, intent_owner_id(intent_id))

    return until_won(ports, attempt)
