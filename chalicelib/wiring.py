"""Composition root: the one place that knows which edge stands behind which port, each imported when first used."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.services.ports.seam import OPEN
from chalicelib.settings import SECRETS, Facts, Settings, aws_keys, load, load_facts, load_with

if TYPE_CHECKING:
    from chalicelib.aws.signing import Credentials
    from chalicelib.services.ports import (
        Allowance,
        Clock,
        Ids,
        Inspection,
        Ledger,
        Mailer,
        Pacer,
        Pauses,
        PaymentProvider,
        Ports,
        Queues,
        Records,
        Seam,
        Timers,
    )
    from chalicelib.storage.schema import StoreConfig
    from chalicelib.storage.store import DynamoStore

WEB_STRIPE_SECONDS = 8.0
"""API Gateway gives up at 29 s; a page makes up to three calls."""
WORKER_STRIPE_SECONDS = 20.0


class Wired:
    """The real edges, each made once and only when asked for, all of them behind one seam."""

    def __init__(self, settings: Facts, clock: Clock | None = None, *, buyer_waits: bool, seam: Seam = OPEN) -> None:
        self._settings = settings
        self._clock = clock
        self._seam = seam
        self._buyer_waits = buyer_waits

    @property
    def _with_secrets(self) -> Settings:
        # Only what needs a secret asks for them, so that a Lambda that needs none need not be allowed to.
        return self._settings if isinstance(self._settings, Settings) else settings()

    @cached_property
    def _tables(self) -> StoreConfig:
        from chalicelib.storage.schema import StoreConfig

        return StoreConfig(
            region=self._settings.region,
            endpoint_url=self._settings.dynamodb_endpoint,
            records_table=self._settings.records_table,
            events_table=self._settings.events_table,
            timers_table=self._settings.timers_table,
            credentials=_credentials(self._settings.dynamodb_endpoint),
        )

    @cached_property
    def _store(self) -> DynamoStore:
        from chalicelib.storage.store import DynamoStore

        return DynamoStore(self._tables, seam=self._seam)

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
    def pauses(self) -> Pauses:
        from chalicelib.gateways.pauses import RandomPauses

        return RandomPauses()

    @cached_property
    def queues(self) -> Queues:
        from chalicelib.gateways.queues import SqsQueues

        return SqsQueues(self._settings, credentials=_credentials(self._settings.aws_endpoint), seam=self._seam)

    @cached_property
    def stripe(self) -> PaymentProvider:
        from chalicelib.gateways.stripe.gateway import StripeGateway

        seconds = WEB_STRIPE_SECONDS if self._buyer_waits else WORKER_STRIPE_SECONDS
        return StripeGateway(self._with_secrets, timeout_seconds=seconds, seam=self._seam, pacer=self._pacer)

    @property
    def _pacer(self) -> Pacer:
        from chalicelib.gateways.clock import SystemClock
        from chalicelib.gateways.pacing import WEB_SECONDS, WORKER_SECONDS, SharedPacer

        # Never the deployment's clock, which may stand: Stripe counts real seconds.
        real_time = SystemClock()
        return SharedPacer(
            self._store.token_leases,
            self._allowance(buyer_waits=self._buyer_waits),
            patience_seconds=WEB_SECONDS if self._buyer_waits else WORKER_SECONDS,
            late=None if self._buyer_waits else self._allowance(buyer_waits=True),
            now=lambda: real_time.now().timestamp(),
        )

    def _allowance(self, *, buyer_waits: bool) -> Allowance:
        from chalicelib.gateways.pacing import allowance_for

        settings = self._settings
        return allowance_for(livemode=settings.stripe_livemode, buyer_waits=buyer_waits, pace=settings.stripe_pace)

    @cached_property
    def mailer(self) -> Mailer:
        from chalicelib.gateways.mail import SesMailer

        return SesMailer(self._settings, seam=self._seam)

    @cached_property
    def inspection(self) -> Inspection:
        from chalicelib.storage.inspection import DynamoInspection

        return DynamoInspection(self._tables, seam=self._seam)

    @cached_property
    def ledger(self) -> Ledger:
        from chalicelib.gateways.stripe.ledger import StripeLedger

        return StripeLedger(
            self._with_secrets, timeout_seconds=WORKER_STRIPE_SECONDS, seam=self._seam, pacer=self._pacer
        )


def _credentials(endpoint: str | None) -> Credentials | None:
    """Who asks AWS there, where the environment alone says so."""
    from chalicelib.aws.signing import Credentials

    keys = aws_keys(endpoint)
    return None if keys is None else Credentials(*keys)


@dataclass
class _Root:
    """What this process runs on; made from the environment unless something was configured before."""

    settings: Settings | None = None
    clock: Clock | None = None
    seam: Seam = OPEN
    web: Ports | None = None
    worker: Ports | None = None
    inspection: Inspection | None = None
    ledger: Ledger | None = None


_root = _Root()


def configure(settings: Settings, clock: Clock | None = None, seam: Seam | None = None) -> None:
    """Run on these settings, this clock and behind this seam, forgetting every edge made before."""
    _root.settings, _root.clock, _root.seam = settings, clock, seam or OPEN
    _root.web = _root.worker = None
    _root.inspection = _root.ledger = None


def replace_ports(ports: Ports, inspection: Inspection | None = None, ledger: Ledger | None = None) -> None:
    """Run on these ports, for pages and for workers, and have the checker read these two."""
    _root.web = _root.worker = ports
    _root.inspection, _root.ledger = inspection, ledger


def facts() -> Facts:
    """What is known of the deployment without its secrets. Raises SettingsError when the environment is incomplete."""
    return _root.settings or load_facts()


def settings() -> Settings:
    """The deployment's settings; the first call of a process asks for the secrets, where they are kept elsewhere.

    Raises SettingsError when something is missing, StoreUnavailable when the secrets could not be asked for.
    """
    if _root.settings is None:
        known = facts()
        kept_apart = known.secrets_path is not None
        _root.settings = load_with(_kept_secrets(known)) if kept_apart else load()
    return _root.settings


def _kept_secrets(known: Facts) -> dict[str, str]:
    from chalicelib.gateways.parameters import read_parameters

    names = {f"{known.secrets_path}/{last}": variable for variable, last in SECRETS.items()}
    found = read_parameters(list(names), region=known.region, endpoint=known.aws_endpoint, seam=_root.seam)
    return {names[name]: value for name, value in found.items()}


def ports() -> Ports:
    """The ports for a request: short time-outs, since a buyer waits."""
    if _root.web is None:
        _root.web = Wired(facts(), _root.clock, buyer_waits=True, seam=_root.seam)
    return _root.web


def worker_ports() -> Ports:
    """The ports for a queue's worker: nobody waits, so Stripe may take longer."""
    if _root.worker is None:
        _root.worker = Wired(facts(), _root.clock, buyer_waits=False, seam=_root.seam)
    return _root.worker


def inspection() -> Inspection:
    """Everything that is stored, for the checker."""
    if _root.inspection is None:
        _root.inspection = _unhindered().inspection
    return _root.inspection


def ledger() -> Ledger:
    """Stripe's own lists, for the checker."""
    if _root.ledger is None:
        _root.ledger = _unhindered().ledger
    return _root.ledger


def _unhindered() -> Wired:
    # In front of the seam: what is told to fail there must not fail for the one who looks at what came of it.
    return Wired(facts(), _root.clock, buyer_waits=False)


def stripe_signature_is_valid(payload: bytes, header: str) -> bool:
    """Whether Stripe signed these very bytes with one of this deployment's secrets, at about this time."""
    from chalicelib.gateways.stripe.signatures import SignatureInvalid, verify

    try:
        verify(payload, header, settings().stripe_webhook_secrets, ports().clock.now())
    except SignatureInvalid:
        return False
    return True
