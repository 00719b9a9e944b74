"""Making merchants and their API keys: what the set-up, the local machine and later the invitations call."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from itertools import count
from typing import Final

from chalicelib.domain.billing.wallclock import zone_of
from chalicelib.domain.documents.intake import EventSweep, event_sweep_id
from chalicelib.domain.documents.merchants import (
    INVOICE_SERIES,
    AccountOwner,
    ApiKey,
    ConnectionState,
    IssuedKey,
    Merchant,
    NumberSeries,
    account_owner_id,
    api_key_id,
    series_id,
)
from chalicelib.domain.errors import InvalidValue, StateConflict
from chalicelib.domain.ids import time_of
from chalicelib.domain.money.currency import is_currency
from chalicelib.services.ports import Insert, Ports, Write, WriteConflict
from chalicelib.services.saving import commit

KEY_PREFIX: Final = "till_"
ALL_SCOPES: Final = "*"
SCOPES: Final[frozenset[str]] = frozenset({
    "api_keys:read", "api_keys:write",
    "account:read", "account:write", "products:read", "products:write", "prices:read", "prices:write",
    "tax_rates:read", "tax_rates:write", "payment_links:read", "payment_links:write", "customers:read",
    "customers:write", "checkouts:read", "invoices:read", "subscriptions:read", "subscriptions:write",
    "payments:read", "refunds:read", "refunds:write", "events:read", ALL_SCOPES,
})  # fmt: skip
"""What a key can be allowed; `*` is everything, now and later."""

_OF_SECRET: Final = 4
"""Characters of a key's secret part that lists and logs may show, behind its mode."""
_LONGEST_SLUG: Final = 40
_FIRST_KEY: Final = "First key"


def create_merchant(
    ports: Ports,
    *,
    name: str,
    timezone: str,
    currency: str,
    country: str = "US",
    stripe_account: str | None = None,
    ready: bool = False,
    livemode: bool = False,
    slug: str | None = None,
    legal_name: str | None = None,
    support_email: str | None = None,
    statement_name: str | None = None,
    address_lines: tuple[str, ...] = (),
) -> tuple[Merchant, str]:
    """A new merchant and the text of its first key, which can do everything and is never shown again.

    `ready` means that Stripe lets it take payments and pays out. Without a `slug` one is made of the name, with a
    number where it is taken. Raises InvalidValue for an unknown time zone or currency, StateConflict when the slug
    asked for, or the Stripe account, belongs to another merchant.
    """
    zone_of(timezone)
    if not is_currency(currency):
        raise InvalidValue("This is not a currency that can be charged.", "currency", "invalid_currency")
    now = ports.clock.now()
    wanted = slug or _slug_of(name)
    for attempt in count(1):
        chosen = wanted if attempt == 1 else f"{wanted}-{attempt}"
        merchant = Merchant(
            id=f"mer_{chosen}",
            slug=chosen,
            name=name,
            timezone=timezone,
            country=country,
            currency=currency,
            created_at=now,
            connection=ConnectionState.READY if ready else ConnectionState.NOT_STARTED,
            can_transact=ready,
            can_payout=ready,
            stripe_account=stripe_account,
            livemode=livemode,
            legal_name=legal_name,
            support_email=support_email,
            address_lines=address_lines,
            statement_name=statement_name,
        )
        text, key = new_key(ports, merchant, _FIRST_KEY, (ALL_SCOPES,), ports.ids.new("key", now))
        series = NumberSeries(series_id(merchant.id, INVOICE_SERIES), merchant.id, INVOICE_SERIES, now)
        sweep = EventSweep(event_sweep_id(merchant.id, now), merchant.id, now)
        writes: list[Write] = [Insert(merchant), Insert(series), *put_key(key), Insert(sweep)]
        if stripe_account is not None:
            writes.append(Insert(AccountOwner(account_owner_id(stripe_account), merchant.id, now)))
        try:
            commit(ports, writes)
        except WriteConflict as conflict:
            if 0 not in conflict.failed:
                raise StateConflict("This Stripe account belongs to another merchant.") from conflict
            if slug is not None:
                raise StateConflict("This slug belongs to another merchant.") from conflict
        else:
            return ports.records.get(Merchant, merchant.id), text
    raise AssertionError("counting does not end")


def create_api_key(ports: Ports, merchant_id: str, scopes: Iterable[str], *, name: str = "API key") -> str:
    """The text of a new key with these scopes, for whoever runs the deployment; only its hash is kept.

    Raises NotFound for an unknown merchant and InvalidValue for a scope that does not exist, or none at all.
    """
    wanted = known_scopes(scopes)
    merchant = ports.records.get(Merchant, merchant_id)
    text, key = new_key(ports, merchant, name, wanted, ports.ids.new("key", ports.clock.now()))
    commit(ports, put_key(key))
    return text


def known_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes, each once. Raises InvalidValue for one that does not exist, or none at all."""
    wanted = tuple(dict.fromkeys(scopes))
    if not wanted or not SCOPES.issuperset(wanted):
        raise InvalidValue(f"Scopes are one or more of: {', '.join(sorted(SCOPES))}.", "scopes")
    return wanted


def hash_api_key(text: str) -> str:
    """What is stored of a key. Its 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()


def new_key(
    ports: Ports, merchant: Merchant, name: str, scopes: tuple[str, ...], public_id: str, secret: str | None = None
) -> tuple[str, ApiKey]:
    """The text of a key and the key, not stored yet; `secret` is the part of 256 bits that nobody can guess."""
    mode = "live" if merchant.livemode else "test"
    begins, secret = f"{KEY_PREFIX}{mode}_", secret or new_secret(ports)
    text = begins + secret
    key_id = api_key_id(hash_api_key(text))
    made = time_of(public_id)
    return text, ApiKey(key_id, merchant.id, begins + secret[:_OF_SECRET], scopes, made, public_id=public_id, name=name)


def text_of_key(key: ApiKey, secret: str) -> str:
    """The text of a key whose secret part is this."""
    return key.prefix[:-_OF_SECRET] + secret


def new_secret(ports: Ports) -> str:
    """256 random bits as text."""
    return f"{ports.ids.secret()}{ports.ids.secret()}"


def put_key(key: ApiKey) -> list[Write]:
    """What stores a new key: the key, found by its hash, and its entry in the merchant's list."""
    return [Insert(key), Insert(IssuedKey(key.public_id, key.merchant_id, key.id, key.created_at))]


def _slug_of(name: str) -> str:
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_name)[:_LONGEST_SLUG].strip("-") or "merchant"
