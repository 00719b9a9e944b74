"""What a first pay page costs: nothing that it does not need is loaded for it, and the database is asked once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.ids import page_token
from chalicelib.services.ports import Record
from chalicelib.storage.rows import new_record
from tests.bench.probing import page_event
from tests.builders import link, merchant
from tests.conftest import REGION
from tests.test_architecture import ROOT

NEVER = {"boto3", "botocore", "pynamodb", "stripe", "pydantic", "requests", "urllib3", "http", "email"}
MOST_MODULES = 240
"""A few more than are loaded now; all that Till promises itself is 300."""


def row_of(record: Record) -> dict[str, Any]:
    return {"id": {"S": record.id}, "sort": {"S": "#"}, **new_record(record, "op_1")}


class Database:
    """A database with a merchant and a link, which answers whatever it is asked with both."""

    def __init__(self, link: PaymentLink) -> None:
        rows = [row_of(merchant()), row_of(link)]
        body = json.dumps({"Responses": {"records": rows}, "UnprocessedKeys": {}}).encode()
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                asked.append(self.headers["X-Amz-Target"])
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def sold() -> PaymentLink:
    return link()


@pytest.fixture
def database(sold: PaymentLink) -> Iterator[Database]:
    made = Database(sold)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


LOOK = """
import json, sys
before = set(sys.modules)
import app
answer = app.app(json.loads(sys.argv[1]), None)
print(json.dumps([answer["statusCode"], answer["body"], sorted(set(sys.modules) - before)]))
"""


def test_a_first_pay_page_loads_little_and_asks_the_database_once(database: Database, sold: PaymentLink) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "TILL_STAGE": "test",
        "TILL_PUBLIC_BASE_URL": "https://pay.example.com",
        "TILL_REGION": REGION,
        "TILL_RECORDS_TABLE": "records",
        "TILL_EVENTS_TABLE": "events",
        "TILL_TIMERS_TABLE": "timers",
        **{f"TILL_{name}_QUEUE_URL": "https://queue.example" for name in ("BILLING", "CHARGES", "WORK")},
        "TILL_MAIL_FROM": "mail@till.example",
        "TILL_STRIPE_SECRET_KEY": "sk_test_abcdefghijkl",
        "TILL_STRIPE_PUBLISHABLE_KEY": "pk_test_abcdefghijkl",
        "TILL_STRIPE_WEBHOOK_SECRETS": "whsec_account00",
        "TILL_FORM_SECRET": "f" * 32,
        "TILL_DYNAMODB_ENDPOINT": f"http://127.0.0.1:{database.server.server_port}",
    }
    event = page_event(sold.merchant_id.removeprefix("mer_"), page_token(sold.id, sold.secret))
    done = subprocess.run(
        [sys.executable, "-c", LOOK, json.dumps(event)], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    status, body, modules = json.loads(done.stdout.splitlines()[-1])
    assert (status, sold.name in body) == (200, True)
    assert database.asked == ["DynamoDB_20120810.BatchGetItem"]
    assert {name.partition(".")[0] for name in modules} & NEVER == set()
    assert len(modules) <= MOST_MODULES
