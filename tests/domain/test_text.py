"""Texts that are kept and texts that are not: control characters, misleading ones, card numbers."""

from __future__ import annotations

import pytest

from chalicelib.domain.text import holds_card_number, is_clean


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424242",
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "4242 - 4242 - 4242 - 4242",
        "Card: 5555555555554444.",
        "378282246310005",
        "3782 822463 10005",
        "30569309025904",
        "4222222222222",
        "6304000000000000000",
        "4242424242424242 12/34 123",
        "1 4242424242424242",
        "pay４２４２４２４２４２４２４２４２now",
        "a4242424242424242b",
    ],
)
def test_card_numbers_are_found_however_they_are_written(text: str) -> None:
    assert holds_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4242 4242 4242 4241",
        "424242424242",
        "1234567890123456789",
        "42424242424242424242",
        "4242.4242.4242.4242",
        "4242 4242 4242 and 4242",
        "2027-01-31 15:30:00",
        "INV-0001",
    ],
)
def test_other_numbers_are_no_card_numbers(text: str) -> None:
    assert not holds_card_number(text)


def test_many_short_groups_take_no_time() -> None:
    assert not holds_card_number("1 " * 5_000 + "x")


@pytest.mark.parametrize(
    "text", ["a\x00", "a\x1f", "a\x7f", "a\x9f", "a\r\n", "a\u2028", "a\u202e", "a\u2066", "a\ud800"]
)
def test_characters_that_break_or_mislead_are_not_clean(text: str) -> None:
    assert not is_clean(text)
    assert text == "a\r\n" or not is_clean(text, lines=True)


def test_line_breaks_and_tabs_are_for_texts_of_several_lines() -> None:
    assert not is_clean("one\ntwo\tthree")
    assert is_clean("one\ntwo\tthree", lines=True)
    assert not is_clean("one\r\ntwo", lines=True)


@pytest.mark.parametrize("text", ["Zoë", "社長", "שלום", "a\u200db", "😀", "=1+1"])
def test_every_script_is_clean(text: str) -> None:
    assert is_clean(text)
