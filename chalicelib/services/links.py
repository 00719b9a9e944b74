"""Payment links through the API: drafting them, switching them on and off, and what they will charge when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, TypedDict

from chalicelib.domain.billing.agreement import Plan, plan
from chalicelib.domain.billing.wallclock import local_date
from chalicelib.domain.documents.lines import Discount, LineItem
from chalicelib.domain.documents.links import AfterPayment, LinkUses, PaymentLink, link_uses_id
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.errors import InvalidValue
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.currency import is_currency
from chalicelib.domain.totals import Totals
from chalicelib.services.account import require_ready
from chalicelib.services.catalogue.lines import LineOrder, copied_lines
from chalicelib.services.facts import changed, describe, happened, instant
from chalicelib.services.ports import Insert, Ports, Update
from chalicelib.services.reading import read
from chalicelib.services.saving import commit, until_won, written

SHOWN_CHARGES: Final = 12
"""How many later charges a link's schedule lists."""


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link to be made. `active` None means: on as soon as it is made, if the merchant can take payments already."""

    name: str
    currency: str
    lines: Sequence[LineItem | LineOrder]
    discount: Discount | None = None
    after_payment: AfterPayment = field(default_factory=AfterPayment)
    metadata: Mapping[str, str] = field(default_factory=dict)
    active: bool | None = None


class LinkChanges(TypedDict, total=False):
    """What of a link to change; what is absent stays, None clears, lines are replaced whole."""

    name: str
    lines: Sequence[LineItem | LineOrder]
    discount: Discount | None
    after_payment: AfterPayment
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LaterCharge:
    """A charge to come if the link were paid now; `on` is the day in the merchant's zone."""

    on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class LinkOverview:
    """A link with what it did and would do: payments so far, the totals due today and the next charges after it."""

    link: PaymentLink
    completed_payments: int
    due_today: Totals
    schedule: tuple[LaterCharge, ...]


@describe.register
def _(record: PaymentLink) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": "payment_link",
        "name": record.name,
        "active": record.active,
        "paused_until": instant(record.paused_until),
        "currency": record.currency,
        "metadata": dict(record.metadata),
    }


def create_link(ports: Ports, merchant_id: str, new: NewLink, *, actor: str) -> PaymentLink:
    """A new link, its lines copied from the catalogue where they name a price.

    Raises InvalidValue for amounts nobody can charge and prices that cannot be sold, `not_ready_to_transact` when
    asked to be on.
    """
    merchant = ports.records.get(Merchant, merchant_id)
    if not is_currency(new.currency):
        raise InvalidValue("This is not a currency that can be charged.", "currency", "invalid_currency")
    now = ports.clock.now()
    link = PaymentLink(
        id=ports.ids.new("plink", now),
        merchant_id=merchant_id,
        secret=ports.ids.secret(),
        name=new.name,
        currency=new.currency,
        lines=copied_lines(ports, merchant_id, new.lines, currency=new.currency),
        created_at=now,
        active=merchant.can_transact if new.active is None else new.active,
        discount=new.discount,
        after_payment=new.after_payment,
        metadata=new.metadata,
    )
    _check_sellable(ports, merchant, link)
    if link.active:
        require_ready(merchant)
    commit(ports, [Insert(link), happened(ports.ids, "payment_link.created", link, now=now, actor=actor)])
    return written(link)


def update_link(ports: Ports, merchant_id: str, link_id: str, changes: LinkChanges, *, actor: str) -> PaymentLink:
    """The link with the changes; checkouts under way see them at their next submit. Raises NotFound, InvalidValue."""
    merchant = ports.records.get(Merchant, merchant_id)

    def attempt() -> PaymentLink:
        before = read(ports, merchant_id, PaymentLink, link_id)
        after = replace(before, **changes)  # type: ignore[arg-type] # lines as asked for are copied just below
        if "lines" in changes:
            copies = copied_lines(ports, merchant_id, changes["lines"], currency=before.currency)
            after = replace(after, lines=copies)
        if after == before:
            return before
        _check_sellable(ports, merchant, after)
        return _save(ports, before, after, actor)

    return until_won(ports, attempt)


def switch_link(ports: Ports, merchant_id: str, link_id: str, *, on: bool, actor: str) -> PaymentLink:
    """The link, on or off; nothing happens where it is so already. On ends a pause too: a person has looked.

    Raises NotFound, `not_ready_to_transact`.
    """

    def attempt() -> PaymentLink:
        before = read(ports, merchant_id, PaymentLink, link_id)
        after = replace(before, active=on, paused_until=None if on else before.paused_until)
        if after == before:
            return before
        if on:
            require_ready(ports.records.get(Merchant, merchant_id))
        return _save(ports, before, after, actor)

    return until_won(ports, attempt)


def overviews(ports: Ports, merchant_id: str, links: Sequence[PaymentLink]) -> list[LinkOverview]:
    """What the API shows of some links, all of this merchant's, at most 100."""
    merchant = ports.records.get(Merchant, merchant_id)
    uses = ports.records.find_many([(LinkUses, link_uses_id(link.id)) for link in links])
    return [
        _overview(merchant, link, 0 if used is None else used.completed, _plan(ports, merchant, link))
        for link, used in zip(links, uses, strict=True)
    ]


def _save(ports: Ports, before: PaymentLink, after: PaymentLink, actor: str) -> PaymentLink:
    told = changed(ports.ids, "payment_link.updated", before, after, now=ports.clock.now(), actor=actor)
    commit(ports, [Update(after), told])
    return written(after)


def _plan(ports: Ports, merchant: Merchant, link: PaymentLink) -> Plan:
    return plan(
        link.lines,
        currency=link.currency,
        agreed_at=ports.clock.now(),
        zone=merchant.timezone,
        discount=link.discount,
        fees=link.fees,
    )


def _check_sellable(ports: Ports, merchant: Merchant, link: PaymentLink) -> None:
    agreed = _plan(ports, merchant, link)
    if not agreed.due_today.total:
        raise InvalidValue(
            "A link must have something to pay on the day it is paid: these lines come to zero then.", "lines"
        )
    agreed.check_chargeable()


def _overview(merchant: Merchant, link: PaymentLink, completed: int, agreed: Plan) -> LinkOverview:
    charges = [charge for group in agreed.groups for charge in group.later_charges(SHOWN_CHARGES)]
    charges.sort(key=lambda charge: charge.at)
    schedule = tuple(
        LaterCharge(local_date(charge.at, merchant.timezone), charge.totals.total) for charge in charges[:SHOWN_CHARGES]
    )
    return LinkOverview(link, completed, agreed.due_today, schedule)
