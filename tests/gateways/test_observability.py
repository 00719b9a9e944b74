"""Log lines and metrics: one JSON object each, and nothing in them that is nobody's business."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest

from chalicelib.observability import WITHHELD, emit_metric, get_logger, scrub, set_up_logging, withhold


@pytest.fixture(autouse=True)
def root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_is_one_json_object_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    get_logger("till.test").info("request", extra={"route": "/pay/{slug}/{token_}", "status": 200, "merchant": "mer_a"})
    (line,) = lines(capsys)
    at = datetime.fromisoformat(line.pop("time"))
    assert at.tzinfo == UTC
    assert line == {
        "level": "info",
        "logger": "till.test",
        "event": "request",
        "route": "/pay/{slug}/{token_}",
        "status": 200,
        "merchant": "mer_a",
    }


def test_setting_up_twice_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging()
    set_up_logging()
    get_logger("till.test").info("once")
    assert [line["event"] for line in lines(capsys)] == ["once"]


def test_lambdas_own_handler_is_taken_off(capsys: pytest.CaptureFixture[str]) -> None:
    class LambdaLoggerHandler(logging.StreamHandler):  # type: ignore[type-arg]
        pass

    LambdaLoggerHandler.__module__ = "awslambdaric.bootstrap"
    logging.getLogger().addHandler(LambdaLoggerHandler())
    get_logger("till.test").info("once")
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert captured.err == ""


def test_other_loggers_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging()
    logging.getLogger("botocore").info("chatter")
    logging.getLogger("botocore").warning("trouble")
    assert [line["event"] for line in lines(capsys)] == ["trouble"]


@pytest.mark.parametrize(
    "name",
    ["token", "confirmation_token", "client_secret", "secret", "Authorization", "email", "customerEmail", "card",
     "card_number", "api_key", "set-cookie", "password", "body", "address"],
)  # fmt: skip
def test_a_value_under_a_telling_name_is_never_written(capsys: pytest.CaptureFixture[str], name: str) -> None:
    get_logger("till.test").info("event", extra={name: "the value", "nested": {name: ["the value"]}})
    (line,) = lines(capsys)
    assert line[name] == WITHHELD
    assert line["nested"] == {name: WITHHELD}
    assert "the value" not in json.dumps(line)


@pytest.mark.parametrize(
    "text",
    [
        "sk_live_abcdefgh12345678",
        "rk_test_abcdefgh12345678",
        "whsec_c2VjcmV0c2VjcmV0",
        "till_3fK9-sdfkj23_sdfkjh23kjh",
        "pi_123_secret_456abc",
        "Bearer abc.def-ghi",
        "ada.lovelace+till@buyer.example",
        "01MCCKG2KV0000000000000001AAAAAAAAAAAAAAAAAAAAAg",
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "378282246310005",
    ],
)
def test_what_looks_like_a_secret_is_taken_out_of_any_text(text: str) -> None:
    assert scrub(f"before {text} after") == f"before {WITHHELD} after"


@pytest.mark.parametrize(
    "text",
    [
        "inv_01MCCKG2KV0000000000000001",
        "pi_3PqRst000000000000000000",
        "req_1",
        "2027-01-15T12:00:00.123Z",
        "acct_1Abc",
        "1234567890",
        "TransactWriteItems",
    ],
)
def test_ids_times_and_names_stay(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize("piece", ["a", "pi_", "pi_a_secret", "1 ", "a@", "Bearer "])
def test_a_long_text_is_cut_and_costs_little(piece: str) -> None:
    began = time.perf_counter()
    assert len(scrub(piece * 1_000_000)) <= 2 * 8_192
    assert time.perf_counter() - began < 1.0


def test_values_of_every_kind_can_be_logged() -> None:
    class Colour(StrEnum):
        RED = "red"

    class Odd:
        def __repr__(self) -> str:
            return "Odd(ada@buyer.example)"

    assert withhold("a", Colour.RED) == "red"
    assert withhold("a", datetime(2027, 1, 15, tzinfo=UTC)) == "2027-01-15T00:00:00+00:00"
    assert withhold("a", (1, 2.5, None, True)) == [1, 2.5, None, True]
    assert withhold("a", Odd()) == f"Odd({WITHHELD})"
    assert withhold("token", None) is None


def test_an_exception_is_named_with_its_place_its_cause_and_a_scrubbed_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken() -> None:
        try:
            raise KeyError("ada@buyer.example")
        except KeyError as error:
            raise ValueError("the key sk_live_abcdefgh12345678 is wrong") from error

    try:
        broken()
    except ValueError:
        get_logger("till.test").exception("failed")
    (line,) = lines(capsys)
    assert line["level"] == "error"
    assert line["error"]["type"] == "builtins.ValueError"
    assert line["error"]["message"] == f"the key {WITHHELD} is wrong"
    assert line["error"]["at"][-1].endswith(" broken")
    assert line["error"]["cause"]["type"] == "builtins.KeyError"
    assert "ada@buyer.example" not in json.dumps(line)


def test_a_metric_is_a_line_in_the_embedded_metric_format(capsys: pytest.CaptureFixture[str]) -> None:
    emit_metric("ChargesDeclined", 3, stage="prod", kind="renewal")
    (line,) = lines(capsys)
    assert line["ChargesDeclined"] == 3
    assert (line["stage"], line["kind"]) == ("prod", "renewal")
    stamp = line["_aws"]["Timestamp"]
    assert datetime.fromtimestamp(stamp / 1000, UTC).isoformat(timespec="milliseconds") == line["time"]
    assert line["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "Till",
            "Dimensions": [["kind", "stage"]],
            "Metrics": [{"Name": "ChargesDeclined", "Unit": "Count"}],
        }
    ]
