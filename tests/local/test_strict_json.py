import pytest

from infra.local.strict_json import BadRequest, Fields, read_object


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"1", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1, "a": 2}', b"\xff", b"[" * 100_000, b'{"a": 1} x'],
    ids=["cut", "list", "number", "nan", "infinity", "twice", "not-utf-8", "deep", "trailing"],
)
def test_what_is_not_one_clean_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        read_object(body)
    assert refused.value.code == "malformed_json"


def test_an_empty_body_is_an_empty_object() -> None:
    assert read_object(b"") == {}
    assert read_object(b" {} ") == {}


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_field", "name"),
        ({"name": None}, "missing_field", "name"),
        ({"name": 5}, "wrong_type", "name"),
        ({"name": ""}, "invalid_value", "name"),
        ({"name": "x", "step": 1}, "wrong_type", "step"),
        ({"name": "x", "amount": True}, "wrong_type", "amount"),
        ({"name": "x", "amount": 0}, "out_of_range", "amount"),
        ({"name": "x", "nmae": "y"}, "unknown_field", "nmae"),
    ],
)
def test_each_mistake_in_a_field_is_named(body: dict[str, object], code: str, param: str) -> None:
    fields = Fields(body)
    with pytest.raises(BadRequest) as refused:
        (fields.text("name"), fields.flag("step", default=True), fields.optional_whole("amount"), fields.done())
    assert (refused.value.code, refused.value.param) == (code, param)


def test_clean_fields_come_as_they_are() -> None:
    fields = Fields({"name": "x", "step": False, "amount": 5, "scopes": ["a"]})
    assert fields.text("name") == "x"
    assert fields.flag("step", default=True) is False
    assert fields.optional_whole("amount") == 5
    assert fields.texts("scopes") == ["a"]
    fields.done()
