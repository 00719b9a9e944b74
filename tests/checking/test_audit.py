"""The nightly audit, what its Lambda may do, and the command that asks a running machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.services.ports import ProviderUnavailable
from infra.local import check
from tests.checking.broken import in_doubt, paid
from tests.services.shop import Shop

ROOT = Path(__file__).resolve().parents[2]
CONTEXT: Any = None


@pytest.fixture
def nightly(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """The job, wired to the shop."""
    from chalicelib.handlers import jobs

    monkeypatch.setattr(wiring, "_root", wiring._Root())
    wiring.replace_ports(shop.ports, shop.inspection, shop.ledger)
    tick = {"source": "aws.events", "account": "", "time": "", "region": "", "resources": [], "detail": {},
            "version": "0", "id": "", "detail-type": ""}  # fmt: skip
    return lambda: jobs.audit(tick, CONTEXT)


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.getMessage() == event]


def metrics(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    found = [(each["_metrics"]["Metrics"][0]["Name"], each) for each in told(caplog, "metric")]
    return {name: each[name] for name, each in found}


def test_the_audit_counts_what_it_looked_at_and_tells_nothing_where_all_holds(
    shop: Shop, nightly, caplog: pytest.LogCaptureFixture
) -> None:
    in_doubt(shop)
    caplog.set_level("INFO")
    result = nightly()
    assert (result["violations"], result["undone"], result["counted"]["checkouts"]) == (0, 2, 1)
    assert told(caplog, "invariant_violated") == []
    assert metrics(caplog) == {"invariant_violations": 0, "undone": 2}


def test_the_audit_logs_each_violation_as_an_error_and_counts_them(
    shop: Shop, nightly, caplog: pytest.LogCaptureFixture
) -> None:
    invoice = paid(shop)
    shop.store.overwrite(replace(invoice, snapshot=None))
    caplog.set_level("INFO")
    assert nightly()["violations"] == 1
    [line] = told(caplog, "invariant_violated")
    assert (line["levelname"], line["invariant"], line["record"], line["found"]) == (
        "ERROR",
        "I12",
        invoice.id,
        "it is issued without a snapshot or a time",
    )
    assert metrics(caplog)["invariant_violations"] == 1


def test_an_audit_that_could_not_read_everything_fails_loudly(shop: Shop, nightly) -> None:
    paid(shop)

    class Down:
        def intents(self, account: str | None) -> Iterator[Any]:
            raise ProviderUnavailable("down")

    wiring.replace_ports(shop.ports, shop.inspection, Down())  # type: ignore[arg-type]  # it never gets further
    with pytest.raises(ProviderUnavailable):
        nightly()


def test_the_audits_lambda_reads_all_three_tables_and_writes_nothing_but_its_tokens() -> None:
    config = json.loads((ROOT / ".chalice/config.json").read_text())
    lambda_ = config["stages"]["production"]["lambda_functions"]["audit"]
    policy = json.loads((ROOT / ".chalice" / lambda_["iam_policy_file"]).read_text())
    allowed = {
        (action, resource["Fn::GetAtt"][0])
        for statement in policy["Statement"]
        for action in statement["Action"]
        for resource in (statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]])
        if action.startswith("dynamodb:")
    }
    assert allowed == {
        ("dynamodb:Scan", "RecordsTable"),
        ("dynamodb:Scan", "EventsTable"),
        ("dynamodb:Scan", "TimersTable"),
        ("dynamodb:UpdateItem", "RecordsTable"),
    }
    assert lambda_["lambda_timeout"] == 900


# --- the command


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, Any]]]:
    """A control plane that answers one thing, which the test puts into the list."""
    answers: list[tuple[int, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/check"
            status, body = answers[0]
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("TILL_CONTROL_PORT", str(server.server_address[1]))
    try:
        yield answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_command_prints_what_was_looked_at_and_ends_with_0(
    shop: Shop, machine: list[tuple[int, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    paid(shop)
    machine.append((200, check.as_json(shop.check())))
    assert check.main() == 0
    said = capsys.readouterr().out
    assert said.startswith("Looked at:\n        1  account owners\n")
    assert "        1  invoices\n" in said
    assert said.endswith("\nEverything that must hold does.\n")
    assert "Not done yet" not in said


def test_the_command_prints_violations_and_ends_with_1(
    shop: Shop, machine: list[tuple[int, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    checkout = in_doubt(shop)
    invoice = paid(shop)
    shop.store.overwrite(replace(invoice, snapshot=None))
    machine.append((200, check.as_json(shop.check())))
    assert check.main() == 1
    said = capsys.readouterr().out
    assert f"\nNot done yet, and known to be:\n  {checkout.id}  try 1 of part 1 is claimed\n" in said
    assert said.endswith(f"\n1 violation:\n  I12  {invoice.id}  it is issued without a snapshot or a time\n")


def test_the_command_ends_with_2_where_nothing_could_be_checked(
    machine: list[tuple[int, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.append((503, {"error": {"code": "provider_unavailable"}}))
    assert check.main() == 2
    assert "could not check" in capsys.readouterr().err
    monkeypatch.setenv("TILL_CONTROL_PORT", "1")
    assert check.main() == 2
    assert "No machine answers at port 1" in capsys.readouterr().err
