"""The straightforward app's renewals in a process of its own, on tables of its own.

    python -m tests.bench.billing.straightforward_process

One JSON line of orders on its input is followed by one of results on its output: `{"do": "fill", "count": 1000}`,
`{"do": "issue", "count": 200}`, `{"do": "charge", "threads": 8}`, `{"do": "scan"}`. Its environment is the app's.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import stripe

BASELINE = Path(__file__).resolve().parents[1] / "baseline"
sys.path.insert(0, str(BASELINE))
import app as shop  # type: ignore[import-not-found] # noqa: E402 - the app as it is deployed, by its own name

ACCOUNT = sys.argv[1]


class Renewals:
    """The app's tables, and what is done to them."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, Any, Any]] = deque()
        self._count = 0
        for model in shop.MODELS:
            model.create_table(billing_mode="PAY_PER_REQUEST", wait=False)
        self._merchant = shop.Merchant(
            "mer_pinewood",
            name="Pinewood Studio",
            timezone="Etc/UTC",
            country="US",
            currency="usd",
            stripe_account=ACCOUNT,
            ready=True,
            created_at=datetime.now(UTC),
        )
        self._merchant.save()
        buyer = shop.client.v1.customers.create({"email": "anna@example.com"}, {"stripe_account": ACCOUNT})
        card = shop.client.v1.payment_methods.attach(
            "pm_card_visa", {"customer": buyer.id}, {"stripe_account": ACCOUNT}
        )
        self._buyer, self._card = buyer.id, card.id
        # What is issued waits for its charge, so that the two are measured apart.
        shop.charge, self._charge = lambda *paid: self._waiting.append(paid), shop.charge

    def fill(self, count: int, due: bool) -> dict[str, Any]:
        """Subscriptions, due an hour ago or in two weeks."""
        next_at = datetime.now(UTC) + (timedelta(hours=-1) if due else timedelta(days=14))
        ids = [uuid.uuid4().hex for _ in range(count)]
        line = shop.Line(name="Membership", quantity=1, unit_amount=4_900)
        if due:
            with shop.Customer.batch_write() as batch:
                for each in ids:
                    batch.save(
                        shop.Customer(
                            f"cus_{each}",
                            merchant_id="mer_pinewood",
                            email=f"{each}@example.com",
                            name="Ada Byron",
                            created_at=next_at,
                        )
                    )
        with shop.Subscription.batch_write() as batch:
            for each in ids:
                batch.save(
                    shop.Subscription(
                        each,
                        merchant_id="mer_pinewood",
                        customer_id=f"cus_{each}",
                        currency="usd",
                        lines=[line],
                        total=4_900,
                        stripe_customer=self._buyer,
                        stripe_method=self._card,
                        next_at=next_at,
                    )
                )
        return {"ids": ids if due else []}

    def issue(self, ids: list[str]) -> dict[str, Any]:
        """One after the other, as one worker does."""
        began, cpu = time.monotonic(), time.process_time()
        for each in ids:
            shop.renew(each)
        return {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}

    def charge(self, threads: int, count: int) -> dict[str, Any]:
        """What was issued, by so many threads that know nothing of each other; what Stripe refuses is lost."""
        paid = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]

        def one(each: tuple[Any, Any, Any]) -> bool:
            try:
                self._charge(*each)
            except stripe.RateLimitError:
                return False
            return True

        began, cpu = time.monotonic(), time.process_time()
        with ThreadPoolExecutor(threads) as pool:
            done = list(pool.map(one, paid))
        return {
            "charged": sum(done),
            "lost": len(done) - sum(done),
            "seconds": time.monotonic() - began,
            "cpu": time.process_time() - cpu,
        }

    def scan(self) -> dict[str, Any]:
        """What is due, as a scheduler finds it that has no index of it."""
        found = shop.Subscription.scan(shop.Subscription.next_at <= datetime.now(UTC))
        return {"due": sum(1 for _ in found)}


def say(line: str) -> None:
    """One line of output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Do what is ordered until the input ends."""
    renewals = Renewals()
    say(json.dumps({"ready": True}))
    for line in sys.stdin:
        order = json.loads(line)
        say(json.dumps(getattr(renewals, order.pop("do"))(**order)))


if __name__ == "__main__":
    main()
