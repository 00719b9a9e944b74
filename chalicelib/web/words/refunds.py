"""The mail that tells a buyer of money on its way back."""

from __future__ import annotations

from chalicelib.web.formatting import format_date, format_money, isolate
from chalicelib.web.views.mail import RefundMail
from chalicelib.web.words.documents import method_words
from chalicelib.web.words.mails import MailWords, subject_of


def refund_words(mail: RefundMail, locale: str = "en") -> MailWords:
    """The words of one. Banks take five to ten business days (docs.stripe.com/refunds)."""
    amount = format_money(mail.amount, locale)
    day = format_date(mail.at, mail.merchant.timezone, locale)
    name = isolate(mail.merchant.name)
    where = f"To {method_words(mail.method)}" if mail.method else "To the payment method that was charged"
    takes = f"{where}, usually within 10 business days"
    return MailWords(
        subject=subject_of("", mail.merchant.name, f" refunded {amount}"),
        preheader=takes,
        what="Refund",
        first_line=f"{amount} is on its way back to you.",
        when=f"Sent {day}",
        later=f"{takes}.",
        cancel="",
        cancel_links=(),
        button="View receipt",
        url=mail.url,
        help="Questions? Just reply to this mail.",
        why=f"You get this mail because a payment of {mail.email} at {name} was refunded.",
    )


def refund_text(mail: RefundMail, words: MailWords, locale: str = "en") -> str:
    """The plain text part: everything that the HTML part says, in the same order."""
    seller = [mail.merchant.legal_name or mail.merchant.name, *mail.merchant.address_lines]
    blocks = [
        isolate(mail.merchant.name),
        f"{words.first_line}\n{words.later}",
        f"{format_money(mail.amount, locale)}\n{words.when}",
        f"{words.button}: {words.url}",
        f"Invoice {mail.invoice_number}",
        words.help,
        "\n".join([*(isolate(part) for part in seller), words.why]),
    ]
    return "\n\n".join(blocks) + "\n"
