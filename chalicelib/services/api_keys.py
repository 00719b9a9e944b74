"""A merchant's API keys through the API: made, listed, revoked; and when each was used last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.merchants import ApiKey, IssuedKey, Merchant
from chalicelib.domain.errors import TillError
from chalicelib.services.facts import instant
from chalicelib.services.merchants import ALL_SCOPES, known_scopes, new_key, put_key
from chalicelib.services.ports import Append, Ports, StoreUnavailable, Update, WriteConflict
from chalicelib.services.reading import read
from chalicelib.services.saving import commit, until_won, written

USE_IS_NOTED_EVERY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key to be made under `public_id`; `secret` is what of its text nobody can guess."""

    public_id: str
    secret: str
    name: str
    scopes: tuple[str, ...]


def issue_key(ports: Ports, merchant_id: str, new: NewApiKey, *, granted: Iterable[str], actor: str) -> ApiKey:
    """A new key, for a caller who was `granted` these scopes and can give no others.

    Raises TillError `insufficient_scope` for a scope beyond them, InvalidValue for one that does not exist.
    """
    wanted, own = known_scopes(new.scopes), set(granted)
    beyond = [] if ALL_SCOPES in own else [scope for scope in wanted if scope not in own]
    if beyond:
        raise TillError("insufficient_scope", f"This key cannot give what it has not: {', '.join(beyond)}.", "scopes")
    merchant = ports.records.get(Merchant, merchant_id)
    _, key = new_key(ports, merchant, new.name, wanted, new.public_id, new.secret)
    commit(ports, [*put_key(key), _told(ports, "api_key.created", key, ports.clock.now(), actor)])
    return written(key)


def revoke_key(ports: Ports, merchant_id: str, public_id: str, *, actor: str) -> ApiKey:
    """The key, of no more use from now on. Doing it again changes nothing. Raises NotFound."""

    def attempt() -> ApiKey:
        key = ports.records.get(ApiKey, read(ports, merchant_id, IssuedKey, public_id).key_id)
        if key.revoked_at is not None:
            return key
        now = ports.clock.now()
        revoked = replace(key, revoked_at=now)
        commit(ports, [Update(revoked), _told(ports, "api_key.revoked", revoked, now, actor)])
        return written(revoked)

    return until_won(ports, attempt)


def keys_of(ports: Ports, entries: Sequence[IssuedKey]) -> list[ApiKey]:
    """The keys of these entries, in their order."""
    found = ports.records.find_many([(ApiKey, entry.key_id) for entry in entries])
    return [key for key in found if key is not None]


def note_use(ports: Ports, key: ApiKey) -> None:
    """Keep when a key was used last, once an hour at most. Nothing depends on it, so nothing fails with it."""
    now = ports.clock.now()
    if key.last_used_at is not None and now - key.last_used_at < USE_IS_NOTED_EVERY:
        return
    try:
        commit(ports, [Update(replace(key, last_used_at=now))])
    except (WriteConflict, StoreUnavailable):
        # Another request notes it at this moment, or revokes the key; or the next request will.
        return


def _told(ports: Ports, type_: str, key: ApiKey, now: datetime, actor: str) -> Append:
    # By the public id: the key's own is its hash, which nobody is shown.
    facts: dict[str, Any] = {
        "id": key.public_id,
        "object": "api_key",
        "name": key.name,
        "prefix": key.prefix,
        "scopes": list(key.scopes),
        "revoked_at": instant(key.revoked_at),
    }
    return Append(
        Event(ports.ids.new("evt", now), key.merchant_id, type_, now, actor, key.public_id, {"object": facts})
    )
