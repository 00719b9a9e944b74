"""Stripe's side of a webhook over real HTTP: signed bytes, and a shop behind the door that they knock on."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from chalicelib import wiring
from chalicelib.services.ports import Intent, MadeRefund
from tests.handlers.conftest import SETTINGS
from tests.services.shop import ACCOUNT, Shop

SECRET = "whsec_connected_1"
OTHER_SECRET = "whsec_platform_22"
PATH = "/webhooks/stripe"


def signature(body: bytes, timestamp: int, *secrets: str) -> str:
    """The header over these bytes, with one value for each secret."""
    signed = f"{timestamp}.".encode() + body
    values = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={value}" for value in values)])


def event(intent: Intent, type_: str, event_id: str = "evt_1", **changes: Any) -> dict[str, Any]:
    """An event's body as Stripe writes it, as far as anything looks at it."""
    data: dict[str, Any] = {"id": intent.id, "object": "payment_intent", "metadata": dict(intent.metadata)}
    if type_.startswith("charge."):
        charge_id = "ch_none" if intent.charge is None else intent.charge.id
        data = {"id": charge_id, "object": "charge", "payment_intent": intent.id, "metadata": dict(intent.metadata)}
    return _about(data, type_, event_id) | changes


def refund_event(shop: Shop, made: MadeRefund, type_: str, event_id: str) -> dict[str, Any]:
    """An event's body about a refund as it is now, or about the charge that it is of."""
    told = shop.refund_notice(type_, made).object
    kind = "charge" if type_ == "charge.refunded" else "refund"
    return _about({**told, "object": kind}, type_, event_id)


def _about(data: Mapping[str, Any], type_: str, event_id: str) -> dict[str, Any]:
    return {
        "id": event_id,
        "object": "event",
        "account": ACCOUNT,
        "api_version": "2026-10-28.endive",
        "created": 1_800_000_000,
        "data": {"object": data},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": type_,
    }


@dataclass
class Door:
    """The app's webhook addresses, and the shop behind them."""

    port: int
    shop: Shop

    def configure(self, **changes: Any) -> None:
        """Run the app on this shop, and on settings that differ so."""
        settings = replace(SETTINGS, **({"stripe_webhook_secrets": (SECRET, OTHER_SECRET)} | changes))
        wiring.configure(settings, self.shop.clock)
        wiring.replace_ports(self.shop.ports)

    def knock(
        self, body: bytes, headers: Mapping[str, str], path: str = PATH, method: str = "POST"
    ) -> http.client.HTTPResponse:
        """One request as it is; the answer has been read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            answer.read()
            return answer
        finally:
            connection.close()

    def send(self, body: bytes | Mapping[str, Any], *, secret: str = SECRET, late: float = 0, path: str = PATH) -> int:
        """Sign a body as Stripe does and send it; the answer's status. `late` is how many seconds ago it was signed."""
        # Stripe sends its bodies indented.
        raw = body if isinstance(body, bytes) else json.dumps(body, indent=2).encode()
        signed_at = self.shop.clock.now() - timedelta(seconds=late)
        header = signature(raw, int(signed_at.timestamp()), secret)
        headers = {"Stripe-Signature": header, "Content-Type": "application/json; charset=utf-8"}
        return self.knock(raw, headers, path).status

    def contents(self) -> dict[Any, Any]:
        """Everything that is stored, to compare before with after."""
        return {**self.shop.store._rows, "timers": tuple(self.shop.store.timers)}
