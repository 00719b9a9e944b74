"""The jobs around Stripe's events: the nightly rule asks for every account, the worker reads each one's list."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from chalice.local import LambdaContext

from chalicelib import wiring
from chalicelib.domain.documents.intake import EventSweep
from chalicelib.handlers import jobs
from chalicelib.services.ports import ListedEvent, ProviderUnavailable, QueueName
from tests.handlers.conftest import SETTINGS
from tests.services.shop import ACCOUNT, Shop

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop that the jobs run on."""
    monkeypatch.setattr(wiring, "_root", wiring._Root())
    made = Shop()
    wiring.configure(SETTINGS, made.clock)
    wiring.replace_ports(made.ports)
    return made


def context(name: str) -> LambdaContext:
    return LambdaContext(function_name=name, memory_size=512, max_runtime_ms=30_000)


def fire(shop: Shop) -> Any:
    """The rule fires; what it answers."""
    names = ("version", "id", "detail-type", "account", "time", "region")
    tick = dict.fromkeys(names, "") | {"source": "aws.events", "resources": [], "detail": {}}
    return jobs.catch_up(tick, context("catch_up"))


def work(shop: Shop) -> Any:
    """Hand what waits to the worker; what it answers."""
    records = [
        {"messageId": f"message-{number}", "body": json.dumps(dict(message.body))}
        for number, message in enumerate(shop.queues.take(QueueName.WORK))
    ]
    return jobs.work({"Records": records}, context("work"))


def test_the_nightly_rule_and_the_worker_catch_up_with_a_dropped_event(shop: Shop) -> None:
    shop.stripe.fail("confirm_with_token", effect=True)
    shop.press(shop.buyer(shop.one_time))
    [intent] = shop.stripe.intents()
    data = {"id": intent.id, "metadata": dict(intent.metadata)}
    shop.stripe.events.append(ListedEvent("evt_1", "payment_intent.succeeded", ACCOUNT, False, shop.clock.now(), data))
    assert fire(shop) == {"accounts": 1}
    assert work(shop) == {"batchItemFailures": []}
    assert [payment.status for payment in shop.payments()] == ["succeeded"]
    assert [sweep.swept_to for sweep in shop.store.all(EventSweep)] == [shop.clock.now()]


def test_an_event_that_stays_undone_is_said_loudly(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.stripe.fail("confirm_with_token", effect=True)
    shop.press(shop.buyer(shop.one_time))
    [intent] = shop.stripe.intents()
    shop.stripe.events.append(
        ListedEvent("evt_1", "payment_intent.succeeded", ACCOUNT, False, shop.clock.now(), {"id": intent.id})
    )
    shop.stripe.fail("retrieve_intent", ProviderUnavailable("down"))
    fire(shop)
    assert work(shop) == {"batchItemFailures": []}
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR] == ["event_not_done"]


def test_a_list_that_cannot_be_read_comes_back(shop: Shop) -> None:
    shop.stripe.fail("list_events")
    fire(shop)
    assert work(shop) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


def allowed(policy: str) -> dict[str, set[str]]:
    """Each action of a policy, and the resources of the stack that it is for."""
    found: dict[str, set[str]] = {}
    for statement in json.loads((ROOT / ".chalice" / policy).read_text(encoding="utf-8"))["Statement"]:
        given = statement["Resource"]
        for resource in given if isinstance(given, list) else [given]:
            written = resource.get("Fn::Sub") or ".".join(resource["Fn::GetAtt"])
            for action in statement["Action"]:
                found.setdefault(action, set()).add(written)
    return found


def test_the_nightly_rule_may_list_and_hand_over_and_nothing_else() -> None:
    functions = json.loads((ROOT / ".chalice/config.json").read_text(encoding="utf-8"))["stages"]["production"]
    assert functions["lambda_functions"]["catch_up"]["iam_policy_file"] == "policy-catch_up.json"
    rights = allowed("policy-catch_up.json")
    rights.pop("logs:CreateLogStream")
    rights.pop("logs:PutLogEvents")
    assert rights == {
        "dynamodb:BatchGetItem": {"RecordsTable.Arn"},
        "dynamodb:Query": {"${RecordsTable.Arn}/index/by_merchant"},
        "sqs:SendMessage": {"WorkQueue.Arn", "ScheduleDeadQueue.Arn"},
    }


@pytest.mark.parametrize("policy", ["policy-web.json", "policy-charge.json", "policy-work.json"])
def test_who_calls_stripe_may_lease_tokens_for_it(policy: str) -> None:
    assert "RecordsTable.Arn" in allowed(policy)["dynamodb:UpdateItem"]
