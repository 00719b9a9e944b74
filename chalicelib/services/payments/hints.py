"""What an intent's metadata say beside whose it is: ids that let all that its news needs be read in one go.

A hint saves a read and decides nothing. What it leads to is used where Till's own records ask for just that record, and
is read anew for a transaction that did not get through. An intent without hints costs more reads, no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.links import LinkUses, link_uses_id
from chalicelib.domain.documents.merchants import INVOICE_SERIES, NumberSeries, series_id
from chalicelib.domain.documents.parts import Part
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.ids import derived_id
from chalicelib.services.reading_ahead import Wanted

MERCHANT: Final = "till_merchant"
INVOICE: Final = "till_invoice"
CHECKOUT: Final = "till_checkout"
PART: Final = "till_part"
"""By these four an intent is found again whose id was never saved."""
LINK: Final = "till_link"
CUSTOMER: Final = "till_customer"
SUBSCRIPTION: Final = "till_subscription"
PAYMENT: Final = "till_payment"
"""These four are hints. All of it are ids, never what identifies a person, and far below Stripe's 50 keys of 500
characters (docs.stripe.com/api/metadata)."""


def invoice_id_of(owner: Checkout | Invoice) -> str:
    """The invoice that the money is for; a checkout's has no record until it is booked."""
    return owner.invoice_id if isinstance(owner, Checkout) else owner.id


def payment_of(owner: Checkout | Invoice, part: Part, now: datetime) -> tuple[str, datetime]:
    """The id that the payment of a part's intent will have, and when it began: with the part's first try.

    Derived, so that a create that is sent again says the same, and the id is known before the intent is. The scheduler
    makes the intent before it writes its try down: there it began when the charge was due.
    """
    due = owner.charge_at if isinstance(owner, Invoice) else None
    began = part.attempts[0].at if part.attempts else due or now
    return derived_id("pay", began, f"payment#{invoice_id_of(owner)}#{part.number}#{part.generation}"), began


def hints_of(owner: Checkout | Invoice, part: Part, now: datetime, customer_id: str | None) -> dict[str, str]:
    """The hints for a new intent; `customer_id` is the merchant's customer of a checkout's address, where known."""
    payment_id, _ = payment_of(owner, part, now)
    found = {PAYMENT: payment_id}
    if isinstance(owner, Checkout):
        found[LINK] = owner.payment_link_id
        who = customer_id
    else:
        who = owner.customer_id
        if owner.subscription_id is not None:
            found[SUBSCRIPTION] = owner.subscription_id
    if who is not None:
        found[CUSTOMER] = who
    return found


def hinted(metadata: Mapping[str, Any], name: str, prefix: str) -> str | None:
    """The id under a name, where it is one of its kind."""
    found = metadata.get(name)
    return found if isinstance(found, str) and found.startswith(prefix) else None


def owner_in(metadata: Mapping[str, Any]) -> list[Wanted]:
    """The checkout or the invoice that the intent pays."""
    return _known((Checkout, hinted(metadata, CHECKOUT, "chk_"))) or _known(
        (Invoice, hinted(metadata, INVOICE, "inv_"))
    )


def needed_to_book(metadata: Mapping[str, Any]) -> list[Wanted]:
    """What else a booking reads, for a checkout and for an invoice."""
    merchant_id, link_id = hinted(metadata, MERCHANT, "mer_"), hinted(metadata, LINK, "plink_")
    return _known(
        (Customer, hinted(metadata, CUSTOMER, "cus_")),
        (Subscription, hinted(metadata, SUBSCRIPTION, "sub_")),
        (LinkUses, link_id and link_uses_id(link_id)),
        (NumberSeries, link_id and merchant_id and series_id(merchant_id, INVOICE_SERIES)),
    )


def payment_in(metadata: Mapping[str, Any]) -> list[Wanted]:
    """The payment that a charge is booked as."""
    return _known((Payment, hinted(metadata, PAYMENT, "pay_")))


def _known(*wanted: tuple[type[Any], str | None]) -> list[Wanted]:
    return [(kind, record_id) for kind, record_id in wanted if record_id]
