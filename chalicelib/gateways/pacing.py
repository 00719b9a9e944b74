"""One pacer for all callers of Stripe: a token for each request on the wire, leased in blocks, waited for only so long.

Real time, not the deployment's clock: the limits are Stripe's, and Stripe's seconds are everybody's.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from chalicelib.services.ports import Allowance, ProviderBusy, StoreUnavailable, TokenLeases

_LOG: Final = logging.getLogger("till.pacing")

# Stripe allows 100 requests a second in live mode, 25 in test mode, and 25 to any one endpoint in either
# (https://docs.stripe.com/rate-limits). A fifth stays free, since an answer from a second of ours may count in the
# next one of Stripe's.
LIVE: Final = Allowance(endpoint=20, total=80)
TEST: Final = Allowance(endpoint=20, total=20)

_RESERVED: Final = 10
"""One part in so many is left to pages by workers, so that no billing run keeps a buyer waiting."""

LATE: Final = 0.75
"""From this share of a second on workers take what pages have left of it: a page that comes after them waits for the
next second, a quarter of one at most, and a billing run uses all of the budget instead of nine tenths."""

WEB_SECONDS: Final = 1.1
"""How long a page waits: always until the next second, whose reserve it then finds."""
WORKER_SECONDS: Final = 10.0
_SPREAD_SECONDS: Final = 0.05
"""Those who wait for the same second begin it this far apart."""
_LEASES: Final = 2
"""How often tokens are asked for before it is waited for the next second."""
_CHANCE: Final = random.SystemRandom().random


def allowance_for(*, livemode: bool, buyer_waits: bool, pace: tuple[int, int] | None = None) -> Allowance:
    """What a page may take of a second, or a worker; `pace` takes the place of the usual limits where it is given."""
    whole = Allowance(*pace) if pace is not None else LIVE if livemode else TEST
    reserved = 0 if buyer_waits else max(1, min(whole.endpoint, whole.total) // _RESERVED)
    return Allowance(max(1, whole.endpoint - reserved), max(1, whole.total - reserved))


class SharedPacer:
    """A Pacer on leased tokens. One object serves a process, from any number of threads.

    How many tokens are leased at once follows what this process used in the second before, and how many of its
    threads wait: a page leases one, a busy worker leases all that it needs with one write.
    """

    def __init__(
        self,
        leases: TokenLeases,
        allowance: Allowance,
        *,
        patience_seconds: float,
        now: Callable[[], float],
        late: Allowance | None = None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = _CHANCE,
    ) -> None:
        """`now` is real time in seconds since 1970; `chance` a number from 0 to 1.

        `late` is what may be taken of a second when LATE of it is over; None is as much as before.
        """
        self._leases = leases
        self._allowance = allowance
        self._late = late
        self._is_late = False
        self._patience = patience_seconds
        self._now = now
        self._sleep = sleep
        self._chance = chance
        self._lock = threading.Lock()
        self._second = -1
        self._in_hand: defaultdict[str, int] = defaultdict(int)
        self._used: defaultdict[str, int] = defaultdict(int)
        self._used_before: defaultdict[str, int] = defaultdict(int)
        self._empty: set[str] = set()
        self._waiting: defaultdict[str, int] = defaultdict(int)

    def take(self, endpoint: str) -> None:
        """See Pacer. Without a database the request goes out unpaced: Stripe's own 429 does no harm, a stop would."""
        began = self._now()
        try:
            while not self._taken(endpoint):
                now = self._now()
                pause = self._next_tokens(now) - now + self._chance() * _SPREAD_SECONDS
                if now + pause - began > self._patience:
                    raise ProviderBusy(f"no token for {endpoint} within {self._patience} s")
                self._wait(endpoint, pause)
        except StoreUnavailable as error:
            _LOG.warning("unpaced", extra={"endpoint": endpoint, "reason": str(error)})

    def _taken(self, endpoint: str) -> bool:
        # The lock is held during the lease, so that threads of one process lease one block and not one each.
        with self._lock:
            self._turn_to(self._now())
            if self._in_hand[endpoint] == 0 and endpoint not in self._empty:
                self._in_hand[endpoint] = self._leased(endpoint)
            if self._in_hand[endpoint] == 0:
                self._empty.add(endpoint)
                return False
            self._in_hand[endpoint] -= 1
            self._used[endpoint] += 1
            return True

    def _leased(self, endpoint: str) -> int:
        """Tokens that are good now. A lease that takes until its second is over brings none: they would be sent in the
        place of others, so the second that has begun is asked for its own."""
        for _ in range(_LEASES):
            allowance = self._late if self._is_late and self._late is not None else self._allowance
            leased = self._leases.lease(self._second, endpoint, self._block(endpoint), allowance)
            second, now = self._second, self._now()
            if int(now) == second:
                return leased
            self._turn_to(now)
        return 0

    def _next_tokens(self, now: float) -> float:
        second = int(now)
        return second + LATE if self._late is not None and now - second < LATE else second + 1

    def _turn_to(self, now: float) -> None:
        second, is_late = int(now), self._late is not None and now - int(now) >= LATE
        if second == self._second:
            if is_late and not self._is_late:
                self._is_late = True
                self._empty.clear()
            return
        self._is_late = is_late
        follows = second == self._second + 1
        self._used_before = self._used if follows else defaultdict(int)
        self._used = defaultdict(int)
        self._second = second
        self._in_hand.clear()
        self._empty.clear()

    def _block(self, endpoint: str) -> int:
        expected = self._used_before[endpoint] - self._used[endpoint]
        # Half at most, so that a process that dies takes no more than that with it.
        return min(max(1, expected, self._waiting[endpoint] + 1), max(1, self._allowance.endpoint // 2))

    def _wait(self, endpoint: str, pause: float) -> None:
        with self._lock:
            self._waiting[endpoint] += 1
        try:
            self._sleep(pause)
        finally:
            with self._lock:
                self._waiting[endpoint] -= 1
