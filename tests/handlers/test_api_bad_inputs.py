"""Every field of every body is given everything that it must not take, and every route bodies that are none.

Fields are found from the models, so that a new one is tried as soon as it is there.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import BaseModel

from chalicelib.domain.errors import ERROR_CODES, TillError
from chalicelib.handlers.api.openapi.document import document
from chalicelib.handlers.api.openapi.schemas import body_model
from chalicelib.handlers.api.operations import DescribedRoute
from chalicelib.handlers.api_types import read_body
from tests.api_routes import ROUTES, address_of, body_of, named_body, records_for
from tests.bad_values import Bodies, Field, raw_bodies
from tests.conformance import BASE
from tests.handlers.conftest import ApiWorld

DOCUMENT = document(ROUTES, BASE)
BODIES = Bodies(DOCUMENT["components"]["schemas"])
TAKING = [route for route in ROUTES if route.operation.takes]
LISTS = [route for route in ROUTES if route.operation.lists]
MODELS = sorted({route.operation.takes: route for route in TAKING}.items())
SAFE = "%+,=@"
"""What stands in these queries as it is."""
JSON = {"Content-Type": "application/json"}

taking_route = pytest.mark.parametrize("route", TAKING, ids=lambda route: route.operation.id)
each_list = pytest.mark.parametrize("route", LISTS, ids=lambda route: route.operation.id)


def fields_of(route: DescribedRoute, example: Any) -> list[Field]:
    content = DOCUMENT["paths"][route.path][route.method.lower()]["requestBody"]["content"]["application/json"]
    return list(BODIES.fields(content["schema"]["$ref"].rpartition("/")[2], example))


def refusal_of(model: type[BaseModel], body: Any) -> TillError | None:
    try:
        read_body(model, body)
    except TillError as refusal:
        return refusal
    return None


@pytest.mark.parametrize(("name", "route"), MODELS, ids=[name for name, _ in MODELS])
def test_every_field_of_a_body_refuses_what_it_cannot_be_and_is_named(name: str, route: DescribedRoute) -> None:
    model, tried = body_model(name), 0
    for field in fields_of(route, body_of(route)):
        for value in BODIES.bad_values(field):
            what = f"{field.param}: {value!r:.80}"
            refusal = refusal_of(model, field.with_value(value))
            if refusal is None and field.is_id and isinstance(value, str):
                continue  # the service says that there is no such record, which the next test asks for
            assert refusal is not None, f"{name} takes {what}"
            assert field.is_named_in(error.param for error in refusal.errors), (what, refusal.errors)
            assert {error.code for error in refusal.errors} <= ERROR_CODES, what
            assert not any("4242" in error.message + error.param for error in refusal.errors), what
            tried += 1
    assert tried >= 20 * len(model.model_fields)


@pytest.mark.parametrize(("name", "route"), MODELS, ids=[name for name, _ in MODELS])
def test_every_text_takes_its_whole_length_in_every_script_and_what_looks_dangerous(
    name: str, route: DescribedRoute
) -> None:
    model = body_model(name)
    for field in fields_of(route, body_of(route)):
        for text in BODIES.good_texts(field):
            refusal = refusal_of(model, field.with_value(text))
            errors = [] if refusal is None else [error.param for error in refusal.errors]
            assert not field.is_named_in(errors), (field.param, text[:40], errors)


@taking_route
def test_a_bad_field_is_a_422_that_names_it_and_nothing_is_written(api_world: ApiWorld, route: DescribedRoute) -> None:
    records = records_for(route, api_world.merchant.id)
    api_world.put(*records.values())
    ids = {prefix: record.id for prefix, record in records.items()}
    path, example = address_of(route, ids), named_body(route, ids)
    before = api_world.contents()
    for field in fields_of(route, example):
        values = list(BODIES.bad_values(field))
        if field.is_id:
            values = [value for value in values if isinstance(value, str)]
        for value in (values[0], values[len(values) // 2], values[-1]):
            answer = api_world.send(route.method, path, field.with_value(value))
            assert answer.status == 422 or (answer.status == 404 and field.is_id), (field.param, value, answer.body)
            assert field.is_named_in(answer.errors), (field.param, value, answer.body)
    strange = {"colour": 1, "__proto__": {}, "constructor": None, "id": "x", "merchant_id": "mer_x"}
    answer = api_world.send(route.method, path, {**example, **strange})
    assert (answer.status, answer.errors) == (422, dict.fromkeys(strange, "unknown_field"))
    assert api_world.contents() == before


@taking_route
def test_a_body_that_is_no_clean_json_object_is_a_400_and_nothing_is_written(
    api_world: ApiWorld, route: DescribedRoute
) -> None:
    records = records_for(route, api_world.merchant.id)
    api_world.put(*records.values())
    path = address_of(route, {prefix: record.id for prefix, record in records.items()})
    before = api_world.contents()
    for what, raw in raw_bodies():
        if not raw and route.operation.body_optional:
            continue
        answer = api_world.send(route.method, path, raw=raw, headers=JSON)
        assert (answer.status, answer.code, answer.errors) == (400, "malformed_json", {}), what
    assert api_world.send(route.method, path, raw=b" " * 1_000_001, headers=JSON).code == "body_too_large"
    assert api_world.contents() == before


@taking_route
def test_numbers_that_take_minutes_to_read_are_refused_at_once(api_world: ApiWorld, route: DescribedRoute) -> None:
    records = records_for(route, api_world.merchant.id)
    api_world.put(*records.values())
    ids = {prefix: record.id for prefix, record in records.items()}
    path, example = address_of(route, ids), named_body(route, ids)
    before = api_world.contents()
    for field in fields_of(route, example):
        if "integer" not in str(field.schema) or "boolean" in str(field.schema):
            continue
        text = json.dumps(field.with_value("@"))
        for number in ("1e1000000", "-1e1000000", "1E+400", "1e-1000000", "9" * 100_000, "0.1e1", "-0.0"):
            answer = api_world.send(route.method, path, raw=text.replace('"@"', number).encode(), headers=JSON)
            assert answer.status == 422, (field.param, number[:20], answer.body)
            assert field.is_named_in(answer.errors), (field.param, number[:20], answer.body)
    assert api_world.contents() == before


BAD_QUERIES = {
    "limit": ("0", "101", "-1", "+5", "1.0", "1e1", "abc", "١", "", "%20", "5%20", "null", "9" * 5000, "1,2", "0x10"),
    "cursor": ("", "0", "x" * 5000, "%00", "é", "AAAA", "====", "..%2f..", "null", "%F0%9F%98%80"),
    "created_after": ("", "x", "2027-01-31", "2027-02-30T00:00:00Z", "2027-01-31T25:00:00Z", "0", "1e9",
                      "2027-01-31T00:00:00", "2027-01-31t00:00:00z", "9999-12-31T23:59:59-23:59", "%00"),
    "status": ("", "OPEN", "unknown", "null", "open%20", "open,paid", "x" * 5000),
}  # fmt: skip
BAD_QUERIES["created_before"] = BAD_QUERIES["created_after"]
BAD_IDS = ("", "x", "1", "null", "%00", "mer_x", "cus_" + "Z" * 26, "x" * 3000, "inv_01ARZ3NDEKTSV4RRFFQ69G5FAV%0A")


@each_list
def test_a_list_refuses_every_parameter_that_is_wrong_by_name(api_world: ApiWorld, route: DescribedRoute) -> None:
    filters = route.operation.filters
    assert filters is not None
    for name in sorted(route.operation.query):
        if name in filters.owners:
            for text in BAD_IDS:
                assert api_world.get(f"{route.path}?{name}={quote(text, safe=SAFE)}").code == "not_found", (name, text)
        else:
            for text in BAD_QUERIES[name]:
                answer = api_world.get(f"{route.path}?{name}={quote(text, safe=SAFE)}")
                assert (answer.status, list(answer.errors)) == (422, [name]), (name, text)
        twice = api_world.get(f"{route.path}?{name}=1&{name}=1")
        assert (twice.status, twice.errors) == (422, {name: "invalid_value"})


@pytest.mark.parametrize("route", [r for r in ROUTES if r.operation.counts], ids=lambda route: route.operation.id)
def test_a_count_is_a_number_within_its_bounds(api_world: ApiWorld, route: DescribedRoute) -> None:
    records = records_for(route, api_world.merchant.id)
    api_world.put(*records.values())
    path = address_of(route, {prefix: record.id for prefix, record in records.items()})
    for count in route.operation.counts:
        for text in (*BAD_QUERIES["limit"][2:], str(count.least - 1), str(count.most + 1)):
            answer = api_world.send(route.method, f"{path}?{count.name}={quote(text, safe=SAFE)}", body_of(route))
            assert (answer.status, list(answer.errors)) == (422, [count.name]), text
        for number in (count.least, count.most):
            assert api_world.send(route.method, f"{path}?{count.name}={number}", body_of(route)).status == 200
