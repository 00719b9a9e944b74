"""Every route of the API says what it is, where it is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from chalice.app import Blueprint, Chalice

from chalicelib.handlers.api.operations import OUTSIDE, Filters, described_routes, operation
from chalicelib.handlers.boundary import json_api
from tests import builders as build
from tests.handlers.conftest import ApiWorld


def test_every_route_under_v1_has_a_description_with_a_summary_and_an_id_of_its_own(api_app: Chalice) -> None:
    routes = described_routes(api_app)
    registered = {(method, path) for path, methods in api_app.routes.items() for method in methods}
    under_v1 = {(method, path) for method, path in registered if path.startswith("/v1/") and path not in OUTSIDE}
    assert {(route.method, route.path) for route in routes} == under_v1
    ids = [route.operation.id for route in routes]
    assert sorted(ids) == sorted(set(ids))
    assert [each for each in ids if not re.fullmatch(r"[a-z]+(_[a-z]+)*", each)] == []
    assert [route.operation.id for route in routes if not route.operation.summary.endswith(".")] == []


def test_a_route_that_says_nothing_of_itself_is_named_with_what_to_add() -> None:
    blueprint, app = Blueprint("bare"), Chalice("bare", configure_logs=False)

    @blueprint.route("/v1/bare", methods=["GET"])
    @json_api(blueprint, scope="account:read")
    def bare(call: Any) -> dict[str, Any]:
        return {}

    app.register_blueprint(blueprint)
    with pytest.raises(ValueError, match=r"GET /v1/bare has no description: put @operation\(\.\.\.\)"):
        described_routes(app)


def test_the_type_of_the_answer_says_which_operation_is_a_list() -> None:
    def page(call: Any) -> answers.Page[answers.Customer]:  # type: ignore[name-defined] # noqa: F821 - never evaluated
        """Some."""

    def one(call: Any) -> answers.Customer:  # type: ignore[name-defined] # noqa: F821 - never evaluated
        """One."""

    listed = operation("list_some", filters=Filters(("customer",)))(page).operation  # type: ignore[attr-defined]
    single = operation("get_one")(one).operation  # type: ignore[attr-defined]
    assert listed.query == {"limit", "cursor", "customer", "created_after", "created_before"}
    assert (single.query, single.filters) == (frozenset(), None)


def test_a_query_parameter_that_a_route_does_not_have_is_refused_everywhere_and_nothing_is_written(
    api_app: Chalice, api_world: ApiWorld
) -> None:
    before = api_world.contents()
    for route in described_routes(api_app):
        path = re.sub(r"\{\w+\}", "x", route.path)
        answer = api_world.send(route.method, f"{path}?nothing=1", {} if route.method == "POST" else None)
        assert (answer.status, answer.errors) == (422, {"nothing": "unknown_field"}), route
    assert api_world.contents() == before


def test_prices_are_listed_for_the_product_that_is_asked_for(api_world: ApiWorld) -> None:
    owner = api_world.merchant.id
    prints, frames = build.product(merchant_id=owner), build.product(merchant_id=owner)
    small, large = (build.price(merchant_id=owner, product_id=prints.id) for _ in range(2))
    api_world.put(prints, frames, small, large, build.price(merchant_id=owner, product_id=frames.id))
    listed = api_world.get(f"/v1/prices?product={prints.id}").body["data"]
    assert [price["id"] for price in listed] == [large.id, small.id]
