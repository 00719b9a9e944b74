"""What buyers are answered with: pages, redirects, JSON for our scripts, files; each with its whole set of headers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.domain.errors import NotFound
from chalicelib.handlers.boundary import status_of
from chalicelib.web.headers import PageKind, StripeOrigins, bare_headers, page_headers
from chalicelib.web.render import render_state_page
from chalicelib.web.static_files import static_file
from chalicelib.web.views.states import StateKind, StatePage
from chalicelib.web.words import state_status, state_words

JSON: Final = "application/json"


def site_root() -> str:
    """The path under which the deployment's pages stand, for `root` of whatever is rendered."""
    return urlsplit(wiring.settings().public_base_url).path


def html(body: str, kind: PageKind, status: int = 200, nonce: str | None = None) -> Response:
    """A page with the headers of its kind."""
    settings = wiring.settings()
    origins = StripeOrigins(
        settings.stripe_script_origins, settings.stripe_connect_origins, settings.stripe_frame_origins
    )
    return Response(body=body, status_code=status, headers=_plain(page_headers(kind, nonce, origins)))


def redirect(location: str) -> Response:
    """See other: the answer to a form, or the page that the buyer should be on."""
    return Response(body="", status_code=303, headers=_plain(bare_headers() | {"Location": location}))


def json_answer(body: dict[str, object], status: int = 200) -> Response:
    """An answer for one of our scripts."""
    return Response(body=body, status_code=status, headers=_plain(bare_headers(JSON)))


def send_static(name: str) -> Response:
    """A file that pages load. Raises NotFound."""
    found = static_file(name)
    if found is None:
        raise NotFound("file")
    headers = _plain(bare_headers(found.content_type, found.cache_control) | {"ETag": found.etag})
    return Response(body=found.content.decode(), status_code=200, headers=headers)


def state(page: StatePage, status: int | None = None) -> Response:
    """One of the state pages, with its own status unless another is given."""
    return html(render_state_page(page, root=site_root()), PageKind.PLAIN, status or state_status(page.kind))


def error_response(code: str, request_id: str) -> Response:
    """What a buyer sees of an error: the page of its kind, with a reference where the fault is ours."""
    return state(_state_of(code, request_id), status_of(code))


def error_answer(code: str, request_id: str) -> Response:
    """The same for one of our scripts, which shows the words where the buyer is."""
    status = status_of(code)
    words = state_words(_state_of(code, request_id))
    return json_answer({"status": "refused", "title": words.title, "text": words.text}, status)


def _state_of(code: str, request_id: str) -> StatePage:
    status = status_of(code)
    if status >= 500:
        return StatePage(StateKind.OUR_FAULT, reference=request_id)
    if status == 403:
        return StatePage(StateKind.OTHER_SITE)
    if status == 409:
        return StatePage(StateKind.NOT_NOW)
    return StatePage(StateKind.UNKNOWN if status in (404, 405) else StateKind.NOT_READ)


def is_scripted(request: Request) -> bool:
    """Whether the page's script asks, which reads JSON."""
    return JSON in (request.headers.get("accept") or "")


def query_of(request: Request) -> Mapping[str, str]:
    """The query's parameters, the last value of each."""
    found: Mapping[str, str] | None = request.query_params
    return found or {}


def wait(response: Response, until: datetime) -> Response:
    """The answer that says when to come again, also in its header."""
    seconds = max(1, -((wiring.ports().clock.now() - until) // timedelta(seconds=1)))
    response.headers["Retry-After"] = str(seconds)
    return response


def whole_minute(until: datetime) -> datetime:
    """The time as it may be shown, to the minute: one that has begun must end before it is over."""
    return until if until == until.replace(second=0, microsecond=0) else until + timedelta(minutes=1)


def _plain(headers: Mapping[str, str]) -> dict[str, str | list[str]]:
    return dict(headers)
