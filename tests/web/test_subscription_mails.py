"""Mails about a subscription: what comes, what changes, what ended, and what stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.web.render_mails import render_subscription_mail
from chalicelib.web.words.subscription_mails import subscription_words
from tests.web import samples
from tests.web.samples import LONG_NAME, MARKUP, RIGHT_TO_LEFT

SAID = {
    "upcoming": (
        "Coming up: $49.00 to Pinewood Studio on 14 April",
        "Visa ending 4242. Change or cancel before then",
        "On 14 April 2027 we will charge $49.00.",
    ),
    "upcoming-sent": (
        "Coming up: $49.00 to Pinewood Studio on 14 April",
        "Change or cancel before then",
        "On 14 April 2027 we will send you an invoice of $49.00.",
    ),
    "changed": (
        "Your Studio membership changes on 14 April",
        "From $49.00 to $59.00 a month",
        "Your Studio membership changes on 14 April 2027.",
    ),
    "canceled": (
        "Your Studio membership is cancelled",
        "Yours until 14 April, no more charges",
        "Your Studio membership is cancelled. There are no more charges.",
    ),
    "canceled-now": (
        "Your Studio membership is cancelled",
        "No more charges",
        "Your Studio membership is cancelled. There are no more charges.",
    ),
    "ended": (
        "Your Studio membership has ended",
        "No more charges",
        "Your Studio membership has ended. There are no more charges.",
    ),
    "paid-up": (
        "Your Studio membership has ended",
        "All payments are made",
        "Your Studio membership has ended. There are no more charges.",
    ),
    "paused": ("Your Studio membership is paused", "No charges until 14 April", "Your Studio membership is paused."),
    "paused-open": (
        "Your Studio membership is paused",
        "No charges while it is paused",
        "Your Studio membership is paused.",
    ),
}


@pytest.mark.parametrize("name", samples.SUBSCRIPTION_MAILS)
def test_subject_preheader_and_first_line(name: str) -> None:
    words = subscription_words(samples.SUBSCRIPTION_MAILS[name])
    said = (words.subject, words.preheader, words.first_line)
    assert tuple(part.replace("\u00a0", " ") for part in said) == SAID[name]


def test_the_plain_text_says_all_that_the_mail_has_to_say() -> None:
    mail = render_subscription_mail(samples.UPCOMING_MAIL)
    assert mail.text.replace("\u00a0", " ") == (
        "Pinewood Studio\n\n"
        "Next charge\n\n"
        "$49.00\nOn 14 April 2027 with Visa ending 4242\n\n"
        "On 14 April 2027 we will charge $49.00.\n"
        "It is for Studio membership, $49.00 a month. You can change or cancel it before then.\n\n"
        "Manage subscription: https://pay.example/portal/pinewood-studio/subscriptions/sub_01J\n\n"
        "Questions? Just reply to this mail.\n\n"
        "Pinewood Studio LLC\n48 Warren Street\nHudson, NY 12534\nUnited States\n"
        "You get this mail because anna@example.com has a subscription at Pinewood Studio.\n"
    )


def test_a_change_that_leaves_the_price_says_so() -> None:
    mail = replace(samples.SUBSCRIPTION_MAILS["changed"], amount=samples.usd(4900))
    assert subscription_words(mail).later.replace("\u00a0", " ") == "It stays at $49.00 a month."


def test_a_change_that_has_happened_is_told_as_done() -> None:
    words = subscription_words(replace(samples.SUBSCRIPTION_MAILS["changed"], at=None))
    assert words.subject == "Your Studio membership has changed"
    assert words.first_line == "Your Studio membership has changed."


@pytest.mark.parametrize("name", samples.SUBSCRIPTION_MAILS)
def test_names_are_text_subjects_stay_short_and_nothing_is_loaded(name: str) -> None:
    for given in (MARKUP, LONG_NAME, RIGHT_TO_LEFT):
        merchant = replace(samples.STUDIO, name=given)
        mail = render_subscription_mail(replace(samples.SUBSCRIPTION_MAILS[name], merchant=merchant, name=given))
        assert "<script" not in mail.html
        assert "<img" not in mail.html
        assert len(mail.subject) <= 60
        assert len(mail.html.encode()) < 60_000
