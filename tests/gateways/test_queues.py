"""What the queues promise, the fake and SQS (on moto) alike; and how SQS's own failures are met."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from chalicelib.gateways.queues import SqsQueues
from chalicelib.gateways.sqs import BotocoreSqs
from chalicelib.services.ports import Message, QueueName, Queues, QueueUnavailable
from tests.fakes.world import FakeClock, FakeQueues

REGION = "us-east-1"


@dataclass(frozen=True)
class QueueSettings:
    region: str = REGION
    aws_endpoint: str | None = None
    billing_queue_url: str = "https://sqs.example/billing.fifo"
    charges_queue_url: str = "https://sqs.example/charges"
    work_queue_url: str = "https://sqs.example/work"


class QueueWorld(Protocol):
    queues: Queues

    def received(self, queue: QueueName) -> list[Message]: ...


class FakeQueueWorld:
    def __init__(self) -> None:
        self.fake = FakeQueues(FakeClock())
        self.queues: Queues = self.fake

    def received(self, queue: QueueName) -> list[Message]:
        return self.fake.take(queue)


class MotoQueueWorld:
    def __init__(self) -> None:
        self.sqs = boto3.client("sqs", region_name=REGION)
        fifo = {"FifoQueue": "true"}
        self.urls = {
            QueueName.BILLING: self.sqs.create_queue(QueueName="billing.fifo", Attributes=fifo)["QueueUrl"],
            QueueName.CHARGES: self.sqs.create_queue(QueueName="charges")["QueueUrl"],
            QueueName.WORK: self.sqs.create_queue(QueueName="work")["QueueUrl"],
        }
        self.queues: Queues = SqsQueues(
            QueueSettings(
                billing_queue_url=self.urls[QueueName.BILLING],
                charges_queue_url=self.urls[QueueName.CHARGES],
                work_queue_url=self.urls[QueueName.WORK],
            )
        )

    def received(self, queue: QueueName) -> list[Message]:
        found: list[Message] = []
        while True:
            batch = self.sqs.receive_message(
                QueueUrl=self.urls[queue], MaxNumberOfMessages=10, AttributeNames=["All"]
            ).get("Messages", [])
            if not batch:
                return found
            for message in batch:
                attributes: Any = message["Attributes"]
                group, dedupe = attributes.get("MessageGroupId"), attributes.get("MessageDeduplicationId")
                found.append(Message(json.loads(message["Body"]), group, dedupe))
                self.sqs.delete_message(QueueUrl=self.urls[queue], ReceiptHandle=message["ReceiptHandle"])


@pytest.fixture(params=["fake", "moto"])
def queue_world(request: pytest.FixtureRequest) -> Iterator[QueueWorld]:
    if request.param == "fake":
        yield FakeQueueWorld()
        return
    with mock_aws():
        yield MotoQueueWorld()


def test_messages_arrive_at_the_queue_they_were_sent_to(queue_world: QueueWorld) -> None:
    queue_world.queues.send(QueueName.WORK, [Message({"job": "mail", "id": "mai_1", "name": "Zoë"})])
    assert queue_world.received(QueueName.CHARGES) == []
    assert queue_world.received(QueueName.WORK) == [Message({"job": "mail", "id": "mai_1", "name": "Zoë"})]


def test_more_than_a_batch_arrives_whole(queue_world: QueueWorld) -> None:
    queue_world.queues.send(QueueName.CHARGES, [Message({"n": n}) for n in range(23)])
    assert sorted(message.body["n"] for message in queue_world.received(QueueName.CHARGES)) == list(range(23))


def test_nothing_to_send_sends_nothing(queue_world: QueueWorld) -> None:
    queue_world.queues.send(QueueName.WORK, [])
    assert queue_world.received(QueueName.WORK) == []


def test_a_fifo_message_carries_its_group_and_its_deduplication_id(queue_world: QueueWorld) -> None:
    message = Message({"subscriptions": ["sub_1"]}, group="mer_demo", dedupe="sub_1#4")
    queue_world.queues.send(QueueName.BILLING, [message])
    assert queue_world.received(QueueName.BILLING) == [message]


def test_a_fifo_message_sent_twice_within_five_minutes_arrives_once(queue_world: QueueWorld) -> None:
    message = Message({"subscriptions": ["sub_1"]}, group="mer_demo", dedupe="sub_1#4")
    queue_world.queues.send(QueueName.BILLING, [message])
    queue_world.queues.send(QueueName.BILLING, [message])
    assert queue_world.received(QueueName.BILLING) == [message]


@pytest.mark.parametrize("message", [Message({}, group="mer_demo"), Message({}, dedupe="d"), Message({})])
def test_a_fifo_message_without_its_ids_is_a_mistake_and_nothing_is_sent(
    queue_world: QueueWorld, message: Message
) -> None:
    good = Message({"n": 1}, group="mer_demo", dedupe="d1")
    with pytest.raises(ValueError, match="group"):
        queue_world.queues.send(QueueName.BILLING, [good, message])
    assert queue_world.received(QueueName.BILLING) == []


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_a_body_that_is_no_json_is_a_mistake(queue_world: QueueWorld, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        queue_world.queues.send(QueueName.WORK, [Message({"value": value})])
    assert queue_world.received(QueueName.WORK) == []


def test_the_fake_forgets_a_deduplication_id_after_five_minutes() -> None:
    clock = FakeClock()
    queues = FakeQueues(clock)
    message = Message({}, group="mer_demo", dedupe="d")
    queues.send(QueueName.BILLING, [message])
    clock.advance(timedelta(minutes=5))
    queues.send(QueueName.BILLING, [message])
    assert queues.waiting(QueueName.BILLING) == [message, message]


def test_the_fake_fails_when_told_to_and_sends_nothing() -> None:
    queues = FakeQueues(FakeClock())
    queues.fail_next()
    with pytest.raises(QueueUnavailable):
        queues.send(QueueName.WORK, [Message({"n": 1})])
    assert queues.waiting(QueueName.WORK) == []
    queues.send(QueueName.WORK, [Message({"n": 2})])
    assert queues.bodies(QueueName.WORK) == [{"n": 2}]


# --- SQS's own failures -----------------------------------------------------------------------------------------------


class ScriptedSqs:
    """A client of SQS that answers as it is told."""

    def __init__(self, *answers: Callable[[list[dict[str, Any]]], dict[str, Any]]) -> None:
        self.answers = list(answers)
        self.sent: list[list[dict[str, Any]]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.sent.append(Entries)
        return self.answers.pop(0)(Entries)


def scripted(*answers: Callable[[list[dict[str, Any]]], dict[str, Any]]) -> tuple[SqsQueues, ScriptedSqs]:
    queues, sqs = SqsQueues(QueueSettings()), ScriptedSqs(*answers)
    vars(queues)["_sqs"] = BotocoreSqs(sqs)
    return queues, sqs


def taken(_: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Successful": []}


def failing(*positions: int, sender: bool = False) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    def answer(entries: list[dict[str, Any]]) -> dict[str, Any]:
        code = "InvalidMessageContents" if sender else "InternalError"
        return {
            "Failed": [{"Id": entries[p]["Id"], "SenderFault": sender, "Code": code} for p in positions],
        }

    return answer


def test_what_a_batch_left_behind_is_sent_again_alone() -> None:
    queues, sqs = scripted(failing(1, 3), taken)
    queues.send(QueueName.WORK, [Message({"n": n}) for n in range(5)])
    assert [[json.loads(entry["MessageBody"])["n"] for entry in batch] for batch in sqs.sent] == [
        [0, 1, 2, 3, 4],
        [1, 3],
    ]


def test_messages_that_are_never_taken_are_reported_after_three_rounds() -> None:
    queues, sqs = scripted(failing(0), failing(0), failing(0))
    with pytest.raises(QueueUnavailable, match="1 messages"):
        queues.send(QueueName.WORK, [Message({"n": 0}), Message({"n": 1})])
    assert [len(batch) for batch in sqs.sent] == [2, 1, 1]


def test_a_message_that_sqs_will_never_take_is_not_repeated() -> None:
    queues, sqs = scripted(failing(0, sender=True))
    with pytest.raises(QueueUnavailable):
        queues.send(QueueName.WORK, [Message({"n": 0})])
    assert len(sqs.sent) == 1


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ServiceUnavailable"}}, "SendMessageBatch"),
        EndpointConnectionError(endpoint_url="https://sqs.example"),
    ],
)
def test_an_sqs_that_does_not_answer_is_unavailable(error: Exception) -> None:
    def refuse(_: list[dict[str, Any]]) -> dict[str, Any]:
        raise error

    queues, _ = scripted(refuse)
    with pytest.raises(QueueUnavailable) as unavailable:
        queues.send(QueueName.WORK, [Message({"n": 0})])
    assert unavailable.value.__cause__ is error


def test_batches_stay_below_the_limits_of_count_and_size() -> None:
    queues, sqs = scripted(taken, taken, taken)
    queues.send(QueueName.WORK, [Message({"text": "x" * 100_000}) for _ in range(5)])
    assert [len(batch) for batch in sqs.sent] == [2, 2, 1]
    assert all(len({entry["Id"] for entry in batch}) == len(batch) for batch in sqs.sent)
