"""Document numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import InvalidValue
from chalicelib.domain.numbering import check_prefix, format_number


@pytest.mark.parametrize(
    ("prefix", "counter", "number"),
    [
        ("INV-", 1, "INV-0001"),
        ("INV-", 42, "INV-0042"),
        ("INV-", 9_999, "INV-9999"),
        ("INV-", 10_000, "INV-10000"),
        ("INV-", 1_234_567, "INV-1234567"),
        ("2027-A", 7, "2027-A0007"),
        ("X", 1, "X0001"),
        ("ABCDEFGHIJK-", 1, "ABCDEFGHIJK-0001"),
    ],
)
def test_a_number_has_at_least_four_digits_and_grows(prefix: str, counter: int, number: str) -> None:
    assert format_number(prefix, counter) == number


@pytest.mark.parametrize(
    "prefix", ["", "inv-", "INV_", "INV ", "INV-\n", "ÄB-", "ABCDEFGHIJKLM", "INV/", "<b>", "\u0661-"]
)
def test_a_prefix_of_other_characters_or_length_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        check_prefix(prefix, "invoicing.prefix")
    assert (refusal.value.code, refusal.value.param) == ("invalid_value", "invoicing.prefix")
    with pytest.raises(InvalidValue):
        format_number(prefix, 1)


@pytest.mark.parametrize("counter", [0, -1])
def test_a_series_counts_from_one(counter: int) -> None:
    with pytest.raises(ValueError, match="from 1"):
        format_number("INV-", counter)


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_two_counters_never_give_one_number(first: int, second: int) -> None:
    assert (format_number("INV-", first) == format_number("INV-", second)) is (first == second)
