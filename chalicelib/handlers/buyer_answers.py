"""What a posted form of a buyer's page may be, and how its ending is told: JSON for a script, else a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from chalice.app import Request, Response

from chalicelib import wiring
from chalicelib.domain.errors import TillError
from chalicelib.handlers.buyer_pages import CHANGED, TIMED_OUT
from chalicelib.handlers.buyer_responses import json_answer, redirect, wait, whole_minute
from chalicelib.observability import emit_metric, get_logger
from chalicelib.services.checkouts.submit import Ending, Submitted
from chalicelib.web.views.common import Decline
from chalicelib.web.words import decline_words, too_many_tries_words

_LOG: Final = get_logger("till.buyer")

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
    own = origin == f"{ours.scheme}://{ours.netloc}"
    if origin is None:
        # Every browser of today sends Origin with a post; one that does not may send this (W3C, Fetch Metadata).
        own = request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    if not own:
        raise TillError("insufficient_scope", "This form was sent from another site.")


def go(scripted: bool, status: str, location: str) -> Response:
    """Lead on."""
    return json_answer({"status": status, "location": location}) if scripted else redirect(location)


def tell(
    done: Submitted, scripted: bool, places: Places, timezone: str, show_form: Callable[[Decline], Response]
) -> Response:
    """Tell how a try ended. `show_form` draws the page again with a note, for who has no script."""

    def declined(words: Decline) -> Response:
        if scripted:
            return json_answer({"status": str(done.ending), "title": words.title, "text": words.text})
        return show_form(words)

    match done.ending:
        case Ending.PAID:
            return go(scripted, "paid", places.paid)
        case Ending.STORED:
            return go(scripted, "stored", places.paid)
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
            return declined(decline_words(code, done.decline.decline_code if done.decline else None))
        case Ending.TOO_MANY_TRIES:
            until = done.until or wiring.ports().clock.now()
            return wait(declined(too_many_tries_words(whole_minute(until), timezone)), until)
        case Ending.CHANGED:
            return back_to_form(scripted, places.form, CHANGED)
        case Ending.TIMED_OUT:
            return back_to_form(scripted, places.form, TIMED_OUT)
        case Ending.CLOSED:
            return go(scripted, "closed", places.form)


def back_to_form(scripted: bool, form: str, why: str) -> Response:
    """Lead to the form as it is now; `why` is CHANGED or TIMED_OUT, and stands in its address."""
    return go(scripted, "changed", f"{form}?{why}=1")


def report_pause(link_id: str) -> None:
    """Tell the operator that a link was paused: an alarm stands on this metric; the event tells the merchant."""
    emit_metric("links_paused", 1)
    _LOG.error("link_paused", extra={"link": link_id})
