"""Two ways to hand SQS a batch: a request of our own, and botocore's where only that knows who we are."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from chalicelib.aws.services import JsonService, ServiceRefused, address_of
from chalicelib.aws.signing import Credentials
from chalicelib.gateways.aws import CONNECT_SECONDS
from chalicelib.gateways.clock import SystemClock
from chalicelib.services.ports import NoAnswer, QueueUnavailable, Seam

READ_SECONDS: Final = 4.0
TRIES: Final = 3
LONGEST_PAUSE_SECONDS: Final = 20.0

_BUSY: Final = frozenset({
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException", "RequestThrottled",
    "TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "SlowDown",
    "PriorRequestNotComplete", "RequestTimeout", "RequestTimeoutException",
})  # fmt: skip
_BUSY_STATUS: Final = frozenset({429, 500, 502, 503, 504})
"""What is sent again: what AWS's tools send again in their standard mode
(https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html)."""

_CHANCE: Final = random.SystemRandom().random

Entry = Mapping[str, Any]


class Sqs(Protocol):
    """What sends one batch."""

    def send_batch(self, url: str, entries: Sequence[Entry]) -> list[Entry]:
        """The entries of the answer's `Failed`: what was not taken (AWS: SendMessageBatch, BatchResultErrorEntry).

        Raises QueueUnavailable where nobody knows what was taken, or nothing was.
        """
        ...


class DirectSqs:
    """Sqs over connections of our own, for any number of threads.

    The protocol: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        region: str,
        endpoint: str | None,
        seam: Seam,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = _CHANCE,
    ) -> None:
        """`endpoint` is None for the region's own; `chance` returns a number from 0 to 1."""
        self._service = JsonService(
            "sqs",
            endpoint or address_of("sqs", region),
            region=region,
            credentials=credentials,
            connect_seconds=CONNECT_SECONDS,
            read_seconds=READ_SECONDS,
            now=SystemClock().now,
            seam=seam,
        )
        self._sleep = sleep
        self._chance = chance

    def send_batch(self, url: str, entries: Sequence[Entry]) -> list[Entry]:
        """See Sqs. What had no answer is sent again: a message may arrive twice."""
        for tries in range(1, TRIES + 1):
            try:
                answer = self._service.ask("SendMessageBatch", {"QueueUrl": url, "Entries": list(entries)})
            except (NoAnswer, ServiceRefused) as error:
                if tries == TRIES or not _may_pass(error):
                    raise QueueUnavailable(str(error)) from error
            else:
                return list(answer.get("Failed", ()))
            # As botocore waits: any time up to a bound that doubles.
            self._sleep(self._chance() * min(2.0 ** (tries - 1), LONGEST_PAUSE_SECONDS))
        raise AssertionError("unreachable: the last try returns or raises")


def _may_pass(error: NoAnswer | ServiceRefused) -> bool:
    return isinstance(error, NoAnswer) or error.code in _BUSY or error.status in _BUSY_STATUS


class BotocoreSqs:
    """Sqs by a client of botocore's, which sends again itself."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def send_batch(self, url: str, entries: Sequence[Entry]) -> list[Entry]:
        """See Sqs."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.send_message_batch(QueueUrl=url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            raise QueueUnavailable(type(error).__name__) from error
        return list(answer.get("Failed", ()))
