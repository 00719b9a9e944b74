"""The Stripe sandbox as a process of its own, held to Stripe's limits; told by lines on its input what to say.

    python -m tests.bench.billing.stripe_process

It says its address first, then for each line `counts` what was charged and refused, as JSON.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import UTC, datetime
from typing import Final

from infra.local.stripe_sandbox import StripeSandbox

ACCOUNT: Final = "acct_bench"
SECRET_KEY: Final = "sk_test_bench_0001"
PUBLISHABLE_KEY: Final = "pk_test_bench_0001"
STRIPE_LIMITS: Final = (25, 100)
"""Requests a second to one endpoint, and in all (live mode, https://docs.stripe.com/rate-limits)."""


def say(line: str) -> None:
    """One line of output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the input ends."""
    sandbox = StripeSandbox(
        clock=lambda: datetime.now(UTC),
        secret_key=SECRET_KEY,
        publishable_key=PUBLISHABLE_KEY,
        rate_limits=STRIPE_LIMITS,
    )
    sandbox.add_account(ACCOUNT)
    say(sandbox.start())
    for line in sys.stdin:
        assert line.strip() == "counts", line
        intents = [each for each in sandbox.listing("payment_intents") if each["status"] == "succeeded"]
        taken = [each for each in sandbox.listing("charges") if each["status"] == "succeeded"]
        charges = Counter(each["payment_intent"] for each in taken)
        owners = Counter(each["metadata"].get("till_invoice") for each in intents)
        found = {
            "succeeded": len(intents),
            "charged_twice": sum(count > 1 for count in charges.values()),
            "invoices_twice": sum(count > 1 for owner, count in owners.items() if owner is not None),
            "refused": sandbox.rate_limited,
        }
        say(json.dumps(found))
    sandbox.stop()


if __name__ == "__main__":
    main()
