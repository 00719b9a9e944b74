"""How often a renewal goes to the database and to Stripe, counted on the wire: these are exact, and kept."""

from __future__ import annotations

from collections import Counter

from tests.bench.renewals import TOGETHER, renewal_trips


def test_a_renewal_is_one_read_and_one_transaction_to_issue_alone_and_three_calls_for_nineteen(
    dynamodb_endpoint: str,
) -> None:
    alone, together = renewal_trips(dynamodb_endpoint)
    assert alone.issue == Counter(BatchGetItem=1, TransactWriteItems=1)
    # A transaction has no room for nineteen and the timers that they make stale, so these go in one after it.
    assert together.issue == Counter(BatchGetItem=1, TransactWriteItems=2)
    assert (alone.count, together.count) == (1, TOGETHER)
