"""Who is in the portal: the mailed link's secret, the session's cookie, and the token on each of its forms."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from typing import Final
from urllib.parse import urlsplit

from chalice.app import Request

from chalicelib import wiring
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.portal import SESSION_LIFE, PortalSession
from chalicelib.domain.ids import SECRET_LENGTH, page_token, split_page_token
from chalicelib.handlers import checkout_tokens, presenting
from chalicelib.services.portal.signing_in import Visit, find_visit
from chalicelib.settings import Settings
from chalicelib.web.views.portal import Action

COOKIE: Final = "till_portal"
LINK: Final = "slnk"
SESSION: Final = "psn"
CHANGE: Final = "mchg"
_ULID: Final = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
_PLACE: Final = re.compile(rf"subscriptions/sub_{_ULID}(/(method|cancel))?", re.ASCII)
_INVOICE: Final = re.compile(rf"inv_{_ULID}", re.ASCII)


def link_secret(form_secret: str, link_id: str) -> str:
    """The secret of a mailed link: 132 bits that only this deployment can make, and that are stored nowhere."""
    digest = hmac.new(form_secret.encode(), f"portal link\n{link_id}".encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest).decode()[:SECRET_LENGTH]


def portal_url(settings: Settings, merchant: Merchant, more: str = "") -> str:
    """The absolute address of a page of a merchant's portal."""
    return presenting.portal_url(settings.public_base_url, merchant, more)


def open_url(settings: Settings, merchant: Merchant, link_id: str, secret: str) -> str:
    """The address that is mailed."""
    return portal_url(settings, merchant, f"/open/{page_token(link_id, secret)}")


def place_of(text: str | None) -> str | None:
    """A page below the portal that a link may lead to; None for anything else, so that none leads elsewhere."""
    return text if text and _PLACE.fullmatch(text) else None


def invoice_id_of(text: str | None) -> str | None:
    """An invoice's id, as the address of older invoices has it."""
    return text if text and _INVOICE.fullmatch(text) else None


def set_cookie(settings: Settings, merchant: Merchant, session: PortalSession, secret: str) -> str:
    """The Set-Cookie header of a session: of this merchant's portal alone, out of reach of scripts."""
    seconds = int(SESSION_LIFE.total_seconds())
    return f"{COOKIE}={page_token(session.id, secret)}; {_attributes(settings, merchant, seconds)}"


def drop_cookie(settings: Settings, merchant: Merchant) -> str:
    """The Set-Cookie header that removes it."""
    return f"{COOKIE}=; {_attributes(settings, merchant, 0)}"


def _attributes(settings: Settings, merchant: Merchant, seconds: int) -> str:
    path = urlsplit(portal_url(settings, merchant)).path
    # Browsers take no Secure cookie over plain http, which only a machine of one's own is served by.
    secure = "; Secure" if urlsplit(settings.public_base_url).scheme == "https" else ""
    return f"Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def visit_of(request: Request, slug: str) -> Visit | None:
    """Who is signed in, by the request's cookie; None for nobody, and for whoever is somewhere else."""
    pairs = (pair.strip().partition("=") for pair in (request.headers.get("cookie") or "").split(";"))
    # A browser sends one; whoever sends a hundred has one of them looked up.
    value = next((value for name, _, value in pairs if name == COOKIE), "")
    parts = split_page_token(SESSION, value)
    return None if parts is None else find_visit(wiring.ports(), slug, *parts)


def action(visit: Visit, url: str, purpose: str) -> Action:
    """A form of the portal with its token: of this session, for this purpose and no other."""
    settings = wiring.settings()
    return Action(url, _token(settings.form_secret, visit, purpose))


def _token(secret: str, visit: Visit, purpose: str) -> str:
    return checkout_tokens.sign(secret, f"portal:{visit.session.id}", purpose, wiring.ports().clock.now())


def is_own(visit: Visit, fields: dict[str, str], purpose: str) -> bool:
    """Whether a form came from a page of this very session, for this purpose."""
    token = fields.get("form_token", "")
    now = wiring.ports().clock.now()
    signed = checkout_tokens.read(wiring.settings().form_secret, f"portal:{visit.session.id}", token, now)
    return signed == purpose
