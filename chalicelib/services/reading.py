"""Reading for the API: one record or a page of them, and always only the asking merchant's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

from chalicelib.domain.documents.catalogue import Price, Product, TaxRate
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.merchants import IssuedKey
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import NotFound
from chalicelib.services.ports import Index, Page, Ports, Record

R = TypeVar("R", bound=Record)

_WORDS: Final[Mapping[type[Any], str]] = MappingProxyType(
    {
        Checkout: "checkout",
        Customer: "customer",
        Invoice: "invoice",
        IssuedKey: "API key",
        Payment: "payment",
        PaymentLink: "payment link",
        Price: "price",
        Product: "product",
        Refund: "refund",
        Subscription: "subscription",
        TaxRate: "tax rate",
    }
)

_OWNERS: Final[Mapping[str, tuple[type[Any], Index]]] = MappingProxyType(
    {
        "customer": (Customer, Index.BY_CUSTOMER),
        "subscription": (Subscription, Index.BY_SUBSCRIPTION),
        "invoice": (Invoice, Index.BY_INVOICE),
        "payment_link": (PaymentLink, Index.BY_PAYMENT_LINK),
        "product": (Product, Index.BY_PRODUCT),
        # Found among those of its invoice, which has few payments.
        "payment": (Payment, Index.BY_INVOICE),
    }
)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a list. `owner` narrows it to one record's, as (`customer`, id); `status` narrows what was read.

    So a page may hold fewer than `limit` records, even none, and still have more behind it.
    """

    limit: int
    before_id: str | None = None
    owner: tuple[str, str] | None = None
    status: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def read(ports: Ports, merchant_id: str, kind: type[R], record_id: str) -> R:
    """The merchant's record. Raises NotFound for an unknown id and, in the same words, for another merchant's."""
    record = ports.records.find(kind, record_id)
    if record is None or record.merchant_id != merchant_id:
        raise NotFound(_WORDS[kind])
    return record


def page(ports: Ports, merchant_id: str, kind: type[R], wanted: PageRequest) -> Page[R]:
    """A page of the merchant's records of a kind, newest first. Raises NotFound for an owner that is not its own."""
    index, owner_id = Index.BY_MERCHANT, merchant_id
    owner: Record | None = None
    if wanted.owner is not None:
        owner_kind, index = _OWNERS[wanted.owner[0]]
        owner = read(ports, merchant_id, owner_kind, wanted.owner[1])
        owner_id = owner.invoice_id if isinstance(owner, Payment) else owner.id
    found: Page[Any] = ports.records.newest(
        kind,
        index,
        owner_id,
        limit=wanted.limit,
        before_id=wanted.before_id,
        created_after=wanted.created_after,
        created_before=wanted.created_before,
    )
    if kind is Invoice and isinstance(owner, Subscription) and not found.has_more:
        found = _with_shared_invoice(ports, found, owner, wanted)
    kept = tuple(record for record in found.records if record.merchant_id == merchant_id and _is_wanted(record, wanted))
    return Page(kept, found.has_more, found.last_id)


def _with_shared_invoice(
    ports: Ports, found: Page[Invoice], subscription: Subscription, wanted: PageRequest
) -> Page[Invoice]:
    """The last page of a subscription's invoices, with the one that it shares with others of its checkout.

    That one bills several, and a row stands under one owner of a kind in an index: it is found by the checkout. It is
    the oldest, since all of them began with it.
    """
    checkout = None if subscription.checkout_id is None else ports.records.find(Checkout, subscription.checkout_id)
    first = None if checkout is None else ports.records.find(Invoice, checkout.invoice_id)
    if first is None or {line.subscription_id for line in first.line_periods} <= {subscription.id}:
        return found
    begins, ends = wanted.created_after, wanted.created_before
    outside = (begins is not None and first.created_at <= begins) or (ends is not None and first.created_at >= ends)
    shown_before = wanted.before_id is not None and first.id >= wanted.before_id
    if outside or shown_before:
        return found
    if len(found.records) < wanted.limit:
        return Page((*found.records, first), has_more=False, last_id=None)
    return Page(found.records, has_more=True, last_id=found.records[-1].id)


def _is_wanted(record: Record, wanted: PageRequest) -> bool:
    of_payment = wanted.owner[1] if wanted.owner is not None and wanted.owner[0] == "payment" else None
    same = of_payment in (None, getattr(record, "payment_id", None))
    return same and wanted.status in (None, getattr(record, "status", None))


def events(
    ports: Ports, merchant_id: str, *, limit: int, before_id: str | None = None
) -> tuple[tuple[Event, ...], bool]:
    """A page of the merchant's events, newest first, and whether there are more."""
    return ports.records.events(merchant_id, limit=limit, before_id=before_id)
