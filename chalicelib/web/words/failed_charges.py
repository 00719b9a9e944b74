"""The mails about a renewal that was not paid: it is tried again, another card is needed, or the bank's question
answered; and the one that says that all is paid again."""

from __future__ import annotations

from chalicelib.web.formatting import format_date, format_dates, format_money, isolate
from chalicelib.web.views.mail import FailedChargeMail, RecoveredMail
from chalicelib.web.words.declines import decline_words
from chalicelib.web.words.mails import MailWords, subject_of


def failed_charge_words(mail: FailedChargeMail, locale: str = "en") -> MailWords:
    """The words of one such mail. It says that no money has moved, since Stripe has answered so."""
    zone = mail.merchant.timezone
    amount = format_money(mail.amount, locale)
    name = isolate(mail.merchant.name)
    day = format_date(mail.at, zone, locale)
    later = ""
    if mail.until is not None:
        last = format_date(mail.until, zone, locale)
        later = f"Your subscription stays on until {last}." if mail.ends else f"Please pay by {last}."
    if mail.asks_bank:
        subject = subject_of(f"Approve your payment of {amount} to ", mail.merchant.name, "")
        preheader, what, button = "Your bank asks for it", "Payment to approve", "Approve payment"
        first_line = "Your bank wants you to approve this payment. You have not been charged."
    elif mail.next_at is not None:
        # The day alone, without its year, as the first of two days in one year is written.
        short = format_dates((mail.next_at, mail.next_at), zone, locale)[0]
        subject = _not_through(amount, mail.merchant.name)
        preheader, what, button = (
            f"We try again on {short}, or fix it now",
            "Payment that did not go through",
            "Replace card",
        )
        first_line = f"{decline_words(mail.code, mail.decline_code).title} You have not been charged."
        later = f"We will try again on {format_date(mail.next_at, zone, locale)}."
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
        later=later,
        cancel="",
        cancel_links=(),
        button=button,
        url=mail.pay_url,
        help="Questions? Just reply to this mail.",
        why=f"You get this mail because a subscription of {mail.email} at {name} could not be charged.",
    )


def _not_through(amount: str, name: str) -> str:
    """A word less where that leaves the whole name in its place."""
    after = " did not go through"
    whole = subject_of(f"Your payment of {amount} to ", name, after)
    return whole if name in whole else subject_of(f"Payment of {amount} to ", name, after)


def recovered_words(mail: RecoveredMail, locale: str = "en") -> MailWords:
    """The words of the mail after the last past-due invoice was paid."""
    name = isolate(mail.merchant.name)
    return MailWords(
        subject=subject_of("Your payments to ", mail.merchant.name, " are up to date"),
        preheader="Thank you. There is nothing more to do.",
        what="Payment received",
        first_line="Thank you. Nothing is past due any more, and your subscription goes on.",
        when=f"Paid {format_date(mail.at, mail.merchant.timezone, locale)}",
        later="",
        cancel="",
        cancel_links=(),
        button="View invoice",
        url=mail.invoice_url,
        help="Questions? Just reply to this mail.",
        why=f"You get this mail because a subscription of {mail.email} at {name} was past due.",
    )


def failed_charge_text(mail: FailedChargeMail | RecoveredMail, words: MailWords, locale: str = "en") -> str:
    """The plain text part: everything that the HTML part says, in the same order."""
    seller = [mail.merchant.legal_name or mail.merchant.name, *mail.merchant.address_lines]
    blocks = [
        isolate(mail.merchant.name),
        f"{words.first_line}\n{words.later}" if words.later else words.first_line,
        f"{format_money(mail.amount, locale)}\n{words.when}",
        f"{words.button}: {words.url}",
        f"Invoice {mail.invoice_number}: {mail.invoice_url}",
        words.help,
        "\n".join([*(isolate(part) for part in seller), words.why]),
    ]
    return "\n\n".join(blocks) + "\n"
