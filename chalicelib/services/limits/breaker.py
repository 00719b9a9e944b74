"""The breaker: a link whose payments nearly all fail is being used to test cards, and pauses.

A rate and not a count, so that a link that sells well is not stopped by its declines; a least count, so that a quiet
link is not stopped by two; and only the first few declines of an address count, so that no single visitor can stop it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from chalicelib.domain.documents.limits import LinkDeclines, link_declines_id
from chalicelib.domain.documents.links import LinkUses, PaymentLink, link_uses_id
from chalicelib.domain.documents.mails import MailKind
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.services.facts import happened
from chalicelib.services.limits.addresses import HOUR
from chalicelib.services.mails import new_mail, posted
from chalicelib.services.ports import Insert, Ports, StoreUnavailable, Update, Write
from chalicelib.services.saving import commit, until_won

FEWEST_DECLINES: Final = 40
"""Declines within the hour below which nothing is judged."""
WORST_RATE: Final = (4, 5)
"""The share of declines, of declines and payments together, from which a link pauses: 80 %."""
COUNTED_PER_ADDRESS: Final = 5
"""Only an address's first tries in its hour count here: it takes eight addresses at least to pause a link."""
PAUSE: Final = HOUR
ACTOR: Final = "till"


def note_decline(ports: Ports, link_id: str, tries_of_address: int) -> bool:
    """Count a declined try of a link, and pause the link where that is one too many; whether it was.

    `tries_of_address` is what `commit_try` said of the try. Of many at once exactly one pauses the link. A database
    that gives no answer loses the count and nothing else: the buyer's answer is worth more.
    """
    return tries_of_address <= COUNTED_PER_ADDRESS and count_decline(ports, link_id)


def count_decline(ports: Ports, link_id: str) -> bool:
    """Count a decline that is known to count, as `note_decline` does."""
    try:
        return until_won(ports, lambda: _count(ports, link_id))
    except StoreUnavailable:
        return False


def _count(ports: Ports, link_id: str) -> bool:
    now = ports.clock.now()
    link, before, uses = ports.records.find_many(
        [
            (PaymentLink, link_id),
            (LinkDeclines, link_declines_id(link_id)),
            (LinkUses, link_uses_id(link_id)),
        ]
    )
    if link is None or link.is_paused(now):
        return False
    paid = 0 if uses is None else uses.completed
    counted = _one_more(link, before, paid, now)
    writes: list[Write] = [Update(counted) if counted.version else Insert(counted)]
    trips = _is_too_much(counted.declines, paid - counted.paid_before)
    if trips:
        paused = replace(link, paused_until=now + PAUSE)
        previous = {"paused_until": None}
        told = happened(ports.ids, "payment_link.updated", paused, now=now, actor=ACTOR, previous=previous)
        writes += [Update(paused), told, *_mail_to_operator(ports, paused, now)]
    commit(ports, writes)
    return trips


def _mail_to_operator(ports: Ports, link: PaymentLink, now: datetime) -> list[Write]:
    merchant = ports.records.get(Merchant, link.merchant_id)
    if merchant.support_email is None:
        return []
    what = f"paused#{link.id}"
    return posted(new_mail(MailKind.LINK_PAUSED, merchant.id, merchant.support_email, link.id, what=what, now=now))


def _one_more(link: PaymentLink, before: LinkDeclines | None, paid: int, now: datetime) -> LinkDeclines:
    if before is None:
        return LinkDeclines(link_declines_id(link.id), link.merchant_id, now, now, paid, declines=1)
    if now >= before.since + HOUR:
        return replace(before, since=now, paid_before=paid, declines=1)
    return replace(before, declines=before.declines + 1)


def _is_too_much(declines: int, payments: int) -> bool:
    share, of = WORST_RATE
    return declines >= FEWEST_DECLINES and declines * of >= (declines + payments) * share
