"""The machine's queues and which job each one feeds, in the shape of an AWS event source mapping."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

# Six times the workers' time-out, as AWS asks of a queue that feeds a Lambda
# (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html).
VISIBILITY_SECONDS: Final = 180
TRIES: Final = 5
RETENTION_SECONDS: Final = 4 * 24 * 3600


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """A queue to make: its name, the function of the jobs module that it feeds, and messages per call."""

    name: str
    job: str
    batch_size: int
    fifo: bool = False

    @property
    def full_name(self) -> str:
        """The queue's name at SQS; a FIFO queue's must end so."""
        return f"till-{self.name}.fifo" if self.fifo else f"till-{self.name}"

    @property
    def dead_letter_name(self) -> str:
        """Where messages go that failed `TRIES` times."""
        return f"till-{self.name}-dead.fifo" if self.fifo else f"till-{self.name}-dead"


PLANS: Final = (
    QueuePlan("billing", job="bill", batch_size=1, fifo=True),
    QueuePlan("charges", job="charge", batch_size=5),
    QueuePlan("work", job="work", batch_size=10),
)


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue that exists, with its dead-letter queue."""

    plan: QueuePlan
    url: str
    arn: str
    dead_letter_url: str


def create_queues(sqs: Any) -> tuple[Queue, ...]:
    """Make every queue and its dead-letter queue with a boto3 client; doing it again changes nothing."""
    return tuple(_create(sqs, plan) for plan in PLANS)


def _create(sqs: Any, plan: QueuePlan) -> Queue:
    kind = {"FifoQueue": "true"} if plan.fifo else {}
    dead = sqs.create_queue(QueueName=plan.dead_letter_name, Attributes=kind)["QueueUrl"]
    redrive = {"deadLetterTargetArn": _arn(sqs, dead), "maxReceiveCount": TRIES}
    url = sqs.create_queue(
        QueueName=plan.full_name,
        Attributes={
            **kind,
            "VisibilityTimeout": str(VISIBILITY_SECONDS),
            "MessageRetentionPeriod": str(RETENTION_SECONDS),
            "RedrivePolicy": json.dumps(redrive),
        },
    )["QueueUrl"]
    return Queue(plan, url, _arn(sqs, url), dead)


def _arn(sqs: Any, url: str) -> str:
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
