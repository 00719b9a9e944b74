"""Later charges whose amount changes: every sentence names each amount and when it is charged."""

from __future__ import annotations

from dataclasses import replace
from html import unescape

import pytest

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.billing.stretches import Stretch
from chalicelib.web import render, render_mails
from chalicelib.web.formatting import format_money
from chalicelib.web.words import consent_text
from chalicelib.web.words.schedule import button_text, due_sentence, next_charge_sentence, rule, stepped
from tests.web import samples
from tests.web.samples import at, usd
from tests.web.test_pages import Reader
from tests.web.views import LaterCharge

ZONE = "America/New_York"


def charge(*steps: Stretch, starts_today: bool = True, remaining: int | None = None) -> LaterCharge:
    first = steps[0]
    return LaterCharge(
        first.amount, Frequency.MONTHLY, first.first_at, remaining, starts_today, name="Membership", steps=steps
    )


REGULAR = Stretch(usd(4900), at(2027, 4, 30), at(2027, 5, 31), None)
TWICE_HALF = charge(Stretch(usd(2450), at(2027, 2, 28), at(2027, 3, 31), 2), REGULAR)
OVER_NEW_YEAR = charge(Stretch(usd(2450), at(2026, 12, 31), at(2027, 1, 31), 2), REGULAR)
ONCE_MORE = charge(Stretch(usd(2450), at(2027, 2, 28), None, 1), replace(REGULAR, first_at=at(2027, 3, 31)))
LONG_HALF = charge(
    Stretch(usd(2450), at(2027, 2, 28), at(2027, 3, 31), 11),
    Stretch(usd(4900), at(2028, 1, 31), at(2028, 2, 29), 12),
    remaining=23,
)
LAST_IN_FULL = charge(
    Stretch(usd(2450), at(2027, 2, 28), at(2027, 3, 31), 2), Stretch(usd(4900), at(2027, 4, 30), None, 1), remaining=3
)
ANCHORED = charge(
    Stretch(usd(1129), at(2027, 2, 23), None, 1),
    Stretch(usd(5000), at(2027, 3, 1), at(2027, 4, 1), None),
    starts_today=False,
)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("charges", "sentence"),
    [
        ((TWICE_HALF,), "Then $24.50 on 28 February and 31 March 2027, then $49.00 a month from 30 April 2027."),
        (
            (OVER_NEW_YEAR,),
            "Then $24.50 on 31 December 2026 and 31 January 2027, then $49.00 a month from 30 April 2027.",
        ),
        ((ONCE_MORE,), "Then $24.50 on 28 February 2027, then $49.00 a month from 31 March 2027."),
        (
            (LONG_HALF,),
            "Then $24.50 a month from 28 February 2027 (11 payments), then $49.00 a month from 31 January 2028 "
            "(12 payments).",
        ),
        ((LAST_IN_FULL,), "Then $24.50 on 28 February and 31 March 2027, then $49.00 on 30 April 2027."),
        ((ANCHORED,), "Then $11.29 on 23 February 2027, then $50.00 a month from 1 March 2027."),
        (
            (TWICE_HALF, samples.MEMBERSHIP),
            "Then $24.50 on 28 February and 31 March 2027, then $49.00 a month from 30 April 2027; and $49.00 a month "
            "from 14 April 2027.",
        ),
    ],
)
def test_the_sentence_under_the_amount_names_each_step(charges: tuple[LaterCharge, ...], sentence: str) -> None:
    assert plain(due_sentence(charges, ZONE)) == f"due today. {sentence}"


@pytest.mark.parametrize(
    ("charges", "sentence"),
    [
        (
            (TWICE_HALF,),
            "$24.50 on 28 February and 31 March 2027, then $49.00 every month, starting 30 April 2027, until you "
            "cancel.",
        ),
        (
            (LONG_HALF,),
            "$24.50 every month, starting 28 February 2027, 11 times, then $49.00 every month, starting 31 January "
            "2028, 12 times.",
        ),
        ((LAST_IN_FULL,), "$24.50 on 28 February and 31 March 2027, then $49.00 on 30 April 2027."),
        (
            (ANCHORED,),
            "$11.29 on 23 February 2027, then $50.00 every month, starting 1 March 2027, until you cancel.",
        ),
        (
            (TWICE_HALF, samples.MEMBERSHIP),
            "$24.50 on 28 February and 31 March 2027, then $49.00 every month, starting 30 April 2027, until you "
            "cancel; and $49.00 every month, starting 14 April 2027, until you cancel.",
        ),
    ],
)
def test_the_consent_names_each_step(charges: tuple[LaterCharge, ...], sentence: str) -> None:
    consent = consent_text("Pinewood Studio", usd(2450), charges, ZONE)
    assert consent is not None
    assert plain(consent.plain) == (
        f"By paying you agree that Pinewood Studio stores this payment method and charges it {sentence} You can cancel "
        "at any time by the link in each receipt."
    )


@pytest.mark.parametrize(
    ("later", "rows"),
    [
        (TWICE_HALF, [("$24.50", "every month, 2 payments"), ("$49.00", "every month, until you cancel")]),
        (LONG_HALF, [("$24.50", "every month, 11 payments"), ("$49.00", "every month, 12 more")]),
        (LAST_IN_FULL, [("$24.50", "every month, 2 payments"), ("$49.00", "the last payment")]),
        (ANCHORED, [("$11.29", "1 payment"), ("$50.00", "every month, until you cancel")]),
        (samples.MEMBERSHIP, [("$49.00", "every month, until you cancel")]),
    ],
)
def test_each_step_has_a_row_with_its_rule(later: LaterCharge, rows: list[tuple[str, str]]) -> None:
    assert [(format_money(row.amount), plain(rule(row))) for row in stepped(later)] == rows


def test_receipts_name_each_step() -> None:
    assert plain(next_charge_sentence((TWICE_HALF,), ZONE)) == (
        "Next charges: $24.50 on 28 February and 31 March 2027, then $49.00 a month from 30 April 2027."
    )
    assert plain(next_charge_sentence((ANCHORED, samples.MEMBERSHIP), ZONE)) == (
        "First charges: $11.29 on 23 February 2027, then $50.00 a month from 1 March 2027, for Membership. "
        "Next charge: $49.00 on 14 April 2027."
    )


def test_the_button_names_no_amount_that_only_the_first_charge_has() -> None:
    assert button_text(usd(0), (ANCHORED,)) == "Subscribe, $0.00 due today"
    assert button_text(usd(2450), (TWICE_HALF,)) == "Subscribe and pay $24.50"


def test_the_pay_page_has_the_sentence_the_rows_and_the_consent() -> None:
    page = Reader(render.render_pay_page(replace(samples.SUBSCRIBE, due_today=usd(2450), later_charges=(TWICE_HALF,))))
    text = plain(page.text)
    assert "Then $24.50 on 28 February and 31 March 2027, then $49.00 a month from 30 April 2027." in text
    assert (
        "Later charges 28 February 2027 every month, 2 payments $24.50 "
        "30 April 2027 every month, until you cancel $49.00"
    ) in text
    assert (
        "charges it $24.50 on 28 February and 31 March 2027, then $49.00 every month, starting 30 April 2027, "
        "until you cancel."
    ) in text


def test_the_receipt_and_its_mail_have_each_step() -> None:
    page = Reader(render.render_receipt_page(replace(samples.PAID, later_charges=(TWICE_HALF,))))
    assert (
        "Next charge $24.50 on 28 February 2027 every month, 2 payments "
        "Then $49.00 on 30 April 2027 every month, until you cancel"
    ) in plain(page.text)
    mail = render_mails.render_receipt_mail(replace(samples.RECEIPT_MAIL, later_charges=(TWICE_HALF,)))
    sentence = "Next charges: $24.50 on 28 February and 31 March 2027, then $49.00 a month from 30 April 2027."
    assert sentence in plain(unescape(mail.html))
    assert sentence in " ".join(plain(mail.text).split())
