"""What buyers type, tidied and checked. What is clear is accepted; only what cannot be right is refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.domain.text import holds_card_number, is_clean
from chalicelib.web.views.common import FieldProblem
from chalicelib.web.views.pay import CheckoutValues
from chalicelib.web.words import fields as words

MAX_EMAIL: Final = 254
MAX_NAME: Final = 200
MAX_REASON: Final = 500

_SPACES: Final = re.compile(r"\s+")
_EXPECTED_TOTAL: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_CONFIRMATION_TOKEN: Final = re.compile(r"ctoken_[A-Za-z0-9_]{1,200}", re.ASCII)
# RFC 5321 limits; what stands left of the @ is the mail server's business as long as it cannot break a header.
_EMAIL: Final = re.compile(r"[^\s@,;:<>()\[\]\\\"]{1,64}@[^\s@,;:<>()\[\]\\\"]+\.[^\s@,;:<>()\[\]\\\".]{2,}")


@dataclass(frozen=True, slots=True)
class CheckoutForm:
    """A pay page's form, fit to be worked with.

    `expected_total` is the amount in minor units that the page showed, None when it did not come along or is no number:
    the caller treats that as a changed order. `confirmation_token` is None when the form came without script, or with
    what Stripe never gave anybody.
    """

    email: str
    name: str
    form_token: str
    expected_total: int | None
    consent: str | None
    confirmation_token: str | None


@dataclass(frozen=True, slots=True)
class SignInForm:
    """The portal's sign-in form. `place` is where the link is to lead, as it came."""

    email: str
    form_token: str
    place: str


@dataclass(frozen=True, slots=True)
class FormErrors:
    """What to fix, in the order of the fields, and what was typed, to be shown again as it was."""

    problems: tuple[FieldProblem, ...]
    values: CheckoutValues


@dataclass(frozen=True, slots=True)
class CancelForm:
    """The cancel page's form. The reason is optional and cut to length rather than refused."""

    form_token: str
    reason: str | None


def tidy(text: str) -> str:
    """Full-width forms folded, white space collapsed to single spaces, ends trimmed."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text)).strip()


def parse_checkout_form(fields: Mapping[str, str]) -> CheckoutForm | FormErrors:
    """The form of a pay page; `fields` as posted, one value each."""
    email = tidy(fields.get("email", ""))
    name = tidy(fields.get("name", ""))
    problems = [
        FieldProblem(field, message)
        for field, message in (("email", _email_problem(email)), ("name", _name_problem(name)))
        if message
    ]
    if problems:
        return FormErrors(tuple(problems), CheckoutValues(fields.get("email", ""), fields.get("name", "")))
    expected, confirmation = fields.get("expected_total", ""), fields.get("confirmation_token", "")
    return CheckoutForm(
        email=_ascii_email(email),
        name=name,
        form_token=fields.get("form_token", ""),
        expected_total=int(expected) if _EXPECTED_TOTAL.fullmatch(expected) else None,
        consent=fields.get("consent") or None,
        confirmation_token=confirmation if _CONFIRMATION_TOKEN.fullmatch(confirmation) else None,
    )


def parse_sign_in_form(fields: Mapping[str, str]) -> SignInForm | FormErrors:
    """The form of the portal's sign-in page; `fields` as posted, one value each."""
    email = tidy(fields.get("email", ""))
    problem = words.SIGN_IN_EMPTY if not email else _email_problem(email)
    if problem is not None:
        return FormErrors((FieldProblem("email", problem),), CheckoutValues(fields.get("email", "")))
    return SignInForm(_ascii_email(email), fields.get("form_token", ""), fields.get("place", ""))


def parse_cancel_form(fields: Mapping[str, str]) -> CancelForm:
    """The form of the cancel page. A card number in the reason is dropped with the whole reason: it is not stored."""
    reason = "".join(char for char in tidy(fields.get("reason", "")) if is_clean(char))[:MAX_REASON].strip()
    if holds_card_number(reason):
        reason = ""
    return CancelForm(fields.get("form_token", ""), reason or None)


def _email_problem(email: str) -> str | None:
    if not email:
        return words.EMAIL_EMPTY
    if "@" not in email:
        return words.EMAIL_NO_AT
    if len(email) > MAX_EMAIL:
        return words.EMAIL_LONG
    if not is_clean(email) or not _EMAIL.fullmatch(email) or ".." in email.partition("@")[2]:
        return words.EMAIL_WRONG
    return None if _ascii_email(email) else words.EMAIL_WRONG


def _ascii_email(email: str) -> str:
    """The address as mail servers and Stripe take it, its domain in IDNA (RFC 5890); empty where there is none."""
    local, _, domain = email.partition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}" if local.isascii() else ""
    except UnicodeError:
        return ""


def _name_problem(name: str) -> str | None:
    if not name:
        return words.NAME_EMPTY
    if len(name) > MAX_NAME:
        return words.NAME_LONG
    if not is_clean(name):
        return words.NAME_CONTROL
    if holds_card_number(name):
        return words.NAME_CARD
    return None
