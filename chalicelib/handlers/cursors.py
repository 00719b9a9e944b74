"""Cursors: where a list goes on, sealed so that each works only in the list, with the filters and key it came from."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.domain.errors import TillError

_SEAL_BYTES: Final = 16
_LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class CursorSeal:
    """Seals the cursors of one list as one key sees it. `filters` are the query's, without `limit` and `cursor`."""

    secret: str
    list_name: str
    filters: Mapping[str, str]
    key_id: str

    def cursor_after(self, last_id: str) -> str:
        """The cursor of the page that follows this record."""
        return base64.urlsafe_b64encode(self._seal(last_id) + last_id.encode()).decode().rstrip("=")

    def last_id(self, cursor: str) -> str:
        """The record that the page follows. Raises TillError `invalid_cursor` for every other text."""
        wrong = TillError(
            "invalid_cursor", "This cursor does not belong to this list, these filters and this key.", "cursor"
        )
        if len(cursor) > _LONGEST or not cursor.isascii():
            raise wrong
        try:
            # altchars with validate: Python's own urlsafe decoder skips over what is not base64.
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            last_id = sealed[_SEAL_BYTES:].decode("ascii")
        except (binascii.Error, ValueError) as error:
            raise wrong from error
        # The text is compared, not the bytes: several texts decode to the same bytes.
        if not hmac.compare_digest(self.cursor_after(last_id), cursor):
            raise wrong
        return last_id

    def _seal(self, last_id: str) -> bytes:
        bound = json.dumps(["cursor", self.list_name, sorted(self.filters.items()), self.key_id, last_id])
        return hmac.digest(self.secret.encode(), bound.encode(), hashlib.sha256)[:_SEAL_BYTES]
