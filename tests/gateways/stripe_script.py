"""A connection to Stripe that answers from a list, and the bodies it answers with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import stripe

from chalicelib.domain.money.amounts import Money
from chalicelib.gateways.stripe.gateway import StripeGateway
from chalicelib.services.ports import (
    Intent,
    MadeRefund,
    NewIntent,
    NewRefund,
)
from tests.gateways.stripe_worlds import GatewaySettings

Answer = tuple[int, Mapping[str, Any] | str, Mapping[str, str]]
LOST: Exception = stripe.APIConnectionError("the connection broke")  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Sent:
    method: str
    url: str
    headers: Mapping[str, str]
    body: str

    @property
    def params(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body or urlsplit(self.url).query, keep_blank_values=True)


class Script(stripe.HTTPClient):
    """Answers from a list, and keeps what was asked."""

    name = "script"

    def __init__(self, *answers: Answer | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.sent: list[Sent] = []

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, *, _usage: Any = None
    ) -> tuple[str, int, Mapping[str, str]]:
        self.sent.append(Sent(method, url, dict(headers), post_data or ""))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body, extra = answer
        return body if isinstance(body, str) else json.dumps(body), status, {"request-id": "req_1", **extra}

    def close(self) -> None:
        pass


def ok(body: Mapping[str, Any]) -> Answer:
    return 200, body, {}


def error(status: int, headers: Mapping[str, str] | None = None, **fields: Any) -> Answer:
    return status, {"error": {"message": "Stripe's words", **fields}}, headers or {}


BUSY = error(429, type="invalid_request_error", code="lock_timeout")
IN_FLIGHT = error(409, type="idempotency_error", code="idempotency_key_in_use")
BROKEN = error(500, type="api_error")
REVOKED = error(401, type="invalid_request_error", code="api_key_expired")


def intent_body(**changes: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 5_000,
        "currency": "usd",
        "status": "requires_payment_method",
        "livemode": False,
        "created": 1_799_928_000,
        "client_secret": "pi_1_secret_2",
        "customer": "cus_1",
        "payment_method": None,
        "payment_method_types": ["card"],
        "latest_charge": None,
        "last_payment_error": None,
        "metadata": {"till_invoice": "inv_1"},
        **changes,
    }


def charge_body(**changes: Any) -> dict[str, Any]:
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 5_000,
        "currency": "usd",
        "status": "succeeded",
        "payment_intent": "pi_1",
        "payment_method_details": {"type": "card", "card": {"brand": "amex", "last4": "0005"}},
        "balance_transaction": None,
        **changes,
    }


def refund_body(**changes: Any) -> dict[str, Any]:
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 2_000,
        "currency": "usd",
        "status": "succeeded",
        "created": 1_799_928_000,
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "reason": None,
        "balance_transaction": None,
        "metadata": {"till_refund": "ref_1"},
        **changes,
    }


class Waits:
    """Records each wait instead of waiting."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def gateway(script: Script, sleep: Callable[[float], None] = lambda _: None) -> StripeGateway:
    return StripeGateway(GatewaySettings(), timeout_seconds=20.0, client=script, sleep=sleep)


def request(**changes: Any) -> NewIntent:
    return NewIntent(Money(5_000, "usd"), "cus_1", {"till_invoice": "inv_1"}, **changes)


def create(script: Script, sleep: Callable[[float], None] = lambda _: None) -> Intent:
    return gateway(script, sleep).create_intent("acct_1", request(), key="pi-1")


def confirm(script: Script) -> Intent:
    return gateway(script).confirm_off_session("acct_1", "pi_1", payment_method_id="pm_1", key="confirm-1")


def refund(script: Script) -> MadeRefund:
    sought = NewRefund("pi_1", Money(2_000, "usd"), {"till_refund": "ref_1"}, None)
    return gateway(script).create_refund("acct_1", sought, key="refund-1")
