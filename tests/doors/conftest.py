"""The buyers' pages over real HTTP: one server for the run, a shop of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chalice.app import Chalice
from chalice.local import LambdaEventConverter

from chalicelib import wiring
from chalicelib.handlers.buyer import buyer, error_page
from chalicelib.handlers.portal import portal
from infra.local.gateway import WebServer
from tests.doors.visitors import SETTINGS, Visitors
from tests.services.shop import Shop


@pytest.fixture(scope="session")
def buyer_app() -> Chalice:
    """An app of the pages alone. A blueprint answers for the app that it was registered with last."""
    app = Chalice("till-doors-test", configure_logs=False)
    app.register_blueprint(buyer)
    app.register_blueprint(portal)
    return app


@pytest.fixture(scope="session")
def buyer_port(buyer_app: Chalice) -> Iterator[int]:
    """The port of the pages."""
    server = WebServer(buyer_app, 0, healthy=lambda: True, render_error=error_page)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


@pytest.fixture
def visitors(buyer_app: Chalice, buyer_port: int, monkeypatch: pytest.MonkeyPatch) -> Visitors:
    """A shop of its own behind the doors."""
    monkeypatch.setattr(buyer, "_current_app", buyer_app)
    monkeypatch.setattr(portal, "_current_app", buyer_app)
    monkeypatch.setattr(wiring, "_root", wiring._Root())
    shop = Shop()
    wiring.configure(SETTINGS, shop.clock)
    wiring.replace_ports(shop.ports)
    return Visitors(buyer_port, shop)


class Whereabouts:
    """Where requests seem to come from: what API Gateway would have seen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def are(self, address: str) -> None:
        """From now on."""
        self._monkeypatch.setattr(LambdaEventConverter, "LOCAL_SOURCE_IP", address)


@pytest.fixture
def whereabouts(monkeypatch: pytest.MonkeyPatch) -> Whereabouts:
    """127.0.0.1 until it is said otherwise."""
    return Whereabouts(monkeypatch)
