"""Opening a link: one round trip for everything its page shows; the view writes nothing and makes no intent."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.billing.agreement import Plan, plan
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.errors import NotFound
from chalicelib.services.ports import Ports


class Closed(StrEnum):
    """Why a link does not sell."""

    OFF = "off"
    NOT_READY = "not_ready"


@dataclass(frozen=True, slots=True)
class LinkPage:
    """A link, its merchant, and the checkout of the buyer's cookie where that has begun. `closed` tells why not."""

    link: PaymentLink
    merchant: Merchant
    checkout: Checkout | None
    closed: Closed | None

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


def open_link(ports: Ports, merchant_slug: str, link_id: str, link_secret: str, checkout_id: str | None) -> LinkPage:
    """Everything a link's page needs, in one call to the database.

    The secret is compared in constant time. Raises NotFound for a link that is not this merchant's.
    """
    wanted: list[tuple[type[object], str]] = [(PaymentLink, link_id), (Merchant, f"mer_{merchant_slug}")]
    if checkout_id is not None:
        wanted.append((Checkout, checkout_id))
    link, merchant, *rest = ports.records.find_many(wanted)
    if link is None or merchant is None or link.merchant_id != merchant.id:
        raise NotFound("payment link")
    if not hmac.compare_digest(link.secret.encode(), link_secret.encode()):
        raise NotFound("payment link")
    checkout = rest[0] if rest else None
    if checkout is not None and checkout.merchant_id != merchant.id:
        checkout = None
    closed = None
    if not link.active:
        closed = Closed.OFF
    elif not merchant.can_transact:
        closed = Closed.NOT_READY
    return LinkPage(link, merchant, checkout, closed)
