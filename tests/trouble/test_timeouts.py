"""An answer that comes too late: nobody waits for it, and what Stripe did meanwhile is found by asking."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from chalicelib.services.checkouts.submit import Ending
from tests.gateways.stripe_worlds import SECRET_KEY
from tests.trouble.troubled_shop import TroubledShop


class SlowDoor:
    """Stands before the sandbox, and keeps back the answers to requests whose path ends so until it is let go."""

    def __init__(self, target: str) -> None:
        self.slow = ""
        self.go = threading.Event()
        door, address = self, urlsplit(target)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                connection = http.client.HTTPConnection(address.hostname or "", address.port)
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                text = answer.read()
                connection.close()
                if door.slow and urlsplit(self.path).path.endswith(door.slow):
                    door.go.wait(20)
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("date", "server", "connection"):
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Let everything go."""
        self.go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def door(shop: TroubledShop) -> Iterator[SlowDoor]:
    slow = SlowDoor(shop.url)
    direct, shop.url = shop.url, slow.url
    # Half a second stands for the eight that a page waits.
    shop.use_key(SECRET_KEY, timeout_seconds=0.5)
    shop.url = direct
    yield slow
    slow.close()


@pytest.mark.parametrize("late", ["/customers", "/payment_intents", "/confirm"])
def test_a_buyer_is_not_kept_waiting_and_is_charged_once(shop: TroubledShop, door: SlowDoor, late: str) -> None:
    form = shop.buyer(shop.one_time)
    door.slow = late
    began = time.monotonic()
    assert shop.press(form).ending is Ending.CHECKING
    assert time.monotonic() - began < 5
    # After a time-out there is no time for another try, so Stripe was asked once and no more.
    assert len(shop.calls_to(late)) == 1
    door.slow = ""
    shop.after(seconds=61)
    assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.PAID
    assert len(shop.charged()) == 1
    assert len(shop.sandbox.listing("customers")) == 1
    assert len(shop.sandbox.listing("payment_intents")) == 1
    shop.assert_books_are_stripes()


def test_a_renewal_whose_answer_comes_too_late_is_booked_by_the_next_look(shop: TroubledShop, door: SlowDoor) -> None:
    subscription = shop.subscribe()
    shop.hear()
    assert subscription.next_invoice_at is not None
    shop.clock.set(subscription.next_invoice_at)
    door.slow = "/confirm"
    said = [*shop.run(), *shop.run()]
    assert len([each for each in said if each.startswith("not done")]) == 1
    assert len(shop.charged()) == 2
    door.slow = ""
    shop.after(minutes=5)
    shop.run()
    assert len(shop.charged()) == 2
    shop.assert_books_are_stripes()
