"""Stored text: exact there and back, strict in what it takes, lenient about fields that came or went."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

import pytest

from chalicelib.domain.documents.lines import LineItem, Tax
from chalicelib.domain.money.amounts import Money
from chalicelib.storage.codec import CodecError, from_text, plain, time_from, time_text, to_text
from tests.storage.records import LINES, NOW, event, full_checkout, full_invoice, full_subscription


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Inner:
    amount: Money
    share: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Everything:
    text: str
    whole: int
    flag: bool
    at: datetime
    day: date
    share: Decimal
    colour: Colour
    inner: Inner
    many: tuple[Inner, ...] = ()
    span: Literal["once", "forever"] | int = "once"
    maybe: Inner | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    amounts: Mapping[str, Money] = field(default_factory=dict)
    anything: Mapping[str, Any] = field(default_factory=dict)


FULL = Everything(
    text='“naïve” ☕ \U0001f600 \\ " \n \x00 \u2028',
    whole=-(10**30),
    flag=True,
    at=datetime(2026, 3, 8, 2, 30, 0, 1, tzinfo=UTC),
    day=date(2024, 2, 29),
    share=Decimal("8.8750"),
    colour=Colour.BLUE,
    inner=Inner(Money(-1, "usd"), Decimal("1E-7")),
    many=(Inner(Money(0, "jpy")),),
    span=3,
    maybe=Inner(Money(99_999_999, "kwd")),
    notes={"k": "", "ü": "v"},
    amounts={"fee": Money(5, "usd")},
    anything={"a": [1, None, True, {"b": "c"}], "e": {}},
)


def stored(**changes: Any) -> str:
    shape = {**json.loads(to_text(FULL)), **changes}
    return json.dumps({name: value for name, value in shape.items() if value is not ...})


# --- there and back


@pytest.mark.parametrize("value", [FULL, full_invoice(), full_subscription(), full_checkout(), event("mer_1")])
def test_what_was_stored_is_read_back_equal_in_value_and_type(value: Any) -> None:
    again = from_text(type(value), to_text(value))
    assert again == value
    assert repr(again) == repr(value)


def test_the_text_has_one_form_for_each_type() -> None:
    assert json.loads(to_text(FULL)) == {
        "text": FULL.text,
        "whole": -(10**30),
        "flag": True,
        "at": "2026-03-08T02:30:00.000001Z",
        "day": "2024-02-29",
        "share": "8.8750",
        "colour": "blue",
        "inner": {"amount": {"minor": -1, "currency": "usd"}, "share": "1E-7"},
        "many": [{"amount": {"minor": 0, "currency": "jpy"}, "share": None}],
        "span": 3,
        "maybe": {"amount": {"minor": 99_999_999, "currency": "kwd"}, "share": None},
        "notes": {"k": "", "ü": "v"},
        "amounts": {"fee": {"minor": 5, "currency": "usd"}},
        "anything": {"a": [1, None, True, {"b": "c"}], "e": {}},
    }


def test_a_time_of_another_zone_is_stored_in_utc() -> None:
    tokyo = datetime(2026, 1, 1, 5, tzinfo=timezone(timedelta(hours=9)))
    assert time_text(tokyo) == "2025-12-31T20:00:00.000000Z"
    assert time_from("2025-12-31T20:00:00.000000Z") == tokyo


def test_a_schedules_wall_clock_stays_without_a_zone() -> None:
    subscription = full_subscription()
    epoch = json.loads(to_text(subscription))["schedule"]["epochs"][0]
    assert (epoch["starts_at"], epoch["wall_clock"]) == ("2026-01-31T20:30:00.000000Z", "2026-01-31T15:30:00.000000")
    again = from_text(type(subscription), to_text(subscription))
    assert again.schedule.epochs[0].wall_clock == datetime(2026, 1, 31, 15, 30)  # noqa: DTZ001 - a wall clock


def test_a_field_stored_beside_the_text_is_not_in_it() -> None:
    money = Money(5, "usd")
    assert to_text(money, without="minor") == '{"currency":"usd"}'
    assert from_text(Money, '{"currency":"usd"}', minor=5) == money


# --- old and new code on one row


def test_newer_codes_fields_are_ignored_by_older_code() -> None:
    assert from_text(Everything, stored(invented={"later": [1]})) == FULL
    assert from_text(Money, '{"minor": 5, "currency": "usd", "exponent": 2}') == Money(5, "usd")


def test_fields_that_older_code_never_wrote_take_their_defaults() -> None:
    gone = dict.fromkeys(("many", "span", "maybe", "notes", "amounts", "anything"), ...)
    read = from_text(Everything, stored(**gone))
    assert (read.many, read.span, read.maybe, read.notes, read.amounts, read.anything) == ((), "once", None, {}, {}, {})
    assert from_text(Everything, stored(inner={"amount": {"minor": 1, "currency": "usd"}})).inner.share is None


def test_a_line_from_before_the_catalogue_is_a_flat_line() -> None:
    old = {
        "name": "Portrait", "quantity": 2, "unit_amount": {"minor": 14800, "currency": "usd"}, "description": None,
        "discount": None, "tax": {"percent": "8.875", "inclusive": False, "name": None}, "recurring": None,
        "price_id": None, "product_id": None,
    }  # fmt: skip
    line = from_text(LineItem, json.dumps(old))
    assert line == LineItem("Portrait", 2, Money(14_800, "usd"), tax=Tax(Decimal("8.875")))
    assert line.amount == Money(29_600, "usd")


def test_code_from_before_the_catalogue_reads_flat_lines_and_refuses_tiered_ones() -> None:
    @dataclass(frozen=True, slots=True)
    class OldLine:
        name: str
        quantity: int
        unit_amount: Money
        price_id: str | None = None

    flat = LineItem("Portrait", 2, Money(14_800, "usd"), price_id="price_1", product_id="prod_1")
    assert from_text(OldLine, to_text(flat)) == OldLine("Portrait", 2, Money(14_800, "usd"), "price_1")
    with pytest.raises(CodecError, match=r"OldLine\.unit_amount: NoneType where Money belongs"):
        from_text(OldLine, to_text(LINES[2]))


def test_a_line_with_two_prices_or_none_cannot_be_read() -> None:
    for changes in ({"unit_amount": {"minor": 1, "currency": "usd"}}, {"tiers": None}):
        with pytest.raises(ValueError, match="either a unit amount or a table of tiers"):
            from_text(LineItem, json.dumps({**json.loads(to_text(LINES[2])), **changes}))


def test_a_missing_field_without_a_default_is_an_error_that_names_it() -> None:
    with pytest.raises(CodecError, match="Everything: text, inner missing"):
        from_text(Everything, stored(text=..., inner=...))


# --- what is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"whole": 1.0}, "1.0: floats are not stored"),
        ({"whole": True}, "Everything.whole: bool where int belongs"),
        ({"flag": 1}, "Everything.flag: int where bool belongs"),
        ({"text": None}, "Everything.text: NoneType where str belongs"),
        ({"at": "2026-01-01T00:00:00"}, "Everything.at: not a time in UTC"),
        ({"at": "yesterdayZ"}, "Everything.at: Invalid isoformat"),
        ({"day": "2026-02-30"}, "Everything.day: day is out of range"),
        ({"share": "ten"}, "Everything.share: not a decimal number"),
        ({"colour": "green"}, "Everything.colour: 'green' is not a valid Colour"),
        ({"span": "twice"}, "Everything.span: 'twice' is not one of"),
        ({"span": None}, "Everything.span: NoneType is in no member"),
        ({"many": {}}, "Everything.many: dict where list belongs"),
        ({"many": [{"amount": {"minor": "1", "currency": "usd"}}]}, "many: Inner.amount: Money.minor: str where int"),
        ({"notes": {"k": 1}}, "Everything.notes: int where str belongs"),
        ({"inner": []}, "Everything.inner: list where Inner belongs"),
    ],
)
def test_stored_text_of_another_shape_is_refused_with_the_path_to_it(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CodecError) as refusal:
        from_text(Everything, stored(**changes))
    assert message in str(refusal.value)


@pytest.mark.parametrize("text", ["[]", "null", '{"minor": NaN}', '{"minor": Infinity}', '{"minor": 1e3}'])
def test_text_that_is_no_object_of_ours_is_refused(text: str) -> None:
    with pytest.raises(CodecError):
        from_text(Money, text)


NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - the mistake under test


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("at", NAIVE, "at: not an aware time"),
        ("day", NOW, "day: datetime where date belongs"),
        ("whole", True, "whole: bool where int belongs"),
        ("whole", 1.0, "whole: float where int belongs"),
        ("share", Decimal("NaN"), "share: not a finite number"),
        ("share", 1, "share: int where Decimal belongs"),
        ("colour", "red", "colour: str where Colour belongs"),
        ("many", [], "many: list where tuple belongs"),
        ("span", "twice", "span: 'twice' is not one of"),
        ("span", 1.5, "span: float is in no member"),
        ("notes", {1: "x"}, "notes: dict where a mapping from text belongs"),
        ("anything", {"x": 0.5}, "anything: float is not stored"),
        ("anything", {"x": {1: 2}}, "anything: a key that is no text"),
        ("anything", {"x": NOW}, "anything: datetime is not stored"),
        ("inner", Money(1, "usd"), "inner: Money where Inner belongs"),
    ],
)
def test_a_value_of_another_type_is_refused_before_it_is_stored(name: str, value: Any, message: str) -> None:
    values = {each: getattr(FULL, each) for each in FULL.__slots__}
    with pytest.raises(CodecError) as refusal:
        to_text(Everything(**{**values, name: value}))
    assert message in str(refusal.value)


def test_a_type_that_json_cannot_tell_apart_has_no_stored_form() -> None:
    @dataclass(frozen=True)
    class Doubtful:
        either: Money | Inner

    @dataclass(frozen=True)
    class Loose:
        items: list[int]

    for value in (Doubtful(Money(1, "usd")), Loose([1])):
        with pytest.raises(TypeError, match="stored"):
            to_text(value)


def test_a_plain_copy_shares_nothing_with_what_it_was_made_from() -> None:
    source = {"a": ({"b": [Colour.RED]},)}
    copied = plain(source)
    assert copied == {"a": [{"b": ["red"]}]}
    assert type(copied["a"][0]["b"][0]) is str
    source["a"][0]["b"].append(Colour.BLUE)
    assert copied == {"a": [{"b": ["red"]}]}
