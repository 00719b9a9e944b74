"""Ids that sort by creation, and ids derived from a business fact."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.ids import body_of, derived_id, is_ulid, milliseconds, page_token, split_page_token, ulid

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MOMENTS = st.datetimes(
    datetime.fromisoformat("1970-01-01"), datetime.fromisoformat("9999-12-31"), timezones=st.just(UTC)
)
BITS = st.integers(0, 2**80 - 1)


def decoded(body: str) -> tuple[int, int]:
    value = 0
    for character in body:
        value = value * 32 + ALPHABET.index(character)
    return value // 2**80, value % 2**80


def test_the_known_ulid_of_the_specification_has_this_time() -> None:
    # The example of github.com/ulid/spec: 01ARZ3NDEK is 1469922850259.
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1_469_922_850_259)
    assert ulid(at, 0) == "01ARZ3NDEK" + "0" * 16
    assert ulid(at, 2**80 - 1) == "01ARZ3NDEK" + "Z" * 16


@given(MOMENTS, BITS)
def test_time_and_randomness_come_back_out_of_a_body(at: datetime, bits: int) -> None:
    body = ulid(at, bits)
    assert is_ulid(body)
    assert decoded(body) == (milliseconds(at), bits)


@given(MOMENTS, BITS, MOMENTS, BITS)
def test_text_order_is_the_order_of_time_then_of_bits(one: datetime, low: int, other: datetime, high: int) -> None:
    first, second = (milliseconds(one), low), (milliseconds(other), high)
    assert (ulid(one, low) < ulid(other, high)) is (first < second)


@given(MOMENTS, st.integers(0, 2**80 - 2))
def test_counting_up_within_a_millisecond_keeps_the_order(at: datetime, bits: int) -> None:
    assert ulid(at, bits) < ulid(at, bits + 1)


def test_milliseconds_are_cut_not_rounded() -> None:
    assert milliseconds(datetime(2027, 1, 1, 0, 0, 0, 999_999, tzinfo=UTC)) % 1000 == 999


@pytest.mark.parametrize(
    ("at", "bits"),
    [
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), 0),
        (datetime(2027, 1, 1, tzinfo=UTC), -1),
        (datetime(2027, 1, 1, tzinfo=UTC), 2**80),
    ],
)
def test_what_does_not_fit_is_refused(at: datetime, bits: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        ulid(at, bits)


@given(MOMENTS, st.text(max_size=40), st.text(max_size=40))
def test_one_fact_has_one_id_and_another_fact_another(at: datetime, fact: str, other: str) -> None:
    assert derived_id("inv", at, fact) == derived_id("inv", at, fact)
    assert (derived_id("inv", at, fact) == derived_id("inv", at, other)) is (fact == other)


def test_a_period_s_invoice_id_is_its_issue_time_and_the_first_80_bits_of_its_hash() -> None:
    at = datetime(2027, 2, 28, 20, 30, tzinfo=UTC)
    invoice = derived_id("inv", at, "sub_01ARZ3NDEKTSV4RRFFQ69G5FAV#1")
    digest = hashlib.sha256(b"sub_01ARZ3NDEKTSV4RRFFQ69G5FAV#1").hexdigest()
    assert invoice.startswith("inv_")
    assert decoded(body_of(invoice)) == (milliseconds(at), int(digest[:20], 16))


@pytest.mark.parametrize(
    "body", ["", "0" * 25, "0" * 27, "8" + "0" * 25, "0" * 25 + "I", "0" * 25 + "a", "0" * 25 + "Ü"]
)
def test_other_text_is_no_ulid(body: str) -> None:
    assert not is_ulid(body)


def test_a_page_token_leads_back_to_its_record_and_secret() -> None:
    record, secret = "lnk_" + "0" * 25 + "Z", "Ab-_" + "x" * 18
    assert page_token(record, secret) == "0" * 25 + "Z" + secret
    assert split_page_token("lnk", page_token(record, secret)) == (record, secret)


@pytest.mark.parametrize(
    "token", ["", "0" * 26, "0" * 26 + "x" * 21, "0" * 26 + "x" * 23, "0" * 26 + "é" * 22, "!" * 48]
)
def test_text_that_cannot_be_a_page_token_is_none(token: str) -> None:
    assert split_page_token("lnk", token) is None
