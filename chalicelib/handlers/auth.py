"""Who calls the API: a bearer key, found by its hash, and what its scopes allow. Keys themselves are never kept."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from chalicelib.domain.documents.merchants import ApiKey, api_key_id
from chalicelib.domain.errors import TillError
from chalicelib.services.merchants import ALL_SCOPES, KEY_PREFIX, hash_api_key
from chalicelib.services.ports import Records

_LONGEST_KEY: Final = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """A known caller: whose data it may touch, its key by stored id and by the part that may be shown, its scopes.

    `key` is the key as it is stored.
    """

    merchant_id: str
    key_id: str
    key_prefix: str
    scopes: frozenset[str]
    key: ApiKey

    def may(self, scope: str) -> bool:
        """Whether one of the scopes covers this one; `invoices:write` does not include `invoices:read`."""
        return ALL_SCOPES in self.scopes or scope in self.scopes


def authenticate(records: Records, authorization: str | None, scope: str) -> Caller:
    """The caller behind an `Authorization: Bearer till_…` header.

    Raises TillError `unauthenticated` when there is no valid key, one and the same answer for a missing, an unknown
    and a revoked one, and `insufficient_scope` when the key is too narrow for `scope`.
    """
    key = _stored_key(records, authorization)
    if key is None or key.revoked_at is not None:
        raise TillError("unauthenticated", "Send a valid API key: Authorization: Bearer till_…")
    caller = Caller(key.merchant_id, key.id, key.prefix, frozenset(key.scopes), key)
    if not caller.may(scope):
        raise TillError("insufficient_scope", f"This key does not have the scope {scope}.")
    return caller


def _stored_key(records: Records, authorization: str | None) -> ApiKey | None:
    scheme, _, text = (authorization or "").partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text.startswith(KEY_PREFIX) or len(text) > _LONGEST_KEY or not text.isascii():
        return None
    wanted = api_key_id(hash_api_key(text))
    key = records.find(ApiKey, wanted)
    # The store found it by the hash already; comparing again keeps a store that matches loosely from letting anyone in.
    if key is None or not hmac.compare_digest(key.id.encode(), wanted.encode()):
        return None
    return key
