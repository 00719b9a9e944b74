"""Customers: who pays. A checkout links to the merchant's customer of its e-mail and reveals nothing of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Customer:
    """One payer of one merchant."""

    id: str
    merchant_id: str
    email: str
    created_at: datetime
    name: str | None = None
    company: str | None = None
    phone: str | None = None
    language: str | None = None
    tax_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class CustomerByEmail:
    """The merchant's one customer of a normalised address; put if absent in the transaction that makes it."""

    id: str
    merchant_id: str
    customer_id: str
    created_at: datetime
    version: int = 0


def normalise_email(email: str) -> str:
    """The form in which two addresses count as one: compatibility forms folded, trimmed, lower case."""
    return unicodedata.normalize("NFKC", email).strip().casefold()


def customer_by_email_id(merchant_id: str, email: str) -> str:
    """Where the customer of an address is looked up."""
    return f"email#{merchant_id}#{normalise_email(email)}"
