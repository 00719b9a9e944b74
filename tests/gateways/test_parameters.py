"""Secrets in Parameter Store: one call, decrypted, and loud where it cannot be made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from chalicelib import wiring
from chalicelib.gateways.parameters import read_parameters
from chalicelib.services.ports import OPEN, StoreUnavailable
from chalicelib.settings import load_facts
from infra.local.aws_server import AwsServer
from infra.local.clock import LocalClock
from tests.gateways.test_settings import COMPLETE, SECRET_VARIABLES

REGION = "us-east-1"
NAMES = ["/till/prod/stripe-secret-key", "/till/prod/form-secret", "/till/prod/stripe-webhook-secrets"]


@pytest.fixture(scope="module")
def parameter_store() -> Iterator[str]:
    """The endpoint of a Parameter Store that holds one deployment's secrets."""
    server = AwsServer(LocalClock(), REGION)
    endpoint = server.start()
    ssm = boto3.client("ssm", region_name=REGION, endpoint_url=endpoint)
    for name, value in zip(NAMES, ("sk_live_abcdefghijkl", "f" * 32, "whsec_account00"), strict=True):
        ssm.put_parameter(Name=name, Value=value, Type="SecureString")
    yield endpoint
    server.stop()


class CountingSeam:
    """Lets everything through, and remembers what."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def cross(self, service: str, operation: str, send: Callable[[], Any]) -> Any:
        """See Seam."""
        self.calls.append(f"{service} {operation}")
        return send()


def test_parameters_come_decrypted_and_one_that_is_not_there_is_left_out(parameter_store: str) -> None:
    found = read_parameters([*NAMES[:2], "/till/prod/none"], region=REGION, endpoint=parameter_store, seam=OPEN)
    assert found == {NAMES[0]: "sk_live_abcdefghijkl", NAMES[1]: "f" * 32}


def test_a_store_that_cannot_be_reached_is_told_as_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="Parameter Store: EndpointConnectionError"):
        read_parameters(NAMES, region=REGION, endpoint="http://127.0.0.1:1", seam=OPEN)


def test_a_deployment_reads_its_secrets_when_something_needs_them_and_not_before(
    parameter_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SECRET_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in COMPLETE.items():
        if name not in SECRET_VARIABLES:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("TILL_SECRETS_PATH", "/till/prod")
    monkeypatch.setenv("TILL_AWS_ENDPOINT", parameter_store)
    seam = CountingSeam()
    monkeypatch.setattr(wiring, "_root", wiring._Root(seam=seam))
    load_facts.cache_clear()
    try:
        assert wiring.worker_ports().queues is not None
        assert seam.calls == []
        assert wiring.settings().stripe_secret_key == "sk_live_abcdefghijkl"
        assert wiring.settings().form_secret == "f" * 32
        assert seam.calls == ["ssm GetParameters"]
    finally:
        load_facts.cache_clear()
