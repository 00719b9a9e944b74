"""What the fake of Stripe remembers: customers, methods, tokens, intents with their status machine, charges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.currency import minimum_charge
from chalicelib.services.ports import (
    BalanceTransaction,
    CardTokenRefused,
    Charge,
    Clock,
    Decline,
    Intent,
    IntentStatus,
    NewIntent,
    ProviderRefused,
)
from tests.fakes.stripe_calls import Invalid
from tests.fakes.stripe_cards import AUTHENTICATION_REQUIRED, Behaviour

S = IntentStatus

OPEN = frozenset({S.REQUIRES_PAYMENT_METHOD, S.REQUIRES_CONFIRMATION, S.REQUIRES_ACTION})
"""The states in which an intent may be confirmed, changed and cancelled."""


@dataclass(frozen=True, slots=True)
class FakeCustomer:
    """A customer as it was made."""

    id: str
    account: str | None
    email: str
    name: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class HeldMethod:
    """A payment method; `customer_id` is None until it is stored for a customer."""

    id: str
    account: str | None
    behaviour: Behaviour
    customer_id: str | None = None
    set_up: bool = False


@dataclass(slots=True)
class Held:
    """An intent with what the port does not show. `request` is None for a SetupIntent."""

    intent: Intent
    account: str | None
    request: NewIntent | None
    method: HeldMethod | None = None

    def change(self, **changes: Any) -> Intent:
        """Move on to another snapshot; the new one."""
        self.intent = replace(self.intent, **changes)
        return self.intent

    def wait(self, status: IntentStatus) -> Intent:
        """Keep the method in hand while somebody else has to act."""
        method = self.used_method()
        return self.change(status=status, payment_method_id=method.id, method=method.behaviour.method, decline=None)

    def used_method(self) -> HeldMethod:
        """The method of the try that is under way."""
        if self.method is None:
            raise ValueError(f"{self.intent.id} has no payment method")
        return self.method


class State:
    """The records of all accounts; nobody sees those of another account."""

    def __init__(self, clock: Clock) -> None:
        self.customers: dict[str, FakeCustomer] = {}
        self.held: dict[str, Held] = {}
        self.charges: dict[str, tuple[str | None, Charge]] = {}
        self.methods: dict[str, HeldMethod] = {}
        self.tokens: dict[str, tuple[HeldMethod, str | None]] = {}
        self._clock = clock
        self._count = 0

    def new_id(self, prefix: str) -> str:
        """An id that no other record has."""
        self._count += 1
        return f"{prefix}_{self._count:06d}"

    def new_method(self, account: str | None, behaviour: Behaviour) -> HeldMethod:
        """A method that is stored for nobody yet."""
        method = HeldMethod(self.new_id("pm"), account, behaviour)
        self.methods[method.id] = method
        return method

    def put_intent(self, account: str | None, request: NewIntent) -> Intent:
        """A new PaymentIntent, unconfirmed."""
        check_amount(request.amount)
        method = None
        if request.payment_method_id is not None:
            method = self.stored_method(account, request.payment_method_id, request.customer_id)
        return self._put("pi", account, request, request.customer_id, {**request.metadata, **request.hints}, method)

    def put_setup_intent(self, account: str | None, customer_id: str, metadata: Mapping[str, str]) -> Intent:
        """A new SetupIntent, unconfirmed."""
        return self._put("seti", account, None, customer_id, metadata, None)

    def find(self, account: str | None, intent_id: str, prefix: str) -> Held:
        """An intent of this account. Raises ProviderRefused `resource_missing`."""
        held = self.held.get(intent_id)
        if held is None or held.account != account or not intent_id.startswith(f"{prefix}_"):
            raise missing("intent", intent_id)
        return held

    def confirmable(self, account: str | None, intent_id: str, prefix: str) -> Held:
        """An intent that may still change. Raises ProviderRefused."""
        held = self.find(account, intent_id, prefix)
        if held.intent.status not in OPEN:
            kind = "payment" if held.request else "setup"
            raise ProviderRefused(f"{kind}_intent_unexpected_state", f"the intent is {held.intent.status}")
        return held

    def keep(self, account: str | None, intent_id: str, keep: bool) -> None:
        """From now on whatever pays this intent is stored for later charges, or is not."""
        held = self.confirmable(account, intent_id, "pi")
        if held.request is not None:
            held.request = replace(held.request, keep_method=keep)

    def in_state(self, intent_id: str, status: IntentStatus) -> Held:
        """An intent that a test says is in a state. Raises ValueError where it is not."""
        held = self.held[intent_id]
        if held.intent.status is not status:
            raise ValueError(f"{intent_id} is {held.intent.status}, not {status}")
        return held

    def stored_method(self, account: str | None, method_id: str, customer_id: str | None) -> HeldMethod:
        """A customer's stored method. Raises ProviderRefused."""
        method = self.methods.get(method_id)
        if method is None or method.account != account:
            raise missing("PaymentMethod", method_id)
        if method.customer_id is None or method.customer_id != customer_id:
            raise ProviderRefused("invalid_request_error", "the method is not stored for this customer")
        return method

    def check_customer(self, account: str | None, customer_id: str) -> None:
        """Raises ProviderRefused `resource_missing`."""
        customer = self.customers.get(customer_id)
        if customer is None or customer.account != account:
            raise missing("customer", customer_id)

    def use_token(self, held: Held, token: str) -> None:
        """Let an intent take the method of a confirmation token. Raises ProviderRefused."""
        method, used_by = self.tokens.get(token, (None, None))
        if method is None or method.account != held.account:
            raise NoSuchToken("resource_missing", f"No such confirmationtoken: {token}")
        if used_by is not None:
            raise CardTokenRefused("invalid_request_error", "a confirmation token is good for one confirmation")
        self.tokens[token] = (method, held.intent.id)
        held.method = method

    def attempt(self, held: Held, *, off_session: bool) -> Intent:
        """Try the method in hand."""
        method = held.used_method()
        trusted = off_session and method.behaviour.trusted_once_set_up and method.set_up
        if method.behaviour.challenged and not trusted:
            if off_session:
                return self.decline(held, AUTHENTICATION_REQUIRED)
            return held.wait(S.REQUIRES_ACTION)
        return self.finish(held)

    def finish(self, held: Held) -> Intent:
        """What comes after the challenge, or without one."""
        method = held.used_method()
        refusal = method.behaviour.decline if held.request or not method.behaviour.saves else None
        if refusal:
            return self.decline(held, refusal)
        if method.behaviour.slow and held.request:
            return held.wait(S.PROCESSING)
        return self.succeed(held)

    def succeed(self, held: Held) -> Intent:
        """The method is charged, or stored, or both."""
        method = held.used_method()
        if held.request is None or held.request.keep_method:
            method.customer_id, method.set_up = held.intent.customer_id, True
        charge = None
        kind = method.behaviour.method
        if held.intent.amount is not None:
            charge_id = self.new_id("ch")
            charge = Charge(charge_id, held.intent.amount, held.intent.id, kind)
            self.charges[charge_id] = (held.account, charge)
        return held.change(status=S.SUCCEEDED, payment_method_id=method.id, method=kind, charge=charge, decline=None)

    def decline(self, held: Held, decline: Decline) -> Intent:
        """The try failed; the intent waits for another method."""
        held.method = None
        return held.change(status=S.REQUIRES_PAYMENT_METHOD, payment_method_id=None, method=None, decline=decline)

    def settle(self, charge_id: str) -> None:
        """Give a charge its balance transaction: 2.9 % + 30, rounded half up."""
        account, charge = self.charges[charge_id]
        fee = Money((charge.amount.minor * 29 + 500) // 1000 + 30, charge.amount.currency)
        balance = BalanceTransaction(self.new_id("txn"), charge.amount, fee, charge.amount - fee)
        self.charges[charge_id] = (account, replace(charge, balance=balance))
        self.held[charge.intent_id or ""].change(charge=self.charges[charge_id][1])

    def _put(
        self,
        prefix: str,
        account: str | None,
        request: NewIntent | None,
        customer_id: str,
        metadata: Mapping[str, str],
        method: HeldMethod | None,
    ) -> Intent:
        self.check_customer(account, customer_id)
        intent_id = self.new_id(prefix)
        intent = Intent(
            id=intent_id,
            status=S.REQUIRES_CONFIRMATION if method else S.REQUIRES_PAYMENT_METHOD,
            amount=request.amount if request else None,
            livemode=False,
            created_at=self._clock.now().replace(microsecond=0),
            client_secret=f"{intent_id}_secret_{self._count:06d}",
            customer_id=customer_id,
            payment_method_id=method.id if method else None,
            method=method.behaviour.method if method else None,
            metadata=dict(metadata),
        )
        self.held[intent_id] = Held(intent, account, request, method)
        return intent


def check_amount(amount: Money) -> None:
    """Refuse what is below Stripe's minimum."""
    least = minimum_charge(amount.currency)
    if least is not None and amount.minor < least:
        raise Invalid("amount_too_small", "the amount is below Stripe's minimum")


class NoSuchToken(Invalid, CardTokenRefused):
    """A confirmation token that the account does not have."""


def missing(what: str, wanted: str) -> ProviderRefused:
    """What Stripe says of an id that the account does not have."""
    return Invalid("resource_missing", f"No such {what}: {wanted}")
