"""The doors of the API: every route as nobody, with a broken or revoked key, a narrow one, and another merchant's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.handlers.api.operations import DescribedRoute
from chalicelib.services.merchants import SCOPES
from tests import builders as build
from tests.api_routes import (
    PATHS,
    PLACEHOLDER,
    RECORDS,
    ROUTES,
    address_of,
    body_of,
    named_body,
    prefix_of,
    records_for,
)
from tests.handlers.conftest import Answer, ApiWorld

each_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation.id)


def stored(world: ApiWorld, merchant_id: str, route: DescribedRoute) -> dict[str, str]:
    """The id of a record of each kind that a route names, stored for a merchant."""
    records = records_for(route, merchant_id)
    world.put(*records.values())
    return {prefix: record.id for prefix, record in records.items()}


def send(world: ApiWorld, route: DescribedRoute, ids: Mapping[str, str], key: str | None = "") -> Answer:
    """The route's own address and example body, naming these records."""
    return world.send(route.method, address_of(route, ids), named_body(route, ids), key=key)


def words(answer: Answer) -> Any:
    """All of a refusal but the id of its request."""
    said = dict(answer.body["error"])
    assert said.pop("request_id") == answer.headers["request-id"]
    return answer.status, said


def test_a_routes_scope_is_its_resource_and_what_it_does() -> None:
    for route in ROUTES:
        verb = "write" if route.writes else "read"
        assert route.scope == f"{route.path.split('/')[2]}:{verb}", route
    assert {route.scope for route in ROUTES} == SCOPES - {"*"}


@each_route
def test_a_route_opens_to_exactly_the_right_key(api_world: ApiWorld, route: DescribedRoute) -> None:
    ids = stored(api_world, api_world.merchant.id, route)
    exact, revoked = api_world.key_for(route.scope), api_world.key_for("*")
    narrow = [api_world.key_for(scope) for scope in sorted(SCOPES - {"*", route.scope})]
    all_others = api_world.key_for(*(SCOPES - {"*", route.scope}))
    api_world.revoke(revoked)
    before = api_world.contents()

    closed = [
        send(api_world, route, ids, key) for key in (None, "till_test_x", "sk_1", f"{exact}x", exact[:-1], revoked)
    ]
    assert {answer.status for answer in closed} == {401}
    assert len({json.dumps(words(answer)) for answer in closed}) == 1, "nobody is told why a key is none"
    for key in (*narrow, all_others):
        assert words(send(api_world, route, ids, key))[1]["code"] == "insufficient_scope"
    assert api_world.contents() == before

    opened = send(api_world, route, ids, exact)
    assert opened.status == route.success or opened.status in (409, 422), opened.body


@each_route
def test_a_record_of_another_merchant_is_as_unknown_as_one_that_never_was(
    api_world: ApiWorld, route: DescribedRoute
) -> None:
    other, others_key = api_world.other_merchant()
    theirs = stored(api_world, other.id, route)
    unknown = {prefix: build.new_id(prefix) for prefix in theirs}
    before = api_world.contents()
    if not theirs:
        # Nothing of the other merchant's can be named, so nothing of it may be seen.
        mine = send(api_world, route, {}, api_world.key)
        assert other.id not in json.dumps(mine.body)
        assert api_world.merchant.id not in json.dumps(send(api_world, route, {}, others_key).body)
        return
    assert words(send(api_world, route, theirs)) == words(send(api_world, route, unknown))
    if "{" in route.path:
        assert send(api_world, route, theirs).code == "not_found"
        for wrong in ("1", "x" * 3000, "%00", "sub_" + "Z" * 26, "cus_01ARZ3NDEKTSV4RRFFQ69G5FAV"):
            assert send(api_world, route, dict.fromkeys(RECORDS, wrong)).code == "not_found"
    assert api_world.contents() == before


@each_route
def test_a_list_is_not_narrowed_by_what_belongs_to_another_merchant(api_world: ApiWorld, route: DescribedRoute) -> None:
    other, _ = api_world.other_merchant()
    for name in route.operation.filters.owners if route.operation.filters else ():
        theirs = RECORDS[prefix_of(name)](merchant_id=other.id)
        api_world.put(theirs)
        said = [words(api_world.get(f"{route.path}?{name}={id}")) for id in (theirs.id, build.new_id(prefix_of(name)))]
        assert said[0] == said[1]
        assert said[0][1]["code"] == "not_found"


@pytest.mark.parametrize("path", PATHS)
def test_an_address_refuses_every_method_that_it_does_not_have(api_world: ApiWorld, path: str) -> None:
    has = {route.method for route in ROUTES if route.path == path}
    address = PLACEHOLDER.sub(lambda found: build.new_id(prefix_of(found[1])), path)
    before = api_world.contents()
    for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE"} - has):
        for key in ("", None):
            answer = api_world.send(method, address, {} if method != "GET" else None, key=key)
            assert (answer.status, answer.code) == (405, "method_not_allowed")
            assert set(answer.headers["allow"].replace(" ", "").split(",")) == has
    for unknown in (f"{address}/nothing", f"{address}x/nothing", address.replace("/v1/", "/v1//", 1)):
        assert api_world.get(unknown).code == "not_found"
    assert api_world.contents() == before


@each_route
def test_a_body_of_another_type_is_refused_and_nothing_is_written(api_world: ApiWorld, route: DescribedRoute) -> None:
    if route.operation.takes is None:
        return
    ids = stored(api_world, api_world.merchant.id, route)
    path = address_of(route, ids)
    raw = json.dumps(body_of(route)).encode()
    before = api_world.contents()
    for content_type in (None, "text/plain", "application/xml", "application/json; charset=latin-1", "*/*", "json"):
        headers = {} if content_type is None else {"Content-Type": content_type}
        answer = api_world.send(route.method, path, raw=raw, headers=headers)
        assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert api_world.contents() == before


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic dGlsbA==", "till_test_x", "Bearer till_test_é", "Bearer till_" + "a" * 5000],
)
def test_an_authorization_header_without_a_key_is_nobody(api_world: ApiWorld, header: str) -> None:
    sent = {"Authorization": header.encode().decode("latin-1")}
    answer = api_world.get("/v1/account", key=None, headers=sent)
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.body["error"]["type"] == "authentication"


def test_the_scheme_is_read_in_any_case(api_world: ApiWorld) -> None:
    answer = api_world.get("/v1/account", key=None, headers={"Authorization": f"bearer {api_world.key}"})
    assert answer.status == 200


def test_the_key_is_asked_before_the_body_is_looked_at(api_world: ApiWorld) -> None:
    assert api_world.send("POST", "/v1/customers", key=None, raw=b"{").code == "unauthenticated"


def test_eight_threads_with_eight_keys_each_see_their_own_merchant(api_world: ApiWorld) -> None:
    merchants = [api_world.other_merchant() for _ in range(8)]
    keys = {merchant.id: key for merchant, key in merchants}

    def ask(number: int) -> bool:
        merchant_id = list(keys)[number % 8]
        made = api_world.post("/v1/customers", {"email": f"c{number}@example.com"}, key=keys[merchant_id])
        seen = api_world.get(f"/v1/customers/{made.body['id']}", key=keys[merchant_id])
        account = api_world.get("/v1/account", key=keys[merchant_id])
        return (made.status, seen.body, account.body["id"]) == (201, made.body, merchant_id)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(64)))


def test_unknown_paths_and_methods_have_our_shape(api_world: ApiWorld) -> None:
    unknown = api_world.get("/v1/nothing")
    assert (unknown.status, unknown.code) == (404, "not_found")
    assert api_world.key not in str(unknown.body)
    wrong_method = api_world.send("DELETE", "/v1/customers")
    assert (wrong_method.status, wrong_method.code) == (405, "method_not_allowed")


WHOLE = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "content-type": "application/json",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
}


def test_no_answer_is_cached_sniffed_framed_or_fetched_without_tls(api_world: ApiWorld) -> None:
    answers = {
        200: api_world.get("/v1/account"),
        201: api_world.post("/v1/customers", {"email": "ada@example.com"}),
        401: api_world.get("/v1/account", key=None),
        404: api_world.get("/v1/customers/none"),
        405: api_world.send("DELETE", "/v1/customers"),
        409: api_world.post("/v1/customers", {"email": "ada@example.com"}),
        415: api_world.post("/v1/customers", raw=b"{}", headers={"Content-Type": "text/plain"}),
        422: api_world.post("/v1/customers", {}),
    }
    answers[4040] = api_world.get("/v1/nothing")
    for status, answer in answers.items():
        assert str(status).startswith(str(answer.status))
        assert {name: answer.headers.get(name) for name in WHOLE} == WHOLE, status
        assert answer.headers["request-id"]


def test_the_document_may_be_kept_for_a_while_and_is_otherwise_sent_alike(api_world: ApiWorld) -> None:
    headers = api_world.get("/v1/openapi.json", key=None).headers
    kept = {**WHOLE, "cache-control": "public, max-age=300"}
    assert {name: headers.get(name) for name in kept} == kept
