"""The strict reader of bodies and queries: what it lets through, and everything that it does not."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.errors import TillError
from chalicelib.handlers.parsing import (
    MAX_BODY_BYTES,
    MAX_DEPTH,
    json_object,
    optional_json_object,
    parse_timestamp,
    single_values,
    whole_number,
)

JSON = "application/json"

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def refusal(body: bytes, content_type: str | None = JSON) -> str:
    with pytest.raises(TillError) as caught:
        json_object(body, content_type)
    return caught.value.code


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), PLAIN, max_size=5), st.booleans())
@settings(max_examples=150, deadline=None, database=None)
def test_clean_objects_come_through_as_they_were(value: dict[str, object], escaped: bool) -> None:
    assert json_object(json.dumps(value, ensure_ascii=escaped).encode(), JSON) == value


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        " application/json ",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
    ],
)
def test_json_in_utf8_is_accepted_however_it_is_spelled(content_type: str) -> None:
    assert json_object(b'{"a": 1}', content_type) == {"a": 1}


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/json",
        "application/json5",
        "application/json, text/plain",
        "application/json; charset=latin-1",
        "application/json; charset=utf-8; charset=utf-16",
        "application/x-www-form-urlencoded",
    ],
)
def test_every_other_content_type_is_refused(content_type: str | None) -> None:
    assert refusal(b"{}", content_type) == "unsupported_media_type"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"{",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 1} {}',
        b'{"a": 01}',
        b'{"a": +1}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": ["\\ud83d \\ude00"]}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a": "\x00"}',
        b'{"a": "line\nbreak"}',
        '{"a": "é"}'.encode("latin-1"),
        '{"a": 1}'.encode("utf-16"),
        b'{"a": tru}',
        b"{" + b'"a": [' * 40 + b"]" * 40 + b"}",
        b"[" * 200_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_not_one_clean_object_is_malformed(body: bytes) -> None:
    assert refusal(body) == "malformed_json"


def test_surrogate_pairs_are_characters() -> None:
    assert json_object(b'{"a": "\\ud83d\\ude00"}', JSON) == {"a": "\N{GRINNING FACE}"}


def test_depth_is_counted_in_brackets_outside_strings() -> None:
    deepest = b'{"a": ' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert json_object(deepest, JSON)
    assert refusal(deepest.replace(b"[", b"[[", 1).replace(b"]", b"]]", 1)) == "malformed_json"
    brackets = b'{"a": "' + b'[\\"{' * 1000 + b'"}'
    assert json_object(brackets, JSON) == {"a": '["{' * 1000}


def test_one_byte_more_than_the_limit_is_too_much() -> None:
    body = b'{"a": "' + b"x" * (MAX_BODY_BYTES - 9) + b'"}'
    assert len(body) == MAX_BODY_BYTES
    assert json_object(body, JSON)
    assert refusal(body + b" ") == "body_too_large"


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "' + b'\\"' * 490_000,
        b'"' + b"\\" * 990_000,
        b'{"a": ' + b"9" * 990_000 + b"}",
        b'{"a": 1e' + b"9" * 900_000 + b"}",
        b'{"a": ' + b"[]," * 300_000,
    ],
)
def test_a_hostile_body_takes_no_longer_than_a_large_one(body: bytes) -> None:
    begun = time.process_time()
    with suppress(TillError):
        json_object(body, JSON)
    assert time.process_time() - begun < 2


def test_an_action_may_come_without_a_body() -> None:
    assert optional_json_object(b"", None) == {}
    with pytest.raises(TillError):
        optional_json_object(b"{}", None)


def test_query_parameters_come_once_and_are_known_and_all_errors_are_told() -> None:
    allowed = frozenset({"limit", "cursor"})
    assert single_values({"limit": ["5"]}, allowed) == {"limit": "5"}
    with pytest.raises(TillError) as caught:
        single_values({"limit": ["5", "6"], "page": ["2"], "cursor": ["x"]}, allowed)
    assert [(each.param, each.code) for each in caught.value.errors] == [
        ("limit", "invalid_value"),
        ("page", "unknown_field"),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "wrong_type"),
        ("five", "wrong_type"),
        ("1.0", "wrong_type"),
        ("1e2", "wrong_type"),
        (" 5", "wrong_type"),
        ("٥", "wrong_type"),
        ("0", "out_of_range"),
        ("-1", "out_of_range"),
        ("101", "out_of_range"),
        ("9" * 5000, "out_of_range"),
    ],
)
def test_a_limit_is_a_number_from_one_to_a_hundred(text: str, code: str) -> None:
    with pytest.raises(TillError) as caught:
        whole_number(text, "limit", least=1, most=100)
    assert (caught.value.code, caught.value.param) == (code, "limit")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-31T15:30:00Z", datetime(2027, 1, 31, 15, 30, tzinfo=UTC)),
        ("2027-01-31T15:30:00.25-05:00", datetime(2027, 1, 31, 20, 30, 0, 250_000, tzinfo=UTC)),
        ("2027-01-31", None),
        ("2027-01-31T15:30:00", None),
        ("2027-02-30T15:30:00Z", None),
        ("2027-01-31T24:00:00Z", None),
        ("2027-01-31 15:30:00Z", None),
        ("20270131T153000Z", None),
        ("2027-W05-7T15:30:00Z", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("٢٠٢٧-01-31T15:30:00Z", None),
        ("2027-01-31T15:30:00+25:00", None),
    ],
)
def test_times_are_rfc_3339_with_a_zone(text: str, expected: datetime | None) -> None:
    assert parse_timestamp(text) == expected
