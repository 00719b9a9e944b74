"""The mail that opens the portal: one link, one use, and how long it is good."""

from __future__ import annotations

from chalicelib.web.formatting import NBSP, isolate
from chalicelib.web.views.mail import SignInMail
from chalicelib.web.words.mails import MailWords, seller_text, subject_of

_HOUR = 60


def sign_in_words(mail: SignInMail) -> MailWords:
    """The words of one such mail."""
    name = isolate(mail.merchant.name)
    lasts = f"{mail.minutes // _HOUR}{NBSP}hours" if mail.minutes > _HOUR else f"{mail.minutes}{NBSP}minutes"
    if mail.subscription_name is None:
        subject = subject_of("Your sign-in link for ", mail.merchant.name, "")
        what, button = "Sign in", "Open my account"
        first_line = "Open your account with this button."
        why = f"You get this mail because somebody asked for a link for {mail.email} at {name}. "
        why += "If that was not you, nothing happens: without this link nobody gets in."
    else:
        subject = subject_of("Your payment method at ", mail.merchant.name, "")
        what, button = "Payment method", "Change payment method"
        first_line = f"Change the payment method of {isolate(mail.subscription_name)} with this button."
        why = f"You get this mail because {name} asks the owner of a subscription of {mail.email}."
    return MailWords(
        subject=subject,
        preheader=f"Works once, for {lasts}",
        what=what,
        first_line=first_line,
        when=f"Works once, for {lasts}",
        later="",
        cancel="",
        cancel_links=(),
        button=button,
        url=mail.url,
        help="Questions? Just reply to this mail.",
        why=why,
    )


def sign_in_text(mail: SignInMail, words: MailWords) -> str:
    """The plain text part: everything that the HTML part says, in the same order."""
    blocks = [
        isolate(mail.merchant.name),
        f"{words.what}\n{words.when}",
        words.first_line,
        f"{words.button}: {words.url}",
        words.help,
        seller_text(mail.merchant, words.why),
    ]
    return "\n\n".join(blocks) + "\n"
