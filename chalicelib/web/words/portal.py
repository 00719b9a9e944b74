"""The portal in words: how a subscription stands, what is wanted of its owner, and what changing its card says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from chalicelib.domain.machines import SubscriptionStatus
from chalicelib.domain.money.amounts import Money
from chalicelib.web.formatting import format_date, format_money, format_time, isolate
from chalicelib.web.views.common import Decline
from chalicelib.web.views.invoice import InvoiceStanding
from chalicelib.web.views.portal import Attention, InvoiceRow, SubscriptionCard
from chalicelib.web.words.documents import method_words

Tone = Literal["warn", "err", "info", "ok", "none"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A tag, the tone that picks its colour and shape, and the sentence beside it."""

    tag: str
    tone: Tone
    text: str = ""


_TAGS: Final[dict[SubscriptionStatus, tuple[str, Tone]]] = {
    SubscriptionStatus.SCHEDULED: ("Not started", "info"),
    SubscriptionStatus.ACTIVE: ("Active", "ok"),
    SubscriptionStatus.PAST_DUE: ("Past due", "err"),
    SubscriptionStatus.UNPAID: ("Unpaid", "err"),
    SubscriptionStatus.PAUSED: ("Paused", "warn"),
    SubscriptionStatus.CANCELED: ("Cancelled", "none"),
    SubscriptionStatus.EXPIRED: ("Ended", "none"),
}


def subscription_standing(card: SubscriptionCard, timezone: str, locale: str = "en") -> Standing:
    """How a subscription stands, and what comes next."""
    tag, tone = _TAGS[card.status]
    ended = card.status in (SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED)
    if card.ends_at is not None and not ended:
        day = format_date(card.ends_at, timezone, locale)
        return Standing(f"Ends {day}", "warn", f"Yours until {day}. There are no more charges.")
    return Standing(tag, tone, " ".join(part for part in _sentences(card, timezone, locale) if part))


def _sentences(card: SubscriptionCard, timezone: str, locale: str) -> list[str]:
    def day(moment: datetime) -> str:
        return format_date(moment, timezone, locale)

    match card.status:
        case SubscriptionStatus.CANCELED | SubscriptionStatus.EXPIRED:
            ended = "" if card.ended_at is None else f"It ended on {day(card.ended_at)}."
            return [ended, "There are no more charges."]
        case SubscriptionStatus.PAUSED:
            until = "" if card.resumes_at is None else f"It goes on from {day(card.resumes_at)}."
            return ["Nothing is charged while it is paused.", until]
        case SubscriptionStatus.UNPAID:
            return [_owed(card, locale), "Nothing is charged until there is another payment method."]
        case SubscriptionStatus.PAST_DUE:
            return [_owed(card, locale), _next(card, timezone, locale)]
        case _:
            return [_next(card, timezone, locale) or "All payments are made. There are no more charges."]


def _owed(card: SubscriptionCard, locale: str) -> str:
    return "" if card.owed is None else f"{format_money(card.owed, locale)} is owed."


def _next(card: SubscriptionCard, timezone: str, locale: str) -> str:
    if card.next_at is None:
        return ""
    what = "invoice" if card.sent else "charge"
    which = "First" if card.status is SubscriptionStatus.SCHEDULED else "Next"
    how = f" with {method_words(card.method)}" if card.method is not None and not card.sent else ""
    return f"{which} {what}: {format_money(card.amount, locale)} on {format_date(card.next_at, timezone, locale)}{how}."


def invoice_standing(row: InvoiceRow) -> Standing:
    """How an invoice in a list stands."""
    match row.standing:
        case InvoiceStanding.PAID:
            return Standing("Paid", "ok")
        case InvoiceStanding.VOID:
            return Standing("Cancelled", "none")
        case InvoiceStanding.ON_ITS_WAY:
            return Standing("Payment on its way", "info")
        case InvoiceStanding.OPEN:
            return Standing("Overdue", "err") if row.overdue else Standing("Open", "warn")


def attention_words(attention: Attention, locale: str = "en") -> tuple[str, str, str]:
    """What happened, what to do, and the button."""
    due = format_money(attention.due, locale)
    if attention.card is not None:
        name = isolate(attention.card.name)
        button = replace_button(attention.due, had_method=attention.card.method is not None, locale=locale)
        if attention.card.method is None:
            return f"{name} has no payment method.", f"{due} is owed. Add a card, and we charge it.", button
        method = method_words(attention.card.method)
        return (
            f"{due} for {name} did not go through.",
            f"We could not charge {method}. Use another card, and we charge what is owed.",
            button,
        )
    number = "" if attention.invoice is None else f" {attention.invoice.number}"
    return f"Invoice{number} is overdue.", f"{due} of it is still to be paid.", f"Pay {due}"


def replace_button(due: Money, *, had_method: bool, locale: str = "en") -> str:
    """`Replace card and pay $49.00`; `Add card` where there was none and nothing is owed."""
    act = "Replace card" if had_method else "Add card"
    return f"{act} and pay {format_money(due, locale)}" if due else act


def too_many_links_words(until: datetime, timezone: str, locale: str = "en") -> Decline:
    """An address that has asked for too many links; `until` is aware, and shown in the merchant's zone, named."""
    shown = format_time(until, timezone, locale)
    return Decline("Too many tries.", f"For safety, signing in pauses here until {shown}.", charged_known=False)
