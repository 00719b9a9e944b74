"""The mails to the merchant's own people."""

from __future__ import annotations

from chalicelib.web.formatting import format_date, format_time, isolate
from chalicelib.web.views.mail import LinkPausedMail
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


def link_paused_text(mail: LinkPausedMail, words: MailWords) -> str:
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
