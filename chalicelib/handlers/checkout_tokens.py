"""How a browser and a checkout find each other: a cookie for all tabs, and a signed token in the form itself."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from chalicelib.domain.ids import body_of, milliseconds, page_token, split_page_token

if TYPE_CHECKING:
    from chalicelib.services.ports import Ids

FORM_LIFE: Final = timedelta(hours=24)
_COOKIE_SECONDS: Final = 24 * 60 * 60
_BETWEEN: Final = "."


@dataclass(frozen=True, slots=True)
class CheckoutToken:
    """A checkout's id and the secret that only its buyer's browser has."""

    checkout_id: str
    secret: str

    @property
    def text(self) -> str:
        """As it stands in addresses and in the cookie."""
        return page_token(self.checkout_id, self.secret)


def mint(ids: Ids, now: datetime) -> CheckoutToken:
    """A token for a checkout that does not exist yet, and will not until the first submit."""
    return CheckoutToken(ids.new("chk", now), ids.secret())


def parse(text: str) -> CheckoutToken | None:
    """The token in a text, or None."""
    parts = split_page_token("chk", text)
    return None if parts is None else CheckoutToken(*parts)


def cookie_name(link_id: str) -> str:
    """One cookie a link, so that two links in two tabs do not share a checkout."""
    return f"till_{body_of(link_id)}"


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a browser's cookie knows of one link: the checkout its tabs share, and the one it paid before that."""

    current: CheckoutToken | None = None
    paid: CheckoutToken | None = None


def from_cookie(header: str | None, link_id: str) -> Remembered:
    """What a request's Cookie header says of a link; nothing where it is not what `set_cookie` wrote."""
    # By hand: the standard library's reader gives up on all cookies when another site's script left a strange one.
    for pair in (header or "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == cookie_name(link_id):
            current, _, paid = value.partition(_BETWEEN)
            return Remembered(parse(current), parse(paid))
    return Remembered()


def set_cookie(link_id: str, remembered: Remembered, path: str, base_url: str) -> str:
    """The Set-Cookie header: of this link's page alone, out of reach of scripts, gone after a day."""
    secure = "; Secure" if urlsplit(base_url).scheme == "https" else ""
    name = cookie_name(link_id)
    value = _BETWEEN.join(token.text for token in (remembered.current, remembered.paid) if token is not None)
    return f"{name}={value}; Path={path}; Max-Age={_COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}"


@dataclass(frozen=True, slots=True)
class Signed:
    """What a form token of ours says: what it is for, and a digest of what the page showed, where it was given one."""

    subject: str
    shown: str = ""


def sign(secret: str, purpose: str, subject: str, now: datetime, shown: str = "") -> str:
    """A form token: what it is for is signed, so it cannot be carried to another form or another record.

    `shown` is a digest of what the page says; so is known at submit what its buyer saw. Neither holds a full stop.
    """
    stamp = str(milliseconds(now))
    fields = [subject, stamp, shown] if shown else [subject, stamp]
    return _BETWEEN.join([*fields, _signature(secret, purpose, fields)])


def read_signed(secret: str, purpose: str, token: str, now: datetime) -> Signed | None:
    """What a form token says that is ours and not too old, or None."""
    *fields, signature = token.split(_BETWEEN)
    if len(fields) not in (2, 3):
        return None
    stamp = fields[1]
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 15):
        return None
    if not hmac.compare_digest(_signature(secret, purpose, fields).encode(), signature.encode()):
        return None
    age = milliseconds(now) - int(stamp)
    if not 0 <= age <= FORM_LIFE // timedelta(milliseconds=1):
        return None
    return Signed(fields[0], *fields[2:])


def read(secret: str, purpose: str, token: str, now: datetime) -> str | None:
    """The subject of a form token that is ours and not too old, or None."""
    signed = read_signed(secret, purpose, token, now)
    return None if signed is None else signed.subject


def _signature(secret: str, purpose: str, fields: list[str]) -> str:
    text = "\n".join([purpose, *fields])
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
