"""The mails about a renewal that was not paid, and the one that says that all is paid again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.web.render_mails import render_failed_charge_mail, render_recovered_mail
from chalicelib.web.views.mail import FailedChargeMail
from tests.web import samples
from tests.web.samples import LONG_NAME, MARKUP, RIGHT_TO_LEFT

MAILS = {"retrying": samples.RETRYING_MAIL, "needs you": samples.FAILED_MAIL, "confirm": samples.CONFIRM_MAIL}
FOOT = (
    "Invoice INV-0002: https://pay.example/invoice/pinewood-studio/01J\n\n"
    "Questions? Just reply to this mail.\n\n"
    "Pinewood Studio LLC\n48 Warren Street\nHudson, NY 12534\nUnited States\n"
    "You get this mail because a subscription of anna@example.com at Pinewood Studio could not be charged.\n"
)


def text_of(mail: FailedChargeMail) -> str:
    return render_failed_charge_mail(mail).text.replace("\u00a0", " ")


def test_one_that_is_tried_again_says_when() -> None:
    mail = render_failed_charge_mail(samples.RETRYING_MAIL)
    assert mail.subject == "Payment of $49.00 to Pinewood Studio did not go through"
    short = replace(samples.RETRYING_MAIL, merchant=replace(samples.STUDIO, name="Pinewood"))
    assert render_failed_charge_mail(short).subject == "Your payment of $49.00 to Pinewood did not go through"
    assert text_of(samples.RETRYING_MAIL) == (
        "Pinewood Studio\n\n"
        "Your bank declined this card. You have not been charged.\nWe will try again on 17 April 2027.\n\n"
        "$49.00\nDue 14 April 2027\n\n"
        "Replace card: https://pay.example/invoice/pinewood-studio/01J/pay\n\n" + FOOT
    )
    assert "We try again on 17 April, or fix it now" in mail.html.replace("\u00a0", " ")


def test_one_that_needs_another_card_says_that_nothing_is_tried_and_until_when() -> None:
    mail = render_failed_charge_mail(samples.FAILED_MAIL)
    assert mail.subject == "Action needed: $49.00 to Pinewood Studio"
    assert "Nothing is tried again until you add a card" in mail.html
    said = "Your bank declined this card. You have not been charged.\n"
    assert f"{said}Please pay by 21 April 2027.\n" in text_of(samples.FAILED_MAIL)
    ends = replace(samples.FAILED_MAIL, ends=True)
    assert f"{said}Your subscription stays on until 21 April 2027.\n" in text_of(ends)
    over = text_of(replace(samples.FAILED_MAIL, until=None))
    assert "21 April" not in over
    assert "Replace card and pay: https://pay.example/invoice/pinewood-studio/01J/pay" in over


def test_one_that_the_bank_asks_for_leads_to_the_invoices_pay_page() -> None:
    mail = render_failed_charge_mail(samples.CONFIRM_MAIL)
    assert mail.subject == "Approve your payment of $49.00 to Pinewood Studio"
    assert "Approve payment: https://pay.example/invoice/pinewood-studio/01J/pay" in mail.text
    assert "Your bank wants you to approve this payment. You have not been charged." in mail.text


def test_one_that_is_paid_again_asks_for_nothing() -> None:
    mail = render_recovered_mail(samples.RECOVERED_MAIL)
    assert mail.subject == "Your payments to Pinewood Studio are up to date"
    assert mail.text.replace("\u00a0", " ") == (
        "Pinewood Studio\n\n"
        "Thank you. Nothing is past due any more, and your subscription goes on.\n\n"
        "$49.00\nPaid 17 April 2027\n\n"
        "View invoice: https://pay.example/invoice/pinewood-studio/01J\n\n"
        + FOOT.replace("could not be charged", "was past due")
    )


@pytest.mark.parametrize("name", MAILS)
def test_no_mail_of_a_failure_says_renewed_or_paid(name: str) -> None:
    mail = render_failed_charge_mail(MAILS[name])
    whole = f"{mail.subject}\n{mail.text}\n{mail.html}".lower()
    assert "renewed" not in whole
    assert "thank you" not in whole


@pytest.mark.parametrize("name", MAILS)
def test_names_are_text_and_the_subject_stays_short(name: str) -> None:
    for merchant_name in (MARKUP, LONG_NAME, RIGHT_TO_LEFT):
        merchant = replace(samples.STUDIO, name=merchant_name)
        mail = render_failed_charge_mail(replace(MAILS[name], merchant=merchant))
        assert "<script" not in mail.html
        assert len(mail.subject) <= 60
        assert len(mail.html.encode()) < 60_000
