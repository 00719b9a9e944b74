"""The demo merchant: made by the app's own use case, its links through the HTTP API with the key it was given."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from chalicelib.services.merchants import create_merchant
from chalicelib.services.ports import Ports

ACCOUNT: Final = "acct_pinewood"
TIMEZONE: Final = "America/New_York"

_ONE_TIME: Final = {
    "name": "Portrait session",
    "currency": "usd",
    "lines": [{"name": "Portrait session, one hour", "unit_amount": 14800, "quantity": 1}],
}
_MONTHLY: Final = {
    "name": "Darkroom membership",
    "currency": "usd",
    "lines": [
        {
            "name": "Darkroom membership",
            "unit_amount": 4900,
            "quantity": 1,
            "recurring": {"frequency": "monthly", "term": "until_canceled", "start": {"type": "at_payment"}},
        }
    ],
}


class SeedingFailed(Exception):
    """The app did not take what the seed gave it; the message holds its answer."""


@dataclass(frozen=True, slots=True)
class Seed:
    """What a newcomer needs: the merchant, a key that can do everything, and two links to open."""

    merchant_id: str
    api_key: str
    one_time_url: str
    monthly_url: str


def sow(ports: Ports, base_url: str) -> Seed:
    """Make the demo merchant, whose account must exist at Stripe. Raises SeedingFailed."""
    merchant, api_key = create_merchant(
        ports,
        name="Pinewood Studio",
        legal_name="Pinewood Studio LLC",
        timezone=TIMEZONE,
        currency="usd",
        country="US",
        stripe_account=ACCOUNT,
        ready=True,
        support_email="hello@pinewood.example",
        statement_name="PINEWOOD STUDIO",
        address_lines=("18 Pinewood Lane", "Beacon, NY 12508"),
    )
    return Seed(
        merchant_id=merchant.id,
        api_key=api_key,
        one_time_url=_make_link(base_url, api_key, _ONE_TIME),
        monthly_url=_make_link(base_url, api_key, _MONTHLY),
    )


def _make_link(base_url: str, api_key: str, link: dict[str, Any]) -> str:
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/v1/payment_links", json.dumps(link), headers)
        response = connection.getresponse()
        body = response.read().decode()
    finally:
        connection.close()
    if response.status != 201:
        raise SeedingFailed(f"POST /v1/payment_links answered {response.status}: {body}")
    return str(json.loads(body)["url"])
