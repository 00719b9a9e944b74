"""What a posted form of a buyer's page may be, and how its ending is told: JSON for a script, else a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.domain.errors import TillError
from chalicelib.handlers.buyer_pages import json_answer, redirect
from chalicelib.services.checkouts.submit import Ending, Submitted
from chalicelib.web.views.common import Decline
from chalicelib.web.words import decline_words, too_many_tries_words

MOST_BYTES: Final = 64_000
MOST_FIELDS: Final = 50


@dataclass(frozen=True, slots=True)
class Places:
    """Where each ending leads: the receipt, the waiting page, and back to the form (or to why it is closed)."""

    paid: str
    waiting: str
    form: str


def form_fields(request: Request) -> dict[str, str]:
    """The fields of a posted form, one value each. Raises TillError for what no form of ours sends."""
    raw = request.raw_body
    body = raw if isinstance(raw, bytes) else raw.encode()
    if len(body) > MOST_BYTES:
        raise TillError("body_too_large", "This form is too large.")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise TillError("invalid_text", "This form cannot be read.") from error
    return dict(pairs)


def require_own_origin(request: Request) -> None:
    """A form of ours is posted from our own pages: browsers say where a post comes from. Raises TillError."""
    origin = request.headers.get("origin")
    ours = urlsplit(wiring.settings().public_base_url)
    if origin is not None and origin != f"{ours.scheme}://{ours.netloc}":
        raise TillError("insufficient_scope", "This form was sent from another site.")


def is_scripted(request: Request) -> bool:
    """Whether the page's script asks, which reads JSON."""
    return "application/json" in (request.headers.get("accept") or "")


def address_of(request: Request) -> str | None:
    """Where a request came from, as API Gateway saw it."""
    identity: Mapping[str, object] = request.context.get("identity") or {}
    found = identity.get("sourceIp")
    return str(found) if found else None


def go(scripted: bool, status: str, location: str) -> Response:
    """Lead on."""
    return json_answer({"status": status, "location": location}) if scripted else redirect(location)


def tell(
    done: Submitted, scripted: bool, places: Places, timezone: str, show_form: Callable[[Decline], Response]
) -> Response:
    """Tell how a try ended. `show_form` draws the page again with a note, for who has no script."""

    def declined(status: str, words: Decline) -> Response:
        if scripted:
            return json_answer({"status": status, "title": words.title, "text": words.text})
        return show_form(words)

    match done.ending:
        case Ending.PAID:
            return go(scripted, "paid", places.paid)
        case Ending.CHECKING:
            return go(scripted, "checking", places.waiting)
        case Ending.REQUIRES_ACTION:
            if not scripted or done.client_secret is None:
                return redirect(places.waiting)
            return json_answer(
                {"status": "requires_action", "client_secret": done.client_secret, "location": places.waiting}
            )
        case Ending.DECLINED:
            code = done.decline.code if done.decline else None
            return declined("declined", decline_words(code, done.decline.decline_code if done.decline else None))
        case Ending.TOO_MANY_TRIES:
            until = done.until or wiring.ports().clock.now()
            return declined("too_many_tries", too_many_tries_words(until, timezone))
        case Ending.CHANGED | Ending.TIMED_OUT:
            return go(scripted, "changed", f"{places.form}?changed=1")
        case Ending.CLOSED:
            return go(scripted, "closed", places.form)
