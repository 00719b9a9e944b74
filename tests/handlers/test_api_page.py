"""The page that the API is read by: everything that the document has is on it, and it asks nothing of anybody."""

from __future__ import annotations

import http.client
import re

from chalicelib.handlers.api.openapi.reference import reference_html
from chalicelib.handlers.api.openapi.refusals import codes_of
from tests.api_routes import ROUTES
from tests.conformance import BASE
from tests.handlers.conftest import ApiWorld

HTML = reference_html(ROUTES, BASE, f"{BASE}/v1/openapi.json")


def test_it_is_open_to_everybody_and_may_load_nothing_but_its_style(api_world: ApiWorld) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", api_world.port, timeout=20)
    try:
        connection.request("GET", "/docs/api")
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        assert (response.status, response.read().decode()) == (200, HTML)
    finally:
        connection.close()
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["request-id"]
    assert "<script" not in HTML
    assert not re.search(r'\s(src|style|on[a-z]+)="', HTML)


def test_every_operation_parameter_scope_and_code_is_on_it() -> None:
    for route in ROUTES:
        inside = HTML.partition(f'id="{route.operation.id}"')[2].partition("</details>")[0]
        assert route.scope in inside, route.operation.id
        for name in (*route.operation.query, *re.findall(r"\{(\w+)\}", route.path)):
            assert f"<code>{name}</code>" in inside, (route.operation.id, name)
        for code in codes_of(route):
            assert f"<code>{code}</code>" in inside, (route.operation.id, code)


def test_every_link_on_it_leads_to_a_place_on_it_and_no_place_is_there_twice() -> None:
    places = re.findall(r'\bid="([^"]+)"', HTML)
    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]+)"', HTML)) <= set(places)
    assert set(re.findall(r'href="(?!#)([^"]+)"', HTML)) == {
        f"{BASE}/v1/openapi.json",
        *re.findall(r'href="(/static/(?:till|reference|icon)\.[0-9a-f]{16}\.(?:css|svg))"', HTML),
    }
