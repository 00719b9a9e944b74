"""The mail that brings an invoice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.web.render_mails import render_invoice_mail
from chalicelib.web.views.common import LineView
from tests.web import samples
from tests.web.samples import LONG_NAME, MARKUP, RIGHT_TO_LEFT


def test_it_says_what_is_owed_by_when_and_where_it_is_paid() -> None:
    mail = render_invoice_mail(samples.INVOICE_MAIL)
    text = mail.text.replace("\u00a0", " ")
    assert mail.subject.replace("\u00a0", " ") == "Invoice INV-0042 from Pinewood St…: $2,436.73 due 14 March"
    assert text.startswith("Pinewood Studio\n\nInvoice INV-0042\n$2,436.73\nDue 14 March 2027\n\n")
    assert "View and pay invoice: https://pay.example/invoice/pinewood-studio/01J\n" in text
    assert "Total (USD): $2,436.73\n" in text
    assert text.endswith("You get this mail because Pinewood Studio has an invoice for anna@example.com.\n")
    html = mail.html.replace("\u00a0", " ")
    for part in ("Invoice INV-0042", "$2,436.73", "Due 14 March 2027", "View and pay invoice"):
        assert part in html


@pytest.mark.parametrize("name", [LONG_NAME, RIGHT_TO_LEFT, "Pine\r\nBcc: all@example.com"])
def test_a_subject_is_one_line_of_sixty_characters_whoever_sends_it(name: str) -> None:
    merchant = replace(samples.STUDIO, name=name)
    subject = render_invoice_mail(replace(samples.INVOICE_MAIL, merchant=merchant)).subject
    assert len(subject) <= 62, "the marks around a right-to-left name take no room on the screen"
    assert not {"\r", "\n"} & set(subject)
    assert subject.replace("\u00a0", " ").endswith(": $2,436.73 due 14 March")


def test_it_is_small_loads_nothing_and_holds_names_as_text() -> None:
    lines = tuple(replace(line, name=MARKUP, description=MARKUP) for line in samples.INVOICE_MAIL.lines) * 200
    merchant = replace(samples.STUDIO, name=MARKUP, legal_name=MARKUP, address_lines=(MARKUP,))
    mail = render_invoice_mail(replace(samples.INVOICE_MAIL, merchant=merchant, lines=lines))
    assert len(mail.html.encode()) < 60_000
    assert not [part for part in ("<script", "<b>", "<img", "url(") if part in mail.html]
    assert f"and {len(lines) - 10} more" in mail.html
    assert f"and {len(lines) - 10} more\n" in mail.text


def test_a_change_within_a_period_and_a_credit_each_have_their_row_with_a_true_minus() -> None:
    credit = LineView("Unused time: Membership", 1, samples.usd(-2_450), samples.usd(-2_450))
    totals = replace(samples.INVOICE_MAIL.totals, credited=samples.usd(1_000))
    mail = render_invoice_mail(replace(samples.INVOICE_MAIL, lines=(credit,), totals=totals))
    for part in ("Unused time: Membership", "\u2212$24.50", "Credit", "\u2212$10.00", "After credit", "$2,426.73"):
        assert part in mail.html
        assert part in mail.text
