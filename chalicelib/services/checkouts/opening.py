"""Opening a link: one round trip for everything its page shows; the view writes nothing and makes no intent."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from chalicelib.domain.billing.agreement import Plan, plan
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import CustomerByEmail, customer_by_email_id
from chalicelib.domain.documents.limits import AddressTries, address_tries_id
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.errors import NotFound

if TYPE_CHECKING:
    from chalicelib.services.ports import Ports


class Closed(StrEnum):
    """Why a link does not sell."""

    OFF = "off"
    NOT_READY = "not_ready"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class LinkPage:
    """A link, its merchant, and the checkout of the buyer's cookie where that has begun. `closed` tells why not.

    `paid_before` is what the same browser paid here last, `tries` the count of the address that asks, `known_as` the
    merchant's customer of an e-mail address: each only where it was asked for and exists.
    """

    link: PaymentLink
    merchant: Merchant
    checkout: Checkout | None
    closed: Closed | None
    paid_before: Checkout | None = None
    tries: AddressTries | None = None
    known_as: CustomerByEmail | None = None

    def plan_at(self, now: datetime) -> Plan:
        """What the buyer would agree to now."""
        return plan(
            self.link.lines,
            currency=self.link.currency,
            agreed_at=now,
            zone=self.merchant.timezone,
            discount=self.link.discount,
            fees=self.link.fees,
        )


def open_link(
    ports: Ports,
    merchant_slug: str,
    link_id: str,
    link_secret: str,
    checkout_id: str | None,
    *,
    paid_id: str | None = None,
    source: str | None = None,
    email: str | None = None,
) -> LinkPage:
    """Everything a link's page needs, in one call to the database.

    `paid_id` is an earlier checkout of the same browser, `source` who asks, where tries are counted, `email` as whom
    they pay. The secret is compared in constant time. Raises NotFound for a link that is not this merchant's.
    """
    merchant_id = f"mer_{merchant_slug}"
    tries_id = None if source is None else address_tries_id(merchant_id, source)
    wanted: list[tuple[type[object], str | None]] = [
        (PaymentLink, link_id),
        (Merchant, merchant_id),
        (Checkout, checkout_id),
        (Checkout, paid_id),
        (AddressTries, tries_id),
        (CustomerByEmail, None if email is None else customer_by_email_id(merchant_id, email)),
    ]
    asked = [(kind, record_id) for kind, record_id in wanted if record_id is not None]
    found = dict(zip((record_id for _, record_id in asked), ports.records.find_many(asked), strict=True))
    link, merchant, checkout, paid_before, tries, known_as = (found.get(record_id or "") for _, record_id in wanted)
    if link is None or merchant is None or link.merchant_id != merchant.id:
        raise NotFound("payment link")
    if not hmac.compare_digest(link.secret.encode(), link_secret.encode()):
        raise NotFound("payment link")
    closed = None
    if not link.active:
        closed = Closed.OFF
    elif not merchant.can_transact:
        closed = Closed.NOT_READY
    elif link.is_paused(ports.clock.now()):
        closed = Closed.PAUSED
    return LinkPage(link, merchant, _of(merchant, checkout), closed, _of(merchant, paid_before), tries, known_as)


def _of(merchant: Merchant, checkout: Checkout | None) -> Checkout | None:
    return checkout if checkout is not None and checkout.merchant_id == merchant.id else None
