"""The API's document: it is OpenAPI 3.1, it names every route and nothing else, and its examples are true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from chalicelib.domain.errors import ERROR_CODES
from chalicelib.handlers.api.keywords import EXAMPLE_ULID, PREFIXES
from chalicelib.handlers.api.openapi.document import document
from chalicelib.handlers.api.openapi.examples import answer_example, body_example
from chalicelib.handlers.api.operations import OUTSIDE
from chalicelib.handlers.boundary import status_of
from chalicelib.services.merchants import SCOPES
from tests.api_routes import AN_ID, APP, ROUTES
from tests.conformance import BASE, Conformance
from tests.handlers.conftest import ApiWorld

DOCUMENT = document(ROUTES, BASE)
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def test_the_document_is_sent_to_everybody_as_json(api_world: ApiWorld) -> None:
    for key in (None, "", "till_test_x"):
        answer = api_world.get("/v1/openapi.json", key=key)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert answer.headers["request-id"]
        assert answer.body == DOCUMENT | {"servers": [{"url": "https://till.example"}]}


def test_it_is_valid_openapi_3_1_and_every_schema_in_it_json_schema_2020_12() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_it_has_every_route_and_no_other() -> None:
    registered = {(method, path) for path, methods in APP.routes.items() for method in methods}
    under_v1 = {(method, path) for method, path in registered if path.startswith("/v1/") and path not in OUTSIDE}
    assert {(method, path) for method, path, _ in OPERATIONS.values()} == under_v1
    assert {path for _, path in registered if path in OUTSIDE} == OUTSIDE


def test_every_operation_names_its_scope_and_every_scope_exists() -> None:
    scopes = [
        scope for _, _, operation in OPERATIONS.values() for each in operation["security"] for scope in each["apiKey"]
    ]
    assert len(scopes) == len(OPERATIONS)
    assert set(scopes) == SCOPES - {"*"}


def test_the_codes_of_refusals_are_the_closed_list_each_under_its_status() -> None:
    error = DOCUMENT["components"]["schemas"]["Error"]["properties"]["error"]["properties"]
    assert set(error["code"]["enum"]) == ERROR_CODES
    responses = DOCUMENT["components"]["responses"]
    for _, _, operation in OPERATIONS.values():
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                continue
            named = responses[response["$ref"].rpartition("/")[2]]
            narrowed = named["content"]["application/json"]["schema"]["allOf"][1]["properties"]["error"]
            assert {status_of(code) for code in narrowed["properties"]["code"]["enum"]} == {int(status)}


def walk(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    yield where, value
    if isinstance(value, dict):
        for key, each in value.items():
            yield from walk(each, f"{where}/{key}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from walk(each, f"{where}/{number}")


def test_every_reference_leads_somewhere_and_every_component_is_referred_to() -> None:
    referred = {value for where, value in walk(DOCUMENT) if where.endswith("/$ref")}
    for reference in referred:
        found: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    components = DOCUMENT["components"]
    present = {
        f"#/components/{kind}/{name}" for kind in components if kind != "securitySchemes" for name in components[kind]
    }
    assert present - referred == set()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_body_and_answer_has_an_example_that_its_schema_takes(documented: Conformance, name: str) -> None:
    method, path, operation = OPERATIONS[name]
    for status, response in operation["responses"].items():
        shown = (
            response
            if "content" in response
            else DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
        )
        example = shown["content"]["application/json"]["example"]
        assert documented.wrong(method, path, int(status), example) is None
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        assert documented.fits(content["schema"]["$ref"].rpartition("/")[2], content["example"]) is None


def test_a_type_without_an_example_is_named_with_where_to_add_one() -> None:
    for find, kind in ((body_example, "bodies"), (answer_example, "answers")):
        with pytest.raises(
            ValueError, match=rf'Nothing has no example: add one to "{kind}" in .*openapi/examples\.json'
        ):
            find("Nothing")


def test_the_examples_speak_of_one_record_of_each_kind() -> None:
    ids = {found[0] for found in AN_ID.finditer(json.dumps(DOCUMENT))}
    assert ids == {f"{prefix}_{EXAMPLE_ULID}" for prefix in PREFIXES.values() if prefix != "mer"}


def test_no_operation_says_the_same_as_another() -> None:
    summaries = [operation["summary"] for _, _, operation in OPERATIONS.values()]
    assert sorted(summaries) == sorted(set(summaries))


def test_a_field_that_was_not_sent_has_no_made_up_default() -> None:
    defaults = {where: value for where, value in walk(DOCUMENT) if where.endswith("/default")}
    assert [where for where, value in defaults.items() if value in (None, "", [])] == []


def test_it_holds_no_key_and_no_address_of_a_machine() -> None:
    text = json.dumps(DOCUMENT)
    for word in ("till_test", "till_live", "sk_test", "127.0.0.1", "localhost", "arn:"):
        assert word not in text
