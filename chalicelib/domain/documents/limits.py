"""What is counted against people who try stolen cards: unpaid tries by address, and declines by link, hour by hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AddressTries:
    """The tries that one address began at one merchant in the hour from `since` on.

    The id is `tries#{merchant}#{source}`, where `source` stands for the address without showing it. `owners` has the
    checkout or the invoice of each try; one for each that turned out paid is taken off when the count is full.
    """

    id: str
    merchant_id: str
    since: datetime
    created_at: datetime
    owners: tuple[str, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class LinkDeclines:
    """The declines of one link in the hour from `since` on. The id is `declines#{link}`.

    `paid_before` is how often the link had been paid at `since`, so that the payments since then are a subtraction
    and a payment need not be counted here too.
    """

    id: str
    merchant_id: str
    since: datetime
    created_at: datetime
    paid_before: int
    declines: int = 0
    version: int = 0


def address_tries_id(merchant_id: str, source: str) -> str:
    """Where the tries of an address are counted."""
    return f"tries#{merchant_id}#{source}"


def link_declines_id(link_id: str) -> str:
    """Where the declines of a link are counted."""
    return f"declines#{link_id}"
