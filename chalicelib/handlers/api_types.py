"""The types that check API bodies: strict, closed, and telling of every field at fault at once.

Pydantic is slow to import, so this module is imported inside API views and nowhere at the top of a module that the
web application loads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from chalicelib.domain.billing.wallclock import zone_of
from chalicelib.domain.errors import ERROR_CODES, FieldError, InvalidValue
from chalicelib.domain.ids import is_ulid
from chalicelib.domain.money.currency import MAXIMUM_CHARGE, is_currency
from chalicelib.domain.text import holds_card_number, is_clean
from chalicelib.handlers.api.keywords import Keywords, id_of, shown
from chalicelib.handlers.parsing import refused
from chalicelib.services.merchants import SCOPES

MOST_ERRORS: Final = 500
"""Field errors in one answer; a body can hold more wrong fields than anybody reads."""


class Body(BaseModel):
    """What every body and part of one is: no field it does not know, no value of another type made to fit."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def given(self, *, null_means: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The fields that the caller sent, by name; `null_means` says what clearing a field stores, if not None."""
        cleared = null_means or {}
        values = {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}
        return {name: cleared.get(name) if value is None else value for name, value in values.items()}


B = TypeVar("B", bound=BaseModel)


def read_body(model: type[B], data: Mapping[str, Any]) -> B:
    """The checked body. Raises TillError with one error for each field at fault, in the order of the fields."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=True)
        raise refused([_field_error(each) for each in found[:MOST_ERRORS]]) from None


# --- pydantic's errors in our words -----------------------------------------------------------------------------------

_CODES: Final = {
    "extra_forbidden": ("unknown_field", "This field does not exist here."),
    "missing": ("missing_field", "This field is needed."),
    "literal_error": ("invalid_value", "This is none of the values that the field can have: {expected}."),
    "greater_than_equal": ("out_of_range", "This must be at least {ge}."),
    "less_than_equal": ("out_of_range", "This must be at most {le}."),
    "too_short": ("out_of_range", "This must have at least {min_length} entries."),
    "too_long": ("out_of_range", "This must have at most {max_length} entries."),
}
_SHOWABLE: Final = re.compile(r"[A-Za-z0-9_\-]{1,64}", re.ASCII)


def _field_error(error: Mapping[str, Any]) -> FieldError:
    kind = error["type"]
    if kind in ERROR_CODES:
        return FieldError(_param(error["loc"]), kind, error["msg"])
    if kind == "literal_error" and not isinstance(error["input"], str):
        kind = "string_type"
    code, message = _CODES.get(kind, ("wrong_type", "This must be another type: {wanted}."))
    context = {"wanted": kind.removesuffix("_type").replace("_", " "), **error.get("ctx", {})}
    return FieldError(_param(error["loc"]), code, message.format(**context))


WRITTEN, PRICED = "\x00written", "\x00priced"
"""Which of two shapes a line was read as. Pydantic puts that into the place of an error, where callers have no use for
it; no field of a caller's can be named so by accident."""


def _param(location: tuple[int | str, ...]) -> str:
    # A field's name comes from the caller: an answer repeats neither card numbers nor a whole body of text.
    parts = (str(part) for part in location if part not in (WRITTEN, PRICED))
    return ".".join(part if _SHOWABLE.fullmatch(part) and not holds_card_number(part) else "?" for part in parts)


def wrong(code: str, message: str) -> PydanticCustomError:
    """The error that a validator raises for one of our own codes."""
    return PydanticCustomError(code, "{message}", {"message": message})


# --- text -------------------------------------------------------------------------------------------------------------

_EMAIL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]{2,}", re.ASCII)
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()./-]{2,39}", re.ASCII)
_PHONE_DIGITS: Final = 15
"""ITU-T E.164: the longest number, country code included."""
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?", re.ASCII)
# docs.stripe.com/get-started/account/statement-descriptors, "Requirements".
_STATEMENT_NAME: Final = re.compile(r"(?=.*[A-Za-z])[ -~]{5,22}", re.ASCII)
# A host by its name, no user in front of it, and nothing that would have to be escaped (RFC 3986).
_HTTPS_URL: Final = re.compile(
    r"https://([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9](:[0-9]{1,5})?"
    r"([/?#][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?",
    re.ASCII,
)
_LONGEST_URL: Final = 2000
_NOT_ON_STATEMENTS: Final = frozenset("<>\\'\"*")


@dataclass(frozen=True, slots=True, eq=False)
class Checked(AfterValidator):
    """A check of ours, with the keywords by which the API's document describes it."""

    keywords: Keywords = field(kw_only=True)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return self.keywords.__get_pydantic_json_schema__(schema, handler)


def text(longest: int, *, lines: bool = False) -> Checked:
    """A text of 1 to `longest` characters, not blank, without control characters and card numbers."""

    def check(value: str) -> str:
        if not value.strip():
            raise wrong("invalid_text", "This must not be empty.")
        if len(value) > longest:
            raise wrong("invalid_text", f"This must have at most {longest} characters.")
        return _clean(value, lines=lines)

    breaks = "Line breaks are kept." if lines else "No line breaks."
    words = f"Not blank, without control characters and card numbers. {breaks}"
    return Checked(check, keywords=shown(words, minLength=1, maxLength=longest))


def _clean(value: str, *, lines: bool = False) -> str:
    if not is_clean(value, lines=lines):
        raise wrong("invalid_text", "This must not hold control characters.")
    if holds_card_number(value):
        raise wrong("card_number_refused", "This holds a card number. Card numbers are neither taken nor kept here.")
    return value


def _email(value: str) -> str:
    local, _, domain = value.partition("@")
    dotted = local.startswith(".") or local.endswith(".") or ".." in local
    if len(value) > 254 or not _EMAIL.fullmatch(value) or dotted or "-." in domain or ".-" in f".{domain}":
        raise wrong("invalid_value", "This is not one plain e-mail address.")
    return _clean(value)


def _phone(value: str) -> str:
    digits = sum(char.isdigit() for char in value)
    # Every tenth long number would pass for a card number; one with a country code in front is meant as a phone's.
    if not value.startswith("+") or digits > _PHONE_DIGITS:
        _clean(value)
    if digits > _PHONE_DIGITS or not _PHONE.fullmatch(value):
        raise wrong("invalid_value", "This is not a phone number.")
    return value


def _language(value: str) -> str:
    if not _LANGUAGE.fullmatch(value):
        raise wrong("invalid_value", "This is a language tag such as en or pt-BR.")
    return value


def _statement_name(value: str) -> str:
    if not _STATEMENT_NAME.fullmatch(value) or _NOT_ON_STATEMENTS.intersection(value):
        raise wrong(
            "invalid_text", "This has 5 to 22 plain characters, one letter at least, and none of < > \\ ' \" *."
        )
    return _clean(value)


def _timezone(value: str) -> str:
    try:
        zone_of(value)
    except InvalidValue as error:
        raise wrong(error.code, error.message) from error
    return value


def _https_url(value: str) -> str:
    if len(value) > _LONGEST_URL or not _HTTPS_URL.fullmatch(value):
        raise wrong(
            "invalid_url", f"This is an address such as https://example.com/a.png, at most {_LONGEST_URL} long."
        )
    return _clean(value)


def _reference(prefix: str, what: str) -> Checked:
    def check(value: str) -> str:
        if not value.startswith(f"{prefix}_") or not is_ulid(value.removeprefix(f"{prefix}_")):
            raise wrong("invalid_value", f"There is no such {what}.")
        return value

    return Checked(check, keywords=id_of(prefix))


def _scope(value: str) -> str:
    if value not in SCOPES:
        raise wrong("invalid_value", f"This is no scope. Scopes are: {', '.join(sorted(SCOPES))}.")
    return value


Email = Annotated[str, AfterValidator(_email), shown("One plain address.", format="email", maxLength=254)]
Phone = Annotated[str, AfterValidator(_phone), shown(pattern=f"^{_PHONE.pattern}$", examples=["+1 212 555 0123"])]
Language = Annotated[str, AfterValidator(_language), shown(pattern=f"^{_LANGUAGE.pattern}$", examples=["pt-BR"])]
StatementName = Annotated[
    str,
    AfterValidator(_statement_name),
    shown("Printable ASCII with a letter, without < > \\ ' \" and *.", minLength=5, maxLength=22),
]
Scope = Annotated[str, AfterValidator(_scope), shown("What a key may do; `*` is everything.", enum=sorted(SCOPES))]
TimeZone = Annotated[str, AfterValidator(_timezone), shown("A name of the IANA time zone database.")]
HttpsUrl = Annotated[
    str, AfterValidator(_https_url), shown("An address that begins with https.", format="uri", maxLength=_LONGEST_URL)
]
CustomerId = Annotated[str, id_of("cus")]
"""Checked by the view, which answers 404 for what cannot be one, as for one that does not exist."""
PaymentId = Annotated[str, _reference("pay", "payment")]

SubscriptionId = Annotated[str, _reference("sub", "subscription")]
PriceId = Annotated[str, _reference("price", "price")]
ProductId = Annotated[str, _reference("prod", "product")]
TaxRateId = Annotated[str, _reference("txr", "tax rate")]


# --- numbers ----------------------------------------------------------------------------------------------------------

_PERCENT: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?", re.ASCII)


def _percent(*, zero: bool) -> Callable[[str], str]:
    def check(value: str) -> str:
        # Matched before Decimal sees it: Decimal takes exponents that cost minutes and digits of every script.
        if not _PERCENT.fullmatch(value):
            raise wrong("invalid_value", "This is a percentage in a string, such as 12.5, with up to four decimals.")
        number = Decimal(value)
        if number > 100 or (number == 0 and not zero):
            raise wrong("out_of_range", f"This is {'at least' if zero else 'above'} 0 and at most 100.")
        return value

    return check


def _currency(value: str) -> str:
    if not is_currency(value):
        raise wrong("invalid_currency", "This is not the lower-case code of a currency that can be charged.")
    return value


Amount = Annotated[int, Field(ge=0, le=MAXIMUM_CHARGE)]
"""Minor units, at most eight digits."""
PositiveAmount = Annotated[int, Field(ge=1, le=MAXIMUM_CHARGE)]
Quantity = Annotated[int, Field(ge=1, le=999_999)]
_PERCENT_WORDS: Final = shown(pattern=f"^{_PERCENT.pattern}$", examples=["12.5"])
DiscountPercent = Annotated[str, AfterValidator(_percent(zero=False)), _PERCENT_WORDS]
TaxPercent = Annotated[str, AfterValidator(_percent(zero=True)), _PERCENT_WORDS]
Currency = Annotated[
    str, AfterValidator(_currency), shown("ISO 4217, in lower case.", pattern="^[a-z]{3}$", examples=["usd"])
]


# --- metadata ---------------------------------------------------------------------------------------------------------

_MOST_KEYS, _LONGEST_KEY, _LONGEST_VALUE = 50, 40, 500


def _metadata(value: dict[str, str]) -> dict[str, str]:
    if len(value) > _MOST_KEYS:
        raise wrong("out_of_range", f"This must have at most {_MOST_KEYS} keys.")
    for key, entry in value.items():
        if not 1 <= len(key) <= _LONGEST_KEY:
            raise wrong("invalid_text", f"A key has 1 to {_LONGEST_KEY} characters.")
        if len(entry) > _LONGEST_VALUE:
            raise wrong("invalid_text", f"A value has at most {_LONGEST_VALUE} characters.")
        _clean(key)
        _clean(entry, lines=True)
    return value


Metadata = Annotated[
    dict[str, str],
    AfterValidator(_metadata),
    shown(
        "Your own keys and values.",
        maxProperties=_MOST_KEYS,
        propertyNames={"minLength": 1, "maxLength": _LONGEST_KEY},
        additionalProperties={"type": "string", "maxLength": _LONGEST_VALUE},
    ),
]
