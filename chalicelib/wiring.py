"""Composition root: the one place that knows which edge stands behind which port, each imported when first used."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.settings import Settings, load

if TYPE_CHECKING:
    from chalicelib.services.ports import Clock, Ids, Mailer, PaymentProvider, Ports, Queues, Records, Timers
    from chalicelib.storage.store import DynamoStore

WEB_STRIPE_SECONDS = 8.0
"""API Gateway gives up at 29 s; a page makes up to three calls."""
WORKER_STRIPE_SECONDS = 20.0


class Wired:
    """The real edges, each made once and only when asked for."""

    def __init__(self, settings: Settings, clock: Clock | None = None, *, stripe_seconds: float) -> None:
        self._settings = settings
        self._clock = clock
        self._stripe_seconds = stripe_seconds

    @cached_property
    def _store(self) -> DynamoStore:
        from chalicelib.storage.store import DynamoStore, StoreConfig

        return DynamoStore(
            StoreConfig(
                region=self._settings.region,
                endpoint_url=self._settings.dynamodb_endpoint,
                records_table=self._settings.records_table,
                events_table=self._settings.events_table,
                timers_table=self._settings.timers_table,
            )
        )

    @property
    def records(self) -> Records:
        return self._store

    @property
    def timers(self) -> Timers:
        return self._store

    @cached_property
    def clock(self) -> Clock:
        from chalicelib.gateways.clock import SystemClock

        return self._clock or SystemClock()

    @cached_property
    def ids(self) -> Ids:
        from chalicelib.gateways.ids import RandomIds

        return RandomIds()

    @cached_property
    def queues(self) -> Queues:
        from chalicelib.gateways.queues import SqsQueues

        return SqsQueues(self._settings)

    @cached_property
    def stripe(self) -> PaymentProvider:
        from chalicelib.gateways.stripe.gateway import StripeGateway

        return StripeGateway(self._settings, timeout_seconds=self._stripe_seconds)

    @cached_property
    def mailer(self) -> Mailer:
        from chalicelib.gateways.mail import SesMailer

        return SesMailer(self._settings)


@dataclass
class _Root:
    """What this process runs on; made from the environment unless something was configured before."""

    settings: Settings | None = None
    clock: Clock | None = None
    web: Ports | None = None
    worker: Ports | None = None


_root = _Root()


def configure(settings: Settings, clock: Clock | None = None) -> None:
    """Run on these settings and this clock, forgetting every edge made before."""
    _root.settings, _root.clock, _root.web, _root.worker = settings, clock, None, None


def replace_ports(ports: Ports) -> None:
    """Run on these ports, for pages and for workers."""
    _root.web = _root.worker = ports


def settings() -> Settings:
    """The deployment's settings. Raises what `settings.load` raises when the environment is incomplete."""
    if _root.settings is None:
        _root.settings = load()
    return _root.settings


def ports() -> Ports:
    """The ports for a request: short time-outs, since a buyer waits."""
    if _root.web is None:
        _root.web = Wired(settings(), _root.clock, stripe_seconds=WEB_STRIPE_SECONDS)
    return _root.web


def worker_ports() -> Ports:
    """The ports for a queue's worker: nobody waits, so Stripe may take longer."""
    if _root.worker is None:
        _root.worker = Wired(settings(), _root.clock, stripe_seconds=WORKER_STRIPE_SECONDS)
    return _root.worker


def stripe_signature_is_valid(payload: bytes, header: str) -> bool:
    """Whether Stripe signed these very bytes with one of this deployment's secrets, at about this time."""
    from chalicelib.gateways.stripe.signatures import SignatureInvalid, verify

    try:
        verify(payload, header, settings().stripe_webhook_secrets, ports().clock.now())
    except SignatureInvalid:
        return False
    return True
