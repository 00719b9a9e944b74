"""How often a renewal goes to the database and to Stripe, counted on the wire: these numbers are exact, and kept."""

from __future__ import annotations

from collections import Counter

from tests.bench.renewals import TOGETHER, renewal_trips


def test_a_renewal_takes_five_calls_and_two_of_stripe_alone_and_nineteen_together_three_to_be_issued(
    dynamodb_endpoint: str,
) -> None:
    alone, together = renewal_trips(dynamodb_endpoint)
    assert alone.issue == Counter(BatchGetItem=1, TransactWriteItems=1)
    assert alone.charge == Counter(BatchGetItem=1, TransactWriteItems=2)
    # A transaction has no room for nineteen and the timers that they make stale, so these go in one after it.
    assert together.issue == Counter(BatchGetItem=1, TransactWriteItems=2)
    assert together.charge == Counter(BatchGetItem=TOGETHER, TransactWriteItems=2 * TOGETHER)
    assert (alone.count, alone.stripe) == (1, 2)
    assert (together.count, together.stripe) == (TOGETHER, 2 * TOGETHER)
    assert alone.database == 5
