"""What Stripe would never send, signed all the same: 400 at once, nothing stored, nothing asked, no stack."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.webhooks.hooks import PATH, SECRET, Door, event, signature


def good(door: Door, **changes: Any) -> dict[str, Any]:
    return event(door.shop.stripe.intents()[0], "payment_intent.succeeded") | changes


def text(door: Door, **changes: Any) -> str:
    return json.dumps(good(door, **changes))


DEEP = 100_000
BODIES: dict[str, Any] = {
    "100,000 lists": lambda door: b"[" * DEEP + b"]" * DEEP,
    "100,000 objects": lambda door: b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "100,000 open lists": lambda door: b"[" * DEEP,
    "100,000 deep inside an event": lambda door: text(door, more="DEEP")
    .replace('"DEEP"', "[" * DEEP + "]" * DEEP)
    .encode(),
    "not UTF-8": lambda door: text(door, note="XX").encode().replace(b"XX", b"\xff\xfe"),
    "UTF-16": lambda door: text(door).encode("utf-16"),
    "overlong UTF-8": lambda door: text(door, note="XX").encode().replace(b"XX", b"\xc0\xaf"),
    "half of a surrogate pair": lambda door: text(door, note="XX").replace("XX", "\\ud800").encode(),
    "a byte order mark": lambda door: b"\xef\xbb\xbf" + text(door).encode(),
    "6 MB": lambda door: text(door, note="x" * 6_000_000).encode(),
    "6 MB of spaces": lambda door: text(door).encode() + b" " * 6_000_000,
    "NaN": lambda door: text(door, created="NN").replace('"NN"', "NaN").encode(),
    "Infinity": lambda door: text(door, created="NN").replace('"NN"', "-Infinity").encode(),
    "the id twice": lambda door: text(door).replace('"id": "evt_1"', '"id": "evt_1", "id": "evt_2"', 1).encode(),
    "the livemode twice": lambda door: text(door).replace('"livemode": false', '"livemode": true, "livemode": false'),
    "a list": lambda door: f"[{text(door)}]",
    "a string": lambda door: json.dumps(text(door)),
    "a number": lambda door: "1",
    "null": lambda door: "null",
    "nothing": lambda door: "",
    "spaces": lambda door: "   ",
    "half": lambda door: text(door)[: len(text(door)) // 2],
    "two": lambda door: text(door) + text(door),
    "single quotes": lambda door: text(door).replace('"', "'"),
    "a form": lambda door: "id=evt_1&type=payment_intent.succeeded",
    "a NUL": lambda door: text(door) + "\0",
    **{f"without {name}": lambda door, name=name: without(door, name) for name in ("id", "type", "livemode", "data")},
    "without an object": lambda door: text(door, data={}),
    "the id a number": lambda door: text(door, id=1),
    "the id null": lambda door: text(door, id=None),
    "the id empty": lambda door: text(door, id=""),
    "the id of another row": lambda door: text(door, id="evt_1#x"),
    "the id too long": lambda door: text(door, id="evt_" + "x" * 3_000),
    "the type a list": lambda door: text(door, type=["payment_intent.succeeded"]),
    "the livemode a string": lambda door: text(door, livemode="false"),
    "the livemode a number": lambda door: text(door, livemode=0),
    "the account a number": lambda door: text(door, account=7),
    "the account too long": lambda door: text(door, account="acct_" + "x" * 3_000),
    "the data a list": lambda door: text(door, data=[]),
    "the data a string": lambda door: text(door, data="pi_1"),
    "the object a string": lambda door: text(door, data={"object": "pi_1"}),
}  # fmt: skip


def without(door: Door, name: str) -> str:
    return json.dumps({key: value for key, value in good(door).items() if key != name})


@pytest.mark.parametrize("what", BODIES)
def test_what_is_no_event_is_refused_at_once_and_leaves_nothing(door: Door, what: str) -> None:
    made = BODIES[what](door)
    body = made if isinstance(made, bytes) else made.encode()
    before, calls = door.contents(), len(door.shop.stripe.calls)
    began = time.monotonic()
    assert door.send(body) == 400
    assert time.monotonic() - began < 3
    assert door.contents() == before
    assert len(door.shop.stripe.calls) == calls


def test_more_than_the_gateway_takes_is_not_even_read(door: Door) -> None:
    before = door.contents()
    answer = door.knock(b"", {"Content-Length": str(11 * 1024 * 1024)})
    assert answer.status in (404, 413)
    assert door.contents() == before


@pytest.mark.parametrize("content_type", [None, "application/json", "Application/JSON", "text/plain", "nonsense"])
def test_what_a_body_is_called_does_not_matter_since_its_bytes_are_signed(door: Door, content_type: str | None) -> None:
    body = text(door).encode()
    headers = {"Stripe-Signature": signature(body, int(door.shop.clock.now().timestamp()), SECRET)}
    if content_type is not None:
        headers["Content-Type"] = content_type
    assert door.knock(body, headers).status == 200
    assert len(door.shop.payments()) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_taken(door: Door, method: str) -> None:
    before = door.contents()
    assert door.knock(b"", {}, PATH, method).status in (404, 405)
    assert door.contents() == before


def test_what_stripe_may_add_one_day_does_no_harm(door: Door) -> None:
    more = good(door, reason={"type": "x"}, context="acct_1", numbers=[1.5, 10**30, -0.0], note="\u0000 <b>\U0001f600")
    assert door.send(more) == 200
    assert len(door.shop.payments()) == 1
