"""The buyers' portal: mailed links that open it, sessions, what is counted against guessing, and changes of method."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.documents.checkouts import Consent
from chalicelib.domain.documents.customers import normalise_email
from chalicelib.domain.documents.methods import StoredMethod
from chalicelib.domain.documents.parts import Part

LINK_LIFE: Final = timedelta(minutes=15)
"""How long a link is good that a buyer asked for, who waits for it."""
SENT_LINK_LIFE: Final = timedelta(hours=24)
"""How long one is good that the merchant had sent: nobody waits for that mail."""
SESSION_LIFE: Final = timedelta(hours=1)
"""How long the portal stays open after it was opened, whatever is done in it."""
CHANGE_LIFE: Final = timedelta(hours=23)
"""How long a change of method may be gone on with: Stripe forgets idempotency keys after 24 hours
(docs.stripe.com/api/idempotent_requests), and nothing here is made again under a key that may be forgotten."""
COUNTED_FOR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SignInLink:
    """A mailed link that opens the portal once. `email` is as it was typed, and need not be anybody's.

    `place` is the page that it leads to, a path below the portal; None leads to the first page. The secret is stored
    by its hash alone.
    """

    id: str
    merchant_id: str
    email: str
    secret_hash: str
    created_at: datetime
    expires_at: datetime
    place: str | None = None
    used_at: datetime | None = None
    version: int = 0

    def is_good(self, now: datetime) -> bool:
        """Whether it still opens anything."""
        return self.used_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class PortalSession:
    """A browser in which a customer is signed in. `ended_at` is when they signed out."""

    id: str
    merchant_id: str
    customer_id: str
    secret_hash: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    version: int = 0

    def is_open(self, now: datetime) -> bool:
        """Whether it lets anybody in."""
        return self.ended_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class SignIns:
    """How many links were asked for in the hour from `since` on, by one address or for one e-mail.

    The id is `signins#{merchant}#{of}`, where `of` stands for either without showing it.
    """

    id: str
    merchant_id: str
    since: datetime
    created_at: datetime
    count: int = 0
    version: int = 0

    @property
    def expires_at(self) -> datetime:
        """When the count says nothing any more."""
        return self.since + COUNTED_FOR


@dataclass(frozen=True, slots=True)
class MethodChange:
    """One page on which a subscription's method is replaced: its one SetupIntent, and each try.

    `part` holds both in the shape that charges have them; its amount is zero, since nothing is paid here.
    `invoice_ids` are the owed invoices that the page listed, oldest first: with the method stored, exactly those are
    charged.
    `stored_at` is when Stripe said that the method is stored, and `method` which one it is.
    """

    id: str
    merchant_id: str
    customer_id: str
    subscription_id: str
    part: Part
    created_at: datetime
    expires_at: datetime
    invoice_ids: tuple[str, ...] = ()
    consent: Consent | None = None
    stripe_customer_id: str | None = None
    stored_at: datetime | None = None
    method: StoredMethod | None = None
    version: int = 0

    def with_part(self, part: Part) -> MethodChange:
        """With its part replaced."""
        return replace(self, part=part)


def hash_of(secret: str) -> str:
    """The form in which a link's or a session's secret is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret(secret: str, stored_hash: str) -> bool:
    """Whether a secret is the one whose hash is stored, compared in constant time."""
    return hmac.compare_digest(hash_of(secret).encode(), stored_hash.encode())


def sign_ins_of_source(merchant_id: str, source: str) -> str:
    """Where the links are counted that an address asks for; `source` stands for it."""
    return f"signins#{merchant_id}#from#{source}"


def sign_ins_of_email(merchant_id: str, email: str) -> str:
    """Where the links are counted that are asked for an e-mail address."""
    digest = hashlib.sha256(normalise_email(email).encode()).hexdigest()
    return f"signins#{merchant_id}#to#{digest}"
