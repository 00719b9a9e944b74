"""SQS: work is handed over in batches; what a batch leaves behind is sent again before anybody hears of a failure."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Protocol

from chalicelib.aws.signing import Credentials
from chalicelib.gateways.aws import aws_client
from chalicelib.gateways.sqs import READ_SECONDS, TRIES, BotocoreSqs, DirectSqs, Sqs
from chalicelib.services.ports import OPEN, Message, QueueName, QueueUnavailable, Seam

_LOG: Final = logging.getLogger("till.queues")

BATCH_MESSAGES: Final = 10
"""The most entries of one SendMessageBatch (AWS: Amazon SQS API Reference)."""
BATCH_BYTES: Final = 262_144
"""The most bytes we put into one batch: the limit of every region, old and new."""
ROUNDS: Final = 3


class QueueSettings(Protocol):
    """What SqsQueues needs to know of a deployment."""

    @property
    def region(self) -> str: ...
    @property
    def aws_endpoint(self) -> str | None: ...
    @property
    def billing_queue_url(self) -> str: ...
    @property
    def charges_queue_url(self) -> str: ...
    @property
    def work_queue_url(self) -> str: ...


class SqsQueues:
    """The Queues port on SQS. A message may arrive twice; what it asks for is decided by the record it names.

    Batches are sent directly where `credentials` say who asks, and by botocore otherwise.
    """

    def __init__(self, settings: QueueSettings, *, credentials: Credentials | None = None, seam: Seam = OPEN) -> None:
        self._settings = settings
        self._credentials = credentials
        self._seam = seam
        self._urls: Mapping[QueueName, str] = {
            QueueName.BILLING: settings.billing_queue_url,
            QueueName.CHARGES: settings.charges_queue_url,
            QueueName.WORK: settings.work_queue_url,
        }

    @cached_property
    def _sqs(self) -> Sqs:
        region, endpoint = self._settings.region, self._settings.aws_endpoint
        if self._credentials is not None:
            return DirectSqs(self._credentials, region=region, endpoint=endpoint, seam=self._seam)
        return BotocoreSqs(
            aws_client("sqs", region=region, endpoint=endpoint, read_seconds=READ_SECONDS, tries=TRIES, seam=self._seam)
        )

    def send(self, queue: QueueName, messages: Sequence[Message]) -> None:
        """Send any number of messages. Raises QueueUnavailable when one was not taken after several rounds.

        Raises ValueError for a FIFO message without group or deduplication id, before anything is sent.
        """
        entries = [_entry(queue, message) for message in messages]
        for batch in _batches(entries):
            self._send_batch(queue, batch)

    def _send_batch(self, queue: QueueName, batch: list[dict[str, Any]]) -> None:
        left = [{"Id": str(position), **entry} for position, entry in enumerate(batch)]
        for _ in range(ROUNDS):
            try:
                failed = self._sqs.send_batch(self._urls[queue], left)
            except QueueUnavailable as error:
                raise QueueUnavailable(f"{queue}: {error}") from error.__cause__
            if not failed:
                return
            _LOG.warning(
                "queue_refused_messages",
                extra={
                    "queue": queue.value,
                    "count": len(failed),
                    "codes": sorted({entry["Code"] for entry in failed}),
                },
            )
            if any(entry["SenderFault"] for entry in failed):
                break
            ids = {entry["Id"] for entry in failed}
            left = [entry for entry in left if entry["Id"] in ids]
        raise QueueUnavailable(f"{queue}: {len(left)} messages were not taken")


def _entry(queue: QueueName, message: Message) -> dict[str, Any]:
    body = json.dumps(dict(message.body), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    entry: dict[str, Any] = {"MessageBody": body}
    if queue is QueueName.BILLING:
        if not message.group or not message.dedupe:
            raise ValueError("a message of a FIFO queue needs its group and its deduplication id")
        entry |= {"MessageGroupId": message.group, "MessageDeduplicationId": message.dedupe}
    return entry


def _batches(entries: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for entry in entries:
        length = len(entry["MessageBody"].encode())
        if batch and (len(batch) == BATCH_MESSAGES or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += length
    if batch:
        yield batch
