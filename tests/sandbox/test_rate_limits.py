"""The limits of requests a second, for who wants to be held to them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import stripe

from infra.local.stripe_sandbox import StripeSandbox
from tests.sandbox.conftest import ACCOUNT, PUBLISHABLE_KEY, SECRET_KEY, StandingClock


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def limited(clock: StandingClock) -> Iterator[tuple[StripeSandbox, stripe.StripeClient]]:
    """Two requests a second to one endpoint, three in all."""
    sandbox = StripeSandbox(clock=clock, secret_key=SECRET_KEY, publishable_key=PUBLISHABLE_KEY, rate_limits=(2, 3))
    sandbox.add_account(ACCOUNT)
    client = stripe.StripeClient(
        SECRET_KEY, stripe_account=ACCOUNT, base_addresses={"api": sandbox.start()}, max_network_retries=0
    )
    yield sandbox, client
    sandbox.stop()


def test_one_request_too_many_to_an_endpoint_is_refused_and_nothing_is_done_or_kept(
    limited: tuple[StripeSandbox, stripe.StripeClient], clock: StandingClock
) -> None:
    sandbox, client = limited
    for _ in range(2):
        client.v1.customers.create({"email": "anna@example.com"})
    with pytest.raises(stripe.RateLimitError) as refused:
        client.v1.customers.create({"email": "ben@example.com"}, {"idempotency_key": "ben"})
    assert refused.value.headers["stripe-rate-limited-reason"] == "endpoint-rate"
    assert len(sandbox.listing("customers")) == 2
    assert sandbox.rate_limited == 1
    clock.advance(timedelta(seconds=1))
    assert client.v1.customers.create({"email": "ben@example.com"}, {"idempotency_key": "ben"}).email
    assert len(sandbox.listing("customers")) == 3


def test_all_endpoints_of_an_account_share_a_limit_too(
    limited: tuple[StripeSandbox, stripe.StripeClient],
) -> None:
    sandbox, client = limited
    made = client.v1.customers.create({"email": "anna@example.com"})
    client.v1.customers.create({"email": "ben@example.com"})
    client.v1.payment_methods.attach("pm_card_visa", {"customer": made.id})
    with pytest.raises(stripe.RateLimitError) as refused:
        client.v1.payment_intents.create({"amount": 100, "currency": "usd"})
    assert refused.value.headers["stripe-rate-limited-reason"] == "global-rate"
    assert sandbox.listing("payment_intents") == []
