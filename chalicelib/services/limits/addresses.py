"""How often one address may try without paying: counted in the transaction that claims the try, so never too late.

Counting after the answer would let any number of tries through that are begun at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.limits import AddressTries, address_tries_id
from chalicelib.domain.documents.portal import MethodChange
from chalicelib.domain.machines import CheckoutStatus, InvoiceStatus
from chalicelib.services.ports import Insert, Ports, StoreUnavailable, Update, Write
from chalicelib.services.saving import MOST_ROUNDS, AlsoBeaten, commit

MOST_UNPAID: Final = 30
"""Unpaid tries of one address at one merchant within an hour. A household or an office with a bad day stays below it;
somebody with a list of stolen numbers gets 30 answers an hour where hundreds of thousands are wanted."""
HOUR: Final = timedelta(hours=1)
DECLINED: Final = "-"
"""Stands for a try of a checkout whose one successful try has been taken off: it is not to be taken off again."""


class TooManyTries(Exception):
    """The address has used up its tries. `until` is when the next one may begin; nothing was written."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"no more tries until {until.isoformat()}")
        self.until = until


def commit_try(
    ports: Ports,
    writes: Sequence[Write],
    *,
    merchant_id: str,
    owner_id: str,
    source: str | None,
    seen: AddressTries | None,
) -> int:
    """Commit the `writes` that claim a try, and count it, in one transaction; how many unpaid tries that makes.

    `seen` is the address's count as it was read before, which may be old by now. A caller without a `source` is not a
    browser and is not counted. Raises TooManyTries, WriteConflict when the claim itself was beaten, StoreUnavailable.
    """
    if source is None:
        commit(ports, writes)
        return 1
    where = address_tries_id(merchant_id, source)
    for losses in range(1, MOST_ROUNDS + 1):
        counted = _with_another(ports, where, merchant_id, owner_id, seen)
        try:
            commit(ports, writes, [Update(counted) if counted.version else Insert(counted)])
        except AlsoBeaten:
            # Somebody else at this address pressed at the same moment, for another checkout.
            ports.pauses.after_loss(losses)
            seen = ports.records.find(AddressTries, where)
        else:
            return len(counted.owners)
    raise StoreUnavailable(f"beaten {MOST_ROUNDS} times in a row by others at the same address")


def _with_another(ports: Ports, where: str, merchant_id: str, owner_id: str, seen: AddressTries | None) -> AddressTries:
    now = ports.clock.now()
    if seen is None:
        return AddressTries(where, merchant_id, now, now, (owner_id,))
    if now >= seen.since + HOUR:
        return replace(seen, since=now, owners=(owner_id,))
    owners = seen.owners if len(seen.owners) < MOST_UNPAID else _unpaid(ports, seen.owners)
    if len(owners) >= MOST_UNPAID:
        raise TooManyTries(seen.since + HOUR)
    return replace(seen, owners=(*owners, owner_id))


def _unpaid(ports: Ports, owners: Sequence[str]) -> tuple[str, ...]:
    """The tries less one for each that ended paid. Asked only where the count is full, so that paying costs nothing."""
    unique = [owner_id for owner_id in dict.fromkeys(owners) if owner_id != DECLINED]
    kinds: list[tuple[type[object], str]] = [(_kind_of(owner_id), owner_id) for owner_id in unique]
    paid = {owner_id for owner_id, owner in zip(unique, ports.records.find_many(kinds), strict=True) if _is_paid(owner)}
    declined = [DECLINED if owner_id in paid else owner_id for owner_id in owners]
    for _ in paid:
        declined.remove(DECLINED)
    return tuple(declined)


def _kind_of(owner_id: str) -> type[object]:
    if owner_id.startswith("mchg_"):
        return MethodChange
    return Invoice if owner_id.startswith("inv_") else Checkout


def _is_paid(owner: object) -> bool:
    if isinstance(owner, MethodChange):
        # A card that was stored is no guess either.
        return owner.stored_at is not None
    if isinstance(owner, Checkout):
        return owner.status in (CheckoutStatus.COMPLETED, CheckoutStatus.PROCESSING)
    return isinstance(owner, Invoice) and owner.status is InvoiceStatus.PAID
