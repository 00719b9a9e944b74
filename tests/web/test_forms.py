"""What buyers type: tidied when it is clear, refused with the fix when it cannot be right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.web.forms import (
    CancelForm,
    CheckoutForm,
    FormErrors,
    parse_cancel_form,
    parse_checkout_form,
)
from tests.web.views import CheckoutValues, FieldProblem

GOOD = {"email": "anna@example.com", "name": "Anna Kowalska", "form_token": "t", "expected_total": "4900"}
NO_AT = "Enter an e-mail address with an @, like name@example.com"
WRONG = "Enter one e-mail address without spaces or commas, like name@example.com"


def problems(**fields: str) -> tuple[FieldProblem, ...]:
    parsed = parse_checkout_form(GOOD | fields)
    assert isinstance(parsed, FormErrors)
    return parsed.problems


def test_a_whole_form_is_read() -> None:
    fields = GOOD | {"consent": "2027-01", "confirmation_token": "ctoken_1"}
    assert parse_checkout_form(fields) == CheckoutForm(
        "anna@example.com", "Anna Kowalska", "t", 4900, "2027-01", "ctoken_1"
    )


def test_a_form_without_script_lacks_only_what_script_adds() -> None:
    assert parse_checkout_form(GOOD) == CheckoutForm("anna@example.com", "Anna Kowalska", "t", 4900, None, None)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  anna@example.com\n", "anna@example.com"),
        ("Anna.O'Neil+till@Example.com", "Anna.O'Neil+till@Example.com"),
        ("ａｎｎａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "anna@example.com"),
        ("anna@mail.sub.example.co.uk", "anna@mail.sub.example.co.uk"),
        ("anna@exämple.de", "anna@xn--exmple-cua.de"),
        (
            "a" * 64 + "@" + f"{'b' * 61}." * 2 + "b" * 61 + ".com",
            "a" * 64 + "@" + f"{'b' * 61}." * 2 + "b" * 61 + ".com",
        ),
    ],
)
def test_a_clear_address_is_tidied_and_taken(typed: str, kept: str) -> None:
    parsed = parse_checkout_form(GOOD | {"email": typed})
    assert isinstance(parsed, CheckoutForm)
    assert parsed.email == kept


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "Enter your e-mail address, so that we can send the receipt"),
        ("   ", "Enter your e-mail address, so that we can send the receipt"),
        ("anna.example.com", NO_AT),
        ("anna@example", WRONG),
        ("anna@@example.com", WRONG),
        ("anna@exam@ple.com", WRONG),
        ("anna @example.com", WRONG),
        ("anna@example.com, jon@example.com", WRONG),
        ("anna@example.com\r\nBcc: jon@example.com", WRONG),
        ("anna@example.com\x00", WRONG),
        ("anna\x7f@example.com", WRONG),
        ("anna\u202e@example.com", WRONG),
        ("anna@example..com", WRONG),
        ("anna@.com", WRONG),
        ("anna@example.c", WRONG),
        ("<anna@example.com>", WRONG),
        ("@example.com", WRONG),
        ("anna@", WRONG),
        ("a" * 64 + "@" + "b" * 190 + ".com", "Enter an e-mail address of at most 254 characters"),
        ("\ud800@example.com", WRONG),
    ],
)
def test_an_address_that_cannot_be_right_is_refused_with_the_fix(typed: str, message: str) -> None:
    assert problems(email=typed) == (FieldProblem("email", message),)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Anna   Kowalska ", "Anna Kowalska"),
        ("Ａｎｎａ", "Anna"),
        ("Anna\tKowalska", "Anna Kowalska"),
        ("李小龍", "李小龍"),
        ("Jean-Łukasz d'Órto 3rd", "Jean-Łukasz d'Órto 3rd"),
        ("x" * 200, "x" * 200),
        ("Room 4242 4242 4242 4241", "Room 4242 4242 4242 4241"),
    ],
)
def test_a_clear_name_is_tidied_and_taken(typed: str, kept: str) -> None:
    parsed = parse_checkout_form(GOOD | {"name": typed})
    assert isinstance(parsed, CheckoutForm)
    assert parsed.name == kept


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "Enter your name"),
        (" \n ", "Enter your name"),
        ("x" * 201, "Enter a name of at most 200 characters"),
        ("Anna\x00", "Enter your name in letters only"),
        ("Anna\ud800", "Enter your name in letters only"),
        ("Anna \u202eakslawoK", "Enter your name in letters only"),
        ("4242424242424242", "Enter your name here, and the card number in the card form below"),
        ("Anna 4242 4242 4242 4242", "Enter your name here, and the card number in the card form below"),
        ("3782-822463-10005", "Enter your name here, and the card number in the card form below"),
        ("４２４２４２４２４２４２４２４２", "Enter your name here, and the card number in the card form below"),
    ],
)
def test_a_name_that_cannot_be_right_is_refused_with_the_fix(typed: str, message: str) -> None:
    assert problems(name=typed) == (FieldProblem("name", message),)


def test_all_problems_come_at_once_with_what_was_typed() -> None:
    parsed = parse_checkout_form({"email": " anna ", "name": ""})
    assert parsed == FormErrors(
        (FieldProblem("email", NO_AT), FieldProblem("name", "Enter your name")), CheckoutValues(" anna ", "")
    )


@pytest.mark.parametrize("sent", ["", "-1", "49.00", "1e9", "４９００", "9" * 13, "nan"])
def test_a_total_that_is_no_plain_number_counts_as_not_sent(sent: str) -> None:
    parsed = parse_checkout_form(GOOD | {"expected_total": sent})
    assert isinstance(parsed, CheckoutForm)
    assert parsed.expected_total is None


def test_the_cancel_form_takes_an_optional_reason_and_never_refuses_it() -> None:
    assert parse_cancel_form({"form_token": "t"}) == CancelForm("t", None)
    assert parse_cancel_form({"form_token": "t", "reason": "  too\r\ndear "}) == CancelForm("t", "too dear")
    assert parse_cancel_form({"form_token": "t", "reason": "x" * 600}) == CancelForm("t", "x" * 500)


def test_a_card_number_in_the_reason_is_not_kept() -> None:
    assert parse_cancel_form({"form_token": "t", "reason": "charge 4242 4242 4242 4242"}) == CancelForm("t", None)


@given(st.dictionaries(st.sampled_from(["email", "name", "expected_total", "form_token"]), st.text()))
def test_no_posted_text_breaks_the_parser(fields: dict[str, str]) -> None:
    parsed = parse_checkout_form(fields)
    if isinstance(parsed, CheckoutForm):
        assert "\n" not in parsed.email + parsed.name
        assert parsed.email.count("@") == 1


def test_a_domain_in_its_own_script_is_accepted_and_sent_as_mail_servers_take_it() -> None:
    form = parse_checkout_form({"email": "anna@bücher.example", "name": "Anna"})
    assert isinstance(form, CheckoutForm)
    assert form.email == "anna@xn--bcher-kva.example"


@pytest.mark.parametrize("email", ["ąnna@example.com", f"anna@{'ü' * 70}.example"])
def test_what_no_mail_server_takes_is_refused_in_words(email: str) -> None:
    form = parse_checkout_form({"email": email, "name": "Anna"})
    assert isinstance(form, FormErrors)
    assert [problem.field for problem in form.problems] == ["email"]
