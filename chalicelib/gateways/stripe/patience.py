"""Our own retries of a call to Stripe: few, spread out, within a time, and always with the same idempotency key.

stripe-python's are switched off: they pass over a plain 429, know no bound in time, and sleep where no test can see.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import stripe

from chalicelib.gateways.stripe.errors import API_KEY_CODE, Kind, Verdict, judge, translated
from chalicelib.services.ports import ProviderBusy, ProviderUnavailable

_LOG: Final = logging.getLogger("till.stripe")

T = TypeVar("T")


class Declined(Exception):
    """The bank or Stripe said no to a payment method; `error` carries the intent."""

    def __init__(self, error: stripe.StripeError, code: str) -> None:
        super().__init__(code)
        self.error = error


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on. Delays double from `first_delay` to `longest_delay`, each shortened by up to a half by chance.

    No new try begins later than `window_seconds` after the first one did, so that a call takes at most the window and
    one time-out; after a time-out there is none left.
    """

    window_seconds: float
    tries: int = 4
    first_delay: float = 0.25
    longest_delay: float = 2.0
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = field(default_factory=lambda: random.SystemRandom().random)

    def call(self, operation: Callable[[], T]) -> T:
        """The operation's result. Raises Declined, ProviderUnavailable, ProviderBusy, ProviderRefused.

        `operation` must send the same parameters and the same idempotency key each time.
        """
        began = self.monotonic()
        unknown_before = False
        for number in range(1, self.tries + 1):
            try:
                return operation()
            except ProviderBusy as unsent:
                # The pacer held this one back; that says nothing of one before it, which may have been carried out.
                if unknown_before:
                    raise ProviderUnavailable(str(unsent)) from unsent
                raise
            except stripe.StripeError as error:
                verdict = judge(error)
                delay = self._delay(number)
                in_time = self.monotonic() - began + delay <= self.window_seconds
                if verdict.retry and number < self.tries and in_time:
                    unknown_before |= verdict.kind is Kind.UNKNOWN
                else:
                    _report(verdict, error)
                    if verdict.kind is Kind.DECLINED:
                        raise Declined(error, verdict.code) from error
                    raise translated(verdict, error, unknown_before=unknown_before) from error
            self.sleep(delay)
        raise AssertionError("unreachable: the last try returns or raises")

    def _delay(self, number: int) -> float:
        whole = min(self.first_delay * 2.0 ** (number - 1), self.longest_delay)
        return whole * (1 - self.chance() / 2)


def _report(verdict: Verdict, error: stripe.StripeError) -> None:
    level = logging.ERROR if verdict.code == API_KEY_CODE else logging.INFO
    event = "stripe_key_not_accepted" if verdict.code == API_KEY_CODE else "stripe_error"
    fields = {
        "kind": verdict.kind.value,
        "code": verdict.code,
        "status": error.http_status,
        "stripe_request": error.request_id,
    }
    _LOG.log(level, event, extra=fields)
