"""The mails that ask a buyer to act on a renewal: another card, or the bank's question answered."""

from __future__ import annotations

from chalicelib.web.formatting import format_date, format_money, isolate
from chalicelib.web.views.mail import FailedChargeMail
from chalicelib.web.words.declines import decline_words
from chalicelib.web.words.mails import MailWords, subject_of


def failed_charge_words(mail: FailedChargeMail, locale: str = "en") -> MailWords:
    """The words of one such mail. It says that no money has moved, since Stripe has answered so."""
    zone = mail.merchant.timezone
    amount = format_money(mail.amount, locale)
    name = isolate(mail.merchant.name)
    day = format_date(mail.at, zone, locale)
    if mail.asks_bank:
        subject = subject_of(f"Approve your payment of {amount} to ", mail.merchant.name, "")
        preheader, what, button = "Your bank asks for it", "Payment to approve", "Approve payment"
        first_line = "Your bank wants you to approve this payment. You have not been charged."
    else:
        words = decline_words(mail.code, mail.decline_code)
        subject = subject_of(f"Action needed: {amount} to ", mail.merchant.name, "")
        preheader, button = "Nothing is tried again until you add a card", "Replace card and pay"
        what = "Payment that did not go through"
        first_line = f"{words.title} You have not been charged."
    return MailWords(
        subject=subject,
        preheader=preheader,
        what=what,
        first_line=first_line,
        when=f"Due {day}",
        later="",
        cancel="",
        cancel_links=(),
        button=button,
        url=mail.pay_url,
        help="Questions? Just reply to this mail.",
        why=f"You get this mail because a subscription of {mail.email} at {name} could not be charged.",
    )


def failed_charge_text(mail: FailedChargeMail, words: MailWords, locale: str = "en") -> str:
    """The plain text part: everything that the HTML part says, in the same order."""
    seller = [mail.merchant.legal_name or mail.merchant.name, *mail.merchant.address_lines]
    blocks = [
        isolate(mail.merchant.name),
        words.first_line,
        f"{format_money(mail.amount, locale)}\n{words.when}",
        f"{words.button}: {words.url}",
        f"Invoice {mail.invoice_number}: {mail.invoice_url}",
        words.help,
        "\n".join([*(isolate(part) for part in seller), words.why]),
    ]
    return "\n\n".join(blocks) + "\n"
