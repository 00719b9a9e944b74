"""How long the store waits for DynamoDB: what may be sent again, how often, and how far apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from random import SystemRandom
from typing import Any, Final, NamedTuple, TypeVar

from chalicelib.services.ports import NoAnswer, StoreUnavailable

T = TypeVar("T")

BUSY_TRIES: Final = 5
UNANSWERED_TRIES: Final = 2
"""Each may take READ_SECONDS, and somebody is waiting."""
FIRST_PAUSE_SECONDS: Final = 0.1

_BUSY: Final = frozenset({
    "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded",
    "TransactionInProgressException", "TransactionConflictException",
    # The same as reasons of one cancelled transaction.
    "ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict",
})  # fmt: skip
"""Codes that say that nothing was done, or that the same request is being done already.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors
"""


CONDITION: Final = "ConditionalCheckFailedException"
"""The code of a single write whose condition did not hold."""


class Reason(NamedTuple):
    """Why one item of a cancelled transaction stood in its way; `None`, the word, for one that did not.

    `row` is what was found there, where it was asked for.
    """

    code: str
    row: Mapping[str, Any] | None = None


class Refused(Exception):
    """DynamoDB said no, and by `code` why; of a cancelled transaction it has a reason for each item, of a
    single write whose condition did not hold one."""

    def __init__(self, code: str, message: str, reasons: Sequence[Reason] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.reasons = reasons


class Trouble(Enum):
    """What a failed request means. BUSY: nothing happened. UNANSWERED: it may have. REFUSED: it never will."""

    BUSY = auto()
    UNANSWERED = auto()
    REFUSED = auto()


def trouble_of_code(code: str | None) -> Trouble:
    """What an error code means; None is the lack of an answer."""
    if code in _BUSY:
        return Trouble.BUSY
    # A body without a code of DynamoDB's own leaves the bare status.
    server_side = code in ("InternalServerError", "InternalFailure", "ServiceUnavailable") or (code or "").startswith(
        "5"
    )
    return Trouble.UNANSWERED if code is None or server_side else Trouble.REFUSED


@dataclass(frozen=True, slots=True)
class Patience:
    """Waits between tries: doubling, and jittered so that those who collided do not meet again.

    `share` returns a number from 0 to 1. The pauses of BUSY_TRIES tries add up to 0.75 to 1.5 s.
    """

    sleep: Callable[[float], None] = time.sleep
    share: Callable[[], float] = field(default=SystemRandom().random)

    def pause(self, tries: int) -> None:
        """Wait after that many tries."""
        self.sleep(FIRST_PAUSE_SECONDS * 2 ** (tries - 1) * (0.5 + self.share() / 2))

    def read(self, request: Callable[[], T]) -> T:
        """The answer to a request that may be repeated freely. Raises StoreUnavailable.

        Refusals (a missing table, no rights, a request that makes no sense) are mistakes and pass through as they are.
        """
        tries = unanswered = 0
        while True:
            try:
                return request()
            except (Refused, NoAnswer) as error:
                trouble = trouble_of_code(error.code if isinstance(error, Refused) else None)
                if trouble is Trouble.REFUSED:
                    raise
                tries += 1
                unanswered += trouble is Trouble.UNANSWERED
                if tries >= BUSY_TRIES or unanswered >= UNANSWERED_TRIES:
                    raise StoreUnavailable(f"DynamoDB gave no answer in {tries} tries") from error
            self.pause(tries)
