"""A queue server on the machine's clock, without the rest of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from infra.local.aws_server import AwsServer
from infra.local.clock import LocalClock
from infra.local.queues import Queue, create_queues

REGION = "us-east-1"
START = datetime(2027, 1, 31, 20, 30, tzinfo=UTC)


@dataclass
class Cloud:
    """SQS and SES on one clock, which stands at START."""

    clock: LocalClock
    server: AwsServer
    endpoint: str
    sqs: Any
    queues: dict[str, Queue]

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def receive(self, name: str, *, dead: bool = False) -> list[dict[str, Any]]:
        queue = self.queues[name]
        answer = self.sqs.receive_message(
            QueueUrl=queue.dead_letter_url if dead else queue.url,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def send(self, name: str, body: str, **more: str) -> None:
        self.sqs.send_message(QueueUrl=self.queues[name].url, MessageBody=body, **more)


@pytest.fixture(scope="module")
def _server() -> Iterator[Cloud]:
    clock = LocalClock(lambda: START)
    server = AwsServer(clock, REGION)
    endpoint = server.start()
    cloud = Cloud(clock, server, endpoint, None, {})
    cloud.sqs = cloud.client("sqs")
    cloud.queues = {queue.plan.name: queue for queue in create_queues(cloud.sqs)}
    yield cloud
    server.stop()


@pytest.fixture
def cloud(_server: Cloud) -> Cloud:
    _server.server.forget()
    _server.clock.release()
    return _server
