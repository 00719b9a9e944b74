"""A sandbox on a clock that stands, one connected account, and the real stripe client in front of it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import stripe

from infra.local.stripe_sandbox import StripeSandbox

ACCOUNT = "acct_merchant"
SECRET_KEY = "sk_test_till"
PUBLISHABLE_KEY = "pk_test_till"
START = datetime(2027, 1, 31, 20, 30, tzinfo=UTC)


@dataclass
class StandingClock:
    """A clock that moves only when told."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, span: timedelta) -> None:
        self.now += span


@dataclass
class Bench:
    """What a test holds: the sandbox, its clock, its address, and a client of the connected account."""

    sandbox: StripeSandbox
    clock: StandingClock
    url: str
    stripe: stripe.StripeClient
    on: dict[str, Any] = field(default_factory=lambda: {"stripe_account": ACCOUNT})

    def keyed(self, key: str) -> dict[str, Any]:
        """Request options with an idempotency key."""
        return {**self.on, "idempotency_key": key}

    def types(self) -> list[str]:
        """The types of all events so far, oldest first."""
        return [event["type"] for event in self.sandbox.listing("events")]


@pytest.fixture
def bench() -> Iterator[Bench]:
    clock = StandingClock()
    sandbox = StripeSandbox(clock=clock, secret_key=SECRET_KEY, publishable_key=PUBLISHABLE_KEY, confirmation_limit=4)
    url = sandbox.start()
    sandbox.add_account(ACCOUNT)
    client = stripe.StripeClient(SECRET_KEY, base_addresses={"api": url}, max_network_retries=0)
    yield Bench(sandbox, clock, url, client)
    sandbox.stop()
    assert sandbox.bad_replies == []


@dataclass
class Receiver:
    """A webhook endpoint that keeps what it got and answers what it is told."""

    url: str = ""
    answers: int = 200
    got: list[tuple[bytes, str]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append((body, self.headers["Stripe-Signature"]))
            self.send_response(kept.answers)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_address[1]}/webhooks/stripe"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()
