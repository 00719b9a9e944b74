"""What the sandbox remembers: one ledger per Stripe account, the events they caused, and the one lock around it all."""

import copy
import secrets
import string
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from infra.local.stripe_sandbox.cards import TestCard
from infra.local.stripe_sandbox.faults import JsonObject, no_such

_ALPHABET: Final = string.ascii_letters + string.digits

# The resource's name in the API -> (prefix of its ids, noun of Stripe's "No such …").
KINDS: Final[dict[str, tuple[str, str]]] = {
    "customer": ("cus_", "customer"),
    "payment_method": ("pm_", "PaymentMethod"),
    "confirmation_token": ("ctoken_", "confirmation_token"),
    "payment_intent": ("pi_", "payment_intent"),
    "setup_intent": ("seti_", "setupintent"),
    "setup_attempt": ("setatt_", "setup_attempt"),
    "charge": ("ch_", "charge"),
    "refund": ("re_", "refund"),
    "dispute": ("dp_", "dispute"),
    "balance_transaction": ("txn_", "balance transaction"),
    "event": ("evt_", "event"),
}


def new_id(prefix: str, length: int = 24) -> str:
    """A random id in Stripe's form."""
    return prefix + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in secrets.token_bytes(length))


@dataclass(slots=True)
class Instrument:
    """What the issuer knows of one stored payment method, and Stripe shows nobody.

    `set_up`: authenticated once for off-session use. `spent`: used without being attached, so never usable again.
    """

    card: TestCard
    set_up: bool = False
    spent: bool = False
    cvc_given: bool = True


@dataclass(slots=True)
class PendingAction:
    """A 3-D Secure challenge that waits for the buyer."""

    secret: str
    return_url: str | None


@dataclass(slots=True)
class TokenMemory:
    """What a ConfirmationToken carries besides what it shows; `from_elements` = made in a browser."""

    card: TestCard
    cvc_given: bool
    from_elements: bool
    mode: Literal["payment", "setup"] | None = None
    payment_method: str | None = None


@dataclass(frozen=True, slots=True)
class RefundToCome:
    """A refund whose end the bank tells later, and when that is."""

    refund: str
    due: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that caused something, as events name it."""

    request_id: str
    idempotency_key: str | None


@dataclass(slots=True)
class Ledger:
    """All objects of one account, oldest first, as the API shows them unexpanded."""

    account: str
    platform: bool
    country: str
    default_currency: str
    created: int
    payment_method_types: tuple[str, ...]
    profile: JsonObject
    shelves: dict[str, dict[str, JsonObject]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    instruments: dict[str, Instrument] = field(default_factory=dict)
    tokens: dict[str, TokenMemory] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    actions: dict[str, PendingAction] = field(default_factory=dict)
    uncaptured: list[str] = field(default_factory=list)
    refunds_to_come: list[RefundToCome] = field(default_factory=list)

    def find(self, kind: str, identifier: str) -> JsonObject | None:
        """The stored object itself (not a copy), or None."""
        return self.shelves[kind].get(identifier)

    def get(self, kind: str, identifier: str, *, param: str, in_path: bool = False) -> JsonObject:
        """The stored object itself; raises Stripe's `resource_missing`."""
        found = self.find(kind, identifier)
        if found is None:
            raise no_such(KINDS[kind][1], identifier, param=param, in_path=in_path)
        return found

    def put(self, made: JsonObject) -> JsonObject:
        """Store a new object under its id, and return it."""
        self.shelves[made["object"]][made["id"]] = made
        return made

    def forget(self) -> None:
        """Drop everything but the account itself."""
        for shelf in self.shelves.values():
            shelf.clear()
        for memory in (self.instruments, self.tokens, self.attempts, self.actions):
            memory.clear()
        self.uncaptured.clear()
        self.refunds_to_come.clear()


@dataclass(frozen=True, slots=True)
class RaisedEvent:
    """An event and the account it happened on; `platform` events go to account endpoints, others to Connect ones."""

    account: str
    platform: bool
    event: JsonObject


class World:
    """The whole state. Every read or write of it holds `lock`; no HTTP call is ever made while it is held."""

    def __init__(self, clock: Callable[[], datetime], *, api_version: str, confirmation_limit: int) -> None:
        self._clock = clock
        self.api_version: Final = api_version
        self.confirmation_limit: Final = confirmation_limit
        self.lock: Final = threading.RLock()
        self.ledgers: Final[dict[str, Ledger]] = {}
        self.raised: Final[list[RaisedEvent]] = []
        self.base_url = ""
        self.application: Final = new_id("ca_")

    def moment(self) -> datetime:
        """The sandbox's time."""
        return self._clock()

    def now(self) -> int:
        """The sandbox's time in seconds since 1970, as Stripe's objects carry it."""
        return int(self._clock().timestamp())

    def later(self, span: timedelta) -> int:
        """A time from now, in seconds since 1970."""
        return int((self._clock() + span).timestamp())

    def raise_event(
        self, ledger: Ledger, kind: str, made: JsonObject, origin: Origin | None, previous: JsonObject | None = None
    ) -> None:
        """Record an event about the object as it is at this moment (https://docs.stripe.com/api/events/object)."""
        data: JsonObject = {"object": copy.deepcopy(made)}
        if previous is not None:
            data["previous_attributes"] = previous
        event: JsonObject = {
            "id": new_id("evt_"),
            "object": "event",
            "api_version": self.api_version,
            "created": self.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {
                "id": origin.request_id if origin else None,
                "idempotency_key": origin.idempotency_key if origin else None,
            },
            "type": kind,
        }
        if not ledger.platform:
            event["account"] = ledger.account
        ledger.put(event)
        self.raised.append(RaisedEvent(ledger.account, ledger.platform, event))
