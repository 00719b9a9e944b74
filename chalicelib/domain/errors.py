"""Errors with stable codes: what the domain refuses, and the closed list of codes that callers may rely on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ERROR_CODES: Final[frozenset[str]] = frozenset({
    "malformed_json", "unsupported_media_type", "method_not_allowed", "not_found", "body_too_large",
    "unknown_field", "missing_field", "wrong_type", "out_of_range", "invalid_value", "invalid_currency",
    "currency_mismatch", "below_minimum", "above_maximum", "invalid_date", "invalid_url", "invalid_text",
    "card_number_refused", "unauthenticated", "insufficient_scope", "idempotency_key_reused",
    "idempotency_in_progress", "state_conflict", "payment_in_progress", "not_ready_to_transact",
    "already_used", "expired", "limit_reached", "rate_limited", "invalid_cursor", "provider_unavailable",
    "internal_error",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field: `param` is a dotted path such as `lines.0.quantity`."""

    param: str
    code: str
    message: str


class TillError(Exception):
    """A refusal with a stable code from `ERROR_CODES`; the boundary turns it into an answer.

    `errors` lists every field at fault when there are several; `param` is the first of them.
    """

    def __init__(self, code: str, message: str, param: str | None = None, errors: tuple[FieldError, ...] = ()) -> None:
        if code not in ERROR_CODES:
            raise ValueError(f"{code!r} is not in the closed list of error codes")
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.errors = errors or ((FieldError(param, code, message),) if param else ())


class NotFound(TillError):
    """The record does not exist, or belongs to another merchant: callers are never told which."""

    def __init__(self, what: str) -> None:
        super().__init__("not_found", f"There is no such {what}.")


class StateConflict(TillError):
    """The record is in a state in which this cannot be done; nothing was changed."""

    def __init__(self, message: str) -> None:
        super().__init__("state_conflict", message)


class InvalidValue(TillError):
    """A value that no retry makes right."""

    def __init__(self, message: str, param: str | None = None, code: str = "invalid_value") -> None:
        super().__init__(code, message, param)


class CurrencyMismatch(TillError):
    """Two currencies met in one sum."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__("currency_mismatch", f"{left} and {right} cannot be added.")
