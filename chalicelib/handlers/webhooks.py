"""Stripe's webhooks: verified on the raw bytes, taken in durably, applied, and only then acknowledged.

200 says that the event is safe with us. Anything else makes Stripe send it again, for up to three days
(docs.stripe.com/webhooks#automatic-retries).
"""

from __future__ import annotations

import re
from typing import Any, Final

from chalice.app import Blueprint, Response

from chalicelib import wiring
from chalicelib.domain.errors import TillError
from chalicelib.handlers.boundary import webhook_receiver
from chalicelib.handlers.parsing import json_object
from chalicelib.observability import get_logger
from chalicelib.services.intake import receive
from chalicelib.services.notices import Notice
from chalicelib.services.payments.matching import PaymentMismatch

_LOG: Final = get_logger("till.webhooks")
MOST_BYTES: Final = 1_000_000
"""Stripe's events are far smaller; API Gateway itself takes ten times as much."""

# Shorter than any key that the database takes, and nothing that could be another row's.
_EVENT_ID: Final = re.compile(r"evt_[A-Za-z0-9_]{1,200}", re.ASCII)
_ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9_]{1,200}", re.ASCII)

webhooks = Blueprint(__name__)


@webhooks.route("/webhooks/stripe", methods=["POST"], content_types=[], name="stripe_platform")
@webhook_receiver(webhooks)
def stripe_platform() -> Response:
    """Events of the platform and of its connected accounts."""
    return _take_in(None)


@webhooks.route("/webhooks/stripe/{merchant}", methods=["POST"], content_types=[], name="stripe_direct")
@webhook_receiver(webhooks)
def stripe_direct(merchant: str) -> Response:
    """Events of the one business that runs Till on its own Stripe account."""
    if merchant != wiring.settings().direct_merchant:
        return _answer(404, "no such destination")
    return _take_in(merchant)


def _take_in(direct_merchant_id: str | None) -> Response:
    request = webhooks.current_request
    raw = request.raw_body
    body = raw if isinstance(raw, bytes) else raw.encode()
    if len(body) > MOST_BYTES:
        return _answer(400, "too large")
    if not wiring.stripe_signature_is_valid(body, request.headers.get("stripe-signature") or ""):
        return _answer(400, "not signed by Stripe")
    try:
        notice = _notice(json_object(body, "application/json"), direct_merchant_id)
    except TillError:
        notice = None
    if notice is None:
        return _answer(400, "not an event")
    try:
        result = receive(wiring.ports(), notice)
    except PaymentMismatch as mismatch:
        # Kept as undone work for a person; sending it again for days would not change what it says.
        _LOG.error("payment_mismatch", extra={"event": notice.event_id, "reason": str(mismatch)})
        result = "kept for a person"
    _LOG.info("stripe_event", extra={"event": notice.event_id, "type": notice.type, "outcome": result})
    return _answer(200, "received")


def _notice(event: dict[str, Any], direct_merchant_id: str | None) -> Notice | None:
    data = event.get("data")
    found = data.get("object") if isinstance(data, dict) else None
    account = event.get("account")
    known = (
        isinstance(event.get("id"), str)
        and _EVENT_ID.fullmatch(event["id"]) is not None
        and isinstance(event.get("type"), str)
        and isinstance(event.get("livemode"), bool)
        and isinstance(found, dict)
        and (account is None or (isinstance(account, str) and _ACCOUNT.fullmatch(account) is not None))
    )
    if not known or not isinstance(found, dict):
        return None
    return Notice(event["id"], event["type"], account, event["livemode"], found, direct_merchant_id)


def _answer(status: int, text: str) -> Response:
    return Response(body=text, status_code=status, headers={"Content-Type": "text/plain; charset=utf-8"})
