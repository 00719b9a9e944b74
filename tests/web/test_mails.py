"""The receipt mail: subject, HTML and plain text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.web.render_mails import render_receipt_mail
from tests.web import samples
from tests.web.samples import LONG_NAME, MARKUP, RIGHT_TO_LEFT
from tests.web.views import ReceiptMail

MAILS = {
    "receipt": samples.RECEIPT_MAIL,
    "once": samples.ONCE_MAIL,
    "cart": samples.CART_MAIL,
    "bank": samples.BANK_MAIL,
    "stored": samples.STORED_MAIL,
    "renewal": replace(samples.RECEIPT_MAIL, renewal=True),
    "long": samples.LONG_MAIL,
}


def test_the_plain_text_says_all_that_the_mail_has_to_say() -> None:
    assert render_receipt_mail(samples.RECEIPT_MAIL).text.replace("\u00a0", " ") == (
        "Pinewood Studio\n\n"
        "Thank you. You paid $49.00.\nNext charge: $49.00 on 14 April 2027.\n\n"
        "$49.00\nPaid 14 March 2027 with Visa ending 4242\n\n"
        "Studio membership (a month): $49.00\n\n"
        "Total (USD): $49.00\n\n"
        "Invoice INV-0001: https://pay.example/invoice/pinewood-studio/01J\n\n"
        "View receipt: https://pay.example/receipt/pinewood-studio/01J\n\n"
        "You can cancel at any time by this link:\nhttps://pay.example/cancel/pinewood-studio/01J\n\n"
        "Your card statement will show PINEWOOD STUDIO. Questions? Just reply to this mail.\n\n"
        "Pinewood Studio LLC\n48 Warren Street\nHudson, NY 12534\nUnited States\n"
        "You get this mail because a payment was made with anna@example.com at Pinewood Studio.\n"
    )


def test_the_sums_of_the_mail_are_those_of_the_page() -> None:
    text = render_receipt_mail(samples.CART_MAIL).text.replace("\u00a0", " ")
    assert (
        "Portrait session: $120.00\n"
        "Prints, 20 x 30 cm, 3 x $20.00: $60.00\n"
        "Studio membership (a month): $49.00\n"
        "Archive (a year): $0.00\n\n"
        "Subtotal: $229.00\nDiscount: −$6.00\nDiscount SPRING: −$55.75\nDelivery: $5.00\n"
        "Sales tax 8.875%: $10.11\nTotal (USD): $182.36\n"
    ) in text


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("receipt", "Receipt from Pinewood Studio: $49.00"),
        ("bank", "Your bank payment of $148.00 is on its way"),
        ("stored", "All set with Pinewood Studio: nothing due today"),
        ("long", "Receipt from Brand photography with retouching,…: $182.36"),
    ],
)
def test_the_subject_is_fact_amount_and_name_in_sixty_characters(name: str, subject: str) -> None:
    rendered = render_receipt_mail(MAILS[name]).subject
    assert len(rendered) <= 60
    assert rendered == subject


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("receipt", "Paid 14 March 2027 with Visa ending 4242"),
        ("bank", "Up to 4 business days, nothing to do"),
        ("stored", "First charge: $49.00 on 1 May 2027."),
    ],
)
def test_the_preheader_adds_to_the_subject(name: str, words: str) -> None:
    html = render_receipt_mail(MAILS[name]).html.replace("\u00a0", " ")
    preheader = html.split('<div style="display:none')[1].split(">", 1)[1].split("&#8199;")[0]
    assert preheader == words
    assert len(preheader) <= 90


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_is_small_and_loads_nothing(name: str) -> None:
    html = render_receipt_mail(MAILS[name]).html
    assert len(html.encode()) < 60_000
    assert "<script" not in html
    assert "<img" not in html
    assert "url(" not in html


def test_a_long_order_names_ten_lines_and_counts_the_rest() -> None:
    mail = render_receipt_mail(samples.LONG_MAIL)
    assert "and 190 more" in mail.html
    assert "and 190 more\n" in mail.text


@pytest.mark.parametrize("name", ["receipt", "cart", "stored", "renewal"])
def test_what_renews_can_be_cancelled_from_the_mail(name: str) -> None:
    mail = render_receipt_mail(MAILS[name])
    assert '<a href="https://pay.example/cancel/pinewood-studio/01J"' in mail.html
    assert "https://pay.example/cancel/pinewood-studio/01J\n" in mail.text


def test_a_single_payment_says_nothing_of_cancelling() -> None:
    mail = render_receipt_mail(samples.ONCE_MAIL)
    assert "cancel" not in mail.html.lower()
    assert "cancel" not in mail.text.lower()


def test_a_renewal_says_why_the_mail_came() -> None:
    assert (
        "because a subscription of anna@example.com at Pinewood Studio was charged."
        in render_receipt_mail(MAILS["renewal"]).text
    )


def test_a_bank_payment_on_its_way_is_not_called_paid() -> None:
    mail = render_receipt_mail(samples.BANK_MAIL)
    assert "You do not need to do anything, and you should not pay again." in mail.text
    assert "Paid" not in mail.text
    assert "statement" not in mail.text


@pytest.mark.parametrize("mail", [samples.RECEIPT_MAIL, samples.CART_MAIL])
def test_markup_in_a_name_is_text(mail: ReceiptMail) -> None:
    lines = tuple(replace(line, name=MARKUP, description=MARKUP) for line in mail.lines)
    merchant = replace(mail.merchant, name=MARKUP, legal_name=MARKUP, address_lines=(MARKUP,))
    rendered = render_receipt_mail(replace(mail, merchant=merchant, lines=lines))
    assert "<script" not in rendered.html
    assert "<b>" not in rendered.html
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; &amp; &lt;b&gt;co&lt;/b&gt;" in rendered.html


def test_a_right_to_left_name_stays_inside_its_place_in_the_subject() -> None:
    merchant = replace(samples.STUDIO, name=RIGHT_TO_LEFT)
    rendered = render_receipt_mail(replace(samples.ONCE_MAIL, merchant=merchant))
    assert rendered.subject == "Receipt from \u2068סטודיו אורן\u2069: $148.00"


def test_a_line_break_in_a_name_cannot_reach_the_subject() -> None:
    merchant = replace(samples.STUDIO, name="Pine\r\nBcc: all@example.com")
    subject = render_receipt_mail(replace(samples.ONCE_MAIL, merchant=merchant)).subject
    assert subject == "Receipt from PineBcc: all@example.com: $148.00"


def test_two_hundred_letters_are_whole_in_the_mail() -> None:
    assert LONG_NAME in render_receipt_mail(samples.LONG_MAIL).html
