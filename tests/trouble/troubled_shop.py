"""A shop whose Stripe is the sandbox behind the real gateway, so that its troubles are Stripe's own."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.documents.payments import Payment
from chalicelib.gateways.stripe.gateway import StripeGateway
from chalicelib.gateways.stripe.ledger import StripeLedger
from chalicelib.services.checking import check_invariants
from chalicelib.services.merchants import create_merchant
from chalicelib.services.notices import ALLOWED, Notice
from chalicelib.services.ports import PaymentProvider, ProviderBusy, ProviderUnavailable
from infra.local.stripe_sandbox import Misbehaviour, StripeSandbox
from tests.fakes.inspection import FakeInspection
from tests.fakes.ports import FakePorts
from tests.fakes.storage import FakeStore
from tests.fakes.world import FakeClock, FakeIds, FakeMailer, FakeQueues
from tests.gateways.stripe_worlds import PUBLISHABLE_KEY, SECRET_KEY, GatewaySettings
from tests.services.shop import ACCOUNT, NEW_YORK, Shop, monthly_line, usd

CONFIRM = "POST /v1/payment_intents/{id}/confirm"
CREATE = "POST /v1/payment_intents"
CUSTOMER = "POST /v1/customers"
RETRIEVE = "GET /v1/payment_intents/{id}"
OTHER_KEY = "sk_test_contract_revoked"


class TroubledShop(Shop):
    """What Shop does, on the sandbox. Nothing waits: back-off takes no time, and the gateway is not paced."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FakeStore()
        self.queues = FakeQueues(self.clock)
        self.mailer = FakeMailer()
        self.ids = FakeIds()
        self.sandbox = StripeSandbox(clock=self.clock.now, secret_key=SECRET_KEY, publishable_key=PUBLISHABLE_KEY)
        self.sandbox.add_account(ACCOUNT)
        self.url = self.sandbox.start()
        self._gateways: list[StripeGateway] = []
        self.use_key(SECRET_KEY)
        self.merchant, _ = create_merchant(
            self.ports,
            name="Pinewood Studio",
            timezone=NEW_YORK,
            currency="usd",
            stripe_account=ACCOUNT,
            ready=True,
            slug="pinewood",
        )
        self.one_time = self.link("Product photography", LineItem("Product photography", 1, usd(14_800)))
        self.monthly = self.link("Membership", monthly_line())
        self._told: set[str] = set()

    def use_key(self, secret_key: str, timeout_seconds: float = 8.0) -> None:
        """Talk to Stripe with this key from now on."""
        settings = GatewaySettings(stripe_secret_key=secret_key, stripe_api_base=self.url)
        gateway = StripeGateway(settings, timeout_seconds=timeout_seconds, sleep=lambda _: None)
        self._gateways.append(gateway)
        self.talk_to(gateway)

    def talk_to(self, provider: PaymentProvider) -> None:
        """Have the use cases call this one."""
        self.provider = provider
        self.ports = FakePorts(self.store, self.store, self.clock, self.ids, self.queues, provider, self.mailer)

    def close(self) -> None:
        """End the sandbox, and see that it never answered what Stripe would not."""
        for gateway in self._gateways:
            gateway.close()
        self.sandbox.stop()
        assert self.sandbox.bad_replies == []

    # --- Stripe's side

    def trouble(
        self, operation: str, status: int | None, *, effect: bool = False, times: int = 1, nth: int = 1
    ) -> None:
        """Coming calls go wrong; `status` None loses the answer."""
        self.sandbox.misbehave(Misbehaviour(operation, status=status, effect=effect, times=times, nth=nth))

    def token(self, behaves: str = "pm_card_visa") -> str:
        form = urlencode({"payment_method": behaves}).encode()
        headers = {
            "Authorization": "Basic " + base64.b64encode(f"{SECRET_KEY}:".encode()).decode(),
            "Stripe-Account": ACCOUNT,
        }
        with urlopen(Request(f"{self.url}/v1/test_helpers/confirmation_tokens", form, headers)) as answer:  # noqa: S310
            return str(json.load(answer)["id"])

    def charged(self) -> list[dict[str, Any]]:
        """Every charge that took money."""
        return [charge for charge in self.sandbox.listing("charges") if charge["status"] == "succeeded"]

    def calls_to(self, path: str) -> list[dict[str, Any]]:
        """The requests whose path ends so."""
        return [call for call in self.sandbox.listing("requests") if call["path"].endswith(path)]

    def hear(self) -> list[str]:
        """Take in every event of Stripe's that was not taken in before, captures included; what each one said.

        One that fails is told again by the next call, as Stripe would.
        """
        said: list[str] = []
        while True:
            self.sandbox.deliver_due()
            fresh = [event for event in self.sandbox.listing("events") if event["id"] not in self._told]
            if not fresh:
                return said
            for event in fresh:
                self._told.add(event["id"])
                if event["type"] in ALLOWED:
                    said.append(self._heard(event))

    def _heard(self, event: dict[str, Any]) -> str:
        try:
            return self.tell(Notice(event["id"], event["type"], ACCOUNT, False, event["data"]["object"]))
        except (ProviderUnavailable, ProviderBusy) as error:
            return f"not done: {type(error).__name__}"

    # --- what must hold

    def assert_books_are_stripes(self) -> None:
        """What Stripe took is booked once, nothing else is, nothing is in doubt, and the checker agrees."""
        self.hear()
        at_stripe = sorted((charge["payment_intent"], charge["amount"]) for charge in self.charged())
        booked = sorted((payment.intent_id, payment.amount.minor) for payment in self.store.all(Payment))
        assert booked == at_stripe
        for invoice in self.store.all(Invoice):
            outcomes = [attempt.outcome for part in invoice.parts for attempt in part.attempts]
            assert AttemptOutcome.CLAIMED not in outcomes
        settings = GatewaySettings(stripe_api_base=self.url)
        report = check_invariants(
            FakeInspection(self.store), StripeLedger(settings, timeout_seconds=8.0), self.clock.now()
        )
        assert report.violations == ()
