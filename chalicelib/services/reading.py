"""Reading for the API: one record or a page of them, and always only the asking merchant's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

MOST_PAYMENTS: Final = 100
"""Of one invoice that are looked at; a checkout is paid in one."""


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
    if kind in (Invoice, Payment) and isinstance(owner, Subscription) and not found.has_more:
        found = _with_shared(ports, found, kind, owner, wanted)
    kept = tuple(record for record in found.records if record.merchant_id == merchant_id and _is_wanted(record, wanted))
    return Page(kept, found.has_more, found.last_id)


def _with_shared(
    ports: Ports, found: Page[Any], kind: type[Any], subscription: Subscription, wanted: PageRequest
) -> Page[Any]:
    """The last page of a subscription's invoices or payments, with what it shares with others of its checkout.

    A checkout's one invoice bills several subscriptions, or one-time lines beside one, and a row stands under one owner
    of a kind in an index: so it is found by the checkout. It is the oldest, since all of them began with it.
    """
    checkout = None if subscription.checkout_id is None else ports.records.find(Checkout, subscription.checkout_id)
    first = None if checkout is None else ports.records.find(Invoice, checkout.invoice_id)
    # A start that lies ahead is on no invoice of its checkout.
    if first is None or subscription.id not in {line.subscription_id for line in first.line_periods}:
        return found
    shared: Sequence[Record] = (first,)
    if kind is Payment:
        shared = ports.records.newest(Payment, Index.BY_INVOICE, first.id, limit=MOST_PAYMENTS).records
    begins, ends = wanted.created_after, wanted.created_before
    listed = {record.id for record in found.records}
    more = [
        record
        for record in shared
        if record.id not in listed
        and (wanted.before_id is None or record.id < wanted.before_id)
        and (begins is None or record.created_at > begins)
        and (ends is None or record.created_at < ends)
    ]
    records = (*found.records, *more)
    if len(records) <= wanted.limit:
        return Page(records, has_more=False, last_id=None)
    return Page(records[: wanted.limit], has_more=True, last_id=records[wanted.limit - 1].id)


def _is_wanted(record: Record, wanted: PageRequest) -> bool:
    of_payment = wanted.owner[1] if wanted.owner is not None and wanted.owner[0] == "payment" else None
    same = of_payment in (None, getattr(record, "payment_id", None))
    return same and wanted.status in (None, getattr(record, "status", None))


def events(
    ports: Ports, merchant_id: str, *, limit: int, before_id: str | None = None
) -> tuple[tuple[Event, ...], bool]:
    """A page of the merchant's events, newest first, and whether there are more."""
    return ports.records.events(merchant_id, limit=limit, before_id=before_id)
