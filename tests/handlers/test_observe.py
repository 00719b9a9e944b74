"""The stream of the event log: what is written is said and counted, and what cannot be read is where it stops."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.handlers import jobs
from chalicelib.handlers.boundary import until_failure


def record(number: str, name: str = "INSERT", type_: str = "payment.succeeded") -> dict[str, Any]:
    keys = {"merchant_id": {"S": "mer_pinewood"}, "id": {"S": f"evt_{number}"}}
    change = {"Keys": keys, "SequenceNumber": number}
    if name != "REMOVE":
        change["NewImage"] = {**keys, "type": {"S": type_}, "body": {"S": "{}"}}
    return {"eventName": name, "dynamodb": change}


def observe(*records: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = jobs.observe({"Records": list(records)}, None)
    return answer


def lines(capsys: pytest.CaptureFixture[str], event: str) -> list[dict[str, Any]]:
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in said if line["event"] == event]


def test_the_first_record_that_fails_is_named_and_none_after_it_is_handled() -> None:
    seen: list[str] = []

    def handle(change: Any) -> None:
        seen.append(change["SequenceNumber"])
        if change["SequenceNumber"] == "2":
            raise KeyError("unreadable")

    answer = until_failure({"Records": [record("1"), record("2"), record("3")]}, handle)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert seen == ["1", "2"]


def test_facts_that_an_operator_watches_are_counted_once_a_batch(capsys: pytest.CaptureFixture[str]) -> None:
    late = record("3", type_="subscription.past_due")
    assert observe(record("1"), record("2"), late, record("4", type_="customer.created")) == {"batchItemFailures": []}
    counted = lines(capsys, "metric")
    assert [(line.get("payments_succeeded"), line.get("subscriptions_past_due")) for line in counted] == [
        (2, None),
        (None, 1),
    ]


def test_each_fact_has_its_line_with_ids_and_nothing_of_what_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    observe(record("1"))
    (line,) = lines(capsys, "happened")
    assert {name: line[name] for name in ("type", "merchant", "what")} == {
        "type": "payment.succeeded",
        "merchant": "mer_pinewood",
        "what": "evt_1",
    }
    assert "body" not in line


@pytest.mark.parametrize("name", ["MODIFY", "REMOVE"])
def test_a_log_that_was_changed_is_an_error_and_a_count_for_the_alarm(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert observe(record("1", name)) == {"batchItemFailures": []}
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["level"] for line in said if line["event"] == "event_log_changed"] == ["error"]
    assert [line["event_log_changes"] for line in said if line["event"] == "metric"] == [1]


def test_an_event_that_this_code_does_not_know_stops_the_batch_there(capsys: pytest.CaptureFixture[str]) -> None:
    answer = observe(record("1"), record("2", type_="no.such_event"), record("3"))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert [line["payments_succeeded"] for line in lines(capsys, "metric")] == [1]
