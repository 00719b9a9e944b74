"""The Stripe sandbox as the machine uses it: start, tell about accounts and endpoints, let time work, look inside."""

import copy
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from stripe._api_version import _ApiVersion

from infra.local.stripe_sandbox.accounts import account_profile, change_profile, render_account
from infra.local.stripe_sandbox.api import Api, Reply, Request
from infra.local.stripe_sandbox.browser.doors import BrowserDoors
from infra.local.stripe_sandbox.cards import BY_NAME
from infra.local.stripe_sandbox.charges import capture_waiting
from infra.local.stripe_sandbox.disputes import open_dispute
from infra.local.stripe_sandbox.faults import JsonObject
from infra.local.stripe_sandbox.misbehaviour import Misbehaviour
from infra.local.stripe_sandbox.refund_endings import end_waiting, move
from infra.local.stripe_sandbox.refunds import refund_charge
from infra.local.stripe_sandbox.server import Page, SandboxServer
from infra.local.stripe_sandbox.webhooks import Delivery, Receiver, WebhookMode, Webhooks
from infra.local.stripe_sandbox.world import Ledger, World

LISTED: Final = {
    "customers": "customer",
    "payment_methods": "payment_method",
    "confirmation_tokens": "confirmation_token",
    "payment_intents": "payment_intent",
    "setup_intents": "setup_intent",
    "charges": "charge",
    "refunds": "refund",
    "disputes": "dispute",
    "balance_transactions": "balance_transaction",
    "events": "event",
}


class StripeSandbox:
    """A stateful stand-in for the Stripe API that Till calls. Thread-safe.

    `clock` is the only time it knows. `confirmation_limit` is the number of failed confirmations after which an intent
    is cancelled; Stripe has such a limit and does not publish it. `rate_limits` are how many requests a second an
    account may send, to one endpoint and in all (live: 25 and 100); None refuses nobody.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        secret_key: str,
        publishable_key: str,
        platform_account: str = "acct_platform",
        confirmation_limit: int = 20,
        rate_limits: tuple[int, int] | None = None,
    ) -> None:
        self.publishable_key: Final = publishable_key
        self.platform_account: Final = platform_account
        self._world: Final = World(clock, api_version=_ApiVersion.CURRENT, confirmation_limit=confirmation_limit)
        self._webhooks: Final = Webhooks(self._world)
        self._api: Final = Api(
            self._world,
            secret_key=secret_key,
            publishable_key=publishable_key,
            platform=platform_account,
            settle=self._webhooks.collect,
            rate_limits=rate_limits,
        )
        self._doors: Final = BrowserDoors(
            self._world, publishable_key=publishable_key, platform=platform_account, settle=self._webhooks.collect
        )
        self._server: SandboxServer | None = None
        self._add_ledger(platform_account, True, "US", "usd", ("card",), "Till platform", "Etc/UTC")

    @property
    def api_version(self) -> str:
        """The pinned Stripe version: the installed stripe package's."""
        return self._world.api_version

    @property
    def bad_replies(self) -> list[str]:
        """What the reply walker refused so far, in answers and events; tests want it empty."""
        return [*self._api.bad_replies, *self._webhooks.bad_events]

    @property
    def rate_limited(self) -> int:
        """How many requests were refused as one too many for their second."""
        return self._api.rate_limits.refused

    def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Serve on a loopback address; returns the base URL."""
        self._server = SandboxServer(self._answer, host, port)
        self._world.base_url = f"http://{host}:{self._server.start()}"
        return self._world.base_url

    def stop(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _answer(self, request: Request) -> Reply | Page:
        if request.path.startswith("/v1/"):
            return self._api.answer(request)
        return self._doors.answer(request)

    def add_account(
        self,
        account_id: str,
        *,
        country: str = "US",
        default_currency: str = "usd",
        payment_method_types: Sequence[str] = ("card",),
        name: str = "Demo merchant",
        timezone: str = "America/New_York",
    ) -> None:
        """Connect an account to the platform, ready to charge; adding it again changes nothing."""
        with self._world.lock:
            if account_id not in self._world.ledgers:
                self._add_ledger(
                    account_id, False, country, default_currency, tuple(payment_method_types), name, timezone
                )

    def _add_ledger(
        self, account: str, platform: bool, country: str, currency: str, types: tuple[str, ...], name: str, zone: str
    ) -> None:
        self._world.ledgers[account] = Ledger(
            account, platform, country, currency, self._world.now(), types, account_profile(name, zone)
        )

    def change_account(self, account_id: str, **changes: Any) -> None:
        """Change account fields such as `charges_enabled`, and raise `account.updated`."""
        with self._world.lock:
            ledger = self._world.ledgers[account_id]
            previous = {name: ledger.profile.get(name) for name in changes}
            change_profile(ledger, changes)
            self._world.raise_event(ledger, "account.updated", render_account(ledger), None, previous)
            self._webhooks.collect()

    def add_webhook_endpoint(
        self, url: str, secret: str, *, connect: bool, enabled_events: Sequence[str] = ("*",)
    ) -> None:
        """Register a receiver; `connect` ones hear of connected accounts, the others of the platform's own."""
        with self._world.lock:
            self._webhooks.receivers.append(Receiver(url, secret, connect, tuple(enabled_events)))

    def deliver_due(self) -> list[Delivery]:
        """Do asynchronous work, then try every delivery that is due, once; an empty answer means nothing was due."""
        done: list[Delivery] = []
        with self._world.lock:
            for ledger in self._world.ledgers.values():
                for refund in end_waiting(self._world, ledger):
                    done.append(Delivery("refund", refund["id"], "refund.updated", ledger.account, "ended"))
                for charge in capture_waiting(self._world, ledger):
                    done.append(Delivery("capture", charge["id"], "charge.updated", ledger.account, "captured"))
                    reason = ledger.instruments[charge["payment_method"]].card.dispute
                    if reason is not None:
                        dispute = open_dispute(self._world, ledger, charge, reason)
                        done.append(
                            Delivery("dispute", dispute["id"], "charge.dispute.created", ledger.account, "opened")
                        )
            self._webhooks.collect()
        return done + self._webhooks.deliver_due()

    def waiting(self) -> list[JsonObject]:
        """What is not delivered yet, and refunds whose end comes later: `{"what", "due"}`, soonest first."""
        with self._world.lock:
            refunds = [
                {"what": f"end of refund {waiting.refund}", "due": waiting.due.astimezone(UTC).isoformat()}
                for ledger in self._world.ledgers.values()
                for waiting in ledger.refunds_to_come
            ]
        return sorted([*refunds, *self._webhooks.waiting()], key=lambda entry: str(entry["due"]))

    def listing(self, resource: str) -> list[JsonObject]:
        """Copies of all objects of one kind, over all accounts, oldest first, each with its account as `_account`."""
        with self._world.lock:
            if resource == "accounts":
                return [copy.deepcopy(render_account(ledger)) for ledger in self._world.ledgers.values()]
            if resource == "requests":
                return self._api.logged()
            if resource not in LISTED:
                raise KeyError(f"the sandbox lists no {resource}")
            return [
                {**copy.deepcopy(entry), "_account": ledger.account}
                for ledger in self._world.ledgers.values()
                for entry in ledger.shelves[LISTED[resource]].values()
            ]

    def set_webhook_mode(self, mode: WebhookMode) -> None:
        """How deliveries go: normal, hold (kept), duplicate, shuffle, or drop (never come). ValueError for others."""
        with self._world.lock:
            self._webhooks.set_mode(mode)

    def set_behaviour(self, payment_method_id: str, behaves: str) -> None:
        """Have a stored payment method behave like a `pm_card_…` one from now on. KeyError when either is unknown."""
        with self._world.lock:
            card = BY_NAME[behaves]
            for ledger in self._world.ledgers.values():
                if payment_method_id in ledger.instruments:
                    ledger.instruments[payment_method_id].card = card
                    return
            raise KeyError(payment_method_id)

    def create_refund(self, charge_id: str, amount: int | None = None) -> JsonObject:
        """Refund as if in Stripe's dashboard. KeyError for an unknown charge, StripeFault for more than is left."""
        with self._world.lock:
            for ledger in self._world.ledgers.values():
                charge = ledger.find("charge", charge_id)
                if charge is not None:
                    made = refund_charge(self._world, ledger, charge, amount, None, "requested_by_customer", {})
                    self._webhooks.collect()
                    return copy.deepcopy(made)
        raise KeyError(charge_id)

    def move_refund(self, refund_id: str, status: str, reason: str | None = None) -> JsonObject:
        """Have the bank or the dashboard move a refund on: `succeeded`, `failed` (with a reason), `canceled` and so on.

        KeyError for an unknown refund, ValueError where Stripe never goes that way.
        """
        with self._world.lock:
            for ledger in self._world.ledgers.values():
                refund = ledger.find("refund", refund_id)
                if refund is not None:
                    move(self._world, ledger, refund, status, reason)
                    self._webhooks.collect()
                    return copy.deepcopy(refund)
        raise KeyError(refund_id)

    def misbehave(self, misbehaviour: Misbehaviour) -> None:
        """Have coming calls go wrong."""
        self._api.misbehaviours.add(misbehaviour)

    def behave(self) -> None:
        """Forget all misbehaviours that lie ahead."""
        self._api.misbehaviours.clear()

    def reset(self) -> None:
        """Forget everything but accounts and webhook endpoints."""
        with self._world.lock:
            for ledger in self._world.ledgers.values():
                ledger.forget()
            self._webhooks.forget()
            self._api.forget()
