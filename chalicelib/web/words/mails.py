"""The receipt mail in words: subject, preheader, first line, and the whole of the plain text part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.web.formatting import format_date, format_money, isolate, shorten
from chalicelib.web.views.common import LineView, MerchantView, TotalsView
from chalicelib.web.views.mail import ReceiptMail
from chalicelib.web.views.receipt import ReceiptOutcome
from chalicelib.web.words.documents import discount_label, method_words, tax_label, units_words
from chalicelib.web.words.schedule import cancel_links, next_charge_sentence, per

MAX_SUBJECT: Final = 60
MAX_PREHEADER: Final = 90
MAX_LINES: Final = 10


@dataclass(frozen=True, slots=True)
class MailWords:
    """`what` stands above the amount, `when` below it; `later` and `cancel` are empty for a single payment.

    `url` is where the button leads.
    """

    subject: str
    preheader: str
    what: str
    first_line: str
    when: str
    later: str
    cancel: str
    cancel_links: tuple[tuple[str, str], ...]
    button: str
    url: str
    help: str
    why: str
    manage_url: str | None = None


def receipt_words(mail: ReceiptMail, locale: str = "en") -> MailWords:
    """The words of one receipt."""
    zone = mail.merchant.timezone
    amount = format_money(mail.amount, locale)
    day = format_date(mail.at, zone, locale)
    how = f" with {method_words(mail.method)}" if mail.method else ""
    name = isolate(mail.merchant.name)
    later = next_charge_sentence(mail.later_charges, zone, locale)
    if mail.outcome is ReceiptOutcome.PAID:
        subject = subject_of("Receipt from ", mail.merchant.name, f": {amount}")
        what, when = "Receipt", f"Paid {day}{how}"
        first_line = f"Thank you. You paid {amount}."
        preheader = when
    elif mail.outcome is ReceiptOutcome.BANK_DEBIT:
        subject = f"Your bank payment of {amount} is on its way"
        what, when = "Payment on its way", f"Started {day}{how}"
        first_line = (
            f"Your bank payment of {amount} is on its way. You do not need to do anything, and you should not pay "
            "again. We will write when it arrives, or if it fails."
        )
        preheader = "Up to 4 business days, nothing to do"
    else:
        subject = subject_of("All set with ", mail.merchant.name, ": nothing due today")
        what, when = "All set", f"Agreed {day}{how}"
        first_line = "All set. Nothing is due today."
        preheader = later or when
    links = cancel_links(mail.later_charges, mail.cancel_url)
    cancel = ""
    if links:
        cancel = "You can cancel at any time by this link:" if len(links) == 1 else "You can cancel at any time:"
    bought = "a payment was made" if mail.outcome is ReceiptOutcome.PAID else "an order was placed"
    why = (
        f"You get this mail because {bought} with {mail.email} at {name}."
        if not mail.renewal
        else f"You get this mail because a subscription of {mail.email} at {name} was charged."
    )
    statement = mail.merchant.statement_name
    shown = f"Your card statement will show {isolate(statement)}. " if statement and _is_card(mail) else ""
    return MailWords(
        subject=subject,
        preheader=shorten(preheader, MAX_PREHEADER),
        what=what,
        first_line=first_line,
        when=when,
        later=later,
        cancel=cancel,
        cancel_links=links,
        button="View receipt",
        url=mail.receipt_url,
        help=f"{shown}Questions? Just reply to this mail.",
        why=why,
        manage_url=mail.manage_url,
    )


def receipt_text(mail: ReceiptMail, words: MailWords, locale: str = "en") -> str:
    """The plain text part: everything that the HTML part says, in the same order."""
    blocks: list[str] = [isolate(mail.merchant.name), words.first_line + (f"\n{words.later}" if words.later else "")]
    blocks.append(f"{format_money(mail.amount, locale)}\n{words.when}")
    blocks.append(lines_text(mail.lines, locale))
    blocks.append(totals_text(mail.totals, locale))
    if mail.invoice_number:
        invoice = f"Invoice {mail.invoice_number}"
        blocks.append(f"{invoice}: {mail.invoice_url}" if mail.invoice_url else invoice)
    blocks.append(f"{words.button}: {mail.receipt_url}")
    if words.cancel:
        single = len(words.cancel_links) == 1
        blocks.append(
            "\n".join([words.cancel, *(url if single else f"{label}: {url}" for label, url in words.cancel_links)])
        )
    if words.manage_url:
        blocks.append(f"Manage subscription: {words.manage_url}")
    blocks.append(words.help)
    blocks.append(seller_text(mail.merchant, words.why))
    return "\n\n".join(block for block in blocks if block) + "\n"


def lines_text(lines: Sequence[LineView], locale: str = "en") -> str:
    """What a document bills, a row for each line, and how many more there are."""
    rows = [_line(line, locale) for line in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        rows.append(f"and {len(lines) - MAX_LINES} more")
    return "\n".join(rows)


def totals_text(totals: TotalsView, locale: str = "en") -> str:
    """A document's sums, a row for each."""
    return "\n".join(f"{label}: {value}" for label, value, _ in totals_rows(totals, locale))


def seller_text(merchant: MerchantView, why: str) -> str:
    """At a mail's foot: who sends it, and why it came."""
    seller = [merchant.legal_name or merchant.name, *merchant.address_lines]
    return "\n".join([*(isolate(part) for part in seller), why])


def totals_rows(totals: TotalsView, locale: str = "en") -> tuple[tuple[str, str, bool], ...]:
    """Label, amount, and whether it is the total. Steps that are zero have no row; a lone total needs no subtotal."""
    rows: list[tuple[str, str, bool]] = []
    for discount in totals.discounts:
        rows.append((discount_label(discount), format_money(-discount.amount, locale), False))
    rows.extend((isolate(fee.name), format_money(fee.amount, locale), False) for fee in totals.fees)
    rows.extend(
        (tax_label(tax, locale), format_money(tax.amount, locale), False) for tax in totals.taxes if not tax.inclusive
    )
    if totals.rounding:
        rows.append(("Rounding", format_money(totals.rounding, locale), False))
    if rows:
        rows.insert(0, ("Subtotal", format_money(totals.subtotal, locale), False))
    rows.append((f"Total ({totals.total.currency.upper()})", format_money(totals.total, locale), True))
    if totals.credited:
        rows.append(("Credit", format_money(-totals.credited, locale), False))
        rows.append(("After credit", format_money(totals.total - totals.credited, locale), True))
    rows.extend(
        (tax_label(tax, locale), format_money(tax.amount, locale), False) for tax in totals.taxes if tax.inclusive
    )
    return tuple(rows)


def _line(line: LineView, locale: str) -> str:
    name = isolate(shorten(line.name, 200))
    units = units_words(line, locale, " x ")
    if units:
        name += f", {units}"
    if line.recurring:
        name += f" ({per(line.recurring.frequency)})"
    return f"{name}: {format_money(line.amount, locale)}"


def subject_of(before: str, name: str, after: str) -> str:
    """A subject that fits, the name shortened where it must be."""
    # Two characters stay free for the marks that isolate a right-to-left name.
    return before + isolate(shorten(name, MAX_SUBJECT - len(before) - len(after) - 2)) + after


def _is_card(mail: ReceiptMail) -> bool:
    return mail.method is not None and mail.method.kind == "card"
