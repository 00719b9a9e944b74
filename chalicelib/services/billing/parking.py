"""A merchant whose schedule went past the day's bounds is parked: nothing is issued or charged until a person says so.

Nothing is lost by it: timers stand, and the sweep begins to hand them over again when the merchant is unparked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from chalicelib.domain.documents.invoices import CollectionBlock, Invoice
from chalicelib.domain.documents.mails import MailKind
from chalicelib.domain.documents.merchants import INVOICE_SERIES, Merchant, NumberSeries, series_id
from chalicelib.services.facts import happened
from chalicelib.services.mails import new_mail, posted
from chalicelib.services.ports import Ports, Unchanged, Update, Write
from chalicelib.services.saving import commit, until_won, written

ACTOR: Final = "till"


def park(ports: Ports, merchant: Merchant, reason: str, now: datetime) -> None:
    """Park a merchant, and tell its operator by mail. Raises WriteConflict, StoreUnavailable."""
    parked = replace(merchant, parked_at=now, parked_reason=reason)
    told = happened(ports.ids, "account.parked", parked, now=now, actor=ACTOR, previous={"parked_at": None})
    commit(ports, [Update(parked), told, *_mail_to_operator(parked, now)])


def unpark(ports: Ports, merchant_id: str, *, actor: str) -> Merchant:
    """Let the schedule go on, and count the day anew. A merchant that is not parked is left as it is."""

    def attempt() -> Merchant:
        merchant = ports.records.get(Merchant, merchant_id)
        if merchant.parked_at is None:
            return merchant
        series = ports.records.get(NumberSeries, series_id(merchant_id, INVOICE_SERIES))
        after = replace(merchant, parked_at=None, parked_reason=None)
        previous = {"parked_at": merchant.parked_at.isoformat(), "parked_reason": merchant.parked_reason}
        told = happened(ports.ids, "account.unparked", after, now=ports.clock.now(), actor=actor, previous=previous)
        uncounted = replace(series, counted_on=None, invoices_that_day=0, charges_that_day=0)
        commit(ports, [Update(after), Update(uncounted), told])
        return written(after)

    return until_won(ports, attempt)


def leave_parked(ports: Ports, merchant: Merchant, invoice: Invoice) -> str:
    """Say on a due invoice why it is not charged. Its timer stands: when the merchant goes on, so does its charge.

    Raises WriteConflict where the merchant, or the invoice, has moved on.
    """
    if invoice.collection_blocked is not CollectionBlock.PARKED:
        blocked = replace(invoice, collection_blocked=CollectionBlock.PARKED)
        commit(ports, [Update(blocked), Unchanged(merchant)])
    return "parked"


def _mail_to_operator(merchant: Merchant, now: datetime) -> list[Write]:
    if merchant.support_email is None:
        return []
    what = f"parked#{merchant.id}"
    return posted(new_mail(MailKind.PARKED, merchant.id, merchant.support_email, merchant.id, what=what, now=now))
