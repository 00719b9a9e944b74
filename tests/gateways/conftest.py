"""The worlds of the gateways' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateways.stripe_worlds import FakeWorld, SandboxWorld, StripeWorld


@pytest.fixture(params=["fake", "sandbox"])
def stripe_world(request: pytest.FixtureRequest) -> Iterator[StripeWorld]:
    """Each Stripe in turn, fresh for each test."""
    if request.param == "fake":
        yield FakeWorld()
        return
    world = SandboxWorld()
    try:
        yield world
    finally:
        world.stop()
