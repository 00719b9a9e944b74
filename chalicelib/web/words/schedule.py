"""Later charges in words: the sentence under the amount, the rows below the total, the consent, the button.

All of them say amount, rhythm, first date and end, in that order, from the same values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.money.amounts import Money
from chalicelib.web.formatting import NBSP, format_date, format_dates, format_money, format_number, isolate

if TYPE_CHECKING:
    from chalicelib.domain.billing.stretches import Stretch
    from chalicelib.web.views.common import LaterCharge
    from chalicelib.web.views.pay import OwedInvoice

CONSENT_VERSION: Final = "2027-02"
"""Which wording of the consent was shown; change it with the words of `consent_text`."""

_PER: Final[dict[Frequency, str]] = {
    Frequency.WEEKLY: "a week",
    Frequency.BIWEEKLY: f"every 2{NBSP}weeks",
    Frequency.MONTHLY: "a month",
    Frequency.QUARTERLY: f"every 3{NBSP}months",
    Frequency.PER_SIX_MONTHS: f"every 6{NBSP}months",
    Frequency.ANNUALLY: "a year",
    Frequency.PER_TWO_YEARS: f"every 2{NBSP}years",
    Frequency.PER_THREE_YEARS: f"every 3{NBSP}years",
    Frequency.PER_FOUR_YEARS: f"every 4{NBSP}years",
    Frequency.PER_FIVE_YEARS: f"every 5{NBSP}years",
}
_EVERY: Final[dict[Frequency, str]] = _PER | {
    Frequency.WEEKLY: "every week",
    Frequency.MONTHLY: "every month",
    Frequency.ANNUALLY: "every year",
}


def per(frequency: Frequency) -> str:
    """`a month`: after an amount."""
    return _PER[frequency]


def every(frequency: Frequency) -> str:
    """`every month`: a rule."""
    return _EVERY[frequency]


def price(amount: Money, frequency: Frequency, locale: str = "en") -> str:
    """`$49.00 a month`."""
    return f"{format_money(amount, locale)} {per(frequency)}"


def line_schedule(recurring: Recurrence, locale: str = "en") -> str:
    """Under a line's name: `every month`, and how many payments there are in all."""
    rule = every(recurring.frequency)
    if recurring.number_of_payments is None:
        return rule
    if recurring.number_of_payments == 1:
        return "1 payment"
    return f"{rule}, {format_number(recurring.number_of_payments, locale)} payments"


def _ending(charge: LaterCharge, locale: str) -> str:
    if charge.remaining is None:
        return "until you cancel"
    count = format_number(charge.remaining, locale)
    if charge.starts_today:
        return f"{count}{NBSP}more"
    return f"{count}{NBSP}payment" if charge.remaining == 1 else f"{count}{NBSP}payments"


def rule(charge: LaterCharge, locale: str = "en") -> str:
    """Beside a later charge: `every month, until you cancel` or `every month, 11 more`."""
    if charge.remaining == 1:
        return "the last payment" if charge.starts_today else "1 payment"
    return f"{every(charge.frequency)}, {_ending(charge, locale)}"


def stepped(charge: LaterCharge) -> tuple[LaterCharge, ...]:
    """A row for each amount that a subscription will charge: the charge itself where there is only one."""
    if not charge.steps:
        return (charge,)
    last = len(charge.steps) - 1
    return tuple(
        replace(
            charge,
            amount=step.amount,
            next_at=step.first_at,
            remaining=step.count,
            starts_today=charge.starts_today and place == last,
            steps=(),
        )
        for place, step in enumerate(charge.steps)
    )


def _on_days(step: Stretch, timezone: str, locale: str) -> str | None:
    """`$24.50 on 28 February and 31 March 2027`, for one charge or two; more of them have a rhythm instead."""
    if step.count is None or step.count > 2:
        return None
    days = (step.first_at,) if step.second_at is None else (step.first_at, step.second_at)
    return f"{format_money(step.amount, locale)} on {_joined(format_dates(days, timezone, locale))}"


def _steps(charge: LaterCharge, timezone: str, locale: str) -> str:
    parts = []
    for step in charge.steps:
        text = _on_days(step, timezone, locale)
        if text is None:
            start = format_date(step.first_at, timezone, locale)
            text = f"{price(step.amount, charge.frequency, locale)} from {start}"
            if step.count is not None:
                text += f" ({format_number(step.count, locale)}{NBSP}payments)"
        parts.append(text)
    return ", then ".join(parts)


def _then(charge: LaterCharge, timezone: str, locale: str) -> str:
    if charge.steps:
        return _steps(charge, timezone, locale)
    start = format_date(charge.next_at, timezone, locale)
    if charge.remaining == 1:
        once = "once more on" if charge.starts_today else "on"
        return f"{format_money(charge.amount, locale)} {once} {start}"
    text = f"{price(charge.amount, charge.frequency, locale)} from {start}"
    return text if charge.remaining is None else f"{text} ({_ending(charge, locale)})"


def due_sentence(charges: tuple[LaterCharge, ...], timezone: str, locale: str = "en") -> str:
    """Under the amount: `due today. Then $49.00 a month from 14 April 2027.`"""
    if not charges:
        return "due today."
    parts = [_then(charge, timezone, locale) for charge in charges]
    if any(charge.steps for charge in charges):
        # Steps have commas of their own.
        return f"due today. Then {'; '.join([*parts[:-2], '; and '.join(parts[-2:])])}."
    return f"due today. Then {_joined(parts)}."


def next_charge_sentence(charges: tuple[LaterCharge, ...], timezone: str, locale: str = "en") -> str:
    """On receipts: `Next charge: $49.00 on 14 April 2027.`, one for each subscription."""
    sentences = []
    for charge in charges:
        what = "charges" if charge.steps else "charge"
        text = _steps(charge, timezone, locale)
        if not charge.steps:
            text = f"{format_money(charge.amount, locale)} on {format_date(charge.next_at, timezone, locale)}"
        name = f", for {isolate(charge.name)}" if charge.name and len(charges) > 1 else ""
        sentences.append(f"{'Next' if charge.starts_today else 'First'} {what}: {text}{name}.")
    return " ".join(sentences)


def cancel_links(charges: tuple[LaterCharge, ...], cancel_url: str | None) -> tuple[tuple[str, str], ...]:
    """Label and address of each way to cancel: one for each subscription, or the one for all of them."""
    own = [(charge.name, charge.cancel_url) for charge in charges if charge.cancel_url]
    if len(own) > 1:
        return tuple((f"Cancel {isolate(name or 'subscription')}", url) for name, url in own if url)
    url = own[0][1] if own else cancel_url
    return (("Cancel subscription", url),) if url else ()


def button_text(due_today: Money, charges: tuple[LaterCharge, ...], locale: str = "en", *, owed: bool = False) -> str:
    """What the main button does and costs. `owed`: it pays an invoice, which starts nothing new."""
    amount = format_money(due_today, locale)
    if owed or not charges:
        return f"Pay {amount}"
    if due_today:
        return f"Subscribe and pay {amount}"
    if len(charges) > 2 or any(charge.steps for charge in charges):
        return f"Subscribe, {amount} due today"
    return f"Subscribe for {_joined([price(charge.amount, charge.frequency, locale) for charge in charges])}"


def title_text(
    merchant_name: str, due_today: Money, charges: tuple[LaterCharge, ...], locale: str = "en", *, owed: bool = False
) -> str:
    """The browser's title: `Pay $148.00 to Pinewood Studio`."""
    joint = "to" if due_today or not charges else "at"
    return f"{button_text(due_today, charges, locale, owed=owed)} {joint} {isolate(merchant_name)}"


def paying_text(due_today: Money, locale: str = "en") -> str:
    """On the button after the press; with nothing due there is no amount to name."""
    return f"Paying {format_money(due_today, locale)}…" if due_today else "Subscribing…"


def period_words(start: datetime, end: datetime, timezone: str, locale: str = "en") -> str:
    """A half-open period as people say it, the last day included."""
    last = end - timedelta(microseconds=1)
    return f"{format_date(start, timezone, locale)} to {format_date(last, timezone, locale)}"


@dataclass(frozen=True, slots=True)
class ConsentText:
    """The sentence that the buyer agrees to. `charges` pairs what is set in bold with what follows it."""

    before: str
    charges: tuple[tuple[str, str], ...]
    after: str

    @property
    def plain(self) -> str:
        """The whole of it as it is recorded."""
        return self.before + "".join(bold + rest for bold, rest in self.charges) + self.after


def _rhythm(amount: Money, frequency: Frequency, start: datetime, timezone: str, locale: str) -> str:
    return f"{format_money(amount, locale)} {every(frequency)}, starting {format_date(start, timezone, locale)}"


def _times(count: int | None, locale: str) -> str:
    return "until you cancel" if count is None else f"{format_number(count, locale)} times"


def _agreed(charge: LaterCharge, timezone: str, locale: str) -> tuple[str, str]:
    """What one subscription will charge, and how often where that is told by a number or a rule."""
    if not charge.steps:
        if charge.remaining == 1:
            start = format_date(charge.next_at, timezone, locale)
            return f"{format_money(charge.amount, locale)} once, on {start}", ""
        bold = _rhythm(charge.amount, charge.frequency, charge.next_at, timezone, locale)
        return bold, f", {_times(charge.remaining, locale)}"
    bold, ending = "", ""
    for step in charge.steps:
        days = _on_days(step, timezone, locale)
        text = days or _rhythm(step.amount, charge.frequency, step.first_at, timezone, locale)
        bold += f"{ending}{', then ' if bold else ''}{text}"
        ending = "" if days else f", {_times(step.count, locale)}"
    return bold, ending


def consent_text(
    merchant_name: str,
    due_today: Money,
    charges: tuple[LaterCharge, ...],
    timezone: str,
    locale: str = "en",
    *,
    saving: bool = False,
) -> ConsentText | None:
    """What is agreed to by pressing the button; None when nothing is charged later.

    `saving`: the button stores a method, which is charged for `due_today` too, since nobody pays on that page itself.
    """
    agreed = [_agreed(charge, timezone, locale) for charge in charges]
    if saving and due_today:
        agreed.insert(0, (f"{format_money(due_today, locale)} now", ", which is owed"))
    if not agreed:
        return None
    act = "saving this card" if saving else "paying" if due_today else "subscribing"
    parts: list[tuple[str, str]] = []
    for index, (bold, ending) in enumerate(agreed):
        last = index == len(agreed) - 1
        parts.append((bold, ending + ("." if last else "; and " if index == len(agreed) - 2 else "; ")))
    before = f"By {act} you agree that {isolate(merchant_name)} stores this payment method and charges it "
    cancel = " You can cancel at any time by the link in each receipt." if charges else ""
    return ConsentText(before, tuple(parts), cancel)


def also_owed_text(amount: Money, owed: Sequence[OwedInvoice], locale: str = "en") -> str:
    """What is charged right after this payment, to the same method, and what all of it comes to; empty for nothing."""
    if not owed:
        return ""
    each = _joined([f"{invoice.number} {format_money(invoice.amount, locale)}" for invoice in owed])
    total = Money.total([amount, *(invoice.amount for invoice in owed)], amount.currency)
    return f"It is also charged now for what is past due: {each}. Together: {format_money(total, locale)}."


def _joined(parts: list[str]) -> str:
    if len(parts) > 2:
        return f"{', '.join(parts[:-1])}, and {parts[-1]}"
    return " and ".join(parts)
