"""What an error of Stripe's means: did nothing happen, do we not know, was it refused, or was the card declined?

Sources: https://docs.stripe.com/error-handling, https://docs.stripe.com/error-low-level, https://docs.stripe.com/rate-limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import stripe

from chalicelib.services.ports import CardTokenRefused, KeySpent, ProviderBusy, ProviderRefused, ProviderUnavailable

API_KEY_CODE: Final = "api_key"
"""Our code for a key that Stripe does not take (any more): nothing happened, and only an operator can help."""

PERMISSION_CODE: Final = "permission"
IDEMPOTENCY_CODE: Final = "idempotency_error"
TOKEN_PARAM: Final = "confirmation_token"  # noqa: S105 - the name of a parameter


class Kind(Enum):
    """The four things an error can mean."""

    BUSY = "busy"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one answer means. `reached` is False where it came from in front of the endpoint, so that it says nothing
    about an earlier try with the same key. `spent`: it is the saved answer of an earlier try that failed at Stripe.
    `param` is the parameter that Stripe names."""

    kind: Kind
    code: str
    retry: bool = False
    reached: bool = True
    spent: bool = False
    param: str | None = None


def judge(error: stripe.StripeError) -> Verdict:
    """What an error means for the one call that met it."""
    status = error.http_status
    body = _error_body(error)
    code = str(body.get("code") or body.get("type") or "unknown")
    may_retry = _header(error, "stripe-should-retry") != "false"
    # The lock on an object and the key in flight come as 409 or 429, and neither is saved under the key.
    if status in (409, 429) or code in ("rate_limit", "lock_timeout", "idempotency_key_in_use"):
        return Verdict(Kind.BUSY, code, may_retry, reached=False)
    if status is not None and status >= 500 and _header(error, "idempotent-replayed") == "true":
        # Stripe keeps 500s too, for 24 hours (https://docs.stripe.com/api/idempotent_requests).
        return Verdict(Kind.UNKNOWN, code, spent=True)
    if status is None or status >= 500 or not body:
        return Verdict(Kind.UNKNOWN, code, may_retry)
    if status == 401:
        return Verdict(Kind.REFUSED, API_KEY_CODE, reached=False)
    if status == 403:
        return Verdict(Kind.REFUSED, str(body.get("code") or PERMISSION_CODE), reached=False)
    if body.get("type") == IDEMPOTENCY_CODE:
        return Verdict(Kind.REFUSED, IDEMPOTENCY_CODE)
    if body.get("type") == "card_error":
        return Verdict(Kind.DECLINED, code)
    return Verdict(Kind.REFUSED, code, param=body.get("param"))


def translated(verdict: Verdict, error: stripe.StripeError, *, unknown_before: bool) -> Exception:
    """The port's exception for the last answer of a call.

    `unknown_before`: an earlier try with the same key got no answer. Then a refusal from in front of the endpoint, or
    "busy", does not say that nothing happened.
    """
    told = f"{verdict.code} (status {error.http_status}, request {error.request_id})"
    if verdict.spent:
        return KeySpent(told)
    if verdict.kind is Kind.UNKNOWN or (unknown_before and not verdict.reached):
        return ProviderUnavailable(told)
    if verdict.kind is Kind.BUSY:
        return ProviderBusy(told)
    # Unknown, used and expired tokens have no codes of their own, but an error names the parameter that it is about
    # (https://docs.stripe.com/api/errors).
    refusal = CardTokenRefused if verdict.param == TOKEN_PARAM else ProviderRefused
    message = f"{error.user_message} (request {error.request_id})"
    return refusal(verdict.code, message, reached=verdict.reached)


def declined_intent(error: stripe.StripeError, name: str) -> Any:
    """The `payment_intent` or `setup_intent` that an error carries as it was after the decline, or None."""
    return getattr(error.error, name, None) if error.error is not None else None


def _error_body(error: stripe.StripeError) -> dict[str, Any]:
    whole = error.json_body
    inner = whole.get("error") if isinstance(whole, dict) else None
    return inner if isinstance(inner, dict) else {}


def _header(error: stripe.StripeError, name: str) -> str | None:
    return next((value for key, value in (error.headers or {}).items() if key.lower() == name), None)
