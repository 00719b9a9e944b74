"""Amounts, dates and counts as people read them: CLDR for the language, our own rules where CLDR is not enough.

The same value gives the same string on page, button, mail and receipt, so nothing else formats.
"""

from __future__ import annotations

import copy
import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date as _cldr_date
from babel.numbers import NumberPattern, format_decimal

from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.currency import exponent, step

NBSP: Final = "\u00a0"
MINUS: Final = "\u2212"

# A sign that several currencies write alike; beside the headline amount these also show their code.
_SHARED_SIGNS: Final = re.compile(r"[$¥]")

# In English the day comes first and the month is a word, so no reader can swap the two.
_DATE_PATTERNS: Final = {"en": "d MMMM y"}
_SHORT_DATE_PATTERNS: Final = {"en": "d MMMM"}

_BIDI_CONTROLS: Final = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_FIRST_STRONG_ISOLATE: Final = "\u2068"
_POP_ISOLATE: Final = "\u2069"


@lru_cache(maxsize=128)
def _pattern(locale: str, digits: int) -> NumberPattern:
    pattern: NumberPattern = copy.copy(Locale.parse(locale).currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    return pattern


def _digits(money: Money) -> int:
    """How many decimals are shown. Where Stripe counts in hundredths that the currency lacks (isk, ugx), none."""
    places = exponent(money.currency)
    whole = 10**places
    return 0 if step(money.currency) == whole and money.minor % whole == 0 else places


@lru_cache(maxsize=2048)
def format_money(money: Money, locale: str = "en") -> str:
    """`$148.00`, `−$14.90`, `¥5,000`, `KWD 1.234`: never wrapped, a true minus, the currency's own decimals."""
    value = Decimal(money.minor).scaleb(-exponent(money.currency))
    text = _pattern(locale, _digits(money)).apply(
        value, Locale.parse(locale), currency=money.currency.upper(), currency_digits=False
    )
    text = re.sub(r"([^\W\d_])(?=\d)", rf"\1{NBSP}", text)
    return text.replace(" ", NBSP).replace("-", MINUS)


@lru_cache(maxsize=256)
def shares_sign(currency: str, locale: str = "en") -> bool:
    """Whether the currency's sign alone does not say which currency it is."""
    return bool(_SHARED_SIGNS.search(format_money(Money(0, currency), locale)))


def format_number(value: int, locale: str = "en") -> str:
    """`1,200`."""
    return format_decimal(value, locale=locale)


def format_percent(percent: Decimal, locale: str = "en") -> str:
    """`8.875%`: as exact as it was given, without trailing zeros."""
    plain = percent.normalize()
    places = max(0, -int(plain.as_tuple().exponent))
    number = format_decimal(plain, format="#,##0." + "0" * places if places else "#,##0", locale=locale)
    return f"{number}%"


def local_date(moment: datetime, timezone: str) -> date:
    """The calendar day of an aware moment in a zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone has no calendar day")
    return moment.astimezone(ZoneInfo(timezone)).date()


def format_date(moment: datetime, timezone: str, locale: str = "en") -> str:
    """`14 April 2027`, in the merchant's zone, held together."""
    day = local_date(moment, timezone)
    return _cldr_date(day, format=_DATE_PATTERNS.get(locale, "long"), locale=locale).replace(" ", NBSP)


def format_dates(moments: Sequence[datetime], timezone: str, locale: str = "en") -> list[str]:
    """Dates that follow each other: `28 February`, `31 March 2027`, the year once where all share it."""
    texts = [format_date(moment, timezone, locale) for moment in moments]
    years = {local_date(moment, timezone).year for moment in moments}
    year = f"{NBSP}{min(years, default=0)}"
    if len(years) > 1:
        return texts
    # A language that does not end a date with its year keeps it.
    return [*(text.removesuffix(year) for text in texts[:-1]), *texts[-1:]]


def format_time(moment: datetime, timezone: str, locale: str = "en") -> str:
    """`14:35 (EDT)`: with its zone, since the reader may be in another."""
    local = moment.astimezone(ZoneInfo(timezone))
    name = local.tzname() or "UTC"
    if name[0] in "+-":
        name = f"UTC{name.replace('-', MINUS)}"
    return f"{local:%H:%M}{NBSP}({name})"


def days_between(earlier: datetime, later: datetime, timezone: str) -> int:
    """Calendar days from one moment to another in a zone; negative when `later` is before `earlier`."""
    return (local_date(later, timezone) - local_date(earlier, timezone)).days


def isolate(text: str) -> str:
    """A name made safe to stand inside a sentence: no direction of its own leaks out, no control character is left.

    Isolating characters are put around it only where it holds right-to-left letters, so that plain names stay plain.
    """
    clean = "".join(char for char in text.translate(_BIDI_CONTROLS) if unicodedata.category(char) != "Cc")
    if any(unicodedata.bidirectional(char) in {"R", "AL", "AN"} for char in clean):
        return f"{_FIRST_STRONG_ISOLATE}{clean}{_POP_ISOLATE}"
    return clean


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, the last one an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
