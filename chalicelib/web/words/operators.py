"""The mails to the merchant's own people."""

from __future__ import annotations

from chalicelib.web.formatting import format_date, format_time, isolate
from chalicelib.web.views.mail import LinkPausedMail, ParkedMail
from chalicelib.web.words.mails import MailWords, subject_of


def link_paused_words(mail: LinkPausedMail, locale: str = "en") -> MailWords:
    """The words of the mail that tells of a paused link."""
    zone = mail.merchant.timezone
    until = format_time(mail.until, zone, locale)
    return MailWords(
        subject=subject_of("Payments paused: ", mail.link_name, ""),
        preheader=f"Too many declined cards. It goes on by itself at {until}.",
        what="Payment link paused",
        first_line=(
            f"Nearly every card that was tried on {isolate(mail.link_name)} within an hour was declined: somebody is "
            f"probably testing stolen cards there. The link takes no payments until {until}, then goes on by itself."
        ),
        when=format_date(mail.at, zone, locale),
        later="",
        cancel="",
        cancel_links=(),
        button="See the page",
        url=mail.page_url,
        help="To go on at once, switch the link on again. To stop it for longer, switch it off and share a new one.",
        why=f"You get this mail because this address is the one that buyers of {isolate(mail.merchant.name)} write to.",
    )


def parked_words(mail: ParkedMail, locale: str = "en") -> MailWords:
    """The words of the mail that tells of a parked schedule."""
    zone = mail.merchant.timezone
    return MailWords(
        subject=subject_of("Billing stopped: ", mail.merchant.name, ""),
        preheader="Nothing is invoiced or charged by the schedule until you say so.",
        what="Billing stopped for your safety",
        first_line=(
            f"Since {format_time(mail.at, zone, locale)} no renewal is invoiced or charged, because {mail.reason}. "
            "That is the bound of this deployment, and may be a mistake somewhere. Nothing is lost: what is due waits, "
            "and buyers can go on paying."
        ),
        when=format_date(mail.at, zone, locale),
        later="",
        cancel="",
        cancel_links=(),
        button="How to go on",
        url=mail.help_url,
        help="If that many is right, call POST /v1/account/unpark: what is due then goes on, exactly once.",
        why=f"You get this mail because this address is the one that buyers of {isolate(mail.merchant.name)} write to.",
    )


def operator_text(mail: LinkPausedMail | ParkedMail, words: MailWords) -> str:
    """The plain text part."""
    blocks = [
        isolate(mail.merchant.name),
        f"{words.what}\n{words.when}",
        words.first_line,
        f"{words.button}: {words.url}",
        words.help,
        words.why,
    ]
    return "\n\n".join(blocks) + "\n"
