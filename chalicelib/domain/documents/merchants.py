"""The merchant: one business on this deployment, which owns everything else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from chalicelib.domain.billing.dunning import DEFAULT_DUNNING, Dunning


class ConnectionState(StrEnum):
    """How far the merchant's Stripe account is."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    IN_REVIEW = "in_review"
    READY = "ready"
    RESTRICTED = "restricted"
    REJECTED = "rejected"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class Merchant:
    """One business. Its id is `mer_{slug}`, fixed at creation; `timezone` is an IANA name, `currency` lower case.

    `stripe_account` is None in direct mode (the deployment's own key) and before onboarding.
    `portal_cancel` says whether buyers may end subscriptions in the portal.
    `statement_name` is what the buyer's card statement shows; `livemode` says which Stripe data belong to it.
    `dunning` reaches invoices that fail for the first time from now on, and what becomes of those given up.
    `parked_at` is since when the schedule issues and charges nothing, for `parked_reason`, until a person unparks it.
    """

    id: str
    slug: str
    name: str
    timezone: str
    country: str
    currency: str
    created_at: datetime
    connection: ConnectionState = ConnectionState.NOT_STARTED
    can_transact: bool = False
    can_payout: bool = False
    stripe_account: str | None = None
    livemode: bool = False
    legal_name: str | None = None
    support_email: str | None = None
    address_lines: tuple[str, ...] = ()
    statement_name: str | None = None
    invoice_prefix: str = "INV-"
    dunning: Dunning = DEFAULT_DUNNING
    portal_cancel: bool = True
    parked_at: datetime | None = None
    parked_reason: str | None = None
    version: int = 0

    @property
    def merchant_id(self) -> str:
        """A merchant belongs to itself."""
        return self.id


@dataclass(frozen=True, slots=True)
class AccountOwner:
    """Which merchant a connected Stripe account belongs to; the id is `acct#{account}`."""

    id: str
    merchant_id: str
    created_at: datetime
    version: int = 0


@dataclass(frozen=True, slots=True)
class NumberSeries:
    """The counter behind one series of document numbers; `last` is the number taken last, 0 before the first.

    The id is `series#{merchant}#{name}`. A number is taken by moving `last` in the transaction that issues.
    `invoices_that_day` and `charges_that_day` are what the schedule issued on the day (UTC) `counted_on`.
    """

    id: str
    merchant_id: str
    name: str
    created_at: datetime
    last: int = 0
    counted_on: date | None = None
    invoices_that_day: int = 0
    charges_that_day: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key, stored by the SHA-256 of its text (the id is `key#{hex}`); `prefix` is what a list may show.

    `public_id` is what people call it by, since its own id is the hash. `last_used_at` is right to the hour.
    """

    id: str
    merchant_id: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None
    public_id: str = ""
    name: str = ""
    last_used_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """The entry of a key in its merchant's list, under its public id; what there is to know stands in the key."""

    id: str
    merchant_id: str
    key_id: str
    created_at: datetime
    version: int = 0


INVOICE_SERIES: Final = "invoice"
"""The series that invoices are numbered in."""


def series_id(merchant_id: str, name: str) -> str:
    """Where a merchant's counter lives."""
    return f"series#{merchant_id}#{name}"


def account_owner_id(account: str) -> str:
    """Where the owner of a connected account is looked up."""
    return f"acct#{account}"


def api_key_id(sha256_hex: str) -> str:
    """Where a key is looked up by the hash of its text."""
    return f"key#{sha256_hex}"
