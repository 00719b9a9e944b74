"""What AWS asks for what is counted: list prices of us-east-1 in US dollars, free tiers that never end taken off.

Sources, read in November 2026: aws.amazon.com/dynamodb/pricing/on-demand, aws.amazon.com/sqs/pricing,
aws.amazon.com/lambda/pricing, aws.amazon.com/cloudwatch/pricing, aws.amazon.com/ses/pricing. Tiers of the first year
are not taken off. Storage is left out: a thousand renewals keep about 10 MB, 0.0025 USD a month.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WRITE_UNIT: Final = 0.625 / 1e6
READ_UNIT: Final = 0.125 / 1e6
SQS_STANDARD: Final = 0.40 / 1e6
SQS_FIFO: Final = 0.50 / 1e6
SQS_FREE: Final = 1_000_000
"""Requests a month, over all queues."""
LAMBDA_REQUEST: Final = 0.20 / 1e6
LAMBDA_GB_SECOND: Final = 0.0000166667
LAMBDA_FREE_GB_SECONDS: Final = 400_000
LAMBDA_FREE_REQUESTS: Final = 1_000_000
ALARM: Final = 0.10
ALARMS_FREE: Final = 10
METRIC: Final = 0.30
METRICS_FREE: Final = 10
LOG_GB: Final = 0.50
LOGS_FREE_GB: Final = 5.0
MAIL: Final = 0.10 / 1_000

MONTH_SECONDS: Final = 30 * 86_400
POLLERS: Final = 5
"""Lambda reads an idle queue with five long polls of 20 seconds at a time
(https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html)."""
POLL_SECONDS: Final = 20
SWEEPS: Final = MONTH_SECONDS // 300
IDLE_METRICS: Final = ("timers_due", "oldest_due_lag", "invariant_violations", "undone")
"""What is emitted though nothing happens."""
LAMBDA_GB: Final = 0.5
SWEEP_SECONDS: Final = 0.3
"""How long an idle sweep takes on a Lambda of 512 MB: eight reads and what it imports, generously."""
AUDIT_GB_SECONDS: Final = 30 * 2.0 * 5
LOG_BYTES_A_SWEEP: Final = 2_000

TEMPLATE: Final = Path(__file__).resolve().parents[3] / "infra" / "template.json"


@dataclass(frozen=True)
class Cost:
    """One item of a bill."""

    what: str
    count: float
    dollars: float


def idle_month() -> list[Cost]:
    """What a deployment costs in a month in which nobody buys and nothing is due."""
    resources = json.loads(TEMPLATE.read_text("utf-8"))["Resources"].values()
    of_type = [str(resource.get("Type")) for resource in resources]
    alarms = of_type.count("AWS::CloudWatch::Alarm")
    polls = {"standard": 2, "fifo": 1}
    each = POLLERS * MONTH_SECONDS / POLL_SECONDS
    standard, fifo = polls["standard"] * each, polls["fifo"] * each
    free = min(SQS_FREE, standard)
    gb_seconds = SWEEPS * SWEEP_SECONDS * LAMBDA_GB + AUDIT_GB_SECONDS
    reads = SWEEPS * 8
    logged = SWEEPS * LOG_BYTES_A_SWEEP / 1e9
    return [
        Cost("queues: Lambda's long polls", standard + fifo, (standard - free) * SQS_STANDARD + fifo * SQS_FIFO),
        Cost("alarms", alarms, max(0, alarms - ALARMS_FREE) * ALARM),
        Cost("metrics", len(IDLE_METRICS), max(0, len(IDLE_METRICS) - METRICS_FREE) * METRIC),
        Cost("sweeps: read units", reads, reads * READ_UNIT),
        Cost("Lambda: GB-seconds", gb_seconds, max(0, gb_seconds - LAMBDA_FREE_GB_SECONDS) * LAMBDA_GB_SECOND),
        Cost("logs: GB", logged, max(0, logged - LOGS_FREE_GB) * LOG_GB),
    ]


def thousand_renewals(units: Mapping[str, float], charge_seconds: float, issue_seconds: float) -> list[Cost]:
    """What 1,000 renewals cost beyond that, by what one of them was counted to take; no free tier taken off.

    `units` are writes and reads of one renewal, to issue and to charge; the seconds are a Lambda's for one.
    """
    writes, reads = 1_000 * units["writes"], 1_000 * units["reads"]
    # Sent in tens, received in ones (billing) and fives (charges, and a mail each), deleted as they were received.
    fifo = 1_000 / 19 * (0.1 + 1 + 1)
    standard = 2 * 1_000 * (0.1 + 0.2 + 0.2)
    gb_seconds = 1_000 * (charge_seconds + issue_seconds + 0.2) * LAMBDA_GB
    return [
        Cost("write units", writes, writes * WRITE_UNIT),
        Cost("read units", reads, reads * READ_UNIT),
        Cost("queues: requests", fifo + standard, fifo * SQS_FIFO + standard * SQS_STANDARD),
        Cost("Lambda: GB-seconds", gb_seconds, gb_seconds * LAMBDA_GB_SECOND + 460 * LAMBDA_REQUEST),
        Cost("receipts by mail", 1_000, 1_000 * MAIL),
    ]
