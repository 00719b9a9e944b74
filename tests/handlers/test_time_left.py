"""Workers look at the time that Lambda leaves them, and begin nothing that AWS would end in the middle."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from chalice.app import SQSEvent

from chalicelib import wiring
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.handlers import jobs
from chalicelib.handlers.boundary import each_message
from chalicelib.handlers.time_left import TO_CHARGE, TO_ISSUE, TO_SWEEP, TO_WORK, enough_for
from chalicelib.services.ports import QueueName
from tests.services.shop import Shop


@dataclass
class Context:
    """Lambda's, with a clock that runs as a test says: so many seconds are left, less with each look."""

    left: float
    each_look: float = 0.0
    aws_request_id: str = "1"
    looks: list[float] = field(default_factory=list)

    def get_remaining_time_in_millis(self) -> int:
        """See https://docs.aws.amazon.com/lambda/latest/dg/python-context.html."""
        self.looks.append(self.left)
        now, self.left = self.left, self.left - self.each_look
        return int(now * 1000)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop()
    monkeypatch.setattr(wiring, "worker_ports", lambda: made.ports)
    monkeypatch.setattr(wiring, "facts", lambda: _Facts())
    return made


@dataclass
class _Facts:
    daily_bounds: tuple[int, int] | None = None


def batch(*bodies: Mapping[str, Any]) -> dict[str, Any]:
    return {"Records": [{"messageId": f"m{n}", "body": json.dumps(dict(body))} for n, body in enumerate(bodies)]}


def taken(shop: Shop, queue: QueueName) -> list[Mapping[str, Any]]:
    return [message.body for message in shop.queues.take(queue)]


def tick(shop: Shop, context: Context | None = None) -> Any:
    event = {
        "version": "0", "account": "1", "region": "us-east-1", "detail": {}, "detail-type": "", "source": "aws.events",
        "time": "", "id": "1", "resources": [],
    }  # fmt: skip
    return jobs.sweep(event, context)


def test_there_is_enough_time_as_long_as_lambda_says_so_and_always_where_nobody_ends_the_work() -> None:
    assert enough_for(SQSEvent({}, Context(20.0)), 20.0)()
    assert not enough_for(SQSEvent({}, Context(19.9)), 20.0)()
    assert enough_for(SQSEvent({}, None), 20.0)()
    assert enough_for({"Records": []}, 20.0)()


def test_every_job_has_more_time_than_it_wants_to_have_left() -> None:
    with open(".chalice/config.json", encoding="utf-8") as config:
        plan = json.load(config)["stages"]["production"]["lambda_functions"]
    wanted = {"sweep": TO_SWEEP, "bill": TO_ISSUE, "charge": TO_CHARGE, "work": TO_WORK}
    assert [name for name, seconds in wanted.items() if plan[name]["lambda_timeout"] < seconds + 30] == []


def test_messages_without_time_left_are_neither_handled_nor_reported_and_it_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[int] = []
    answers = iter([True, False])
    with caplog.at_level(logging.INFO, logger="till"):
        said = each_message(
            batch({"n": 0}, {"n": 1}, {"n": 2}, {"n": 3}),
            lambda body: done.append(body["n"]),
            enough_time=lambda: next(answers),
        )
    assert (done, said) == ([0, 1], {"batchItemFailures": []})
    [line] = [record for record in caplog.records if record.getMessage() == "left_to_the_next_sweep"]
    assert vars(line)["messages"] == 2


def renewals(shop: Shop, count: int) -> None:
    for _ in range(count):
        shop.subscribe()
    shop.settle()
    shop.clock.set(max(each.due for each in shop.store.timers))


def test_a_charge_worker_leaves_what_it_has_no_time_for_and_the_next_sweep_sends_it_again(shop: Shop) -> None:
    renewals(shop, 3)
    tick(shop)
    for body in taken(shop, QueueName.BILLING):
        jobs.bill(batch(body), Context(120.0))
    tick(shop)
    charges = taken(shop, QueueName.CHARGES)
    assert jobs.charge(batch(*charges), Context(120.0, each_look=60.0)) == {"batchItemFailures": []}
    assert len(shop.succeeded()) == 3 + 2
    tick(shop)
    left = taken(shop, QueueName.CHARGES)
    assert len(left) == 1
    jobs.charge(batch(*left), Context(120.0))
    assert len(shop.succeeded()) == 3 + 3
    assert [each for each in shop.store.timers if each.kind is TimerKind.CHARGE_INVOICE] == []


def test_a_billing_worker_stops_between_two_transactions_and_the_next_sweep_goes_on(shop: Shop) -> None:
    renewals(shop, 2)
    shop.after(days=62)
    tick(shop)
    timers = [each for one in taken(shop, QueueName.BILLING) for each in one["timers"]]
    body = {"merchant_id": shop.merchant.id, "timers": timers}
    assert jobs.bill(batch(body), Context(60.0, each_look=45.0)) == {"batchItemFailures": []}
    assert len([each for each in shop.invoices() if each.checkout_id is None]) == 2 * 2
    tick(shop)
    for each in taken(shop, QueueName.BILLING):
        jobs.bill(batch(each), Context(60.0))
    assert len([each for each in shop.invoices() if each.checkout_id is None]) == 2 * 3


def test_a_sweep_stops_reading_when_time_is_short(shop: Shop) -> None:
    renewals(shop, 6)
    context = Context(40.0, each_look=10.0)
    said = tick(shop, context)
    assert said["due"] < 6
    assert [left for left in context.looks if left >= TO_SWEEP] == [40.0, 30.0, 20.0]
    assert tick(shop)["due"] == 6


def metrics_of(caplog: pytest.LogCaptureFixture) -> dict[str, float]:
    found: dict[str, float] = {}
    for record in caplog.records:
        described = vars(record).get("_metrics")
        if described is not None:
            name = described["Metrics"][0]["Name"]
            found[name] = found.get(name, 0) + vars(record)[name]
    return found


def run(shop: Shop, caplog: pytest.LogCaptureFixture, work: Callable[[], object]) -> dict[str, float]:
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="till"):
        work()
    return metrics_of(caplog)


def test_an_operator_sees_what_is_due_issued_held_charged_and_failed_and_how_late(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    renewals(shop, 2)
    shop.after(days=8)
    said = run(shop, caplog, lambda: tick(shop))
    assert said == {"timers_due": 2, "oldest_due_lag": 8 * 86_400}
    bodies = taken(shop, QueueName.BILLING)
    said = run(shop, caplog, lambda: [jobs.bill(batch(each), None) for each in bodies])
    assert said == {"invoices_issued": 2, "invoices_held": 2}
    shop.clock.set(max(each.due for each in shop.store.timers))
    method = shop.subscription(shop.invoices()[0].subscription_id or "").method
    assert method is not None
    shop.stripe.behave(method.payment_method_id, "pm_card_chargeCustomerFail")
    tick(shop)
    for each in taken(shop, QueueName.BILLING):
        jobs.bill(batch(each), None)
    tick(shop)
    charges = taken(shop, QueueName.CHARGES)
    said = run(shop, caplog, lambda: jobs.charge(batch(*charges), None))
    assert said == {"invoices_charged": 1, "charges_failed": 1}


def test_a_merchant_that_is_parked_is_counted_and_named(
    shop: Shop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "facts", lambda: _Facts((1, 1)))
    renewals(shop, 2)
    tick(shop)
    bodies = taken(shop, QueueName.BILLING)
    said = run(shop, caplog, lambda: [jobs.bill(batch(each), None) for each in bodies])
    assert said == {"invoices_issued": 1, "merchants_parked": 1}
    [line] = [record for record in caplog.records if record.getMessage() == "merchant_parked"]
    assert vars(line)["merchant"] == shop.merchant.id
