"""An invoice and the records around it, in as few reads as can be: one where its timer says whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.payments import IntentOwner, intent_owner_id
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer
from chalicelib.domain.errors import NotFound
from chalicelib.services.ports import Ports


@dataclass(frozen=True, slots=True)
class Known:
    """As read, or as last written: whoever writes on it does so under the versions that stand here.

    `whose` tells whose the intent is that was asked for; None where nobody asked, or nobody saved it.
    """

    invoice: Invoice
    merchant: Merchant
    customer: Customer | None
    subscription: Subscription | None
    whose: IntentOwner | None = None


def read_for(ports: Ports, timer: Timer) -> Known | None:
    """What a charge timer is about; None where there is no such invoice. Raises NotFound, StoreUnavailable."""
    wanted: list[tuple[type[Any], str]] = [(Invoice, timer.record_id), (Merchant, timer.merchant_id)]
    if timer.subscription_id is not None:
        wanted.append((Subscription, timer.subscription_id))
    if timer.customer_id is not None:
        wanted.append((Customer, timer.customer_id))
    invoice, *others = ports.records.find_many(wanted)
    if invoice is None:
        return None
    return _completed(ports, invoice, None, {each.id: each for each in others if each is not None})


def read_around(ports: Ports, invoice: Invoice, *, intent_id: str | None = None, known: Known | None = None) -> Known:
    """What stands around an invoice; of what is known already, nothing is read again. Raises NotFound."""
    found = () if known is None else (known.merchant, known.customer, known.subscription, known.whose)
    return _completed(ports, invoice, intent_id, {each.id: each for each in found if each is not None})


def _completed(ports: Ports, invoice: Invoice, intent_id: str | None, found: Mapping[str, Any]) -> Known:
    # Only what the invoice itself names is taken, whatever came with a hint.
    wanted: dict[str, type[Any]] = {invoice.merchant_id: Merchant, invoice.customer_id: Customer}
    if invoice.subscription_id is not None:
        wanted[invoice.subscription_id] = Subscription
    if intent_id is not None:
        wanted[intent_owner_id(intent_id)] = IntentOwner
    missing = [(kind, each) for each, kind in wanted.items() if each not in found]
    if missing:
        read = ports.records.find_many(missing)
        found = {**found, **{each.id: each for each in read if each is not None}}
    merchant = found.get(invoice.merchant_id)
    if merchant is None:
        raise NotFound("merchant")
    return Known(
        invoice,
        merchant,
        found.get(invoice.customer_id),
        found.get(invoice.subscription_id or ""),
        None if intent_id is None else found.get(intent_owner_id(intent_id)),
    )
