"""/v1/openapi.json and the page to read it by: open to everybody, and nothing of anybody in them."""

from __future__ import annotations

from chalice.app import Response

from chalicelib import wiring
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.operations import described_routes
from chalicelib.handlers.boundary import error_body, html_page, status_of
from chalicelib.handlers.refusals import json_headers


def _refusal(code: str, request_id: str) -> Response:
    status = status_of(code)
    body = error_body(status, code, "The document could not be made. Try again.", request_id)
    return Response(body=body, status_code=status, headers={**json_headers()})


def _page_error(code: str, request_id: str) -> Response:
    from chalicelib.handlers.buyer_responses import error_response

    return error_response(code, request_id)


@api.route("/v1/openapi.json", methods=["GET"])
@html_page(api, render_error=_refusal)
def openapi_json() -> Response:
    """The API's document, OpenAPI 3.1."""
    from chalicelib.handlers.api.openapi.document import document_json

    text = document_json(described_routes(api.current_app), wiring.settings().public_base_url)
    headers: dict[str, str | list[str]] = {**json_headers("public, max-age=300"), "Access-Control-Allow-Origin": "*"}
    return Response(body=text, status_code=200, headers=headers)


@api.route("/docs/api", methods=["GET"])
@html_page(api, render_error=_page_error)
def api_reference() -> Response:
    """The same, to read."""
    from chalicelib.handlers.api.openapi.reference import reference_html
    from chalicelib.handlers.buyer_responses import html
    from chalicelib.web.headers import PageKind

    base_url = wiring.settings().public_base_url
    document_url = f"{base_url.rstrip('/')}/v1/openapi.json"
    return html(reference_html(described_routes(api.current_app), base_url, document_url), PageKind.PLAIN)
