"""The mail that brings an invoice, in words: what it is for, how much, by when, and where it is paid."""

from __future__ import annotations

from chalicelib.web.formatting import format_date, format_dates, format_money, isolate
from chalicelib.web.views.mail import InvoiceMail
from chalicelib.web.words.mails import MailWords, lines_text, seller_text, subject_of, totals_text


def invoice_words(mail: InvoiceMail, locale: str = "en") -> MailWords:
    """The words of one such mail."""
    zone = mail.merchant.timezone
    amount = format_money(mail.amount, locale)
    # The day alone, without its year, as the first of two days in one year is written.
    day = format_dates((mail.due_at, mail.due_at), zone, locale)[0]
    name = isolate(mail.merchant.name)
    return MailWords(
        subject=subject_of(f"Invoice {mail.invoice_number} from ", mail.merchant.name, f": {amount} due {day}"),
        preheader="Pay it by card on its own page.",
        what=f"Invoice {mail.invoice_number}",
        first_line=f"{name} has sent you this invoice.",
        when=f"Due {format_date(mail.due_at, zone, locale)}",
        later="",
        cancel="",
        cancel_links=(),
        button="View and pay invoice",
        url=mail.invoice_url,
        help="Questions? Just reply to this mail.",
        why=f"You get this mail because {name} has an invoice for {mail.email}.",
    )


def invoice_text(mail: InvoiceMail, words: MailWords, locale: str = "en") -> str:
    """The plain text part: everything that the HTML part says, in the same order."""
    blocks = [
        isolate(mail.merchant.name),
        f"{words.what}\n{format_money(mail.amount, locale)}\n{words.when}",
        words.first_line,
        f"{words.button}: {words.url}",
        lines_text(mail.lines, locale),
        totals_text(mail.totals, locale),
        words.help,
        seller_text(mail.merchant, words.why),
    ]
    return "\n\n".join(blocks) + "\n"
