"""Stripe's limits on requests a second, of an account and to an endpoint (https://docs.stripe.com/rate-limits).

Stripe does not say how its limiter counts. Here it is whole seconds of the sandbox's clock, the strictest reading under
which the documented numbers can be used up at all.
"""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final

from infra.local.stripe_sandbox.faults import StripeFault

REASON_HEADER: Final = "Stripe-Rate-Limited-Reason"


class RateLimits:
    """Counts requests by account and endpoint. `limits` are so many a second to one endpoint and in all; None: none."""

    def __init__(self, clock: Callable[[], datetime], limits: tuple[int, int] | None) -> None:
        self._clock: Final = clock
        self._limits: Final = limits
        self._lock: Final = threading.Lock()
        self._second = 0
        self._taken: Counter[tuple[str, str]] = Counter()
        self.refused = 0

    def count(self, account: str, endpoint: str) -> str | None:
        """Count a request; the reason where it is one too many for its second. One that is refused counts too."""
        if self._limits is None:
            return None
        with self._lock:
            second = int(self._clock().timestamp())
            if second != self._second:
                self._second = second
                self._taken.clear()
            self._taken[account, endpoint] += 1
            self._taken[account, ""] += 1
            reason = None
            if self._taken[account, endpoint] > self._limits[0]:
                reason = "endpoint-rate"
            elif self._taken[account, ""] > self._limits[1]:
                reason = "global-rate"
            self.refused += reason is not None
            return reason


def too_many() -> StripeFault:
    """Stripe's answer to one request too many; nothing of it is kept under its idempotency key."""
    return StripeFault(
        429,
        "invalid_request_error",
        "Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.",
        code="rate_limit",
        before_execution=True,
    )
