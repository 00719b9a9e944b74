"""Webhook delivery: signed at the sandbox's time, one at a time, retried with growing gaps for three days.

https://docs.stripe.com/webhooks: `Stripe-Signature` is `t=…,v1=HMAC-SHA256(secret, "{t}.{body}")`; what is not answered
2xx is tried again for up to three days; order is not promised and an event may come twice.
"""

import hashlib
import hmac
import http.client
import json
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

from infra.local.stripe_sandbox.faults import JsonObject
from infra.local.stripe_sandbox.listings import matches_type
from infra.local.stripe_sandbox.reply_walker import faults_in_reply
from infra.local.stripe_sandbox.world import World

WebhookMode = Literal["normal", "hold", "duplicate", "shuffle", "drop"]

GIVE_UP_AFTER: Final = timedelta(days=3)
_FIRST_GAP: Final = timedelta(minutes=1)
_LONGEST_GAP: Final = timedelta(hours=12)
_TIMEOUT_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing that was done: a capture, a dispute or the end of a refund that a test card causes, or one try to
    deliver an event.

    `outcome` is `captured`, `opened`, `ended`, `delivered`, `failed` (will be tried again), `given_up` or `dropped`;
    `status` is the receiver's, None when no answer came; `error` says why.
    """

    what: Literal["capture", "dispute", "refund", "webhook"]
    subject: str
    type: str
    account: str
    outcome: str
    url: str | None = None
    status: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Receiver:
    """An endpoint registered at Stripe; `connect` ones hear of connected accounts, others of the platform."""

    url: str
    secret: str
    connect: bool
    enabled_events: tuple[str, ...]


@dataclass(slots=True)
class _Waiting:
    receiver: Receiver
    event: JsonObject
    account: str
    body: bytes
    since: datetime
    due: datetime
    tries: int = 0


@dataclass(slots=True)
class Webhooks:
    """The outbox. Its lists are touched under the world's lock; requests go out without it."""

    world: World
    receivers: list[Receiver] = field(default_factory=list)
    mode: WebhookMode = "normal"
    bad_events: list[str] = field(default_factory=list)
    _outbox: list[_Waiting] = field(default_factory=list)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def set_mode(self, mode: WebhookMode) -> None:
        """Change how deliveries go from now on."""
        if mode not in get_args(WebhookMode):
            raise ValueError(f"no such webhook mode: {mode}")
        self.mode = mode

    def collect(self) -> None:
        """Address what was raised since the last time to every receiver that listens."""
        with self.world.lock:
            raised, self.world.raised[:] = list(self.world.raised), []
            now = self.world.moment()
            for one in raised:
                wrong = faults_in_reply(one.event)
                self.bad_events.extend(wrong)
                listening = [
                    receiver
                    for receiver in self.receivers
                    if receiver.connect != one.platform
                    and any(matches_type(one.event["type"], pattern) for pattern in receiver.enabled_events)
                ]
                one.event["pending_webhooks"] = len(listening)
                if not listening:
                    continue
                # Stripe sends its bodies indented; who verifies anything but the raw bytes finds out here.
                body = json.dumps(one.event, indent=2).encode()
                for receiver in listening:
                    self._outbox.append(_Waiting(receiver, one.event, one.account, body, now, now))

    def deliver_due(self) -> list[Delivery]:
        """Try everything that is due, once; what these tries cause waits for the next pass.

        Two passes never run at once, so nothing is delivered twice but on purpose.
        """
        with self._turn:
            with self.world.lock:
                if self.mode == "hold":
                    return []
                now = self.world.moment()
                due = [waiting for waiting in self._outbox if waiting.due <= now]
                mode = self.mode
            if mode == "shuffle":
                random.shuffle(due)
            return [done for waiting in due for done in self._deliver(waiting, mode)]

    def _deliver(self, waiting: _Waiting, mode: WebhookMode) -> Sequence[Delivery]:
        if mode == "drop":
            self._remove(waiting)
            return [self._done(waiting, "dropped")]
        done = [self._try(waiting)]
        if mode == "duplicate" and done[0].outcome == "delivered":
            status, error = self._post(waiting)
            done.append(self._done(waiting, "delivered" if error is None else "failed", status, error))
        return done

    def _try(self, waiting: _Waiting) -> Delivery:
        status, error = self._post(waiting)
        if error is None:
            self._remove(waiting)
            with self.world.lock:
                waiting.event["pending_webhooks"] -= 1
            return self._done(waiting, "delivered", status)
        now = self.world.moment()
        gap = min(_FIRST_GAP * 4**waiting.tries, _LONGEST_GAP)
        waiting.tries += 1
        waiting.due = now + gap
        if waiting.due > waiting.since + GIVE_UP_AFTER:
            self._remove(waiting)
            return self._done(waiting, "given_up", status, error)
        return self._done(waiting, "failed", status, error)

    def _remove(self, waiting: _Waiting) -> None:
        with self.world.lock:
            # By identity: two receivers may wait for equal events, and a reset may have emptied the box meanwhile.
            self._outbox[:] = [entry for entry in self._outbox if entry is not waiting]

    def _done(self, waiting: _Waiting, outcome: str, status: int | None = None, error: str | None = None) -> Delivery:
        return Delivery(
            "webhook", waiting.event["id"], waiting.event["type"], waiting.account, outcome, waiting.receiver.url,
            status, error,
        )  # fmt: skip

    def _post(self, waiting: _Waiting) -> tuple[int | None, str | None]:
        address = urlsplit(waiting.receiver.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT_SECONDS)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(waiting.receiver.secret, waiting.body, self.world.now()),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            connection.request("POST", address.path or "/", body=waiting.body, headers=headers)
            answer = connection.getresponse()
            text = answer.read(2000).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return None, f"{type(error).__name__}: {error}"
        finally:
            connection.close()
        if 200 <= answer.status < 300:
            return answer.status, None
        return answer.status, text

    def waiting(self) -> list[JsonObject]:
        """What is to be delivered later, soonest first: `{"what", "due"}`."""
        with self.world.lock:
            ahead = sorted(self._outbox, key=lambda waiting: waiting.due)
            return [
                {
                    "what": f"webhook {waiting.event['type']} {waiting.event['id']} to {waiting.receiver.url}",
                    "due": waiting.due.astimezone(UTC).isoformat(),
                }
                for waiting in ahead
            ]

    def forget(self) -> None:
        """Drop what waits, and deliver normally again."""
        with self.world.lock:
            self._outbox.clear()
            self.world.raised.clear()
            self.mode = "normal"


def signature(secret: str, body: bytes, timestamp: int) -> str:
    """The `Stripe-Signature` header (https://docs.stripe.com/webhooks#verify-manually)."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"t={timestamp},v1={signed.hexdigest()}"
