"""Invoices held after an outage and let go by a person: charged one a day for each subscription, oldest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from chalicelib.domain.documents.invoices import CollectionBlock, Invoice
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import NotFound
from chalicelib.domain.machines import InvoiceStatus
from chalicelib.services.billing.issuing import CHARGES_APART
from chalicelib.services.billing.making import collection_timer
from chalicelib.services.facts import happened
from chalicelib.services.ports import Index, Ports, SetTimer, Update, Write
from chalicelib.services.saving import commit, until_won

MOST_RELEASED: Final = 1_000
"""Held invoices that one call releases: about four seconds of transactions. A subscription's are never divided."""
TOGETHER: Final = 40
"""Invoices in one transaction, with two writes each."""
PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Released:
    """How many invoices were released, and whether there are more than one call releases."""

    count: int
    more: bool


def release_held(ports: Ports, merchant_id: str, subscription_id: str | None, *, actor: str) -> Released:
    """Set the charge timers of held invoices: of one subscription, or of all that the merchant has.

    Doing it again releases what is held then, and nothing twice. What a subscription that was cancelled still owes
    stays held. Raises NotFound, StoreUnavailable.
    """
    if subscription_id is not None:
        subscription = ports.records.find(Subscription, subscription_id)
        if subscription is None or subscription.merchant_id != merchant_id:
            raise NotFound("subscription")
    by_subscription: defaultdict[str, list[str]] = defaultdict(list)
    for invoice in _candidates(ports, merchant_id, subscription_id):
        if _is_held(invoice) and invoice.subscription_id is not None:
            by_subscription[invoice.subscription_id].append(invoice.id)
    count = looked_at = 0
    for owner_id, ids in sorted(by_subscription.items()):
        if looked_at and looked_at + len(ids) > MOST_RELEASED:
            return Released(count, more=True)
        looked_at += len(ids)
        oldest_first = sorted(ids)
        for start in range(0, len(ids), TOGETHER):
            count += _release(ports, owner_id, oldest_first[start : start + TOGETHER], actor)
    return Released(count, more=False)


def _candidates(ports: Ports, merchant_id: str, subscription_id: str | None) -> Iterator[Invoice]:
    index, owner = (Index.BY_HELD, merchant_id) if subscription_id is None else (Index.BY_SUBSCRIPTION, subscription_id)
    before: str | None = None
    while True:
        page = ports.records.newest(Invoice, index, owner, limit=PAGE, before_id=before)
        yield from page.records
        if not page.has_more:
            return
        before = page.last_id


def _is_held(invoice: Invoice) -> bool:
    return invoice.status is InvoiceStatus.OPEN and invoice.collection_blocked is CollectionBlock.HELD


def _release(ports: Ports, subscription_id: str, ids: Sequence[str], actor: str) -> int:
    """Release some of a subscription's invoices, oldest first, in one transaction; how many still had to be."""

    def attempt() -> int:
        now = ports.clock.now()
        subscription, *invoices = ports.records.find_many(
            [(Subscription, subscription_id), *((Invoice, each) for each in ids)]
        )
        held = [each for each in invoices if each is not None and _is_held(each)]
        if subscription is None or subscription.has_ended or not held:
            return 0
        writes: list[Write] = []
        charge_at = max(now, subscription.charge_not_before or now)
        for invoice in held:
            writes += _due(invoice, charge_at)
            charge_at += CHARGES_APART
        after = replace(subscription, charge_not_before=charge_at)
        released = {"held_invoices": [invoice.id for invoice in held]}
        told = happened(ports.ids, "subscription.updated", after, now=now, actor=actor, previous=released)
        commit(ports, [Update(after), told, *writes])
        return len(held)

    return until_won(ports, attempt)


def _due(invoice: Invoice, charge_at: datetime) -> list[Write]:
    due = replace(invoice, charge_at=charge_at, collection_blocked=None)
    return [Update(due), SetTimer(collection_timer(due, charge_at))]
