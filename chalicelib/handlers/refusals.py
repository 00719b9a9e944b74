"""Refusals: the status of each error code, the one shape of an error, and what a caller is told of an exception.

And the headers that all JSON of the API is sent with, refused or not, for whatever answers in front of it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chalicelib.domain.errors import FieldError, TillError
from chalicelib.web.headers import bare_headers

STATUS_OF_CODE: Final[Mapping[str, int]] = {
    "malformed_json": 400,
    "unauthenticated": 401,
    "insufficient_scope": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "idempotency_key_reused": 409,
    "idempotency_in_progress": 409,
    "state_conflict": 409,
    "payment_in_progress": 409,
    "not_ready_to_transact": 409,
    "already_used": 409,
    "expired": 409,
    "limit_reached": 409,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "rate_limited": 429,
    "internal_error": 500,
    "provider_unavailable": 503,
}
"""The HTTP status of each code that is not about the content of a field; those are all 422."""

_TYPE_OF_STATUS: Final[Mapping[int, str]] = {
    401: "authentication",
    403: "permission",
    404: "not_found",
    409: "conflict",
    429: "rate_limit",
}


def status_of(code: str) -> int:
    """The HTTP status that goes with an error code."""
    return STATUS_OF_CODE.get(code, 422)


def error_body(
    status: int,
    code: str,
    message: str,
    request_id: str,
    *,
    param: str | None = None,
    errors: Sequence[FieldError] = (),
) -> dict[str, Any]:
    """The one shape of every refusal, for the API and for whatever answers in front of it."""
    kind = "internal" if status >= 500 else _TYPE_OF_STATUS.get(status, "invalid_request")
    return {
        "error": {
            "type": kind,
            "code": code,
            "message": message,
            "param": param,
            "errors": [{"param": e.param, "code": e.code, "message": e.message} for e in errors],
            "request_id": request_id,
        }
    }


def as_refusal(error: Exception) -> TillError:
    """What a caller is told of an exception: a refusal of ours as it is, of all others only whether a retry helps."""
    if isinstance(error, TillError):
        return error
    from chalicelib.services.ports import (
        ProviderBusy,
        ProviderUnavailable,
        QueueUnavailable,
        StoreUnavailable,
        WriteConflict,
    )

    if isinstance(error, WriteConflict):
        return TillError("state_conflict", "Another request changed this meanwhile. Nothing was written: try again.")
    if isinstance(error, StoreUnavailable | ProviderUnavailable | ProviderBusy | QueueUnavailable):
        return TillError(
            "provider_unavailable",
            "A service that Till depends on gave no answer, so it is not known yet whether this was done. Try again.",
        )
    return TillError(
        "internal_error", "Something went wrong on our side. Give us the request id when you ask about it."
    )


def json_headers(cache: str = "no-store") -> dict[str, str]:
    """The headers of JSON: kept by nobody, taken for nothing else, and nothing to a browser that opens it."""
    return bare_headers("application/json", cache)
