"""Products, prices and tax rates over HTTP: made, read, listed, changed, archived, and refused without a trace."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.documents.catalogue import Price, Product, TaxRate
from chalicelib.domain.errors import ERROR_CODES
from tests import builders as build
from tests.handlers.conftest import ApiWorld

OWNER = "mer_pinewood-studio"
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
VISA = "4242 4242 4242 4242"
AT = "2027-01-15T12:00:00Z"
GRADUATED: dict[str, Any] = {
    "currency": "usd",
    "model": "graduated",
    "tiers": [{"up_to": 5, "unit_amount": 700}, {"up_to": 10, "unit_amount": 650}, {"up_to": None, "unit_amount": 600}],
}


def make_product(world: ApiWorld, **changes: Any) -> str:
    return str(world.post("/v1/products", {"name": "Fonts", **changes}).body["id"])


def make_price(world: ApiWorld, **changes: Any) -> dict[str, Any]:
    body = {"currency": "usd", "unit_amount": 2_000, **changes}
    body.setdefault("product", make_product(world))
    made = world.post("/v1/prices", body)
    assert made.status == 201, made.body
    return dict(made.body)


def make_rate(world: ApiWorld, **changes: Any) -> str:
    made = world.post("/v1/tax_rates", {"name": "Sales tax", "percent": "8.875", **changes})
    return str(made.body["id"])


def told(world: ApiWorld) -> list[tuple[str, str, dict[str, Any] | None]]:
    events = world.get("/v1/events?limit=100").body["data"]
    return [(each["type"], each["data"]["object"]["id"], each["data"].get("previous")) for each in reversed(events)]


# --- products ---------------------------------------------------------------------------------------------------------


def test_a_product_is_made_read_and_listed_alike(api_world: ApiWorld) -> None:
    rate = make_rate(api_world)
    body = {
        "name": "Fine art print",
        "description": "Giclée on cotton.\nSigned.",
        "sku": "PR-2030",
        "image_url": "https://cdn.example.com/prints/20x30.png?v=2",
        "unit_cost": 650,
        "currency": "eur",
        "folder": "Prints",
        "tax_rate": rate,
        "metadata": {"shelf": "4"},
    }
    made = api_world.post("/v1/products", body)
    assert made.status == 201
    (product,) = api_world.store.all(Product)
    assert made.body == {"id": product.id, "object": "product", "created_at": AT, "active": True, **body}
    assert product.id.startswith("prod_")
    assert api_world.get(f"/v1/products/{product.id}").body == made.body
    assert api_world.get("/v1/products").body == {"data": [made.body], "has_more": False, "next_cursor": None}
    assert told(api_world)[-1] == ("product.created", product.id, None)


def test_a_product_of_a_name_alone_costs_in_the_accounts_currency(api_world: ApiWorld) -> None:
    made = api_world.post("/v1/products", {"name": "Print"}).body
    assert {name: value for name, value in made.items() if name not in ("id", "object", "created_at")} == {
        "name": "Print", "description": None, "sku": None, "image_url": None, "unit_cost": None, "currency": "usd",
        "folder": None, "tax_rate": None, "active": True, "metadata": {},
    }  # fmt: skip


def test_an_update_of_a_product_changes_clears_and_leaves(api_world: ApiWorld) -> None:
    rate = make_rate(api_world)
    body = {"name": "Print", "sku": "PR", "unit_cost": 650, "tax_rate": rate, "metadata": {"shelf": "4"}}
    made = api_world.post("/v1/products", body).body
    path = f"/v1/products/{made['id']}"
    changed = api_world.post(path, {"name": "Prints", "sku": None, "unit_cost": 700, "active": False})
    assert changed.status == 200
    assert changed.body == {**made, "name": "Prints", "sku": None, "unit_cost": 700, "active": False}
    previous = {"name": "Print", "sku": "PR", "unit_cost": 650, "active": True}
    assert told(api_world)[-1] == ("product.updated", made["id"], previous)
    cleared = api_world.post(path, {"unit_cost": None, "tax_rate": None, "metadata": None}).body
    assert (cleared["unit_cost"], cleared["tax_rate"], cleared["metadata"]) == (None, None, {})
    assert api_world.get(path).body == cleared


def test_an_update_that_changes_nothing_writes_nothing(api_world: ApiWorld) -> None:
    product, rate = make_product(api_world), make_rate(api_world)
    price = make_price(api_world, product=product)["id"]
    before = api_world.contents()
    for path, body in (
        (f"/v1/products/{product}", {"name": "Fonts", "active": True}),
        (f"/v1/prices/{price}", {"nickname": None}),
        (f"/v1/tax_rates/{rate}", {}),
    ):
        assert api_world.post(path, body).status == 200
    assert api_world.contents() == before


@pytest.mark.parametrize("path", ["/v1/products", "/v1/products/{id}"])
@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"name": ""}, {"name": "invalid_text"}),
        ({"name": None}, {"name": "wrong_type"}),
        ({"name": "a" * 251}, {"name": "invalid_text"}),
        ({"name": VISA}, {"name": "card_number_refused"}),
        ({"description": "a" * 1001}, {"description": "invalid_text"}),
        ({"sku": "a" * 101}, {"sku": "invalid_text"}),
        ({"sku": "a\tb"}, {"sku": "invalid_text"}),
        ({"folder": 7}, {"folder": "wrong_type"}),
        *(
            ({"image_url": value}, {"image_url": "invalid_url"})
            for value in (
                "", "http://example.com/a.png", "https://", "https://localhost/a.png", "https://127.0.0.1/a.png",
                "https://user:word@example.com/a.png", "https://example.com/a b.png", "https://example.com/a\n",
                "https://example.com\\a.png", "javascript:alert(1)", "data:image/png;base64,AA", "//example.com/a.png",
                "https://exämple.com/a.png", "https://example.com/\u202egnp.a", "https://example.com/" + "a" * 2000,
            )
        ),
        ({"image_url": "https://example.com/4242424242424242"}, {"image_url": "card_number_refused"}),
        ({"unit_cost": -1}, {"unit_cost": "out_of_range"}),
        ({"unit_cost": 100_000_000}, {"unit_cost": "out_of_range"}),
        ({"unit_cost": 1.5}, {"unit_cost": "wrong_type"}),
        ({"unit_cost": True}, {"unit_cost": "wrong_type"}),
        ({"tax_rate": "8.875"}, {"tax_rate": "invalid_value"}),
        ({"tax_rate": f"prod_{ULID}"}, {"tax_rate": "invalid_value"}),
        ({"tax_rate": f"txr_{ULID}"}, {"tax_rate": "invalid_value"}),
        ({"active": "no"}, {"active": "wrong_type"}),
        ({"active": None}, {"active": "wrong_type"}),
        ({"metadata": {"k": 1}}, {"metadata.k": "wrong_type"}),
        ({"merchant_id": "mer_other", "id": "prod_1"}, {"merchant_id": "unknown_field", "id": "unknown_field"}),
        ({"sku": 1, "folder": "", "unit_cost": "1"}, {"sku": "wrong_type", "unit_cost": "wrong_type",
                                                      "folder": "invalid_text"}),
    ],
)  # fmt: skip
def test_a_wrong_product_is_refused_by_field_and_nothing_is_written(
    api_world: ApiWorld, path: str, changes: dict[str, Any], errors: dict[str, str]
) -> None:
    product = make_product(api_world)
    before = api_world.contents()
    body = changes if "{id}" in path else {"name": "Print", **changes}
    answer = api_world.post(path.replace("{id}", product), body)
    assert (answer.status, answer.errors) == (422, errors)
    assert api_world.contents() == before


def test_the_currency_of_a_product_stays(api_world: ApiWorld) -> None:
    product = make_product(api_world)
    before = api_world.contents()
    answer = api_world.post(f"/v1/products/{product}", {"currency": "eur"})
    assert (answer.status, answer.errors) == (422, {"currency": "unknown_field"})
    assert api_world.post("/v1/products", {"name": "Print", "currency": "USD"}).errors == {
        "currency": "invalid_currency"
    }
    assert api_world.contents() == before


# --- prices -----------------------------------------------------------------------------------------------------------


def test_a_flat_price_is_made_read_and_listed_alike(api_world: ApiWorld) -> None:
    product = make_product(api_world)
    made = make_price(api_world, product=product, nickname="Summer", metadata={"a": "1"})
    (price,) = api_world.store.all(Price)
    assert made == {
        "id": price.id,
        "object": "price",
        "created_at": AT,
        "metadata": {"a": "1"},
        "product": product,
        "currency": "usd",
        "model": "flat",
        "unit_amount": 2_000,
        "tiers": None,
        "recurring": None,
        "nickname": "Summer",
        "active": True,
    }
    assert price.id.startswith("price_")
    assert api_world.get(f"/v1/prices/{price.id}").body == made
    assert api_world.get("/v1/prices").body["data"] == [made]
    assert told(api_world)[-1] == ("price.created", price.id, None)


@pytest.mark.parametrize("model", ["volume", "graduated"])
def test_a_price_by_tiers_says_what_a_unit_costs_in_each(api_world: ApiWorld, model: str) -> None:
    made = make_price(api_world, **{**GRADUATED, "model": model, "unit_amount": None})
    assert (made["model"], made["unit_amount"], made["tiers"]) == (model, None, GRADUATED["tiers"])
    assert api_world.get("/v1/events").body["data"][0]["data"]["object"]["tiers"] == GRADUATED["tiers"]


def test_a_price_by_stairs_says_what_each_tier_costs(api_world: ApiWorld) -> None:
    tiers = [{"up_to": 10, "flat_amount": 5_000}, {"up_to": None, "flat_amount": 9_000}]
    body = {"product": make_product(api_world), "currency": "usd", "model": "stairstep", "tiers": tiers}
    made = api_world.post("/v1/prices", {**body, "recurring": {"frequency": "annually"}}).body
    assert (made["model"], made["tiers"], made["recurring"]) == ("stairstep", tiers, {"frequency": "annually"})
    assert api_world.get(f"/v1/prices/{made['id']}").body == made
    # The end of the last tier may be left out.
    tiers[1].pop("up_to")
    assert api_world.post("/v1/prices", {**body, "tiers": tiers}).body["tiers"] == made["tiers"]


def test_a_price_changes_in_name_and_standing_alone(api_world: ApiWorld) -> None:
    made = make_price(api_world)
    path = f"/v1/prices/{made['id']}"
    changed = api_world.post(path, {"nickname": "Old", "active": False, "metadata": {"a": "1"}})
    assert (changed.status, changed.body) == (
        200,
        {**made, "nickname": "Old", "active": False, "metadata": {"a": "1"}},
    )
    assert told(api_world)[-1] == (
        "price.updated",
        made["id"],
        {"nickname": None, "active": True, "metadata": {}},
    )
    before = api_world.contents()
    amounts = {
        "unit_amount": 1, "tiers": None, "model": "flat", "currency": "usd", "product": made["product"],
        "recurring": None,
    }  # fmt: skip
    answer = api_world.post(path, amounts)
    assert (answer.status, answer.errors) == (422, dict.fromkeys(amounts, "unknown_field"))
    assert api_world.contents() == before


def tier(up_to: int | None, unit_amount: Any = 500, **more: Any) -> dict[str, Any]:
    return {"up_to": up_to, "unit_amount": unit_amount, **more}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"unit_amount": "missing_field"}),
        ({"unit_amount": None}, {"unit_amount": "missing_field"}),
        ({"unit_amount": -1}, {"unit_amount": "out_of_range"}),
        ({"unit_amount": 100_000_000}, {"unit_amount": "out_of_range"}),
        ({"unit_amount": 5.0}, {"unit_amount": "wrong_type"}),
        ({"unit_amount": 5, "currency": "xyz"}, {"currency": "invalid_currency"}),
        ({"unit_amount": 5, "model": "package"}, {"model": "invalid_value"}),
        ({"unit_amount": 5, "model": None}, {"model": "wrong_type"}),
        ({"unit_amount": 5, "product": f"prod_{ULID}"}, {"product": "invalid_value"}),
        ({"unit_amount": 5, "product": "x" * 3000}, {"product": "invalid_value"}),
        ({"unit_amount": 5, "product": None}, {"product": "wrong_type"}),
        ({"unit_amount": 5, "recurring": {}}, {"recurring.frequency": "missing_field"}),
        ({"unit_amount": 5, "recurring": {"frequency": "daily"}}, {"recurring.frequency": "invalid_value"}),
        (
            {"unit_amount": 5, "recurring": {"frequency": "monthly", "term": "fixed"}},
            {"recurring.term": "unknown_field"},
        ),
        ({"unit_amount": 5, "nickname": ""}, {"nickname": "invalid_text"}),
        ({"unit_amount": 5, "tiers": [tier(None)]}, {"tiers": "invalid_value"}),
        ({"tiers": [tier(None)]}, {"unit_amount": "missing_field", "tiers": "invalid_value"}),
        ({"model": "volume"}, {"tiers": "missing_field"}),
        ({"model": "volume", "unit_amount": 5, "tiers": [tier(None)]}, {"unit_amount": "invalid_value"}),
        ({"model": "volume", "tiers": []}, {"tiers": "out_of_range"}),
        ({"model": "volume", "tiers": {}}, {"tiers": "wrong_type"}),
        ({"model": "volume", "tiers": ["a"]}, {"tiers.0": "wrong_type"}),
        ({"model": "volume", "tiers": [tier(n) for n in range(1, 51)] + [tier(None)]}, {"tiers": "out_of_range"}),
        ({"model": "volume", "tiers": [tier(5)]}, {"tiers.0.up_to": "invalid_value"}),
        ({"model": "graduated", "tiers": [tier(None), tier(None)]}, {"tiers.0.up_to": "invalid_value"}),
        ({"model": "graduated", "tiers": [tier(5), tier(5), tier(None)]}, {"tiers.1.up_to": "out_of_range"}),
        ({"model": "graduated", "tiers": [tier(0), tier(None)]}, {"tiers.0.up_to": "out_of_range"}),
        ({"model": "graduated", "tiers": [tier(1_000_000), tier(None)]}, {"tiers.0.up_to": "out_of_range"}),
        ({"model": "graduated", "tiers": [{"up_to": "inf", "unit_amount": 1}]}, {"tiers.0.up_to": "wrong_type"}),
        ({"model": "graduated", "tiers": [tier(None, 100_000_000)]}, {"tiers.0.unit_amount": "out_of_range"}),
        ({"model": "graduated", "tiers": [tier(None, -1)]}, {"tiers.0.unit_amount": "out_of_range"}),
        ({"model": "graduated", "tiers": [tier(None, "5")]}, {"tiers.0.unit_amount": "wrong_type"}),
        ({"model": "graduated", "tiers": [tier(None, amount=5)]}, {"tiers.0.amount": "unknown_field"}),
        (
            {"model": "graduated", "tiers": [tier(3, None), tier(None, None, flat_amount=5)]},
            {
                "tiers.0.unit_amount": "missing_field",
                "tiers.1.unit_amount": "missing_field",
                "tiers.1.flat_amount": "invalid_value",
            },
        ),
        (
            {"model": "stairstep", "tiers": [tier(None)]},
            {"tiers.0.flat_amount": "missing_field", "tiers.0.unit_amount": "invalid_value"},
        ),
    ],
)  # fmt: skip
def test_a_wrong_price_is_refused_by_field_and_nothing_is_written(
    api_world: ApiWorld, body: dict[str, Any], errors: dict[str, str]
) -> None:
    product = make_product(api_world)
    before = api_world.contents()
    answer = api_world.post("/v1/prices", {"product": product, "currency": "usd", **body})
    assert (answer.status, answer.errors) == (422, errors)
    assert set(answer.errors.values()) <= ERROR_CODES
    assert (answer.body["error"]["param"], answer.code) == next(iter(errors.items()))
    assert api_world.contents() == before


def test_an_archived_product_gets_no_new_price_until_it_is_back(api_world: ApiWorld) -> None:
    product = make_product(api_world, active=False)
    body = {"product": product, "currency": "usd", "unit_amount": 5}
    before = api_world.contents()
    answer = api_world.post("/v1/prices", body)
    assert (answer.status, answer.errors) == (422, {"product": "invalid_value"})
    assert "archived" in answer.body["error"]["message"]
    assert api_world.contents() == before
    api_world.post(f"/v1/products/{product}", {"active": True})
    assert api_world.post("/v1/prices", body).status == 201


def test_prices_are_listed_by_product(api_world: ApiWorld) -> None:
    fonts, prints = make_product(api_world), make_product(api_world, name="Prints")
    first = make_price(api_world, product=fonts)
    other = make_price(api_world, product=prints)
    second = make_price(api_world, product=fonts)
    assert api_world.get(f"/v1/prices?product={fonts}").body["data"] == [second, first]
    page = api_world.get(f"/v1/prices?product={fonts}&limit=1").body
    rest = api_world.get(f"/v1/prices?product={fonts}&limit=1&cursor={page['next_cursor']}").body
    assert (page["data"], rest["data"], rest["has_more"]) == ([second], [first], False)
    assert len(api_world.get("/v1/prices").body["data"]) == 3
    _, others = api_world.other_merchant()
    assert api_world.get(f"/v1/prices?product={prints}", key=others).status == 404
    assert api_world.get(f"/v1/prices?product={other['id']}").status == 404
    assert api_world.get("/v1/products?product=x").errors == {"product": "unknown_field"}


# --- tax rates --------------------------------------------------------------------------------------------------------


def test_a_tax_rate_is_made_read_and_listed_alike(api_world: ApiWorld) -> None:
    made = api_world.post("/v1/tax_rates", {"name": "VAT", "percent": "20.00", "inclusive": True})
    (rate,) = api_world.store.all(TaxRate)
    assert (made.status, made.body) == (
        201,
        {
            "id": rate.id, "object": "tax_rate", "created_at": AT, "metadata": {}, "name": "VAT", "percent": "20.00",
            "inclusive": True, "active": True,
        },
    )  # fmt: skip
    assert rate.id.startswith("txr_")
    assert api_world.get(f"/v1/tax_rates/{rate.id}").body == made.body
    assert api_world.get("/v1/tax_rates").body["data"] == [made.body]
    assert told(api_world) == [("tax_rate.created", rate.id, None)]


def test_a_tax_rate_changes_in_name_and_standing_alone(api_world: ApiWorld) -> None:
    rate = make_rate(api_world)
    changed = api_world.post(f"/v1/tax_rates/{rate}", {"name": "NYC sales tax", "active": False}).body
    assert (changed["name"], changed["active"], changed["percent"]) == ("NYC sales tax", False, "8.875")
    assert told(api_world)[-1] == ("tax_rate.updated", rate, {"name": "Sales tax", "active": True})
    before = api_world.contents()
    answer = api_world.post(f"/v1/tax_rates/{rate}", {"percent": "9", "inclusive": True})
    assert answer.errors == {"percent": "unknown_field", "inclusive": "unknown_field"}
    assert api_world.contents() == before


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"name": "missing_field", "percent": "missing_field"}),
        ({"name": "VAT", "percent": 20}, {"percent": "wrong_type"}),
        ({"name": "VAT", "percent": "100.01"}, {"percent": "out_of_range"}),
        ({"name": "VAT", "percent": "1e1000000"}, {"percent": "invalid_value"}),
        ({"name": "VAT", "percent": "-1"}, {"percent": "invalid_value"}),
        ({"name": "a" * 101, "percent": "1", "inclusive": 1}, {"name": "invalid_text", "inclusive": "wrong_type"}),
    ],
)
def test_a_wrong_tax_rate_is_refused_by_field_and_nothing_is_written(
    api_world: ApiWorld, body: dict[str, Any], errors: dict[str, str]
) -> None:
    before = api_world.contents()
    answer = api_world.post("/v1/tax_rates", body)
    assert (answer.status, answer.errors) == (422, errors)
    assert api_world.contents() == before


def test_a_product_takes_no_rate_that_is_archived_or_another_merchants(api_world: ApiWorld) -> None:
    theirs = build.tax_rate(merchant_id="mer_other-shop")
    archived = build.tax_rate(merchant_id=OWNER, active=False)
    api_world.put(theirs, archived)
    product = make_product(api_world)
    before = api_world.contents()
    for rate in (theirs, archived):
        for path in ("/v1/products", f"/v1/products/{product}"):
            answer = api_world.post(path, {"name": "Print", "tax_rate": rate.id})
            assert (answer.status, answer.errors) == (422, {"tax_rate": "invalid_value"})
    assert api_world.contents() == before


def test_a_product_whose_rate_was_archived_since_can_still_be_changed(api_world: ApiWorld) -> None:
    rate = make_rate(api_world)
    product = make_product(api_world, tax_rate=rate)
    api_world.post(f"/v1/tax_rates/{rate}", {"active": False})
    assert api_world.post(f"/v1/products/{product}", {"name": "Prints", "tax_rate": rate}).status == 200
