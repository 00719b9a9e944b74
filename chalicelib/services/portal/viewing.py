"""What a customer sees of their own: subscriptions and invoices, each compared with whose it is before it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import InvoiceStatus
from chalicelib.services.portal.changing_method import MethodPage, own_subscription
from chalicelib.services.portal.owed import owed_invoices
from chalicelib.services.portal.signing_in import Visit
from chalicelib.services.ports import Index, Ports
from chalicelib.services.reading import PageRequest, page

MOST_SUBSCRIPTIONS: Final = 50
INVOICES_A_PAGE: Final = 20


@dataclass(frozen=True, slots=True)
class Overview:
    """The portal's first page. `needs` is the subscription that a new method is wanted for most, if one is.

    `older_than` continues the invoices, None on the last page.
    """

    subscriptions: tuple[Subscription, ...]
    invoices: tuple[Invoice, ...]
    older_than: str | None
    needs: MethodPage | None


def overview(ports: Ports, visit: Visit, older_than: str | None = None) -> Overview:
    """Everything of the visitor's: the newest subscriptions, and a page of issued invoices, newest first."""
    customer_id = visit.customer.id
    found = ports.records.newest(Subscription, Index.BY_CUSTOMER, customer_id, limit=MOST_SUBSCRIPTIONS)
    listed = ports.records.newest(Invoice, Index.BY_CUSTOMER, customer_id, limit=INVOICES_A_PAGE, before_id=older_than)
    subscriptions = tuple(each for each in found.records if _is_theirs(each, visit))
    invoices = tuple(each for each in listed.records if _is_theirs(each, visit) and each.number is not None)
    return Overview(
        subscriptions, invoices, listed.last_id if listed.has_more else None, _most_wanted(ports, visit, subscriptions)
    )


def one_subscription(
    ports: Ports, visit: Visit, subscription_id: str, older_than: str | None = None
) -> tuple[MethodPage, tuple[Invoice, ...], str | None]:
    """A subscription of the visitor's with what it owes, a page of its invoices, and where the next page begins.

    Raises NotFound for what is not theirs.
    """
    subscription = own_subscription(ports, visit, subscription_id)
    wanted = PageRequest(INVOICES_A_PAGE, before_id=older_than, owner=("subscription", subscription.id))
    listed = page(ports, visit.merchant.id, Invoice, wanted)
    invoices = tuple(each for each in listed.records if _is_theirs(each, visit) and each.number is not None)
    owed = owed_invoices(ports, subscription)
    shown = MethodPage(visit.merchant, visit.customer, subscription, owed)
    return shown, invoices, listed.last_id if listed.has_more else None


def _is_theirs(record: Subscription | Invoice, visit: Visit) -> bool:
    return record.merchant_id == visit.merchant.id and record.customer_id == visit.customer.id


def _most_wanted(ports: Ports, visit: Visit, subscriptions: tuple[Subscription, ...]) -> MethodPage | None:
    """The oldest subscription that is behind, with what it owes."""
    for subscription in reversed(subscriptions):
        if subscription.has_ended or not (subscription.past_due_invoices or subscription.collection_blocked):
            continue
        owed = owed_invoices(ports, subscription)
        if owed:
            return MethodPage(visit.merchant, visit.customer, subscription, owed)
    return None


def is_payable(invoice: Invoice, visit: Visit) -> bool:
    """Whether its buyer may pay it now on its page."""
    return invoice.status is InvoiceStatus.OPEN and bool(invoice.parts) and visit.merchant.can_transact
