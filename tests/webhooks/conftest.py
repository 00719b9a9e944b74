"""The app's webhook addresses over real HTTP, with a shop of its own behind them for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chalice.app import Chalice, Response

from chalicelib import wiring
from chalicelib.handlers.webhooks import webhooks
from chalicelib.services.checkouts.submit import Ending
from infra.local.gateway import WebServer
from tests.services.shop import Shop
from tests.webhooks.hooks import Door


@pytest.fixture(scope="session")
def hook_app() -> Chalice:
    """An app of the webhooks alone. A blueprint answers for the app that it was registered with last."""
    app = Chalice("till-webhook-test", configure_logs=False)
    app.register_blueprint(webhooks)
    return app


@pytest.fixture(scope="session")
def hook_port(hook_app: Chalice) -> Iterator[int]:
    """The port it answers on."""

    def render_error(code: str, request_id: str) -> Response:
        return Response(body=code, status_code=404, headers={"Content-Type": "text/plain"})

    server = WebServer(hook_app, 0, healthy=lambda: True, render_error=render_error)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


@pytest.fixture
def behind(hook_app: Chalice, monkeypatch: pytest.MonkeyPatch) -> None:
    """What every test stands on: the blueprint is this app's, and the composition root nobody else's."""
    monkeypatch.setattr(webhooks, "_current_app", hook_app)
    monkeypatch.setattr(wiring, "_root", wiring._Root())


@pytest.fixture
def door(hook_port: int, behind: None) -> Door:
    """A shop where a payment has been made whose answer was lost, so that a webhook has something to tell."""
    shop = Shop()
    made = Door(hook_port, shop)
    made.configure()
    shop.stripe.fail("confirm_with_token", effect=True)
    assert shop.press(shop.buyer(shop.one_time)).ending is Ending.CHECKING
    return made
