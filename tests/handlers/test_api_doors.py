"""The doors of the API: every route as nobody, with a broken or revoked key, a narrow one, and another merchant's."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from chalice.app import Chalice

from chalicelib.services.merchants import SCOPES
from tests import builders as build
from tests.handlers.conftest import ApiWorld

SCOPE_OF_ROUTE = {
    ("GET", "/v1/account"): "account:read",
    ("POST", "/v1/account"): "account:write",
    **{
        route: f"{kind}:{'read' if route[0] == 'GET' else 'write'}"
        for kind, parameter in (("products", "product_id"), ("prices", "price_id"), ("tax_rates", "tax_rate_id"))
        for route in itertools.product(("GET", "POST"), (f"/v1/{kind}", f"/v1/{kind}/{{{parameter}}}"))
    },
    ("GET", "/v1/payment_links"): "payment_links:read",
    ("POST", "/v1/payment_links"): "payment_links:write",
    ("GET", "/v1/payment_links/{link_id}"): "payment_links:read",
    ("POST", "/v1/payment_links/{link_id}"): "payment_links:write",
    ("POST", "/v1/payment_links/{link_id}/activate"): "payment_links:write",
    ("POST", "/v1/payment_links/{link_id}/deactivate"): "payment_links:write",
    ("GET", "/v1/customers"): "customers:read",
    ("POST", "/v1/customers"): "customers:write",
    ("GET", "/v1/customers/{customer_id}"): "customers:read",
    ("POST", "/v1/customers/{customer_id}"): "customers:write",
    ("GET", "/v1/invoices"): "invoices:read",
    ("GET", "/v1/invoices/{invoice_id}"): "invoices:read",
    ("GET", "/v1/checkouts"): "checkouts:read",
    ("GET", "/v1/checkouts/{checkout_id}"): "checkouts:read",
    ("GET", "/v1/subscriptions"): "subscriptions:read",
    ("GET", "/v1/subscriptions/{subscription_id}"): "subscriptions:read",
    ("GET", "/v1/subscriptions/{subscription_id}/preview"): "subscriptions:read",
    ("POST", "/v1/subscriptions/{subscription_id}/cancel"): "subscriptions:write",
    ("GET", "/v1/payments"): "payments:read",
    ("GET", "/v1/payments/{payment_id}"): "payments:read",
    ("GET", "/v1/events"): "events:read",
}
ROUTES = sorted(SCOPE_OF_ROUTE)
# The product is the one that `stored` has put: see `send`.
BODIES = {
    "/v1/products": {"name": "Prints"},
    "/v1/prices": {"product": "{product_id}", "currency": "usd", "unit_amount": 2_000},
    "/v1/tax_rates": {"name": "Sales tax", "percent": "8.875"},
    "/v1/subscriptions/{subscription_id}/cancel": {"at": "now"},
    "/v1/customers": {"email": "ada@example.com"},
    "/v1/payment_links": {
        "name": "A link",
        "currency": "usd",
        "lines": [{"name": "A line", "unit_amount": 100, "quantity": 1}],
    },
}


def stored(world: ApiWorld) -> dict[str, str]:
    """A record of each kind that belongs to the world's merchant, by the name of its path parameter."""
    owner = world.merchant.id
    records = {
        "product_id": build.product(merchant_id=owner),
        "price_id": build.price(merchant_id=owner),
        "tax_rate_id": build.tax_rate(merchant_id=owner),
        "link_id": build.link(merchant_id=owner),
        "customer_id": build.customer(merchant_id=owner),
        "invoice_id": build.invoice(merchant_id=owner),
        "checkout_id": build.checkout(merchant_id=owner),
        "subscription_id": build.subscription(merchant_id=owner),
        "payment_id": build.payment(merchant_id=owner),
    }
    world.put(*records.values())
    return {name: record.id for name, record in records.items()}


def send(world: ApiWorld, method: str, route: str, ids: dict[str, str], key: str | None = "") -> tuple[int, str | None]:
    body = BODIES.get(route, {}) if method == "POST" else None
    if body and "product" in body:
        body = {**body, "product": ids["product_id"]}
    answer = world.send(method, route.format(**ids), body, key=key)
    assert answer.headers["request-id"]
    if "error" in answer.body:
        assert answer.body["error"]["request_id"] == answer.headers["request-id"]
        return answer.status, answer.code
    return answer.status, None


def test_the_table_of_scopes_names_every_route_and_only_scopes_that_exist(api_app: Chalice) -> None:
    routes = {(method, path) for path, methods in api_app.routes.items() for method in methods}
    assert routes == set(SCOPE_OF_ROUTE)
    assert set(SCOPE_OF_ROUTE.values()) == SCOPES - {"*"}


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_every_route_opens_to_exactly_the_right_key(api_world: ApiWorld, method: str, route: str) -> None:
    ids = stored(api_world)
    scope = SCOPE_OF_ROUTE[method, route]
    narrow = api_world.key_for(*(SCOPES - {"*", scope}))
    exact = api_world.key_for(scope)
    revoked = api_world.key_for("*")
    api_world.revoke(revoked)
    _, others = api_world.other_merchant()
    before = api_world.contents()

    for key in (None, "till_test_unknown", "sk_test_something", f"{exact}x", exact[:-1], revoked):
        assert send(api_world, method, route, ids, key) == (401, "unauthenticated")
    assert send(api_world, method, route, ids, narrow) == (403, "insufficient_scope")
    if "{" in route:
        assert send(api_world, method, route, ids, others) == (404, "not_found")
        unknown = {name: build.new_id(each.partition("_")[0]) for name, each in ids.items()}
        assert send(api_world, method, route, unknown) == (404, "not_found")
        for wrong in ("1", "x" * 3000, "%00", "sub_" + "Z" * 26, "cus_01ARZ3NDEKTSV4RRFFQ69G5FAV"):
            assert send(api_world, method, route, dict.fromkeys(ids, wrong)) == (404, "not_found")
    assert api_world.contents() == before

    status, code = send(api_world, method, route, ids, exact)
    assert (status // 100, code) == (2, None)


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


def test_unknown_paths_methods_and_types_have_our_shape(api_world: ApiWorld) -> None:
    unknown = api_world.get("/v1/nothing")
    assert (unknown.status, unknown.code) == (404, "not_found")
    assert api_world.key not in str(unknown.body)
    wrong_method = api_world.send("DELETE", "/v1/customers")
    assert (wrong_method.status, wrong_method.code) == (405, "method_not_allowed")
    for content_type in (None, "text/plain", "application/xml", "application/json; charset=latin-1", "*/*"):
        headers = {} if content_type is None else {"Content-Type": content_type}
        before = api_world.contents()
        answer = api_world.send("POST", "/v1/customers", raw=b'{"email": "ada@example.com"}', headers=headers)
        assert (answer.status, answer.code) == (415, "unsupported_media_type")
        assert api_world.contents() == before


def test_no_answer_is_cached_or_sniffed(api_world: ApiWorld) -> None:
    for path in ("/v1/account", "/v1/customers/none"):
        headers = api_world.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-type"] == "application/json"
