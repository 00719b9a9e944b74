"""Mails about a subscription in words: what comes, what changes, what stays, and where it is looked after."""

from __future__ import annotations

from typing import Final, NamedTuple

from chalicelib.web.formatting import format_date, format_dates, format_money, isolate
from chalicelib.web.views.subscription_mail import SubscriptionMail, SubscriptionNews
from chalicelib.web.words.documents import method_words
from chalicelib.web.words.mails import MailWords, seller_text, subject_of
from chalicelib.web.words.schedule import price

NO_MORE: Final = "There are no more charges."


class _Said(NamedTuple):
    subject: str
    preheader: str
    what: str
    first_line: str
    when: str
    later: str = ""


def subscription_words(mail: SubscriptionMail, locale: str = "en") -> MailWords:
    """The words of one such mail."""
    said = _SAID[mail.news](mail, locale)
    name = isolate(mail.merchant.name)
    return MailWords(
        subject=said.subject,
        preheader=said.preheader,
        what=said.what,
        first_line=said.first_line,
        when=said.when,
        later=said.later,
        cancel="",
        cancel_links=(),
        button="Manage subscription",
        url=mail.url,
        help="Questions? Just reply to this mail.",
        why=f"You get this mail because {mail.email} has a subscription at {name}.",
    )


def subscription_text(mail: SubscriptionMail, words: MailWords, locale: str = "en") -> str:
    """The plain text part: everything that the HTML part says, in the same order."""
    amount = "" if mail.amount is None else f"{format_money(mail.amount, locale)}\n"
    blocks = [
        isolate(mail.merchant.name),
        words.what,
        f"{amount}{words.when}",
        words.first_line + (f"\n{words.later}" if words.later else ""),
        f"{words.button}: {words.url}",
        words.help,
        seller_text(mail.merchant, words.why),
    ]
    return "\n\n".join(blocks) + "\n"


def _short_day(mail: SubscriptionMail, locale: str) -> str:
    """The day without its year, as the first of two days in one year is written."""
    if mail.at is None:
        raise ValueError("there is no day to tell of")
    return format_dates((mail.at, mail.at), mail.merchant.timezone, locale)[0]


def _day(mail: SubscriptionMail, locale: str) -> str:
    return format_date(mail.at or mail.told_at, mail.merchant.timezone, locale)


def _upcoming(mail: SubscriptionMail, locale: str) -> _Said:
    if mail.amount is None:
        raise ValueError("a charge to come has an amount")
    amount, day = format_money(mail.amount, locale), _day(mail, locale)
    short = _short_day(mail, locale)
    known = f"{method_words(mail.method)}. " if mail.method else ""
    if mail.sent:
        first_line = f"On {day} we will send you an invoice of {amount}."
    else:
        first_line = f"On {day} we will charge {amount}."
    rule = "" if mail.frequency is None else f", {price(mail.amount, mail.frequency, locale)}"
    return _Said(
        subject=subject_of(f"Coming up: {amount} to ", mail.merchant.name, f" on {short}"),
        preheader=f"{known}Change or cancel before then",
        what="Next charge" if not mail.sent else "Next invoice",
        first_line=first_line,
        when=f"On {day}" + (f" with {method_words(mail.method)}" if mail.method else ""),
        later=f"It is for {isolate(mail.name)}{rule}. You can change or cancel it before then.",
    )


def _changed(mail: SubscriptionMail, locale: str) -> _Said:
    if mail.amount is None or mail.before is None or mail.frequency is None:
        raise ValueError("a change tells both prices")
    before, after = format_money(mail.before, locale), price(mail.amount, mail.frequency, locale)
    same = mail.before == mail.amount
    from_to = f"It stays at {after}." if same else f"From {before} to {after}."
    day = f" on {_short_day(mail, locale)}" if mail.at is not None else ""
    verb = "changes" if mail.at is not None else "has changed"
    return _Said(
        subject=subject_of("Your ", mail.name, f" {verb}{day}"),
        preheader=from_to.removesuffix("."),
        what="Change of your subscription",
        first_line=f"Your {isolate(mail.name)} {verb}{f' on {_day(mail, locale)}' if mail.at else ''}.",
        when=f"From {_day(mail, locale)} on",
        later=from_to,
    )


def _canceled(mail: SubscriptionMail, locale: str) -> _Said:
    name = isolate(mail.name)
    if mail.at is None:
        return _Said(
            subject=subject_of("Your ", mail.name, " is cancelled"),
            preheader="No more charges",
            what="Cancelled subscription",
            first_line=f"Your {name} is cancelled. {NO_MORE}",
            when=f"Ended {_day(mail, locale)}",
        )
    return _Said(
        subject=subject_of("Your ", mail.name, " is cancelled"),
        preheader=f"Yours until {_short_day(mail, locale)}, no more charges",
        what="Cancelled subscription",
        first_line=f"Your {name} is cancelled. {NO_MORE}",
        when=f"Ends {_day(mail, locale)}",
        later=f"It stays yours until {_day(mail, locale)}.",
    )


def _ended(mail: SubscriptionMail, locale: str) -> _Said:
    return _Said(
        subject=subject_of("Your ", mail.name, " has ended"),
        preheader="All payments are made" if mail.paid_up else "No more charges",
        what="Ended subscription",
        first_line=f"Your {isolate(mail.name)} has ended. {NO_MORE}",
        when=f"Ended {_day(mail, locale)}",
        later="All of its payments are made. Thank you." if mail.paid_up else "",
    )


def _paused(mail: SubscriptionMail, locale: str) -> _Said:
    name = isolate(mail.name)
    if mail.at is None:
        return _Said(
            subject=subject_of("Your ", mail.name, " is paused"),
            preheader="No charges while it is paused",
            what="Paused subscription",
            first_line=f"Your {name} is paused.",
            when=f"Since {_day(mail, locale)}",
            later="Nothing is charged until it goes on.",
        )
    return _Said(
        subject=subject_of("Your ", mail.name, " is paused"),
        preheader=f"No charges until {_short_day(mail, locale)}",
        what="Paused subscription",
        first_line=f"Your {name} is paused.",
        when=f"Until {_day(mail, locale)}",
        later=f"Nothing is charged until {_day(mail, locale)}.",
    )


_SAID: Final = {
    SubscriptionNews.UPCOMING: _upcoming,
    SubscriptionNews.CHANGED: _changed,
    SubscriptionNews.CANCELED: _canceled,
    SubscriptionNews.ENDED: _ended,
    SubscriptionNews.PAUSED: _paused,
}
