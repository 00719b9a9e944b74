"""The merchant's own profile, and whether it can take payments yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TypedDict

from chalicelib.domain.billing.dunning import Dunning
from chalicelib.domain.billing.wallclock import zone_of
from chalicelib.domain.documents.merchants import ConnectionState, Merchant
from chalicelib.domain.errors import TillError
from chalicelib.services.facts import changed
from chalicelib.services.ports import Ports, Update
from chalicelib.services.saving import commit, until_won, written


class AccountChanges(TypedDict, total=False):
    """What of the profile to change; what is absent stays, None clears."""

    name: str
    timezone: str
    support_email: str | None
    statement_name: str | None
    legal_name: str | None
    address_lines: tuple[str, ...]
    dunning: Dunning
    portal_cancel: bool


_WHAT_IS_MISSING: Final = {
    ConnectionState.NOT_STARTED: "Stripe is not connected yet. An owner of this account can connect it.",
    ConnectionState.IN_PROGRESS: "Connecting Stripe is not finished. An owner of this account can go on with it.",
    ConnectionState.IN_REVIEW: "Stripe is still reviewing the account, which can take three days. Stripe can say more.",
    ConnectionState.READY: "Stripe does not allow charges on this account at the moment. Stripe can say why.",
    ConnectionState.RESTRICTED: "Stripe has restricted the account and asks for something. Stripe can say what.",
    ConnectionState.REJECTED: "Stripe has rejected the account. Stripe can say why.",
    ConnectionState.DISCONNECTED: "Stripe is disconnected. An owner of this account can connect it again.",
}


def require_ready(merchant: Merchant) -> None:
    """Raises TillError `not_ready_to_transact`, saying what is missing and who can help."""
    if not merchant.can_transact:
        missing = _WHAT_IS_MISSING[merchant.connection]
        raise TillError(
            "not_ready_to_transact",
            f"{missing} Until then links can be drafted, but nothing can be switched on or started.",
        )


def update_account(ports: Ports, merchant_id: str, changes: AccountChanges, *, actor: str) -> Merchant:
    """The profile with the changes. What was agreed or issued before keeps its own zone and names.

    Raises InvalidValue for a time zone that does not exist.
    """
    if "timezone" in changes:
        zone_of(changes["timezone"])

    def attempt() -> Merchant:
        before = ports.records.get(Merchant, merchant_id)
        after = replace(before, **changes)
        if after == before:
            return before
        told = changed(ports.ids, "account.updated", before, after, now=ports.clock.now(), actor=actor)
        commit(ports, [Update(after), told])
        return written(after)

    return until_won(ports, attempt)
