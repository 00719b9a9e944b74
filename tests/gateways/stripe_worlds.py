"""The two Stripes that one contract suite runs on: the fake, and the gateway talking to the sandbox."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from chalicelib.gateways.stripe.gateway import StripeGateway
from chalicelib.services.ports import MadeStatus, PaymentProvider
from infra.local.stripe_sandbox import Misbehaviour, StripeSandbox
from tests.fakes.stripe import FakeStripe
from tests.fakes.world import FakeClock

ACCOUNT = "acct_merchant"
OTHER_ACCOUNT = "acct_other"
SECRET_KEY = "sk_test_contract_0001"
PUBLISHABLE_KEY = "pk_test_contract_0001"

ENDPOINTS = {
    "create_customer": "POST /v1/customers",
    "create_intent": "POST /v1/payment_intents",
    "confirm_with_token": "POST /v1/payment_intents/{id}/confirm",
    "confirm_off_session": "POST /v1/payment_intents/{id}/confirm",
    "retrieve_intent": "GET /v1/payment_intents/{id}",
    "create_refund": "POST /v1/refunds",
}


class StripeWorld(Protocol):
    """A Stripe to test, and what the buyer's browser, the bank and time do to it."""

    provider: PaymentProvider
    clock: FakeClock

    def confirmation_token(self, behaves: str, account: str | None = ACCOUNT) -> str:
        """What the browser made of what the buyer typed."""
        ...

    def answer_challenge(self, intent_id: str, *, passed: bool) -> None:
        """The buyer answers the bank's question."""
        ...

    def behave(self, payment_method_id: str, behaves: str) -> None:
        """A stored method behaves otherwise from now on."""
        ...

    def settle(self) -> None:
        """Stripe captures what it has charged."""
        ...

    def lose_answer(self, operation: str) -> None:
        """The next call of an operation is done, and its answer never comes."""
        ...

    def end_refund(self, refund_id: str, status: str, reason: str | None = None) -> None:
        """The bank or the dashboard moves a refund on."""
        ...

    def refund_in_dashboard(self, intent_id: str, minor: int) -> None:
        """Somebody sends money back in Stripe's dashboard."""
        ...

    def charge_ids(self) -> list[str]:
        """Every charge that took money."""
        ...

    def intent_ids(self) -> list[str]:
        """Every PaymentIntent there is."""
        ...


class FakeWorld:
    """The fake."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.fake = FakeStripe(self.clock)
        self.provider: PaymentProvider = self.fake

    def confirmation_token(self, behaves: str, account: str | None = ACCOUNT) -> str:
        return self.fake.confirmation_token(behaves, account)

    def answer_challenge(self, intent_id: str, *, passed: bool) -> None:
        if passed:
            self.fake.pass_challenge(intent_id)
        else:
            self.fake.fail_challenge(intent_id)

    def behave(self, payment_method_id: str, behaves: str) -> None:
        self.fake.behave(payment_method_id, behaves)

    def settle(self) -> None:
        self.fake.settle()

    def lose_answer(self, operation: str) -> None:
        self.fake.fail(operation, effect=True)

    def end_refund(self, refund_id: str, status: str, reason: str | None = None) -> None:
        self.fake.end_refund(refund_id, MadeStatus(status), reason)

    def refund_in_dashboard(self, intent_id: str, minor: int) -> None:
        self.fake.refund_in_dashboard(ACCOUNT, intent_id, minor)

    def charge_ids(self) -> list[str]:
        return [charge.id for charge in self.fake.charges()]

    def intent_ids(self) -> list[str]:
        return [intent.id for intent in self.fake.intents()]


@dataclass(frozen=True)
class GatewaySettings:
    """What a gateway is built with."""

    stripe_secret_key: str = SECRET_KEY
    stripe_api_base: str | None = None


class SandboxWorld:
    """The real gateway on the sandbox; back-off takes no time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sandbox = StripeSandbox(
            clock=self.clock.now, secret_key=SECRET_KEY, publishable_key=PUBLISHABLE_KEY, confirmation_limit=5
        )
        for account in (ACCOUNT, OTHER_ACCOUNT):
            self.sandbox.add_account(account)
        self.url = self.sandbox.start()
        self.gateway = StripeGateway(
            GatewaySettings(stripe_api_base=self.url), timeout_seconds=8.0, sleep=lambda _: None
        )
        self.provider: PaymentProvider = self.gateway

    def confirmation_token(self, behaves: str, account: str | None = ACCOUNT) -> str:
        form = urlencode({"payment_method": behaves}).encode()
        headers = {"Authorization": "Basic " + base64.b64encode(f"{SECRET_KEY}:".encode()).decode()}
        if account is not None:
            headers["Stripe-Account"] = account
        with urlopen(Request(f"{self.url}/v1/test_helpers/confirmation_tokens", form, headers)) as answer:  # noqa: S310
            token: str = json.load(answer)["id"]
            return token

    def answer_challenge(self, intent_id: str, *, passed: bool) -> None:
        listed = [*self.sandbox.listing("payment_intents"), *self.sandbox.listing("setup_intents")]
        intent = next(entry for entry in listed if entry["id"] == intent_id)
        secret = intent["next_action"]["use_stripe_sdk"]["source"]
        outcome = "complete" if passed else "fail"
        form = urlencode({"secret": secret, "outcome": outcome, "embedded": "yes"}).encode()
        with urlopen(Request(f"{self.url}/challenge/{intent_id}", form)):  # noqa: S310
            pass

    def behave(self, payment_method_id: str, behaves: str) -> None:
        self.sandbox.set_behaviour(payment_method_id, behaves)

    def settle(self) -> None:
        self.sandbox.deliver_due()

    def lose_answer(self, operation: str) -> None:
        self.sandbox.misbehave(Misbehaviour(ENDPOINTS[operation], status=None, effect=True))

    def end_refund(self, refund_id: str, status: str, reason: str | None = None) -> None:
        self.sandbox.move_refund(refund_id, status, reason)

    def refund_in_dashboard(self, intent_id: str, minor: int) -> None:
        [charge] = [each for each in self.sandbox.listing("charges") if each["payment_intent"] == intent_id]
        self.sandbox.create_refund(charge["id"], minor)

    def charge_ids(self) -> list[str]:
        return [charge["id"] for charge in self.sandbox.listing("charges") if charge["status"] == "succeeded"]

    def intent_ids(self) -> list[str]:
        return [intent["id"] for intent in self.sandbox.listing("payment_intents")]

    def stop(self) -> None:
        """Stop serving, and see that every answer had the shape of Stripe's."""
        self.gateway.close()
        self.sandbox.stop()
        assert self.sandbox.bad_replies == []
