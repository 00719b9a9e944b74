"""The mail that tells a buyer of money on its way back."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.web.render_mails import render_refund_mail
from tests.web import samples
from tests.web.samples import LONG_NAME, MARKUP, RIGHT_TO_LEFT


def test_the_plain_text_says_all_that_the_mail_has_to_say() -> None:
    mail = render_refund_mail(samples.REFUND_MAIL)
    assert mail.subject == "Pinewood Studio refunded $148.00"
    assert mail.text.replace("\u00a0", " ") == (
        "Pinewood Studio\n\n"
        "$148.00 is on its way back to you.\nTo Visa ending 4242, usually within 10 business days.\n\n"
        "$148.00\nSent 20 March 2027\n\n"
        "View receipt: https://pay.example/invoice/pinewood-studio/01J\n\n"
        "Invoice INV-0001\n\n"
        "Questions? Just reply to this mail.\n\n"
        "Pinewood Studio LLC\n48 Warren Street\nHudson, NY 12534\nUnited States\n"
        "You get this mail because a payment of anna@example.com at Pinewood Studio was refunded.\n"
    )


def test_the_page_says_the_same_and_loads_nothing() -> None:
    html = render_refund_mail(samples.REFUND_MAIL).html.replace("\u00a0", " ")
    for words in ("$148.00 is on its way back to you.", "To Visa ending 4242, usually within 10 business days"):
        assert words in html
    assert "<script" not in html
    assert "<img" not in html
    assert len(html.encode()) < 60_000


def test_a_method_that_is_not_known_is_not_made_up() -> None:
    text = render_refund_mail(replace(samples.REFUND_MAIL, method=None)).text
    assert "To the payment method that was charged, usually within 10 business days." in text


def test_names_are_text_and_the_subject_stays_short() -> None:
    for name in (MARKUP, LONG_NAME, RIGHT_TO_LEFT):
        merchant = replace(samples.STUDIO, name=name)
        mail = render_refund_mail(replace(samples.REFUND_MAIL, merchant=merchant))
        assert "<script" not in mail.html
        assert len(mail.subject) <= 60
        assert mail.subject.endswith(" refunded $148.00")
