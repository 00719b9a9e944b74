"""Amounts and dates as strings: the exact characters that every page, mail and button shows."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from chalicelib.domain.errors import InvalidValue
from chalicelib.domain.money.amounts import Money
from chalicelib.web.formatting import (
    days_between,
    format_date,
    format_money,
    format_number,
    format_percent,
    format_time,
    isolate,
    shares_sign,
    shorten,
)

NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (14800, "usd", "$148.00"),
        (-1490, "usd", "−$14.90"),
        (0, "usd", "$0.00"),
        (1, "usd", "$0.01"),
        (99_999_999, "usd", "$999,999.99"),
        (5000, "jpy", "¥5,000"),
        (0, "jpy", "¥0"),
        (1230, "kwd", "KWD\u00a01.230"),
        (-1230, "kwd", "−KWD\u00a01.230"),
        (500, "isk", "ISK\u00a05"),
        (120_000, "isk", "ISK\u00a01,200"),
        (1234, "isk", "ISK\u00a012.34"),
        (500, "ugx", "UGX\u00a05"),
        (4900, "eur", "€49.00"),
        (4900, "cad", "CA$49.00"),
        (4900, "pln", "PLN\u00a049.00"),
        (123456, "huf", "HUF\u00a01,234.56"),
    ],
)
def test_an_amount_has_its_currencys_own_decimals_and_a_true_minus(minor: int, currency: str, text: str) -> None:
    assert format_money(Money(minor, currency)) == text


@pytest.mark.parametrize(
    ("locale", "text"), [("de", "−1.234,50\u00a0€"), ("pl", "−1\u00a0234,50\u00a0€"), ("fr", "−1\u202f234,50\u00a0€")]
)
def test_an_amount_follows_the_pages_language_and_never_wraps(locale: str, text: str) -> None:
    assert format_money(Money(-123450, "eur"), locale) == text


def test_an_unknown_currency_is_refused_rather_than_guessed() -> None:
    with pytest.raises(InvalidValue):
        format_money(Money(1, "xxx"))


@pytest.mark.parametrize(
    ("currency", "shared"), [("usd", True), ("cad", True), ("aud", True), ("jpy", True), ("eur", False), ("kwd", False)]
)
def test_only_a_shared_sign_needs_its_code_beside_it(currency: str, shared: bool) -> None:
    assert shares_sign(currency) is shared


def test_a_date_is_the_merchants_calendar_day_and_holds_together() -> None:
    assert format_date(datetime(2027, 4, 15, 3, 30, tzinfo=UTC), NEW_YORK) == "14\u00a0April\u00a02027"
    assert format_date(datetime(2027, 4, 15, 3, 30, tzinfo=UTC), "Asia/Tokyo") == "15\u00a0April\u00a02027"
    assert format_date(datetime(2027, 4, 15, 3, 30, tzinfo=UTC), NEW_YORK, "de") == "14.\u00a0April\u00a02027"


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        format_date(datetime(2027, 4, 15), NEW_YORK)  # noqa: DTZ001 # that it is naive is the point


def test_a_time_names_its_zone() -> None:
    assert format_time(datetime(2027, 4, 1, 18, 35, tzinfo=UTC), NEW_YORK) == "14:35\u00a0(EDT)"
    assert format_time(datetime(2027, 4, 1, 18, 35, tzinfo=UTC), "America/Sao_Paulo") == "15:35\u00a0(UTC−03)"


def test_days_are_counted_on_the_merchants_calendar() -> None:
    late = datetime(2027, 3, 6, 4, 59, tzinfo=UTC)
    assert days_between(late, datetime(2027, 3, 14, 12, tzinfo=UTC), NEW_YORK) == 9
    assert days_between(late, late, NEW_YORK) == 0
    assert days_between(datetime(2027, 3, 20, 12, tzinfo=UTC), datetime(2027, 3, 14, 12, tzinfo=UTC), NEW_YORK) == -6


@pytest.mark.parametrize(
    ("percent", "text"),
    [("20", "20%"), ("8.875", "8.875%"), ("8.500", "8.5%"), ("0", "0%"), ("100", "100%"), ("12.50", "12.5%")],
)
def test_a_percentage_is_as_exact_as_it_was_given(percent: str, text: str) -> None:
    assert format_percent(Decimal(percent)) == text


def test_a_count_is_grouped() -> None:
    assert format_number(999_999) == "999,999"


def test_a_plain_name_stays_plain() -> None:
    assert isolate("Pinewood Studio") == "Pinewood Studio"


def test_a_right_to_left_name_is_kept_from_turning_the_sentence() -> None:
    assert isolate("\u202eסטודיו\u202c") == "\u2068סטודיו\u2069"


def test_control_characters_do_not_survive_in_a_name() -> None:
    assert isolate("Pine\r\nwood\x00 \u202eStudio") == "Pinewood Studio"


def test_a_shortened_text_says_that_it_was_cut() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcd fgh", 6) == "abcd…"
