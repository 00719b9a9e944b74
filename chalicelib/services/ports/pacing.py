"""The pace of calls to Stripe: one budget, shared by every process of the deployment through tokens that they lease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many requests may be sent in one second of real time: to one endpoint, and in all."""

    endpoint: int
    total: int


class TokenLeases(Protocol):
    """Where tokens are leased; what is leased in one second is good in that second alone, and is not given back."""

    def lease(self, second: int, endpoint: str, wanted: int, allowance: Allowance) -> int:
        """Up to `wanted` tokens (at least 1) of a second since 1970 for an endpoint; 0 when the allowance is used up.

        Two callers may hold different allowances of the same second: the larger one can then still take what the
        smaller one must leave. Raises StoreUnavailable.
        """
        ...


class Pacer(Protocol):
    """What each request to Stripe waits for."""

    def take(self, endpoint: str) -> None:
        """Return when one request may be sent to an endpoint (`POST /v1/payment_intents/{id}/confirm`).

        Raises ProviderBusy when that would take too long: nothing was sent.
        """
        ...


class Unpaced:
    """The pace of a process that nobody else shares a budget with: it never waits."""

    def take(self, endpoint: str) -> None:
        """See Pacer."""


UNPACED: Final = Unpaced()
