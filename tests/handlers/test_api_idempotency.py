"""Idempotency keys over HTTP: the header, the answers, and that every route that writes has them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from chalice.app import Blueprint, Chalice, Response

from chalicelib import wiring
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.idempotency import KeyedCall
from chalicelib.handlers.api.operations import DescribedRoute
from chalicelib.handlers.api.resources import customer_out
from chalicelib.handlers.boundary import json_api
from chalicelib.handlers.calls import ApiCall
from chalicelib.services.customers import NewCustomer, create_customer
from chalicelib.services.ports import QueueUnavailable
from infra.local.gateway import WebServer
from tests.api_routes import ROUTES, address_of, named_body
from tests.fakes.troubled import TroubledStore
from tests.handlers.conftest import Answer, ApiWorld
from tests.handlers.test_api_doors import stored

KEY = {"Idempotency-Key": "order 42"}
ADA = {"email": "ada@example.com", "name": "Ada", "metadata": {"a": "1", "b": "2"}}
LINK = {"name": "A link", "currency": "usd", "lines": [{"name": "A line", "unit_amount": 100, "quantity": 1}]}
WRITING = [route for route in ROUTES if route.writes]


def raw(world: ApiWorld, *lines: bytes, body: bytes = b'{"email": "ada@example.com"}') -> tuple[int, dict[str, Any]]:
    """A request to make a customer with header lines as they are, which no client library would send."""
    head = [
        b"POST /v1/customers HTTP/1.1",
        b"Host: till.example",
        b"Connection: close",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        b"Authorization: Bearer " + world.key.encode(),
        *lines,
    ]
    with socket.create_connection(("127.0.0.1", world.port), timeout=20) as connection:
        connection.sendall(b"\r\n".join(head) + b"\r\n\r\n" + body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    top, _, text = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(text)


@pytest.fixture
def trouble(api_world: ApiWorld) -> TroubledStore:
    """The world's store, whose commits can be lost; the merchant is in it already."""
    # The key's use is noted now, and not again within the hour.
    api_world.get("/v1/account")
    troubled = TroubledStore(api_world.store)
    wiring.replace_ports(replace(api_world.ports, records=troubled))
    return troubled


def both(answer: Answer) -> tuple[int, Any]:
    return answer.status, answer.body


# --- the same answer


def test_the_same_request_again_gets_the_same_answer_marked_as_a_replay(api_world: ApiWorld) -> None:
    first = api_world.post("/v1/customers", ADA, headers=KEY)
    assert first.status == 201
    assert "idempotent-replayed" not in first.headers
    api_world.post(f"/v1/customers/{first.body['id']}", {"name": "Countess"})
    before = api_world.contents()
    again = api_world.post("/v1/customers", ADA, headers=KEY)
    assert both(again) == both(first)
    assert again.headers["idempotent-replayed"] == "true"
    assert api_world.contents() == before


def test_the_answer_is_given_again_byte_for_byte(api_world: ApiWorld) -> None:
    first = api_world.post("/v1/payment_links", LINK, headers=KEY)
    [row] = api_world.store.all(KeyedCall)
    assert (row.status, row.answer) == (201, json.dumps(first.body, separators=(",", ":")))
    # What would be charged depends on the day; the answer does not.
    api_world.clock.advance(timedelta(hours=23))
    again = api_world.post("/v1/payment_links", LINK, headers=KEY)
    assert json.dumps(again.body, separators=(",", ":")) == row.answer


def test_a_call_without_a_key_leaves_no_row(api_world: ApiWorld) -> None:
    api_world.post("/v1/customers", ADA)
    assert api_world.store.all(KeyedCall) == []


def test_how_the_json_is_written_makes_no_difference(api_world: ApiWorld) -> None:
    first = api_world.post("/v1/customers", ADA, headers=KEY)
    other = json.dumps({name: ADA[name] for name in reversed(ADA)}, indent=2).replace("Ada", "\\u0041da").encode()
    headers = {**KEY, "Content-Type": "application/json; charset=utf-8"}
    assert both(api_world.post("/v1/customers", raw=other, headers=headers)) == both(first)
    assert len(api_world.store.all(Customer)) == 1


def test_no_body_and_an_empty_one_are_the_same(api_world: ApiWorld) -> None:
    link = api_world.post("/v1/payment_links", LINK).body["id"]
    first = api_world.post(f"/v1/payment_links/{link}/deactivate", headers=KEY)
    again = api_world.post(f"/v1/payment_links/{link}/deactivate", {}, headers=KEY)
    assert (both(again), again.headers["idempotent-replayed"]) == (both(first), "true")


# --- refusals


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/customers", {**ADA, "name": "Eve"}),
        ("/v1/customers", {}),
        ("/v1/payment_links", ADA),
        ("/v1/customers/{made}", ADA),
    ],
)
def test_another_request_under_the_key_is_409_and_does_nothing(
    api_world: ApiWorld, path: str, body: dict[str, Any]
) -> None:
    first = api_world.post("/v1/customers", ADA, headers=KEY)
    before = api_world.contents()
    refused = api_world.post(path.format(made=first.body["id"]), body, headers=KEY)
    assert (refused.status, refused.code) == (409, "idempotency_key_reused")
    assert refused.errors == {"Idempotency-Key": "idempotency_key_reused"}
    assert api_world.contents() == before


def test_a_call_in_progress_is_409_with_the_seconds_to_wait_and_is_taken_up_after_them(
    api_world: ApiWorld, trouble: TroubledStore
) -> None:
    trouble.lose_reply(2, effect=False)
    lost = api_world.post("/v1/customers", ADA, headers=KEY)
    assert (lost.status, lost.code) == (503, "provider_unavailable")

    api_world.clock.advance(timedelta(seconds=18))
    before = api_world.contents()
    refused = api_world.post("/v1/customers", ADA, headers=KEY)
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (409, "idempotency_in_progress", "42")
    assert api_world.contents() == before

    api_world.clock.advance(timedelta(seconds=42))
    done = api_world.post("/v1/customers", ADA, headers=KEY)
    assert (done.status, "idempotent-replayed" in done.headers) == (201, False)
    assert [customer.id for customer in api_world.store.all(Customer)] == [done.body["id"]]


def test_a_reply_that_was_lost_after_the_effect_is_given_to_the_retry(
    api_world: ApiWorld, trouble: TroubledStore
) -> None:
    trouble.lose_reply(2, effect=True)
    assert api_world.post("/v1/customers", ADA, headers=KEY).status == 503
    [made] = api_world.store.all(Customer)
    again = api_world.post("/v1/customers", ADA, headers=KEY)
    assert (again.status, again.body["id"], again.headers["idempotent-replayed"]) == (201, made.id, "true")


def test_a_refused_request_leaves_the_key_free(api_world: ApiWorld, trouble: TroubledStore) -> None:
    refused = api_world.post("/v1/customers", {"email": "no address"}, headers=KEY)
    assert (refused.status, refused.code, api_world.store.all(Customer)) == (422, "invalid_value", [])
    assert len(trouble.commits) == 2
    assert api_world.post("/v1/customers", ADA, headers=KEY).status == 201


def test_a_refusal_stands_though_the_key_could_not_be_given_back(
    api_world: ApiWorld, trouble: TroubledStore, caplog: pytest.LogCaptureFixture
) -> None:
    trouble.lose_reply(2, effect=False)
    with caplog.at_level("WARNING", logger="till"):
        refused = api_world.post("/v1/customers", {"email": "no address"}, headers=KEY)
    assert (refused.status, refused.code) == (422, "invalid_value")
    assert [record.getMessage() for record in caplog.records] == ["key_not_given_back"]
    assert api_world.post("/v1/customers", {"email": "no address"}, headers=KEY).code == "idempotency_in_progress"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"a": 1, "a": 2}'])
def test_a_body_that_is_no_json_is_refused_before_the_key_is_looked_at(
    api_world: ApiWorld, trouble: TroubledStore, body: bytes
) -> None:
    headers = {**KEY, "Content-Type": "application/json"}
    assert api_world.post("/v1/customers", raw=body, headers=headers).code == "malformed_json"
    assert api_world.post("/v1/customers", raw=b"{}", headers=KEY).code == "unsupported_media_type"
    assert trouble.commits == []


def test_another_merchants_same_key_is_its_own(api_world: ApiWorld) -> None:
    _, others = api_world.other_merchant()
    first = api_world.post("/v1/customers", ADA, headers=KEY)
    second = api_world.post("/v1/customers", {**ADA, "name": "Eve"}, headers=KEY, key=others)
    assert (second.status, second.body["name"]) == (201, "Eve")
    assert second.body["id"] != first.body["id"]
    assert api_world.post("/v1/customers", ADA, headers=KEY).body == first.body


def test_a_key_that_is_too_narrow_is_refused_before_the_answer_is_looked_up(api_world: ApiWorld) -> None:
    api_world.post("/v1/customers", ADA, headers=KEY)
    narrow = api_world.key_for("customers:read")
    before = api_world.contents()
    assert api_world.post("/v1/customers", ADA, headers=KEY, key=narrow).code == "insufficient_scope"
    assert api_world.post("/v1/customers", ADA, headers=KEY, key=None).code == "unauthenticated"
    assert api_world.contents() == before


# --- the header


def test_any_printable_character_and_255_of_them_are_a_key(api_world: ApiWorld) -> None:
    printable = "".join(chr(code) for code in range(33, 127)) + " x"
    for key in (printable, "x" * 255, "0"):
        assert api_world.post("/v1/payment_links", LINK, headers={"Idempotency-Key": key}).status == 201
    assert len(api_world.store.all(KeyedCall)) == 3


@pytest.mark.parametrize(
    "lines",
    [
        (b"Idempotency-Key: " + b"x" * 256,),
        (b"Idempotency-Key:",),
        (b"Idempotency-Key:   ",),
        (b"Idempotency-Key: a\tb",),
        (b"Idempotency-Key: a\x01b",),
        (b"Idempotency-Key: a\x7fb",),
        ("Idempotency-Key: schlüssel".encode(),),
        ("Idempotency-Key: schl\xfcssel".encode("latin-1"),),
        (b"Idempotency-Key: one", b"Idempotency-Key: two"),
        (b"Idempotency-Key: one", b"idempotency-key: one"),
    ],
)
def test_a_header_that_is_no_key_is_422_and_nothing_is_written(api_world: ApiWorld, lines: Sequence[bytes]) -> None:
    before = api_world.contents()
    status, body = raw(api_world, *lines)
    assert (status, body["error"]["code"], body["error"]["param"]) == (422, "invalid_value", "Idempotency-Key")
    assert api_world.contents() == before


def call(world: ApiWorld, route: DescribedRoute, ids: dict[str, str], key: str) -> Answer:
    """The route's own address and example body, under a key."""
    return world.post(address_of(route, ids), named_body(route, ids), headers={"Idempotency-Key": key})


@pytest.mark.parametrize("route", WRITING, ids=lambda route: route.operation.id)
def test_a_route_that_writes_answers_again_as_it_did_and_takes_no_wrong_key(
    api_world: ApiWorld, route: DescribedRoute
) -> None:
    ids = stored(api_world, api_world.merchant.id, route)
    before = api_world.contents()
    refused = call(api_world, route, ids, "x" * 256)
    assert (refused.status, refused.errors) == (422, {"Idempotency-Key": "invalid_value"})
    assert api_world.contents() == before

    first = call(api_world, route, ids, "a call")
    done = api_world.contents()
    again = call(api_world, route, ids, "a call")
    assert both(again)[0] == first.status
    if first.status == route.success:
        assert (both(again), again.headers["idempotent-replayed"]) == (both(first), "true")
        assert api_world.contents() == done
    else:
        # The example cannot be done with the records that there are; then the key was given back.
        assert (first.status in (409, 422), again.code) == (True, first.code), first.body


def test_a_post_that_only_computes_takes_no_notice_of_the_key(api_world: ApiWorld) -> None:
    for route in [each for each in ROUTES if each.method == "POST" and not each.writes]:
        ids = stored(api_world, api_world.merchant.id, route)
        assert call(api_world, route, ids, "x" * 256).status == route.success, route
    assert api_world.store.all(KeyedCall) == []


# --- a view that fails after its effect


@pytest.fixture(scope="module")
def failing_port() -> Iterator[int]:
    """An API of a view that makes a customer and fails then, and of one that does not say what its answer is."""
    bp = Blueprint(__name__)

    @bp.route("/v1/customers", methods=["POST"], content_types=[])
    @json_api(bp, scope="customers:write", success=201)
    def things(call: ApiCall) -> dict[str, Any]:
        def work() -> Customer:
            create_customer(call.ports, call.merchant_id, NewCustomer("ada@example.com"), actor=call.actor)
            raise QueueUnavailable("what was to hurry cannot be told")

        return call.once(Customer, customer_out, work)

    @bp.route("/v1/payment_links", methods=["POST"], content_types=[])
    @json_api(bp, scope="customers:write")
    def careless(call: ApiCall) -> dict[str, Any]:
        return {"id": create_customer(call.ports, call.merchant_id, NewCustomer("a@example.com"), actor="x").id}

    app = Chalice("till-failing-test", configure_logs=False)
    app.register_blueprint(bp)
    server = WebServer(app, 0, healthy=lambda: True, render_error=lambda code, request_id: Response(body=code))
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def test_what_fails_after_the_answer_was_written_changes_nothing_of_it(
    api_world: ApiWorld, failing_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    world = replace(api_world, port=failing_port)
    with caplog.at_level("ERROR", logger="till"):
        first = world.post("/v1/customers", {}, headers=KEY)
    [made] = world.store.all(Customer)
    assert both(first) == (201, customer_out(made))
    assert [record.getMessage() for record in caplog.records] == ["request_failed"]
    again = world.post("/v1/customers", {}, headers=KEY)
    assert (both(again), again.headers["idempotent-replayed"]) == (both(first), "true")
    assert world.post("/v1/customers", {}).status == 409


def test_a_view_that_writes_without_saying_what_its_answer_is_writes_nothing(
    api_world: ApiWorld, failing_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    world = replace(api_world, port=failing_port)
    with caplog.at_level("ERROR", logger="till"):
        assert world.post("/v1/payment_links", {}, headers=KEY).code == "internal_error"
    assert "use call.once" in caplog.text
    assert world.store.all(Customer) == []
